import type { Fetched, RouteFacts, Target } from '../core/gateway.ts';
import type { EventRow, PayloadRow, TaskRefRow } from '../core/rows.ts';
import type { Store, Transaction } from '../core/store.ts';
import { acceptAction, isAgentAction, type Ways } from './actions.ts';
import { accept, type Accepted, type AcceptDeps, type Source } from './accept.ts';
import { writeAndAnnounce, type Announcer } from './announce.ts';
import type { Unit } from './read.ts';

/** A payload that was read, to be filed. Plain data: it may be done on another thread. */
export interface Filing {
  readonly items: readonly Unit[];
  readonly source: Source;
  readonly payload: PayloadRow;
  readonly ways: Ways;
  readonly fetched: Fetched | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Filed {
  /** One for each item. */
  readonly accepted: readonly Accepted[];
  /** Tasks that may start now. */
  readonly due: readonly TaskRefRow[];
}

export interface FilingDeps extends AcceptDeps {
  readonly targetsOf: (facts: RouteFacts | undefined) => readonly Target[];
}

/** Payloads that can't be read raise one alarm, until none came for this long. */
const ALARM_AGAIN_MS = 3_600_000;

/** Files everything that a payload says in one transaction. */
export async function file(store: Pick<Store, 'write'>, filing: Filing, deps: FilingDeps): Promise<Filed> {
  let due: readonly TaskRefRow[] = [];
  const announcing = {
    ...deps,
    store,
    clock: { now: () => filing.now },
    announced: (tasks: typeof due) => {
      due = tasks;
    },
  };
  const accepted = await writeAndAnnounce(announcing, locksOf(filing.items), (tx, announcer) =>
    fileItems(tx, announcer, filing, deps),
  );
  return { accepted, due };
}

async function fileItems(
  tx: Transaction,
  announcer: Announcer,
  { items, source, payload, ways, fetched }: Filing,
  deps: FilingDeps,
): Promise<Accepted[]> {
  const results: Accepted[] = [];
  const accepting = { ...deps, ways };
  for (const [index, item] of items.entries()) {
    const result = await acceptUnit(tx, announcer, item, source, accepting);
    results.push(result);
    await tx.insertEvent(eventOf(result, { id: deps.newId('evt'), payloadId: payload.id, item: index, source }));
  }
  const sameAs = await firstOf(tx, results, payload);
  await tx.savePayload(sameAs === undefined ? payload : { ...payload, sameAs, body: undefined, blob: undefined });
  if (results.some(isUnread)) await alarmOnce(tx, announcer, payload.endpointId, payload.receivedAt);
  if (fetched) await tx.saveCursor(payload.endpointId, fetched.cursor, fetched.processId);
  return results;
}

export function acceptUnit(
  tx: Transaction,
  announcer: Announcer,
  item: Unit,
  source: Source,
  deps: AcceptDeps & { readonly ways: Ways },
): Promise<Accepted> {
  return isAgentAction(item)
    ? acceptAction(tx, announcer, item, source, deps)
    : accept(tx, announcer, item, source, deps);
}

/** The bytes lie in the database once: a repeated delivery points at the first one. */
async function firstOf(
  tx: Transaction,
  results: readonly Accepted[],
  payload: PayloadRow,
): Promise<string | undefined> {
  const [first] = results;
  if (first?.firstPayload === undefined || results.some((each) => each.outcome !== 'duplicate')) return undefined;
  return tx.payloadWith(first.firstPayload, payload);
}

export const isUnread = ({ outcome }: Accepted): boolean => outcome === 'quarantined';

/** The operator hears of the first of many: a sender who changed his format sends nothing else any more. */
async function alarmOnce(tx: Transaction, announcer: Announcer, endpointId: string, at: number): Promise<void> {
  const { quarantinedAt } = await tx.endpointState(endpointId);
  await tx.updateEndpointState(endpointId, { quarantinedAt: at });
  if (quarantinedAt !== null && at - quarantinedAt < ALARM_AGAIN_MS) return;
  const extra = { endpoint: endpointId, health: 'degraded', reason: 'what came in could not be read' };
  await announcer.change({ type: 'channel.health_changed', version: 0, extra });
}

export function eventOf(
  { outcome, reason, externalId, ticketId, messageId }: Accepted,
  place: Pick<EventRow, 'id' | 'payloadId' | 'item' | 'replayOf'> & { readonly source: Source },
): EventRow {
  const { id, payloadId, item, source, replayOf } = place;
  const { endpointId, receivedAt } = source;
  const said = { outcome, reason: reason?.slice(0, 1000), externalId, ticketId, messageId };
  return { id, payloadId, item, endpointId, receivedAt, replayOf, ...said };
}

/** People and threads that the items touch: filings that share one run one after the other. */
export function locksOf(items: readonly Unit[]): string[] {
  const locks = new Set<string>();
  for (const item of items) {
    if (isAgentAction(item)) locks.add(`action ${item.id}`).add(`link ${item.ticket}`);
    if (item.kind === 'moved') locks.add(`thread ${item.from}`).add(`thread ${item.to}`);
    if (!('externalId' in item)) continue;
    locks.add(`message ${item.externalId}`);
    if (!('thread' in item)) continue;
    if (item.group !== undefined) locks.add(`group ${item.group.key}`);
    if (item.thread.externalId !== undefined) locks.add(`thread ${item.thread.externalId}`);
    for (const { kind, value } of item.sender.identifiers) locks.add(`${kind} ${value}`);
  }
  return [...locks].sort();
}
