import { z } from 'zod';
import { ignored } from '../../core/envelope.ts';
import type { ItemInput } from '../../core/envelope.ts';
import { fieldText, find, pick, Pointer, shown, Source, type Place } from '../../core/source.ts';
import { Answers, readForm } from './answers.ts';
import type { Form } from './answers.ts';

/**
 * A mapping says in data where the parts of the native shape stand in a sender's JSON. It runs no code
 * and no pattern of the operator's.
 */

/** An object whose values are found in the payload, one source each. */
const sources = <K extends string>(...names: K[]) =>
  z.partialRecord(z.enum(names), Source).meta({ description: `Sources of ${names.join(', ')}` });

export const Mapping = z.strictObject({
  json: z
    .array(z.string().min(1).max(200))
    .max(20)
    .optional()
    .meta({ description: 'Names at the top of the payload whose text is JSON again' }),
  items: Pointer.optional().meta({ description: 'The list to take apart; the whole payload when left out' }),
  keyed: z
    .record(Pointer, Pointer)
    .optional()
    .meta({ description: 'Lists whose elements pointers name by a key instead of their position: list → key' }),
  ignoreUnless: z
    .record(Pointer, z.array(z.union([z.string(), z.number(), z.boolean()])).min(1))
    .optional()
    .meta({ description: 'Elements with another value there are no messages' }),
  ignoreIf: z
    .record(Pointer, z.array(z.union([z.string(), z.number(), z.boolean()])).min(1))
    .optional()
    .meta({ description: 'Elements with one of these values there are none either (tests)' }),
  sameWithin: z
    .enum(['ever', 'day'])
    .optional()
    .meta({ description: 'When equal elements without an id are one message: ever (default), or on one day (UTC)' }),
  id: Source.optional(),
  revision: Source.optional(),
  kind: Source.optional(),
  direction: Source.optional(),
  thread: Source.optional(),
  inReplyTo: Source.optional(),
  from: sources('id', 'name', 'email', 'phone').optional(),
  subject: Source.optional(),
  text: Source.optional(),
  html: Source.optional(),
  occurredAt: Source.optional(),
  fields: z.record(z.string().min(1).max(200), Source).optional(),
  more: z
    .array(Pointer)
    .max(20)
    .optional()
    .meta({ description: 'Objects whose entries are fields, whatever they are called (campaign, page)' }),
  answers: Answers.optional(),
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
  call: sources('outcome', 'from', 'to', 'agent', 'waitedSec', 'talkedSec', 'transcript', 'summary', 'mood').optional(),
});
export type Mapping = z.output<typeof Mapping>;

/** The elements of a payload; undefined when there is no list where the mapping expects it. */
export function listOf(mapping: Mapping | undefined, root: unknown): readonly unknown[] | undefined {
  const list = mapping?.items === undefined ? root : find(mapping.items, { root, element: root, keyed: {} });
  if (Array.isArray(list)) return list as unknown[];
  return mapping?.items === undefined ? [root] : undefined;
}

/** Why an element is no message by `ignoreUnless` or `ignoreIf`; undefined when it is one. */
export function ignoredBy(mapping: Mapping, root: unknown, element: unknown): ItemInput | undefined {
  const { ignoreUnless = {}, ignoreIf = {}, keyed = {} } = mapping;
  const valueAt = (pointer: string) => fieldText(find(pointer, { root, element, keyed }));
  const isOneOf = (pointer: string, wanted: readonly unknown[]) =>
    wanted.some((one) => String(one) === valueAt(pointer));
  for (const [pointer, wanted] of Object.entries(ignoreUnless)) {
    if (!isOneOf(pointer, wanted)) return unwanted(valueAt(pointer), `${pointer} is none of ${wanted.join(', ')}`);
  }
  for (const [pointer, wanted] of Object.entries(ignoreIf)) {
    if (isOneOf(pointer, wanted)) return unwanted(valueAt(pointer), `${pointer} is one of ${wanted.join(', ')}`);
  }
  return undefined;
}

function unwanted(value = 'nothing', reason: string): ItemInput {
  return ignored(value.slice(0, 200).toWellFormed() || 'empty', reason);
}

/**
 * An element in the native shape. `hosts`: who keeps the files of a form. Throws with the name and the pointer of what
 * can't be read.
 */
export function toNative(
  mapping: Mapping,
  root: unknown,
  element: unknown,
  hosts: readonly string[],
): Record<string, unknown> {
  const { attachments, review, call, answers } = mapping;
  const place = { root, element, keyed: mapping.keyed ?? {} };
  const form = answers && readForm(answers, place, hosts);
  return {
    ...(form && { subject: form.subject, text: form.text }),
    ...readAll(plainOf(mapping), place, ''),
    from: senderOf(mapping, place, form),
    fields: { ...entriesAt(mapping.more, place), ...form?.fields, ...fieldsOf(mapping.fields, place) },
    attachments: [...(attachments ? attachmentsOf(attachments, place) : []), ...(form?.files ?? [])],
    review: review && readAll(review, place, 'review.'),
    call: call && readAll(call, place, 'call.'),
  };
}

/** Throws when a message says nobody; a form may. */
function senderOf({ from = {} }: Mapping, place: Place, form: Form | undefined) {
  const sender = { ...form?.from, ...readAll(from, place, 'from.') };
  if (form || 'id' in sender || sender.email || sender.phone) return sender;
  const tried = [from.id, from.email, from.phone].flatMap((source) => (source ? [shown(source)] : []));
  throw new Error(`from: nobody found at ${tried.join(', ')}`);
}

function entriesAt(pointers: readonly string[] = [], place: Place): Record<string, unknown> {
  return Object.fromEntries(
    pointers.flatMap((pointer) => {
      const object = find(pointer, place);
      return typeof object === 'object' && object !== null ? Object.entries(object) : [];
    }),
  );
}

function fieldsOf(sources: Mapping['fields'] = {}, place: Place): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(sources).map(([name, source]) => [name, fieldText(pick(source, place))]));
}

/** What the native shape calls the same. */
function plainOf(mapping: Mapping) {
  const { id, revision, kind, direction, thread, inReplyTo, subject, text, html, occurredAt } = mapping;
  return { id, revision, kind, direction, thread, inReplyTo, subject, text, html, occurredAt };
}

function attachmentsOf({ items, ...parts }: NonNullable<Mapping['attachments']>, place: Place): object[] {
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
