import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { Http, Raw } from '../../core/connector.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import type { Call } from './api.ts';
import { messagesSince } from './history.ts';
import { isOfVk } from './hosts.ts';

/** How long VK holds a poll open when there is nothing, seconds. */
const HOLD_SEC = 25;
/** How far VK's clock may be from ours. */
const SKEW_MS = 60_000;
const MAX_BYTES = 32 * 1024 * 1024;

const position = z.union([z.string(), z.number()]).transform(String);
const Session = z.object({ key: z.string(), server: z.url({ protocol: /^https?$/ }), ts: position });
type Session = z.output<typeof Session>;

/** https://dev.vk.com/ru/api/bots-long-poll/getting-started */
const Answer = z.union([
  z.object({ failed: z.number(), ts: position.optional() }),
  z.object({ ts: position, updates: z.array(z.unknown()) }),
]);

interface Page {
  readonly items: readonly Raw[];
  readonly cursor: string;
  readonly more?: boolean;
}

/**
 * Bots Long Poll. The cursor is VK's number of the last event and when we learnt it: VK keeps events for a while only,
 * and what it no longer has is taken from the history of the chats since then.
 */
export function createPoll(deps: {
  readonly call: Call;
  readonly http: Http;
  readonly clock: Clock;
  readonly group: string;
  readonly apiRoot: string;
}): (cursor: string | undefined, signal: AbortSignal) => Promise<Page> {
  const { call, http, clock, group, apiRoot } = deps;
  // A key to the queue, not a position in it: another one is as good.
  let session: Session | undefined;

  async function open(signal: AbortSignal): Promise<Session> {
    const given = await call('groups.getLongPollServer', { group_id: group }, Session, signal);
    if (!isOfVk(given.server, apiRoot)) throw new PermanentError('VK names an address for polls that is not its own');
    return (session = given);
  }

  async function ask(opened: Session, ts: string, signal: AbortSignal) {
    const { server, key } = opened;
    const url = new URL(server);
    url.search = new URLSearchParams({ act: 'a_check', key, ts, wait: String(HOLD_SEC) }).toString();
    // Kept only while it answers: VK moves queues to other servers, and the old one may never say so.
    session = undefined;
    const { json } = await http.send({ url: url.href, signal, timeoutMs: (HOLD_SEC + 15) * 1000, maxBytes: MAX_BYTES });
    session = opened;
    const answer = Answer.safeParse(json);
    if (!answer.success) throw new RetryableError('the long poll answered with what is no page of events');
    return answer.data;
  }

  return async (cursor, signal) => {
    const at = clock.now();
    const [known, since] = (cursor ?? '').split(' ');
    let opened = session ?? (await open(signal));
    const ts = known || opened.ts;
    let answer = await ask(opened, ts, signal);
    if ('failed' in answer && answer.failed === 2) {
      opened = await open(signal);
      answer = await ask(opened, ts, signal);
    }
    if ('updates' in answer) {
      const items = answer.updates.map((update) => ({ body: Buffer.from(JSON.stringify(update)) }));
      return { items, cursor: `${answer.ts} ${at}`, more: items.length > 0 };
    }
    // 1: this number is too old, 3: it is of another time. Both say that events are gone.
    const next = answer.failed === 1 && answer.ts !== undefined ? answer.ts : (await open(signal)).ts;
    const items: Raw[] = [];
    if (since) {
      for await (const raw of messagesSince({ call, group }, Number(since) - SKEW_MS, signal)) items.push(raw);
    }
    return { items, cursor: `${next} ${at}`, more: true };
  };
}
