import { z } from 'zod';
import { BadPayloadError } from '../core/errors.ts';
import type { Page, PageRequest } from '../core/reader.ts';

/** Schemas that many operations share. Ids are opaque: only their length is checked. */

export const Id = z.string().min(1).max(128);
/** What a person writes. */
export const Text = z.string().trim().min(1).max(100_000);
export const IdParams = z.strictObject({ id: Id });

/** RFC 3339 with any offset, read as epoch milliseconds. */
export const Time = z.iso
  .datetime({ offset: true })
  .transform((text) => Date.parse(text))
  .meta({ description: 'RFC 3339' });

export const TimeText = z.iso.datetime();

export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(200).default(50).meta({ description: 'Most entries of a page, 1 to 200' }),
  cursor: z.string().min(1).max(500).optional().meta({ description: '`nextCursor` of the page before' }),
};
export const PageQuery = z.strictObject(pageQuery);

/** A list parameter: `status=new,open`. */
export function listOf<T extends z.ZodType<unknown, string>>(element: T) {
  return z
    .string()
    .max(1000)
    .transform((text) => text.split(','))
    .pipe(z.array(element).min(1).max(20))
    .meta({ override: { type: 'string' }, description: 'Several are separated by commas' });
}

/** `{ data, nextCursor }` */
export function pageOf<T extends z.ZodType>(element: T) {
  return z.object({ data: z.array(element), nextCursor: z.string().nullable() });
}

export function toPageRequest(query: { limit: number; cursor?: string | undefined }): PageRequest {
  return { limit: query.limit, ...(query.cursor !== undefined && { cursor: query.cursor }) };
}

/** A page of a list that is in memory; the cursor is the id of the last entry. */
export function pageFrom<T extends { readonly id: string }>(all: readonly T[], request: PageRequest): Page<T> {
  const start = request.cursor === undefined ? 0 : all.findIndex((entry) => entry.id === request.cursor) + 1;
  if (request.cursor !== undefined && start === 0) throw new BadPayloadError('No such cursor', { status: 400 });
  const data = all.slice(start, start + request.limit);
  const last = data.at(-1);
  return { data, nextCursor: last && start + data.length < all.length ? last.id : null };
}

/** The entries that are there: contracts tell "left out" from "undefined". */
export function present<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
