import { createHash } from 'node:crypto';
import { z } from 'zod';
import { jsonOf } from './json.ts';

const Known = z.object({
  /** When the vendor changed it last, milliseconds since the epoch. */
  at: z.number(),
  mark: z.string(),
  /** The pass that it was seen in last. */
  pass: z.number(),
});

const State = z.object({
  known: z.array(z.tuple([z.string(), Known])),
  floor: z.number(),
  pass: z.number(),
  startedAt: z.number().optional(),
  page: z.string().optional(),
  turned: z.number().optional(),
  readAt: z.number().optional(),
});

/** What ids of things begin with that have none. */
const UNREADABLE = '? ';

/** A thing on the list, as it stands there now. */
export interface Listed {
  readonly id: string;
  /** When the vendor changed it last, milliseconds since the epoch. */
  readonly at: number;
  /** Short, and another one whenever we want to hear of it again. */
  readonly mark: string;
}

/**
 * A list of things that change, and vanish without a word (reviews), read again and again in passes of several pages.
 * What is known of it stands in the cursor of a poll, so that only what is new or changed is handed on.
 */
export interface Listing {
  /** Where the pass that is under way goes on; undefined: at the beginning. */
  readonly page: string | undefined;
  /** How many pages of this pass were read before. */
  readonly turned: number;
  /** When the last complete pass began; undefined: there was none. */
  readonly readAt: number | undefined;
  /** What it was before; undefined: it was not there. `same`: nothing new. */
  look(listed: Listed): 'same' | { readonly before: string | undefined };
  /** Whether something without an id that can be read is there for the first time: it shall be heard of, once. */
  isFirst(unreadable: unknown): boolean;
  /** Those changed since `from` that were known and that no page of this pass had: gone, or not shown. */
  absent(from: number): readonly string[];
  /** It is gone: should it come again, it is new. */
  forget(id: string): void;
  /** The pass goes on behind this page. */
  turnTo(page: string): void;
  /** The pass has to begin anew: the vendor no longer knows where it was. */
  restart(): void;
  /** Every page was read. */
  finish(): void;
  toCursor(): string;
}

/** `first`: what was changed before it is no news on the first pass. `most`: as many are known, those changed last. */
export function openListing(
  cursor: string | undefined,
  { now, first, most }: { readonly now: number; readonly first: number; readonly most: number },
): Listing {
  const read = cursor === undefined ? undefined : State.safeParse(jsonOf(Buffer.from(cursor))).data;
  const state = read ?? { known: [], floor: first, pass: 0 };
  const known = new Map(state.known);
  const { startedAt = now } = state;
  let { floor, pass, page, readAt, turned = 0 } = state;

  /**
   * What is forgotten here was known: it lies below the floor. Not before the pass is over: the newest stand first, and
   * would hide those on its last pages.
   */
  function bound(): void {
    const rest = [...known].sort(([, a], [, b]) => b.at - a.at).slice(most);
    for (const [id, { at }] of rest) {
      known.delete(id);
      floor = Math.max(floor, at);
    }
  }

  function look({ id, at, mark }: Listed) {
    const before = known.get(id);
    if (!before && at <= floor) return 'same';
    known.set(id, { at, mark, pass });
    return before?.mark === mark ? 'same' : { before: before?.mark };
  }

  return {
    get page() {
      return page;
    },
    get turned() {
      return turned;
    },
    readAt,
    look,
    isFirst(unreadable) {
      const hash = createHash('sha256').update(JSON.stringify(unreadable)).digest('hex');
      return look({ id: UNREADABLE + hash.slice(0, 32), at: now, mark: '' }) !== 'same';
    },
    absent: (from) =>
      [...known]
        .filter(([id, one]) => one.pass !== pass && one.at >= from && !id.startsWith(UNREADABLE))
        .map(([id]) => id),
    forget: (id) => void known.delete(id),
    turnTo(next) {
      page = next;
      turned++;
    },
    restart() {
      page = undefined;
      turned = 0;
    },
    finish() {
      page = undefined;
      turned = 0;
      readAt = startedAt;
      bound();
      pass++;
    },
    toCursor() {
      const under = page === undefined ? {} : { page, turned, startedAt };
      return JSON.stringify({ known: [...known], floor, pass, ...under, readAt } satisfies z.input<typeof State>);
    },
  };
}
