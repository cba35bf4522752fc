import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from './clock.ts';
import type { Channel, Raw } from './connector.ts';
import { AuthExpiredError, PermanentError, RateLimitedError } from './errors.ts';
import { jsonOf } from './json.ts';

/** Something that a vendor lists, and lists again. */
export interface Listed extends Raw {
  /** What it is called there; left out where nothing comes twice (events behind a cursor). */
  readonly key?: string;
  /** When it was made, milliseconds since the epoch. */
  readonly at?: number;
}

export interface PartPage {
  readonly items: readonly Listed[];
  /** Where the next question goes on, as JSON. */
  readonly state: unknown;
  /** Until the next question is due. */
  readonly restMs: number;
  /** With this page a list was read whole, of everything made since then: what has been there and isn't is looked for. */
  readonly wholeSince?: number;
}

/** A part of a channel that is asked on its own: its reviews, its questions, its chats. */
export interface Part {
  readonly name: string;
  /** One request, or few: `state` is what the last page said, undefined at first. */
  ask(state: unknown, signal: AbortSignal): Promise<PartPage>;
  /** For what a list no longer names: what says that it was deleted; undefined where it is still there. */
  lookFor?(key: string, signal: AbortSignal): Promise<Raw | undefined>;
}

const Cursor = z.object({ page: z.number(), parts: z.record(z.string(), z.unknown()) });
type Cursor = z.output<typeof Cursor>;

/** When a vendor asks for patience, and doesn't say how long. */
const PATIENCE_MS = 60_000;
/** What fails is tried again then, while the others go on. */
const FAILED_MS = 60_000;
/** What isn't allowed (a plan, a right) is asked for again then. */
const REFUSED_MS = 3_600_000;
/** Between two questions about single things. */
const PACE_MS = 1000;

/** A thing as it was handed over last. */
interface Known {
  readonly hash: string;
  readonly at: number;
  /** In which reading of the whole list it was there. */
  round: number;
}

/**
 * A poll that asks the parts of a channel in turn, one question at a time: so each gets on with the smallest quota, and
 * one that is refused, limited or out of order holds up no other. Of lists that are read again and again it hands over
 * what is new or has changed. That memory is only a saving: after a restart everything comes once more, and is known.
 */
export function createPartsPoll(deps: {
  readonly clock: Clock;
  readonly parts: readonly Part[];
}): NonNullable<Channel['poll']> {
  const { clock } = deps;
  const turns = deps.parts.map((part) => ({ part, askedAt: 0, restMs: 0, memory: createMemory() }));
  type Turn = (typeof turns)[number];
  /** The last page, of which only its cursor's return says that it was stored. */
  let handed: { readonly cursor: string; readonly stored: () => void } | undefined;

  /** A clock that was set back must not make a rest of years. */
  const isDue = ({ askedAt, restMs }: Turn, now: number) => now < askedAt || now >= askedAt + restMs;
  const rest = (turn: Turn, restMs: number) => Object.assign(turn, { askedAt: clock.now(), restMs });
  const nextOf = (now: number): Turn | undefined =>
    turns.filter((turn) => isDue(turn, now)).toSorted((a, b) => a.askedAt - b.askedAt)[0];

  async function ask(turn: Turn, cursor: Cursor, signal: AbortSignal) {
    const { part, memory } = turn;
    const lost = memory.lost();
    if (lost !== undefined && part.lookFor) {
      const gone = await part.lookFor(lost, signal);
      rest(turn, PACE_MS);
      return { items: gone ? [gone] : [], cursor, stored: () => memory.forget(lost) };
    }
    const page = await part.ask(cursor.parts[part.name], signal);
    rest(turn, page.restMs);
    const { items, stored } = memory.news(page);
    return { items, cursor: { ...cursor, parts: { ...cursor.parts, [part.name]: page.state } }, stored };
  }

  /** Throws what somebody should see; to be asked to wait is no failure. */
  function failed(turn: Turn, error: unknown): void {
    if (error instanceof RateLimitedError) return void rest(turn, error.retryAfterMs ?? PATIENCE_MS);
    // Without credentials nothing else works either: it stays the next.
    if (!(error instanceof AuthExpiredError)) rest(turn, error instanceof PermanentError ? REFUSED_MS : FAILED_MS);
    throw error;
  }

  return async (given = '', signal) => {
    if (handed?.cursor === given) handed.stored();
    handed = undefined;
    const turn = nextOf(clock.now());
    if (!turn) return { items: [], cursor: given };
    const cursor = Cursor.safeParse(jsonOf(Buffer.from(given))).data ?? { page: 0, parts: {} };
    try {
      const { items, cursor: next, stored } = await ask(turn, cursor, signal);
      handed = { cursor: JSON.stringify({ ...next, page: cursor.page + 1 }), stored };
      return { items, cursor: handed.cursor, more: nextOf(clock.now()) !== undefined };
    } catch (error) {
      failed(turn, error);
      return { items: [], cursor: given };
    }
  };
}

/** What was handed over of one part. */
function createMemory() {
  const known = new Map<string, Known>();
  let missing: string[] = [];
  let round = 0;

  return {
    /** What no list names any more and has to be looked for. */
    lost: (): string | undefined => missing[0],
    forget(key: string): void {
      known.delete(key);
      missing = missing.filter((each) => each !== key);
    },
    news({ items, wholeSince }: PartPage): { items: readonly Raw[]; stored: () => void } {
      const marks = new Map<string, Known>();
      const fresh = items.filter(({ key, at = 0, body }) => {
        if (key === undefined) return true;
        const hash = createHash('sha256').update(body).digest('base64url');
        marks.set(key, { hash, at, round });
        return known.get(key)?.hash !== hash;
      });
      const stored = () => {
        for (const [key, mark] of marks) known.set(key, mark);
        if (wholeSince === undefined) return;
        for (const [key, { at }] of known) if (at < wholeSince) known.delete(key);
        missing = [...known].filter((each) => each[1].round < round).map(([key]) => key);
        round++;
      };
      return { items: fresh, stored };
    },
  };
}
