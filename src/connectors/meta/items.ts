import { each } from '../../core/each.ts';
import { ignored } from '../../core/envelope.ts';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import { contentOf, referralOf } from './content.ts';
import type { Content } from './content.ts';
import { Change, Edit, Entry, Event, Message, Payload, Postback, Reaction, Seen } from './payload.ts';

/** What a notification is read with. */
export interface About {
  /** What Meta calls the kind of account: another one is not ours. */
  readonly object: 'page' | 'instagram';
  /** Its people have their ids for this account only, so for this channel only. */
  readonly idKind: string;
  /** The account's own id, as a sender and in `entry[].id`. */
  readonly account: string;
  /** Comments and the like, by the field that Meta names them with. */
  readonly changes: Readonly<Record<string, (value: unknown, about: At) => ItemInput>>;
  readonly receivedAt: number;
  /** What Meta gives back with answers of ours, where it does. */
  readonly mark?: string;
}

export interface At extends About {
  /** When Meta told it, milliseconds since the epoch. */
  readonly toldAt: number;
  /** Set where another app answers the conversation at the moment. */
  readonly standby?: true;
}

/** A notification as items. An app has one address for all its accounts: what is for another one is not ours. */
export function toItems(payload: unknown, about: About): ItemInput[] {
  const { object, entry } = Payload.parse(payload);
  if (object !== about.object) return [ignored(object, `not about ${about.object}`)];
  return within(
    '/entry',
    each(entry, (one, at) => within(`/${at}`, fromEntry(Entry.parse(one), about))),
  );
}

function fromEntry(entry: Entry, about: About): ItemInput[] {
  const { id, time } = entry;
  if (id !== about.account) {
    const reason = `for the account with the id ${id ?? 'none'}: give it a channel of its own, or correct this one's id`;
    return [ignored('another_account', reason)];
  }
  const at: At = { ...about, toldAt: time ?? about.receivedAt };
  const items = [
    ...within(
      '/messaging',
      each(entry.messaging, (event) => fromEvent(event, at)),
    ),
    ...within(
      '/standby',
      each(entry.standby, (event) => fromEvent(event, { ...at, standby: true })),
    ),
    ...within(
      '/changes',
      each(changesIn(entry), (change) => fromChange(change, at)),
    ),
  ];
  return items.length > 0 ? items : [ignored(about.object, 'a notification that says nothing')];
}

/** Instagram Login writes a change right into its entry. */
function changesIn({ changes, field, value }: Entry): readonly unknown[] {
  return field === undefined ? changes : [...changes, { field, value }];
}

/** Says where in the whole an element is that can't be read. */
function within(path: string, items: readonly ItemInput[]): ItemInput[] {
  return items.map((item) => (item.kind === 'broken' ? { ...item, at: `${path}${item.at}` } : item));
}

function fromChange(change: unknown, at: At): ItemInput | ItemInput[] {
  const { field, value } = Change.parse(change);
  const read = Object.hasOwn(at.changes, field) ? at.changes[field] : undefined;
  if (read) return read(value, at);
  // Meta's test button sends messages so.
  const { data } = Event.safeParse(value);
  return data?.sender.id === undefined ? ignored(field, 'a change that is no message') : fromEvent(value, at);
}

type Timed = Event & { readonly timestamp: number };
type Read = (value: unknown, event: Timed, at: At) => ItemInput | ItemInput[];

const EVENTS: Readonly<Record<string, Read>> = {
  message: fromMessage,
  message_edit: fromEdit,
  postback: fromPostback,
  reaction: fromReaction,
  delivery: (value, event) => fromSeen('delivered', value, event),
  read: (value, event) => fromSeen('read', value, event),
  referral: (value) =>
    ignored('referral', said(referralOf(value), 'somebody came through a link, and wrote nothing yet')),
};

function fromEvent(element: unknown, at: At): ItemInput | ItemInput[] {
  const event = Event.parse(element);
  const timed = { ...event, timestamp: event.timestamp ?? at.toldAt };
  const known = Object.keys(EVENTS).find((name) => event[name] != null);
  if (known !== undefined) return EVENTS[known]?.(event[known], timed, at) ?? [];
  const name = Object.keys(event).find((key) => !['sender', 'recipient', 'timestamp'].includes(key));
  return ignored(name ?? 'event', 'an event that is no message to the business');
}

function fromMessage(value: unknown, event: Timed, at: At): ItemInput {
  const message = Message.parse(value);
  if (message.is_deleted) {
    return { kind: 'deletion', externalId: message.mid, occurredAt: event.timestamp };
  }
  const isOwn = message.is_echo === true || event.sender.id === at.account;
  if (isOwn && at.mark !== undefined && message.metadata === at.mark)
    return ignored('echo', 'an answer that we sent ourselves');
  const answered = message.reply_to?.mid;
  return envelope(message.mid, contentOf(message), event, at, {
    direction: isOwn ? 'outbound' : 'inbound',
    references: answered ? [answered] : [],
  });
}

function fromEdit(value: unknown, event: Timed, at: At): ItemInput {
  const { mid, text, num_edit: revision } = Edit.parse(value);
  if (!text) return ignored('message_edit', `of ${mid}: Meta tells no new words`);
  return envelope(mid, { text, files: [], fields: {} }, event, at, { revision });
}

/** A button that was pressed: of a menu, of an answer. */
function fromPostback(value: unknown, event: Timed, at: At): ItemInput {
  const { mid, title, payload, referral } = Postback.parse(value);
  const { id } = event.sender;
  if (id === undefined) return ignored('postback', 'by somebody without an id');
  const fields = { ...referralOf(referral), button: payload };
  const text = title || payload || '⚠️ postback';
  return envelope(mid ?? `postback:${id}:${event.timestamp}`, { text, files: [], fields }, event, at);
}

function envelope(
  externalId: string,
  { text, files, fields }: Content,
  event: Timed,
  at: At,
  given: {
    readonly direction?: 'inbound' | 'outbound';
    readonly references?: string[];
    readonly revision?: number;
  } = {},
): EnvelopeInput {
  const { direction = event.sender.id === at.account ? 'outbound' : 'inbound', references = [], revision = 0 } = given;
  // Of an echo the customer is at the other end.
  const { id: sender } = event.sender;
  const customer = sender === at.account ? event.recipient.id : sender;
  if (customer === undefined) throw new Error('it names nobody');
  return {
    kind: 'message',
    externalId,
    revision,
    occurredAt: event.timestamp,
    direction,
    sender: partyOf(at, direction === 'outbound' ? at.account : customer),
    thread: { externalId: customer, references },
    text: text.slice(0, 1_000_000),
    attachments: files.map(({ url: _url, ...file }) => file),
    fields: toFields({ ...fields, standby: at.standby && 'another app answers this conversation' }),
  };
}

function fromReaction(value: unknown, event: Timed, at: At): ItemInput {
  const { mid, action, emoji, reaction } = Reaction.parse(value);
  const { id } = event.sender;
  if (id === undefined) throw new Error('it names nobody');
  const shown = action === 'unreact' ? '' : emoji || reaction || '👍';
  return {
    kind: 'reaction',
    externalId: mid,
    emoji: shown.slice(0, 64),
    sender: partyOf(at, id),
    occurredAt: event.timestamp,
  };
}

function fromSeen(state: 'delivered' | 'read', value: unknown, { timestamp }: Timed): ItemInput | ItemInput[] {
  const { mid, mids, watermark } = Seen.parse(value);
  const named = mid ? [mid] : (mids ?? []);
  const until = watermark === undefined ? 'now' : new Date(watermark).toISOString();
  if (named.length === 0) return ignored(state, `everything up to ${until}, and names no message`);
  return named.map((externalId) => ({ kind: 'receipt', externalId, state, occurredAt: timestamp }));
}

export function partyOf({ idKind, account }: About, value: string, name?: string | null): EnvelopeInput['sender'] {
  const shown = value === account ? undefined : name?.slice(0, 1000);
  return { ...(shown && { name: shown }), identifiers: [{ kind: idKind, value, trust: 'verified' }] };
}

export function toFields(all: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value ? [[name, value.slice(0, 10_000)] as const] : [])),
  );
}

function said(fields: Readonly<Record<string, string | undefined>>, otherwise: string): string {
  const words = Object.entries(toFields(fields)).map(([name, value]) => `${name} ${value}`);
  return words.join(', ') || otherwise;
}
