import type { ReplayState } from './replay.ts';
import type {
  Customer,
  DeliveryLog,
  DeliveryView,
  EndpointView,
  EventQuery,
  EventView,
  FieldProblem,
  Filed,
  Labels,
  LedgerEvent,
  Message,
  Page,
  ReadItem,
  Refusal,
  Role,
  RouteView,
  Session,
  TaskState,
  Ticket,
  TicketPatch,
  TicketsWanted,
  TicketView,
  Trial,
  TypeEntry,
  User,
} from './views.ts';

/** A refused or failed call; `status` is 0 when nothing was answered at all. */
export class ApiFailure extends Error {
  readonly status: number;
  readonly problems: readonly FieldProblem[];

  constructor(status: number, text: string, problems: readonly FieldProblem[] = []) {
    super(text);
    this.name = 'ApiFailure';
    this.status = status;
    this.problems = problems;
  }
}

interface Call {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: object;
  /** Makes a repeated POST count once. */
  readonly key?: string;
  /** The ticket must be as this version of it was: else 412. */
  readonly ifVersion?: number;
}

/** Calls of our own API: it comes from the same installation, so its answers have the shape that it documents. */
export async function call<T>(path: string, asked: Call = {}): Promise<T> {
  const { method = 'GET', query = {}, body } = asked;
  const given = Object.entries(query).filter((pair): pair is [string, string] => Boolean(pair[1]));
  const search = new URLSearchParams(given).toString();
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}${search && `?${search}`}`, {
      method,
      headers: headersOf(asked),
      ...(body && { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiFailure(0, '');
  }
  // Without a session the same address answers with the way to sign in.
  if (response.status === 401) location.reload();
  if (!response.ok) throw await failureOf(response);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

function headersOf({ body, key, ifVersion }: Call): Record<string, string> {
  return {
    ...(body && { 'content-type': 'application/json' }),
    ...(key !== undefined && { 'idempotency-key': key }),
    ...(ifVersion !== undefined && { 'if-match': `"${ifVersion}"` }),
  };
}

/** All entries of a list, page by page. */
async function all<T>(read: (cursor: string | undefined) => Promise<Page<T>>): Promise<readonly T[]> {
  const entries: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    entries.push(...page.data);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return entries;
}

async function failureOf(response: Response): Promise<ApiFailure> {
  const { status } = response;
  try {
    const { detail, hint, errors } = (await response.json()) as { detail?: unknown; hint?: unknown; errors?: unknown };
    const text = [detail, hint].filter((part) => typeof part === 'string').join(' ');
    return new ApiFailure(status, text, Array.isArray(errors) ? (errors as FieldProblem[]) : []);
  } catch {
    return new ApiFailure(status, `HTTP ${status}`);
  }
}

const at = (id: string) => `/tickets/${encodeURIComponent(id)}`;
const delivery = (id: string) => `/deliveries/${encodeURIComponent(id)}`;
const event = (id: string) => `/events/${encodeURIComponent(id)}`;
const endpoint = (role: Role, id: string) => `/${role}s/${encodeURIComponent(id)}`;

export const api = {
  session: () => call<Session>('/session'),
  signOut: () => call<undefined>('/session', { method: 'DELETE' }),
  endpoints: (role: Role) => all<EndpointView>((cursor) => call(`/${role}s`, { query: { limit: '200', cursor } })),
  catalogue: () => call<Page<TypeEntry>>('/catalogue'),
  connect: (role: Role, body: object, key: string) => call<EndpointView>(`/${role}s`, { method: 'POST', body, key }),
  change: (role: Role, id: string, body: object) => call<EndpointView>(endpoint(role, id), { method: 'PATCH', body }),
  remove: (role: Role, id: string) => call<undefined>(endpoint(role, id), { method: 'DELETE' }),
  routes: () => all<RouteView>((cursor) => call('/routes', { query: { limit: '200', cursor } })),
  refused: (role: Role, id: string) => call<Page<Refusal>>(`${endpoint(role, id)}/refused`),
  tryOut: (role: Role, id: string) => call<Trial>(`${endpoint(role, id)}/test`, { method: 'POST', key: newKey() }),
  resume: (role: Role, id: string) => call(`${endpoint(role, id)}/resume`, { method: 'POST', key: newKey() }),
  events: (query: EventQuery): Promise<Page<LedgerEvent>> => call('/events', { query: { ...query, limit: '50' } }),
  event: (id: string) => call<EventView>(event(id)),
  /** What a channel makes of the bytes of an event now. */
  readAgain: (id: string) => call<{ readonly items: readonly ReadItem[] }>(`${event(id)}/items`),
  fileAgain: (id: string) => call<Filed>(`${event(id)}/replay`, { method: 'POST', key: newKey() }),
  /** Of the last 24 hours. */
  balance: () => call<{ readonly received: number; readonly balanced: boolean }>('/events/balance'),
  deliveries: (query: {
    readonly destination?: string;
    readonly message?: string;
    readonly state?: TaskState | undefined;
    readonly cursor?: string | undefined;
  }): Promise<Page<DeliveryView>> => call('/deliveries', { query: { ...query, limit: '50' } }),
  delivery: (id: string) => call<DeliveryLog>(delivery(id)),
  replay: (id: string) => call<DeliveryLog>(`${delivery(id)}/replay`, { method: 'POST', key: newKey() }),
  /** Sends many again, or with `dryRun` only counts them. */
  replayMany: (body: {
    readonly destination: string;
    readonly state: ReplayState;
    readonly since: string | undefined;
    readonly dryRun: boolean;
  }) => call<{ readonly count: number }>('/deliveries/replay', { method: 'POST', body, key: newKey() }),
  cancelReplays: (destination: string) =>
    call<{ readonly count: number }>('/deliveries/replay/cancel', {
      method: 'POST',
      body: { destination },
      key: newKey(),
    }),
  /** The end of the change feed. */
  async position(): Promise<number> {
    return Number((await call<{ readonly nextCursor: string }>('/changes')).nextCursor);
  },
  tickets: (query: TicketsWanted): Promise<Page<Ticket>> =>
    call('/tickets', { query: { ...query, status: query.status.join(','), limit: '50' } }),
  users: () => all<User>((cursor) => call('/users', { query: { limit: '200', cursor } })),
  labels: () => call<Labels>('/labels'),
  ticket: (id: string) => call<TicketView>(at(id)),
  customer: (id: string) => call<Customer>(`/customers/${encodeURIComponent(id)}`),
  message: (id: string) => call<Message>(`/messages/${encodeURIComponent(id)}`),
  messages: (id: string, cursor: string | null): Promise<Page<Message>> =>
    call(`${at(id)}/messages`, { query: { limit: '200', cursor: cursor ?? undefined } }),
  update: (id: string, patch: TicketPatch, ifVersion: number) =>
    call<Ticket>(at(id), { method: 'PATCH', body: patch, ifVersion }),
  reply: (id: string, reply: { readonly text: string; readonly channel: string }, key: string) =>
    call<Message>(`${at(id)}/replies`, { method: 'POST', body: reply, key }),
  note: (id: string, note: { readonly text: string }, key: string) =>
    call<Message>(`${at(id)}/notes`, { method: 'POST', body: note, key }),
};
export type Api = typeof api;

/** A key that nobody else makes. `crypto.randomUUID` is missing where the page came over plain HTTP. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
