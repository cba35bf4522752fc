import { z } from 'zod';
import { secret, type Secret } from '../../core/secret.ts';
import { Webhook } from './hooks/config.ts';
import { rules } from './rules.ts';

/** What an operator writes for an e-mail channel. */

const MB = 1024 * 1024;

const address = (description: string) =>
  z
    .string()
    .max(254)
    .regex(/^[^\s@<>(),;:"\\]+@[^\s@<>(),;:"\\]+$/, { error: 'is not an e-mail address' })
    .transform((text) => text.toLowerCase())
    .meta({ description });

const host = z
  .string()
  .max(253)
  .regex(/^[A-Za-z0-9_.:-]+$/, { error: 'is not a host: write mail.example.com, without a scheme' });

const port = z.int().min(1).max(65_535);

const Tls = z
  .strictObject({
    ca: z.string().min(1).max(100_000).optional().meta({ description: 'PEM of the authority to trust instead' }),
    rejectUnauthorized: z
      .literal(false)
      .optional()
      .meta({ description: 'false: any certificate will do, also that of somebody in between' }),
  })
  .meta({ description: 'Only for a server whose certificate no public authority has signed' });
export type Tls = z.output<typeof Tls>;

const OAuth2 = z.strictObject({
  clientId: z.string().min(1).max(500),
  clientSecret: secret('The client secret, if the application has one').optional(),
  refreshToken: secret('The refresh token'),
  tokenUrl: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .refine(isGuarded, { error: 'must begin with https://: it is told the refresh token' })
    .meta({ description: 'Where access tokens are made' }),
  scope: z.string().min(1).max(2000).optional(),
});
export type OAuth2 = z.output<typeof OAuth2>;

const login = {
  host,
  port: port.optional(),
  secure: z
    .boolean()
    .default(true)
    .meta({ description: 'true: TLS from the first byte; false: STARTTLS, which is required but on this machine' }),
  tls: Tls.optional(),
  password: secret('Password, or an app password').optional(),
  oauth2: OAuth2.optional().meta({ description: 'Instead of a password' }),
};

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

const Smtp = z
  .strictObject({ ...login, user: z.string().min(1).max(320).optional() })
  .refine((smtp) => smtp.password === undefined || smtp.oauth2 === undefined, {
    path: ['password'],
    error: 'give either password or oauth2',
  })
  .refine((smtp) => (smtp.user === undefined) === (smtp.password === undefined && smtp.oauth2 === undefined), {
    path: ['user'],
    error: 'goes together with password or oauth2',
  });
export type Smtp = z.output<typeof Smtp>;

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
    smtp: Smtp.optional().meta({ description: 'Sends answers; left out: the channel can’t answer' }),
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

/** The port, by default the one that belongs to the way it is protected. */
export function portOf(
  server: { readonly port?: number | undefined; readonly secure: boolean },
  kind: 'imap' | 'smtp',
) {
  const usual = kind === 'imap' ? { tls: 993, plain: 143 } : { tls: 465, plain: 587 };
  return server.port ?? (server.secure ? usual.tls : usual.plain);
}

/** What a server said, without the password that it may repeat, as it is or as it went over the line. */
export function withoutPassword(
  { user = '', password }: { readonly user?: string | undefined; readonly password?: Secret | undefined },
  text: string,
): string {
  const bare = password?.reveal();
  if (!bare) return text;
  const sent = [`\0${user}\0${bare}`, bare].map((each) => Buffer.from(each).toString('base64'));
  return [...sent, bare].reduce((rest, each) => rest.replaceAll(each, '[secret]'), text);
}

/** Whether a host is this machine: nobody stands between, so there TLS may be left out. */
export function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name);
}

/** Nobody in between can read what is sent there. */
function isGuarded(url: string): boolean {
  // That it is no address is said already.
  if (!URL.canParse(url)) return true;
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'));
}

/** TLS options of a connection to `host` through an address of it: the certificate is checked against the name. */
export function tlsOptions(server: { readonly tls?: Tls | undefined }): { ca?: string; rejectUnauthorized?: false } {
  const { ca, rejectUnauthorized } = server.tls ?? {};
  return { ...(ca !== undefined && { ca }), ...(rejectUnauthorized === false && { rejectUnauthorized }) };
}

export function usesPlusAddressing(config: Config): boolean {
  return config.plusAddressing ?? config.listen !== undefined;
}
