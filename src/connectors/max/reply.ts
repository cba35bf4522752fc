import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { Reply } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { splitText } from '../../core/split-text.ts';
import { NotReadyError } from './api.ts';
import { uploadFile } from './upload.ts';
import type { File, Uploading } from './upload.ts';

export interface Replying extends Uploading {
  readonly clock: Clock;
  readonly channel: string;
}

/** Characters that a message may have: https://dev.max.ru/docs-api/methods/POST/messages */
const MAX_TEXT = 4000;
/** How long is waited for MAX to have worked on a file, step by step; then the whole part is tried again later. */
const WAITS_MS = [1000, 2000, 4000, 8000, 16_000, 30_000];

type Part = { readonly text: string } | { readonly file: File };

const Sent = z.object({ message: z.object({ body: z.object({ mid: z.string().min(1).max(200) }) }) });
const AnySent = z.union([Sent, z.object({}).transform(() => undefined)]);

/** Sends an answer: its text, in parts where it is too long, then its files one by one, as audio and files have to go. */
export async function sendReply(deps: Replying, reply: Reply): Promise<void> {
  const to = addressOf(reply, deps.channel);
  const { text, attachments } = reply.message;
  const parts: Part[] = [
    ...splitText(text, MAX_TEXT).map((piece) => ({ text: piece })),
    ...attachments.map((file) => ({ file })),
  ];
  if (parts.length === 0) throw new PermanentError('the answer is empty: MAX sends nothing without text or file');
  for (const [index, part] of parts.entries()) {
    if (index < reply.sent.length) continue;
    const content =
      'text' in part
        ? { text: part.text, attachments: null }
        : { text: null, attachments: [await uploadFile(deps, reply, part.file)] };
    const link = index === 0 ? linkOf(reply) : null;
    const sent = await sendWhenReady(deps, { query: to, body: { ...content, link } });
    // It is out, whatever it is called: without an id of its own it would go out again.
    await reply.partSent(sent?.message.body.mid ?? `${reply.id}:${index}`);
  }
}

/** The chat; or the person, where what he pressed was gone from the chat by then. */
function addressOf({ thread, answers }: Reply, channel: string): Record<string, string> {
  if (thread !== undefined && /^-?\d{1,20}$/.test(thread)) return { chat_id: thread };
  const person = answers?.author.identifiers.find(({ kind }) => kind === `max:${channel}`);
  if (person) return { user_id: person.value };
  throw new PermanentError('this conversation has no chat in MAX', {
    hint: 'A bot may only write where somebody has written to it first.',
  });
}

/** Between two people it is clear what is answered; in a chat (their ids are below zero) it isn't. */
function linkOf({ thread, answers }: Reply): object | null {
  const mid = answers?.externalId;
  return thread?.startsWith('-') && mid?.startsWith('mid.') ? { type: 'reply', mid } : null;
}

interface Sending {
  readonly query: Readonly<Record<string, string>>;
  readonly body: object;
}

async function sendWhenReady({ api, clock }: Replying, message: Sending) {
  for (const wait of WAITS_MS) {
    try {
      return await api({ method: 'POST', path: '/messages', ...message }, AnySent);
    } catch (error) {
      if (!(error instanceof NotReadyError)) throw error;
      await clock.sleep(wait);
    }
  }
  return api({ method: 'POST', path: '/messages', ...message }, AnySent);
}
