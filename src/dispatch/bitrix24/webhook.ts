import type { ActionInput } from '../../core/action.ts';
import type { Webhook } from '../../core/connector.ts';
import { ignored } from '../../core/envelope.ts';
import { BadPayloadError } from '../../core/errors.ts';
import { equalSecrets } from '../../core/secret.ts';
import type { Secret } from '../../core/secret.ts';

/** Events of CRM that say that there may be something for us. */
const TELLING = /^ONCRM(TIMELINECOMMENT|DEAL|LEAD|ITEM)/;

/**
 * Bitrix24 signs nothing: it sends the token of the webhook along. The events hold nothing but a number.
 * https://apidocs.bitrix24.com/api-reference/events/safe-event-handlers.html
 */
export function createWebhook(token: Secret): Webhook {
  return {
    maxBytes: 64 * 1024,
    verify({ body }) {
      const given = new URLSearchParams(body.toString('utf8')).get('auth[application_token]');
      if (given !== null && equalSecrets(given, token.reveal())) return;
      throw new BadPayloadError('auth[application_token] is not that of the outgoing webhook', {
        hint: 'Compare `applicationToken` with what Bitrix24 shows at the outgoing webhook.',
      });
    },
  };
}

/** An event comes once, and never again: what it is about is asked for, as without it. */
export function toWake(body: Buffer): ActionInput {
  const event = new URLSearchParams(body.toString('utf8')).get('event')?.toUpperCase() ?? '';
  if (TELLING.test(event)) return { kind: 'wake' };
  return ignored(event || 'a notice without a name', 'none that is listened to') as ActionInput;
}
