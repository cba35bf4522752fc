import { z } from 'zod';
import { FieldMapping } from '../../core/field-mapping.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret, shapedSecret } from '../../core/secret.ts';
import { ticketStatuses } from '../../core/ticket.ts';
import type { TicketStatus } from '../../core/ticket.ts';

const number = z.number().int().positive().max(Number.MAX_SAFE_INTEGER);

export const OAuth2 = z
  .strictObject({
    clientId: z.string().min(1).max(200).meta({ description: 'Integration ID' }),
    clientSecret: secret('Secret key of the integration'),
    redirectUri: z
      .url({ protocol: /^https?$/ })
      .max(2000)
      .meta({ description: 'Exactly as the integration has it' }),
    refreshToken: secret('Refresh token that the authorization code was exchanged for'),
  })
  .meta({ description: 'Instead of a long-lived token: it is renewed every day, and kept by the gateway' });
export type OAuth2 = z.output<typeof OAuth2>;

export const Config = z
  .strictObject({
    apiRoot: rootAddress
      .refine((url) => !/\/(api|oauth2)(\/|$)/.test(url), { error: 'is only the address of the account, before /api/' })
      .meta({ description: 'Address of the account: https://acme.amocrm.ru or https://acme.kommo.com' }),
    accessToken: secret('Long-lived token of the integration').optional(),
    oauth2: OAuth2.optional(),
    webhookToken: shapedSecret(
      'Secret part of the address that webhooks go to; without it amoCRM is asked every minute',
      /^[A-Za-z0-9_-]{22,200}$/,
      'is none of 22 to 200 letters, digits, _ and -: `openssl rand -hex 24` makes one',
    ).optional(),
    idField: number.meta({ description: 'Number of a text field of leads that holds our id' }),
    contactIdField: number.optional().meta({
      description: 'Number of a text field of contacts: customers without number and address are known again by it',
    }),
    pipelineId: number.optional().meta({ description: 'Pipeline that leads are made in; the main one when left out' }),
    responsibleUserId: number.optional().meta({ description: 'Who becomes responsible' }),
    answerMark: z.string().trim().min(1).max(50).default('>>').meta({
      description: 'A note that begins with it is an answer, and goes to the customer; all others stay notes',
    }),
    fields: FieldMapping.refine((fields) => Object.keys(fields).every((name) => /^[1-9]\d{0,15}$/.test(name)), {
      error: 'name fields of leads by their numbers',
    }),
    statuses: z
      .partialRecord(z.enum(ticketStatuses), z.union([number, z.tuple([number], number)]))
      .default({})
      .meta({
        description:
          'Which stage of the pipeline a status is, by its number (142 won, 143 lost); of a list the first is written, all are read. What isn’t named is left alone',
      }),
  })
  .refine(({ accessToken, oauth2 }) => (accessToken === undefined) !== (oauth2 === undefined), {
    path: ['accessToken'],
    error: 'give either accessToken or oauth2',
  })
  .refine(({ statuses, pipelineId }) => Object.keys(statuses).length === 0 || pipelineId !== undefined, {
    path: ['pipelineId'],
    error: 'belongs to `statuses`: stages are those of one pipeline',
  });
export type Config = z.output<typeof Config>;

/** Won and lost, in every pipeline. */
export const FINAL: ReadonlySet<number> = new Set([142, 143]);

/** Undefined: this status is left alone there. */
export function stageOf({ statuses }: Config, status: TicketStatus): number | undefined {
  return [statuses[status]].flat()[0];
}

/** What a stage means here; undefined: nothing. Of several, the one that is listed first. */
export function statusOf(config: Config, stage: number, pipeline: number): TicketStatus | undefined {
  if (pipeline !== config.pipelineId) return undefined;
  const isWritten = (status: TicketStatus) => stageOf(config, status) === stage;
  const isRead = (status: TicketStatus) => [config.statuses[status]].flat().includes(stage);
  return ticketStatuses.find(isWritten) ?? ticketStatuses.find(isRead);
}
