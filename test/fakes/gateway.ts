import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { ConflictError, NotFoundError, PermanentError } from '../../src/core/errors.ts';
import type { Desk, Endpoint, Endpoints, Gateway, Outbox, Route } from '../../src/core/gateway.ts';
import type { Reader } from '../../src/core/reader.ts';
import type { IdempotentRow, KeyRow, SessionRow, UserRow } from '../../src/core/access-rows.ts';
import type { EndpointState, PayloadRow } from '../../src/core/rows.ts';
import { isMask, Secret, secret } from '../../src/core/secret.ts';
import type { Blobs, Store, Transaction } from '../../src/core/store.ts';
import { outcomes, toTime } from '../../src/core/ticket.ts';
import type { Change, ChangeType, Customer, LedgerEvent, Message, Ticket } from '../../src/core/ticket.ts';
import { fakePeople } from './people.ts';
import { fakeRoutes } from './routes.ts';
import { fakeClock } from './clock.ts';
import type { FakeClock } from './clock.ts';
import { fakeLog, type FakeLog } from './context.ts';
import { placeOf } from './status-pages.ts';

type Delivery = NonNullable<Awaited<ReturnType<Reader['delivery']>>>;
type AttachmentEntry = NonNullable<Awaited<ReturnType<Reader['attachment']>>>;

/** Everything the fake knows, open to tests. */
export interface FakeState {
  readonly tickets: Map<string, Ticket>;
  readonly messages: Map<string, Message>;
  readonly customers: Map<string, Customer>;
  readonly events: Map<string, LedgerEvent>;
  readonly payloads: Map<string, PayloadRow>;
  readonly deliveries: Map<string, Delivery>;
  readonly attachments: Map<string, AttachmentEntry>;
  readonly blobs: Map<string, Buffer>;
  readonly keys: Map<string, KeyRow>;
  readonly users: Map<string, UserRow>;
  readonly sessions: Map<string, SessionRow>;
  readonly tokens: Map<string, number>;
  readonly idempotent: Map<string, IdempotentRow>;
  readonly endpoints: Map<string, Endpoint>;
  readonly endpointStates: Map<string, EndpointState>;
  readonly routes: Map<string, Route>;
  readonly changes: Change[];
  readonly audits: { at: number; actor: string; action: string; target: string; detail?: string }[];
}

export interface FakeGateway extends Gateway {
  readonly clock: FakeClock;
  readonly log: FakeLog;
  readonly state: FakeState;
  /** Adds a change to the feed and tells whoever listens. */
  change(type?: ChangeType, ticket?: Ticket): Change;
}

/** A gateway in memory: one channel `contact`, one destination `crm`, no tickets. */
export function fakeGateway(given: { readonly publicUrl?: string } = {}): FakeGateway {
  const clock = fakeClock();
  const log = fakeLog();
  const state = emptyState();
  const listeners = new Set<(change: Change) => void>();

  function change(type: ChangeType = 'ticket.updated', ticket?: Ticket): Change {
    const entry: Change = {
      seq: state.changes.length + 1,
      type,
      timestamp: toTime(clock.now()),
      data: { version: ticket?.version ?? 1, ...(ticket && { ticket }) },
    };
    state.changes.push(entry);
    for (const listener of listeners) listener(entry);
    return entry;
  }
  const parts = { state, clock, change };
  return {
    version: '0.1.0',
    ...placeOf(given.publicUrl),
    clock,
    log,
    state,
    change,
    store: fakeStore(parts),
    desk: fakeDesk(parts),
    endpoints: fakeEndpoints(state),
    routes: fakeRoutes(state),
    outbox: fakeOutbox(state),
    intake: {
      receive: async () => ({ items: [] }),
      async replay(eventId) {
        if (!state.events.has(eventId)) throw new NotFoundError('There is no such event');
        return { items: [{ outcome: 'appended', ticketId: 'tkt_1', ticketNumber: 1 }] };
      },
      reread: async (eventId) => [{ kind: 'ignored', name: 'read again', reason: eventId }],
      dryRun: async (_id, sent) => [{ kind: 'ignored', name: String(sent.body), reason: JSON.stringify(sent.headers) }],
    },
    refusals: {
      note() {},
      of: () => [
        {
          at: toTime(clock.now()),
          status: 401,
          reason: 'not signed',
          method: 'POST',
          remoteAddress: null,
          headers: ['x-signature'],
          size: 12,
        },
      ],
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

interface Parts {
  readonly state: FakeState;
  readonly clock: FakeClock;
  change(type?: ChangeType, ticket?: Ticket): Change;
}

function emptyState(): FakeState {
  return {
    tickets: new Map(),
    messages: new Map(),
    customers: new Map(),
    events: new Map(),
    payloads: new Map(),
    deliveries: new Map(),
    attachments: new Map(),
    blobs: new Map(),
    keys: new Map(),
    users: new Map(),
    sessions: new Map(),
    tokens: new Map(),
    idempotent: new Map(),
    endpoints: new Map([endpoint('contact', 'channel', 'form'), endpoint('crm', 'destination', 'webhook')]),
    endpointStates: new Map(),
    routes: new Map(),
    changes: [],
    audits: [],
  };
}

function endpoint(id: string, role: Endpoint['role'], type: string): [string, Endpoint] {
  const source = 'config/tributary.yaml:3';
  return [id, { id, role, type, name: id, enabled: true, source, settings: {}, problem: null }];
}

/** What a test forgot to fake fails by its name. */
function partly<T extends object>(known: Partial<T>): T {
  return new Proxy(known, {
    get(target, name) {
      if (name in target) return target[name as keyof typeof target];
      throw new Error(`the fake gateway has no ${String(name)}`);
    },
  }) as T;
}

function page<T>(data: readonly T[], { limit }: { limit: number }) {
  return { data: data.slice(0, limit), nextCursor: data.length > limit ? 'more' : null };
}

function fakeStore({ state, clock }: Parts): Store {
  const read = partly<Reader>({
    tickets: async ({ status, q }, request) =>
      page(
        [...state.tickets.values()].filter(
          (ticket) => (!status || status.includes(ticket.status)) && (!q || ticket.subject.includes(q)),
        ),
        request,
      ),
    ticket: async (id) => state.tickets.get(id),
    labels: async () => ({ tags: [], teams: [] }),
    ticketByNumber: async (number) => [...state.tickets.values()].find((ticket) => ticket.number === number),
    messages: async (id, request) =>
      page(
        [...state.messages.values()].filter(({ ticketId }) => ticketId === id),
        request,
      ),
    message: async (id) => state.messages.get(id),
    attachment: async (id) => state.attachments.get(id),
    customers: async ({ identifier }, request) =>
      page(
        [...state.customers.values()].filter(
          ({ identifiers }) =>
            !identifier ||
            identifiers.some(({ kind, value }) => kind === identifier.kind && value === identifier.value),
        ),
        request,
      ),
    customer: async (id) => state.customers.get(id),
    timeline: async (_id, request) => page([...state.messages.values()], request),
    merges: async () => [],
    traces: async () => [],
    suggestions: async () => [],
    events: async (_filter, request) => page([...state.events.values()], request),
    event: async (id) => state.events.get(id),
    payload: async (id) => state.payloads.get(id),
    balance: async () => {
      const counts = Object.fromEntries(outcomes.map((outcome) => [outcome, 0])) as Record<
        (typeof outcomes)[number],
        number
      >;
      for (const { outcome } of state.events.values()) counts[outcome]++;
      return { received: state.events.size, outcomes: counts, balanced: true };
    },
    deliveries: async (_filter, request) =>
      page(
        [...state.deliveries.values()].map(({ log: _log, ...view }) => view),
        request,
      ),
    delivery: async (id) => state.deliveries.get(id),
    changes: async (after, limit) => state.changes.filter(({ seq }) => seq > after).slice(0, limit),
    lastChange: async () => state.changes.length,
    endpointStates: async () => [...state.endpointStates.values()],
    backlog: async () => [{ endpointId: 'crm', waiting: 2, dead: 1, oldestAt: clock.now() - 5000 }],
    counts: async () => ({ spans: [], unsolved: {}, until: 0 }),
    keys: async () => [...state.keys.values()],
    keyByPrefix: async (prefix) => [...state.keys.values()].find((row) => row.prefix === prefix),
    session: async (hash) => {
      const row = state.sessions.get(hash);
      const user = row && state.users.get(row.userId);
      return row && user && { ...row, user };
    },
    users: async () => [...state.users.values()],
    audit: async (request) =>
      page(state.audits.map((row, index) => ({ detail: null, ...row, seq: index + 1 })).toReversed(), request),
    idempotent: async (key) => state.idempotent.get(key),
  });
  const tx = partly<Transaction>({
    async saveKey(row) {
      const { lastUsedAt } = row;
      state.keys.set(row.id, { ...(state.keys.get(row.id) ?? row), lastUsedAt });
    },
    async revokeKey(id, at) {
      const row = state.keys.get(id);
      if (row) state.keys.set(id, { ...row, revokedAt: at });
      return row !== undefined;
    },
    saveUser: async (row) => void state.users.set(row.id, row),
    async deleteUser(id) {
      if ([...state.users.values()].every((user) => user.role !== 'admin' || user.id === id)) return false;
      for (const [hash, { userId }] of state.sessions) if (userId === id) state.sessions.delete(hash);
      return state.users.delete(id);
    },
    saveSession: async (row) => void state.sessions.set(row.hash, row),
    deleteSession: async (hash) => void state.sessions.delete(hash),
    saveToken: async (hash, expiresAt) => void state.tokens.set(hash, expiresAt),
    async takeToken(hash, now) {
      const expiresAt = state.tokens.get(hash);
      state.tokens.delete(hash);
      return expiresAt !== undefined && expiresAt > now;
    },
    saveIdempotent: async (row) => void state.idempotent.set(row.key, row),
    audit: async (row) => void state.audits.push(row),
  });
  const blobOf = (sha256: string) => state.blobs.get(sha256) ?? Buffer.alloc(0);
  const blobs = partly<Blobs>({
    open: async (sha256, range) => Readable.from([blobOf(sha256).subarray(range?.start, range && range.end + 1)]),
    size: async (sha256) => blobOf(sha256).length,
    read: async (sha256) => blobOf(sha256),
  });
  return partly<Store>({ read, blobs, write: async (_locks, work) => work(tx) });
}

function fakeDesk({ state, clock, change }: Parts): Desk {
  const ticketOf = (id: string): Ticket => {
    const ticket = state.tickets.get(id);
    if (!ticket) throw new NotFoundError('There is no such ticket');
    return ticket;
  };
  const customerOf = (id: string): Customer => {
    const customer = state.customers.get(id);
    if (!customer) throw new NotFoundError('There is no such customer');
    return customer;
  };
  const save = (ticket: Ticket, type: ChangeType): Ticket => {
    state.tickets.set(ticket.id, ticket);
    change(type, ticket);
    return ticket;
  };
  const say = (ticketId: string, kind: 'message' | 'note', text: string): string => {
    const id = `msg_${state.messages.size + 1}`;
    state.messages.set(id, sampleMessage({ id, ticketId: ticketOf(ticketId).id, kind, text, direction: 'outbound' }));
    change(kind === 'note' ? 'note.created' : 'message.sent', ticketOf(ticketId));
    return id;
  };
  const open = (given: Partial<Ticket>): Ticket => {
    const number = state.tickets.size + 1;
    return save(sampleTicket({ ...given, id: `tkt_${number}`, number }), 'ticket.created');
  };
  return {
    reply: async (ticketId, { text, template }) => ({
      messageId: say(ticketId, 'message', text ?? template?.id ?? ''),
    }),
    note: async (ticketId, { text }) => ({ messageId: say(ticketId, 'note', text) }),
    async createTicket({ subject, text, priority, customer }) {
      if ('id' in customer) customerOf(customer.id);
      const ticket = open({ subject: subject ?? text, ...(priority && { priority }) });
      say(ticket.id, 'message', text);
      return { ticketId: ticket.id };
    },
    async updateTicket(ticketId, patch, _actor, ifVersion) {
      const ticket = ticketOf(ticketId);
      if (ifVersion !== undefined && ifVersion !== ticket.version) throw new ConflictError('It has changed');
      if (ticket.mergedInto !== null) throw new ConflictError('It was merged');
      save({ ...ticket, ...(patch as Partial<Ticket>), version: ticket.version + 1 }, 'ticket.updated');
    },
    async mergeTickets(from, into) {
      save({ ...ticketOf(from), mergedInto: ticketOf(into).id }, 'ticket.merged');
    },
    async splitTicket(ticketId) {
      return { ticketId: open({ subject: ticketOf(ticketId).subject }).id };
    },
    ...fakePeople(state.customers),
    replyChannels: async () => [{ channel: 'contact', type: 'form', allowed: true, until: clock.now() + 1000 }],
  };
}

function fakeEndpoints(state: FakeState): Endpoints {
  const Config = z.strictObject({ token: secret('Token'), room: z.string().default('main') });
  const writable = (id: string): Endpoint => {
    const found = state.endpoints.get(id);
    if (!found) throw new NotFoundError('There is no such endpoint');
    if (found.source !== null) throw new PermanentError(`Defined in ${found.source}`);
    return found;
  };
  const masked = (settings: Readonly<Record<string, unknown>>, before: Readonly<Record<string, unknown>> = {}) =>
    Object.fromEntries(
      Object.entries(settings).map(([name, value]) => [
        name,
        name === 'token' && !isMask(value) ? new Secret(String(value)).mask() : (value ?? before[name]),
      ]),
    );
  return {
    connectors: [
      {
        type: 'sample',
        title: 'Sample',
        summary: 'A channel for tests.',
        docs: 'channels/sample.md',
        stability: 'alpha',
        capabilities: {
          receive: ['webhook'],
          reply: false,
          idempotent: false,
          attachments: { in: false, out: false },
          localhost: true,
          threads: 'person',
          proven: ['prose'],
        },
        config: Config,
        open: () => ({ normalize: () => [] }),
      },
    ],
    destinationTypes: [],
    all: (role) => [...state.endpoints.values()].filter((entry) => !role || entry.role === role),
    get: (id) => state.endpoints.get(id),
    async create(role, { id, type, name, enabled, settings }) {
      if (state.endpoints.has(id)) throw new ConflictError(`There is a ${id} already`);
      const made: Endpoint = {
        id,
        role,
        type,
        name: name ?? id,
        enabled: enabled ?? true,
        source: null,
        settings: masked(settings),
        problem: null,
        webhook: { token: new Secret('a-long-secret-in-the-address'), verify() {} },
      };
      state.endpoints.set(id, made);
      return made;
    },
    async update(id, patch) {
      const found = writable(id);
      const settings = patch.settings ? masked(patch.settings, found.settings) : found.settings;
      const changed: Endpoint = { ...found, ...patch, autoReply: patch.autoReply ?? undefined, settings };
      state.endpoints.set(id, changed);
      return changed;
    },
    async remove(id) {
      state.endpoints.delete(writable(id).id);
    },
  };
}

function fakeOutbox(state: FakeState): Outbox {
  return {
    replay: async (id) => (state.deliveries.has(id) ? { id } : undefined),
    countReplays: async () => state.deliveries.size,
    replayAll: async () => state.deliveries.size,
    cancelReplays: async () => state.deliveries.size,
    async preview(endpointId, what) {
      if (!state.tickets.has(what.ticketId)) throw new NotFoundError('There is no such ticket or message');
      return { method: 'POST', url: `https://${endpointId}.example.com/tickets`, body: what };
    },
    async resume(endpointId) {
      state.endpointStates.delete(endpointId);
    },
  };
}

const AT = '2026-11-22T09:00:00.000Z';

export function sampleTicket(given: Partial<Ticket> = {}): Ticket {
  return {
    id: 'tkt_1',
    number: 1,
    subject: 'Where is my order?',
    status: 'new',
    priority: 'normal',
    channel: { id: 'contact', type: 'form' },
    customer: { id: 'cus_1', name: 'Olena' },
    assignee: null,
    team: null,
    tags: [],
    fields: {},
    language: null,
    messageCount: 1,
    lastMessageAt: AT,
    createdAt: AT,
    updatedAt: AT,
    links: [],
    version: 1,
    mergedInto: null,
    ...given,
  };
}

export function sampleMessage(given: Partial<Message> = {}): Message {
  return {
    id: 'msg_1',
    ticketId: 'tkt_1',
    kind: 'message',
    direction: 'inbound',
    channel: { id: 'contact', type: 'form' },
    author: { name: 'Olena', identifiers: [{ kind: 'email', value: 'o@example.com', trust: 'claimed' }] },
    verified: false,
    subject: null,
    text: 'Where is my order?',
    textFull: null,
    html: null,
    attachments: [],
    call: null,
    review: null,
    fields: {},
    reactions: [],
    automatic: null,
    externalId: 'm-1',
    revision: 0,
    occurredAt: AT,
    receivedAt: AT,
    deletedAt: null,
    delivery: null,
    threadedBy: { rule: 'new', evidence: '' },
    ...given,
  };
}

export function sampleCustomer(given: Partial<Customer> = {}): Customer {
  return {
    id: 'cus_1',
    name: 'Olena',
    locale: 'uk',
    identifiers: [{ kind: 'email', value: 'o@example.com', trust: 'claimed', firstSeenAt: AT }],
    createdAt: AT,
    updatedAt: AT,
    mergedInto: null,
    ...given,
  };
}

/** Keeps bytes as the store does, by their hash. */
export function saveBlob(state: FakeState, bytes: Buffer): string {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  state.blobs.set(sha256, bytes);
  return sha256;
}
