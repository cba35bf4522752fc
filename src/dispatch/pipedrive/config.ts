import { z } from 'zod';
import { FieldMapping } from '../../core/field-mapping.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';
import { ticketStatuses } from '../../core/ticket.ts';
import type { TicketStatus } from '../../core/ticket.ts';

/** Fields that every deal has and that can be filled, and whether they take a number. */
export const STANDARD: Readonly<Record<string, 'number' | 'text'>> = {
  value: 'number',
  probability: 'number',
  currency: 'text',
  expected_close_date: 'text',
};

const CUSTOM = /^[0-9a-f]{40}$/;
const id = z.number().int().min(1);
const customField = z
  .string()
  .regex(CUSTOM, { error: 'is not the API key of a custom field: 40 characters of 0-9 and a-f' });
const outcomes = ['open', 'won', 'lost'] as const;
/** What a status of ours is there: what became of the deal, or the number of a stage. */
const target = z.union([z.enum(outcomes), id]);
export type Target = z.output<typeof target>;

const OAuth2 = z.strictObject({
  type: z.literal('oauth2'),
  clientId: z.string().min(1).max(200),
  clientSecret: secret('Client secret of the app'),
  refreshToken: secret('Refresh token that the app was given; those that follow it are kept in the store'),
  tokenUrl: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .default('https://oauth.pipedrive.com/oauth/token')
    .meta({ description: 'Where it is exchanged' }),
});
export type OAuth2 = z.output<typeof OAuth2>;

export const Config = z.strictObject({
  companyDomain: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { error: 'is not the first part of <companyDomain>.pipedrive.com' })
    .meta({ description: 'acme, where your Pipedrive is acme.pipedrive.com' }),
  apiRoot: rootAddress
    .optional()
    .meta({ description: 'Another address of the API; https://<companyDomain>.pipedrive.com when left out' }),
  auth: z
    .discriminatedUnion('type', [
      z.strictObject({
        type: z.literal('token'),
        token: secret('API token of a user; Personal preferences → API'),
      }),
      OAuth2,
    ])
    .meta({ description: 'How it signs in' }),
  webhook: z
    .strictObject({
      user: z
        .string()
        .min(1)
        .max(200)
        .regex(/^[^:]+$/, { error: 'has a colon, which a user of HTTP Basic can not have' }),
      password: secret('Password of the webhook'),
    })
    .optional()
    .meta({ description: 'HTTP Basic of the webhooks; without it Pipedrive is asked every five minutes' }),
  dealIdField: customField.meta({ description: 'API key of the text field of deals that holds our id' }),
  personIdField: customField.meta({ description: 'API key of the text field of persons that holds our id' }),
  pipelineId: id.optional().meta({ description: 'Pipeline of new deals; the first one when left out' }),
  stageId: id.optional().meta({ description: 'Stage of new deals; the first of the pipeline when left out' }),
  ownerId: id.optional().meta({ description: 'Who owns new deals; the user of the token when left out' }),
  answerMark: z.string().trim().min(1).max(50).default('>>').meta({
    description: 'A note that begins with it is an answer, and goes to the customer; all others are notes',
  }),
  fields: FieldMapping.refine((fields) => Object.keys(fields).every(isField), {
    error: `name fields by the API key of a custom field, or one of ${Object.keys(STANDARD).join(', ')}`,
  }),
  statuses: z
    .partialRecord(z.enum(ticketStatuses), z.union([target, z.tuple([target], target)]))
    .default({})
    .meta({
      description:
        'What a status is there: open, won, lost, or the number of a stage; of a list the first is written, all are read. What isn’t named is left alone',
    }),
  lostReason: z.string().min(1).max(150).optional().meta({ description: 'The reason of deals that become lost' }),
});
export type Config = z.output<typeof Config>;

function isField(name: string): boolean {
  return CUSTOM.test(name) || Object.hasOwn(STANDARD, name);
}

/** Undefined: this status is left alone there. */
export function targetOf({ statuses }: Config, status: TicketStatus): Target | undefined {
  return [statuses[status]].flat()[0];
}

/** As much of a deal as a status depends on. */
export interface State {
  readonly status: string;
  readonly stage_id?: number | null | undefined;
}

/** What a deal's state means here; undefined: nothing. The stage of an open deal says more than that it is open. */
export function statusOf(config: Config, { status, stage_id: stage }: State): TicketStatus | undefined {
  const isNamed = (one: Target) => (ours: TicketStatus) => [config.statuses[ours]].flat().includes(one);
  const meaning = (one: Target) =>
    ticketStatuses.find((ours) => targetOf(config, ours) === one) ?? ticketStatuses.find(isNamed(one));
  const outcome = outcomes.find((each) => each === status);
  const ofStage = status === 'open' && stage != null ? meaning(stage) : undefined;
  return ofStage ?? (outcome && meaning(outcome));
}

/** What brings a deal there. */
export function changeTo({ lostReason }: Config, to: Target): object {
  if (typeof to === 'number') return { stage_id: to };
  return { status: to, ...(to === 'lost' && lostReason !== undefined && { lost_reason: lostReason }) };
}
