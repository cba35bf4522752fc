import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import type { CanReply, Reply } from '../../core/connector.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import { splitText } from '../../core/split-text.ts';
import type { Message } from '../../core/ticket.ts';
import { toUploadForm } from '../../core/upload-form.ts';
import type { UploadFile } from '../../core/upload-form.ts';
import type { WildberriesApi } from './api.ts';
import { search } from './lists.ts';
import { answerName, readName, sentName } from './names.ts';
import type { Surface } from './names.ts';

/** https://dev.wildberries.ru/openapi/user-communication: answers to reviews have 2 to 5,000 characters. */
const MAX_ANSWER = 5000;
const MIN_ANSWER = 2;
/** Messages of chats have 1,000, and files of 5 MB. */
const MAX_MESSAGE = 1000;
const MAX_FILE = 5 * 1024 * 1024;
const FILE_TYPES = ['image/jpeg', 'image/png', 'application/pdf'];

/** Where it goes, for whoever writes it. */
export function canReply(answers: Message | undefined): CanReply {
  const spot = readName(answers?.externalId ?? undefined);
  if (!spot) return { allowed: true };
  const once = 'below a review Wildberries lets an answer be changed once, within 60 days';
  const reason = spot.kind === 'feedback' ? { reason: once } : {};
  return { allowed: true, public: true, longest: MAX_ANSWER, replaces: true, ...reason };
}

/** Sends an answer: below a review or a question, or into a chat. */
export async function sendReply(deps: { readonly api: WildberriesApi; readonly chats: Chats }, reply: Reply) {
  // Somebody adds to his review: the answer goes below what he wrote last.
  const spot = readName(reply.answers?.externalId ?? undefined) ?? readName(reply.thread);
  if (!spot) throw new PermanentError('this conversation is nothing that stands at Wildberries');
  if (spot.kind !== 'chat') return sendAnswer(deps.api, reply, spot.kind, spot.id);
  return sendMessages(deps.chats, reply, spot.id);
}

const Standing = z.object({
  answer: z.object({ text: z.string(), editable: z.boolean().nullish() }).nullish(),
});

async function sendAnswer(api: WildberriesApi, reply: Reply, surface: Surface, id: string): Promise<void> {
  const text = reply.message.text.trim();
  refuseAnswer(reply, text);
  const name = answerName(surface, id, text);
  // What stands there may be this answer, from a try of which nobody knew what came of it.
  const { answer } = await api.feedbacks(`/api/v1/${surface}?${search({ id })}`, Standing);
  if (!answer || answerName(surface, id, answer.text) !== name) {
    if (answer?.editable === false) {
      throw new PermanentError('Wildberries lets the answer that stands there be changed no more', {
        hint: 'An answer can be changed once, within 60 days.',
      });
    }
    await post(api, surface, id, text, answer ? 'PATCH' : 'POST');
  }
  await reply.partSent(name, { replaces: true });
}

function refuseAnswer({ message }: Reply, text: string): void {
  if (message.attachments.length > 0) {
    throw new PermanentError('answers below products carry no files', { hint: 'Put a link into the text instead.' });
  }
  if (text.length < MIN_ANSWER) throw new PermanentError('Wildberries takes no answer with less than two characters');
  if (text.length > MAX_ANSWER) throw new PermanentError(`Wildberries takes answers of ${MAX_ANSWER} characters`);
}

async function post(api: WildberriesApi, surface: Surface, id: string, text: string, method: 'POST' | 'PATCH') {
  const [path, how, body] =
    surface === 'feedback'
      ? (['/api/v1/feedbacks/answer', method, { id, text }] as const)
      : (['/api/v1/questions', 'PATCH', { id, answer: { text }, state: 'wbRu' }] as const);
  try {
    await api.feedbacks(path, z.unknown(), { method: how, body });
  } catch (error) {
    // Tried again, it is looked for first.
    if (error instanceof RetryableError) throw new RetryableError(error.message, { cause: error });
    throw error;
  }
}

/** Chats are written to with a signature that only their list tells, besides the first message of each. */
export interface Chats {
  send(chat: string, text: string, file?: UploadFile): Promise<void>;
}

const Listed = z.array(z.object({ chatID: z.string(), replySign: z.string() }));

export function createChats(api: WildberriesApi): Chats {
  let signs = new Map<string, string>();

  async function signOf(chat: string): Promise<string> {
    const known = signs.get(chat);
    if (known !== undefined) return known;
    const list = await api.chats('/api/v1/seller/chats', Listed);
    signs = new Map(list.map(({ chatID, replySign }) => [chatID, replySign]));
    const sign = signs.get(chat);
    if (sign !== undefined) return sign;
    throw new PermanentError('Wildberries no longer lists this chat: nothing can be written there');
  }

  return {
    async send(chat, text, file) {
      const replySign = await signOf(chat);
      const { body, type } = toUploadForm({ replySign, ...(text && { message: text }) }, file);
      try {
        const request = { method: 'POST', body, headers: { 'content-type': type } } as const;
        await api.chats('/api/v1/seller/message', z.unknown(), request);
      } catch (error) {
        // Perhaps it is another one by now: the next try asks for it.
        if (error instanceof PermanentError) signs.delete(chat);
        throw error;
      }
    },
  };
}

async function sendMessages(chats: Chats, reply: Reply, chat: string): Promise<void> {
  const { text, attachments } = reply.message;
  for (const { name, mediaType, size } of attachments) {
    if (FILE_TYPES.includes(mediaType) && (size ?? 0) <= MAX_FILE) continue;
    throw new PermanentError(`${name}: Wildberries takes JPEG, PNG and PDF of up to 5 MB`);
  }
  const parts = [
    ...splitText(text, MAX_MESSAGE).map((piece) => ({ piece, file: undefined })),
    ...attachments.map((file) => ({ piece: '', file })),
  ];
  if (parts.length === 0)
    throw new PermanentError('the answer is empty: Wildberries sends nothing without text or file');
  for (const [index, { piece, file }] of parts.entries()) {
    if (index < reply.sent.length) continue;
    if (!file) {
      await chats.send(chat, piece);
      await reply.partSent(sentName(chat, piece));
      continue;
    }
    const bytes = await buffer(await reply.open(file.id));
    await chats.send(chat, '', { field: 'file', name: file.name, mediaType: file.mediaType, bytes });
    await reply.partSent(`${reply.id}:${index}`);
  }
}
