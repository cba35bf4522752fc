import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import type { Webhook } from '../../core/connector.ts';
import type { Clock } from '../../core/clock.ts';
import { ignored } from '../../core/envelope.ts';
import { BadPayloadError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import type { Secret } from '../../core/secret.ts';
import { hmac, matchesSignature, TOLERANCE_MS } from '../../core/signature.ts';
import { isOurs } from './poll.ts';

/** https://developer.zendesk.com/documentation/webhooks/verifying/ */
export function createWebhook(secret: Secret, clock: Clock): Webhook {
  return {
    verify({ headers, body }) {
      const signature = headers['x-zendesk-webhook-signature'];
      const timestamp = headers['x-zendesk-webhook-signature-timestamp'];
      if (!signature || !timestamp) throw new BadPayloadError('not signed by Zendesk');
      if (!matchesSignature(hmac('sha256', secret.reveal(), timestamp, body), signature, 'base64')) {
        throw new BadPayloadError('x-zendesk-webhook-signature does not match the body', {
          hint: 'Compare `webhookSecret` with what Zendesk shows at this webhook under Reveal secret.',
        });
      }
      const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(timestamp) ? Date.parse(timestamp) : NaN;
      if (!(Math.abs(clock.now() - at) <= TOLERANCE_MS)) {
        throw new BadPayloadError('x-zendesk-webhook-signature-timestamp is more than five minutes off', {
          hint: 'Compare the clocks of both machines (`tributary doctor` shows ours).',
        });
      }
    },
  };
}

const Notice = z.object({ type: z.string().optional(), detail: z.object({ external_id: z.string().nullish() }) });

/**
 * What is pushed says too little (files come apart from their comment, and who changed a status isn't certain), so it
 * only says that there is something to be fetched.
 * https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/
 */
export function toWake(body: Buffer): ActionInput {
  const notice = Notice.safeParse(jsonOf(body));
  if (!notice.success || isOurs(notice.data.detail.external_id)) return { kind: 'wake' };
  return ignored(notice.data.type ?? 'a ticket', 'not a ticket of ours') as ActionInput;
}
