import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import type { Clock } from '../../core/clock.ts';
import type { Webhook } from '../../core/connector.ts';
import { ignored } from '../../core/envelope.ts';
import { BadPayloadError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import type { Secret } from '../../core/secret.ts';
import { hmac, matchesSignature, TOLERANCE_MS } from '../../core/signature.ts';

/** Types of objects by number: tickets and notes. */
const WATCHED: readonly (string | null | undefined)[] = ['0-5', '0-46'];

/**
 * Method, address, body and time are signed, the third version of their signature.
 * https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation
 */
export function createWebhook(secret: Secret, { url, clock }: { url: string; clock: Clock }): Webhook {
  return {
    verify({ method, headers, body }) {
      const signature = headers['x-hubspot-signature-v3'];
      const timestamp = headers['x-hubspot-request-timestamp'];
      if (!signature || !timestamp) throw new BadPayloadError('not signed by HubSpot');
      const expected = hmac('sha256', secret.reveal(), method, url, body, timestamp);
      if (!matchesSignature(expected, signature, 'base64')) {
        throw new BadPayloadError('x-hubspot-signature-v3 does not match the request', {
          hint: `Compare \`clientSecret\` with that of the app, and the address that it calls with ${url}.`,
        });
      }
      const at = /^\d{1,16}$/.test(timestamp) ? Number(timestamp) : NaN;
      if (!(Math.abs(clock.now() - at) <= TOLERANCE_MS)) {
        throw new BadPayloadError('x-hubspot-request-timestamp is more than five minutes off', {
          hint: 'Compare the clocks of both machines (`tributary doctor` shows ours).',
        });
      }
    },
  };
}

const Notices = z.array(z.object({ subscriptionType: z.string(), objectTypeId: z.string().nullish() })).min(1);

/** What is pushed has no words of notes in it, so it only says that there is something to be fetched. */
export function toWake(body: Buffer): ActionInput {
  const notices = Notices.safeParse(jsonOf(body));
  if (!notices.success) return { kind: 'wake' };
  const isWatched = (each: z.output<typeof Notices>[number]) =>
    each.subscriptionType.startsWith('ticket.') || WATCHED.includes(each.objectTypeId);
  if (notices.data.some(isWatched)) return { kind: 'wake' };
  const [first] = notices.data;
  return ignored(
    (first?.subscriptionType ?? 'an event').slice(0, 200),
    'about neither tickets nor notes',
  ) as ActionInput;
}
