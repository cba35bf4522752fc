import { sql as raw } from 'kysely';
import type { Reader } from '../../core/reader.ts';
import { belongingsIn } from '../belongings.ts';
import type { Sql } from '../sql.ts';
import type { Db } from './kysely.ts';

/** What joins, splits and their undoing would move, found by the statements that they find it by themselves. */
export function movesIn(db: Db): Pick<Reader, 'wouldMove' | 'wouldSplit' | 'wouldUndo'> {
  const atOneMoment = <T>(work: (belongings: ReturnType<typeof belongingsIn>) => Promise<T>): Promise<T> =>
    db
      .transaction()
      .setIsolationLevel('repeatable read')
      .setAccessMode('read only')
      .execute((view) => work(belongingsIn(readingOf(view))));

  return {
    wouldMove: (from, to) => atOneMoment((belongings) => belongings.all(from, to)),
    wouldSplit: (from, identifiers) => atOneMoment((belongings) => belongings.by(from, identifiers)),
    wouldUndo: (mergeId) =>
      atOneMoment(async (belongings) => {
        const merge = await belongings.undoable(mergeId);
        return merge && belongings.left(merge.moved, merge.winner);
      }),
  };
}

/** Statements of the way in, with their `?`, over a connection that only reads. */
function readingOf(db: Db): Pick<Sql, 'get' | 'all'> {
  async function all<T extends object>(text: string, ...values: readonly unknown[]): Promise<T[]> {
    const pieces = text.split('?');
    const { rows } = await raw<T>(Object.assign(pieces, { raw: pieces }), ...values).execute(db);
    return rows;
  }
  return {
    all,
    get: async <T extends object>(text: string, ...values: readonly unknown[]) => (await all<T>(text, ...values))[0],
  };
}
