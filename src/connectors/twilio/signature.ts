import { BadPayloadError } from '../../core/errors.ts';
import { queryOf } from '../../core/payload.ts';
import type { WebhookRequest } from '../../core/payload.ts';
import type { Secret } from '../../core/secret.ts';
import { parametersOf } from './form.ts';

/**
 * Twilio's own check, over the address that the operator configured: what a request says of its host is a stranger's
 * word. https://www.twilio.com/docs/usage/webhooks/webhooks-security
 */
export async function openVerify(authToken: Secret, webhookUrl: string): Promise<(request: WebhookRequest) => void> {
  // The rest of the package is 8 MB of calls that we don't make.
  const { validateRequest, validateRequestWithBody } = await import('twilio/lib/webhooks/webhooks.js');
  return (request) => {
    const signature = request.headers['x-twilio-signature'];
    if (signature === undefined) throw new BadPayloadError('not signed: X-Twilio-Signature is missing');
    const start = request.url.indexOf('?');
    const url = start < 0 ? webhookUrl : `${webhookUrl}${request.url.slice(start)}`;
    // A body that is no form is signed by its hash, which stands in the address.
    const isValid = queryOf(request).has('bodySHA256')
      ? validateRequestWithBody(authToken.reveal(), signature, url, request.body.toString('utf8'))
      : validateRequest(authToken.reveal(), signature, url, parametersOf(request.body));
    if (isValid) return;
    throw new BadPayloadError('X-Twilio-Signature does not match', {
      hint: `The Auth Token differs, or Twilio calls another address than ${webhookUrl}: set PUBLIC_URL to what it calls.`,
    });
  };
}

/** Whether Twilio can call an address. It refuses what names one that it can't (21609). */
export function isPublic(webhookUrl: string): boolean {
  const { hostname } = new URL(webhookUrl);
  return !/^(localhost|127\.|\[|0\.0\.0\.0$)/.test(hostname);
}
