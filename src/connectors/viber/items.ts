import { z } from 'zod';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import { contentOf, Message } from './content.ts';

/** Message tokens exceed 2^53: `parseJson` gives those as text. */
const token = z.union([z.string().regex(/^\d{1,30}$/), z.number().int().min(0)]).transform(String);
const text = z.string().optional().catch(undefined);
/** Milliseconds since the epoch; of some events it is no time at all. */
const time = z.number().int().min(0).max(8_640_000_000_000_000).optional().catch(undefined);

const User = z.object({ id: z.string().min(1).max(200), name: text, language: text, country: text });

const Received = z.object({ message_token: token, timestamp: time, sender: User, message: Message });
const Status = z.object({ message_token: token, timestamp: time, desc: text });
const Known = z.object({ user: User.optional().catch(undefined), user_id: text, context: text });

const STATES = { delivered: 'delivered', seen: 'read', failed: 'failed' } as const;

/** Events that are deliberately no message. */
const NOTICES: Readonly<Record<string, string>> = {
  webhook: 'Viber tries whether the address answers',
  subscribed: 'takes messages from the bot',
  unsubscribed: 'takes no messages from the bot any more',
  conversation_started: 'opened the conversation',
  client_status: 'says what can be paid with',
};

/** What Viber is asked for; messages it always sends. */
export const EVENTS: readonly string[] = [...Object.keys(STATES), 'subscribed', 'unsubscribed', 'conversation_started'];

/** One callback (https://developers.viber.com/docs/api/rest-bot-api/#callbacks) as an item. */
export function toItem(value: unknown, about: { readonly channel: string; readonly receivedAt: number }): ItemInput {
  const { event } = z.object({ event: z.string() }).parse(value);
  if (event === 'message') return fromMessage(value, about);
  if (Object.hasOwn(STATES, event)) {
    const { message_token, timestamp, desc } = Status.parse(value);
    return {
      kind: 'receipt',
      externalId: message_token,
      state: STATES[event as keyof typeof STATES],
      occurredAt: timestamp ?? about.receivedAt,
      ...(desc !== undefined && { reason: desc.slice(0, 1000) }),
    };
  }
  return { kind: 'ignored', name: event.slice(0, 1000), reason: reasonOf(event, value).slice(0, 1000) };
}

function reasonOf(event: string, value: unknown): string {
  const notice = Object.hasOwn(NOTICES, event) ? NOTICES[event] : undefined;
  if (notice === undefined) return 'an event that is no message to the business, or newer than this version';
  const { user, user_id, context } = Known.parse(value);
  return [user?.name ?? user?.id ?? user_id, notice, context && `(${context})`].filter(Boolean).join(' ');
}

function fromMessage(value: unknown, { channel, receivedAt }: { channel: string; receivedAt: number }): ItemInput {
  const { message_token, timestamp, sender, message } = Received.parse(value);
  const { fields, ...content } = contentOf(message, message_token);
  const { ticket, rest } = readTracking(message.tracking_data);
  return {
    kind: 'message',
    externalId: message_token,
    occurredAt: timestamp ?? receivedAt,
    sender: partyOf(sender, channel),
    // A bot has no groups: the conversation is the customer.
    thread: { externalId: sender.id, ...(ticket && { ticket }) },
    ...content,
    fields: toFields({ ...fields, country: sender.country, tracking_data: rest }),
  };
}

/** Every bot knows a person by another id. */
function partyOf({ id, name, language }: z.output<typeof User>, channel: string): EnvelopeInput['sender'] {
  return {
    ...(name && { name: name.slice(0, 1000) }),
    identifiers: [{ kind: `viber:${channel}`, value: id, trust: 'verified' }],
    ...(language && { locale: language.slice(0, 35) }),
  };
}

/** What an answer carries: Viber sends it back with what the customer writes after it. */
export function trackingOf(number: number, proof: string): string {
  return `#${number} ${proof}`;
}

function readTracking(data: string | undefined): {
  ticket?: { number: number; proof: string };
  rest?: string | undefined;
} {
  const [, number, proof] = /^#([1-9]\d{0,14}) ([0-9a-v]{26})$/.exec(data ?? '') ?? [];
  if (number === undefined || proof === undefined) return { rest: data };
  return { ticket: { number: Number(number), proof } };
}

function toFields(all: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value ? [[name, value.slice(0, 10_000)] as const] : [])),
  );
}
