import { ignored } from '../../core/envelope.ts';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import { contentOf } from './content.ts';
import { Ack, Call, Message, Reaction, Renumbered, Told } from './event.ts';
import { canonical, externalIdOf, isGroup, isPerson, outgoing, partyOf } from './ids.ts';

interface About extends Told {
  readonly receivedAt: number;
}

/** https://docs.wwebjs.dev/Client.html#event:message_create and its neighbours; every other one is ignored by its name. */
const EVENTS: Readonly<Record<string, (about: About) => ItemInput>> = {
  message_create: (about) => fromMessage(Message.parse(about.data), about),
  message_edit: fromEdit,
  message_revoke_everyone: fromRevoked,
  message_reaction: fromReaction,
  message_ack: fromAck,
  call: fromCall,
  contact_changed: fromRenumbered,
  message_ciphertext_failed: (about) => {
    const { id } = Message.parse(about.data);
    const at = externalIdOf(id, about.people);
    return { kind: 'broken', at, error: 'WhatsApp Web could not decrypt this message: read it on the phone' };
  },
};

/** What the library told, or what a chat holds, as items. */
export function toItems({ body, receivedAt }: Payload): ItemInput[] {
  const told = Told.parse(parseJson(body));
  const read = Object.hasOwn(EVENTS, told.event) ? EVENTS[told.event] : undefined;
  if (!read) return [ignored(told.event, 'no message to the business, or newer than this version')];
  return [read({ ...told, receivedAt })];
}

/** `revision`: when it was edited, by its author's clock. */
function fromMessage(message: Message, about: About): ItemInput {
  const { id, type, latestEditSenderTimestampMs: revision } = message;
  const { remote, fromMe } = id;
  if (type === 'revoked') return fromRevoked(about);
  if (type === 'call_log') return fromCallLog(message, about);
  const reason = whyNot(message, about);
  if (reason !== undefined) return ignored(`message.${type}`, reason);
  const content = contentOf(message);
  if (!content) return ignored(`message.${type}`, 'a notice of WhatsApp, or newer than this version');
  return {
    kind: 'message',
    externalId: externalIdOf(id, about.people),
    revision,
    occurredAt: timeOf(message.timestamp, about),
    direction: fromMe ? 'outbound' : 'inbound',
    sender: senderOf(message, about),
    thread: { ...threadOf(remote, about), references: referencesOf(message, about) },
    ...(isGroup(remote) && about.group?.name && { subject: about.group.name.slice(0, 1000) }),
    ...content,
    fields: fieldsOf(message),
  };
}

/** Why it is nothing that somebody said to the business. */
function whyNot({ id: { remote }, isStatus }: Message, { self }: About): string | undefined {
  if (isStatus || /@(broadcast|newsletter)$/.test(remote)) return 'said to all, not to the business';
  if (remote === self) return 'a note of the business to itself';
  return isGroup(remote) || isPerson(remote) ? undefined : 'of WhatsApp, not of a person';
}

/** A chat is a person, under whichever of his names; a group is a chat of its own. */
function threadOf(remote: string, { people }: About): { externalId: string; shared?: boolean } {
  return isGroup(remote) ? { externalId: remote, shared: true } : { externalId: canonical(remote, people) };
}

function senderOf({ id, author, from, _data }: Message, { people, self }: About): EnvelopeInput['sender'] {
  // Which of the business's people wrote on the phone nobody can say.
  if (id.fromMe) return partyOf(self ?? from ?? 'self', people, undefined);
  const wid = isGroup(id.remote) ? (author ?? id.participant ?? undefined) : id.remote;
  if (wid === undefined || !isPerson(wid)) throw new Error('it does not say who wrote it');
  return partyOf(wid, people, _data.notifyName);
}

/** Whose message is quoted isn't told in every version: both that it can be are named. */
function referencesOf({ id, _data }: Message, { people }: About): string[] {
  const quoted = _data.quotedStanzaID;
  if (!quoted) return [];
  const key = { fromMe: false, remote: id.remote, id: quoted.slice(0, 200), participant: _data.quotedParticipant };
  return [outgoing(key.id), externalIdOf(key, people)];
}

function fieldsOf({ isForwarded, selectedButtonId, selectedRowId }: Message): Record<string, string> {
  const button = selectedButtonId ?? selectedRowId;
  return { ...(isForwarded && { forwarded: 'yes' }), ...(button && { button: button.slice(0, 10_000) }) };
}

function timeOf(seconds: number | null | undefined, { receivedAt }: About): number {
  return seconds == null ? receivedAt : Math.round(seconds * 1000);
}

/** Also told when a preview or a thumbnail has come: then nobody has changed his words. */
function fromEdit(about: About): ItemInput {
  const message = Message.parse(about.data);
  if (message.latestEditSenderTimestampMs === 0) return ignored('message_edit', 'nothing that was said has changed');
  return fromMessage(message, about);
}

/** What is left of it may have an id of its own, and names what it was. When that was isn't told. */
function fromRevoked(about: About): ItemInput {
  const { id, protocolMessageKey } = Message.parse(about.data);
  const externalId = externalIdOf(protocolMessageKey ?? id, about.people);
  return { kind: 'deletion', externalId, occurredAt: about.receivedAt };
}

function fromReaction(about: About): ItemInput {
  const { id, msgId, reaction, senderId, timestamp } = Reaction.parse(about.data);
  if (id.fromMe || senderId === about.self) return ignored('message_reaction', 'of the business itself');
  if (!isPerson(senderId)) return ignored('message_reaction', 'not of a person');
  return {
    kind: 'reaction',
    externalId: externalIdOf(msgId, about.people),
    // Empty when it is taken back.
    emoji: (reaction ?? '').slice(0, 64),
    sender: partyOf(senderId, about.people, undefined),
    occurredAt: timeOf(timestamp, about),
  };
}

/** https://docs.wwebjs.dev/global.html#MessageAck; 4: a recording was played. */
const STATES: ReadonlyMap<number, 'sent' | 'delivered' | 'read' | 'failed'> = new Map([
  [-1, 'failed'],
  [1, 'sent'],
  [2, 'delivered'],
  [3, 'read'],
  [4, 'read'],
]);

function fromAck(about: About): ItemInput {
  const { message, ack } = Ack.parse(about.data);
  const state = STATES.get(ack);
  if (!message.id.fromMe || !state) return ignored('message_ack', 'says nothing about a message of ours');
  return { kind: 'receipt', externalId: outgoing(message.id.id), state, occurredAt: about.receivedAt };
}

/** Told when it rings. Whether somebody answers, on the phone, isn't told. */
function fromCall(about: About): ItemInput {
  const { id, from, timestamp, isVideo, isGroup: isOfGroup, fromMe } = Call.parse(about.data);
  if (fromMe) return ignored('call', 'a call of the business');
  if (isOfGroup || !isPerson(from)) return ignored('call', 'a call in a group');
  return callOf({ id, wid: from, outcome: 'ringing', isVideo, occurredAt: timeOf(timestamp, about) }, about);
}

/** What a chat shows of a call that is over; its id is not that of the call. */
function fromCallLog({ id, timestamp, _data }: Message, about: About): ItemInput {
  const isMissed = _data.subtype?.startsWith('miss') ?? false;
  if (id.fromMe || !isMissed || !isPerson(id.remote)) return ignored('message.call_log', 'a call that was not missed');
  const isVideo = _data.subtype?.includes('video') ?? false;
  return callOf({ id: id.id, wid: id.remote, outcome: 'missed', isVideo, occurredAt: timeOf(timestamp, about) }, about);
}

function callOf(
  call: {
    readonly id: string;
    readonly wid: string;
    readonly outcome: 'ringing' | 'missed';
    readonly isVideo: boolean;
    readonly occurredAt: number;
  },
  about: About,
): ItemInput {
  const { id, wid, outcome, isVideo, occurredAt } = call;
  const numberOf = (jid: string) => (jid.endsWith('@c.us') ? `+${jid.split('@')[0] ?? ''}` : jid);
  return {
    kind: 'call',
    externalId: `call:${id}`,
    // If both have one id after all, the end counts.
    revision: outcome === 'missed' ? 1 : 0,
    occurredAt,
    sender: partyOf(wid, about.people, undefined),
    thread: threadOf(wid, about),
    text: '',
    fields: isVideo ? { video: 'yes' } : {},
    call: {
      outcome,
      direction: 'inbound',
      from: numberOf(canonical(wid, about.people)),
      to: numberOf(about.self ?? ''),
    },
  };
}

function fromRenumbered(about: About): ItemInput {
  const { from, to } = Renumbered.parse(about.data);
  if (!isPerson(from) || !isPerson(to) || from === to) return ignored('contact_changed', 'says not from what to what');
  return { kind: 'moved', from: canonical(from, about.people), to: canonical(to, about.people) };
}
