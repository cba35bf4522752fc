import { z } from 'zod';
import { FieldMapping, PendingMinutes, values } from '../../core/field-mapping.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';
import { priorities, ticketStatuses } from '../../core/ticket.ts';

/** Objects of Zammad have attributes of small letters. */
const ATTRIBUTE = /^[a-z][a-z0-9_]{0,99}$/;

export const Config = z.strictObject({
  apiRoot: rootAddress.meta({ description: 'Where Zammad is, as browsers open it: https://desk.example.com' }),
  token: secret('Access token of the agent that the gateway works as, with the permission ticket.agent'),
  group: z.string().min(1).max(160).meta({ description: 'The group that tickets are made in' }),
  idField: z
    .string()
    .regex(ATTRIBUTE, { error: 'is small letters, digits and _' })
    .default('tributary_id')
    .meta({ description: 'Attribute of tickets that holds our ticket’s id: how a ticket is found again' }),
  webhookSecret: secret(
    'HMAC SHA1 signature token of the webhook; without it Zammad is asked every 15 seconds',
  ).optional(),
  pendingMinutes: PendingMinutes,
  maxAttachmentBytes: z
    .number()
    .int()
    .min(0)
    .max(50_000_000)
    .default(20_000_000)
    .meta({ description: 'All files of one message together' }),
  fields: FieldMapping.refine((fields) => Object.keys(fields).every((name) => ATTRIBUTE.test(name)), {
    error: 'name fields by the name of an attribute of tickets: small letters, digits and _',
  }),
  tags: z
    .array(z.string().regex(/^[^,]{1,80}$/, { error: 'is not a tag: no commas' }))
    .max(20)
    .default(['tributary'])
    .meta({ description: 'Tags of every ticket that is made, besides its own' }),
  statuses: values(
    ticketStatuses,
    { new: 'new', open: 'open', pending: ['pending reminder', 'pending close'], solved: 'closed', closed: 'closed' },
    'What a status is called there; the first is written, all are read',
  ),
  priorities: values(
    priorities,
    { low: '1 low', normal: '2 normal', high: '3 high', urgent: '3 high' },
    'What a priority is called there',
  ),
});
export type Config = z.output<typeof Config>;
