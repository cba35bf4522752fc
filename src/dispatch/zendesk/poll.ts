import type { Context, Fetching, Raw } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { pollMoved } from '../../core/moved-tickets.ts';
import type { Api, Audit, Ticket } from './api.ts';
import { authorsOf, pagesOf, timeOf } from './audits.ts';
import type { History, Person } from './audits.ts';

const PAGE = 50;
const MOST_PAGES = 200;

/** What changed in our tickets since it was last asked. The first time: nothing, but from then on. */
export function createPoll({ clock }: Pick<Context, 'clock'>, api: Api): NonNullable<Fetching['poll']> {
  return pollMoved(clock, {
    movedSince: async (from, signal) =>
      (await changedSince(api, from, signal)).map((ticket) => ({
        id: ticket.id,
        at: movedAt(ticket),
        isOurs: isOurs(ticket.external_id),
      })),
    async look({ id }, { known, unread }, signal) {
      const isNew = (audit: Audit) => (known ? Number(audit.id) > Number(known) : timeOf(audit) >= unread);
      const all = await auditsOf(api, id, unread, signal);
      const audits = all.filter(isNew);
      const items = audits.length > 0 ? [await toRaw(api, id, audits, signal)] : [];
      return { items, known: all.at(-1)?.id ?? known ?? '0' };
    },
  });
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
