import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Channel, Context, Raw } from '../../../core/connector.ts';
import { PermanentError, RetryableError } from '../../../core/errors.ts';
import { jsonOf } from '../../../core/json.ts';
import { read } from '../graph.ts';
import type { Graph } from '../graph.ts';
import { id, time } from '../payload.ts';
import { Form, LEAD_FIELDS } from './lead.ts';
import type { Handed } from './lead.ts';

const HOUR_MS = 3_600_000;
/** How far back the first pass goes: Meta keeps leads for 90 days, and those of last month are no news. */
export const FIRST_MS = 24 * HOUR_MS;
/** Meta may list a lead a while after it was made, and clocks differ. */
export const OVERLAP_MS = HOUR_MS;
/** Leads, or forms, that are asked for at once. */
const PAGE = 50;
/** 5,000 forms. */
const FORM_PAGES = 100;
/** Questions of one poll, so that it ends in time. */
const MOST_ASKED = 100;

const Paging = z
  .object({ cursors: z.object({ after: z.string().optional() }).optional(), next: z.string().optional() })
  .optional();
const Listed = z.object({ data: z.array(z.unknown()), paging: Paging });
type Listed = z.output<typeof Listed>;

/** How far a form was read. Times are milliseconds since the epoch. */
const Mark = z.object({
  since: z.number(),
  /** Leads since then that were handed over, and when each was made. */
  seen: z.array(z.tuple([z.string(), z.number()])),
  /** Where it goes on, and when its first page was read, while there are more pages. */
  next: z.object({ after: z.string(), begun: z.number() }).optional(),
  /** It is read from its beginning because Meta no longer knew where it was to go on. */
  again: z.literal(true).optional(),
  /** What Meta said the last time, where it doesn't give its leads. */
  refused: z.string().optional(),
});
type Mark = z.output<typeof Mark>;

const State = z.object({
  /** What was made before is no news, of no form. */
  first: z.number(),
  forms: z.array(z.tuple([z.string(), Mark])),
  /** Forms that this pass still has to read. */
  left: z.array(z.string()),
});
type State = z.output<typeof State>;

/**
 * Reads the leads of one form after the other, each from where it was left: so what Meta told of, and what it couldn't
 * tell while nobody listened, comes the same way, and a form that can't be read loses nothing and holds up no other.
 */
export function createPoll(deps: {
  readonly graph: Graph;
  readonly pageId: string;
  readonly clock: Context['clock'];
}): NonNullable<Channel['poll']> {
  const { graph, pageId, clock } = deps;

  return async (cursor = '', signal) => {
    const now = clock.now();
    const state: State = State.safeParse(jsonOf(Buffer.from(cursor))).data ?? {
      first: toSecond(now - FIRST_MS),
      forms: [],
      left: [],
    };
    const forms = await formsOf(graph, pageId, signal);
    const marks = new Map(state.forms.filter(([form]) => forms.has(form)));
    const unread = state.left.filter((form) => forms.has(form));
    const left = unread.length > 0 ? unread : [...forms.keys()];
    const items: Raw[] = [];
    for (let asked = 0; asked < MOST_ASKED && items.length === 0; asked++) {
      const form = forms.get(left[0] ?? '');
      if (!form) break;
      const mark = marks.get(form.id) ?? { since: state.first, seen: [] };
      const step = await readForm(graph, form, { mark, now, signal });
      marks.set(form.id, step.mark);
      items.push(...step.news);
      if (step.isRead) left.shift();
    }
    const next: State = { first: state.first, forms: [...marks], left };
    return { items, cursor: JSON.stringify(next), more: left.length > 0 };
  };
}

/** Every form of the Page, by its id: archived ones may still get leads. */
export async function formsOf(graph: Graph, pageId: string, signal: AbortSignal): Promise<Map<string, Form>> {
  const forms = new Map<string, Form>();
  let after: string | undefined;
  for (let page = 0; page < FORM_PAGES; page++) {
    const query = queryOf({ fields: 'id,name,questions{key,label,type}', after });
    const listed = read(Listed, await graph.get(`${pageId}/leadgen_forms?${query}`, signal), 'the forms');
    for (const one of listed.data) {
      const form = read(Form, one, 'a form');
      forms.set(form.id, form);
    }
    after = behind(listed);
    if (after === undefined) return forms;
  }
  throw new RetryableError(`the Page has more than ${FORM_PAGES * PAGE} forms, or Meta's list of them never ends`);
}

interface Step {
  readonly news: readonly Raw[];
  readonly mark: Mark;
  readonly isRead: boolean;
}

/** One page of a form's leads. */
async function readForm(
  graph: Graph,
  form: Form,
  { mark, now, signal }: { readonly mark: Mark; readonly now: number; readonly signal: AbortSignal },
): Promise<Step> {
  const since = { field: 'time_created', operator: 'GREATER_THAN', value: mark.since / 1000 };
  const query = queryOf({ fields: LEAD_FIELDS, filtering: JSON.stringify([since]), after: mark.next?.after });
  try {
    const listed = read(Listed, await graph.get(`${form.id}/leads?${query}`, signal), 'the leads');
    return stepBehind(listed, form, { mark, begun: mark.next?.begun ?? now });
  } catch (error) {
    if (!(error instanceof PermanentError)) throw error;
    const { next, again, ...rest } = mark;
    // Places in a list are good for a while only; once, so that a page that Meta never gives doesn't go on for ever.
    if (next && !again) return { news: [], mark: { ...rest, again: true }, isRead: false };
    const refused = error.message;
    return {
      news: refused === mark.refused ? [] : [toRaw({ form, refused })],
      mark: { ...rest, refused },
      isRead: true,
    };
  }
}

function stepBehind(
  listed: Listed,
  form: Form,
  { mark, begun }: { readonly mark: Mark; readonly begun: number },
): Step {
  const { since, seen, next, again } = mark;
  const known = new Set(seen.map(([key]) => key));
  const leads = listed.data.map((lead) => ({ lead, ...keyOf(lead, begun) })).toSorted((a, b) => a.at - b.at);
  const news = leads.filter(({ key }) => !known.has(key));
  // What is older than that is not asked for again.
  const from = toSecond(begun - OVERLAP_MS);
  const now = [...seen, ...news.filter(({ at }) => at > from).map(({ key, at }): [string, number] => [key, at])];
  const after = behind(listed);
  const isRead = after === undefined || after === next?.after;
  return {
    news: news.map(({ lead }) => toRaw({ form, lead })),
    mark: isRead
      ? { since: from, seen: now.filter(([, at]) => at > from) }
      : { since, seen: now, next: { after, begun }, ...(again && { again }) },
    isRead,
  };
}

const Known = z.object({ id, created_time: time });

/** What can't be read is handed over too, once, so that it is set aside and shows. */
function keyOf(lead: unknown, begun: number): { readonly key: string; readonly at: number } {
  const { data } = Known.safeParse(lead);
  if (data) return { key: data.id, at: data.created_time ?? begun };
  return { key: createHash('sha256').update(JSON.stringify(lead)).digest('base64url'), at: begun };
}

function behind({ paging }: Listed): string | undefined {
  return paging?.next === undefined ? undefined : paging.cursors?.after;
}

function queryOf(given: Readonly<Record<string, string | undefined>>): string {
  const all = Object.entries({ ...given, limit: String(PAGE) });
  return new URLSearchParams(all.filter((pair): pair is [string, string] => pair[1] !== undefined)).toString();
}

/** Meta counts in seconds. */
function toSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}

function toRaw(handed: Handed): Raw {
  return { body: Buffer.from(JSON.stringify(handed)) };
}
