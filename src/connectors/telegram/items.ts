import { z } from 'zod';
import { ignored } from '../../core/envelope.ts';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import { messageOf, threadOf } from './address.ts';
import type { Place } from './address.ts';
import { contentOf, noticeOf } from './content.ts';
import { CallbackQuery, Connection, DeletedMessages, Membership, Message, Reaction, Update } from './update.ts';
import type { Chat, Located, User } from './update.ts';

/** How long the parts of an album are waited for: they arrive within a second. */
const ALBUM_MS = 1500;

interface About {
  readonly updateId: number;
  readonly receivedAt: number;
}

/** The kinds of update that say something to a business; every other one is ignored by its name. */
const KINDS: Readonly<Record<string, (value: unknown, about: About) => ItemInput | ItemInput[]>> = {
  message: fromMessage,
  edited_message: fromMessage,
  channel_post: fromMessage,
  edited_channel_post: fromMessage,
  business_message: fromMessage,
  edited_business_message: fromMessage,
  deleted_business_messages: fromDeletion,
  message_reaction: fromReaction,
  callback_query: fromCallback,
  my_chat_member: fromMembership,
  business_connection: fromConnection,
};

/** What Telegram is asked for: `message_reaction` it leaves out otherwise, and everything else only costs. */
export const UPDATES = Object.keys(KINDS);

/** One update (https://core.telegram.org/bots/api#update) as items. */
export function toItems(value: unknown, receivedAt: number): ItemInput[] {
  const update = Update.parse(value);
  const kind = Object.keys(update).find((key) => key !== 'update_id');
  if (kind === undefined) return [ignored('empty_update', 'the update says nothing')];
  const read = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  if (!read) return [ignored(kind, 'a kind of update that is no message to the business')];
  return [read(update[kind], { updateId: update.update_id, receivedAt })].flat();
}

function fromMessage(value: unknown, about: About): ItemInput {
  const message = Message.parse(value);
  const { chat, migrate_to_chat_id: to, migrate_from_chat_id: from } = message;
  if (to !== undefined) return { kind: 'moved', from: chat.id, to };
  if (from !== undefined) return { kind: 'moved', from, to: chat.id };
  if (message.is_automatic_forward) {
    return ignored('automatic_forward', "a channel's post in its discussion group: filed where it was posted");
  }
  if (message.sender_business_bot !== undefined) return ignored('sender_business_bot', 'our own answer');
  const content = contentOf(message);
  if (!content) return ignored(noticeOf(message), 'a notice of Telegram, or newer than this version');
  const place = placeOf(message);
  return {
    kind: 'message',
    externalId: messageOf(place, message.message_id),
    revision: revisionOf(message, about),
    occurredAt: message.date * 1000,
    direction: directionOf(message),
    sender: senderOf(message, value),
    thread: {
      ...whereOf(place, chat),
      references: message.reply_to_message ? [messageOf(place, message.reply_to_message.message_id)] : [],
    },
    text: content.text ?? '',
    attachments: [...(content.attachments ?? [])],
    fields: { ...content.fields, ...fieldsOf(message) },
    ...groupOf(message, place),
    ...(message.from?.is_bot && !message.sender_chat && { automatic: 'notification' as const }),
  };
}

/** Edits count in seconds: two within one second are told apart by their updates, which are numbered in order. */
function revisionOf({ edit_date }: Message, { updateId }: About): number {
  return edit_date === undefined ? 0 : edit_date * 1000 + (Math.abs(updateId) % 1000);
}

/**
 * In a private chat the chat is the customer: whoever else writes there is the business account, or a bot for it. In
 * the direct messages of a channel whoever else writes answers for the channel.
 */
function directionOf(message: Message): 'inbound' | 'outbound' {
  const { chat, from, sender_chat, business_connection_id, direct_messages_topic: direct } = message;
  if (direct?.user) return from?.id === direct.user.id && !sender_chat ? 'inbound' : 'outbound';
  if (chat.type !== 'private' || !from || from.id === chat.id) return 'inbound';
  return business_connection_id !== undefined || from.is_bot ? 'outbound' : 'inbound';
}

function groupOf({ media_group_id }: Message, place: Place): Pick<EnvelopeInput, 'group'> {
  if (media_group_id === undefined) return {};
  return { group: { key: `${threadOf(place)}:${media_group_id}`, waitMs: ALBUM_MS } };
}

function placeOf(located: Located): Place {
  const { chat, business_connection_id: connection, direct_messages_topic: direct } = located;
  // In groups that are no forum, message_thread_id only says which message a discussion hangs on.
  const topic = located.is_topic_message ? located.message_thread_id : undefined;
  return {
    chat: chat.id,
    ...(connection !== undefined && { connection }),
    ...(topic !== undefined && { topic }),
    ...(direct && { direct: direct.topic_id }),
  };
}

function whereOf(place: Place, chat: Chat) {
  const shared = chat.type !== 'private' && place.direct === undefined;
  return { externalId: threadOf(place), ...(shared && { shared }) };
}

const OwnContact = z.object({ contact: z.object({ phone_number: z.string(), user_id: z.unknown() }) });

/** Who wrote: a person, or a group or channel that lets nobody see who writes in its name. */
function senderOf(message: Message, value: unknown): EnvelopeInput['sender'] {
  const { from, sender_chat, chat, author_signature } = message;
  if (sender_chat || !from) {
    const party = partyOfChat(sender_chat ?? chat);
    return author_signature ? { ...party, name: `${author_signature} (${party.name ?? ''})` } : party;
  }
  const party = partyOf(from);
  const { data } = OwnContact.safeParse(value);
  // Telegram finds the user of a number itself: with the sender's own id it is his number.
  if (!data || String(data.contact.user_id) !== from.id) return party;
  const phone = `+${data.contact.phone_number.replace(/\D/g, '')}`;
  return { ...party, identifiers: [...party.identifiers, { kind: 'phone', value: phone, trust: 'verified' }] };
}

/** A user name can be given up and taken by somebody else: it is shown, never used to recognise anybody. */
function partyOf({ id, first_name, last_name, language_code }: User): EnvelopeInput['sender'] {
  const name = [first_name, last_name].filter(Boolean).join(' ');
  return {
    ...(name && { name }),
    identifiers: [{ kind: 'telegram', value: id, trust: 'verified' }],
    ...(language_code && { locale: language_code.slice(0, 35) }),
  };
}

function partyOfChat({ id, title, first_name, last_name }: Chat): EnvelopeInput['sender'] {
  const name = title ?? [first_name, last_name].filter(Boolean).join(' ');
  return { ...(name && { name }), identifiers: [{ kind: 'telegram', value: id, trust: 'verified' }] };
}

function fieldsOf(message: Message): Record<string, string> {
  const { chat, quote, via_bot, forward_origin, text } = message;
  const command = /^\/([a-z0-9_]{1,64})(?:@\w+)?(?:\s+([^]*))?$/i.exec(text ?? '');
  return toFields({
    username: message.sender_chat ? undefined : userNameOf(message.from),
    group: chat.title,
    command: command?.[1],
    command_text: command?.[2],
    forwarded_from: forward_origin && originOf(forward_origin),
    quote: quote?.text,
    via_bot: userNameOf(via_bot),
    links: linksOf(message).join('\n'),
  });
}

/** Addresses behind words: the text alone doesn't show them. */
function linksOf({ entities = [], caption_entities = [] }: Message): string[] {
  return [...entities, ...caption_entities].flatMap(({ url }) => url ?? []);
}

function originOf(origin: NonNullable<Message['forward_origin']>): string {
  const who = origin.sender_user ?? origin.sender_chat ?? origin.chat;
  return origin.sender_user_name ?? (who ? nameOf(who) : '?');
}

function userNameOf(user: User | undefined): string | undefined {
  return user?.username && `@${user.username}`;
}

function toFields(all: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value ? [[name, value.slice(0, 10_000)] as const] : [])),
  );
}

function nameOf(who: User | Chat): string {
  const title = 'title' in who ? who.title : undefined;
  return title ?? ([who.first_name, who.last_name].filter(Boolean).join(' ') || who.username || who.id);
}

/** A button that the customer pressed. It has no time of its own: the message it hangs on is an old one of ours. */
function fromCallback(value: unknown, { receivedAt }: About): ItemInput {
  const { id, from, message, data } = CallbackQuery.parse(value);
  if (data === undefined) return ignored('callback_query', 'the button of a game');
  const buttons = message?.reply_markup?.inline_keyboard?.flat() ?? [];
  return {
    kind: 'message',
    externalId: `callback:${id}`,
    occurredAt: receivedAt,
    sender: partyOf(from),
    // On a message that the bot wrote into a chat it isn't in, only the person is known.
    thread: message ? threadUnder(message) : { externalId: threadOf({ chat: from.id }) },
    text: buttons.find((button) => button.callback_data === data)?.text ?? data,
    fields: toFields({ button: data, username: userNameOf(from) }),
  };
}

function threadUnder(message: NonNullable<CallbackQuery['message']>): EnvelopeInput['thread'] {
  const place = placeOf(message);
  const references = message.message_id === undefined ? [] : [messageOf(place, message.message_id)];
  return { ...whereOf(place, message.chat), references };
}

function fromDeletion(value: unknown, { receivedAt }: About): ItemInput[] {
  const { business_connection_id: connection, chat, message_ids: ids } = DeletedMessages.parse(value);
  return ids.map((id) => ({
    kind: 'deletion',
    externalId: messageOf({ chat: chat.id, connection }, id),
    occurredAt: receivedAt,
  }));
}

function fromReaction(value: unknown): ItemInput {
  const { chat, message_id, user, actor_chat, date, new_reaction } = Reaction.parse(value);
  // Emoji of one's own are pictures behind an id, and a paid reaction is a star.
  const emoji = new_reaction.map((reaction) => reaction.emoji ?? (reaction.type === 'paid' ? '⭐' : '🔹')).join('');
  return {
    kind: 'reaction',
    externalId: messageOf({ chat: chat.id }, message_id),
    emoji: emoji.slice(0, 64),
    sender: user ? partyOf(user) : partyOfChat(actor_chat ?? chat),
    occurredAt: date * 1000,
  };
}

function fromMembership(value: unknown): ItemInput {
  const { chat, from, old_chat_member, new_chat_member } = Membership.parse(value);
  const [before, after] = [old_chat_member.status, new_chat_member.status];
  if (chat.type !== 'private') return ignored('my_chat_member', `the bot in ${nameOf(chat)}: ${before} → ${after}`);
  return ignored('my_chat_member', `${nameOf(from)} ${after === 'kicked' ? 'blocked' : 'unblocked'} the bot`);
}

function fromConnection(value: unknown): ItemInput {
  const { user, is_enabled } = Connection.parse(value);
  return ignored('business_connection', `${nameOf(user)} ${is_enabled ? 'connected' : 'disconnected'} the bot`);
}
