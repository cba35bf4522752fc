/** `winmail.dat`: what Outlook wraps its files in when it believes to write to another Outlook (MS-OXTNEF). */

export interface TnefFile {
  readonly name: string;
  /** Empty when it isn't said. */
  readonly mediaType: string;
  readonly bytes: Buffer;
}

const SIGNATURE = 0x223e9f78;
/** Attributes of a file, in their order: it begins, its short name, its content, its properties. */
const [BEGIN, TITLE, DATA, PROPERTIES] = [0x9002, 0x8010, 0x800f, 0x9005];
/** Properties: the long name, and the media type. */
const [LONG_NAME, SHORT_NAME, MEDIA_TYPE] = [0x3707, 0x3704, 0x370e];
const MOST = 200;

interface Found {
  name: string;
  mediaType: string;
  bytes: Buffer;
}

/** The files in it; none where it is no TNEF, and those before the place where it breaks off. */
export function filesInTnef(bytes: Buffer): TnefFile[] {
  const files: Found[] = [];
  if (bytes.length < 6 || bytes.readUInt32LE(0) !== SIGNATURE) return [];
  // A level, an attribute, its type, its length, then that many bytes and a checksum.
  for (let at = 6; at + 9 <= bytes.length && files.length <= MOST;) {
    const attribute = bytes.readUInt16LE(at + 1);
    const end = at + 9 + bytes.readUInt32LE(at + 5);
    if (end > bytes.length) break;
    if (attribute === BEGIN) files.push({ name: '', mediaType: '', bytes: Buffer.alloc(0) });
    const file = files.at(-1);
    if (file) noteAttribute(file, attribute, bytes.subarray(at + 9, end));
    at = end + 2;
  }
  return files.filter((file) => file.bytes.length > 0).slice(0, MOST);
}

function noteAttribute(file: Found, attribute: number, value: Buffer): void {
  if (attribute === TITLE) file.name = textIn(value);
  if (attribute === DATA) file.bytes = value;
  if (attribute !== PROPERTIES) return;
  const properties = propertiesIn(value);
  file.name = properties.get(LONG_NAME) ?? properties.get(SHORT_NAME) ?? file.name;
  file.mediaType = properties.get(MEDIA_TYPE) ?? '';
}

/** A text ends at its first NUL. */
function textIn(value: Buffer, encoding: 'latin1' | 'utf16le' = 'latin1'): string {
  const text = value.toString(encoding);
  return text.split('\0', 1)[0] ?? '';
}

const [TEXT, UNICODE, OBJECT, BINARY] = [0x1e, 0x1f, 0x0d, 0x102];
/** Bytes of a value whose type has a fixed length. */
const LENGTHS: Readonly<Record<number, number>> = {
  ...{ 0x02: 4, 0x03: 4, 0x04: 4, 0x0a: 4, 0x0b: 4 },
  ...{ 0x05: 8, 0x06: 8, 0x07: 8, 0x14: 8, 0x40: 8, 0x48: 16 },
};

/** Texts among the properties of a file (MS-OXTNEF 2.1.3.4), up to the first one that has another form. */
function propertiesIn(value: Buffer): Map<number, string> {
  const found = new Map<number, string>();
  for (let at = 4; at + 4 <= value.length && found.size <= MOST;) {
    const [type, id] = [value.readUInt16LE(at), value.readUInt16LE(at + 2)];
    const start = id >= 0x8000 ? afterName(value, at + 4) : at + 4;
    const next = LENGTHS[type] === undefined ? undefined : start + LENGTHS[type];
    if (next !== undefined) {
      at = next;
      continue;
    }
    // One value: how many, how long, the bytes, filled up to four.
    if (![TEXT, UNICODE, OBJECT, BINARY].includes(type) || start + 8 > value.length) break;
    if (value.readUInt32LE(start) !== 1) break;
    const length = value.readUInt32LE(start + 4);
    const content = value.subarray(start + 8, start + 8 + length);
    if (type === TEXT) found.set(id, textIn(content));
    if (type === UNICODE) found.set(id, textIn(content, 'utf16le'));
    at = start + 8 + Math.ceil(length / 4) * 4;
  }
  return found;
}

/** Behind the name of a property that has one: 16 bytes of whose it is, then a number or a text. */
function afterName(value: Buffer, at: number): number {
  if (at + 24 > value.length) return value.length;
  const isText = value.readUInt32LE(at + 16) === 1;
  return at + 24 + (isText ? Math.ceil(value.readUInt32LE(at + 20) / 4) * 4 : 0);
}
