import { BadPayloadError } from '../../core/errors.ts';
import type { WebhookRequest } from '../../core/payload.ts';
import type { Secret } from '../../core/secret.ts';
import { hmac, matchesSignature } from '../../core/signature.ts';

/** What a notification says, by name. Empty values are left out: PHP writes what it doesn't know so. */
export type Notification = Readonly<Record<string, string | undefined>>;

/** Four times what the longest notification has. */
const MAX_PARAMETERS = 100;

/** Throws `BadPayloadError` where a name has two values: nobody knows which of them was signed. */
export function readNotification(body: Buffer): Notification {
  // Without a prototype: a parameter called `__proto__` is only a parameter.
  const found = Object.create(null) as Record<string, string>;
  let count = 0;
  for (const [name, value] of new URLSearchParams(body.toString('utf8'))) {
    if (++count > MAX_PARAMETERS) throw new BadPayloadError(`more than ${MAX_PARAMETERS} parameters`, { status: 400 });
    if ((found[name] ?? value) !== value) {
      throw new BadPayloadError('a parameter is there more than once, with different values', { status: 400 });
    }
    if (value !== '') found[name] = value;
  }
  return found;
}

const INCOMING = ['caller_id', 'called_did', 'call_start'];
const OUTGOING = ['internal', 'destination', 'call_start'];
/** What is signed of the events that are not about the stages of a call. */
const OTHERS = ['result'];

/** Which parameters are signed, one after the other: https://zadarma.com/en/support/api/#api_webhooks */
const SIGNED: ReadonlyMap<string, readonly string[]> = new Map([
  ['NOTIFY_START', INCOMING],
  ['NOTIFY_INTERNAL', INCOMING],
  ['NOTIFY_IVR', INCOMING],
  ['NOTIFY_END', INCOMING],
  ['NOTIFY_ANSWER', ['caller_id', 'destination', 'call_start']],
  ['NOTIFY_OUT_START', OUTGOING],
  ['NOTIFY_OUT_END', OUTGOING],
  ['NOTIFY_RECORD', ['pbx_call_id', 'call_id_with_rec']],
]);

/**
 * Base64 of the hexadecimal HMAC-SHA1, by the secret of the API, over some of the parameters. Refuses what is signed over
 * nothing: its signature would be the same for everything.
 */
export function verifyNotification({ headers, body }: WebhookRequest, secret: Secret): void {
  const signature = headers['signature'];
  if (signature === undefined) {
    throw new BadPayloadError('not signed: Signature is missing', {
      hint: 'It is only sent once keys of the API have been issued, under Settings, Integrations and API, Keys.',
    });
  }
  const said = readNotification(body);
  const signed = (SIGNED.get(said['event'] ?? '') ?? OTHERS).map((name) => said[name] ?? '').join('');
  if (signed === '') throw new BadPayloadError('the parameters that the signature is made of are missing');
  const expected = Buffer.from(hmac('sha1', secret.reveal(), signed).toString('hex'));
  if (matchesSignature(expected, signature, 'base64')) return;
  throw new BadPayloadError('Signature does not match', {
    hint: 'The secret is that of another key of the API, or was issued anew.',
  });
}
