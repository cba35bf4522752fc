import { ignored } from '../../core/envelope.ts';
import type { ItemInput } from '../../core/envelope.ts';
import { nameOfParty, partyOf, toAttachments, toFields } from './about.ts';
import type { About } from './about.ts';
import { isGroupChat, messageOf, threadOf } from './address.ts';
import { contentOf, filesIn, plainText } from './content.ts';
import { Message, NewMessage, Permission, Pressed, Reaction, Read } from './event.ts';
import type { Forwarded } from './event.ts';

/** Languages of VK as BCP 47: https://dev.vk.com/ru/reference/objects/client-info */
const LANGUAGES: Readonly<Record<number, string>> = {
  0: 'ru',
  1: 'uk',
  2: 'be',
  3: 'en',
  4: 'es',
  5: 'fi',
  6: 'de',
  7: 'it',
};

export function fromMessage(object: unknown, { type, receivedAt, self, mark }: About): ItemInput {
  const { message: inner, client_info } = NewMessage.parse(object);
  const message = Message.parse(inner ?? object);
  const { peer_id: peer, from_id: from, update_time, action } = message;
  if (action) return ignored(action.type, 'a notice of the chat');
  const direction = from === self ? 'outbound' : 'inbound';
  if (direction === 'outbound' && message.payload === mark) return ignored(type, 'our own answer');
  const locale = client_info && LANGUAGES[client_info.lang_id];
  const { fields } = contentOf(message);
  return {
    kind: 'message',
    externalId: messageOf(peer, message.conversation_message_id),
    revision: update_time ?? (type === 'message_edit' ? Math.floor(receivedAt / 1000) : 0),
    occurredAt: message.date * 1000,
    direction,
    sender: { ...partyOf(from), ...(locale && { locale }) },
    thread: { ...whereOf(peer), references: referencesOf(peer, message.reply_message) },
    text: wordsOf(message).slice(0, 1_000_000),
    attachments: toAttachments(filesIn(message)),
    fields: toFields({
      ...fields,
      button: message.payload,
      quote: message.reply_message && plainText(message.reply_message.text),
      ref: message.ref,
      ref_source: message.ref_source,
      cropped: message.is_cropped ? 'VK left out a part of this message' : undefined,
    }),
  };
}

function whereOf(peer: string) {
  return { externalId: threadOf({ peer }), ...(isGroupChat(peer) && { shared: true }) };
}

function referencesOf(peer: string, answered: Forwarded | undefined): string[] {
  const number = answered?.conversation_message_id;
  return number === undefined ? [] : [messageOf(peer, number)];
}

/** Everything that is said, line by line; what was forwarded below it, with its author. */
function wordsOf(message: Pick<Forwarded, 'text' | 'attachments' | 'geo' | 'fwd_messages'>): string {
  const forwarded = message.fwd_messages.map((inner) =>
    `${nameOfParty(inner.from_id)}: ${wordsOf(inner)}`.replace(/^/gm, '> '),
  );
  return [plainText(message.text), ...contentOf(message).lines, ...forwarded].filter(Boolean).join('\n');
}

/** A button that the customer pressed. It has no time of its own. */
export function fromPressed(object: unknown, { receivedAt }: About): ItemInput {
  const { user_id, peer_id, event_id, payload, conversation_message_id: number } = Pressed.parse(object);
  const said = typeof payload === 'string' ? payload : JSON.stringify(payload ?? null);
  return {
    kind: 'message',
    externalId: `event:${event_id}`,
    occurredAt: receivedAt,
    sender: partyOf(user_id),
    thread: { ...whereOf(peer_id), references: number === undefined ? [] : [messageOf(peer_id, number)] },
    text: said.slice(0, 10_000),
    fields: toFields({ button: said }),
  };
}

export function fromRead(object: unknown, { type, receivedAt, self }: About): ItemInput {
  const { from_id, peer_id, conversation_message_id: number } = Read.parse(object);
  if (from_id === self) return ignored(type, 'read by the community itself');
  return { kind: 'receipt', externalId: messageOf(peer_id, number), state: 'read', occurredAt: receivedAt };
}

/** VK numbers its reactions and shows a picture for each; without a number it was taken back. */
export function fromReaction(object: unknown, { receivedAt }: About): ItemInput {
  const { reacted_id, peer_id, cmid, reaction_id } = Reaction.parse(object);
  return {
    kind: 'reaction',
    externalId: messageOf(peer_id, cmid),
    emoji: reaction_id === undefined ? '' : `#${reaction_id}`,
    sender: partyOf(reacted_id),
    occurredAt: receivedAt,
  };
}

export function fromPermission(object: unknown, { type }: About): ItemInput {
  const { user_id } = Permission.parse(object);
  const verb = type === 'message_allow' ? 'allowed' : 'forbade';
  return ignored(type, `${nameOfParty(user_id)} ${verb} the community to write to him`);
}
