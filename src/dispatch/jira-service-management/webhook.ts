import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import type { Webhook } from '../../core/connector.ts';
import { ignored } from '../../core/envelope.ts';
import { BadPayloadError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import type { Secret } from '../../core/secret.ts';
import { hmac, matchesSignature } from '../../core/signature.ts';

/** What somebody attaches or writes stands in it: comments of 32 KB, an issue with all of its fields. */
const MOST_BYTES = 8 * 1024 * 1024;

/** https://developer.atlassian.com/cloud/jira/platform/webhooks/#secure-admin-webhooks */
export function createWebhook(secret: Secret): Webhook {
  return {
    maxBytes: MOST_BYTES,
    verify({ headers, body }) {
      const [method, signature = ''] = (headers['x-hub-signature'] ?? '').split('=', 2);
      if (method !== 'sha256' || signature === '') {
        throw new BadPayloadError('not signed by Jira', { hint: 'Set a secret at the webhook in Jira.' });
      }
      if (matchesSignature(hmac('sha256', secret.reveal(), body), signature, 'hex')) return;
      throw new BadPayloadError('x-hub-signature does not match the body', {
        hint: 'Compare `webhookSecret` with the secret of the webhook in Jira.',
      });
    },
  };
}

const Notice = z.object({ webhookEvent: z.string(), issue: z.object({ key: z.string() }) });

/** It carries no time that is signed, and not who may read a comment: it only says that there is something to be fetched. */
export function toWake(projectKey: string, body: Buffer): ActionInput {
  const notice = Notice.safeParse(jsonOf(body));
  if (!notice.success || notice.data.issue.key.startsWith(`${projectKey}-`)) return { kind: 'wake' };
  return ignored(notice.data.webhookEvent.slice(0, 200), 'of another project') as ActionInput;
}
