import { ignored } from '../../core/envelope.ts';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import { Activity, Message, Place, Reactions, ReadReceipt } from './activity.ts';
import type { Account } from './activity.ts';
import { circumstancesOf, contentOf } from './content.ts';
import type { ReadMarkup } from './markup.ts';

/** What an activity is read with. */
interface About {
  /** The endpoint's id. */
  readonly channel: string;
  readonly receivedAt: number;
  readonly readMarkup: ReadMarkup;
}

type Read = (activity: Activity, about: About) => ItemInput | ItemInput[];

const TEAMS = 'msteams';

const TYPES: Readonly<Record<string, Read>> = {
  message: (activity, about) => toEnvelope(activity, about, 0),
  // An edit, or a message that was taken back and is shown again.
  messageUpdate: (activity, about) => toEnvelope(activity, about, timeOf(activity, about)),
  messageDelete: (activity, about) => ({
    kind: 'deletion',
    externalId: externalIdOf(Place.parse(activity).conversation.id, Message.parse(activity).id),
    occurredAt: timeOf(activity, about),
  }),
  messageReaction: toReactions,
  event: (activity, about) =>
    activity.name === 'application/vnd.microsoft.readReceipt' ? toReceipt(activity, about) : notice(activity),
};

/** What an activity says. A bot has one address for all channels of the Azure Bot: what isn't of Teams is left out. */
export function toItems(payload: unknown, about: About): ItemInput[] {
  const activity = Activity.parse(payload);
  if (activity.channelId !== TEAMS) {
    const reason = 'not of Teams: switch that channel of the Azure Bot off, or ignore this';
    return [ignored(`channel ${activity.channelId ?? 'unknown'}`, reason)];
  }
  const read = Object.hasOwn(TYPES, activity.type) ? TYPES[activity.type] : undefined;
  return [read ? read(activity, about) : notice(activity)].flat();
}

/** Unique in Teams: the ids of messages are times, so two chats may have the same. */
export function externalIdOf(chat: string, id: string): string {
  return `${baseOf(chat)}:${id}`;
}

/** A post's replies are a conversation of their own: `<channel>;messageid=<post>`. Not everything says so. */
function baseOf(chat: string): string {
  return chat.split(';', 1)[0] ?? chat;
}

/** `revision`: when it was edited. */
function toEnvelope(activity: Activity, about: About, revision: number): EnvelopeInput {
  const message = Message.parse(activity);
  const { conversation, from } = Place.parse(activity);
  const { quoted, fields, ...content } = contentOf(message, about.readMarkup);
  const { conversationType, isGroup } = conversation;
  const shared = conversationType === undefined ? isGroup === true : conversationType !== 'personal';
  return {
    kind: 'message',
    externalId: externalIdOf(conversation.id, message.id),
    revision,
    occurredAt: timeOf(activity, about),
    sender: partyOf(from, about.channel, message.locale),
    thread: {
      externalId: conversation.id,
      ...(shared && { shared }),
      references: quoted.map((id) => externalIdOf(conversation.id, id)),
    },
    ...content,
    fields: { ...fields, ...circumstancesOf(activity, conversation.name) },
  };
}

/** Their six names; others are newer, and shown as Teams calls them. */
const EMOJI: ReadonlyMap<string, string> = new Map([
  ['like', '👍'],
  ['heart', '❤️'],
  ['laugh', '😆'],
  ['surprised', '😮'],
  ['sad', '🙁'],
  ['angry', '😡'],
]);

/** Somebody has one reaction to a message: where he changed it, the old one is gone with the new one. */
function toReactions(activity: Activity, about: About): ItemInput[] {
  const { replyToId, reactionsAdded, reactionsRemoved } = Reactions.parse(activity);
  const { conversation, from } = Place.parse(activity);
  const added = reactionsAdded.map(({ type }) => EMOJI.get(type) ?? type.slice(0, 64));
  if (added.length + reactionsRemoved.length === 0) return [notice(activity)];
  return (added.length > 0 ? added : ['']).map((emoji) => ({
    kind: 'reaction',
    externalId: externalIdOf(conversation.id, replyToId),
    emoji,
    sender: partyOf(from, about.channel),
    occurredAt: timeOf(activity, about),
  }));
}

function toReceipt(activity: Activity, about: About): ItemInput {
  const { lastReadMessageId } = ReadReceipt.parse(activity).value;
  return {
    kind: 'receipt',
    externalId: externalIdOf(Place.parse(activity).conversation.id, lastReadMessageId),
    state: 'read',
    occurredAt: timeOf(activity, about),
  };
}

/** The person in his organisation, the same for every bot, and what he is called towards this one. Microsoft vouches for both. */
function partyOf({ id, aadObjectId, name }: Account, channel: string, locale?: string): EnvelopeInput['sender'] {
  return {
    ...(name && { name: name.slice(0, 1000) }),
    identifiers: [
      ...(aadObjectId === undefined
        ? []
        : [{ kind: 'entra', value: aadObjectId.toLowerCase(), trust: 'verified' as const }]),
      { kind: `teams:${channel}`, value: id, trust: 'verified' },
    ],
    ...(locale && { locale }),
  };
}

function timeOf({ timestamp }: Activity, { receivedAt }: About): number {
  return timestamp ?? receivedAt;
}

/** What of a notice says which one it is. */
function notice({ type, name, action, channelData }: Activity): ItemInput {
  const more = [channelData?.eventType, action, name].filter(Boolean).join(' ');
  return ignored(type, more || 'no message to the business, or newer than this version');
}
