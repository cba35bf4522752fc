import { z } from 'zod';
import type { Context, Fetching, Raw } from '../../core/connector.ts';
import { isRefused } from '../../core/errors.ts';
import type { Api } from './api.ts';
import type { Config } from './config.ts';
import type { History } from './history.ts';
import { markOn } from './notes.ts';
import type { Change, Deal, Note } from './shapes.ts';

/** What was done lately may be shown late: it is asked for again. */
const OVERLAP_MS = 5 * 60_000;
const SECOND_MS = 1000;
const MOST_PAGES = 20;
const DEALS_AT_ONCE = 100;
/** Deals whose state is remembered; of others the changelog is asked once more. */
const MOST_STATES = 1000;

const Cursor = z.object({
  /** When the last note and the last deal were changed that are known, by Pipedrive's clock. */
  notes: z.number(),
  deals: z.number(),
  /** Notes that were written before are no news, also where somebody changes them. Behind `notes` while there is much. */
  floor: z.number(),
  /** Notes that were changed shortly before `notes`: when, by their id. */
  seen: z.record(z.string(), z.number()),
  /** Status and stage of our deals, as they were told; the one that changed last at the end. */
  states: z.array(z.tuple([z.string(), z.string()])),
});
type Cursor = z.output<typeof Cursor>;

/** What was done in our deals since it was last asked. The first time: nothing, but from then on. */
export function createPoll(
  config: Config,
  { clock }: Pick<Context, 'clock'>,
  api: Api,
  me: () => Promise<string>,
): NonNullable<Fetching['poll']> {
  const isTold = Object.keys(config.statuses).length > 0;

  return async (text, signal) => {
    const before = text === undefined ? undefined : Cursor.parse(JSON.parse(text));
    if (!before) return { items: [], cursor: JSON.stringify(begin(clock.now())) };
    const written = await notesSince(api, before.notes - OVERLAP_MS, signal);
    const news = written.all.filter((note) => isNews(before, note));
    const changed = isTold ? await api.dealsChanged(before.deals - OVERLAP_MS, signal) : { all: [], isCut: false };
    const theirs = news.filter((note) => markOn(note) === undefined);
    const deals = await ourDeals(api, config, theirs, changed.all, signal);
    const moves = await movesOf(
      { api, me, before, signal },
      changed.all.filter(({ id }) => deals.has(id)),
    );
    const ours = news.filter((note) => markOn(note) !== undefined);
    const items = toRaws({ theirs: theirs.filter(({ deal_id: id }) => deals.has(id ?? '')), ours, moves });
    const notes = reached(before.notes, written, ({ update_time: at }) => at);
    const after: Cursor = {
      notes,
      deals: reached(before.deals, changed, ({ update_time: at }) => Date.parse(at)),
      floor: written.isCut ? before.floor : notes,
      seen: seenAfter(before, written.all, notes),
      states: statesAfter(before, moves),
    };
    return { items, cursor: JSON.stringify(after), more: written.isCut || changed.isCut };
  };
}

function begin(now: number): Cursor {
  return { notes: now, deals: now, floor: now, seen: {}, states: [] };
}

function isNews({ floor, seen }: Cursor, { id, add_time: at, active_flag: isThere }: Note): boolean {
  return isThere !== false && at >= floor - OVERLAP_MS && seen[id] === undefined;
}

/** Asked from where the page before ended: what is changed meanwhile moves others out of their place in a list. */
async function notesSince(api: Api, from: number, signal: AbortSignal) {
  const found = new Map<string, Note>();
  let [since, start] = [from, 0];
  for (let page = 0; page < MOST_PAGES; page++) {
    const { notes, more } = await api.notesSince(since, start, signal);
    for (const note of notes) found.set(note.id, note);
    const last = notes.at(-1);
    if (!more || !last) return { all: [...found.values()], isCut: false };
    const goesOn = last.update_time > since;
    start = goesOn ? 0 : start + notes.length;
    since = Math.max(since, last.update_time);
  }
  return { all: [...found.values()], isCut: true };
}

/** How far it was read. Where there is more, the next time begins at the last one. */
function reached<T>(before: number, { all, isCut }: { all: readonly T[]; isCut: boolean }, at: (one: T) => number) {
  const last = all.reduce((latest, one) => Math.max(latest, at(one)), 0);
  return isCut ? Math.max(last + OVERLAP_MS, before + SECOND_MS) : Math.max(last, before);
}

function seenAfter({ seen }: Cursor, notes: readonly Note[], since: number): Cursor['seen'] {
  const all = { ...seen, ...Object.fromEntries(notes.map(({ id, update_time: at }) => [id, at])) };
  return Object.fromEntries(Object.entries(all).filter(([, at]) => at >= since - OVERLAP_MS));
}

/** Of the deals that changed, and of those that notes were written in, ours. */
async function ourDeals(
  api: Api,
  { dealIdField }: Config,
  notes: readonly Note[],
  changed: readonly Deal[],
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const known = new Set(changed.map(({ id }) => id));
  const unknown = [...new Set(notes.flatMap(({ deal_id: id }) => id ?? []))].filter((id) => !known.has(id));
  const deals = [...changed];
  for (let from = 0; from < unknown.length; from += DEALS_AT_ONCE) {
    deals.push(...(await api.deals(unknown.slice(from, from + DEALS_AT_ONCE), signal)));
  }
  const isOurs = ({ custom_fields: custom }: Deal) => {
    const id = custom?.[dealIdField];
    return typeof id === 'string' && id.startsWith('tkt_');
  };
  return new Set(deals.filter(isOurs).map(({ id }) => id));
}

interface Asking {
  readonly api: Api;
  /** The user of the token. */
  readonly me: () => Promise<string>;
  readonly before: Cursor;
  readonly signal: AbortSignal;
}
/** What became of a deal's status or stage: told, ours, or neither. `state` is to be remembered. */
interface Move {
  readonly deal: string;
  readonly state: string;
  readonly moved?: NonNullable<History['moved']>;
  readonly isOurs?: true;
}

async function movesOf(asking: Asking, deals: readonly Deal[]): Promise<Move[]> {
  const known = new Map(asking.before.states);
  const people = createPeople(asking);
  const moves: Move[] = [];
  for (const deal of deals) {
    const state = `${deal.status}/${deal.stage_id ?? ''}`;
    const isSame = known.get(deal.id) === state || (!known.has(deal.id) && isUntouched(deal));
    const move = isSame ? { deal: deal.id, state } : await moveOf(asking, deal, state, people);
    if (move) moves.push(move);
  }
  return moves;
}

function isUntouched({ status, stage_change_time: moved }: Deal): boolean {
  return status === 'open' && moved == null;
}

/** Undefined where the changelog doesn't say yet who it was. */
async function moveOf({ api, me, before, signal }: Asking, deal: Deal, state: string, people: People) {
  const user = await me();
  // In its own pages also the user of the token is a colleague.
  const isOurs = ({ actor_user_id: by, change_source: from }: Change) =>
    by === user && from !== 'app' && from !== 'mobile';
  const changes = (await changesOf(api, deal.id, signal)).filter((change) => hasLedTo(deal, change));
  const [last] = changes.sort((a, b) => b.time - a.time || Number(isOurs(a)) - Number(isOurs(b)));
  if (!last) return undefined;
  const about = { deal: deal.id, state };
  if (isOurs(last)) return { ...about, isOurs: true } satisfies Move;
  if (last.time < before.deals - OVERLAP_MS) return about;
  const by = await people(last.actor_user_id);
  return { ...about, moved: { at: last.time, by, status: deal.status, stage_id: deal.stage_id } } satisfies Move;
}

/** Times are of whole seconds, so of several only what they led to tells which was the last. */
function hasLedTo({ status, stage_id: stage }: Deal, { field_key: key, new_value: value }: Change): boolean {
  return key === 'status' ? value === status : key === 'stage_id' && value === String(stage);
}

/** None of a deal that was deleted meanwhile. */
async function changesOf(api: Api, id: string, signal: AbortSignal): Promise<Change[]> {
  try {
    return await api.changes(id, signal);
  } catch (error) {
    if (!isRefused(error, 404)) throw error;
    return [];
  }
}

type People = (id: string | null | undefined) => Promise<string>;

/** Names of users, each asked for once. */
function createPeople({ api, signal }: Asking): People {
  const known = new Map<string, string>();
  return async (id) => {
    if (!id) return 'Pipedrive';
    const name = known.get(id) ?? (await nameOf(api, id, signal));
    known.set(id, name);
    return name;
  };
}

async function nameOf(api: Api, id: string, signal: AbortSignal): Promise<string> {
  try {
    return (await api.user(id, signal)).name || `Pipedrive user ${id}`;
  } catch (error) {
    if (!isRefused(error, 403, 404)) throw error;
    return `Pipedrive user ${id}`;
  }
}

function statesAfter({ states }: Cursor, moves: readonly Move[]): Cursor['states'] {
  const now = new Map(moves.map(({ deal, state }) => [deal, state]));
  const others = states.filter(([deal]) => !now.has(deal));
  return [...others, ...now].slice(-MOST_STATES);
}

/** One for each deal in which there is something new. */
function toRaws({
  theirs,
  ours,
  moves,
}: {
  theirs: readonly Note[];
  ours: readonly Note[];
  moves: readonly Move[];
}): Raw[] {
  const ids = new Set([...theirs, ...ours].map(({ deal_id: id }) => id ?? ''));
  for (const { deal, moved, isOurs } of moves) if (moved || isOurs) ids.add(deal);
  return [...ids].map((deal) => {
    const isHere = ({ deal_id: id }: Note) => (id ?? '') === deal;
    const move = moves.find((each) => each.deal === deal);
    const notes = theirs.filter(isHere).sort((a, b) => a.add_time - b.add_time || Number(a.id) - Number(b.id));
    const told: History = {
      deal,
      notes: notes.map(({ id, add_time: at, content: html, user }) => ({
        id,
        at,
        by: user?.name || 'Pipedrive',
        html,
      })),
      ...(move?.moved && { moved: move.moved }),
      ours: [...ours.filter(isHere).map(({ id }) => `note ${id}`), ...(move?.isOurs ? [`deal ${move.state}`] : [])],
    };
    return { body: Buffer.from(JSON.stringify(told)) };
  });
}
