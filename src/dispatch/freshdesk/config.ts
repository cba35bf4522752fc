import { z } from 'zod';
import { FieldMapping, values } from '../../core/field-mapping.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret, shapedSecret } from '../../core/secret.ts';
import { priorities } from '../../core/ticket.ts';

/** Fields of a ticket that can be filled besides custom ones, and whether they take a number. */
export const STANDARD: Readonly<Record<string, 'number' | 'text'>> = {
  company_id: 'number',
  email_config_id: 'number',
  group_id: 'number',
  product_id: 'number',
  responder_id: 'number',
  source: 'number',
  type: 'text',
};

/** No ticket is new there. */
export const theirStatuses = ['open', 'pending', 'solved', 'closed'] as const;

const NUMBERS = { error: 'are numbers there: Open is 2, Pending 3, Resolved 4, Closed 5' };

export const Config = z.strictObject({
  subdomain: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { error: 'is not the first part of <subdomain>.freshdesk.com' })
    .meta({ description: 'acme, where your Freshdesk is acme.freshdesk.com' }),
  apiRoot: rootAddress
    .optional()
    .meta({ description: 'Another address of the API; https://<subdomain>.freshdesk.com when left out' }),
  apiKey: secret('API key of the agent that the gateway works as; Profile settings'),
  idField: z
    .string()
    .regex(/^cf_[a-z0-9_]{1,100}$/, { error: 'is not the name of a custom field, such as cf_tributary_id' })
    .default('cf_tributary_id')
    .meta({ description: 'Custom field of tickets that holds our ticket’s id: how a ticket is found again' }),
  requesters: z.enum(['by_id', 'by_email']).default('by_id').meta({
    description:
      'by_id: contacts without an address, whom Freshdesk can’t write to. by_email: the contact with the customer’s address, who gets replies by e-mail besides',
  }),
  webhookToken: shapedSecret(
    'Secret part of the address that an automation rule calls; without it Freshdesk is asked every 15 seconds',
    /^[A-Za-z0-9_-]{22,200}$/,
    'is none of 22 to 200 letters, digits, _ and -: `openssl rand -hex 24` makes one',
  ).optional(),
  fields: FieldMapping.refine((fields) => Object.keys(fields).every(isField), {
    error: `name fields cf_…, cf_…:number, cf_…:checkbox, or one of ${Object.keys(STANDARD).join(', ')}`,
  }),
  statuses: values(
    theirStatuses,
    { open: 2, pending: [3, 6, 7], solved: 4, closed: 5 },
    'The numbers of our statuses there; the first is written, all are read',
  ).refine((all) => Object.values(all).flat().every(isNumber), NUMBERS),
  priorities: values(
    priorities,
    { low: 1, normal: 2, high: 3, urgent: 4 },
    'The numbers of our priorities there',
  ).refine((all) => Object.values(all).flat().every(isNumber), { error: 'are numbers there: Low is 1, Urgent 4' }),
  tags: z
    .array(z.string().regex(/^[^,]{1,32}$/, { error: 'is not a tag: at most 32 characters, no commas' }))
    .max(20)
    .default(['tributary'])
    .meta({ description: 'Tags of every ticket that is made, besides its own' }),
});
export type Config = z.output<typeof Config>;

function isField(name: string): boolean {
  return /^cf_[a-z0-9_]{1,100}(:number|:checkbox)?$/.test(name) || Object.hasOwn(STANDARD, name);
}

function isNumber(value: string | number): boolean {
  return /^\d{1,9}$/.test(String(value));
}
