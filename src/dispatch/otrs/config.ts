import { z } from 'zod';
import { FieldMapping, PendingMinutes, values } from '../../core/field-mapping.ts';
import { isTimeZone } from '../../core/local-time.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';
import { priorities, ticketStatuses } from '../../core/ticket.ts';

/** Attributes of a ticket that can be filled besides dynamic fields. */
export const STANDARD: ReadonlySet<string> = new Set([
  'Queue',
  'Type',
  'Service',
  'SLA',
  'Owner',
  'Responsible',
  'CustomerID',
]);

const DYNAMIC = /^[A-Za-z0-9]{1,200}$/;
/** Perl's MIME::Base64 breaks lines behind 57 bytes: a longer pair makes a header of two lines. */
const LONGEST_BASIC = 57;

export const Config = z.strictObject({
  apiRoot: rootAddress.meta({
    description:
      'Address of the web service: https://desk.example.com/znuny/nph-genericinterface.pl/Webservice/Tributary',
  }),
  user: z
    .string()
    .min(1)
    .max(200)
    .meta({ description: 'Login of the agent whom the gateway works as, and nobody else' }),
  password: secret('Password of that agent'),
  queue: z
    .string()
    .min(1)
    .max(200)
    .meta({ description: 'The queue that tickets are made in, with its parents: Support::Web' }),
  customerUser: z
    .string()
    .min(1)
    .max(200)
    .meta({ description: 'Login of a customer user for those whose address nobody vouches for' }),
  idField: z
    .string()
    .regex(DYNAMIC, { error: 'is letters and digits' })
    .default('TributaryId')
    .meta({ description: 'Dynamic field of tickets that holds our ticket’s id: how a ticket is found again' }),
  webhook: z
    .strictObject({
      user: z.string().regex(/^[^:]{1,56}$/, { error: 'has no colon, and at most 56 characters' }),
      password: secret('Password that the invoker sends'),
    })
    .refine(({ user, password }) => Buffer.byteLength(`${user}:${password.reveal()}`) <= LONGEST_BASIC, {
      error: `is longer than ${LONGEST_BASIC} bytes with its colon, which these help desks send broken in two`,
    })
    .optional()
    .meta({ description: 'HTTP Basic of the invoker; without it the help desk is asked every 15 seconds' }),
  timeZone: z
    .string()
    .refine(isTimeZone, { error: 'is no time zone: Europe/Berlin, UTC' })
    .default('UTC')
    .meta({ description: 'OTRSTimeZone there (OTOBOTimeZone): its times say none' }),
  pendingMinutes: PendingMinutes,
  maxAttachmentBytes: z
    .number()
    .int()
    .min(0)
    .max(60_000_000)
    .default(20_000_000)
    .meta({ description: 'All files of one message together; the web service takes requests of 100 MB' }),
  fields: FieldMapping.refine((fields) => Object.keys(fields).every((name) => DYNAMIC.test(name)), {
    error: `name fields by the name of a dynamic field, or one of ${[...STANDARD].join(', ')}`,
  }),
  statuses: values(
    ticketStatuses,
    {
      new: 'new',
      open: 'open',
      pending: ['pending reminder', 'pending auto close+', 'pending auto close-'],
      solved: 'closed successful',
      closed: ['closed successful', 'closed unsuccessful', 'closed with workaround'],
    },
    'What a status is called there; the first is written, all are read',
  ),
  priorities: values(
    priorities,
    { low: ['2 low', '1 very low'], normal: '3 normal', high: '4 high', urgent: '5 very high' },
    'What a priority is called there',
  ),
});
export type Config = z.output<typeof Config>;
