import { z } from 'zod';
import type { Raw } from '../../core/connector.ts';
import { parseJson } from '../../core/json.ts';

/** How far a folder is read. */
export interface Position {
  /** UIDVALIDITY: with another one, every UID means another mail. */
  readonly validity: string;
  /** Everything up to this UID was filed. */
  readonly uid: number;
  /** UIDs below this were there when we came: of those, only what was received since `start` counts. */
  readonly from: number;
}

const Saved = z.object({
  /** Whose folders these are. */
  mailbox: z.string().optional(),
  /** Mail received before that isn't ours; milliseconds since the epoch. */
  start: z.number(),
  folders: z.record(
    z.string(),
    z.object({ validity: z.string(), uid: z.number().int().min(0), from: z.number().int().min(0) }),
  ),
});

/** What was filed so far, kept as the stream's cursor. */
export interface Bookmark {
  readonly start: number;
  at(folder: string): Position | undefined;
  /** Remembers it; durable with the next mail. */
  reach(folder: string, position: Position): void;
  /** Files a mail together with how far its folder is read then. */
  file(raw: Raw, folder: string, position: Position): Promise<void>;
}

/**
 * Opens the bookmark of a channel. The very first time, the start is filed before anything else: what arrives
 * from then on is read, even if we are stopped before the first mail or can't sign in for days.
 */
export async function openBookmark(
  cursor: string | undefined,
  mailbox: string,
  since: number | undefined,
  firstStart: () => { readonly start: number; readonly note: Raw },
  emit: (raw: Raw, cursor?: string) => Promise<void>,
): Promise<Bookmark> {
  const saved = cursor === undefined ? undefined : Saved.parse(parseJson(Buffer.from(cursor)));
  const first = saved ? undefined : firstStart();
  const before = saved?.start ?? first?.start ?? 0;
  const start = since ?? before;
  let folders = new Map(Object.entries(saved && goesOn(saved, mailbox, start) ? saved.folders : {}));
  let turn: Promise<unknown> = Promise.resolve();

  async function write(raw: Raw, next: ReadonlyMap<string, Position>): Promise<void> {
    await emit(raw, JSON.stringify({ mailbox, start, folders: Object.fromEntries(next) }));
  }

  if (first) await write(first.note, folders);
  return {
    start,
    at: (folder) => folders.get(folder),
    reach(folder, position) {
      folders.set(folder, position);
    },
    /** One after the other: a cursor must never say more than what is stored. */
    file(raw, folder, position) {
      const filed = turn.then(async () => {
        const next = new Map(folders).set(folder, position);
        await write(raw, next);
        folders = new Map(folders).set(folder, position);
      });
      turn = filed.catch(() => undefined);
      return filed;
    },
  };
}

/** Whether its folders are read on where they were left, not anew; what is known already is recognised. */
function goesOn(saved: z.output<typeof Saved>, mailbox: string, start: number): boolean {
  // Another mailbox may number its mails under the same UIDVALIDITY: Gmail's inboxes all have 1.
  if (saved.mailbox !== undefined && saved.mailbox !== mailbox) return false;
  // An earlier `since` than before: what lies between is read by reading the folders again.
  return start >= saved.start;
}
