import { z } from 'zod';
import { FieldMapping, values } from '../../core/field-mapping.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';
import { priorities, ticketStatuses } from '../../core/ticket.ts';

const PROPERTY = /^[a-z][a-z0-9_]{0,99}$/;
/** What every ticket is given anyway. */
const OWN: readonly string[] = ['subject', 'content', 'hs_pipeline', 'hs_pipeline_stage', 'hs_ticket_priority'];

export const Config = z.strictObject({
  accessToken: secret('Access token of a private app'),
  clientSecret: secret('Client secret of the private app, which its webhooks are signed with')
    .meta({
      description: 'Client secret of the private app; without it HubSpot is asked every 15 seconds',
      format: 'password',
      writeOnly: true,
    })
    .optional(),
  apiRoot: rootAddress.default('https://api.hubapi.com').meta({ description: 'Address of a proxy or stand-in' }),
  pipeline: z
    .string()
    .regex(/^[\w-]{1,100}$/, { error: 'is the id of a pipeline, not its name' })
    .default('0')
    .meta({ description: 'Id of the pipeline that tickets are made in; 0 is the one that every account has' }),
  idProperty: z
    .string()
    .regex(PROPERTY, { error: 'is small letters, digits and _' })
    .default('tributary_id')
    .meta({ description: 'Property of tickets, and one of contacts, that holds our id; its values must be unique' }),
  answerMark: z
    .string()
    .trim()
    .min(1)
    .max(50)
    .default('>>')
    .meta({ description: 'A note that begins with it is an answer, and goes to the customer' }),
  fields: FieldMapping.refine((fields) => Object.keys(fields).every(isField), {
    error: `name properties of tickets by their internal names, other than ${OWN.join(', ')}`,
  }),
  statuses: values(
    ticketStatuses,
    { new: '1', open: '3', pending: '2', solved: '4', closed: '4' },
    'Ids of the stages of the pipeline; the first is written, all are read',
  ),
  priorities: values(
    priorities,
    { low: 'LOW', normal: 'MEDIUM', high: 'HIGH', urgent: 'URGENT' },
    'What a priority is called there',
  ),
});
export type Config = z.output<typeof Config>;

function isField(name: string): boolean {
  return PROPERTY.test(name) && !OWN.includes(name);
}
