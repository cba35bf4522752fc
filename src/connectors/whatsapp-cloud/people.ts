import type { EnvelopeInput } from '../../core/envelope.ts';
import { Contact } from './payload.ts';
import type { Ends, Value } from './payload.ts';

/** Somebody on WhatsApp: by his number, by ids that he has for this business only, or by both. */
interface Person {
  /** Digits with the country code, no plus. */
  readonly phone: string | undefined;
  /** His own id first, then the one that he has for a group of businesses. */
  readonly userIds: readonly string[];
  readonly name: string | undefined;
  readonly username: string | undefined;
}

const GROUP = 'group:';

/** The customer of a message or a call: who it is from, or, where the business wrote, who it is to. */
export function customerOf(ends: Ends, end: 'from' | 'to', { contacts }: Pick<Value, 'contacts'>): Person {
  const number = ends[end];
  const userId = ends[`${end}_user_id`];
  const contact = contactOf(contacts, number, userId);
  const numbers = [number, contact?.wa_id].filter((value) => value !== undefined);
  // An id may also stand where numbers do.
  const phone = numbers.find(isNumber);
  const others = numbers.filter((value) => !isNumber(value));
  const ids = [userId ?? contact?.user_id, ends[`${end}_parent_user_id`] ?? contact?.parent_user_id, ...others];
  const userIds = [...new Set(ids.filter((value) => value !== undefined))];
  if (phone === undefined && userIds.length === 0) throw new Error('it names neither a number nor an id of the person');
  return { phone, userIds, name: contact?.profile.name, username: contact?.profile.username };
}

/** The only one is meant also where the numbers differ: in some countries they do (Mexico, Argentina, Brazil). */
function contactOf(contacts: readonly unknown[], number: string | undefined, userId: string | undefined) {
  const all = contacts.flatMap((contact) => Contact.safeParse(contact).data ?? []);
  const named = all.find(
    (one) => (userId !== undefined && one.user_id === userId) || (number !== undefined && one.wa_id === number),
  );
  return named ?? (all.length === 1 ? all[0] : undefined);
}

function isNumber(value: string): boolean {
  return /^\d{5,15}$/.test(value);
}

/** WhatsApp vouches for both: it has proved the number, and the id is its own. User names can be given up and taken. */
export function partyOf({ phone, userIds, name }: Person): EnvelopeInput['sender'] {
  return {
    ...(name && { name: name.slice(0, 1000) }),
    identifiers: [
      ...userIds.map((value) => ({ kind: 'whatsapp', value, trust: 'verified' as const })),
      ...(phone === undefined ? [] : [{ kind: 'phone', value: `+${phone}`, trust: 'verified' as const }]),
    ],
  };
}

/**
 * The conversation's name: `group:<id>`, else the person's id, which comes with every message, else his number, which
 * he may hide.
 */
export function threadOf({ phone, userIds }: Person, groupId?: string): string {
  return groupId === undefined ? (userIds[0] ?? phone ?? '') : `${GROUP}${groupId}`;
}

/** Who a message is addressed to, in Meta's words. */
type Address =
  | { readonly recipient_type: 'individual' | 'group'; readonly to: string }
  | { readonly recipient_type: 'individual'; readonly recipient: string };

/**
 * Where an answer goes. By his number where the message that it answers carried it: then WhatsApp goes on telling it.
 * An id in `to` would be taken for a number and the answer lost without a word.
 */
export function addressOf(
  thread: string,
  answered: readonly { readonly kind: string; readonly value: string; readonly trust: string }[],
): Address {
  if (thread.startsWith(GROUP)) return { recipient_type: 'group', to: thread.slice(GROUP.length) };
  if (isNumber(thread)) return { recipient_type: 'individual', to: `+${thread}` };
  const phone = answered.find(({ kind, trust }) => kind === 'phone' && trust === 'verified');
  return phone
    ? { recipient_type: 'individual', to: phone.value }
    : { recipient_type: 'individual', recipient: thread };
}
