import { UncertainError } from '../../core/errors.ts';
import { markIn } from '../../core/mark.ts';
import type { Api } from './api.ts';
import type { Note } from './shapes.ts';

/** Notes of deals, of which ours begin with a mark: https://developers.pipedrive.com/docs/api/v1/Notes */

const MOST_PAGES = 20;

/** The mark of a note that we wrote. One of ours that a colleague copies is his. */
export function markOn({ content, user }: Pick<Note, 'content' | 'user'>): string | undefined {
  return user?.is_you === false ? undefined : markIn(content);
}

/** When the last note of ours was written in a deal; 0 where there is none among the newest. */
export async function lastOfOurs(api: Api, dealId: string): Promise<number> {
  const { notes } = await api.notesOf(dealId, 0);
  return notes.find((note) => markOn(note) !== undefined)?.add_time ?? 0;
}

/** Marks of the notes that we wrote in a deal, as far back as `since`. */
export async function marksIn(api: Api, dealId: string, since: number): Promise<ReadonlySet<string>> {
  const marks = new Set<string>();
  for (let page = 0, start = 0; page < MOST_PAGES; page++) {
    const { notes, more } = await api.notesOf(dealId, start);
    for (const note of notes) {
      const mark = markOn(note);
      if (mark !== undefined) marks.add(mark);
    }
    const last = notes.at(-1);
    if (!more || last === undefined || last.add_time < since) return marks;
    start += notes.length;
  }
  throw new UncertainError(`deal ${dealId} has more notes in Pipedrive than can be looked through`);
}
