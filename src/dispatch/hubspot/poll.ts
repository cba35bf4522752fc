import { z } from 'zod';
import type { Context, Fetching, Raw } from '../../core/connector.ts';
import { isRefused } from '../../core/errors.ts';
import type { Api, Filter, Kind, Thing } from './api.ts';
import type { Config } from './config.ts';
import { isOurNote, NOTE_PROPERTIES } from './history.ts';
import type { History } from './history.ts';

/** What changed shows in a search only after a while: it is looked for again. */
const OVERLAP_MS = 5 * 60_000;
/** A search gives at most 10,000, 200 to the page. */
const MOST_PAGES = 50;
const NOTES_AT_ONCE = 100;
const WITH_HISTORY_AT_ONCE = 50;

const Cursor = z.object({
  /** When the last note and the last change of a ticket were made that are known, by HubSpot's clock. */
  notes: z.number(),
  tickets: z.number(),
  /** Notes and stages since shortly before that: when, by their name. */
  seen: z.record(z.string(), z.number()),
});
type Cursor = z.output<typeof Cursor>;
type Stage = NonNullable<NonNullable<Thing['propertiesWithHistory']>[string]>[number];

/** What was done in our tickets since it was last asked. The first time: nothing, but from then on. */
export function createPoll(
  config: Config,
  { clock }: Pick<Context, 'clock'>,
  api: Api,
  appId: () => Promise<string>,
): NonNullable<Fetching['poll']> {
  const { idProperty } = config;

  return async (text, signal) => {
    const before = text === undefined ? undefined : Cursor.parse(JSON.parse(text));
    if (!before) return { items: [], cursor: JSON.stringify({ notes: clock.now(), tickets: clock.now(), seen: {} }) };
    const seen = { ...before.seen };
    const written = await found(api, 'notes', 'hs_createdate', [], before.notes, signal);
    const isOurs: Filter = { propertyName: idProperty, operator: 'HAS_PROPERTY' };
    const changed = await found(api, 'tickets', 'hs_lastmodifieddate', [isOurs], before.tickets, signal);
    const news = written.things.filter(({ id }) => seen[`note:${id}`] === undefined);
    const places = await placesOf(api, news, signal);
    const named = [...changed.things.map(({ id }) => id), ...[...places.values()].flat()];
    const tickets = await ticketsOf(api, config, named, signal);
    // A note of several tickets is said in one: the first that is ours.
    const placeOf = ({ id }: Thing) => places.get(id)?.find((ticket) => tickets.has(ticket));
    const notes = await notesIn(
      api,
      news.filter((note) => placeOf(note) !== undefined),
      signal,
    );
    const people = createPeople(api, signal);
    const app = tickets.size > 0 ? await appId() : '';
    const items: Raw[] = [];
    for (const [id, ticket] of tickets) {
      const stages = (ticket.propertiesWithHistory?.hs_pipeline_stage ?? []).filter(
        (stage) => timeOf(stage) >= before.tickets - OVERLAP_MS && seen[stageName(id, stage)] === undefined,
      );
      const own = notes.filter((note) => placeOf(note) === id);
      if (own.length + stages.length > 0) items.push(await toRaw(api, { id, notes: own, stages, app, people, signal }));
      for (const stage of stages) seen[stageName(id, stage)] = timeOf(stage);
    }
    for (const note of news) seen[`note:${note.id}`] = createdAt(note);
    const since = { notes: written.since, tickets: changed.since };
    const oldest = Math.min(since.notes, since.tickets) - OVERLAP_MS;
    const recent = Object.entries(seen).filter(([, at]) => at >= oldest);
    const cursor: Cursor = { ...since, seen: Object.fromEntries(recent) };
    return { items, cursor: JSON.stringify(cursor), more: written.more || changed.more };
  };
}

/** Those of a kind whose time is not before, in order, and how far they reach. */
async function found(api: Api, kind: Kind, sort: string, and: readonly Filter[], since: number, signal: AbortSignal) {
  const from: Filter = { propertyName: sort, operator: 'GTE', value: String(since - OVERLAP_MS) };
  const things: Thing[] = [];
  let after: string | undefined = '0';
  for (let page = 0; page < MOST_PAGES && after !== undefined; page++) {
    const next = await api.search(kind, [from, ...and], sort, after, signal);
    things.push(...next.results);
    after = next.after;
  }
  const times = things.map(({ properties }) => Date.parse(properties[sort] ?? '')).filter((at) => at >= 0);
  const last = times.reduce((a, b) => Math.max(a, b), 0);
  const more = after !== undefined;
  // Where it gives no more, the next search begins at the last one, however many there are within the overlap.
  return { things, since: Math.max(since, more ? last + OVERLAP_MS : last), more };
}

/** The tickets of each note. */
async function placesOf(api: Api, notes: readonly Thing[], signal: AbortSignal) {
  const places = new Map<string, readonly string[]>();
  for (const some of chunks(notes, NOTES_AT_ONCE)) {
    const pairs = await api.ticketsOf(
      some.map(({ id }) => id),
      signal,
    );
    for (const [note, tickets] of pairs) places.set(note, tickets);
  }
  return places;
}

/** Of these tickets ours, with the stages that they were in. */
async function ticketsOf(api: Api, { idProperty }: Config, ids: readonly string[], signal: AbortSignal) {
  const ours = new Map<string, Thing>();
  for (const some of chunks([...new Set(ids)], WITH_HISTORY_AT_ONCE)) {
    const read = await api.readMany('tickets', some, [idProperty], { history: ['hs_pipeline_stage'], signal });
    for (const ticket of read) if (ticket.properties[idProperty]?.startsWith('tkt_')) ours.set(ticket.id, ticket);
  }
  return ours;
}

async function notesIn(api: Api, notes: readonly Thing[], signal: AbortSignal): Promise<readonly Thing[]> {
  const read: Thing[] = [];
  for (const some of chunks(notes, NOTES_AT_ONCE)) {
    const ids = some.map(({ id }) => id);
    read.push(...(await api.readMany('notes', ids, NOTE_PROPERTIES, { signal })));
  }
  return read;
}

interface Given {
  readonly id: string;
  readonly notes: readonly Thing[];
  readonly stages: readonly Stage[];
  /** The app that our token belongs to: what it did is ours. */
  readonly app: string;
  readonly people: (userId: string | null | undefined) => Promise<string>;
  readonly signal: AbortSignal;
}

async function toRaw(api: Api, { id: ticket, notes, stages, app, people, signal }: Given): Promise<Raw> {
  const isOurStage = (stage: Stage) => stage.sourceType === 'INTEGRATION' && stage.sourceId === app;
  const said: History['notes'][number][] = [];
  for (const note of notes.filter((each) => !isOurNote(each))) {
    const { hs_note_body: html, hs_attachment_ids: files, hs_created_by_user_id: by } = note.properties;
    const named = (files ?? '').split(';').filter((file) => /^\d{1,20}$/.test(file));
    said.push({
      id: note.id,
      at: createdAt(note),
      by: await people(by),
      html: html ?? '',
      files: await Promise.all(named.map((file) => fileOf(api, file, signal))),
    });
  }
  const moved: History['stages'][number][] = [];
  for (const stage of stages.filter((each) => !isOurStage(each))) {
    const by = stage.updatedByUserId == null ? undefined : String(stage.updatedByUserId);
    moved.push({ at: timeOf(stage), value: stage.value, by: await people(by) });
  }
  const ours = [
    ...notes.filter(isOurNote).map(({ id }) => `note ${id}`),
    ...stages.filter(isOurStage).map(({ value }) => `stage ${value}`),
  ];
  return { body: Buffer.from(JSON.stringify({ ticket, notes: said, stages: moved, ours } satisfies History)) };
}

async function fileOf(api: Api, id: string, signal: AbortSignal): Promise<History['notes'][number]['files'][number]> {
  try {
    const { name, extension, size } = await api.file(id, signal);
    const whole = [name ?? `file-${id}`, extension].filter(Boolean).join('.');
    return { id, name: whole, ...(size != null && { size }) };
  } catch (error) {
    if (!isRefused(error, 403, 404)) throw error;
    return { id, name: `file-${id}` };
  }
}

/** Names of users, each asked for once. */
function createPeople(api: Api, signal: AbortSignal): Given['people'] {
  const known = new Map<string, string>();
  return async (id) => {
    if (!id) return 'HubSpot';
    const name = known.get(id) ?? (await nameOf(api, id, signal));
    known.set(id, name);
    return name;
  };
}

async function nameOf(api: Api, id: string, signal: AbortSignal): Promise<string> {
  try {
    const { firstName, lastName, email } = await api.user(id, signal);
    return [firstName, lastName].filter(Boolean).join(' ') || email || `HubSpot user ${id}`;
  } catch (error) {
    if (!isRefused(error, 403, 404)) throw error;
    return `HubSpot user ${id}`;
  }
}

function stageName(ticket: string, stage: Stage): string {
  return `stage:${ticket}:${stage.timestamp}`;
}

function timeOf({ timestamp }: Stage): number {
  return Date.parse(timestamp);
}

function createdAt({ properties }: Thing): number {
  return Date.parse(properties.hs_createdate ?? properties.hs_timestamp ?? '') || 0;
}

function* chunks<T>(list: readonly T[], size: number): Generator<readonly T[]> {
  for (let from = 0; from < list.length; from += size) yield list.slice(from, from + size);
}
