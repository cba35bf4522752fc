import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../core/clock.ts';
import type { Reply } from '../../core/connector.ts';
import { PermanentError, RetryableError, textOf, UncertainError } from '../../core/errors.ts';
import { splitText } from '../../core/split-text.ts';
import type { Browser } from './browser.ts';
import { isGroup, JID, outgoing } from './ids.ts';
import { FILES, Found, Sent } from './protocol.ts';
import type { Part } from './protocol.ts';
import type { Session } from './session.ts';

/** What WhatsApp shows without "read more", and what its own API takes. */
const MAX_TEXT = 4096;
const MB = 1024 * 1024;
/** It passes through the page as text. */
const MAX_FILE = 64 * MB;
const SEND_MS = 120_000;
/** For a browser that was lost while it sent to be there again. */
const AGAIN_MS = 60_000;

interface Sending {
  readonly session: Session;
  readonly clock: Clock;
  readonly folder: string;
}

/** Sends an answer where the customer wrote: the text, in parts where it is too long, then its files one by one. */
export async function sendReply(deps: Sending, reply: Reply): Promise<void> {
  const chat = chatOf(reply);
  const parts = partsOf(deps.folder, reply);
  for (const [index, toPart] of parts.entries()) {
    if (index < reply.sent.length) continue;
    const { part, done } = await toPart();
    try {
      // Between two people it is clear what is answered; in a group it isn't.
      const quoted = index === 0 && isGroup(chat) ? quotedIn(chat, reply) : undefined;
      await reply.partSent(outgoing(await send(deps, chat, part, quoted, reply)));
    } finally {
      await done();
    }
  }
}

/** Where he wrote: WhatsApp may know him by his number in one chat and by a `@lid` in another. */
function chatOf({ thread, answers }: Reply): string {
  const jid = answers?.author.identifiers.find(({ kind }) => kind === JID)?.value;
  const chat = thread !== undefined && isGroup(thread) ? thread : (jid ?? thread);
  if (chat !== undefined) return chat;
  throw new PermanentError('this conversation has no WhatsApp chat', {
    hint: 'Somebody has to write on WhatsApp before he can be answered there.',
  });
}

/** WhatsApp's own name of the customer's message: `false_<group>_<id>_<author>`. */
function quotedIn(group: string, { answers }: Reply): string | undefined {
  const [remote, id] = answers?.externalId?.split(':') ?? [];
  const author = answers?.author.identifiers.find(({ kind }) => kind === JID)?.value;
  return remote === group && id && author ? `false_${group}_${id}_${author}` : undefined;
}

type ToPart = () => Promise<{ readonly part: Part; readonly done: () => Promise<void> }>;

function partsOf(folder: string, reply: Reply): ToPart[] {
  const { text, attachments } = reply.message;
  const large = attachments.find(({ size }) => (size ?? 0) > MAX_FILE);
  if (large) {
    throw new PermanentError(`${large.name} has more than the ${MAX_FILE / MB} MB that can be sent`, {
      hint: 'Send a link to it instead.',
    });
  }
  const words = splitText(text, MAX_TEXT).map((piece): ToPart => async () => ({
    part: { text: piece },
    done: async () => undefined,
  }));
  const files = attachments.map(({ id, name, mediaType }): ToPart => async () => {
    const file = `out-${randomUUID()}`;
    const path = join(folder, FILES, file);
    await mkdir(join(folder, FILES), { recursive: true, mode: 0o700 });
    await pipeline(await reply.open(id), createWriteStream(path, { mode: 0o600 }));
    const { size } = await stat(path);
    return { part: { file, name, mediaType, size }, done: () => rm(path, { force: true }) };
  });
  if (words.length + files.length === 0) {
    throw new PermanentError('the answer is empty: WhatsApp sends nothing without text or file');
  }
  return [...words, ...files];
}

async function send(
  { session, clock }: Sending,
  chat: string,
  part: Part,
  quoted: string | undefined,
  reply: Reply,
): Promise<string> {
  const browser = await session.ready();
  const since = clock.now();
  try {
    return (await browser.ask({ what: 'send', chat, part, quoted }, Sent, SEND_MS)).id;
  } catch (error) {
    if (!(error instanceof RetryableError && error.outcomeUnknown)) throw error;
    const found = await find(session, { chat, part, since }, reply).catch(() => undefined);
    if (found !== undefined) return found;
    throw new UncertainError(`${textOf(error)}; WhatsApp may have sent it all the same`, {
      cause: error,
      hint: 'Look into the chat on the phone: if it is not there, replay the delivery.',
    });
  }
}

/** Its id, if the chat shows it now. That it doesn't is no proof: the browser may send it later. */
async function find(
  session: Session,
  sought: { readonly chat: string; readonly part: Part; readonly since: number },
  { sent }: Reply,
): Promise<string | undefined> {
  const browser: Browser = await session.ready(AGAIN_MS);
  const found = await browser.ask({ what: 'find', ...sought }, Found);
  return found.find((id) => !sent.some(({ externalId }) => externalId === outgoing(id)));
}
