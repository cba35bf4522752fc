import { z } from 'zod';
import { each } from '../../core/each.ts';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import { contentOf, Message } from './content.ts';

/** How long the pictures of a set are waited for: they arrive within a second. */
const ALBUM_MS = 1500;

const id = z.string().min(1).max(200);
const Source = z.object({ userId: id.optional(), groupId: id.optional(), roomId: id.optional() });

const Event = z.looseObject({
  type: z.string(),
  /** Milliseconds since the epoch. */
  timestamp: z.number().int().min(0).max(8_640_000_000_000_000).optional().catch(undefined),
  source: Source.default({}),
  webhookEventId: id.optional(),
});
type Event = z.output<typeof Event>;

const Postback = z.object({
  data: z.string(),
  params: z.record(z.string().max(200), z.string()).default({}),
});
const Unsend = z.object({ messageId: id });

interface About {
  readonly channel: string;
  readonly receivedAt: number;
}

/** Events that say something to a business; every other one is ignored by its name. */
const KINDS: Readonly<Record<string, (event: Event, about: About) => ItemInput>> = {
  message: (event, about) => fromMessage(event, about),
  messageEdited: (event, about) => ({ ...fromMessage(event, about), revision: timeOf(event, about) }),
  unsend: (event, about) => ({
    kind: 'deletion',
    externalId: Unsend.parse(event.unsend).messageId,
    occurredAt: timeOf(event, about),
  }),
  postback: fromPostback,
};

const NOTICES: Readonly<Record<string, string>> = {
  follow: 'added the account as a friend, or unblocked it',
  unfollow: 'blocked the account',
  join: 'the account joined a chat',
  leave: 'the account was removed from a chat',
  memberJoined: 'somebody joined a chat',
  memberLeft: 'somebody left a chat',
  beacon: 'somebody came near a beacon',
  accountLink: 'linked an account of another service',
  videoPlayComplete: 'watched a video to its end',
  membership: 'a membership began, ended or was renewed',
};

/** One webhook (https://developers.line.biz/en/reference/messaging-api/#webhook-event-objects) as items. */
export function toItems(value: unknown, about: About): ItemInput[] {
  const { events } = z.object({ events: z.array(z.unknown()) }).parse(value);
  if (events.length === 0)
    return [{ kind: 'ignored', name: 'no_events', reason: 'LINE tries whether the address answers' }];
  return each(events, (event) => toItem(Event.parse(event), about));
}

function toItem(event: Event, about: About): ItemInput {
  const { type, source } = event;
  const read = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  if (read) return read(event, about);
  const notice = Object.hasOwn(NOTICES, type)
    ? NOTICES[type]
    : 'no message to the business, or newer than this version';
  const reason = [source.userId ?? placeOf(source), notice].filter(Boolean).join(': ');
  return { kind: 'ignored', name: type.slice(0, 1000), reason: reason.slice(0, 1000) };
}

function fromMessage(event: Event, about: About): EnvelopeInput {
  const message = Message.parse(event.message);
  const { fields, ...content } = contentOf(message);
  const { thread, sender } = whoOf(event.source, about.channel);
  const { imageSet, quotedMessageId } = message;
  return {
    kind: 'message',
    externalId: message.id,
    occurredAt: timeOf(event, about),
    sender,
    thread: { ...thread, references: quotedMessageId === undefined ? [] : [quotedMessageId] },
    ...content,
    fields: toFields(fields),
    ...(imageSet && { group: { key: `${thread.externalId}:${imageSet.id}`, waitMs: ALBUM_MS } }),
  };
}

/** A pressed button. */
function fromPostback(event: Event, about: About): ItemInput {
  const { data, params } = Postback.parse(event.postback);
  if (params['newRichMenuAliasId'] !== undefined) {
    return { kind: 'ignored', name: 'postback', reason: 'turned a page of the menu' };
  }
  const { thread, sender } = whoOf(event.source, about.channel);
  const at = timeOf(event, about);
  return {
    kind: 'message',
    externalId: `postback:${event.webhookEventId ?? `${thread.externalId}:${at}`}`,
    occurredAt: at,
    sender,
    thread,
    text: [data, ...Object.values(params)].join(' '),
    fields: toFields({ ...params, button: data }),
  };
}

function timeOf({ timestamp }: Event, { receivedAt }: About): number {
  return timestamp ?? receivedAt;
}

function placeOf({ groupId, roomId, userId }: z.output<typeof Source>): string | undefined {
  return groupId ?? roomId ?? userId;
}

/**
 * The chat and who wrote there. A person has one id for all channels of a provider, and his name is only told when
 * asked for. In a group LINE may not say who it was: then it is the group.
 */
function whoOf(source: z.output<typeof Source>, channel: string) {
  const place = placeOf(source);
  if (place === undefined) throw new Error('LINE does not say who wrote it, nor where');
  const value = source.userId ?? place;
  const shared = place !== source.userId;
  const identifiers = [{ kind: `line:${channel}`, value, trust: 'verified' as const }];
  return { thread: { externalId: place, ...(shared && { shared }) }, sender: { identifiers } };
}

function toFields(all: Readonly<Record<string, string | undefined>> = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (name && value ? [[name, value.slice(0, 10_000)] as const] : [])),
  );
}
