import { call, newKey } from '../../api.ts';
import type { Customer, DeliveryView, Message, Page, Ticket } from '../../views.ts';
import type { Merge, Moves, Ref, Suggestion, Trace } from './views.ts';

const at = (id: string) => `/customers/${encodeURIComponent(id)}`;
const merge = (id: string) => `/merges/${encodeURIComponent(id)}`;
/** Of a list that is shown as a whole. */
const MANY = '100';

/** Calls of the API that only this section makes. */
export const customerCalls = {
  list: (q: string, cursor: string | undefined): Promise<Page<Customer>> =>
    call('/customers', { query: { q: q.trim(), cursor, limit: '50' } }),
  one: (id: string) => call<Customer>(at(id)),
  traces: async (id: string) => (await call<{ readonly data: readonly Trace[] }>(`${at(id)}/traces`)).data,
  suggestions: async (id: string) =>
    (await call<{ readonly data: readonly Suggestion[] }>(`${at(id)}/suggestions`)).data,
  merges: async (id: string) => (await call<Page<Merge>>(`${at(id)}/merges`)).data,
  tickets: (id: string): Promise<Page<Ticket>> => call('/tickets', { query: { customer: id, limit: MANY } }),
  timeline: (id: string, cursor: string | undefined): Promise<Page<Message>> =>
    call(`${at(id)}/timeline`, { query: { cursor, limit: '50' } }),
  deliveries: (ticketId: string): Promise<Page<DeliveryView>> =>
    call('/deliveries', { query: { ticket: ticketId, limit: MANY } }),
  previewMerge: (from: string, into: string) =>
    call<Moves>(`${at(into)}/merge/dry-run`, { method: 'POST', body: { from } }),
  previewSplit: (id: string, identifiers: readonly Ref[]) =>
    call<Moves>(`${at(id)}/split/dry-run`, { method: 'POST', body: { identifiers } }),
  previewUndo: (id: string) => call<Moves>(`${merge(id)}/undo/dry-run`, { method: 'POST' }),
  merge: (from: string, into: string, reason: string) =>
    call(`${at(into)}/merge`, { method: 'POST', body: { from, reason }, key: newKey() }),
  split: (id: string, identifiers: readonly Ref[], reason: string) =>
    call<Customer>(`${at(id)}/split`, { method: 'POST', body: { identifiers, reason }, key: newKey() }),
  tellApart: (id: string, from: string) =>
    call<{ readonly mergeId: string }>(`${at(id)}/apart`, { method: 'POST', body: { from }, key: newKey() }),
  undo: (id: string) => call(`${merge(id)}/undo`, { method: 'POST', key: newKey() }),
};
