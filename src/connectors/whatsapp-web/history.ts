import { z } from 'zod';
import type { Raw } from '../../core/connector.ts';
import { rawOf } from './session.ts';
import type { Session } from './session.ts';

/** Less than the host waits for a sign of life. */
const READY_MS = 240_000;
/** Of one chat: the page may have to load what is older. */
const CHAT_MS = 120_000;

const Chats = z.array(z.string());
const Messages = z.array(z.looseObject({ event: z.string() }));

/** What was said since a time (milliseconds) in all chats, as the events that would have told it; the oldest first in each. */
export async function* messagesSince(session: Session, since: number, signal: AbortSignal): AsyncGenerator<Raw> {
  const browser = await session.ready(READY_MS, signal);
  for (const chat of await browser.ask({ what: 'chats', since }, Chats, CHAT_MS)) {
    signal.throwIfAborted();
    const told = await browser.ask({ what: 'messages', chat, since }, Messages, CHAT_MS);
    for (const each of told) yield rawOf(each);
  }
}
