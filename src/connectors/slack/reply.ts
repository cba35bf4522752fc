import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { Reply } from '../../core/connector.ts';
import { PermanentError, RetryableError, UncertainError } from '../../core/errors.ts';
import { splitText } from '../../core/split-text.ts';
import { messageOf, readThread } from './address.ts';
import type { Place } from './address.ts';
import type { SlackApi } from './api.ts';
import { upload } from './files.ts';
import { findPart, MARK } from './history.ts';
import { toMarkup } from './text.ts';

/** What Slack recommends; it cuts off behind 40,000, which no escaped text of this length reaches. */
const MAX_TEXT = 4000;
/** Slack's clock and ours may differ, and an answer may be long on its way. */
const AGO_MS = 10 * 60_000;

interface Answering {
  readonly api: SlackApi;
  readonly clock: Clock;
}

/** Sends an answer into its thread: the text, in parts where it is too long, then its files one by one. */
export async function sendReply(deps: Answering, reply: Reply): Promise<void> {
  const place = reply.thread === undefined ? undefined : readThread(reply.thread);
  if (!place) {
    throw new PermanentError('this conversation has no place in Slack', {
      hint: 'Somebody has to write there before he can be answered there.',
    });
  }
  const { text, attachments } = reply.message;
  const parts = [
    ...splitText(text, MAX_TEXT).map((words) => (part: string) => post(deps, place, words, part)),
    ...attachments.map((file) => async () => share(deps.api, place, file.name, await upload(deps.api, reply, file))),
  ];
  if (parts.length === 0) throw new PermanentError('the answer is empty: Slack sends nothing without text or file');
  for (const [index, send] of parts.entries()) {
    if (index < reply.sent.length) continue;
    await reply.partSent(await send(`${reply.id}:${index}`));
  }
}

const Posted = z.object({ ts: z.string().min(1) });

/** Under a mark of its own, so that Slack can be asked for it when its answer was lost. */
async function post({ api, clock }: Answering, place: Place, words: string, part: string): Promise<string> {
  const { channel, threadTs: thread_ts } = place;
  const metadata = { event_type: MARK, event_payload: { part } };
  const body = { channel, ...(thread_ts && { thread_ts }), text: toMarkup(words), mrkdwn: false, metadata };
  const since = clock.now() - AGO_MS;
  try {
    const { ts } = await api.tell('chat.postMessage', Posted, body);
    return messageOf(channel, ts);
  } catch (error) {
    if (!isUnknown(error)) throw error;
    const ts = await findPart(api, place, part, since).catch(() => undefined);
    if (ts === undefined) throw uncertain(error);
    return messageOf(channel, ts);
  }
}

const Shared = z.object({ files: z.array(z.unknown()) });

/** Slack shares it a moment later and doesn't say as which message: the file's id names it. */
async function share(api: SlackApi, { channel, threadTs }: Place, title: string, id: string): Promise<string> {
  const body = { files: [{ id, title }], channel_id: channel, ...(threadTs !== undefined && { thread_ts: threadTs }) };
  try {
    await api.tell('files.completeUploadExternal', Shared, body);
  } catch (error) {
    throw isUnknown(error) ? uncertain(error) : error;
  }
  return `file:${id}`;
}

function isUnknown(error: unknown): error is RetryableError {
  return error instanceof RetryableError && error.outcomeUnknown;
}

function uncertain(cause: RetryableError): UncertainError {
  return new UncertainError(`${cause.message}; Slack may have posted it all the same`, {
    cause,
    hint: 'Look into the conversation: if it is not there, replay the delivery.',
  });
}
