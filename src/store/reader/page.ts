import { sql, type RawBuilder } from 'kysely';
import { z, type ZodType } from 'zod';
import { BadPayloadError } from '../../core/errors.ts';
import type { Page, PageRequest } from '../../core/reader.ts';

/** Cursors: the sort keys of the last row of a page, behind which the next one goes on. Opaque outside. */

const keys = z.tuple([z.string(), z.array(z.union([z.string().max(1000), z.number()])).max(4)]);

/**
 * What a cursor of the list `name` holds, or undefined without one. One that was made for another list or sort order, or
 * by somebody else, throws `BadPayloadError` (400).
 */
export function keysOf<T>(name: string, schema: ZodType<T>, cursor: string | undefined): T | undefined {
  if (cursor === undefined) return undefined;
  const [list, values] = keys.safeParse(parse(cursor)).data ?? [];
  const found = schema.safeParse(values);
  if (list !== name || !found.success) {
    throw new BadPayloadError('the cursor is not one of this list', {
      status: 400,
      hint: 'Pass nextCursor of the page before unchanged, with the same sort order, or leave it out to start again.',
      problems: [{ pointer: '/cursor', message: 'is not a cursor of this list' }],
    });
  }
  return found.data;
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}

export function toCursor(name: string, values: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify([name, values])).toString('base64url');
}

/** The schema of the cursors of lists that are sorted by one id. */
export const byId = z.tuple([z.string()]);

/** Cuts rows that were read with one more than the limit; that one says that there is another page. */
export function cut<R>(
  rows: readonly R[],
  page: PageRequest,
  cursorOf: (last: R) => string,
): { readonly rows: readonly R[]; readonly nextCursor: string | null } {
  const kept = rows.slice(0, page.limit);
  const last = kept.at(-1);
  return { rows: kept, nextCursor: rows.length > page.limit && last !== undefined ? cursorOf(last) : null };
}

/** Renders the rows of a cut page. */
export async function render<R, T>(
  { rows, nextCursor }: { readonly rows: readonly R[]; readonly nextCursor: string | null },
  toViews: (rows: readonly R[]) => Promise<readonly T[]> | readonly T[],
): Promise<Page<T>> {
  return { data: await toViews(rows), nextCursor };
}

/** `value` as part of a LIKE pattern with `\` as its escape character. */
export function escapeLike(value: string): string {
  return value.replace(/[\\%_]/g, '\\$&');
}

/**
 * Conditions of partial indexes, word for word as in the schema: the planner takes such an index only when the query
 * repeats its condition, and with literals, not parameters.
 */
export const OPEN: RawBuilder<boolean> = sql`state IN ('waiting', 'delivering')`;
export const SET_ASIDE: RawBuilder<boolean> = sql`state IN ('dead', 'needs_check')`;
export const UNFILED: RawBuilder<boolean> = sql`outcome IN ('rejected', 'quarantined')`;

/** Rows by a key, in their order. `Map.groupBy` is missing on Node 20. */
export function groupBy<T, K>(rows: readonly T[], keyOf: (row: T) => K): ReadonlyMap<K, readonly T[]> {
  const groups = new Map<K, T[]>();
  for (const row of rows) {
    const group = groups.get(keyOf(row));
    if (group) group.push(row);
    else groups.set(keyOf(row), [row]);
  }
  return groups;
}

/** The values that are there, each once. */
export function distinct<T>(values: readonly (T | null | undefined)[]): readonly T[] {
  return [...new Set(values.filter((value) => value !== null && value !== undefined))];
}
