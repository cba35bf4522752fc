/** Transfer encodings, as tolerant as mail programs are. */

export function decodeTransfer(bytes: Buffer, encoding: string): Buffer {
  if (encoding.includes('quoted-printable')) return fromQuotedPrintable(bytes);
  if (encoding.includes('uue') || encoding === 'uuencode') return fromUu(bytes);
  return encoding.includes('base64') ? fromBase64(bytes) : bytes;
}

/** Lines between `begin` and `end`, each with its length first (POSIX uuencode). */
function fromUu(bytes: Buffer): Buffer {
  const lines = bytes.toString('latin1').split(/\r?\n/);
  const begin = lines.findIndex((line) => /^begin [0-7]{3,4} /.test(line));
  if (begin < 0) return bytes;
  const decoded: Buffer[] = [];
  for (const line of lines.slice(begin + 1)) {
    const length = (line.charCodeAt(0) - SPACE) & 63;
    if (line === 'end' || !(length > 0)) break;
    // The same six bits a letter as base64, under other letters.
    const text = [...line.slice(1)].map((letter) => BASE64.charAt((letter.charCodeAt(0) - SPACE) & 63)).join('');
    decoded.push(Buffer.from(text, 'base64').subarray(0, length));
  }
  return Buffer.concat(decoded);
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Also of pieces that were encoded one by one and then joined, padding in between: some programs do so line by line. */
function fromBase64(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  const out = Buffer.alloc(text.length);
  let length = 0;
  for (let at = 0; at < text.length;) {
    const padding = text.indexOf('=', at);
    const end = padding < 0 ? text.length : padding;
    // One letter alone is no byte yet.
    if (end > at + 1) length += out.write(text.slice(at, end), length, 'base64');
    at = end + 1;
  }
  return out.subarray(0, length);
}

const [TAB, LF, CR, SPACE, EQUALS] = [0x09, 0x0a, 0x0d, 0x20, 0x3d];

function fromQuotedPrintable(bytes: Buffer): Buffer {
  const out = Buffer.alloc(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length;) {
    const byte = bytes[at] ?? 0;
    if (byte === SPACE || byte === TAB) {
      const end = afterBlanks(bytes, at);
      // Blanks at the end of a line were added on the way.
      if (end < bytes.length && !isLineEnd(bytes, end)) length += bytes.copy(out, length, at, end);
      at = end;
      continue;
    }
    const next = byte === EQUALS ? afterLine(bytes, at + 1) : undefined;
    if (next !== undefined) {
      at = next;
      continue;
    }
    const code = byte === EQUALS ? hexAt(bytes, at + 1) : undefined;
    out[length++] = code ?? byte;
    at += code === undefined ? 1 : 3;
  }
  return out.subarray(0, length);
}

function hexAt(bytes: Buffer, at: number): number | undefined {
  const digits = bytes.toString('latin1', at, at + 2);
  return /^[0-9a-f]{2}$/i.test(digits) ? parseInt(digits, 16) : undefined;
}

/** Behind a line end with nothing but blanks before it, or undefined. */
function afterLine(bytes: Buffer, at: number): number | undefined {
  const end = afterBlanks(bytes, at);
  if (end >= bytes.length) return end;
  if (!isLineEnd(bytes, end)) return undefined;
  return bytes[end] === CR ? end + 2 : end + 1;
}

function afterBlanks(bytes: Buffer, at: number): number {
  let end = at;
  while (bytes[end] === SPACE || bytes[end] === TAB) end++;
  return end;
}

function isLineEnd(bytes: Buffer, at: number): boolean {
  return bytes[at] === LF || (bytes[at] === CR && bytes[at + 1] === LF);
}
