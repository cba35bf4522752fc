import libmime from 'libmime';
import { BadPayloadError } from '../../core/errors.ts';
import { beginning } from './charset.ts';
import type { MailFile } from './mail.ts';
import type { FilePart, Part } from './parts.ts';
import { filesInTnef } from './tnef.ts';

/** The files of a mail: its parts, and what is wrapped in one of them. */

/** As the envelope takes it. */
const LONGEST_NAME = 1000;

export function fileIn(parts: readonly Part[], id: string): Uint8Array {
  const [position, inner] = id.split('.');
  const bytes = parts.find((part) => String(part.position) === position)?.bytes();
  const found = inner === undefined || !bytes ? bytes : filesInTnef(bytes)[Number(inner) - 1]?.bytes;
  if (!found) throw new BadPayloadError(`the mail has no part ${id}`);
  return new Uint8Array(found);
}

export function toFiles(part: FilePart): MailFile[] {
  const file = toFile(part);
  if (!/ms-tnef$/.test(part.mediaType) && part.name.toLowerCase() !== 'winmail.dat') return [file];
  const inner = filesInTnef(part.bytes()).map(({ name, mediaType, bytes }, at) => ({
    id: `${file.id}.${at + 1}`,
    name: beginning(name, LONGEST_NAME) || 'file',
    mediaType: /^[\w.+-]{1,100}\/[\w.+-]{1,100}$/.test(mediaType) ? mediaType : 'application/octet-stream',
    size: bytes.length,
    ...{ method: '', cid: '', inline: false },
  }));
  return [file, ...inner];
}

function toFile(part: FilePart): MailFile {
  const { position, mediaType, method, inline, cid } = part;
  const name = beginning(part.name || nameless(part), LONGEST_NAME);
  return { id: String(position), name, mediaType, method, size: part.bytes().length, inline, cid: cid.slice(0, 998) };
}

function nameless({ mediaType }: Part): string {
  if (mediaType === 'message/rfc822') return 'message.eml';
  // Reports and the like: text, under a name that says which.
  if (/^(message|text)\/[\w-]+$/.test(mediaType)) return `${mediaType.split('/')[1] ?? 'text'}.txt`;
  return `file.${libmime.detectExtension(mediaType)}`;
}
