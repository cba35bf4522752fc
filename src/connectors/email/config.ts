import { z } from 'zod';
import { host, login, mailbox as address, SmtpServer } from '../../core/mail-server.ts';
import { secret } from '../../core/secret.ts';
import { Webhook } from './hooks/config.ts';
import { rules } from './rules.ts';

/** What an operator writes for an e-mail channel. */

const MB = 1024 * 1024;

const Imap = z
  .strictObject({
    ...login,
    user: z.string().min(1).max(320),
    folders: z
      .array(z.string().min(1).max(500))
      .min(1)
      .max(50)
      .default(['INBOX'])
      .meta({ description: 'What is read; the first one is watched most closely' }),
    connections: z
      .int()
      .min(1)
      .max(100)
      .default(3)
      .meta({ description: 'Most connections to this host, together with the other channels on it' }),
    pollSeconds: z
      .int()
      .min(5)
      .max(1500)
      .default(60)
      .meta({ description: 'How often each folder is looked at, also where the server announces new mail' }),
    since: z
      .union([z.iso.date(), z.iso.datetime({ offset: true })], { error: 'is not a date such as 2026-01-31' })
      .transform((text) => Date.parse(text))
      .optional()
      .meta({ description: 'Mail since that day is read too; from the first start on when left out' }),
    maxBytes: z
      .int()
      .min(256 * 1024)
      .max(100 * MB)
      .default(40 * MB)
      .meta({ description: 'Largest mail that is read whole, bytes; of a larger one only the beginning' }),
  })
  .refine((imap) => (imap.password === undefined) !== (imap.oauth2 === undefined), {
    path: ['password'],
    error: 'give either password or oauth2',
  });
export type Imap = z.output<typeof Imap>;

const Listen = z.strictObject({
  host: host.default('127.0.0.1').meta({ description: 'Where it listens. 0.0.0.0: on every network' }),
  port: z.int().min(0).max(65_535).default(2525),
  maxBytes: z
    .int()
    .min(64 * 1024)
    .max(100 * MB)
    .default(40 * MB)
    .meta({ description: 'Largest mail that is accepted, bytes' }),
  tls: z
    .strictObject({
      cert: z.string().min(1).max(100_000).meta({ description: 'Certificate and its chain, PEM' }),
      key: secret('Private key, PEM'),
    })
    .optional()
    .meta({ description: 'Offers STARTTLS' }),
});
export type Listen = z.output<typeof Listen>;

export const Config = z
  .strictObject({
    address: address('The mailbox: From of answers'),
    fromName: z.string().min(1).max(200).optional().meta({ description: 'What stands before the address in answers' }),
    aliases: z
      .array(address('Another address of yours'))
      .max(100)
      .default([])
      .meta({ description: 'Your other addresses: never customers' }),
    imap: Imap.optional().meta({ description: 'Reads a mailbox' }),
    listen: Listen.optional().meta({ description: 'Takes mail by SMTP itself, instead of imap' }),
    webhook: Webhook.optional().meta({ description: 'Takes mail that a provider pushes, instead of imap' }),
    smtp: SmtpServer.optional().meta({ description: 'Sends answers; left out: the channel can’t answer' }),
    ...rules,
    plusAddressing: z
      .boolean()
      .optional()
      .meta({ description: 'Answers ask to be answered at address+ticket.proof; true with listen, else false' }),
  })
  .refine(({ imap, listen, webhook }) => [imap, listen, webhook].filter((way) => way !== undefined).length === 1, {
    path: ['imap'],
    error: 'give one of imap, listen and webhook',
  })
  .refine(({ portals, authServer }) => portals.length === 0 || authServer !== undefined, {
    path: ['authServer'],
    error: 'is needed for portals: only what your mail server proves to be a portal’s is read as one',
  });
export type Config = z.output<typeof Config>;

export function usesPlusAddressing(config: Config): boolean {
  return config.plusAddressing ?? config.listen !== undefined;
}
