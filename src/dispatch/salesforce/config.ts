import { createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { FieldMapping, values } from '../../core/field-mapping.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';
import type { Secret } from '../../core/secret.ts';
import { priorities, ticketStatuses } from '../../core/ticket.ts';

/** API names: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_case.htm */
const FIELD = /^[A-Za-z]\w{0,79}$/;
/** What every case is given anyway. */
const OWN: readonly string[] = [
  'Subject',
  'Description',
  'Status',
  'Priority',
  'ContactId',
  'SuppliedName',
  'SuppliedEmail',
  'SuppliedPhone',
];

/** An RSA key in PEM; undefined: it is none. */
export function keyOf(secret: Secret): KeyObject | undefined {
  try {
    const key = createPrivateKey(secret.reveal());
    return key.asymmetricKeyType === 'rsa' ? key : undefined;
  } catch {
    return undefined;
  }
}

export const Config = z
  .strictObject({
    apiRoot: rootAddress.meta({
      description: 'My Domain address of the organisation: https://<name>.my.salesforce.com',
    }),
    clientId: z.string().min(1).max(500).meta({ description: 'Consumer key of the external client app' }),
    clientSecret: secret('Consumer secret, for the client credentials flow').optional(),
    username: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .meta({ description: 'Instead of a consumer secret: the user that the app acts for (JWT bearer flow)' }),
    privateKey: secret('RSA private key (PEM) whose certificate the app knows, with `username`')
      .refine((key) => keyOf(key) !== undefined, { error: 'is no RSA private key in PEM' })
      .meta({
        description: 'RSA private key (PEM) whose certificate the app knows, with `username`',
        format: 'password',
        writeOnly: true,
      })
      .optional(),
    audience: rootAddress
      .default('https://login.salesforce.com')
      .meta({ description: 'Whom the JWT is for; https://test.salesforce.com for a sandbox' }),
    webhookToken: secret(
      'Secret part of the address that a flow calls; without it Salesforce is asked every 30 seconds',
    )
      .refine((token) => /^[\w-]{16,200}$/.test(token.reveal()), {
        error: 'is not 16 or more of letters, digits, _ and -',
      })
      .meta({
        description: 'Secret part of the address that a flow calls; without it Salesforce is asked every 30 seconds',
        format: 'password',
        writeOnly: true,
      })
      .optional(),
    idField: z
      .string()
      .regex(/^[A-Za-z]\w{0,70}__c$/, { error: 'is not the API name of a custom field, which ends in __c' })
      .default('Tributary_Id__c')
      .meta({ description: 'Field of cases, and one of contacts, that holds our id: text, external ID, unique' }),
    fields: FieldMapping.refine(
      (fields) => Object.keys(fields).every((name) => FIELD.test(name) && !OWN.includes(name)),
      {
        error: `name fields of cases by their API names, other than ${OWN.join(', ')}`,
      },
    ),
    statuses: values(
      ticketStatuses,
      { new: 'New', open: ['Working', 'Escalated'], pending: 'On Hold', solved: 'Closed', closed: 'Closed' },
      'What a status is called there; the first is written, all are read',
    ),
    priorities: values(
      priorities,
      { low: 'Low', normal: 'Medium', high: 'High', urgent: 'High' },
      'What a priority is called there',
    ),
  })
  .refine(({ clientSecret, username, privateKey }) => {
    const isJwt = username !== undefined && privateKey !== undefined;
    return clientSecret ? username === undefined && privateKey === undefined : isJwt;
  }, 'takes either `clientSecret`, or `username` with `privateKey`');
export type Config = z.output<typeof Config>;
