import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import type { Context, Fetching, Raw } from '../../core/connector.ts';
import { ignored } from '../../core/envelope.ts';
import { RetryableError } from '../../core/errors.ts';
import { unless } from './api.ts';
import type { Api } from './api.ts';
import { statusOf } from './config.ts';
import type { Config } from './config.ts';
import { answerIn, isOurs, isOurUser, wordsOf } from './notes.ts';
import { Event, Lead, Note, valuesOf } from './things.ts';

/**
 * What was done in our leads, from the account's list of events, which tells of all leads.
 * https://www.amocrm.ru/developers/content/crm_platform/events-and-notes
 */

/** An event may show late: it is looked for again, seconds. */
const OVERLAP = 5 * 60;
/** The list goes by the second; of a hundred to a page, so many pages. */
const MOST_PAGES = 20;
/** Leads of which it is remembered whether they are ours. */
const MOST_KNOWN = 20_000;
const NOTES = ['common_note_added', 'attachment_note_added'];
const TYPES = [...NOTES, 'lead_status_changed'];

/** Seconds, by amoCRM's clock but for the first one. */
const Cursor = z.object({
  start: z.number(),
  /** The last event that is known. */
  since: z.number(),
  /** Where to go on, while there is more than can be read at once. */
  from: z.number().optional(),
  seen: z.record(z.string(), z.number()),
});
type Cursor = z.output<typeof Cursor>;

const File = z.object({ id: z.string(), name: z.string() });
const common = { id: z.string(), at: z.number(), by: z.string() };
const Did = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('said'), ...common, text: z.string(), files: z.array(File) }),
  z.object({ kind: z.literal('moved'), ...common, stage: z.number(), pipeline: z.number() }),
  z.object({ kind: z.literal('ours'), name: z.string() }),
]);
type Did = z.output<typeof Did>;
/** What a poll hands over of one lead, in the order of time; of what we did ourselves only the name. */
const Told = z.object({ lead: z.string(), did: z.array(Did) });
type Told = z.output<typeof Told>;

export function createPoll(
  { idField }: Config,
  { clock }: Pick<Context, 'clock'>,
  api: Api,
): NonNullable<Fetching['poll']> {
  /** Whether leads are ours: of most it is asked once only. */
  const known = new Map<string, boolean>();

  async function read(from: number, to: number | undefined, signal: AbortSignal): Promise<Event[] | undefined> {
    const query = {
      'filter[entity]': 'lead',
      'filter[type]': TYPES.join(','),
      'filter[created_at][from]': String(from),
      ...(to !== undefined && { 'filter[created_at][to]': String(to) }),
    };
    const all: Event[] = [];
    let pages = 0;
    for await (const events of api.pages('events', Event, query, { signal })) {
      if (++pages > MOST_PAGES) return undefined;
      all.push(...events);
    }
    return all;
  }

  /** Everything since, or up to a moment, where that would be too much at once. */
  async function eventsSince(from: number, signal: AbortSignal): Promise<{ events: Event[]; to: number | undefined }> {
    for (let to: number | undefined; ;) {
      const events = await read(from, to, signal);
      if (events) return { events, to };
      const end: number = to ?? Math.max(Math.floor(clock.now() / 1000), from + 2);
      if (end - from < 2) throw new RetryableError('amoCRM tells of more within a second than can be read');
      to = from + Math.floor((end - from) / 2);
    }
  }

  async function learn(leads: readonly string[], signal: AbortSignal): Promise<void> {
    const strange = [...new Set(leads)].filter((id) => !known.has(id));
    const found = await api.byIds('leads', Lead, strange, signal);
    for (const id of strange) {
      const lead = found.get(id);
      known.set(id, lead !== undefined && valuesOf(lead, idField).some((value) => value.startsWith('tkt_')));
    }
    for (const id of known.keys()) {
      if (known.size <= MOST_KNOWN) break;
      known.delete(id);
    }
  }

  return async (text, signal) => {
    const before = text === undefined ? undefined : Cursor.parse(JSON.parse(text));
    if (!before) {
      const now = Math.floor(clock.now() / 1000);
      return { items: [], cursor: JSON.stringify({ start: now, since: now, seen: {} } satisfies Cursor) };
    }
    const { start } = before;
    const begin = before.from ?? Math.max(start, before.since - OVERLAP);
    const { events, to: from } = await eventsSince(begin, signal);
    const fresh = events
      .filter(({ id, entity_type: type }) => before.seen[id] === undefined && type === 'lead')
      .sort((a, b) => a.created_at - b.created_at || (a.id < b.id ? -1 : 1));
    await learn(
      fresh.map(({ entity_id: id }) => id),
      signal,
    );
    const ours = fresh.filter(({ entity_id: id }) => known.get(id));
    const items = ours.length > 0 ? await tell(api, ours, signal) : [];
    const since = events.reduce((last, { created_at: at }) => Math.max(last, at), before.since);
    const all = [...Object.entries(before.seen), ...events.map(({ id, created_at: at }) => [id, at] as const)];
    const seen = Object.fromEntries(all.filter(([, at]) => at >= (from ?? since) - OVERLAP));
    const after: Cursor = { start, since, seen, ...(from !== undefined && { from }) };
    return { items, cursor: JSON.stringify(after), more: from !== undefined };
  };
}

/** One piece for each lead. */
async function tell(api: Api, events: readonly Event[], signal: AbortSignal): Promise<Raw[]> {
  const noteIds = events.flatMap(({ type, value_after: after }) =>
    NOTES.includes(type) ? (after ?? []).flatMap(({ note }) => note?.id ?? []) : [],
  );
  const notes = await api.byIds('notes', Note, noteIds, signal);
  const { current_user_id: me } = await api.account();
  const nameOf = createNames(api, signal);
  const told = new Map<string, Did[]>();
  for (const event of events) {
    const did = told.get(event.entity_id) ?? [];
    told.set(event.entity_id, did);
    for (const { note: named, lead_status: stage } of event.value_after ?? []) {
      const note = named && notes.get(named.id);
      if (note) did.push(isOurs(note, me) ? { kind: 'ours', name: `note ${note.id}` } : await saidIn(note, nameOf));
      if (stage)
        did.push(
          isOurMove(event, { me, client: api.client }) ? ourMove(stage.id) : await movedIn(event, stage, nameOf),
        );
    }
  }
  return [...told]
    .filter(([, did]) => did.length > 0)
    .map(([lead, did]) => ({ body: Buffer.from(JSON.stringify({ lead, did } satisfies Told)) }));
}

type NameOf = (id: number | null | undefined) => Promise<string>;

async function saidIn(note: Note, nameOf: NameOf): Promise<Did> {
  const { id, created_at: at, created_by: by, params } = note;
  const name = params.original_name ?? params.file_name ?? '';
  const file = params.file_uuid ? [{ id: params.file_uuid, name: name || params.file_uuid }] : [];
  const text = wordsOf(note) || (file.length > 0 ? '' : name);
  return { kind: 'said', id, at: at * 1000, by: await nameOf(by), text, files: file };
}

type Stage = { readonly id: number; readonly pipeline_id?: number | null | undefined };

async function movedIn({ id, created_at: at, created_by: by }: Event, stage: Stage, nameOf: NameOf): Promise<Did> {
  const common = { id, at: at * 1000, by: await nameOf(by) };
  return { kind: 'moved', ...common, stage: stage.id, pipeline: stage.pipeline_id ?? 0 };
}

function ourMove(stage: number): Did {
  return { kind: 'ours', name: `stage ${stage}` };
}

/**
 * An event names the integration that caused it, and none where a person did, so that he may share our user. Where it
 * doesn't, or we don't know our own number, what was done as a robot or as our user counts as ours.
 */
function isOurMove(
  { oauth_client_uuid: by, created_by: author }: Event,
  { me, client }: { readonly me: number | null | undefined; readonly client: string | undefined },
): boolean {
  return by === undefined || client === undefined ? isOurUser(author, me) : by === client;
}

/** Names of users, each asked for once; only administrators may. */
function createNames(api: Api, signal: AbortSignal): NameOf {
  const User = z.object({ name: z.string().nullish() });
  const names = new Map<number, string>();
  return async (id) => {
    if (!id || id < 1) return 'amoCRM';
    const name =
      names.get(id) ?? (await api.read(User, `/api/v4/users/${id}`, { signal }).catch(unless(403, 404)))?.name;
    names.set(id, name || `amoCRM user ${id}`);
    return names.get(id) ?? '';
  };
}

export function actionsOf(config: Config, given: unknown): ActionInput[] {
  const { lead, did } = Told.parse(given);
  return did.map((each): ActionInput => {
    if (each.kind === 'ours') return ignored(each.name, 'ours') as ActionInput;
    const { at, by } = each;
    const about = { ticket: lead, at, agent: by.slice(0, 1000) };
    if (each.kind === 'moved') {
      const status = statusOf(config, each.stage, each.pipeline);
      if (status) return { kind: 'status', id: `event:${each.id}`, ...about, status };
      return ignored(`stage ${each.stage}`, 'no status of ours: see `statuses`') as ActionInput;
    }
    const { id, text, files } = each;
    const attachments = files.map(({ id: uuid, name }) => ({
      id: uuid,
      name: name.slice(0, 1000),
      mediaType: 'application/octet-stream',
    }));
    const answer = answerIn(text, config.answerMark);
    const isAnswer = answer !== undefined && (answer !== '' || files.length > 0);
    const what = { id: `note:${id}`, ...about, attachments };
    return isAnswer ? { kind: 'reply', ...what, text: answer } : { kind: 'note', ...what, text };
  });
}
