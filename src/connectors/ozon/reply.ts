import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import type { CanReply, Reply } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { splitText } from '../../core/split-text.ts';
import type { Message } from '../../core/ticket.ts';
import type { OzonApi } from './api.ts';
import { nameOf, readName, sentName } from './names.ts';

/** https://docs.ozon.ru/api/seller/: answers to questions have 2 to 3,000 characters, messages of chats 1,000. */
const MIN_ANSWER = 2;
const MAX_ANSWER = 3000;
const MAX_MESSAGE = 1000;
const MAX_FILE = 20 * 1024 * 1024;

const WORDLESS = 'Since April 2026 Ozon takes no comments below reviews without words';
const WINDOW = "Ozon takes messages for 48 hours after the buyer's last one, for some deliveries longer";

/** Where it goes, for whoever writes it. */
export function canReply(answers: Message | undefined): CanReply {
  const spot = readName(answers?.externalId ?? undefined);
  if (spot?.kind === 'review') {
    const isWordless = answers?.text.trim() === '';
    return { allowed: !isWordless, public: true, ...(isWordless && { reason: WORDLESS }) };
  }
  if (spot?.kind === 'comment') return { allowed: true, public: true };
  if (spot?.kind === 'question') return { allowed: true, public: true, longest: MAX_ANSWER };
  return { allowed: true, reason: WINDOW };
}

/** Sends an answer: below a review or a question, or into a chat. */
export async function sendReply(api: OzonApi, reply: Reply): Promise<void> {
  const thread = readName(reply.thread);
  if (thread?.kind === 'chat') return sendMessages(api, reply, thread.id);
  if (thread?.kind !== 'review' && thread?.kind !== 'question') {
    throw new PermanentError('this conversation is nothing that stands at Ozon');
  }
  if (reply.sent.length > 0) return;
  if (thread.kind === 'review') return sendComment(api, reply, thread.id);
  return sendAnswer(api, reply, thread.id);
}

const Commented = z.object({ comment_id: z.string().min(1) });

async function sendComment(api: OzonApi, reply: Reply, review: string): Promise<void> {
  const text = wordsOf(reply);
  const below = readName(reply.answers?.externalId ?? undefined);
  if (below?.kind === 'review' && reply.answers?.text.trim() === '') throw new PermanentError(WORDLESS);
  const parent = below?.kind === 'comment' ? { parent_comment_id: below.id } : {};
  const body = { review_id: review, text, mark_review_as_processed: true, ...parent };
  const { comment_id } = await api.ask('/v1/review/comment/create', body, Commented);
  await reply.partSent(nameOf('comment', comment_id));
}

const Asked = z.object({ sku: z.coerce.number().int().positive() });
const Answered = z.object({ answer_id: z.string().min(1) });

async function sendAnswer(api: OzonApi, reply: Reply, question: string): Promise<void> {
  const text = wordsOf(reply);
  if (text.length > MAX_ANSWER) throw new PermanentError(`Ozon takes answers of ${MAX_ANSWER} characters`);
  const { sku } = await api.ask('/v1/question/info', { question_id: question }, Asked);
  const { answer_id } = await api.ask('/v1/question/answer/create', { question_id: question, sku, text }, Answered);
  await reply.partSent(nameOf('answer', answer_id));
}

function wordsOf({ message }: Reply): string {
  const text = message.text.trim();
  if (message.attachments.length > 0) {
    throw new PermanentError('answers below products carry no files', { hint: 'Put a link into the text instead.' });
  }
  if (text.length < MIN_ANSWER) throw new PermanentError('Ozon takes no answer with less than two characters');
  return text;
}

const Sent = z.object({ result: z.unknown() });

async function sendMessages(api: OzonApi, reply: Reply, chat: string): Promise<void> {
  const { text, attachments } = reply.message;
  const large = attachments.find(({ size }) => (size ?? 0) > MAX_FILE);
  if (large) throw new PermanentError(`${large.name}: files into chats have up to ${MAX_FILE / 1024 / 1024} MB here`);
  const parts = [
    ...splitText(text, MAX_MESSAGE).map((piece) => ({ piece, file: undefined })),
    ...attachments.map((file) => ({ piece: '', file })),
  ];
  if (parts.length === 0) throw new PermanentError('the answer is empty: Ozon sends nothing without text or file');
  // Counted by names of their own: one by its words may be an earlier answer's.
  const done = reply.sent.filter(({ externalId }) => externalId.startsWith(`${reply.id}:`)).length;
  for (const [index, { piece, file }] of parts.entries()) {
    if (index < done) continue;
    if (file) {
      const base64_content = (await buffer(await reply.open(file.id))).toString('base64');
      await api.ask('/v1/chat/send/file', { chat_id: chat, name: file.name, base64_content }, Sent);
      await reply.partSent(`${reply.id}:${index}`);
    } else {
      await api.ask('/v1/chat/send/message', { chat_id: chat, text: piece }, Sent);
      await reply.partSent(`${reply.id}:${index}`);
      await reply.partSent(sentName(chat, piece));
    }
  }
}
