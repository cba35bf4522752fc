import { createHash } from 'node:crypto';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import type { Payload } from '../../core/payload.ts';
import { isOwnAddress, looksLikeOurs } from '../../core/mail-address.ts';
import { automaticOf, type Automatic } from './automatic.ts';
import { answerIn, awaitedIn } from './awaited.ts';
import { contentOf, passedOnFields } from './content.ts';
import type { Mail, MailAddress } from './mail.ts';
import { headerOf, headersOf } from './mail.ts';
import { forwardOf, passedOnIn, type PassedOn } from './passed-on.ts';
import { toldIn, type PortalRules, type Told } from './portals.ts';
import { receiptOf } from './receipts.ts';
import { firstSender, senderOf, type Known, type Sender } from './sender.ts';
import { idsIn, portalThread, referencesOf, threadOf, type ThreadRules } from './threads.ts';

/** What a mail means: one envelope, a receipt, or by name why it is neither. */

/** What the settings say about people, machines and conversations. */
export interface Rules extends Known, ThreadRules, PortalRules {
  readonly ticketsFrom: readonly Automatic[];
}

export function itemsOf(mail: Mail, payload: Payload, rules: Rules): ItemInput[] {
  const messageId = idsIn(headerOf(mail, 'message-id') ?? '')[0];
  const told = toldIn(mail, rules);
  if (typeof told === 'object') return [portalItem(mail, payload, { messageId, told, rules })];
  const writer = withRemark(writerOf(mail, payload, rules), told);
  const { role } = writer;
  const ignored = isOurs(mail, rules) ? ignoredOf(messageId, role) : undefined;
  if (ignored) return [ignored];
  // Who fills in a form is a person, however the form's program sends it.
  const machine = role === 'form' ? undefined : machineOf(mail, payload, rules);
  const references = referencesOf(mail, machine === undefined ? '' : mail.report.about);
  const receipt = receiptOf(mail, machine, references, timeOf(mail, payload));
  if (receipt) return [receipt];
  const envelope = envelopeOf(mail, payload, { messageId, writer, references, rules });
  const awaited = awaitedIn(mail, { isColleague: role === 'agent' && machine === undefined });
  // What a colleague writes to an address that is nobody's (any more) is a question, which people see.
  const isSent = !awaited && (role === 'sent' || role === 'agent');
  const direction = isSent ? 'outbound' : 'inbound';
  return [{ kind: 'message', ...envelope, ...asMachine(machine, rules), ...asAwaited(awaited, mail), direction }];
}

/** What somebody said on a portal. There it is answered, so nobody is written to, and it is a conversation of its own. */
function portalItem(
  mail: Mail,
  payload: Payload,
  { messageId, told, rules }: { readonly messageId: string | undefined; readonly told: Told; readonly rules: Rules },
): ItemInput {
  const { id, author, review, text, fields, remarks } = told;
  const value = id === undefined ? (messageId ?? `sha256:${mail.digest}`) : `${fields['portal']} ${id}`;
  const externalId = value.slice(0, 512).toWellFormed();
  const party = {
    ...(author && { name: author }),
    identifiers: [{ kind: 'portal', value: externalId, trust: 'verified' as const }],
  };
  const writer: Writer = { sender: { party, role: 'customer', remarks }, passedOn: undefined, role: 'customer' };
  const { variant, thread, ...envelope } = envelopeOf(mail, payload, { messageId, writer, references: [], rules });
  const said = {
    ...envelope,
    externalId,
    // A second mail about it tells what it says now.
    ...(id === undefined ? variant !== undefined && { variant } : { revision: envelope.occurredAt }),
    thread: { externalId: portalThread(externalId), ...(thread?.siblings && { siblings: thread.siblings }) },
    ...(text !== undefined && { text, textFull: mail.text }),
    fields: { ...envelope.fields, ...fields },
  };
  return review ? { kind: 'review', ...said, review } : { kind: 'message', ...said, automatic: 'notification' };
}

function asAwaited(
  awaited: EnvelopeInput['awaited'],
  mail: Mail,
): Pick<EnvelopeInput, 'awaited' | 'textFull'> & { readonly text?: string } {
  if (!awaited) return {};
  const isAnswer = awaited.as === 'reply' || awaited.as === 'note';
  return { awaited, ...(isAnswer && { text: answerIn(mail), textFull: mail.text }) };
}

function withRemark(writer: Writer, remark: string | undefined): Writer {
  if (remark === undefined) return writer;
  const { sender } = writer;
  return { ...writer, sender: { ...sender, remarks: [...sender.remarks, remark] } };
}

/** Who wrote it, or first wrote what is passed on. */
function writerOf(mail: Mail, payload: Payload, rules: Rules): Writer {
  if (isOurs(mail, rules) && labelsOf(payload).includes('\\Sent')) {
    return { sender: senderOf(mail, rules), passedOn: undefined, role: 'sent' };
  }
  const passedOn = passedOnIn(mail, rules);
  const sender = passedOn ? firstSender(passedOn, mail) : senderOf(mail, rules);
  // Whom a colleague passes on can't be told: then he asks, and gives no answer.
  const isAsking = sender.role === 'agent' && forwardOf(mail) !== undefined;
  return { sender, passedOn, role: isAsking ? 'customer' : sender.role };
}

interface Writer {
  readonly sender: Sender;
  readonly passedOn: PassedOn | undefined;
  readonly role: Sender['role'] | 'sent';
}

function isOurs({ from }: Mail, { addresses }: Rules): boolean {
  const author = from.find(({ address }) => address !== '');
  return author !== undefined && isOwnAddress(author.address, addresses);
}

/** Of mail in our name: what comes back of it, and what nobody can be answered for. */
function ignoredOf(messageId: string | undefined, role: Writer['role']): ItemInput | undefined {
  if (messageId !== undefined && looksLikeOurs(messageId)) {
    return { kind: 'ignored', name: 'own_answer', reason: `an answer of ours came back: ${messageId}` };
  }
  if (role !== 'own') return undefined;
  const reason = 'it says that an address of this channel wrote it, and names nobody to answer';
  return { kind: 'ignored', name: 'own_address', reason };
}

function machineOf(mail: Mail, payload: Payload, { addresses }: Rules): Automatic | undefined {
  return automaticOf(mail, payload.headers['x-smtp-mail-from'], addresses);
}

function asMachine(
  automatic: Automatic | undefined,
  { ticketsFrom }: Rules,
): Pick<EnvelopeInput, 'automatic' | 'quiet'> {
  if (automatic === undefined) return {};
  return ticketsFrom.includes(automatic) ? { automatic } : { automatic, quiet: true };
}

type Fields = Omit<EnvelopeInput, 'kind' | 'review' | 'call'>;

function envelopeOf(
  mail: Mail,
  payload: Payload,
  known: {
    readonly messageId: string | undefined;
    readonly writer: Writer;
    readonly references: readonly string[];
    readonly rules: Rules;
  },
): Fields {
  const { messageId, writer, references, rules } = known;
  const { sender, passedOn } = writer;
  const externalId = messageId ?? `sha256:${mail.digest}`;
  const variant = variantOf(mail, payload, messageId);
  const [identifier] = sender.party.identifiers;
  const found = {
    externalId,
    references,
    sender: identifier?.value ?? '',
    trust: identifier?.trust ?? 'claimed',
    recipients: recipientsOf(mail, payload),
  };
  return {
    externalId,
    ...(variant !== undefined && { variant }),
    occurredAt: timeOf(mail, payload),
    sender: sender.party,
    thread: threadOf(mail, found, rules),
    ...contentOf(mail, passedOn),
    ...(mail.html !== '' && { html: mail.html }),
    attachments: mail.files.map(({ id, name, mediaType, size, inline, cid }) => ({
      id,
      name,
      mediaType,
      size,
      ...(inline && { inline }),
      ...(cid !== '' && { cid }),
    })),
    fields: fieldsOf(mail, payload, writer),
  };
}

/**
 * What tells it from another mail with the same Message-ID, whatever was written above and below it on its way. Only
 * with a date of its own: otherwise it has another time whenever it is fetched.
 */
function variantOf(mail: Mail, payload: Payload, messageId: string | undefined): string | undefined {
  if (messageId === undefined || writtenTime(mail, payload) === undefined) return undefined;
  const parts = [messageId, ...['from', 'date', 'subject'].map((name) => headerOf(mail, name) ?? '')];
  return `sha256:${createHash('sha256').update(JSON.stringify(parts)).digest('hex')}`;
}

function recipientsOf(mail: Mail, payload: Payload): string[] {
  const headers = ['delivered-to', 'x-original-to', 'envelope-to'].flatMap((name) => headersOf(mail, name));
  const envelope = (payload.headers['x-smtp-rcpt-to'] ?? '').split(/[\s,]+/);
  const all = [...envelope, ...headers, ...[...mail.to, ...mail.cc].map(({ address }) => address)];
  return all.map((address) => address.replace(/[<>]/g, '').trim()).filter((address) => address !== '');
}

/** Before that there was no mail as we know it. */
const EARLIEST = Date.UTC(1990, 0, 1);
const DAY = 24 * 60 * 60 * 1000;

/** When it was sent, if that can be true; else when the server or we received it. */
function timeOf(mail: Mail, payload: Payload): number {
  const arrived = Number(payload.headers['x-imap-internaldate'] ?? Number.NaN);
  return writtenTime(mail, payload) ?? (isPossible(arrived, payload) ? arrived : payload.receivedAt);
}

function isPossible(time: number, { receivedAt }: Payload): boolean {
  return time >= EARLIEST && time <= receivedAt + DAY;
}

function writtenTime(mail: Mail, payload: Payload): number | undefined {
  const written = (headerOf(mail, 'date') ?? '').replace(/\([^()]*\)/g, ' ').trim();
  // Without a time in it, anything at all is a date of the year 2000 to Date.parse.
  if (!/\d:\d\d/.test(written)) return undefined;
  // Without a zone it would be the time of this machine's zone.
  const time = Date.parse(/([+-]\d{2}:?\d{2}|[a-z])$/i.test(written) ? written : `${written} +0000`);
  return isPossible(time, payload) ? time : undefined;
}

/** Gmail's labels, as our reader of mailboxes passes them on. */
function labelsOf(payload: Payload): string {
  return payload.headers['x-gm-labels'] ?? '';
}

/** For people: who else got it, and what was odd or had to be left out. */
function fieldsOf(mail: Mail, payload: Payload, { sender, passedOn }: Writer): Record<string, string> {
  const whole = payload.headers['x-imap-size'];
  const remarks = [...mail.remarks, ...sender.remarks];
  if (whole !== undefined) remarks.push(`only the beginning is read: ${payload.body.length} of ${whole} bytes`);
  const fields = {
    to: listOf(mail.to),
    cc: listOf(mail.cc),
    replyTo: listOf(mail.replyTo),
    ...passedOnFields(passedOn),
    event: mail.event,
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
