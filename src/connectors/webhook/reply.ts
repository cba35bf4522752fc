import { z } from 'zod';
import type { Context, Reply } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';
import { signStandardWebhook } from '../../core/signature.ts';
import { toTime } from '../../core/ticket.ts';
import { standardSecret } from './auth.ts';

/** Files travel inside the JSON: more than this together is more than receivers take. */
const MAX_FILES = 10 * 1024 * 1024;

export const ReplyTarget = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .meta({ description: "Where agents' answers are posted" }),
  secret: standardSecret('Signs what we post, whsec_…'),
});

interface Target {
  readonly url: string;
  readonly secret: Secret;
}

/** Posts an agent's answer as the Standard Webhook `message.sent`; `webhook-id` repeats over all tries. */
export async function sendReply(target: Target, context: Context, reply: Reply): Promise<void> {
  if (reply.sent.length > 0) return;
  const { ticket, message, thread } = reply;
  const inReplyTo = reply.answers?.externalId ?? undefined;
  const attachments = await filesOf(reply);
  const data = { version: ticket.version, channel: context.id, thread, inReplyTo, ticket, message, attachments };
  await post(target, context, reply.id, { type: 'message.sent', timestamp: message.occurredAt, data });
  await reply.partSent(reply.id);
}

/** Posts `test.ping`, so that both sides see whether address and secret are right. */
export async function ping(target: Target, context: Context): Promise<string> {
  const now = context.clock.now();
  const data = { version: 0, channel: context.id };
  const status = await post(target, context, `ping_${now}`, { type: 'test.ping', timestamp: toTime(now), data });
  return `${new URL(target.url).host} took the test.ping (${status})`;
}

async function post(target: Target, context: Context, id: string, event: object): Promise<number> {
  const body = JSON.stringify(event);
  const timestampSec = Math.floor(context.clock.now() / 1000);
  const headers = {
    'content-type': 'application/json',
    ...signStandardWebhook([target.secret.reveal()], { id, timestampSec, body }),
  };
  const answer = await context.http.send({ method: 'POST', url: target.url, headers, body });
  return answer.status;
}

async function filesOf(reply: Reply): Promise<readonly object[]> {
  const files = [];
  let total = 0;
  for (const { id, name, mediaType } of reply.message.attachments) {
    const parts: Buffer[] = [];
    for await (const part of await reply.open(id)) {
      parts.push(part as Buffer);
      total += (part as Buffer).length;
      if (total > MAX_FILES) {
        throw new PermanentError('the files of this answer are larger than 10 MB together', {
          hint: 'Send fewer or smaller files.',
        });
      }
    }
    files.push({ id, name, mediaType, content: Buffer.concat(parts).toString('base64') });
  }
  return files;
}
