/**
 * Bytes of a mail from what a provider makes of one, so that there is one reader for all of it. Texts here are binary:
 * one letter a byte, as headers come, whatever their charset is.
 */

/** What the mail server said besides the mail: undefined where the provider doesn't tell. */
export interface Envelope {
  readonly from: string | undefined;
  readonly to: readonly string[];
}

export interface TakenApart {
  /** In their order, binary. */
  readonly headers: readonly Header[];
  readonly text: Body | undefined;
  readonly html: Body | undefined;
  readonly files: readonly File[];
}

export type Header = readonly [name: string, value: string];

interface Body {
  readonly bytes: Buffer;
  readonly charset: string;
}

interface File {
  readonly name: string;
  readonly mediaType: string;
  /** Content-ID, with or without brackets; empty when it has none. */
  readonly cid: string;
  readonly bytes: Buffer;
}

/** Text as bytes, one letter each. */
export function binary(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** As mail servers do it when they deliver: who it is from and for stands above the mail. */
export function delivered(mail: Buffer, { from, to }: Envelope): Buffer {
  const lines = [
    ...(from === undefined ? [] : [lineOf('Return-Path', `<${binary(from)}>`)]),
    ...to.map((address) => lineOf('Delivered-To', binary(address))),
  ];
  return Buffer.concat([Buffer.from(lines.join(''), 'latin1'), mail]);
}

/** The same bytes for the same mail, every time. */
export function assemble({ headers, text, html, files }: TakenApart): Buffer {
  const head = headers.filter(([name]) => !/^(content-|mime-version$)/i.test(name));
  const embedded = files.filter(({ cid }) => cid !== '');
  const bodies = [bodyPart('plain', text), bodyPart('html', html)].filter((part) => part !== undefined);
  const body = bodies.length > 1 ? multipart('alternative', bodies) : (bodies[0] ?? part('text/plain', NOTHING));
  const related = embedded.length > 0 ? multipart('related', [body, ...embedded.map(filePart)]) : body;
  const others = files.filter(({ cid }) => cid === '').map(filePart);
  const lines = head.map(([name, value]) => (/^[!-9;-~]{1,200}$/.test(name) ? lineOf(name, value) : ''));
  return Buffer.concat([Buffer.from(lines.join(''), 'latin1'), multipart(kindOf(headers), [related, ...others])]);
}

const NOTHING = Buffer.alloc(0);

/** Nobody begins a line of his own in a header. */
function lineOf(name: string, value: string): string {
  return `${name}: ${value.replace(/[\r\n\0]+[ \t]*/g, ' ').trim()}\r\n`;
}

/** A report of a mail server is told by that alone. */
function kindOf(headers: readonly Header[]): string {
  const type = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
  if (!/^multipart\/report\b/i.test(type)) return 'mixed';
  const report = /report-type="?([\w-]{1,50})/i.exec(type)?.[1];
  return report === undefined ? 'report' : `report; report-type=${report}`;
}

function bodyPart(kind: 'plain' | 'html', body: Body | undefined): Buffer | undefined {
  if (!body || body.bytes.length === 0) return undefined;
  const charset = /^[\w.:-]{1,40}$/.test(body.charset) ? body.charset : 'utf-8';
  return part(`text/${kind}; charset=${charset}`, body.bytes);
}

function filePart({ name, mediaType, cid, bytes }: File): Buffer {
  const type = /^(?!multipart)[\w.+-]{1,100}\/[\w.+-]{1,100}(?=$|[ ;])/i.test(mediaType)
    ? mediaType
    : 'application/octet-stream';
  const disposition = lineOf(
    'Content-Disposition',
    `${cid === '' ? 'attachment' : 'inline'}; filename*=utf-8''${encoded(name)}`,
  );
  const id = cid === '' ? '' : lineOf('Content-ID', `<${binary(cid).replace(/[<>]/g, '')}>`);
  return part(binary(type), bytes, `${disposition}${id}`);
}

/** RFC 8187. */
function encoded(name: string): string {
  return encodeURIComponent(name.slice(0, 1000).toWellFormed()).replace(
    /['()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16)}`,
  );
}

/** Bytes of one line of base64: any number that divides by three. */
const LINE_BYTES = 12_000;

function part(type: string, bytes: Buffer, more = ''): Buffer {
  const lines = [`${lineOf('Content-Type', type)}${more}Content-Transfer-Encoding: base64\r\n\r\n`];
  for (let at = 0; at < bytes.length; at += LINE_BYTES) {
    lines.push(`${bytes.toString('base64', at, at + LINE_BYTES)}\r\n`);
  }
  return Buffer.from(lines.join(''), 'latin1');
}

/** All in base64, where no line begins with a dash: no part can hold the boundary. */
function multipart(kind: string, parts: readonly Buffer[]): Buffer {
  const [subtype = ''] = kind.split(';', 1);
  const pieces = parts.flatMap((each) => [Buffer.from(`--=_${subtype}\r\n`), each]);
  return Buffer.concat([
    Buffer.from(`Content-Type: multipart/${kind}; boundary="=_${subtype}"\r\n\r\n`),
    ...pieces,
    Buffer.from(`--=_${subtype}--\r\n`),
  ]);
}
