import { ignored } from '../../core/envelope.ts';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import { messageOf, microsOf, threadOf, timeOf } from './address.ts';
import { contentOf } from './content.ts';
import { Changed, Deleted, Delivery, Frame, Reaction, Said } from './event.ts';
import type { Event, Message, Where } from './event.ts';

interface About {
  /** Our own channel's id. */
  readonly channel: string;
  /** Users whose messages are answers of the business. */
  readonly agents: readonly string[];
}

interface Told extends About {
  readonly team: string | undefined;
  readonly app: string | undefined;
  /** Who we are there. */
  readonly self: readonly string[];
}

/** Messages of people and programs; every other subtype is a notice. */
const SPOKEN: readonly (string | undefined)[] = [
  undefined,
  'file_share',
  'me_message',
  'thread_broadcast',
  'bot_message',
];

const KINDS: Readonly<Record<string, (event: Event, told: Told) => ItemInput>> = {
  message: fromMessage,
  app_mention: fromMessage,
  reaction_added: (event, told) => fromReaction(event, told, { isAdded: true }),
  reaction_removed: (event, told) => fromReaction(event, told, { isAdded: false }),
};

const NOTICES: Readonly<Record<string, string>> = {
  url_verification: 'Slack tries whether the address is ours',
  app_rate_limited: 'too many events in a minute: Slack kept some back, which are asked for',
  tokens_revoked: 'the bot token was revoked: install the app again and enter the new one',
  app_uninstalled: 'the app was removed from the workspace',
  slash_command: 'commands are not served: what is written to the app is',
};

/** What was delivered, pushed or fetched, as items. */
export function toItems({ method, headers, body }: Payload, about: About): ItemInput[] {
  const value = method === 'STREAM' ? payloadOf(body) : bodyOf(headers, body);
  const { type, event, team_id: team, api_app_id: app, authorizations } = Delivery.parse(value);
  if (!event) return [notice(type || 'no_event')];
  const read = Object.hasOwn(KINDS, event.type) ? KINDS[event.type] : undefined;
  if (!read) return [notice(event.type)];
  const self = authorizations.flatMap(({ user_id, is_bot }) => (is_bot && user_id ? user_id : []));
  return [read(event, { ...about, team, app, self })];
}

function payloadOf(frame: Buffer): unknown {
  const { type, payload } = Frame.parse(parseJson(frame));
  return type === 'slash_commands' ? { type: 'slash_command' } : (payload ?? { type });
}

/** Buttons, menus and commands come as forms, if the operator lets them come here. */
function bodyOf(headers: Payload['headers'], body: Buffer): unknown {
  if (!headers['content-type']?.startsWith('application/x-www-form-urlencoded')) return parseJson(body);
  const payload = new URLSearchParams(body.toString('utf8')).get('payload');
  return payload === null ? { type: 'slash_command' } : parseJson(Buffer.from(payload));
}

function notice(name: string): ItemInput {
  const reason = Object.hasOwn(NOTICES, name) ? NOTICES[name] : undefined;
  return ignored(name, reason ?? 'no message to the business, or newer than this version');
}

function fromMessage(event: Event, told: Told): ItemInput {
  const { subtype } = event;
  if (subtype === 'message_changed') return fromChange(event, told);
  if (subtype === 'message_deleted') {
    const { channel, deleted_ts, event_ts } = Deleted.parse(event);
    return deletion(channel, deleted_ts, event_ts);
  }
  if (!SPOKEN.includes(subtype)) return ignored(`message.${subtype}`, 'a notice of Slack, or newer than this version');
  const said = Said.parse(event);
  // What is fetched later tells only that it was edited meanwhile.
  return envelope(said, said, told, said.edited ? microsOf(said.edited.ts) : 0);
}

/** Also told when a link is shown or a reply counted: then nothing is said that wasn't before. */
function fromChange(event: Event, told: Told): ItemInput {
  const change = Changed.parse(event);
  const { message, previous_message: before, channel, event_ts } = change;
  // A message with replies is not taken away when it is deleted.
  if (message.subtype === 'tombstone') return deletion(channel, message.ts, event_ts);
  const isEdited = before
    ? before.text !== message.text || before.edited?.ts !== message.edited?.ts
    : message.edited !== undefined;
  if (!isEdited || !SPOKEN.includes(message.subtype)) {
    return ignored('message.message_changed', 'nothing that was said has changed');
  }
  return envelope(message, change, told, microsOf(event_ts ?? message.edited?.ts ?? message.ts));
}

function deletion(channel: string, ts: string, at = ts): ItemInput {
  return { kind: 'deletion', externalId: messageOf(channel, ts), occurredAt: timeOf(at) };
}

function envelope(message: Message, where: Where, told: Told, revision: number): ItemInput {
  const { ts, user, bot_id, user_team, thread_ts } = message;
  if (isOurs(message, told)) return ignored('message', 'our own answer');
  if (user === 'USLACKBOT') return ignored('message', 'a notice of Slackbot');
  const { text, links, attachments } = contentOf(message, told.self);
  return {
    kind: 'message',
    externalId: messageOf(where.channel, ts),
    revision,
    occurredAt: timeOf(ts),
    direction: user !== undefined && told.agents.includes(user) ? 'outbound' : 'inbound',
    sender: senderOf(message, told),
    thread: {
      ...placeOf(message, where),
      references: thread_ts === undefined || thread_ts === ts ? [] : [messageOf(where.channel, thread_ts)],
    },
    text,
    attachments,
    fields: toFields({
      links: links.join('\n'),
      workspace: user_team !== told.team ? user_team : undefined,
    }),
    ...(bot_id !== undefined && { automatic: 'notification' as const }),
  };
}

/** By our app, or by its user: files that it shares are told as the user's. */
function isOurs({ user, app_id, bot_profile }: Message, { app, self }: Told): boolean {
  if (user !== undefined && self.includes(user)) return true;
  const by = app_id ?? bot_profile?.app_id;
  return by !== undefined && by === app;
}

/**
 * In a channel each message begins a thread, and is a conversation with whoever answers below it. In direct messages
 * people write one below the other: the conversation is the chat, until somebody begins a thread.
 */
function placeOf({ ts, thread_ts }: Message, { channel, channel_type }: Where) {
  // Of mentions, and in an app's own tab, the name alone says it.
  const isDirect = channel.startsWith('D');
  const threadTs = isDirect || channel_type === 'mpim' ? thread_ts : (thread_ts ?? ts);
  return {
    externalId: threadOf({ channel, ...(threadTs !== undefined && { threadTs }) }),
    ...(!isDirect && { shared: true }),
  };
}

/** Ids are unique in a workspace, and those of others stay the same in what is shared with it. */
function senderOf(message: Message, { channel }: Told): EnvelopeInput['sender'] {
  const { user, bot_id, username, bot_profile, user_profile } = message;
  const value = user ?? bot_id;
  if (value === undefined) throw new Error('Slack does not say who wrote it');
  const name = username ?? bot_profile?.name ?? user_profile?.real_name ?? user_profile?.display_name;
  return { ...(name && { name }), identifiers: [{ kind: `slack:${channel}`, value, trust: 'verified' }] };
}

function fromReaction(event: Event, told: Told, { isAdded }: { readonly isAdded: boolean }): ItemInput {
  const { user, reaction, item, event_ts } = Reaction.parse(event);
  if (told.self.includes(user)) return ignored(event.type, 'our own reaction');
  if (item.type !== 'message' || !item.channel || !item.ts) return ignored(event.type, `to a ${item.type}`);
  return {
    kind: 'reaction',
    externalId: messageOf(item.channel, item.ts),
    emoji: isAdded ? `:${reaction.slice(0, 62)}:` : '',
    sender: { identifiers: [{ kind: `slack:${told.channel}`, value: user, trust: 'verified' }] },
    occurredAt: timeOf(event_ts),
  };
}

function toFields(all: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value ? [[name, value.slice(0, 10_000)] as const] : [])),
  );
}
