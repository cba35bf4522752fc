import { z } from 'zod';
import { BadPayloadError } from '../../core/errors.ts';
import type { WebhookRequest } from '../../core/payload.ts';
import { equalSecrets, secret } from '../../core/secret.ts';
import type { Secret } from '../../core/secret.ts';
import {
  hmac,
  matchesBasic,
  matchesBearer,
  matchesSignature,
  TOLERANCE_MS,
  verifyStandardWebhook,
} from '../../core/signature.ts';
import { readTime } from './time.ts';

/** What people leave in a file that they copied. */
const PLACEHOLDER = /change.?me|your.?(secret|token|key|password)|\.\.\.|…/i;
const HEX = '`openssl rand -hex 24` makes one';
const REMEDY = '`npx tributary sign --new-secret` makes a strong one';

/** Whether a secret can stand in an address. */
export function isAddressPart(value: Secret): boolean {
  return /^[A-Za-z0-9_-]{22,200}$/.test(value.reveal());
}

export const strong = (description: string) =>
  secret(description)
    .refine((value) => value.reveal().length >= 16, { error: `is shorter than 16 characters: ${REMEDY}` })
    .refine((value) => !PLACEHOLDER.test(value.reveal()), { error: `is a placeholder: ${REMEDY}` })
    .meta({ description, format: 'password', writeOnly: true });

/** A Standard Webhooks secret: base64 of at least 16 bytes, with or without `whsec_`. */
export const standardSecret = (description: string) =>
  strong(description)
    .refine((value) => /^[A-Za-z0-9+/_-]{22,}={0,2}$/.test(value.reveal().replace(/^whsec_/, '')), {
      error: `is not whsec_ and base64 of at least 16 bytes: ${REMEDY}`,
    })
    .meta({ description, format: 'password', writeOnly: true });

const header = (description: string) =>
  z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,100}$/, { error: 'is not the name of a header' })
    .transform((name) => name.toLowerCase())
    .meta({ description });

const StandardWebhooks = z.strictObject({
  type: z.literal('standard_webhooks'),
  secret: standardSecret('Signing secret, whsec_…'),
  previousSecret: standardSecret('The secret before the last rotation, still accepted').optional(),
});

const Hmac = z
  .strictObject({
    type: z.literal('hmac'),
    secret: strong('Signing secret'),
    previousSecret: strong('The secret before the last rotation, still accepted').optional(),
    header: header('Header that carries the signature'),
    algorithm: z.enum(['sha1', 'sha256', 'sha512']).default('sha256'),
    encoding: z.enum(['hex', 'base64']).default('hex'),
    prefix: z.string().max(50).default('').meta({ description: 'What stands before the signature, such as sha256=' }),
    template: z.string().max(500).default('{body}').meta({ description: 'What is signed: {body}, {timestamp}, {url}' }),
    timestampHeader: header('Header that carries the time of signing').optional(),
  })
  .refine((auth) => auth.template.split('{body}').length === 2, {
    path: ['template'],
    error: 'must contain {body} once',
  })
  .refine((auth) => auth.template.includes('{timestamp}') === (auth.timestampHeader !== undefined), {
    path: ['timestampHeader'],
    // A time that isn't signed proves nothing: anybody who replays the request can write a new one.
    error: 'goes together with {timestamp} in template',
  });

const Basic = z.strictObject({
  type: z.literal('basic'),
  user: z
    .string()
    .min(1)
    .max(200)
    .regex(/^[^:]*$/, { error: 'must not contain a colon' }),
  password: strong('Password'),
});

const Bearer = z.strictObject({ type: z.literal('bearer'), token: strong('Token of the Authorization header') });

const ApiKey = z.strictObject({
  type: z.literal('api_key'),
  header: header('Header that carries the key'),
  key: strong('Key'),
});

const Token = z.strictObject({
  type: z.literal('token'),
  token: strong('Secret part of the address: the sender calls <PUBLIC_URL>/webhooks/<id>/<token>').refine(
    isAddressPart,
    { error: `is none of 22 to 200 letters, digits, _ and -: ${HEX}` },
  ),
});

/** How the sender proves who he is. There is no way to switch it off. */
export const Auth = z.discriminatedUnion('type', [StandardWebhooks, Hmac, Basic, Bearer, ApiKey, Token]);
export type Auth = z.output<typeof Auth>;
type Hmac = z.output<typeof Hmac>;

/**
 * Throws `BadPayloadError` unless the request proves its sender. `webhookUrl` is the address as
 * configured: what the request says about its own host and scheme is never used.
 */
export function authenticate(auth: Auth, request: WebhookRequest, now: number, webhookUrl: string): void {
  switch (auth.type) {
    case 'standard_webhooks':
      return verifyStandardWebhook(secretsOf(auth), request, now);
    case 'hmac':
      return verifyHmac(auth, request, now, webhookUrl);
    case 'basic':
      return demand(
        matchesBasic(request.headers['authorization'], auth.user, auth.password.reveal()),
        'user or password is wrong or missing',
      );
    case 'bearer':
      return demand(
        matchesBearer(request.headers['authorization'], auth.token.reveal()),
        'the bearer token is wrong or missing',
      );
    case 'token':
      // The host has compared it.
      return;
    case 'api_key':
      return demand(
        equalSecrets(request.headers[auth.header] ?? '', auth.key.reveal()),
        `the key in ${auth.header} is wrong or missing`,
      );
  }
}

function verifyHmac(auth: Hmac, request: WebhookRequest, now: number, webhookUrl: string): void {
  const given = request.headers[auth.header];
  if (!given) throw new BadPayloadError(`not signed: ${auth.header} is missing`);
  if (!given.startsWith(auth.prefix)) throw new BadPayloadError(`${auth.header} does not begin with ${auth.prefix}`);
  const timestamp = auth.timestampHeader ? timestampOf(request, auth.timestampHeader, now) : '';
  const fill = (part = '') => part.replaceAll('{timestamp}', () => timestamp).replaceAll('{url}', () => webhookUrl);
  const [before, after] = auth.template.split('{body}');
  for (const value of secretsOf(auth)) {
    const expected = hmac(auth.algorithm, value, fill(before), request.body, fill(after));
    if (matchesSignature(expected, given.slice(auth.prefix.length), auth.encoding)) return;
  }
  throw new BadPayloadError(`${auth.header} does not match the body`, {
    hint: 'Compare secret, algorithm, encoding, prefix and template with the sender; the body must arrive unchanged.',
  });
}

/** The time of signing as it was sent, once it has proved to be within five minutes of ours. */
function timestampOf(request: WebhookRequest, name: string, now: number): string {
  const given = request.headers[name] ?? '';
  const time = readTime(given);
  if (time === undefined) throw new BadPayloadError(`${name} is missing or not a time`);
  if (Math.abs(now - time) > TOLERANCE_MS) {
    throw new BadPayloadError(`${name} is more than five minutes off`, {
      hint: 'Compare the clocks of both machines (`tributary doctor` shows ours).',
    });
  }
  return given;
}

function secretsOf(auth: { readonly secret: Secret; readonly previousSecret?: Secret | undefined }): string[] {
  return [auth.secret, auth.previousSecret].flatMap((value) => (value ? [value.reveal()] : []));
}

/** Refuses when a check failed. */
function demand(passed: unknown, text: string): void {
  if (!passed) throw new BadPayloadError(text);
}
