import { z } from 'zod';
import type { Reply } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { splitText } from '../../core/split-text.ts';
import type { ViberApi } from './api.ts';
import { trackingOf } from './items.ts';

/** Characters that a text message may have: https://developers.viber.com/docs/api/rest-bot-api/#text-message */
export const MAX_TEXT = 7000;

const Sent = z.object({ message_token: z.union([z.string(), z.number()]).transform(String) });

/** A text as Viber shows it; without formatting, which older clients would show as characters. */
export function textMessage(senderName: string, text: string): object {
  return { type: 'text', min_api_version: 1, sender: { name: senderName }, text };
}

/** Sends an answer, in parts where it is too long. */
export async function sendReply(api: ViberApi, senderName: string, reply: Reply): Promise<void> {
  const { thread: receiver, ticket, message } = reply;
  if (receiver === undefined) {
    throw new PermanentError('this conversation has no customer on Viber', {
      hint: 'A bot may only write to somebody who has written to it first.',
    });
  }
  if (message.attachments.length > 0) {
    throw new PermanentError('Viber takes files by a public address only, and files here have none', {
      hint: 'Send the answer without files; put a link into its text.',
    });
  }
  const parts = splitText(message.text, MAX_TEXT);
  if (parts.length === 0) throw new PermanentError('the answer is empty: Viber sends nothing without text');
  const tracking_data = trackingOf(ticket.number, reply.proof);
  for (const [index, part] of parts.entries()) {
    if (index < reply.sent.length) continue;
    const answer = await api('send_message', { receiver, tracking_data, ...textMessage(senderName, part) });
    const { data } = Sent.safeParse(answer);
    // It is out, whatever it is called: without an id of its own it would go out again.
    await reply.partSent(data?.message_token ?? `${reply.id}:${index}`);
  }
}
