import { z } from 'zod';
import type { Context, Fetching, Raw } from '../../core/connector.ts';
import { Id, isSame, soqlText, soqlTime, Time } from './api.ts';
import type { Api } from './api.ts';
import type { Config } from './config.ts';
import type { Told } from './way-back.ts';
import { markIn } from './words.ts';

/**
 * What is written in a transaction has the time of its writing, and shows when the transaction ends: at most ten minutes
 * later (https://developer.salesforce.com/docs/atlas.en-us.apexcode.meta/apexcode/apex_gov_limits.htm). So far back it is
 * looked for again.
 */
const OVERLAP_MS = 11 * 60_000;
const PAGE = 500;
/** Pages of one question in one poll. */
const MOST_PAGES = 40;
/** Users who aren't customers of a portal, guests, or machines. */
const PERSON = 'Standard';

const Known = z.object({
  /** When the last one was written that is known, by Salesforce's clock. */
  since: z.number(),
  /** Those since shortly before that: when, by their name. */
  seen: z.record(z.string(), z.number()),
});
type Known = z.output<typeof Known>;
const Cursor = z.object({
  /** When it began: what was said before isn't ours to tell. */
  began: z.number(),
  comments: Known,
  statuses: Known,
});
type Cursor = z.output<typeof Cursor>;

const By = z.object({ Name: z.string().nullish(), UserType: z.string().nullish() }).nullish();
const Comment = z.object({
  Id,
  ParentId: Id,
  CommentBody: z.string().nullish(),
  IsPublished: z.boolean(),
  CreatedDate: Time,
  SystemModstamp: Time,
  CreatedById: Id,
  CreatedBy: By,
});
const Change = z.object({
  Id,
  CaseId: Id,
  NewValue: z.string().nullish(),
  CreatedDate: Time,
  CreatedById: Id,
  CreatedBy: By,
});

/** What was done in our cases since it was last asked. The first time: nothing, but from then on. */
export function createPoll(
  { idField }: Config,
  { clock }: Pick<Context, 'clock'>,
  api: Api,
): NonNullable<Fetching['poll']> {
  const comments = {
    schema: Comment,
    time: 'SystemModstamp',
    soql: `SELECT Id, ParentId, CommentBody, IsPublished, CreatedDate, SystemModstamp, CreatedById, CreatedBy.Name, CreatedBy.UserType FROM CaseComment WHERE Parent.${idField} != null`,
    at: (row: z.output<typeof Comment>) => row.SystemModstamp,
    // One that is made visible to the customer later is told again.
    nameOf: (row: z.output<typeof Comment>) => `${row.Id}:${row.IsPublished}`,
  };
  const changes = {
    schema: Change,
    time: 'CreatedDate',
    soql: `SELECT Id, CaseId, NewValue, CreatedDate, CreatedById, CreatedBy.Name FROM CaseHistory WHERE Field = 'Status' AND Case.${idField} != null`,
    at: (row: z.output<typeof Change>) => row.CreatedDate,
    nameOf: (row: z.output<typeof Change>) => row.Id,
  };

  return async (text, signal) => {
    const before = text === undefined ? undefined : Cursor.parse(JSON.parse(text));
    if (!before) {
      const began = clock.now();
      const nothing = { since: began, seen: {} };
      return { items: [], cursor: JSON.stringify({ began, comments: nothing, statuses: nothing } satisfies Cursor) };
    }
    const written = await rowsSince(api, comments, before.comments, signal);
    const moved = await rowsSince(api, changes, before.statuses, signal);
    const me = await api.user();
    const said = written.news.filter(({ CreatedDate }) => CreatedDate >= before.began - OVERLAP_MS);
    const told = [...said.map((row) => commentOf(row, me)), ...moved.news.map((row) => changeOf(row, me))];
    const items = told.sort((a, b) => a.at - b.at).map(toRaw);
    const cursor: Cursor = { began: before.began, comments: written.known, statuses: moved.known };
    return { items, cursor: JSON.stringify(cursor), more: written.more || moved.more };
  };
}

interface Question<T> {
  readonly schema: z.ZodType<T>;
  /** The field that says when. */
  readonly time: string;
  readonly soql: string;
  readonly at: (row: T) => number;
  /** What it is remembered by, once it was told. */
  readonly nameOf: (row: T) => string;
}

/** What is new of those from shortly before on, oldest first, and what is known then. */
async function rowsSince<T extends { readonly Id: string }>(
  api: Api,
  { schema, time, soql, at, nameOf }: Question<T>,
  { since, seen }: Known,
  signal: AbortSignal,
) {
  const rows: T[] = [];
  let from = `${time} >= ${soqlTime(since - OVERLAP_MS)}`;
  let more = true;
  for (let page = 0; page < MOST_PAGES && more; page++) {
    const next = await api.query(schema, `${soql} AND ${from} ORDER BY ${time}, Id LIMIT ${PAGE}`, signal);
    rows.push(...next);
    const last = next.at(-1);
    more = last !== undefined && next.length >= PAGE;
    if (last)
      from = `(${time} > ${soqlTime(at(last))} OR (${time} = ${soqlTime(at(last))} AND Id > ${soqlText(last.Id)}))`;
  }
  const last = rows.reduce((latest, row) => Math.max(latest, at(row)), 0);
  // Where there is no end of them, the next question begins at the last one, however many lie within the overlap.
  const reached = Math.max(since, more ? last + OVERLAP_MS : last);
  const all = [...Object.entries(seen), ...rows.map((row) => [nameOf(row), at(row)] as const)];
  const recent = all.filter(([, when]) => when >= reached - OVERLAP_MS);
  const known: Known = { since: reached, seen: Object.fromEntries(recent) };
  return { news: rows.filter((row) => seen[nameOf(row)] === undefined), known, more };
}

function commentOf(row: z.output<typeof Comment>, me: string): Told {
  const text = row.CommentBody ?? '';
  return {
    kind: 'comment',
    id: row.Id,
    ticket: row.ParentId,
    at: row.SystemModstamp,
    agent: nameOf(row.CreatedBy),
    isOurs: isSame(row.CreatedById, me) && markIn(text) !== undefined,
    isPerson: row.CreatedBy?.UserType === PERSON,
    isPublished: row.IsPublished,
    text,
  };
}

function changeOf(row: z.output<typeof Change>, me: string): Told {
  return {
    kind: 'status',
    id: row.Id,
    ticket: row.CaseId,
    at: row.CreatedDate,
    agent: nameOf(row.CreatedBy),
    isOurs: isSame(row.CreatedById, me),
    value: row.NewValue ?? '',
  };
}

function nameOf(by: z.output<typeof By>): string {
  return (by?.Name?.trim() || 'Salesforce').slice(0, 1000);
}

function toRaw(told: Told): Raw {
  return { body: Buffer.from(JSON.stringify(told)) };
}
