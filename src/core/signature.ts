import { createHmac, timingSafeEqual } from 'node:crypto';
import { BadPayloadError } from './errors.ts';
import { equalSecrets } from './secret.ts';

export type HmacAlgorithm = 'sha1' | 'sha256' | 'sha512';
export type SignatureEncoding = 'hex' | 'base64';

/** HMAC over the parts as they stand, one after the other. */
export function hmac(algorithm: HmacAlgorithm, key: string | Buffer, ...parts: readonly (string | Buffer)[]): Buffer {
  const mac = createHmac(algorithm, key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/**
 * Compares a signature as received with the right one, in constant time. Strict on the encoding:
 * upper-case hex, missing padding or a stray newline is another signature. Never throws.
 */
export function matchesSignature(expected: Buffer, given: string, encoding: SignatureEncoding): boolean {
  if (given.length > 1024) return false;
  const text = expected.toString(encoding);
  const a = Buffer.from(text, 'utf8');
  const b = Buffer.from(given, 'utf8');
  return a.length === b.length && timingSafeEqual(a, b);
}

/** How far a timestamp may be from our clock, milliseconds, either way (Standard Webhooks: five minutes). */
export const TOLERANCE_MS = 5 * 60_000;

export interface SignedHeaders {
  readonly 'webhook-id': string;
  readonly 'webhook-timestamp': string;
  readonly 'webhook-signature': string;
}

/**
 * Signs a body by the Standard Webhooks specification, scheme v1: base64 of HMAC-SHA256 over
 * `id.timestamp.body`. Several secrets give several signatures, so that a receiver can rotate.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function signStandardWebhook(
  secrets: readonly string[],
  message: { readonly id: string; readonly timestampSec: number; readonly body: string | Buffer },
): SignedHeaders {
  const head = `${message.id}.${message.timestampSec}.`;
  const sign = (value: string) => `v1,${hmac('sha256', keyOf(value), head, message.body).toString('base64')}`;
  return {
    'webhook-id': message.id,
    'webhook-timestamp': String(message.timestampSec),
    'webhook-signature': secrets.map(sign).join(' '),
  };
}

/** Checks a body signed by the Standard Webhooks specification. Throws `BadPayloadError` that says which part differs. */
export function verifyStandardWebhook(
  secrets: readonly string[],
  request: { readonly headers: Readonly<Record<string, string>>; readonly body: Buffer },
  now: number,
): void {
  const id = request.headers['webhook-id'];
  const timestamp = request.headers['webhook-timestamp'];
  const signatures = request.headers['webhook-signature'];
  if (!id || !timestamp || !signatures) {
    throw new BadPayloadError('not signed: webhook-id, webhook-timestamp or webhook-signature is missing');
  }
  // The id stands before the first dot of what is signed; one with a dot could be read two ways.
  if (id.length > 256 || id.includes('.')) throw new BadPayloadError('webhook-id is too long or contains a dot');
  if (!/^\d{1,11}$/.test(timestamp)) throw new BadPayloadError('webhook-timestamp is not a whole number of seconds');
  if (Math.abs(now - Number(timestamp) * 1000) > TOLERANCE_MS) {
    throw new BadPayloadError('webhook-timestamp is more than five minutes off', {
      hint: 'Compare the clocks of both machines (`tributary doctor` shows ours).',
    });
  }
  if (signatures.length > 4096) throw new BadPayloadError('webhook-signature is too long');
  const given = signatures.split(' ').filter((part) => part.startsWith('v1,'));
  for (const value of secrets) {
    const expected = hmac('sha256', keyOf(value), `${id}.${timestamp}.`, request.body);
    if (given.some((part) => matchesSignature(expected, part.slice(3), 'base64'))) return;
  }
  throw new BadPayloadError('webhook-signature does not match the body', {
    hint: 'The secrets differ, or something between sender and gateway changed the body.',
  });
}

/** The key inside a Standard Webhooks secret: base64 after the optional `whsec_`. */
function keyOf(value: string): Buffer {
  return Buffer.from(value.replace(/^whsec_/, ''), 'base64');
}

/** Checks `Authorization: Basic …` against a user and a password. Never throws. */
export function matchesBasic(header: string | undefined, user: string, password: string): boolean {
  const given = /^basic ([A-Za-z0-9+/]+={0,2})$/i.exec(header ?? '')?.[1] ?? '';
  return equalSecrets(Buffer.from(given, 'base64'), `${user}:${password}`);
}

/** Checks `Authorization: Bearer …` against a token. Never throws. */
export function matchesBearer(header: string | undefined, token: string): boolean {
  const given = /^bearer (\S{1,4096})$/i.exec(header ?? '')?.[1] ?? '';
  return equalSecrets(given, token);
}

/** 128 bits as 26 characters of 0-9 and a-v, for mail addresses: their case doesn't survive everywhere. */
export function shortProof(key: Buffer, text: string): string {
  const bits = hmac('sha256', key, text).toString('hex', 0, 16);
  return BigInt(`0x${bits}`).toString(32).padStart(26, '0');
}
