import { z } from 'zod';
import type { Context, Fetching, Raw } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import type { Api, Audit, Ticket } from './api.ts';
import { authorsOf, pagesOf, timeOf } from './audits.ts';
import type { History, Person } from './audits.ts';

/** What is said of the last moments may still change: it is looked at again. */
const OVERLAP_MS = 60_000;
/** A ticket that moved so long ago doesn't move again within the same second. */
const SETTLED_MS = 10_000;
const PAGE = 50;
const MOST_PAGES = 200;
/** Tickets that one poll looks into. */
const MOST_TICKETS = 50;

const Cursor = z.object({
  /** When the last change was made of the tickets that were looked into, by Zendesk's clock. */
  since: z.number(),
  /** Up to when all that was done in any ticket is known: behind `since` while there is much to be looked into. */
  read: z.number(),
  /** Tickets that changed shortly before it, and how far they were read. */
  seen: z.record(z.string(), z.object({ updated: z.string(), audit: z.string(), settled: z.boolean() })),
});
type Cursor = z.output<typeof Cursor>;

/** What changed in our tickets since it was last asked. The first time: nothing, but from then on. */
export function createPoll({ clock }: Pick<Context, 'clock'>, api: Api): NonNullable<Fetching['poll']> {
  return async (text, signal) => {
    const before = text === undefined ? undefined : Cursor.parse(JSON.parse(text));
    if (!before) return { items: [], cursor: JSON.stringify(begin(clock.now())) };
    const [from, unread] = [before.since - OVERLAP_MS, before.read - OVERLAP_MS];
    const changed = (await changedSince(api, from, signal)).sort((a, b) => movedAt(a) - movedAt(b));
    const ours = changed.filter((ticket) => isOurs(ticket.external_id));
    const news = ours.filter(({ id, updated_at: updated }) => before.seen[id]?.updated !== updated);
    // In the second that it was read something else may have happened to it.
    const unsettled = ours.filter((ticket) => !news.includes(ticket) && before.seen[ticket.id]?.settled === false);
    const more = news.length > MOST_TICKETS;
    const now = [...news, ...unsettled].slice(0, MOST_TICKETS);
    const items: Raw[] = [];
    const seen: Cursor['seen'] = { ...before.seen };
    for (const ticket of now) {
      const known = before.seen[ticket.id];
      const isNew = (audit: Audit) => (known ? Number(audit.id) > Number(known.audit) : timeOf(audit) >= unread);
      const audits = (await auditsOf(api, ticket.id, unread, signal)).filter(isNew);
      if (audits.length > 0) items.push(await toRaw(api, ticket.id, audits, signal));
      const settled = clock.now() - movedAt(ticket) > SETTLED_MS;
      seen[ticket.id] = { updated: ticket.updated_at, audit: audits.at(-1)?.id ?? known?.audit ?? '0', settled };
    }
    const since = Math.max(before.since, ...(more ? now : changed).map(movedAt));
    const recent = Object.entries(seen).filter(([, { updated }]) => Date.parse(updated) >= since - OVERLAP_MS);
    const after: Cursor = { since, read: more ? before.read : since, seen: Object.fromEntries(recent) };
    return { items, cursor: JSON.stringify(after), more };
  };
}

function begin(now: number): Cursor {
  return { since: now, read: now, seen: {} };
}

/** Tickets that we made carry our id. */
export function isOurs(externalId: string | null | undefined): boolean {
  return externalId?.startsWith('tkt_') ?? false;
}

function movedAt({ updated_at: updated }: Ticket): number {
  return Date.parse(updated);
}

async function changedSince(api: Api, from: number, signal: AbortSignal): Promise<Ticket[]> {
  const found = new Map<string, Ticket>();
  let after: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const { tickets, after: next } = await api.changed(PAGE, after, signal);
    for (const ticket of tickets) if (movedAt(ticket) >= from) found.set(ticket.id, ticket);
    if (next === undefined || tickets.some((ticket) => movedAt(ticket) < from)) break;
    after = next;
  }
  return [...found.values()];
}

/** Oldest first; none of a ticket that was deleted meanwhile. */
async function auditsOf(api: Api, id: string, from: number, signal: AbortSignal): Promise<Audit[]> {
  const audits: Audit[] = [];
  try {
    for await (const page of pagesOf(api, id, from, signal)) audits.push(...page);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return audits.sort((a, b) => Number(a.id) - Number(b.id));
}

async function toRaw(api: Api, ticket: string, audits: readonly Audit[], signal: AbortSignal): Promise<Raw> {
  const people: Record<string, Person> = {};
  for (const id of authorsOf(audits)) people[id] = await personOf(api, id, signal);
  return { body: Buffer.from(JSON.stringify({ ticket, audits, people } satisfies History)) };
}

/** Of one who is gone nobody can say that he was an agent: what he wrote goes to no customer. */
async function personOf(api: Api, id: string, signal: AbortSignal): Promise<Person> {
  try {
    const { name, role } = await api.user(id, signal);
    return { name: name ?? '', role: role === 'agent' || role === 'admin' ? 'agent' : 'customer' };
  } catch (error) {
    if (!isMissing(error)) throw error;
    return { name: '', role: 'customer' };
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof PermanentError && error.response?.status === 404;
}
