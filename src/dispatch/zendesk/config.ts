import { z } from 'zod';
import { FieldMapping, values } from '../../core/field-mapping.ts';
import { equalSecrets, secret } from '../../core/secret.ts';
import { priorities, ticketStatuses } from '../../core/ticket.ts';

/** Fields of a ticket that can be filled besides custom ones, and whether they take a number. */
export const STANDARD: Readonly<Record<string, 'number' | 'text'>> = {
  brand_id: 'number',
  group_id: 'number',
  organization_id: 'number',
  ticket_form_id: 'number',
  recipient: 'text',
  type: 'text',
};

/** Zendesk signs the test of a webhook that isn't saved yet with this one, for everybody; from its page on verifying. */
const EVERYBODYS = 'dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==';

export const Config = z.strictObject({
  subdomain: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { error: 'is not the first part of <subdomain>.zendesk.com' })
    .meta({ description: 'acme, where your Zendesk is acme.zendesk.com' }),
  apiRoot: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .optional()
    .meta({ description: 'Another address of the API; https://<subdomain>.zendesk.com when left out' }),
  auth: z
    .discriminatedUnion('type', [
      z.strictObject({
        type: z.literal('token'),
        email: z.email().meta({ description: 'The agent whom the token acts as' }),
        token: secret('API token; Admin Center → Apps and integrations → APIs'),
      }),
      z.strictObject({
        type: z.literal('oauth'),
        accessToken: secret('Access token of an OAuth client, with the scopes read and write'),
      }),
    ])
    .meta({ description: 'How it signs in' }),
  webhookSecret: secret('Signing secret of the webhook')
    .refine((value) => !equalSecrets(value.reveal(), EVERYBODYS), {
      error: 'is the secret that Zendesk tests with, which everybody knows',
      params: { remedy: 'Save the webhook in Zendesk, then choose Reveal secret.' },
    })
    .meta({
      description: 'Signing secret of the webhook; without it Zendesk is asked every 15 seconds',
      format: 'password',
      writeOnly: true,
    })
    .optional(),
  fields: FieldMapping.refine((fields) => Object.keys(fields).every(isField), {
    error: `name fields by the number of a custom field, or one of ${Object.keys(STANDARD).join(', ')}`,
  }),
  statuses: values(
    ticketStatuses,
    { new: 'new', open: 'open', pending: ['pending', 'hold'], solved: 'solved', closed: ['solved', 'closed'] },
    'What a status is called there; the first is written, all are read',
  ),
  priorities: values(
    priorities,
    { low: 'low', normal: 'normal', high: 'high', urgent: 'urgent' },
    'What a priority is called there',
  ),
  tags: z
    .array(z.string().regex(/^[^\s,]{1,80}$/, { error: 'is not a tag: no spaces, no commas' }))
    .max(20)
    .default(['tributary'])
    .meta({ description: 'Tags of every ticket that is made, besides its own' }),
});
export type Config = z.output<typeof Config>;

function isField(name: string): boolean {
  return /^\d{1,15}$/.test(name) || Object.hasOwn(STANDARD, name);
}
