import type { Log, Receipt } from '../core/connector.ts';
import { isEnvelope } from '../core/envelope.ts';
import { NotFoundError, PermanentError, RetryableError, textOf } from '../core/errors.ts';
import type { Endpoint, Fetched, Intake } from '../core/gateway.ts';
import type { Payload } from '../core/payload.ts';
import { redactHeaders, redactUrl } from '../core/redact.ts';
import type { PayloadRow } from '../core/rows.ts';
import { statusUrlOf, type StatusPages } from '../core/status-page.ts';
import type { Store } from '../core/store.ts';
import { isAgentAction, ticketOf, type Way } from './actions.ts';
import type { Accepted, AcceptDeps, Source } from './accept.ts';
import { writeAndAnnounce, type AnnounceDeps } from './announce.ts';
import { createChannelChoice } from './answer.ts';
import { createAwaited, type AwaitedDeps } from './awaited.ts';
import { createCanonical } from './canonical.ts';
import { acceptUnit, eventOf, isUnread, locksOf, type Filed, type Filing } from './filing.ts';
import { broken, itemsOf, type Unit } from './read.ts';

export interface ReceiveDeps extends AnnounceDeps, AcceptDeps, AwaitedDeps {
  readonly store: Store;
  /** Files what was read, where that is done. */
  readonly file: (filing: Filing) => Promise<Filed>;
  readonly log: Log;
  readonly endpointOf: (id: string) => Endpoint | undefined;
  readonly threadsOf: (type: string) => 'person' | 'topic';
  readonly statusPages: StatusPages;
  /** Where phones without a country code are from (ISO 3166), if the operator said so. */
  readonly country: string | undefined;
  readonly announced: (due: readonly { id: string; endpointId: string }[]) => void;
  /** There is something to be fetched from a channel. */
  readonly wake: (endpointId: string) => void;
}

/** Bodies above this lie beside the database, as a blob. */
const INLINE_BYTES = 64 * 1024;

/** The one way in for payloads: what customers wrote, and what agents did in help desks. */
export function createIntake(given: ReceiveDeps): Intake {
  const deps = { ...given, toCanonical: createCanonical(given.country) };
  const { store } = deps;
  const { chooseChannel } = createChannelChoice(deps);
  const toAwaited = createAwaited(deps);

  function endpointOf(id: string): Endpoint {
    const endpoint = deps.endpointOf(id);
    if (!endpoint) throw new NotFoundError(`there is no endpoint ${id}`);
    return endpoint;
  }

  async function toUnits(items: readonly Unit[], receivedAt: number): Promise<Unit[]> {
    const units: Unit[] = [];
    for (const each of items) units.push(await toAwaited(each, receivedAt));
    return units;
  }

  async function receive(payload: Payload, fetched?: Fetched): Promise<Receipt> {
    const endpoint = endpointOf(payload.endpointId);
    const items = await toUnits(await itemsOf(deps, endpoint, payload), payload.receivedAt);
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
    const row = rowOf(deps.newId('pay'), payload, { blob, units: items.length });
    const source = sourceOf(deps, endpoint, row.id, payload.receivedAt);
    const ways = await waysOf(endpoint.id, items);
    const { accepted, due } = await deps.file({ items, source, payload: row, ways, fetched, now: deps.clock.now() });
    deps.announced(due);
    const unread = accepted.find(isUnread);
    if (unread) {
      deps.log.warn(
        { endpoint: endpoint.id, payload: row.id, reason: unread.reason },
        'a payload is quarantined, with its bytes',
      );
    }
    if (items.some((item) => item.kind === 'wake')) deps.wake(endpoint.id);
    return { items: accepted.map(toReceipt) };
  }

  function toReceipt({ outcome, ticketId, ticketNumber }: Accepted): Receipt['items'][number] {
    const opened = outcome === 'ticket_created' && ticketId !== undefined;
    const statusUrl = opened ? statusUrlOf(deps.statusPages, ticketId) : undefined;
    return { outcome, ticketId, ticketNumber, statusUrl };
  }

  /** Through which channels answers go: asked before the transaction, since a channel may have to look. */
  async function waysOf(endpointId: string, items: readonly Unit[]): Promise<ReadonlyMap<string, Way>> {
    const ways = new Map<string, Way>();
    for (const item of items) {
      if (item.kind !== 'reply') continue;
      const ticket = await store.write([], (tx) => ticketOf(tx, item, endpointId));
      if (ticket) ways.set(item.id, await chooseChannel(ticket.id, {}));
    }
    return ways;
  }

  /** What the bytes of an event say now. */
  async function reread(eventId: string) {
    const event = await store.read.event(eventId);
    if (!event) throw new NotFoundError(`there is no event ${eventId}`);
    const row = await store.read.payload(event.payloadId);
    if (!row?.body) {
      throw new PermanentError('the bytes of this event are gone: the retention has passed', {
        hint: 'Raise retention.payloads to keep them longer.',
      });
    }
    const endpoint = endpointOf(event.endpoint);
    const items = await itemsOf(deps, endpoint, { ...row, body: row.body });
    // A payload that could not be read at all has one event for everything that it says now.
    const unread = row.units !== items.length;
    const chosen = unread ? items : items.slice(event.item, event.item + 1);
    if (chosen.length === 0) throw new PermanentError(`the payload has no item ${event.item} any more`);
    return { event, row, endpoint, unread, chosen };
  }

  return {
    receive,

    reread: async (eventId) => (await reread(eventId)).chosen,

    async replay(eventId, actor) {
      const { event, row, endpoint, unread, ...read } = await reread(eventId);
      const chosen = await toUnits(read.chosen, row.receivedAt);
      const now = deps.clock.now();
      const source = sourceOf(deps, endpoint, row.id, now);
      const ways = await waysOf(endpoint.id, chosen);
      const results = await writeAndAnnounce(deps, locksOf(chosen), async (tx, announcer) => {
        const filed: Accepted[] = [];
        for (const [index, item] of chosen.entries()) {
          const result = await acceptUnit(tx, announcer, asked(item), source, { ...deps, ways });
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

function sourceOf(deps: ReceiveDeps, endpoint: Endpoint, payloadId: string, receivedAt: number): Source {
  const { id: endpointId, type, autoReply: texts, channel } = endpoint;
  const autoReply = texts === undefined ? undefined : { texts, statusPages: deps.statusPages };
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
