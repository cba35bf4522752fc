import type { Log, Receipt } from '../core/connector.ts';
import { isEnvelope } from '../core/envelope.ts';
import { NotFoundError, PermanentError, RetryableError, textOf } from '../core/errors.ts';
import type { Endpoint, Fetched, Intake } from '../core/gateway.ts';
import type { Payload } from '../core/payload.ts';
import { redactHeaders, redactUrl } from '../core/redact.ts';
import type { EventRow, PayloadRow } from '../core/rows.ts';
import type { Store, Transaction } from '../core/store.ts';
import { acceptAction, isAgentAction, ticketThere, type Way } from './actions.ts';
import { accept, type Accepted, type AcceptDeps, type Source } from './accept.ts';
import { writeAndAnnounce, type AnnounceDeps, type Announcer } from './announce.ts';
import { createChannelChoice } from './answer.ts';
import { createCanonical } from './canonical.ts';
import { broken, itemsOf, type Unit } from './read.ts';

export interface ReceiveDeps extends AnnounceDeps, AcceptDeps {
  readonly store: Store;
  readonly log: Log;
  readonly endpointOf: (id: string) => Endpoint | undefined;
  readonly threadsOf: (type: string) => 'person' | 'topic';
  /** Where phones without a country code are from (ISO 3166), if the operator said so. */
  readonly country: string | undefined;
  readonly announced: (due: readonly { id: string; endpointId: string }[]) => void;
  /** There is something to be fetched from a channel. */
  readonly wake: (endpointId: string) => void;
}

/** Bodies above this lie beside the database, as a blob. */
const INLINE_BYTES = 64 * 1024;
/** Payloads that can't be read raise one alarm, until none came for this long. */
const ALARM_AGAIN_MS = 3_600_000;

/** The one way in for payloads: what customers wrote, and what agents did in help desks. */
export function createIntake(given: ReceiveDeps): Intake {
  const deps = { ...given, toCanonical: createCanonical(given.country) };
  const { store } = deps;
  const { chooseChannel } = createChannelChoice(deps);

  function endpointOf(id: string): Endpoint {
    const endpoint = deps.endpointOf(id);
    if (!endpoint) throw new NotFoundError(`there is no endpoint ${id}`);
    return endpoint;
  }

  async function receive(payload: Payload, fetched?: Fetched): Promise<Receipt> {
    const endpoint = endpointOf(payload.endpointId);
    const items = await itemsOf(deps, endpoint, payload);
    const large = payload.body.length > INLINE_BYTES;
    // Written and synced before the commit that points to it.
    const blob = large ? (await store.blobs.save(payload.body, payload.body.length)).sha256 : undefined;
    const arrival = { endpoint, payload, blob, fetched };
    try {
      return await file(arrival, items);
    } catch (error) {
      if (error instanceof RetryableError) throw error;
      // A fault of ours: it would fail again each time that it came, and hold up everything behind it.
      deps.log.error({ endpoint: endpoint.id, error }, 'a payload could not be filed');
      return await file(arrival, [broken('', `filing it failed: ${textOf(error)}`)]);
    }
  }

  async function file({ endpoint, payload, blob, fetched }: Arrival, items: readonly Unit[]): Promise<Receipt> {
    const id = deps.newId('pay');
    const ways = await waysOf(endpoint.id, items);
    const source = sourceOf(deps, endpoint, id, payload.receivedAt);
    const accepted = await writeAndAnnounce(deps, locksOf(items), async (tx, announcer) => {
      const results: Accepted[] = [];
      for (const [index, item] of items.entries()) {
        const result = await acceptUnit(tx, announcer, item, source, ways);
        results.push(result);
        await tx.insertEvent(eventOf(result, { id: deps.newId('evt'), payloadId: id, item: index, source }));
      }
      const row = rowOf(id, payload, { blob, units: items.length });
      const sameAs = await firstOf(results, payload);
      await tx.savePayload(sameAs === undefined ? row : { ...row, sameAs, body: undefined, blob: undefined });
      if (results.some(isUnread)) await alarmOnce(tx, announcer, endpoint.id, payload.receivedAt);
      if (fetched) await tx.saveCursor(endpoint.id, fetched.cursor, fetched.processId);
      return results;
    });
    const unread = accepted.find(isUnread);
    if (unread) {
      deps.log.warn(
        { endpoint: endpoint.id, payload: id, reason: unread.reason },
        'a payload is quarantined, with its bytes',
      );
    }
    if (items.some((item) => item.kind === 'wake')) deps.wake(endpoint.id);
    return { items: accepted.map(({ outcome, ticketId, ticketNumber }) => ({ outcome, ticketId, ticketNumber })) };
  }

  /** Through which channels answers go: asked before the transaction, since a channel may have to look. */
  async function waysOf(destinationId: string, items: readonly Unit[]): Promise<ReadonlyMap<string, Way>> {
    const ways = new Map<string, Way>();
    for (const item of items) {
      if (item.kind !== 'reply') continue;
      const ticket = await store.write([], (tx) => ticketThere(tx, destinationId, item.ticket));
      if (ticket) ways.set(item.id, await chooseChannel(ticket.id, {}));
    }
    return ways;
  }

  const acceptUnit = (
    tx: Transaction,
    announcer: Announcer,
    item: Unit,
    source: Source,
    ways: ReadonlyMap<string, Way>,
  ): Promise<Accepted> =>
    isAgentAction(item)
      ? acceptAction(tx, announcer, item, source, { ...deps, ways })
      : accept(tx, announcer, item, source, deps);

  /** The bytes lie in the database once: a repeated delivery points at the first one. */
  async function firstOf(results: readonly Accepted[], payload: Payload): Promise<string | undefined> {
    const [first] = results;
    if (first?.firstPayload === undefined || results.some((each) => each.outcome !== 'duplicate')) return undefined;
    const earlier = await store.read.payload(first.firstPayload);
    return earlier?.body?.equals(payload.body) ? earlier.id : undefined;
  }

  return {
    receive,

    async replay(eventId, actor) {
      const event = await store.read.event(eventId);
      if (!event) throw new NotFoundError(`there is no event ${eventId}`);
      const row = await store.read.payload(event.payloadId);
      if (!row?.body) {
        throw new PermanentError('the bytes of this event are gone: the retention has passed', {
          hint: 'Raise retention.payloads to keep them longer.',
        });
      }
      const endpoint = endpointOf(event.endpoint);
      const items = await itemsOf(deps, endpoint, { ...row, body: row.body, receivedAt: row.receivedAt });
      // A payload that could not be read at all has one event for everything that it says now.
      const unread = row.units !== items.length;
      const chosen = unread ? items : items.slice(event.item, event.item + 1);
      if (chosen.length === 0) throw new PermanentError(`the payload has no item ${event.item} any more`);
      const now = deps.clock.now();
      const source = sourceOf(deps, endpoint, row.id, now);
      const ways = await waysOf(endpoint.id, chosen);
      const results = await writeAndAnnounce(deps, locksOf(chosen), async (tx, announcer) => {
        const filed: Accepted[] = [];
        for (const [index, item] of chosen.entries()) {
          const result = await acceptUnit(tx, announcer, asked(item), source, ways);
          filed.push(result);
          const place = { id: deps.newId('evt'), payloadId: row.id, item: unread ? index : event.item };
          await tx.insertEvent(eventOf(result, { ...place, source, replayOf: event.id }));
        }
        await tx.audit({ at: now, actor, action: 'event.replay', target: event.id });
        return filed;
      });
      return { items: results };
    },

    async dryRun(endpointId, payload) {
      return itemsOf(deps, endpointOf(endpointId), payload);
    },
  };
}

interface Arrival {
  readonly endpoint: Endpoint;
  readonly payload: Payload;
  readonly blob: string | undefined;
  readonly fetched: Fetched | undefined;
}

/** An operator has looked at it: what a guard blocked goes through, and what opens no ticket by itself opens one. */
function asked(item: Unit): Unit {
  if (isAgentAction(item)) return item;
  const passed = item.kind === 'rejected' && item.envelope ? item.envelope : item;
  return isEnvelope(passed) ? { ...passed, quiet: undefined } : passed;
}

const isUnread = ({ outcome }: Accepted) => outcome === 'quarantined';

/** The operator hears of the first of many: a sender who changed his format sends nothing else any more. */
async function alarmOnce(tx: Transaction, announcer: Announcer, endpointId: string, at: number): Promise<void> {
  const { quarantinedAt } = await tx.endpointState(endpointId);
  await tx.updateEndpointState(endpointId, { quarantinedAt: at });
  if (quarantinedAt !== null && at - quarantinedAt < ALARM_AGAIN_MS) return;
  const extra = { endpoint: endpointId, health: 'degraded', reason: 'what came in could not be read' };
  await announcer.change({ type: 'channel.health_changed', version: 0, extra });
}

function eventOf(
  { outcome, reason, externalId, ticketId, messageId }: Accepted,
  place: Pick<EventRow, 'id' | 'payloadId' | 'item' | 'replayOf'> & { readonly source: Source },
): EventRow {
  const { id, payloadId, item, source, replayOf } = place;
  const { endpointId, receivedAt } = source;
  const said = { outcome, reason: reason?.slice(0, 1000), externalId, ticketId, messageId };
  return { id, payloadId, item, endpointId, receivedAt, replayOf, ...said };
}

function sourceOf(deps: ReceiveDeps, endpoint: Endpoint, payloadId: string, receivedAt: number): Source {
  const { id: endpointId, type, autoReply, channel } = endpoint;
  const knowsPeople = channel?.profile !== undefined;
  return { endpointId, threads: deps.threadsOf(type), payloadId, receivedAt, autoReply, knowsPeople };
}

function rowOf(
  id: string,
  payload: Payload,
  { blob, units }: { readonly blob: string | undefined; readonly units: number },
): PayloadRow {
  const { endpointId, receivedAt, method, url, headers, remoteAddress, body } = payload;
  return {
    id,
    endpointId,
    receivedAt,
    method,
    url: redactUrl(url),
    headers: redactHeaders(headers),
    remoteAddress,
    body: blob === undefined ? body : undefined,
    blob,
    units,
  };
}

/** People and threads that the items touch: filings that share one run one after the other. */
function locksOf(items: readonly Unit[]): string[] {
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
