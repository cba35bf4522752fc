import { each } from '../../core/each.ts';
import { ignored } from '../../core/envelope.ts';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import { contentOf } from './content.ts';
import { Changed, Deleted, DeletedBulk, Message, Reaction, Told } from './event.ts';
import { fromPush } from './interactions.ts';

interface About {
  /** Users whose messages are answers of the business. */
  readonly agents: readonly string[];
  readonly self: string | undefined;
  readonly subject: string | undefined;
  readonly receivedAt: number;
}

/** Messages of people and programs, answers, and what programs say to commands; every other type is a notice. */
const SPOKEN: readonly number[] = [0, 19, 20, 23];
/** Of a reference: the message was passed on, which is no answer to it. */
const PASSED_ON = 1;
/** Letters of the names of emoji that are pictures. */
const EMOJI = 62;

const KINDS: Readonly<Record<string, (event: unknown, about: About) => ItemInput | ItemInput[]>> = {
  MESSAGE_CREATE: (event, about) => fromMessage(Message.parse(event), about),
  MESSAGE_UPDATE: fromChange,
  MESSAGE_DELETE: (event, about) => deletion(Deleted.parse(event).id, about),
  MESSAGE_DELETE_BULK: (event, about) => each(DeletedBulk.parse(event).ids, (id) => deletion(id, about)),
  MESSAGE_REACTION_ADD: (event, about) => fromReaction(event, about, { isAdded: true }),
  MESSAGE_REACTION_REMOVE: (event, about) => fromReaction(event, about, { isAdded: false }),
};

/** What was delivered, pushed or fetched, as items. */
export function toItems(
  { method, body, receivedAt }: Payload,
  { agents }: { readonly agents: readonly string[] },
): ItemInput[] {
  const value = parseJson(body);
  if (method !== 'STREAM' && method !== 'RECONCILE') return [fromPush(value)];
  const { op, t, d, self, subject } = Told.parse(value);
  const name = t ?? `op ${op ?? 'missing'}`;
  const read = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
  if (!read) return [ignored(name, 'no message to the business, or newer than this version')];
  return [read(d, { agents, self, subject, receivedAt })].flat();
}

/** Also told when a link is shown, or something is pinned: then nothing is said that wasn't before. */
function fromChange(event: unknown, about: About): ItemInput {
  if (!Changed.safeParse(event).success) return ignored('MESSAGE_UPDATE', 'nothing that was said has changed');
  return fromMessage(Message.parse(event), about);
}

function fromMessage(message: Message, about: About): ItemInput {
  const { author, type } = message;
  if (!SPOKEN.includes(type)) return ignored(`message.${type}`, 'a notice of Discord, or newer than this version');
  if (author.id === about.self) return ignored('message', 'our own answer');
  if (author.system) return ignored('message', 'a notice of Discord');
  const isAutomatic = author.bot || message.webhook_id !== undefined;
  return {
    kind: 'message',
    externalId: message.id,
    revision: message.edited_timestamp ? Date.parse(message.edited_timestamp) : 0,
    occurredAt: Date.parse(message.timestamp),
    direction: about.agents.includes(author.id) ? 'outbound' : 'inbound',
    sender: senderOf(message),
    thread: {
      externalId: message.channel_id,
      references: referencesOf(message),
      // Whoever is in a server, or in a thread of it, may write there.
      ...(message.guild_id !== undefined && { shared: true }),
    },
    ...(about.subject !== undefined && { subject: about.subject }),
    ...contentOf(message, about.self),
    ...(isAutomatic && { automatic: 'notification' as const }),
  };
}

function referencesOf({ message_reference: reference, channel_id }: Message): string[] {
  const { type, channel_id: channel = channel_id, message_id } = reference ?? {};
  return message_id !== undefined && type !== PASSED_ON && channel === channel_id ? [message_id] : [];
}

function senderOf({ author, member }: Message): EnvelopeInput['sender'] {
  return partyOf(author.id, member?.nick ?? author.global_name ?? author.username);
}

/** Ids of users are the same in every server and for every app; names can be changed at any time. */
function partyOf(value: string, name: string | undefined): EnvelopeInput['sender'] {
  return { ...(name && { name }), identifiers: [{ kind: 'discord', value, trust: 'verified' }] };
}

/** Discord doesn't say when. */
function deletion(externalId: string, { receivedAt }: About): ItemInput {
  return { kind: 'deletion', externalId, occurredAt: receivedAt };
}

function fromReaction(event: unknown, about: About, { isAdded }: { readonly isAdded: boolean }): ItemInput {
  const { user_id, message_id, emoji, member } = Reaction.parse(event);
  if (user_id === about.self) return ignored('reaction', 'our own reaction');
  const name = emoji.id ? `:${emoji.name.slice(0, EMOJI)}:` : emoji.name.slice(0, EMOJI);
  return {
    kind: 'reaction',
    externalId: message_id,
    emoji: isAdded ? name : '',
    sender: partyOf(user_id, member?.nick ?? member?.user?.global_name ?? member?.user?.username),
    occurredAt: about.receivedAt,
  };
}
