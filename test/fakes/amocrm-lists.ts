import type { Answer } from './amocrm-drive.ts';

export type Json = Record<string, unknown>;
export type Thing = Json & { readonly id: number };

/** A page of a list; nothing on it is 204. */
export function shown(all: readonly Json[], kind: string, search: URLSearchParams): Answer {
  const [limit, page] = [Number(search.get('limit') ?? 50), Number(search.get('page') ?? 1)];
  const things = all.slice((page - 1) * limit, page * limit);
  if (things.length === 0) return { status: 204 };
  const next = all.length > page * limit ? { next: { href: `https://acme.amocrm.test/?page=${page + 1}` } } : {};
  return { status: 200, body: { _page: page, _links: { self: { href: '' }, ...next }, _embedded: { [kind]: things } } };
}

/** What a search or a filter leaves of a list; filters of leads are sold separately. */
export function list(
  all: readonly Thing[],
  kind: string,
  search: URLSearchParams,
  has: { readonly filters: boolean; readonly indexed: (thing: Thing) => boolean },
): Answer {
  const query = search.get('query')?.toLowerCase();
  const ids = kind === 'leads' && !has.filters ? [] : search.getAll('filter[id][]').map(Number);
  const types = search.getAll('filter[note_type][]');
  const isFound = (thing: Thing) =>
    query === undefined || (has.indexed(thing) && JSON.stringify(thing).toLowerCase().includes(query));
  const found = all
    .filter(isFound)
    .filter(({ id }) => ids.length === 0 || ids.includes(id))
    .filter(({ note_type: type }) => types.length === 0 || types.includes(String(type)));
  if (search.get('order[id]') === 'desc') found.sort((a, b) => b.id - a.id);
  return shown(found, kind, search);
}

export function listEvents(all: readonly Json[], search: URLSearchParams): Answer {
  const types = (search.get('filter[type]') ?? '').split(',');
  const from = Number(search.get('filter[created_at][from]'));
  const to = Number(search.get('filter[created_at][to]') ?? Infinity);
  const isIn = ({ created_at: at, type }: Json) =>
    Number(at) >= from && Number(at) <= to && types.includes(String(type));
  return shown(all.filter(isIn), 'events', search);
}
