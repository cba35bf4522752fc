import type { Call, Review } from './envelope.ts';
import type { Message, Ticket } from './ticket.ts';

/** A message in parts, before it is written as text or HTML. */
export interface Block {
  /** One line: what it is, who, through which channel, when. */
  readonly head: string;
  readonly body: string;
  /** What else there is to it, and what isn't shown. */
  readonly notes: readonly Note[];
}

export interface Note {
  readonly text: string;
  readonly href?: string;
}

/** Longest line of a note, characters; a field may hold more. */
const LINE = 1000;

export function describe(
  message: Message,
  { ticket, link, files }: { readonly ticket: Ticket; readonly link: string; readonly files: readonly Note[] },
): Block {
  const { call, review, text, textFull, html, fields, subject } = message;
  const left: Note[] = [];
  if (textFull !== null && textFull !== text) left.push({ text: 'Quoted text and signature are left out', href: link });
  if (html !== null && text === '') left.push({ text: 'Formatted content that can not be shown here', href: link });
  const notes = [
    ...(subject !== null && subject !== ticket.subject ? [{ text: `Subject: ${subject}` }] : []),
    ...(call ? [{ text: callLine(call) }] : []),
    ...(review ? reviewNotes(review) : []),
    ...Object.entries(fields).map(([name, value]) => ({ text: `${name}: ${value}` })),
    ...claims(message),
    ...left,
    ...files,
  ];
  const transcript = call?.transcript ? `Transcript:\n${call.transcript}` : '';
  const body = [message.deletedAt === null ? text : '', transcript].filter((part) => part !== '').join('\n\n');
  return {
    head: headOf(message),
    body,
    notes: notes.map(({ text: line, ...rest }) => ({ text: clip(line), ...rest })),
  };
}

/**
 * Files that don't go along with a message, each with why and where it is. `unsent`: which of the stored ones don't.
 */
export function filesOf(
  message: Message,
  { publicUrl, unsent }: { readonly publicUrl: string; readonly unsent?: ReadonlyMap<string, string> | 'all' },
): Note[] {
  return message.attachments.flatMap(({ id, name, size, state, error, url }): Note[] => {
    const file = `File ${name}${size === null ? '' : ` (${sizeText(size)})`}`;
    const href = `${publicUrl}${url}`;
    if (state === 'failed') return [{ text: `${file} could not be had: ${error ?? 'no reason given'}` }];
    if (unsent === 'all') return [{ text: file, href }];
    if (state === 'waiting') return [{ text: `${file} is still on its way and follows` }];
    const why = unsent?.get(id);
    return why === undefined ? [] : [{ text: `${file} is not attached: ${why}`, href }];
  });
}

function headOf(message: Message): string {
  const { channel, occurredAt } = message;
  const through = channel ? `${channel.type} ${channel.id}` : '';
  const parts = [kindOf(message), whoOf(message), through, timeText(occurredAt), ...marksOf(message)];
  return clip(parts.filter((part) => part !== '').join(' · '));
}

function whoOf({ author, direction }: Message): string {
  const contact = author.identifiers.find(
    ({ kind, trust }) => (kind === 'email' || kind === 'phone') && trust !== 'claimed',
  )?.value;
  if (author.name !== null) return contact === undefined ? author.name : `${author.name} (${contact})`;
  return contact ?? author.identifiers[0]?.value ?? (direction === 'outbound' ? 'An agent' : 'Somebody');
}

function marksOf({ direction, verified, automatic, revision, deletedAt }: Message): string[] {
  return [
    ...(direction === 'inbound' && !verified ? ['sender not verified'] : []),
    ...(automatic === null ? [] : [`written by a machine: ${automatic}`]),
    ...(revision > 0 ? ['edited'] : []),
    ...(deletedAt === null ? [] : ['taken back by its author']),
  ];
}

function kindOf({ kind, direction, delivery, review, call }: Message): string {
  if (kind === 'note') return 'Note';
  if (delivery?.state === 'failed')
    return `Answer that did NOT reach the customer: ${delivery.error ?? 'no reason given'}`;
  if (review) return `Review ${review.rating} of ${review.maxRating}`;
  if (call) return call.direction === 'inbound' ? `Call, ${call.outcome}` : `Call to the customer, ${call.outcome}`;
  if (direction === 'outbound') return 'Answer';
  return kind === 'form' ? 'Form' : '';
}

function callLine({ from, to, agent, waitedSec, talkedSec }: Call): string {
  const seconds = (name: string, value: number | undefined) =>
    value === undefined ? [] : [`${name} ${Math.round(value)} s`];
  return [
    `Call from ${from} to ${to}`,
    ...(agent === undefined ? [] : [`agent ${agent}`]),
    ...seconds('waited', waitedSec),
    ...seconds('talked', talkedSec),
  ].join(', ');
}

function reviewNotes({ product, url }: Review): Note[] {
  const isLink = url !== undefined && URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
  return [
    ...(product === undefined ? [] : [{ text: `About: ${product}` }]),
    ...(url === undefined ? [] : [isLink ? { text: 'The review', href: url } : { text: `The review: ${url}` }]),
  ];
}

function claims({ author }: Message): Note[] {
  const typed = author.identifiers.filter(({ trust }) => trust === 'claimed').map(({ value }) => value);
  return typed.length > 0 ? [{ text: `Typed by the sender, not proven: ${typed.join(', ')}` }] : [];
}

/** One line of at most so many characters. */
function clip(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > LINE ? `${line.slice(0, LINE).toWellFormed()}… (cut)` : line;
}

function timeText(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 16)} UTC`;
}

function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
