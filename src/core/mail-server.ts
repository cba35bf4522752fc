import { z } from 'zod';
import { secret, type Secret } from './secret.ts';

/** What an operator writes about mail servers: for the channel that reads and answers, and for the destination that sends. */

export const mailbox = (description: string) =>
  z
    .string()
    .max(254)
    .regex(/^[^\s@<>(),;:"\\]+@[^\s@<>(),;:"\\]+$/, { error: 'is not an e-mail address' })
    .transform((text) => text.toLowerCase())
    .meta({ description });

export const host = z
  .string()
  .max(253)
  .regex(/^[A-Za-z0-9_.:-]+$/, { error: 'is not a host: write mail.example.com, without a scheme' });

export const port = z.int().min(1).max(65_535);

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

export const OAuth2 = z.strictObject({
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

export const login = {
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

export const SmtpServer = z
  .strictObject({ ...login, user: z.string().min(1).max(320).optional() })
  .refine((smtp) => smtp.password === undefined || smtp.oauth2 === undefined, {
    path: ['password'],
    error: 'give either password or oauth2',
  })
  .refine((smtp) => (smtp.user === undefined) === (smtp.password === undefined && smtp.oauth2 === undefined), {
    path: ['user'],
    error: 'goes together with password or oauth2',
  });
export type SmtpServer = z.output<typeof SmtpServer>;

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
