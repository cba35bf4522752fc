import { z } from 'zod';
import { FieldMapping, values } from '../../core/field-mapping.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';
import { priorities, ticketStatuses } from '../../core/ticket.ts';

/** Fields of a ticket that can be filled besides custom ones, and whether they take a number. */
export const STANDARD: Readonly<Record<string, 'number' | 'text'>> = {
  assignee_id: 'number',
  company_name: 'text',
  group_id: 'number',
  type: 'text',
};

const number = z.number().int().positive();

export const Config = z.strictObject({
  apiToken: secret('App secret key of the API channel, which is the token of the API'),
  apiRoot: rootAddress
    .default('https://api.usedesk.ru')
    .meta({ description: 'Another address of the API: https://secure.usedesk.com/uapi, or that of your own server' }),
  channel: number.meta({ description: 'The channel that tickets are made in, by its number: an API channel' }),
  user: number.meta({ description: 'The agent as whom the gateway writes notes, by his number' }),
  addressDomain: z
    .string()
    .regex(/^(?=.{3,200}$)[a-z0-9-]+(\.[a-z0-9-]+)+$/, { error: 'is not a domain, such as customers.example.com' })
    .meta({
      description: 'A domain of yours that no mail reaches: customers are known there as <our id>@<domain>',
    }),
  webhookSecret: secret('What webhooks bring as `secret`; without it Usedesk is asked every 15 seconds').optional(),
  fileHosts: z
    .array(z.string().regex(/^[a-z0-9.-]{1,253}$/, { error: 'is not the name of a host' }))
    .max(20)
    .default([])
    .meta({ description: 'Hosts besides Usedesk’s own that files of agents may be fetched from' }),
  fields: FieldMapping.refine((fields) => Object.keys(fields).every(isField), {
    error: `name fields by the number of a custom field, or one of ${Object.keys(STANDARD).join(', ')}`,
  }),
  statuses: values(
    ticketStatuses,
    { new: 8, open: 1, pending: [6, 5], solved: 2, closed: 3 },
    'The numbers of our statuses there; the first is written, all are read',
  ).refine((all) => Object.values(all).flat().every(isNumber), {
    error: 'are numbers there: Open is 1, Solved 2, Closed 3, On hold 5, Pending 6, New 8',
  }),
  priorities: values(
    priorities,
    { low: 'low', normal: 'medium', high: 'urgent', urgent: 'extreme' },
    'What our priorities are called there',
  ),
  tags: z
    .array(z.string().regex(/^[^,]{1,50}$/, { error: 'is not a tag: at most 50 characters, no commas' }))
    .max(4)
    .default(['tributary'])
    .meta({ description: 'Tags of every ticket that is made, besides its own' }),
});
export type Config = z.output<typeof Config>;

function isField(name: string): boolean {
  return /^\d{1,15}$/.test(name) || Object.hasOwn(STANDARD, name);
}

function isNumber(value: string | number): boolean {
  return /^\d{1,9}$/.test(String(value));
}
