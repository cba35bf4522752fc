import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import type { CanReply, Log, Reply } from '../../core/connector.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import { splitText } from '../../core/split-text.ts';
import type { Message } from '../../core/ticket.ts';
import { toUploadForm } from '../../core/upload-form.ts';
import type { AvitoApi } from './api.ts';
import { answerName, readName } from './names.ts';
import { findReview } from './reviews.ts';
import { id } from './seen.ts';

/** https://developers.avito.ru/api-catalog/messenger */
const MAX_MESSAGE = 1000;
const MAX_IMAGE = 24 * 1024 * 1024;
const IMAGE_TYPES = ['image/jpeg', 'image/png', 'image/gif', 'image/bmp', 'image/heic'];

/** Where it goes, for whoever writes it. How long answers to reviews may be, Avito doesn't say. */
export function canReply(answers: Message | undefined): CanReply {
  const isReview = readName(answers?.externalId ?? undefined)?.kind === 'review';
  return isReview ? { allowed: true, public: true, replaces: true } : { allowed: true };
}

interface Deps {
  readonly api: AvitoApi;
  readonly log: Log;
}

/** Sends an answer: below a review, or into a chat. */
export async function sendReply(deps: Deps, reply: Reply): Promise<void> {
  const spot = readName(reply.thread);
  if (!spot) throw new PermanentError('this conversation is nothing that stands at Avito');
  await (spot.kind === 'review' ? sendAnswer(deps.api, reply, spot.id) : sendMessages(deps, reply, spot.id));
}

const Sent = z.object({ id });

/** Avito keeps one answer below a review, and lets it be taken away, but not changed. */
async function sendAnswer(api: AvitoApi, reply: Reply, review: string): Promise<void> {
  const text = reply.message.text.trim();
  if (reply.message.attachments.length > 0) {
    throw new PermanentError('answers below reviews carry no files', { hint: 'Put a link into the text instead.' });
  }
  if (text === '') throw new PermanentError('the answer is empty');
  // What stands there may be this answer, from a try of which nobody knew what came of it.
  const found = await findReview(api, review);
  if (!found) throw new PermanentError('Avito no longer shows this review');
  const { answer, canAnswer } = found;
  if (answer && wordsOf(answer.text) === wordsOf(text)) {
    return reply.partSent(answerName(answer.id), { replaces: true });
  }
  if (!answer && canAnswer === false) throw new PermanentError('Avito takes no answer to this review');
  // Tried again, both are looked for first.
  if (answer) {
    const path = `/ratings/v1/answers/${encodeURIComponent(answer.id)}`;
    await repeatable(api.ask({ method: 'DELETE', path }, z.unknown()));
  }
  // Avito wants a number; one that JavaScript would round stays as it is.
  const reviewId = Number.isSafeInteger(Number(review)) ? Number(review) : review;
  const body = { reviewId, message: text };
  const sent = await repeatable(api.ask({ method: 'POST', path: '/ratings/v1/answers', body }, Sent)).catch(
    (error: unknown) => {
      if (!answer || !(error instanceof PermanentError)) throw error;
      const { message, hint, response } = error;
      throw new PermanentError(`the answer that stood there was taken away, and this one is refused: ${message}`, {
        ...{ cause: error, ...(hint !== undefined && { hint }), ...(response && { response }) },
      });
    },
  );
  await reply.partSent(answerName(sent.id), { replaces: true });
}

/** What may be tried again, whatever came of it. */
async function repeatable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof RetryableError) throw new RetryableError(error.message, { cause: error });
    throw error;
  }
}

const wordsOf = (text: string): string => text.replace(/\s+/g, ' ').trim();

async function sendMessages({ api, log }: Deps, reply: Reply, chat: string): Promise<void> {
  const { text, attachments } = reply.message;
  for (const { name, mediaType, size } of attachments) {
    if (IMAGE_TYPES.includes(mediaType) && (size ?? 0) <= MAX_IMAGE) continue;
    throw new PermanentError(`${name}: Avito takes images only (JPEG, PNG, GIF, BMP, HEIC), of up to 24 MB`, {
      hint: 'Put a link to the file into the text instead.',
    });
  }
  const parts = [
    ...splitText(text, MAX_MESSAGE).map((piece) => ({ piece, file: undefined })),
    ...attachments.map((file) => ({ piece: '', file })),
  ];
  if (parts.length === 0) throw new PermanentError('the answer is empty: Avito sends nothing without text or image');
  const path = `/messenger/v1/accounts/{user}/chats/${encodeURIComponent(chat)}`;
  for (const { piece, file } of parts.slice(reply.sent.length)) {
    const call = file
      ? { path: `${path}/messages/image`, body: { image_id: await upload(api, reply, file) } }
      : { path: `${path}/messages`, body: { type: 'text', message: { text: piece } } };
    const sent = await api.ask({ method: 'POST', ...call }, Sent);
    await reply.partSent(sent.id);
  }
  // Whoever answers has read it; that Avito isn't told is no reason to send anything again.
  await api.ask({ method: 'POST', path: `${path}/read` }, z.unknown()).catch((error: unknown) => {
    log.warn({ error: String(error) }, 'the chat stays unread at Avito');
  });
}

const Uploaded = z.record(z.string().min(1), z.unknown()).refine((images) => Object.keys(images).length === 1);

async function upload(api: AvitoApi, reply: Reply, file: Message['attachments'][number]): Promise<string> {
  const bytes = await buffer(await reply.open(file.id));
  const { body, type } = toUploadForm({}, { ...file, field: 'uploadfile[]', bytes });
  const call = { method: 'POST', path: '/messenger/v1/accounts/{user}/uploadImages', body } as const;
  // Nobody sees what is only uploaded.
  const images = await repeatable(api.ask({ ...call, headers: { 'content-type': type } }, Uploaded));
  return Object.keys(images)[0] ?? '';
}
