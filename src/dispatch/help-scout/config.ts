import { z } from 'zod';
import { FieldMapping, values } from '../../core/field-mapping.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';

/** No conversation is new there. */
export const theirStatuses = ['open', 'pending', 'solved', 'closed'] as const;

export const Config = z.strictObject({
  appId: z.string().min(1).max(200).meta({ description: 'App ID of the OAuth2 application; Your Profile → My apps' }),
  appSecret: secret('App Secret of the same'),
  apiRoot: rootAddress.default('https://api.helpscout.net').meta({ description: 'Another address of the API' }),
  mailbox: z
    .number()
    .int()
    .positive()
    .meta({ description: 'The inbox that conversations are made in: the number in its address' }),
  addressDomain: z
    .string()
    .regex(/^(?=.{3,200}$)[a-z0-9-]+(\.[a-z0-9-]+)+$/, { error: 'is not a domain, such as customers.example.com' })
    .meta({
      description: 'A domain of yours that no mail reaches: customers are known there as <our id>@<domain>',
    }),
  webhookSecret: secret('Secret key of the webhook; without it Help Scout is asked every 15 seconds').optional(),
  fields: FieldMapping.refine((fields) => Object.keys(fields).every((name) => /^(\d{1,15}|assignTo)$/.test(name)), {
    error: 'name fields by the number of a custom field, or assignTo',
  }),
  statuses: values(
    theirStatuses,
    { open: 'active', pending: 'pending', solved: 'closed', closed: 'closed' },
    'What a status is called there; the first is written, all are read',
  ),
  tag: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, { error: 'is not a tag of small letters, digits and -' })
    .default('tributary')
    .meta({ description: 'Tag of every conversation that is made: only those are asked for' }),
});
export type Config = z.output<typeof Config>;
