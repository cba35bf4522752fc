import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import type { Payload } from '../../core/payload.ts';
import { isOwnAddress, looksLikeOurs, ticketOf } from './addresses.ts';
import { automaticOf } from './automatic.ts';
import type { Mail, MailAddress } from './mail.ts';
import { headerOf, headersOf } from './mail.ts';

/** What a mail means: one envelope, or by name why it is none. */

/** The channel's own addresses, in lower case. */
export interface Own {
  readonly addresses: readonly string[];
}

const MOST_REFERENCES = 100;
/** Of ids, as the envelope takes them. */
const LONGEST_ID = 512;

export function itemsOf(mail: Mail, payload: Payload, own: Own): ItemInput[] {
  const messageId = idsIn(headerOf(mail, 'message-id') ?? '')[0];
  const sender = senderOf(mail, own);
  const isOurs = isOwnMail(mail, own);
  if (isOurs && messageId !== undefined && looksLikeOurs(messageId)) {
    return [{ kind: 'ignored', name: 'own_answer', reason: `an answer of ours came back: ${messageId}` }];
  }
  const isSent = isOurs && labelsOf(payload).includes('\\Sent');
  if (isOurs && !isSent && sender.isOwn) {
    const reason = 'it says that an address of this channel wrote it, and names nobody to answer';
    return [{ kind: 'ignored', name: 'own_address', reason }];
  }
  const envelope = envelopeOf(mail, payload, messageId ?? `sha256:${mail.digest}`, sender);
  return [{ kind: 'message', ...envelope, direction: isSent ? 'outbound' : 'inbound' }];
}

type Fields = Omit<EnvelopeInput, 'kind' | 'review' | 'call'>;

function envelopeOf(mail: Mail, payload: Payload, externalId: string, sender: Sender): Fields {
  const references = referencesOf(mail);
  const ticket = ticketOf(recipientsOf(mail, payload), references);
  const envelopeFrom = payload.headers['x-smtp-mail-from'];
  return {
    externalId,
    occurredAt: timeOf(mail, payload),
    sender: sender.party,
    thread: {
      externalId: threadOf(references[0] ?? externalId, sender),
      references,
      ...(ticket && { ticket }),
    },
    subject: mail.subject.slice(0, 1000).toWellFormed(),
    text: mail.text,
    ...(mail.html !== '' && { html: mail.html }),
    attachments: mail.files.map(({ id, name, mediaType, size, inline, cid }) => ({
      id,
      name,
      mediaType,
      size,
      ...(inline && { inline }),
      ...(cid !== '' && { cid }),
    })),
    fields: fieldsOf(mail, payload),
    ...withAutomatic(automaticOf(mail, envelopeFrom)),
  };
}

function withAutomatic(automatic: EnvelopeInput['automatic']) {
  return automatic && { automatic };
}

/** Message-IDs in a header, without brackets and in their order; what is none is left out. */
function idsIn(header: string): string[] {
  const bracketed = header.match(/<[^<>]{1,2000}>/g)?.map((id) => id.slice(1, -1)) ?? header.split(/[\s,]+/);
  return bracketed.map((id) => id.replace(/\s+/g, '')).filter((id) => id !== '' && id.length <= LONGEST_ID);
}

/** What a mail answers, the newest last. */
function referencesOf(mail: Mail): string[] {
  const answered = headersOf(mail, 'in-reply-to').flatMap(idsIn);
  const all = [
    ...headersOf(mail, 'references')
      .flatMap(idsIn)
      .filter((id) => !answered.includes(id)),
    ...answered,
  ];
  const unique = [...new Set(all)];
  // The first one is where the conversation began.
  const [first] = unique;
  if (first === undefined || unique.length <= MOST_REFERENCES) return unique;
  return [first, ...unique.slice(1 - MOST_REFERENCES)];
}

/**
 * The conversation, as this sender carries it on: anybody can write the Message-IDs of somebody else's mail into his
 * own, and mustn't get into that conversation by it.
 */
function threadOf(root: string, sender: Sender): string {
  // The sender first: what is too long is cut at the end, and he must stay.
  return `${sender.party.identifiers[0]?.value ?? ''} ${root}`.toLowerCase().slice(0, LONGEST_ID).toWellFormed();
}

function recipientsOf(mail: Mail, payload: Payload): string[] {
  const headers = ['delivered-to', 'x-original-to', 'envelope-to'].flatMap((name) => headersOf(mail, name));
  const envelope = (payload.headers['x-smtp-rcpt-to'] ?? '').split(/[\s,]+/);
  const all = [...envelope, ...headers, ...[...mail.to, ...mail.cc].map(({ address }) => address)];
  return all.map((address) => address.replace(/[<>]/g, '').trim()).filter((address) => address !== '');
}

interface Sender {
  readonly party: EnvelopeInput['sender'];
  /** One of the channel's own addresses, and nobody else is named. */
  readonly isOwn: boolean;
}

/**
 * Who wrote it: From, which anybody may write there. Where our own address stands there and another one wants the
 * answers (forms of a web site do so), it is the other one, as a claim.
 */
function senderOf(mail: Mail, own: Own): Sender {
  const author = mail.from.find(({ address }) => address !== '') ?? mail.sender[0] ?? mail.from[0];
  if (!author) return { party: nobody(mail), isOwn: false };
  if (!isOwnAddress(author.address, own.addresses)) return { party: toParty(author, 'observed', mail), isOwn: false };
  const other = mail.replyTo.find(({ address }) => address !== '' && !isOwnAddress(address, own.addresses));
  if (other) return { party: toParty(other, 'claimed', mail), isOwn: false };
  return { party: toParty(author, 'observed', mail), isOwn: true };
}

function isOwnMail(mail: Mail, own: Own): boolean {
  const author = mail.from.find(({ address }) => address !== '');
  return author !== undefined && isOwnAddress(author.address, own.addresses);
}

function toParty({ name, address }: MailAddress, trust: 'observed' | 'claimed', mail: Mail): EnvelopeInput['sender'] {
  const value = address.trim().slice(0, LONGEST_ID).toWellFormed();
  const shown = name.trim().slice(0, 1000).toWellFormed();
  const named = shown === '' ? {} : { name: shown };
  return value === '' ? { ...nobody(mail), ...named } : { ...named, identifiers: [{ kind: 'email', value, trust }] };
}

/** Mail from nobody is from nobody else: each of them is a customer of its own. */
function nobody(mail: Mail): EnvelopeInput['sender'] {
  return { identifiers: [{ kind: 'email_unclear', value: `nobody ${mail.digest.slice(0, 32)}`, trust: 'observed' }] };
}

/** Before that there was no mail as we know it. */
const EARLIEST = Date.UTC(1990, 0, 1);
const DAY = 24 * 60 * 60 * 1000;

/** When it was sent, if that can be true; else when the server or we received it. */
function timeOf(mail: Mail, payload: Payload): number {
  const arrived = Number(payload.headers['x-imap-internaldate'] ?? Number.NaN);
  const isPossible = (time: number) => time >= EARLIEST && time <= payload.receivedAt + DAY;
  const written = (headerOf(mail, 'date') ?? '').replace(/\([^()]*\)/g, ' ').trim();
  // Without a time in it, anything at all is a date of the year 2000 to Date.parse.
  const isWritten = /\d:\d\d/.test(written);
  // Without a zone it would be the time of this machine's zone.
  const zoned = /([+-]\d{2}:?\d{2}|[a-z])$/i.test(written) ? written : `${written} +0000`;
  return [isWritten ? Date.parse(zoned) : Number.NaN, arrived].find(isPossible) ?? payload.receivedAt;
}

/** Gmail's labels, as our reader of mailboxes passes them on. */
function labelsOf(payload: Payload): string {
  return payload.headers['x-gm-labels'] ?? '';
}

/** For people: who else got it, and what was odd or had to be left out. */
function fieldsOf(mail: Mail, payload: Payload): Record<string, string> {
  const whole = payload.headers['x-imap-size'];
  const remarks = [...mail.remarks];
  if (whole !== undefined) remarks.push(`only the beginning is read: ${payload.body.length} of ${whole} bytes`);
  const fields = {
    to: listOf(mail.to),
    cc: listOf(mail.cc),
    replyTo: listOf(mail.replyTo),
    remarks: remarks.join('; '),
  };
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, value]) => value !== '')
      .map(([name, value]) => [name, value.slice(0, 10_000).toWellFormed()]),
  );
}

function listOf(addresses: readonly MailAddress[]): string {
  return addresses.map(({ name, address }) => (name === '' ? address : `${name} <${address}>`)).join(', ');
}
