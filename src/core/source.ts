import { z } from 'zod';

/**
 * Where a value is found, said in data: what the mappings of channels and of destinations are written in. It runs no
 * code and no pattern of the operator's.
 */

/** RFC 6901 within the element; with `#` before it, within the whole. */
export const Pointer = z
  .string()
  .max(500)
  .regex(/^#?(\/([^~/]|~[01])*)+$/, {
    error: 'is not a JSON pointer such as /data/id (or #/data/id for the whole payload)',
  });
export type Pointer = string;

export const Source = z.union(
  [
    Pointer,
    z.array(Pointer).min(1).max(20),
    z.strictObject({ template: z.string().min(1).max(2000) }),
    z.strictObject({ value: z.union([z.string().max(2000), z.number()]) }),
  ],
  { error: 'must be a JSON pointer (/data/id), a list of them, { template: "Order {/id}" } or { value: "constant" }' },
);
export type Source = z.output<typeof Source>;

/** Where pointers look. `keyed`: lists whose elements they name by a key instead of their position, list → key. */
export interface Place {
  readonly root: unknown;
  readonly element: unknown;
  readonly keyed: Readonly<Record<string, string>>;
}

/** What a source says: the first of its pointers that finds something, its text filled in, or its constant. */
export function pick(source: Source, place: Place): string | number | boolean | object | undefined {
  if (typeof source === 'string') return found(source, place);
  if (Array.isArray(source)) {
    for (const pointer of source) {
      const value = found(pointer, place);
      if (value !== undefined) return value;
    }
    return undefined;
  }
  if ('value' in source) return source.value;
  return fill(source.template, place);
}

/** The template with its pointers filled in; undefined when none of them finds anything. */
function fill(template: string, place: Place): string | undefined {
  let hits = 0;
  const text = template.replaceAll(/\{(#?\/[^{}]*)\}/g, (_match, pointer: string) => {
    const value = fieldText(found(pointer, place)) ?? '';
    if (value) hits += 1;
    return value;
  });
  return hits > 0 ? text : undefined;
}

/** As `find`; null and the empty text count as nothing. */
function found(pointer: Pointer, place: Place): string | number | boolean | object | undefined {
  const value = find(pointer, place);
  return value === null || value === '' ? undefined : value;
}

export function find(pointer: Pointer, { root, element, keyed }: Place): unknown {
  const start = pointer.startsWith('#') ? root : element;
  let value: unknown = start;
  let path = pointer.startsWith('#') ? '#' : '';
  for (const token of pointer.slice(pointer.indexOf('/') + 1).split('/')) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    const by = keyed[path];
    value = Array.isArray(value) && by ? elementBy(value, by, key) : child(value, key);
    path += `/${token}`;
  }
  return value;
}

function elementBy(list: readonly unknown[], by: Pointer, key: string): unknown {
  return list.find((element) => fieldText(find(by, { root: list, element, keyed: {} })) === key);
}

function child(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return /^(0|[1-9]\d{0,8})$/.test(key) ? (value[Number(key)] as unknown) : undefined;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string, unknown>)[key];
}

export function shown(source: Source): string {
  if (typeof source === 'string') return source;
  if (Array.isArray(source)) return source.join(', ');
  return 'value' in source ? String(source.value) : source.template;
}

/** A value of any JSON type as the text of a field; undefined for null. */
export function fieldText(value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined;
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((entry) => typeof entry !== 'object')) return value.map(String).join(', ');
  return JSON.stringify(value);
}
