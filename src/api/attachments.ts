import { buffer } from 'node:stream/consumers';
import { ConflictError, NotFoundError } from '../core/errors.ts';
import type { Gateway } from '../core/gateway.ts';
import type { AttachmentRow } from '../core/rows.ts';
import { operation } from './operation.ts';
import type { File, Operation } from './operation.ts';
import { IdParams } from './schemas.ts';

/**
 * Types that browsers can only draw or play, and how such files begin. Everything else, SVG and text too, and whatever
 * only says that it is one of these, goes out as bytes.
 */
const INERT: Readonly<Record<string, RegExp>> = {
  'image/png': /^\x89PNG\r\n\x1a\n/,
  'image/jpeg': /^\xff\xd8\xff/,
  'image/gif': /^GIF8[79]a/,
  'image/webp': /^RIFF[^]{4}WEBP/,
  'audio/mpeg': /^(ID3|\xff[\xe2-\xfb])/,
  'audio/ogg': /^OggS/,
  'audio/wav': /^RIFF[^]{4}WAVE/,
  'video/mp4': /^[^]{4}ftyp/,
};
const HEAD_BYTES = 16;

export function attachmentOperations({ store }: Gateway): Operation[] {
  return [
    operation({
      method: 'GET',
      path: '/attachments/{id}',
      scope: 'tickets:read',
      tag: 'Tickets',
      summary: 'Download a file of a message',
      description:
        '409 while its bytes are not stored yet. One range of bytes may be asked for, as players do that seek.',
      params: IdParams,
      async handle({ params }) {
        const row = await store.read.attachment(params.id);
        if (!row) throw new NotFoundError('There is no such attachment');
        return { file: await downloadOf(store, row) };
      },
    }),
  ];
}

/** A file as it may be given to a browser. Throws while its bytes aren't there. */
export async function downloadOf({ blobs }: Gateway['store'], row: AttachmentRow): Promise<File> {
  if (row.state === 'waiting') throw new ConflictError('The file is still being fetched');
  if (row.state === 'failed' || row.sha256 === undefined) {
    throw new NotFoundError(`The file could not be fetched: ${row.error ?? 'nobody knows why'}`, {
      hint: 'Replay its download: it is among the deliveries of its channel.',
    });
  }
  const { sha256 } = row;
  const head = await buffer(await blobs.open(sha256, { start: 0, end: HEAD_BYTES - 1 }));
  return {
    size: await blobs.size(sha256),
    etag: `"${sha256.slice(0, 32)}"`,
    open: (range) => blobs.open(sha256, range),
    headers: {
      'content-type': isWhatItSays(row.mediaType, head) ? row.mediaType : 'application/octet-stream',
      'content-disposition': dispositionOf(row.name),
      'content-security-policy': "sandbox; default-src 'none'",
      'x-content-type-options': 'nosniff',
      'cache-control': 'private, max-age=3600',
    },
  };
}

function isWhatItSays(mediaType: string, head: Buffer): boolean {
  return Object.hasOwn(INERT, mediaType) && INERT[mediaType]?.test(head.toString('latin1')) === true;
}

/** Always a download, with the name in both notations of RFC 6266. */
export function dispositionOf(name: string): string {
  const clean = cleanName(name);
  const ascii = clean.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_');
  const extended = encodeURIComponent(clean).replaceAll(/['()*!]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  });
  return `attachment; filename="${ascii}"; filename*=UTF-8''${extended}`;
}

/** A name that says what it is: no path, no control or direction characters, nothing that hides the ending. */
function cleanName(name: string): string {
  const visible = name
    .toWellFormed()
    .normalize('NFC')
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '');
  const last = visible.split(/[/\\]/).at(-1) ?? '';
  return (
    last
      .replaceAll(/^[.\s-]+|[.\s]+$/g, '')
      .slice(-150)
      .toWellFormed() || 'file'
  );
}
