import { z } from 'zod';
import { FieldMapping, values } from '../../core/field-mapping.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret, shapedSecret } from '../../core/secret.ts';
import type { Values } from '../../core/field-mapping.ts';
import type { Priority } from '../../core/ticket.ts';

/** Custom attributes of a conversation: our ticket’s id, and the status that it was told last. */
export const TICKET = 'tributary_ticket';
export const STATUS = 'tributary_status';

/** No ticket is new there. */
export const ourStatuses = ['open', 'pending', 'solved', 'closed'] as const;
const THEIRS: readonly unknown[] = ['open', 'pending', 'snoozed', 'resolved'];

export const PRIORITIES: Values<Priority> = { low: 'low', normal: 'medium', high: 'high', urgent: 'urgent' };

const number = z.number().int().positive();

export const Config = z.strictObject({
  apiRoot: rootAddress
    .default('https://app.chatwoot.com')
    .meta({ description: 'Address of your Chatwoot; the one in the cloud when left out' }),
  accountId: number.meta({ description: 'The number of the account: /app/accounts/<number>/ in the address' }),
  inboxId: number.meta({ description: 'The number of an inbox of the API channel: /settings/inboxes/<number>' }),
  accessToken: secret('Access token of the user that the gateway works as; Profile settings'),
  contacts: z.enum(['by_id', 'by_email']).default('by_id').meta({
    description:
      'by_id: contacts without an address, whom Chatwoot can’t mail. by_email: the contact with the customer’s address',
  }),
  webhookSecret: secret('Secret of the webhook, which Chatwoot signs with since 4.11.2')
    .meta({
      description: 'Secret of the webhook; without it and `webhookToken` Chatwoot is asked every 15 seconds',
      format: 'password',
      writeOnly: true,
    })
    .optional(),
  webhookToken: shapedSecret(
    'Secret part of the address that an older Chatwoot calls, which signs nothing',
    /^[A-Za-z0-9_-]{22,200}$/,
    'is none of 22 to 200 letters, digits, _ and -: `openssl rand -hex 24` makes one',
  ).optional(),
  fields: FieldMapping.refine((fields) => Object.keys(fields).every(isField), {
    error: 'name custom attributes of conversations by their keys, other than tributary_…',
  }),
  labels: z
    .array(z.string().regex(/^[\p{Ll}\p{N}_-]{1,100}$/u, { error: 'is not a label: small letters, digits, _ and -' }))
    .max(20)
    .default([])
    .meta({ description: 'Labels of every conversation that is made, besides the ticket’s tags' }),
  statuses: values(
    ourStatuses,
    { open: 'open', pending: ['snoozed', 'pending'], solved: 'resolved', closed: 'resolved' },
    'What a status is called there; the first is written, all are read',
  ).refine(
    (all) =>
      Object.values(all)
        .flat()
        .every((value) => THEIRS.includes(value)),
    {
      error: `are ${THEIRS.join(', ')}`,
    },
  ),
});
export type Config = z.output<typeof Config>;

function isField(name: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_]{0,99}$/.test(name) && !name.startsWith('tributary_');
}
