import { each } from '../../core/each.ts';
import { ignored } from '../../core/envelope.ts';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import { contentOf } from './content.ts';
import { reasonOf } from './failures.ts';
import {
  Call,
  Change,
  Edit,
  Message,
  Payload,
  Preference,
  Problem,
  Reaction,
  Revoke,
  Status,
  System,
} from './payload.ts';
import type { Value } from './payload.ts';
import { customerOf, partyOf, threadOf } from './people.ts';

/** What an element is read with. */
interface About {
  readonly value: Value;
  readonly receivedAt: number;
  /** The end of a message at which the customer is. */
  readonly customer: 'from' | 'to';
}

type Read = (element: unknown, about: About) => ItemInput;

/** By field of the change, the lists that say something to a business; every other field is ignored by its name. */
const FIELDS: Readonly<Record<string, Readonly<Record<string, Read>>>> = {
  messages: { messages: fromMessage, statuses: fromStatus, errors: fromError },
  // What somebody of the business wrote on his phone, in the WhatsApp Business app.
  smb_message_echoes: { message_echoes: (echo, about) => fromMessage(echo, { ...about, customer: 'to' }) },
  calls: { calls: fromCall, statuses: fromStatus, errors: fromError },
  user_preferences: { user_preferences: fromPreference },
};

/** A notification as items. An app has one address for all its numbers: what is for another one is not ours. */
export function toItems(payload: unknown, phoneNumberId: string, receivedAt: number): ItemInput[] {
  const { object, entry } = Payload.parse(payload);
  if (object !== 'whatsapp_business_account') return [ignored(object, 'not of WhatsApp')];
  const items = each(entry, ({ changes }, at) =>
    within(`/${at}/changes`, fromChanges(changes, phoneNumberId, receivedAt)),
  );
  return within('/entry', items);
}

function fromChanges(changes: readonly unknown[], phoneNumberId: string, receivedAt: number): ItemInput[] {
  return each(changes, (change, at) => within(`/${at}/value`, fromChange(change, phoneNumberId, receivedAt)));
}

function fromChange(change: unknown, phoneNumberId: string, receivedAt: number): ItemInput[] {
  const { field, value } = Change.parse(change);
  if (!value) return [ignored(field, 'a change that says nothing')];
  const number = value.metadata?.phone_number_id;
  if (number !== undefined && number !== phoneNumberId) {
    return [
      ignored('another_number', `for the number with the id ${number}: give it a channel and an address of its own`),
    ];
  }
  const lists = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined;
  if (!lists) return [ignored(field, typeof value.event === 'string' ? value.event : 'no message to the business')];
  const items = Object.entries(lists).flatMap(([name, read]) =>
    within(
      `/${name}`,
      each(value[name] as unknown[], (element) => read(element, { value, receivedAt, customer: 'from' })),
    ),
  );
  return items.length > 0 ? items : [ignored(field, 'a change that says nothing')];
}

/** Says where in the whole an element is that can't be read. */
function within(path: string, items: readonly ItemInput[]): ItemInput[] {
  return items.map((item) => (item.kind === 'broken' ? { ...item, at: `${path}${item.at}` } : item));
}

/** Types that say something about a message, a person or the conversation rather than being a message. */
const TYPES: Readonly<Record<string, (message: Message, about: About) => ItemInput>> = {
  edit: (message, about) => {
    const { original_message_id: id, message: edited } = Edit.parse(message.edit);
    const { from, from_user_id, to, to_user_id, group_id, timestamp } = message;
    const whole = Message.parse({ from, from_user_id, to, to_user_id, group_id, ...edited, id });
    return envelope({ ...whole, timestamp }, about, occurredAt(message, about));
  },
  revoke: (message, about) => ({
    kind: 'deletion',
    externalId: Revoke.parse(message.revoke).original_message_id,
    occurredAt: occurredAt(message, about),
  }),
  reaction: (message, about) => {
    const { message_id, emoji } = Reaction.parse(message.reaction);
    const sender = senderOf(message, about);
    return {
      kind: 'reaction',
      externalId: message_id,
      emoji: emoji.slice(0, 64),
      sender,
      occurredAt: occurredAt(message, about),
    };
  },
  system: (message) => {
    const { type, body, wa_id, new_wa_id, user_id, previous_user_id } = System.parse(message.system);
    const names = [previous_user_id, user_id] as const;
    const numbers = [message.from, wa_id ?? new_wa_id] as const;
    const [from, to] = names.every(Boolean) ? names : numbers;
    // His id changes with his number, and goes before it as the conversation's name.
    const isMove = type.includes('changed_number') || type.includes('changed_user_id');
    if (isMove && from !== undefined && to !== undefined && from !== to) return { kind: 'moved', from, to };
    return ignored(type, body || 'a notice of WhatsApp');
  },
  request_welcome: ({ type }) => ignored(type, 'somebody opened the chat, and wrote nothing yet'),
};

function fromMessage(element: unknown, about: About): ItemInput {
  const message = Message.parse(element);
  const read = Object.hasOwn(TYPES, message.type) ? TYPES[message.type] : undefined;
  return read ? read(message, about) : envelope(message, about);
}

/** `revision`: when it was edited. */
function envelope(message: Message, about: About, revision = 0): ItemInput {
  const { id, context, group_id } = message;
  if (id === undefined) throw new Error('a message without an id');
  const content = contentOf(message);
  if (content.notice !== undefined) return ignored(content.notice, 'a permission for calls, not a message');
  const customer = customerOf(message, about.customer, about.value);
  return {
    kind: 'message',
    externalId: id,
    revision,
    occurredAt: occurredAt(message, about),
    direction: about.customer === 'to' ? 'outbound' : 'inbound',
    sender: senderOf(message, about),
    thread: {
      externalId: threadOf(customer, group_id),
      ...(group_id !== undefined && { shared: true }),
      references: context?.id === undefined ? [] : [context.id],
    },
    text: content.text ?? '',
    attachments: [...(content.attachments ?? [])],
    fields: toFields({
      ...circumstancesOf(message),
      username: customer.username && `@${customer.username}`,
      // Last: what he filled in may be called the same, and stands nowhere else.
      ...content.fields,
    }),
  };
}

function senderOf(message: Message, about: About): EnvelopeInput['sender'] {
  const { customer, value } = about;
  return customer === 'to' ? businessOf(message.from, about) : partyOf(customerOf(message, customer, value));
}

function businessOf(from: string | undefined, { value }: About): EnvelopeInput['sender'] {
  const number = value.metadata?.display_phone_number ?? from ?? 'unknown';
  return { identifiers: [{ kind: 'phone', value: `+${number.replace(/\D/g, '')}`, trust: 'verified' }] };
}

function occurredAt({ timestamp }: { readonly timestamp?: number | undefined }, { receivedAt }: About): number {
  return timestamp ?? receivedAt;
}

function circumstancesOf({ context, referral }: Message): Record<string, string | undefined> {
  const ad = (name: string) => (typeof referral?.[name] === 'string' ? referral[name] : undefined);
  return {
    forwarded: context?.frequently_forwarded ? 'many times' : context?.forwarded ? 'yes' : undefined,
    product: context?.referred_product?.product_retailer_id,
    ad: ad('source_id'),
    ad_url: ad('source_url'),
    ad_title: ad('headline'),
    ad_text: ad('body'),
    ad_click: ad('ctwa_clid'),
  };
}

function toFields(all: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value ? [[name, value.slice(0, 10_000)] as const] : [])),
  );
}

const STATES: Readonly<Record<string, 'sent' | 'delivered' | 'read' | 'failed'>> = {
  sent: 'sent',
  delivered: 'delivered',
  read: 'read',
  played: 'read',
  failed: 'failed',
};

function fromStatus(element: unknown, about: About): ItemInput {
  const status = Status.parse(element);
  if (status.type === 'call') return ignored('call_status', `${status.status}: what became of a call says its end`);
  const state = Object.hasOwn(STATES, status.status) ? STATES[status.status] : undefined;
  if (!state) return ignored(`status_${status.status}`, 'a state that is no receipt');
  const reason = status.errors.map(reasonOf).join('; ').slice(0, 1000);
  return {
    kind: 'receipt',
    externalId: status.id,
    state,
    occurredAt: occurredAt(status, about),
    ...(reason !== '' && { reason }),
  };
}

/** Calls come when it rings and when it is over. */
function fromCall(element: unknown, about: About): ItemInput {
  const call = Call.parse(element);
  const isOurs = call.direction === 'BUSINESS_INITIATED';
  const isOver = call.event === 'terminate';
  const customer = customerOf(call, isOurs ? 'to' : 'from', about.value);
  const outcome = !isOver ? 'ringing' : call.duration > 0 ? 'answered' : isOurs ? 'failed' : 'missed';
  const direction = isOurs ? 'outbound' : 'inbound';
  return {
    kind: 'call',
    externalId: call.id,
    revision: isOver ? 1 : 0,
    occurredAt: call.start_time ?? occurredAt(call, about),
    direction,
    sender: isOurs ? businessOf(call.from, about) : partyOf(customer),
    thread: { externalId: threadOf(customer) },
    text: '',
    call: {
      outcome,
      direction,
      from: call.from ?? '',
      to: call.to ?? '',
      ...(call.duration > 0 && { talkedSec: call.duration }),
    },
  };
}

function fromError(element: unknown): ItemInput {
  return ignored('errors', reasonOf(Problem.parse(element)));
}

function fromPreference(element: unknown): ItemInput {
  const { category, value, detail } = Preference.parse(element);
  return ignored('user_preferences', detail ?? `${category}: ${value}`);
}
