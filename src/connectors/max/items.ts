import { z } from 'zod';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import { ignored } from '../../core/envelope.ts';
import type { Secret } from '../../core/secret.ts';
import { contentOf } from './content.ts';
import { nameOf, ownPhoneOf, partyOf } from './people.ts';
import { Notice, Pressed, Removed, Written } from './update.ts';
import type { Message, User } from './update.ts';

export interface About {
  readonly channel: string;
  /** What MAX signs contact cards with. */
  readonly token: Secret;
}

/** Updates that are deliberately no message: https://dev.max.ru/docs-api/objects/Update */
const NOTICES: Readonly<Record<string, string>> = {
  bot_started: 'started the bot',
  bot_stopped: 'stopped the bot: nothing may be sent there until it is started again',
  bot_added: 'added the bot to a chat',
  bot_removed: 'removed the bot from a chat',
  user_added: 'came into the chat',
  user_removed: 'is no longer in the chat',
  chat_title_changed: 'named the chat anew',
  dialog_cleared: 'cleared the conversation on his side',
  dialog_removed: 'removed the conversation on his side',
  dialog_muted: 'wants no notifications of the bot',
  dialog_unmuted: 'wants notifications of the bot',
};

/** What MAX is asked for. */
export const UPDATES: readonly string[] = [
  'message_created',
  'message_edited',
  'message_removed',
  'message_callback',
  ...Object.keys(NOTICES),
];

/** One update as an item. */
export function toItem(value: unknown, about: About): ItemInput {
  const { update_type: type } = z.object({ update_type: z.string() }).parse(value);
  if (type === 'message_created' || type === 'message_edited') return fromMessage(type, value, about);
  if (type === 'message_callback') return fromButton(value, about);
  if (type === 'message_removed') {
    const { message_id, timestamp } = Removed.parse(value);
    return { kind: 'deletion', externalId: message_id, occurredAt: timestamp };
  }
  return ignored(type, reasonOf(type, value));
}

function reasonOf(type: string, value: unknown): string {
  const notice = Object.hasOwn(NOTICES, type) ? NOTICES[type] : undefined;
  if (notice === undefined) return 'an update that is no message to the business, or newer than this version';
  const { user, chat_id, title, payload } = Notice.parse(value);
  return [user && nameOf(user), notice, title && `“${title}”`, chat_id && `(${chat_id})`, payload && `with ${payload}`]
    .filter(Boolean)
    .join(' ');
}

function fromMessage(type: string, value: unknown, about: About): ItemInput {
  const { message, timestamp, user_locale } = Written.parse(value);
  const { sender, recipient, link } = message;
  const isDialog = recipient.chat_type === 'dialog';
  if (!sender || recipient.chat_type === 'channel') {
    return ignored(type, `a post in the channel ${recipient.chat_id ?? ''}, which is no message to the business`);
  }
  const party = partyOf(sender, about.channel, user_locale);
  const phone = ownPhoneOf(message, about.token);
  if (phone !== undefined) party.identifiers.push({ kind: 'phone', value: phone, trust: 'verified' });
  const { fields, ...content } = contentOf(message);
  const references = link?.type === 'reply' && link.message ? [link.message.mid] : [];
  return {
    kind: 'message',
    externalId: externalIdOf(message),
    ...(type === 'message_edited' && { revision: timestamp }),
    occurredAt: message.timestamp,
    sender: party,
    thread: { ...whereOf(message), references },
    ...content,
    fields: toFields({ ...fields, username: userNameOf(sender) }),
    ...(sender.is_bot && (isDialog ? OURS : ANOTHER)),
  };
}

/** In a conversation of two the bot is ours: what another program answered. In a chat it is anybody's. */
const OURS = { direction: 'outbound' } as const;
const ANOTHER = { automatic: 'notification' } as const;

/** A message that only passes another on may come without a body, and so without an id of its own. */
function externalIdOf({ body, link, recipient, timestamp }: Message): string {
  return body?.mid ?? `${recipient.chat_id ?? ''}:${timestamp}:${link?.message?.mid ?? ''}`;
}

function whereOf({ recipient: { chat_id, chat_type } }: Message): NonNullable<EnvelopeInput['thread']> {
  // What is pressed in a channel is answered to him who pressed it, not to all who read there.
  if (chat_id == null || chat_type === 'channel') return {};
  return { externalId: chat_id, ...(chat_type !== 'dialog' && { shared: true }) };
}

function fromButton(value: unknown, { channel }: About): ItemInput {
  const { callback, message, user_locale } = Pressed.parse(value);
  const { user, payload } = callback;
  const references = message?.body ? [message.body.mid] : [];
  return {
    kind: 'message',
    // The id may be that of the buttons: who presses twice says it twice.
    externalId: `${callback.callback_id}:${callback.timestamp}`,
    occurredAt: callback.timestamp,
    sender: partyOf(user, channel, user_locale),
    thread: { ...(message && whereOf(message)), references },
    text: (message && labelOf(message, payload)) ?? payload ?? '[button]',
    fields: toFields({ button: payload, username: userNameOf(user) }),
  };
}

const Buttons = z.array(z.array(z.object({ text: z.string(), payload: z.string().nullish().catch(undefined) })));

/** What the pressed button says. */
function labelOf({ body }: Message, payload: string | undefined): string | undefined {
  const rows = (body?.attachments ?? []).flatMap((each) => Buttons.safeParse(each.payload?.buttons).data ?? []);
  return rows.flat().find((button) => payload !== undefined && button.payload === payload)?.text;
}

function userNameOf({ username }: User): string | undefined {
  return username && `@${username}`;
}

function toFields(all: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value ? [[name, value.slice(0, 10_000)] as const] : [])),
  );
}
