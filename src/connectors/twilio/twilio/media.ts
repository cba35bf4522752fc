import type { Readable } from 'node:stream';
import type { Attachment } from '../../../core/envelope.ts';
import { PermanentError } from '../../../core/errors.ts';
import type { Account } from '../account.ts';
import { fileOf } from '../files.ts';
import type { Fields } from '../form.ts';

/** Twilio's networks carry 10; the rest of the list is read for what is new. */
const MOST_FILES = 100;

/** The files of a message. Its id is the address, which stays valid as long as Twilio keeps the file. */
export function attachmentsOf(fields: Fields): Attachment[] {
  const files: Attachment[] = [];
  for (let index = 0; index < MOST_FILES; index++) {
    const id = fields[`MediaUrl${index}`];
    if (id === undefined) break;
    const mediaType = (fields[`MediaContentType${index}`] ?? 'application/octet-stream').slice(0, 255);
    files.push({ id, name: nameOf(mediaType, index), mediaType });
  }
  return files;
}

const NAMES: ReadonlyMap<string, string> = new Map([
  ['image/jpeg', 'image.jpg'],
  ['audio/mpeg', 'audio.mp3'],
  ['text/plain', 'text.txt'],
  ['text/vcard', 'contact.vcf'],
  ['text/x-vcard', 'contact.vcf'],
]);

/** Twilio tells no names of files. */
function nameOf(mediaType: string, index: number): string {
  const type = mediaType.split(';')[0]?.trim().toLowerCase() ?? '';
  const [, kind, ending] = /^(image|audio|video|application)\/([a-z0-9]{2,5})$/.exec(type) ?? [];
  const name = NAMES.get(type) ?? (kind === undefined ? 'file' : `${kind === 'application' ? 'file' : kind}.${ending}`);
  return index === 0 ? name : name.replace(/(?=\.|$)/, `-${index + 1}`);
}

const MEDIA = /^\/2010-04-01\/Accounts\/AC[0-9a-f]{32}\/Messages\/[A-Z]{2}[0-9a-f]{32}\/Media\/ME[0-9a-f]{32}$/i;

/** The file's place at Twilio's API, or undefined when the address is of somebody else, or of something else there. */
function pathOf(address: string): string | undefined {
  if (!URL.canParse(address)) return undefined;
  const { protocol, host, pathname } = new URL(address);
  const isTwilio = protocol === 'https:' && /^api(\.[a-z0-9-]+)*\.twilio\.com$/.test(host);
  return isTwilio && MEDIA.test(pathname) ? pathname : undefined;
}

/**
 * The bytes of a file whose message came `ageMs` ago. The address is ours to build: credentials go nowhere that a message
 * names.
 */
export async function download(account: Account, { id, name }: Attachment, ageMs: number): Promise<Readable> {
  const path = pathOf(id);
  if (path === undefined) throw new PermanentError(`${name} is not at Twilio, so it is not fetched`);
  return await fileOf(account, path, name, ageMs);
}
