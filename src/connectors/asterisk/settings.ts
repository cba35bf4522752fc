import { z } from 'zod';
import { secret } from '../../core/secret.ts';

/** What an operator writes for an Asterisk. */

/** Nothing that could be another line of the protocol. */
const word = (description: string) =>
  z
    .string()
    .min(1)
    .max(200)
    .regex(/^[\x21-\x7e]+$/, { error: 'has blanks or other characters that do not belong there' })
    .meta({ description });

/** Names as they stand between `/` and the last `-` of a channel: PJSIP/101-0000001f. */
const names = (description: string) => z.array(word('Name of a peer')).max(1000).default([]).meta({ description });

const Records = z
  .union([
    z.strictObject({
      file: z
        .string()
        .max(200)
        // Whoever may make a channel over the API must not have any file of this machine read.
        .regex(/^\w[\w.-]*$/, { error: 'is a name without a path: link the file into the folder of this channel' })
        .meta({ description: 'A file, or a link to one, in the folder of this channel: Master.csv' }),
    }),
    z
      .strictObject({
        url: z
          .url({ protocol: /^https?$/ })
          .max(2000)
          .meta({ description: 'Address that gives it; asked with since=<seconds since 1970>' }),
        user: word('For Basic authentication').optional(),
        password: secret('For Basic authentication').optional(),
      })
      .refine(({ user, password }) => (user === undefined) === (password === undefined), {
        path: ['password'],
        error: 'goes together with user',
      }),
  ])
  .meta({ description: 'Call records (CSV with linkedid), which tell of calls while we were not connected' });
export type Records = z.output<typeof Records>;

export const Settings = z.strictObject({
  host: z
    .string()
    .max(253)
    .regex(/^[A-Za-z0-9_.:-]+$/, { error: 'is not a host: write pbx.example.com, without a scheme' })
    .meta({ description: 'Where Asterisk runs' }),
  port: z.int().min(1).max(65_535).meta({ description: 'Its port: 5038, or that of tlsbindaddr, in manager.conf' }),
  tls: z
    .strictObject({
      ca: z.string().min(1).max(100_000).optional().meta({ description: 'PEM of the authority to trust instead' }),
    })
    .optional()
    .meta({ description: 'Set (also empty: {}) where the port speaks TLS' }),
  user: word('Section of manager.conf'),
  secret: secret('Its secret').refine((value) => /^[\x21-\x7e]+$/.test(value.reveal()), {
    error: 'has blanks or other characters that manager.conf would read differently',
  }),
  extensionDigits: z
    .int()
    .min(1)
    .max(9)
    .default(5)
    .meta({ description: 'Peers whose names are numbers of up to so many digits are phones, others lead outside' }),
  phones: names('Phones of yours that are not named so'),
  trunks: names('Peers that lead outside and are named like phones'),
  records: Records.optional(),
  dialContext: word('Context in which agents dial out: from-internal').optional(),
});
export type Settings = z.output<typeof Settings>;
