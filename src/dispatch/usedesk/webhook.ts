import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import type { Webhook } from '../../core/connector.ts';
import { ignored } from '../../core/envelope.ts';
import { BadPayloadError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import { equalSecrets } from '../../core/secret.ts';
import type { Secret } from '../../core/secret.ts';

/** Usedesk signs nothing: it sends what it calls `secret` along. https://api.usedocs.com/article/51405 */
export function createWebhook(secret: Secret): Webhook {
  return {
    verify({ body }) {
      const given = read(body).secret;
      if (given !== undefined && equalSecrets(given, secret.reveal())) return;
      throw new BadPayloadError('the `secret` in the body is not that of the API channel', {
        hint: 'Tick “JSON request” at the API channel, and compare `webhookSecret` with its app ID.',
      });
    },
  };
}

/** What is pushed is believed in nothing but that there is something: it is asked for. */
export function toWake(body: Buffer): ActionInput {
  const { kind } = read(body);
  if (kind === 'comment' || kind === 'trigger') return { kind: 'wake' };
  return ignored(kind ?? 'a notice', 'no comment, and no change of a ticket') as ActionInput;
}

const KINDS = ['comment', 'trigger', 'ticket', 'csi', 'chat_id'] as const;
const Notice = z.looseObject({ secret: z.union([z.string(), z.number()]).transform(String).optional() });

/** JSON, or the form that is sent where that isn't ticked: `comment[id]=…`. */
function read(body: Buffer): { readonly secret: string | undefined; readonly kind: string | undefined } {
  const notice = Notice.safeParse(jsonOf(body)).data;
  if (notice) return { secret: notice.secret, kind: KINDS.find((each) => Object.hasOwn(notice, each)) };
  const form = new URLSearchParams(body.toString('utf8'));
  const names = new Set([...form.keys()].map((key) => key.split('[', 1)[0]));
  return { secret: form.get('secret') ?? undefined, kind: KINDS.find((each) => names.has(each)) };
}
