import { BadPayloadError } from './errors.ts';
import { queryOf } from './payload.ts';
import type { HttpAnswer, WebhookRequest } from './payload.ts';
import { equalSecrets } from './secret.ts';
import type { Secret } from './secret.ts';
import { hmac, matchesSignature } from './signature.ts';

/** Webhooks of Meta: https://developers.facebook.com/docs/graph-api/webhooks/getting-started */

/** Throws `BadPayloadError` unless `X-Hub-Signature-256` was made over the body with the app's secret. */
export function verifyHub(appSecret: Secret, { headers, body }: WebhookRequest): void {
  const given = headers['x-hub-signature-256'] ?? '';
  const expected = hmac('sha256', appSecret.reveal(), body);
  if (given.startsWith('sha256=') && matchesSignature(expected, given.slice('sha256='.length), 'hex')) return;
  throw new BadPayloadError('X-Hub-Signature-256 is missing or does not fit the body', {
    hint: 'If it was Meta: `appSecret` is that of another app, or was reset.',
  });
}

/** Meta asks once, when the address is entered, whether it is ours. */
export function challengeHub(verifyToken: Secret, request: WebhookRequest): HttpAnswer {
  const query = queryOf(request);
  const only = (name: string) => (query.getAll(name).length === 1 ? (query.get(name) ?? '') : '');
  const echo = only('hub.challenge');
  const isOurs = only('hub.mode') === 'subscribe' && equalSecrets(only('hub.verify_token'), verifyToken.reveal());
  // Whatever is sent back stands on our address: words that mean nothing to a browser.
  if (!isOurs || !/^[\w-]{1,256}$/.test(echo)) return { status: 403 };
  return { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: echo };
}
