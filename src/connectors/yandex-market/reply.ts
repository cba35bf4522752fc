import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import type { CanReply, Reply } from '../../core/connector.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import { splitText } from '../../core/split-text.ts';
import type { Message } from '../../core/ticket.ts';
import { toUploadForm } from '../../core/upload-form.ts';
import type { MarketApi } from './api.ts';
import { answersOf, commentsOf } from './goods.ts';
import { nameOf, readName, sentFileName, sentName, wordsOf } from './names.ts';
import type { Surface } from './names.ts';
import { Answer, id } from './seen.ts';

/** https://yandex.ru/dev/market/partner-api/doc/ru/reference/goods-feedback/updateGoodsFeedbackComment, and its neighbours */
const MOST: Readonly<Record<Surface, number>> = { feedback: 4096, question: 5000, chat: 4096 };
const MAX_FILE = 5 * 1024 * 1024;

/** Where it goes, for whoever writes it. */
export function canReply(answers: Message | undefined): CanReply {
  const name = answers?.externalId ?? '';
  const [kind] = name.split(':');
  if (kind === 'feedback' || kind === 'comment') return { allowed: true, public: true, longest: MOST.feedback };
  if (kind === 'question' || kind === 'answer') return { allowed: true, public: true, longest: MOST.question };
  return { allowed: true };
}

/** Sends an answer: below a review or a question, or into a chat. */
export async function sendReply(api: MarketApi, reply: Reply): Promise<void> {
  const spot = readName(reply.thread);
  if (!spot) throw new PermanentError('this conversation is nothing that stands at Yandex Market');
  if (spot.kind === 'chat') return sendMessages(api, reply, spot.id);
  const text = reply.message.text.trim();
  refuse(reply, text, MOST[spot.kind]);
  if (reply.sent.length > 0) return;
  const place = spot.kind === 'feedback' ? belowReview(api, reply, spot.id) : belowQuestion(api, spot.id);
  // What stands there may be this answer, from a try of which nobody knew what came of it; what was known before is another.
  const standing = (await place.standing()).find(
    ({ author, text: words, id: number }) =>
      author?.type === 'BUSINESS' &&
      wordsOf(words) === wordsOf(text) &&
      !reply.references.includes(nameOf(place.kind, number)),
  );
  await reply.partSent(nameOf(place.kind, standing?.id ?? (await repeatable(place.post(text)))));
}

function refuse({ message }: Reply, text: string, most: number): void {
  if (message.attachments.length > 0) {
    throw new PermanentError('answers below products carry no files', { hint: 'Put a link into the text instead.' });
  }
  if (text === '') throw new PermanentError('the answer is empty');
  if (text.length > most) throw new PermanentError(`Yandex Market takes answers of ${most} characters`);
}

interface Place {
  readonly kind: 'comment' | 'answer';
  standing(): Promise<readonly Pick<Answer, 'id' | 'text' | 'author'>[]>;
  /** The number that it gets. */
  post(text: string): Promise<string>;
}

function belowReview(api: MarketApi, { answers }: Reply, review: string): Place {
  const [kind, parent] = (answers?.externalId ?? '').split(':');
  const below = kind === 'comment' && parent ? parent : undefined;
  const parentId = below === undefined ? {} : { parentId: Number(below) };
  return {
    kind: 'comment',
    standing: async () =>
      (await commentsOf(api, review)).filter((comment) => (comment.parentId ?? undefined) === below),
    async post(text) {
      const body = { feedbackId: Number(review), comment: { text, ...parentId } };
      return (await api.ask({ path: 'v2/goods-feedback/comments/update', body }, z.object({ id }))).id;
    },
  };
}

function belowQuestion(api: MarketApi, question: string): Place {
  return {
    kind: 'answer',
    standing: async () => (await answersOf(api, question)).flatMap((answer) => Answer.safeParse(answer).data ?? []),
    async post(text) {
      const body = { operationType: 'CREATE', parentEntityId: { id: Number(question), type: 'QUESTION' }, text };
      const created = z.object({ entity: z.object({ id }) });
      return (await api.ask({ path: 'v1/goods-questions/update', body }, created)).entity.id;
    },
  };
}

/** Tried again, it is looked for first. */
async function repeatable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof RetryableError) throw new RetryableError(error.message, { cause: error });
    throw error;
  }
}

/** It says no more than that it was sent. */
const NOTHING = z.unknown().optional();

async function sendMessages(api: MarketApi, reply: Reply, chatId: string): Promise<void> {
  const { text, attachments } = reply.message;
  for (const { name, size } of attachments) {
    if ((size ?? 0) > MAX_FILE) throw new PermanentError(`${name}: Yandex Market takes files of up to 5 MB`);
  }
  const pieces = splitText(text, MOST.chat);
  if (pieces.length + attachments.length === 0) throw new PermanentError('the answer is empty');
  // Counted by names of their own: one by its words may be an earlier answer's.
  const counted = reply.sent.filter(({ externalId }) => externalId.startsWith(`${reply.id}:`));
  let done = counted.length;
  const went = async (name: string): Promise<void> => {
    await reply.partSent(`${reply.id}:${done++}`);
    await reply.partSent(name);
  };
  const files = attachments.slice(Math.max(0, done - pieces.length));
  for (const piece of pieces.slice(done)) {
    await api.ask({ path: 'v2/chats/message', query: { chatId }, body: { message: piece } }, NOTHING);
    await went(sentName(chatId, piece));
  }
  for (const file of files) {
    const bytes = await buffer(await reply.open(file.id));
    const { body, type } = toUploadForm({}, { ...file, field: 'file', bytes });
    const call = { path: 'v2/chats/file/send', query: { chatId }, body, headers: { 'content-type': type } };
    await api.ask(call, NOTHING);
    await went(sentFileName(chatId, { name: file.name, size: bytes.length }));
  }
}
