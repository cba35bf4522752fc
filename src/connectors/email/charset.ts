import { isAscii } from 'node:buffer';

/**
 * Bytes to text, also where the mail says nothing about their charset or something wrong. Names of charsets as browsers
 * know them; what they don't know is up to `rare`.
 */

export type RareCharsets = (bytes: Buffer, charset: string) => string;

/** Charsets that any bytes are valid in, so that the name is the only evidence, and often wrong. */
const ONE_BYTE = /^(windows-125\d|iso-8859-\d+|koi8-[ru]|ibm866|macintosh|x-mac-cyrillic|windows-874)$/;
/** What programs write that know only English, or never asked. */
const UNSAID = /^(|us-ascii|ascii|ansi_x3\.4-1968|utf-?8|unknown-8bit|x-unknown|default_charset|binary|8bit|none)$/;

export function decodeText(bytes: Buffer, charset: string, rare: RareCharsets): string {
  const named = charset.trim().toLowerCase();
  if (isAscii(bytes) && !/2022|utf-?16|utf-?32|ucs|ebcdic/.test(named)) return bytes.toString('latin1');
  if (UNSAID.test(named)) return fromUtf8(bytes) ?? mostlyUtf8(bytes) ?? decodeAs(bytes, guess(bytes), rare);
  const label = labelOf(named);
  if (label === undefined) return rare(bytes, named);
  if (!ONE_BYTE.test(label)) return decodeAs(bytes, label, rare);
  // Text of one byte per letter is hardly ever UTF-8 by chance; and programs write iso-8859-1 without looking.
  const utf8 = fromUtf8(bytes);
  if (utf8 !== undefined) return utf8;
  const isWestern = label === 'windows-1252';
  return decodeAs(bytes, isWestern && isMostlyHigh(bytes) ? guess(bytes) : label, rare);
}

/** Undefined unless it is UTF-8 throughout. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** With marks for what is broken, where more of the letters beyond ASCII are whole than broken. */
function mostlyUtf8(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8');
  const broken = text.split('\ufffd').length - 1;
  const beyondAscii = text.length - text.replace(/[^\0-\x7f]/g, '').length;
  return beyondAscii > 2 * broken ? text : undefined;
}

/**
 * The likeliest charset of bytes that are no UTF-8. Text that is mostly letters beyond ASCII is Cyrillic here; then
 * small letters, of which text has more, tell the charsets apart: they lie at the end of windows-1251, before the
 * capitals in KOI8, and around the frames of code page 866.
 */
export function guess(bytes: Uint8Array): string {
  if (!isMostlyHigh(bytes)) return 'windows-1252';
  /** Bytes between the two, the second one left out. */
  const between = (from: number, to: number) => bytes.reduce((sum, byte) => sum + Number(byte >= from && byte < to), 0);
  if (between(0x80, 0xb0) > between(0xb0, 0x100)) return 'ibm866';
  return between(0xc0, 0xe0) > between(0xe0, 0x100) ? 'koi8-u' : 'windows-1251';
}

/**
 * Whether it isn't in Latin letters: more words have most of their letters beyond ASCII than only some, as French or
 * Polish words do. One sign alone is a dash or a blank.
 */
function isMostlyHigh(bytes: Uint8Array): boolean {
  let [foreign, latin, high, low] = [0, 0, 0, 0];
  const endWord = () => {
    if (high > low && high > 1) foreign++;
    else if (high > 0 && low > 0) latin++;
    high = low = 0;
  };
  for (const byte of bytes.subarray(0, 64 * 1024)) {
    if (byte >= 0x80) high++;
    else if ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a) low++;
    else endWord();
  }
  endWord();
  return foreign > latin;
}

function decodeAs(bytes: Buffer, label: string, rare: RareCharsets): string {
  // To Node 20 it is Latin 1, where its quotes, dashes and euro are control characters.
  return label === 'windows-1252' ? rare(bytes, label) : new TextDecoder(label).decode(bytes);
}

/** The name that browsers use for a charset, or undefined. */
function labelOf(charset: string): string | undefined {
  try {
    return new TextDecoder(charset).encoding;
  } catch {
    // cp1251, win-1251 and the like.
    const [, page] = /^(?:cp|win|windows|x-cp|ms|ibm)[-_ ]?(\d{3,4})$/.exec(charset) ?? [];
    if (page === '866') return 'ibm866';
    return page !== undefined && /^125\d$/.test(page) ? `windows-${page}` : undefined;
  }
}

/** As the host wants it, done here since it takes long; longer still where somebody piles accents on a letter. */
export function wellFormed(text: string): string {
  return text
    .toWellFormed()
    .replace(/(\p{M}{30})\p{M}+/gu, '$1')
    .normalize('NFC');
}

/** So many letters of a text in that form: some letters become several in it. */
export function beginning(text: string, most: number): string {
  return wellFormed(text.slice(0, most)).slice(0, most).toWellFormed();
}
