import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Reply } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { splitText } from '../../core/split-text.ts';
import { jsonOf } from './api.ts';
import type { LineApi } from './api.ts';

/** UTF-16 units that a text message may have: https://developers.line.biz/en/reference/messaging-api/#text-message */
const MAX_TEXT = 5000;

const Sent = z.object({ sentMessages: z.array(z.object({ id: z.string() })).min(1) });

/**
 * Sends an answer, in parts where it is too long. Pushed under a key of its own, each part reaches the customer once,
 * however often it is tried. What LINE calls a reply costs nothing, but can't be tried again and is possible for a
 * minute only.
 */
export async function sendReply(api: LineApi, reply: Reply): Promise<void> {
  const { thread: to, message } = reply;
  if (to === undefined) {
    throw new PermanentError('this conversation has no chat on LINE', {
      hint: 'An account may only write to somebody who has written to it or is its friend.',
    });
  }
  if (message.attachments.length > 0) {
    throw new PermanentError('LINE takes files by a public address only, and files here have none', {
      hint: 'Send the answer without files; put a link into its text.',
    });
  }
  const parts = splitText(message.text, MAX_TEXT);
  if (parts.length === 0) throw new PermanentError('the answer is empty: LINE sends nothing without text');
  for (const [index, text] of parts.entries()) {
    if (index < reply.sent.length) continue;
    const answer = await push(api, retryKeyOf(`${reply.id}:${index}`), { to, messages: [{ type: 'text', text }] });
    const { data } = Sent.safeParse(answer);
    // It is out, whatever it is called: without an id of its own it would go out again.
    await reply.partSent(data?.sentMessages[0]?.id ?? `${reply.id}:${index}`);
  }
}

async function push(api: LineApi, key: string, body: object): Promise<unknown> {
  try {
    return await api.send('/v2/bot/message/push', { method: 'POST', headers: { 'x-line-retry-key': key }, body });
  } catch (error) {
    // An earlier try of ours was accepted.
    if (error instanceof PermanentError && error.response?.status === 409) return jsonOf(error.response.text);
    throw error;
  }
}

/** The same name gives the same UUID. */
function retryKeyOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
