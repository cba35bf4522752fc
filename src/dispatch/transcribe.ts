import type { Clock } from '../core/clock.ts';
import type { Call, CallProgress } from '../core/envelope.ts';
import { PermanentError } from '../core/errors.ts';
import type { AttachmentRow, Task } from '../core/rows.ts';
import type { Store, Transaction } from '../core/store.ts';
import type { Announcer, Ending } from './settled.ts';
import type { Speech } from './speech.ts';

/** Where its tasks go: no channel, whose downloads would wait behind them. */
const ENDPOINT = 'transcripts';
/** Largest recording that OpenAI takes, bytes. */
const MAX_BYTES = 25 * 1024 * 1024;
/** Of a recording that nobody says the length of: telephone systems record with 16 kbit/s at least. */
const BYTES_PER_SECOND = 2000;
/** Recordings that a process holds in memory, and how long the others wait, milliseconds. */
const AT_ONCE = 2;
const WAIT_MS = 10_000;

export interface TranscriptDeps {
  readonly store: Store;
  readonly clock: Clock;
  /** Undefined: nobody writes calls down, or nobody does any more. */
  readonly speech: Speech | undefined;
  /** Most minutes of one recording, and of all of a day (UTC). */
  readonly limits: { readonly maxMinutes: number; readonly maxMinutesPerDay: number };
  /** Adds to a call what its channel doesn't tell. */
  readonly add: (messageId: string, words: CallProgress) => Promise<void>;
}

/** Asks for the words of a call whose recording was just stored. */
export async function askForTranscript(tx: Transaction, announcer: Announcer, { task, state }: Ending): Promise<void> {
  const { kind, attachmentId, messageId } = task;
  if (kind !== 'download' || state !== 'delivered' || attachmentId === null || messageId === null) return;
  const attachment = await tx.attachment(attachmentId);
  const call = ((await tx.message(messageId)) ?? (await tx.looseCallById(messageId)))?.call as Call | undefined;
  if (!attachment || call?.recording !== attachment.id) return;
  await announcer.task({ kind: 'transcribe', type: 'transcribe', endpointId: ENDPOINT, messageId, attachmentId });
}

/**
 * Has a recording written down and summed up, where its vendor hasn't. What was paid for is kept before more is asked
 * for: the transcript stays when the summary fails, or the process ends in between.
 */
export function createTranscribe({ store, clock, speech, limits, add }: TranscriptDeps) {
  let running = 0;

  /** What it may cost is taken before each try. */
  async function afford(attachment: AttachmentRow, talkedSec = 0): Promise<void> {
    const seconds = Math.ceil(talkedSec || (attachment.size ?? 0) / BYTES_PER_SECOND);
    if (seconds > limits.maxMinutes * 60) {
      throw new PermanentError(
        `the recording has about ${Math.ceil(seconds / 60)} minutes, too many to be written down`,
        {
          hint: 'Raise transcripts.maxMinutes, then replay it.',
        },
      );
    }
    const day = new Date(clock.now()).toISOString().slice(0, 10);
    const name = `transcripts ${day}`;
    if (await store.write([name], (tx) => tx.spend(name, seconds, limits.maxMinutesPerDay * 60))) return;
    throw new PermanentError(`the ${limits.maxMinutesPerDay} minutes that may be written down on ${day} are used up`, {
      hint: 'Raise transcripts.maxMinutesPerDay, or replay it tomorrow.',
    });
  }

  async function write(speech: Speech, task: Task) {
    const messageId = task.messageId ?? '';
    const attachment = await store.read.attachment(task.attachmentId ?? '');
    const call = (await store.read.message(messageId))?.call;
    if (!attachment || !call) return { request: 'is gone' };
    const request = attachment.name;
    if (isDone(speech, call)) return { request, response: 'is written down already' };
    await afford(attachment, call.talkedSec);
    const transcript = call.transcript ?? (await listen(speech, attachment));
    if (transcript === '') return { request, response: 'nobody says anything' };
    if (call.transcript === undefined) await add(messageId, { transcript });
    if (speech.summarize) await add(messageId, await speech.summarize(transcript));
    return { request, response: `${transcript.length} characters` };
  }

  async function listen(speech: Speech, { sha256, size = 0, name, mediaType }: AttachmentRow): Promise<string> {
    if (sha256 === undefined || size > MAX_BYTES) {
      throw new PermanentError(`${name} is ${sha256 === undefined ? 'not stored any more' : 'too large to be sent'}`);
    }
    return speech.transcribe({ name, mediaType, bytes: await store.blobs.read(sha256) });
  }

  return async (task: Task) => {
    if (!speech) return { request: 'transcripts are switched off' };
    if (running >= AT_ONCE) return { later: clock.now() + WAIT_MS };
    running++;
    try {
      return await write(speech, task);
    } finally {
      running--;
    }
  };
}

function isDone(speech: Speech, { transcript, summary }: Call): boolean {
  return transcript !== undefined && (!speech.summarize || summary !== undefined);
}
