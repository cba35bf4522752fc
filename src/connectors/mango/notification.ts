import { createHash } from 'node:crypto';
import { BadPayloadError } from '../../core/errors.ts';
import type { WebhookRequest } from '../../core/payload.ts';
import { equalSecrets } from '../../core/secret.ts';
import type { Secret } from '../../core/secret.ts';
import { matchesSignature } from '../../core/signature.ts';

/** Whose PBX it is, and what both sides sign with. */
export interface Account {
  readonly key: string;
  readonly salt: Secret;
}

/** Of what is sent either way: SHA-256 of the key, the JSON as it stands, and the salt. API Mango Office 1.9, 2.4.3 */
export function signatureOf(json: string, { key, salt }: Account): Buffer {
  return createHash('sha256').update(key).update(json).update(salt.reveal()).digest();
}

/** The three parameters of a notification. Throws where one is missing or has two values: nobody knows which was signed. */
function readForm(body: Buffer): { readonly key: string; readonly sign: string; readonly json: string } {
  const form = new URLSearchParams(body.toString('utf8'));
  const [key, sign, json] = ['vpbx_api_key', 'sign', 'json'].map((name) => {
    const [value, ...others] = form.getAll(name);
    if (others.length > 0) throw new BadPayloadError(`${name} is there more than once`, { status: 400 });
    return value;
  });
  if (key !== undefined && sign !== undefined && json !== undefined) return { key, sign, json };
  throw new BadPayloadError('not signed: vpbx_api_key, sign or json is missing', {
    hint: 'The check of the connection in the cabinet is not signed: it is refused, and calls come all the same.',
  });
}

export function verifyNotification({ body }: WebhookRequest, account: Account): void {
  const { key, sign, json } = readForm(body);
  if (!equalSecrets(key, account.key)) {
    throw new BadPayloadError('vpbx_api_key is that of another PBX', {
      hint: 'Compare key with Integrations, API connector in the cabinet.',
    });
  }
  if (matchesSignature(signatureOf(json, account), sign, 'hex')) return;
  throw new BadPayloadError('sign does not match', {
    hint: 'Compare salt with Integrations, API connector in the cabinet.',
  });
}

/** What a notification says, as JSON. */
export function jsonIn(body: Buffer): Buffer {
  return Buffer.from(readForm(body).json);
}
