import { z } from 'zod';
import { FieldMapping } from '../../core/field-mapping.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret, shapedSecret } from '../../core/secret.ts';
import { ticketStatuses } from '../../core/ticket.ts';
import type { TicketStatus } from '../../core/ticket.ts';

/** Filled by the gateway itself. */
const OWN: ReadonlySet<string> = new Set(['id', 'title', 'stageId', 'originatorId', 'originId', 'contactId', 'fm']);

const stage = z.string().min(1).max(50);

export const Config = z.strictObject({
  apiRoot: rootAddress
    .refine((url) => !url.includes('/rest'), {
      error: 'is only the beginning of the webhook’s address, before /rest/: what follows is userId and code',
    })
    .meta({ description: 'Where Bitrix24 is: https://acme.bitrix24.com, or a server of your own' }),
  userId: z
    .number()
    .int()
    .min(1)
    .meta({ description: 'Whose incoming webhook it is: the number in /rest/<userId>/<code>/' }),
  code: shapedSecret(
    'The secret of the incoming webhook: the last step of /rest/<userId>/<code>/',
    /^[A-Za-z0-9]{6,100}$/,
    'is not the code of a webhook: letters and digits, without slashes',
  ),
  applicationToken: secret(
    'Application token of the outgoing webhook; without it Bitrix24 is asked every minute',
  ).optional(),
  entity: z.enum(['deal', 'lead']).default('deal').meta({ description: 'What a ticket becomes there' }),
  categoryId: z
    .number()
    .int()
    .min(0)
    .optional()
    .meta({ description: 'Funnel of the deals; the general one when left out' }),
  sourceId: z
    .string()
    .min(1)
    .max(50)
    .optional()
    .meta({ description: 'Source there, such as WEB or a code of your own' }),
  assignedById: z
    .number()
    .int()
    .min(1)
    .optional()
    .meta({ description: 'Who becomes responsible; the webhook’s user when left out' }),
  answerMark: z.string().trim().min(1).max(50).default('>>').meta({
    description: 'A comment that begins with it is an answer, and goes to the customer; all others are notes',
  }),
  fields: FieldMapping.refine((fields) => Object.keys(fields).every(isField), {
    error: `name fields as crm.item.fields does (sourceDescription, UF_CRM_1720019876534); not ${[...OWN].join(', ')}`,
  }),
  statuses: z
    .partialRecord(z.enum(ticketStatuses), z.union([stage, z.tuple([stage], stage)]))
    .optional()
    .meta({
      description:
        'Which stage a status is; of a list the first is written, all are read. What isn’t named is left alone. Leads have a default, deals none',
    }),
});
export type Config = z.output<typeof Config>;
export type Entity = Config['entity'];

function isField(name: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_]{0,99}$/.test(name) && !OWN.has(name);
}

/**
 * The stages that every Bitrix24 begins with. Of deals nobody can say which one means that a customer was answered; a lead
 * that is converted only begins.
 */
const STAGES: Readonly<Record<Entity, NonNullable<Config['statuses']>>> = {
  lead: {
    new: 'NEW',
    open: 'IN_PROCESS',
    pending: 'IN_PROCESS',
    solved: 'PROCESSED',
    closed: ['PROCESSED', 'JUNK'],
  },
  deal: {},
};

function stagesOf({ entity, statuses }: Config, of: Entity) {
  return statuses !== undefined && of === entity ? statuses : STAGES[of];
}

/** Undefined: this status is left alone there. */
export function stageOf(config: Config, of: Entity, status: TicketStatus): string | undefined {
  return [stagesOf(config, of)[status]].flat()[0];
}

/** What a stage means here; undefined: nothing. Of several, the one that is listed first. */
export function statusOf(config: Config, of: Entity, stageId: string): TicketStatus | undefined {
  const stages = stagesOf(config, of);
  const isWritten = (status: TicketStatus) => stageOf(config, of, status) === stageId;
  return ticketStatuses.find(isWritten) ?? ticketStatuses.find((status) => [stages[status]].flat().includes(stageId));
}
