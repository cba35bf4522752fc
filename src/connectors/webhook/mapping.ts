import { z } from 'zod';
import type { ItemInput } from '../../core/envelope.ts';
import { fieldText } from './native.ts';

/**
 * A mapping says in data where the parts of the native shape stand in a sender's JSON. It runs no code
 * and no pattern of the operator's.
 */

/** RFC 6901 within the element; with `#` before it, within the whole payload. */
const Pointer = z
  .string()
  .max(500)
  .regex(/^#?(\/([^~/]|~[01])*)+$/, {
    error: 'is not a JSON pointer such as /data/id (or #/data/id for the whole payload)',
  });
type Pointer = string;

const Source = z.union(
  [
    Pointer,
    z.array(Pointer).min(1).max(20),
    z.strictObject({ template: z.string().min(1).max(2000) }),
    z.strictObject({ value: z.union([z.string().max(2000), z.number()]) }),
  ],
  { error: 'must be a JSON pointer (/data/id), a list of them, { template: "Order {/id}" } or { value: "constant" }' },
);
type Source = z.output<typeof Source>;

/** An object whose values are found in the payload, one source each. */
const sources = <K extends string>(...names: K[]) =>
  z.partialRecord(z.enum(names), Source).meta({ description: `Sources of ${names.join(', ')}` });

export const Mapping = z.strictObject({
  items: Pointer.optional().meta({ description: 'The list to take apart; the whole payload when left out' }),
  keyed: z
    .record(Pointer, Pointer)
    .default({})
    .meta({ description: 'Lists whose elements pointers name by a key instead of their position: list → key' }),
  ignoreUnless: z
    .record(Pointer, z.array(z.union([z.string(), z.number(), z.boolean()])).min(1))
    .default({})
    .meta({ description: 'Elements with another value there are no messages' }),
  id: Source.optional(),
  revision: Source.optional(),
  kind: Source.optional(),
  direction: Source.optional(),
  thread: Source.optional(),
  inReplyTo: Source.optional(),
  from: sources('id', 'name', 'email', 'phone'),
  subject: Source.optional(),
  text: Source.optional(),
  html: Source.optional(),
  occurredAt: Source.optional(),
  fields: z.record(z.string().min(1).max(200), Source).default({}),
  attachments: z
    .strictObject({
      items: Pointer,
      name: Source.optional(),
      mediaType: Source.optional(),
      url: Source.optional(),
      content: Source.optional(),
    })
    .optional(),
  review: sources('rating', 'maxRating', 'product', 'url').optional(),
  call: sources('outcome', 'from', 'to', 'agent', 'waitedSec', 'talkedSec', 'transcript').optional(),
});
export type Mapping = z.output<typeof Mapping>;

/** Where pointers look. */
interface Place {
  readonly root: unknown;
  readonly element: unknown;
  readonly keyed: Mapping['keyed'];
}

/** The elements of a payload; undefined when there is no list where the mapping expects it. */
export function listOf(mapping: Mapping | undefined, root: unknown): readonly unknown[] | undefined {
  const list = mapping?.items === undefined ? root : find(mapping.items, { root, element: root, keyed: {} });
  if (Array.isArray(list)) return list as unknown[];
  return mapping?.items === undefined ? [root] : undefined;
}

/** Why an element is no message by `ignoreUnless`; undefined when it is one. */
export function ignoredBy(mapping: Mapping, root: unknown, element: unknown): ItemInput | undefined {
  for (const [pointer, wanted] of Object.entries(mapping.ignoreUnless)) {
    const value = find(pointer, { root, element, keyed: mapping.keyed });
    if (wanted.some((one) => String(one) === fieldText(value))) continue;
    const shown = (fieldText(value) ?? 'nothing').slice(0, 200).toWellFormed();
    return {
      kind: 'ignored',
      name: shown || 'empty',
      reason: `${pointer} is none of ${wanted.join(', ')}`.slice(0, 1000),
    };
  }
  return undefined;
}

/** An element in the native shape. Throws with the name and the pointer of what can't be read. */
export function toNative(mapping: Mapping, root: unknown, element: unknown): Record<string, unknown> {
  const {
    keyed,
    items: _items,
    ignoreUnless: _ignoreUnless,
    from,
    fields,
    attachments,
    review,
    call,
    ...plain
  } = mapping;
  const place = { root, element, keyed };
  const sender = readAll(from, place, 'from.');
  if (!sender.id && !sender.email && !sender.phone) {
    const tried = [from.id, from.email, from.phone].flatMap((source) => (source ? [shown(source)] : []));
    throw new Error(`from: nobody found at ${tried.join(', ')}`);
  }
  return {
    ...readAll(plain, place, ''),
    from: sender,
    fields: Object.fromEntries(Object.entries(fields).map(([name, source]) => [name, fieldText(pick(source, place))])),
    attachments: attachments && attachmentsOf(attachments, place),
    review: review && readAll(review, place, 'review.'),
    call: call && readAll(call, place, 'call.'),
  };
}

function attachmentsOf({ items, ...parts }: NonNullable<Mapping['attachments']>, place: Place): unknown {
  const list = find(items, place) ?? [];
  if (!Array.isArray(list)) throw new Error(`attachments.items: ${items} is not a list`);
  return list.map((element: unknown) => readAll(parts, { ...place, element }, 'attachments.'));
}

function readAll<K extends string>(
  all: Partial<Record<K, Source>>,
  place: Place,
  prefix: string,
): Partial<Record<K, string>> {
  const pairs = Object.entries<Source | undefined>(all).flatMap(([name, source]) => {
    const text = source === undefined ? undefined : readText(source, place, `${prefix}${name}`);
    return text === undefined ? [] : [[name, text] as const];
  });
  return Object.fromEntries(pairs) as Partial<Record<K, string>>;
}

/** A text; undefined when there is nothing. Throws when there is an object or a list. */
function readText(source: Source, place: Place, name: string): string | undefined {
  const value = pick(source, place);
  if (value === undefined) return undefined;
  if (typeof value === 'object') {
    throw new Error(
      `${name}: ${shown(source)} is ${Array.isArray(value) ? 'a list' : 'an object'}, not a text or number`,
    );
  }
  return String(value);
}

/** What a source says: the first of its pointers that finds something, its text filled in, or its constant. */
function pick(source: Source, place: Place): string | number | boolean | object | undefined {
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

function find(pointer: Pointer, { root, element, keyed }: Place): unknown {
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

function shown(source: Source): string {
  if (typeof source === 'string') return source;
  if (Array.isArray(source)) return source.join(', ');
  return 'value' in source ? String(source.value) : source.template;
}
