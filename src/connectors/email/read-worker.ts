import { isAscii } from 'node:buffer';
import { createHash } from 'node:crypto';
import { finished } from 'node:stream/promises';
import { Splitter } from '@zone-eu/mailsplit';
import type { MimeNode, SplitterChunk } from '@zone-eu/mailsplit';
import libmime from 'libmime';
import charsets from 'libmime/lib/charset';
import addressparser from 'nodemailer/lib/addressparser';
import { BadPayloadError, textOf } from '../../core/errors.ts';
import { eventIn } from './calendar.ts';
import { beginning, decodeText, wellFormed } from './charset.ts';
import { fileIn, toFiles } from './files.ts';
import { mailIn } from './hooks/posted.ts';
import type { Mail, MailAddress, MailHeader, ReadRequest } from './mail.ts';
import { headerOf, headersOf, MOST_ADDRESSES, MOST_FILES, MOST_HEADERS, MOST_HTML, MOST_TEXT } from './mail.ts';
import { bodyOf } from './parts.ts';
import type { Body, Part } from './parts.ts';
import { forwardIn } from './text/forward.ts';
import { reportOf } from './report.ts';
import type { Forward } from './text/forward.ts';
import { decodeTransfer } from './transfer.ts';

/** Reads mail from anybody, in a process of its own: bytes to a `Mail`, or to the bytes of one of its files. */
export default async function read({ bytes, posted, file, isCut }: ReadRequest): Promise<Mail | Uint8Array> {
  const given = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const body = posted ? await mailIn(given, posted) : given;
  const parts = await split(body);
  const [root] = parts;
  if (!root) throw new BadPayloadError('an empty mail');
  if (file !== undefined) return fileIn(parts, file);
  const mail = await toMail(root, body, isCut ? parts.at(-1) : undefined);
  const attached = await attachedIn(parts, mail);
  return { ...mail, ...(attached && { attached }) };
}

/** Of a larger mail in a mail only the file is shown. */
const MOST_ATTACHED_BYTES = 5 * 1024 * 1024;

/** The only mail that hangs on this one, unless it is a report about it. */
async function attachedIn(parts: readonly Part[], { mediaType, reply }: Mail): Promise<Forward | undefined> {
  const [only, another] = parts.filter((part) => part.mediaType === 'message/rfc822');
  if (!only || another || mediaType === 'multipart/report') return undefined;
  const bytes = only.bytes();
  const [root] = bytes.length > MOST_ATTACHED_BYTES ? [] : await split(bytes).catch(() => []);
  if (!root) return undefined;
  const { from, to, cc, subject, text, reply: own } = await toMail(root, bytes, undefined);
  const date = headerOf(root, 'date') ?? '';
  return { note: reply, ...(from[0] && { from: from[0] }), to, cc, date, subject, text, reply: own };
}

interface Root extends Part {
  readonly headers: readonly MailHeader[];
}

const MOST_PARTS = 1000;
const MOST_HEAD_BYTES = 1024 * 1024;
/** More of one text than anybody reads; the rest isn't even decoded. */
const MOST_TEXT_BYTES = 16 * 1024 * 1024;

/** All parts in their order, the whole mail first. */
async function split(body: Buffer): Promise<Root[]> {
  // Attached mails stay whole: they are files, and what they contain isn't said by whoever attached them.
  const splitter = new Splitter({ ignoreEmbedded: true, maxHeadSize: MOST_HEAD_BYTES, maxChildNodes: MOST_PARTS });
  const found = new Map<MimeNode, { readonly chunks: Buffer[]; readonly children: Part[] }>();
  const parts: Root[] = [];
  splitter.on('data', (chunk: SplitterChunk) => {
    if (chunk.type === 'node') {
      const own = { chunks: [], children: [] };
      const part = toPart(chunk, parts.length + 1, own);
      found.set(chunk, own);
      parts.push(part);
      if (chunk.parentNode) found.get(chunk.parentNode)?.children.push(part);
    } else if (chunk.value) found.get(chunk.node)?.chunks.push(chunk.value);
  });
  try {
    splitter.end(body);
    await finished(splitter);
  } catch (error) {
    throw new BadPayloadError(whyUnread(textOf(error)), { cause: error });
  }
  return parts;
}

function whyUnread(text: string): string {
  if (/child nodes/.test(text)) return `too many parts: more than ${MOST_PARTS}`;
  return /header size/.test(text) ? `the head of a part is larger than ${MOST_HEAD_BYTES} bytes` : text;
}

function toPart(
  node: MimeNode,
  position: number,
  own: { readonly chunks: readonly Buffer[]; readonly children: readonly Part[] },
): Root {
  const headers = headersIn(node);
  const type = parameters(headerOf({ headers }, 'content-type'));
  const disposition = parameters(headerOf({ headers }, 'content-disposition'));
  const mediaType = (node.contentType || 'text/plain').slice(0, 255);
  const bytes = () => decodeTransfer(Buffer.concat(own.chunks), node.encoding || '');
  const flowed = (text: string) => (node.flowed ? libmime.decodeFlowed(text, node.delSp) : text);
  return {
    position,
    headers,
    mediaType,
    disposition: disposition.value.toLowerCase(),
    name: disposition.named('filename') || type.named('name'),
    cid: withoutBrackets(headerOf({ headers }, 'content-id') ?? ''),
    method: (type.params.method ?? '').toLowerCase(),
    children: own.children,
    bytes,
    text: () => flowed(decodeText(bytes().subarray(0, MOST_TEXT_BYTES), type.params.charset ?? '', rareCharset)),
  };
}

/** Encoded words decoded, also those whose programs forgot to encode what they call encoded. */
function words(text: string): string {
  const repaired = text.replace(/=\?[^?]{1,40}\?q\?([^?=]{1,500})\?=/gi, (word, bare: string) =>
    isAscii(Buffer.from(bare)) ? word : `=?utf-8?B?${Buffer.from(bare.replaceAll('_', ' ')).toString('base64')}?=`,
  );
  return libmime.decodeWords(repaired);
}

/** Names that browsers don't know, and the oddities of some that they do. */
function rareCharset(bytes: Buffer, charset: string): string {
  return charsets.decode(bytes, charset);
}

const PEOPLE: ReadonlySet<string> = new Set(['from', 'sender', 'reply-to', 'to', 'cc']);

function headersIn(node: MimeNode): MailHeader[] {
  if (!node.headers) return [];
  return node.headers
    .getList()
    .slice(0, MOST_HEADERS)
    .map(({ key, line }) => {
      const bytes = Buffer.from(line.slice(line.indexOf(':') + 1), 'latin1');
      const value = decodeText(bytes, '', rareCharset).replace(/\r?\n(?=[ \t])/g, '');
      // Whoever is named behind a line end of its own kind was named to nobody else who read this mail.
      const whole = PEOPLE.has(key) ? (value.trim().split(/[\r\n\0]/, 1)[0] ?? '') : value;
      return { name: key, value: whole.replace(/[\r\n\0]+/g, ' ').trim() };
    });
}

/** A header of the form `value; name=value`. */
function parameters(header: string | undefined) {
  const parsed = libmime.parseHeaderValue(header ?? '', { stripComments: true });
  return {
    value: parsed.value,
    params: parsed.params,
    /** Encoded words don't belong into parameters, and stand there all the time. */
    named(name: string): string {
      const value = parsed.params[name] ?? '';
      return parsed.decodedParams.includes(name) ? value : words(value);
    },
  };
}

/** `broken`: the part that the bytes end in, of a mail that goes on. */
async function toMail(root: Root, body: Buffer, broken: Part | undefined): Promise<Mail> {
  const remarks: string[] = [];
  const { html: given, files: all, isTwofold, isTorn, ...texts } = bodyOf(root);
  const html = wellFormed(given);
  const files = all.filter(({ position }) => position !== broken?.position);
  // Half a file looks like a whole one until somebody opens it.
  if (files.length < all.length) remarks.push('files are left in the mailbox');
  if (files.length > MOST_FILES) remarks.push(`${files.length - MOST_FILES} of ${files.length} files are left out`);
  if (html.length > MOST_HTML) remarks.push(`the HTML is left out: ${html.length} characters`);
  remarks.push(...oddities({ isTwofold, isTorn }));
  const people = (name: string) => addressesIn(root, name, remarks);
  const type = parameters(headerOf(root, 'content-type'));
  const written = headerOf(root, 'subject');
  const subject = beginning(words(written ?? ''), 1000);
  const text = cutText(texts.text, remarks);
  const forward = forwardIn(text, written === undefined ? undefined : subject);
  return {
    headers: root.headers,
    subject,
    from: people('from'),
    sender: people('sender'),
    replyTo: people('reply-to'),
    to: people('to'),
    cc: people('cc'),
    mediaType: root.mediaType,
    reportType: (type.params['report-type'] ?? '').toLowerCase(),
    text,
    reply: wellFormed(texts.reply).slice(0, MOST_TEXT).toWellFormed(),
    ...(forward && { forward }),
    html: html.length > MOST_HTML ? '' : html,
    event: eventIn(files.find((part) => part.mediaType === 'text/calendar')?.text() ?? ''),
    files: files.flatMap(toFiles).slice(0, MOST_FILES),
    report: reportOf(root, text),
    remarks,
    digest: createHash('sha256').update(body.toString('latin1').replaceAll('\r\n', '\n'), 'latin1').digest('hex'),
  };
}

/** Of one header so much is looked at for people. */
const LONGEST_HEADER = 100_000;

function oddities({ isTwofold, isTorn }: Pick<Body, 'isTwofold' | 'isTorn'>): string[] {
  return [
    ...(isTwofold ? ['its plain text and its HTML say different things'] : []),
    ...(isTorn ? ['what looks like a part of it is none: there may be more in it than is shown'] : []),
  ];
}

function addressesIn(root: Root, name: string, remarks: string[]): MailAddress[] {
  const headers = headersOf(root, name);
  const whole = headers.join(', ');
  if (whole.length > LONGEST_HEADER) remarks.push(`only the beginning of ${name} is read`);
  const all = addressparser(whole.slice(0, LONGEST_HEADER), { flatten: true });
  // Who adds another one may want one of them to be overlooked.
  if (name === 'from' && all.length > 1) remarks.push('more than one author');
  if (all.length > MOST_ADDRESSES)
    remarks.push(`${all.length - MOST_ADDRESSES} of ${all.length} in ${name} are left out`);
  return all
    .slice(0, MOST_ADDRESSES)
    .map((each) => ({ name: beginning(words(each.name), 1000), address: wellFormed(each.address) }));
}

function cutText(text: string, remarks: string[]): string {
  const whole = wellFormed(text);
  if (whole.length <= MOST_TEXT) return whole;
  remarks.push(`the text is cut: ${MOST_TEXT} of ${whole.length} characters`);
  return whole.slice(0, MOST_TEXT).toWellFormed();
}

function withoutBrackets(id: string): string {
  return id.trim().replace(/^</, '').replace(/>$/, '').trim();
}
