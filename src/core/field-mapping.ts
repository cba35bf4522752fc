import { z } from 'zod';
import { fieldText, pick, Source } from './source.ts';
import type { Customer, Message, Ticket } from './ticket.ts';

/**
 * What of a ticket goes into which field of a help desk, said in the configuration: fields are filled from sources, and
 * status and priority are translated by a list.
 */

/** What is carried, as a delivery has it. */
export interface Carried {
  readonly ticket: Ticket;
  readonly customer: Customer;
  readonly message: Message;
}

/** `their field: source`; the sources look into `/ticket`, `/customer` and `/message`, as the API shows them. */
export const FieldMapping = z
  .record(z.string().min(1).max(200), Source)
  .default({})
  .meta({ description: 'Fields there, and where their value is found: /ticket/fields/order, /customer/phone …' });
export type FieldMapping = z.output<typeof FieldMapping>;

/** The fields that have a value; a list (tags) stays one. */
export function mapFields(mapping: FieldMapping, carried: Carried): Record<string, string | string[]> {
  const { customer } = carried;
  const contacts = { email: contactOf(customer, 'email'), phone: contactOf(customer, 'phone') };
  const facts = { ...carried, customer: { ...customer, ...contacts } };
  const place = { root: facts, element: facts, keyed: {} };
  const pairs = Object.entries(mapping).flatMap(([name, source]) => {
    const value = valueOf(pick(source, place));
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(pairs);
}

function valueOf(value: string | number | boolean | object | undefined): string | string[] | undefined {
  if (!Array.isArray(value)) return fieldText(value);
  const texts = value.flatMap((entry: unknown) => fieldText(entry) ?? []);
  return texts.length > 0 ? texts : undefined;
}

/**
 * The customer's address or number as far as a platform carries it. One that was only typed may be somebody else's: who
 * made it the requester would show him a stranger's conversation, and write to him.
 */
export function contactOf(customer: Customer, kind: 'email' | 'phone'): string | undefined {
  const of = (trust: string) => customer.identifiers.find((each) => each.kind === kind && each.trust === trust)?.value;
  return of('verified') ?? of('observed');
}

/** Help desks that remind agents of a pending ticket want to know when. */
export const PendingMinutes = z
  .number()
  .int()
  .min(1)
  .max(525_600)
  .default(1440)
  .meta({ description: 'How long a ticket that is set to a pending state stays so, before agents are reminded' });

type Theirs = string | number;

/** For each of ours what it is called there: the first one is written, all are read. */
export type Values<K extends string> = Readonly<Record<K, Theirs | readonly [Theirs, ...Theirs[]]>>;

/** A setting that says so; what it leaves out is as in `defaults`. */
export function values<K extends string>(ours: readonly K[], defaults: Values<K>, description: string) {
  const theirs = z.union([z.string().min(1).max(200), z.number()]);
  return z
    .partialRecord(z.enum(ours), z.union([theirs, z.tuple([theirs], theirs)]))
    .default({})
    .transform((given): Values<K> => ({ ...defaults, ...given }))
    .meta({ description });
}

export function toTheirs<K extends string>(all: Values<K>, ours: K): Theirs {
  const value = all[ours];
  return typeof value === 'object' ? value[0] : value;
}

/** Undefined: nothing of ours is called that. Of several, the one that is listed first. */
export function toOurs<K extends string>(all: Values<K>, theirs: Theirs): K | undefined {
  const is = (one: Theirs) => String(one).toLowerCase() === String(theirs).toLowerCase();
  const names = Object.keys(all) as K[];
  // What is written for one of ours is that one, rather than one that only lists it too.
  return names.find((name) => is(toTheirs(all, name))) ?? names.find((name) => [all[name]].flat().some(is));
}
