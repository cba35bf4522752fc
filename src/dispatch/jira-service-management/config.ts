import { z } from 'zod';
import { FieldMapping, values } from '../../core/field-mapping.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';
import { priorities, ticketStatuses } from '../../core/ticket.ts';

/** `customfield_10050`, or where in it the value goes: `customfield_10050.value`, `components.name`. */
const FIELD = /^([a-z][A-Za-z0-9_]{0,99})(?:\.(id|name|value|accountId|number))?$/;
/** What every request is given anyway. */
const OWN: readonly string[] = ['summary', 'description', 'labels', 'priority', 'reporter'];
const number = z.string().regex(/^\d{1,18}$/, { error: 'is a number' });

export const Config = z.strictObject({
  apiRoot: rootAddress.meta({ description: 'Your site: https://acme.atlassian.net' }),
  email: z.email().meta({ description: 'The account that the gateway works as, and nobody else' }),
  apiToken: secret('API token of that account'),
  projectKey: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]{1,99}$/, { error: 'is the key of a project: what stands before the number of an issue' })
    .meta({ description: 'Key of the service project: SUP, where requests are SUP-1, SUP-2 …' }),
  serviceDeskId: number.meta({ description: 'Number of the service desk of that project' }),
  requestTypeId: number.meta({ description: 'Number of the request type that requests are raised as' }),
  webhookSecret: secret('Secret of the webhook')
    .meta({
      description: 'Secret of the webhook; without it Jira is asked every 15 seconds',
      format: 'password',
      writeOnly: true,
    })
    .optional(),
  fields: FieldMapping.refine((fields) => Object.keys(fields).every(isField), {
    error: `name fields by their ids (customfield_10050, customfield_10050.value), other than ${OWN.join(', ')}`,
  }),
  statuses: values(
    ticketStatuses,
    {
      new: 'Waiting for support',
      open: ['In progress', 'Waiting for support', 'Open', 'Escalated', 'Work in progress', 'Reopened'],
      pending: ['Waiting for customer', 'Pending'],
      solved: 'Resolved',
      closed: ['Closed', 'Resolved', 'Canceled', 'Done'],
    },
    'Names of statuses there; the first is written, all are read',
  ),
  priorities: values(
    priorities,
    { low: ['Low', 'Lowest'], normal: 'Medium', high: 'High', urgent: 'Highest' },
    'Names of priorities there',
  ),
  labels: z
    .array(z.string().regex(/^\S{1,200}$/, { error: 'is not a label: no spaces' }))
    .max(20)
    .default(['tributary'])
    .meta({ description: 'Labels of every request, besides the tags of its ticket' }),
});
export type Config = z.output<typeof Config>;

function isField(name: string): boolean {
  const field = FIELD.exec(name)?.[1];
  return field !== undefined && !OWN.includes(field);
}

/** The field, and where in it the value goes. */
export function placeOf(name: string): { readonly field: string; readonly part: string | undefined } {
  const [field = name, part] = name.split('.');
  return { field, part };
}
