import type { Envelope } from '../core/envelope.ts';
import type { NewId } from '../core/id.ts';
import type { AlbumPart, MessageContent, MessageRow } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import type { Accepted, Source } from './accept.ts';
import type { Announcer } from './announce.ts';
import { fileAttachments } from './attach.ts';
import { follow, tell } from './follow.ts';
import { contentOf, sameContent } from './revise.ts';

type AlbumSource = Source & { readonly newId: NewId };

/**
 * Albums: parts that arrive apart and are one message. The first one makes it; each later one adds its files and words.
 * Every part is remembered under its own id with its own content, so that a repeat is a duplicate and an edit changes
 * only what it is about, in whatever order they come. Undefined for what is no part of an album that we have.
 */
export async function acceptPart(
  tx: Transaction,
  announcer: Announcer,
  envelope: Envelope,
  source: AlbumSource,
): Promise<Accepted | undefined> {
  const { endpointId } = source;
  const album =
    (await tx.messageOfPart(endpointId, envelope.externalId)) ??
    (envelope.group && (await tx.albumOf(endpointId, envelope.group.key)));
  if (!album) return undefined;
  const parts = await tx.albumParts(album.id);
  const known = parts.find((part) => part.externalId === envelope.externalId);
  if (known) return again(tx, announcer, { album, parts, known }, envelope, source);
  if (!envelope.group || parts.length === 0 || !isTogether(album, envelope)) return undefined;
  if (isTaken(parts, envelope.group.piece)) return undefined;

  const files = await attach(tx, announcer, album, envelope, source, []);
  const part = toPart(envelope, envelope.group, album.id, source, files);
  await tx.saveAlbumPart(part);
  await compose(tx, announcer, album, [...parts, part], source);
  return { ...(await about(tx, album, envelope)), outcome: 'revised', reason: 'part of an album' };
}

/** Remembers the part that a message begins with. */
export async function beginAlbum(
  tx: Transaction,
  envelope: Envelope,
  messageId: string,
  source: Source,
  files: AlbumPart['files'],
): Promise<void> {
  const { group } = envelope;
  if (group) await tx.saveAlbumPart(toPart(envelope, group, messageId, source, files));
}

/** Takes a part back. False when it was the last one, or the message is no album: then all of it is to go. */
export async function deletePart(
  tx: Transaction,
  announcer: Announcer,
  message: MessageRow,
  externalId: string,
  source: Pick<Source, 'receivedAt' | 'origin'>,
): Promise<boolean> {
  const parts = await tx.albumParts(message.id);
  const part = parts.find((each) => each.externalId === externalId);
  const rest = parts.map((each) => (each === part ? { ...each, content: undefined } : each));
  if (!part || rest.every((each) => !each.content)) return false;
  if (!part.content) return true;
  await tx.saveAlbumPart({ ...part, content: undefined, files: [] });
  for (const { rowId } of part.files) await tx.deleteAttachment(rowId);
  await compose(tx, announcer, message, rest, source);
  return true;
}

async function again(
  tx: Transaction,
  announcer: Announcer,
  { album, parts, known }: { album: MessageRow; parts: readonly AlbumPart[]; known: AlbumPart },
  envelope: Envelope,
  source: AlbumSource,
): Promise<Accepted> {
  const result = await about(tx, album, envelope);
  const content = contentOf(envelope);
  if (!known.content) return { ...result, outcome: 'duplicate', reason: 'taken back by its sender' };
  if (content.revision > known.content.revision) {
    const ids = known.files.map(({ id }) => id);
    const files = [...known.files, ...(await attach(tx, announcer, album, envelope, source, ids))];
    const part = { ...known, content, files };
    await tx.saveAlbumPart(part);
    await compose(
      tx,
      announcer,
      album,
      parts.map((each) => (each === known ? part : each)),
      source,
    );
    return { ...result, outcome: 'revised', reason: `revision ${content.revision} of a part of an album` };
  }
  if (sameContent(known.content, content)) return { ...result, outcome: 'duplicate', reason: 'received before' };
  await tx.saveRevision(album.id, content, source.receivedAt);
  return { ...result, outcome: 'duplicate', reason: 'an older or other text of a part, kept as history' };
}

/** Makes the message what its parts are now, and says so. */
async function compose(
  tx: Transaction,
  announcer: Announcer,
  album: MessageRow,
  parts: readonly AlbumPart[],
  source: Pick<Source, 'receivedAt' | 'origin'>,
): Promise<void> {
  const content = contentOfAlbum(album, parts);
  const same = content.revision === album.revision && sameContent(album, content);
  if (!same) await tx.reviseMessage(album, content, source.receivedAt);
  const changeSeq = await tell(tx, announcer, 'message.updated', album, source);
  if (!sameContent(album, content)) await follow(tx, announcer, album, { changeSeq });
}

/** All that the parts say, in their order; nothing of what was taken back. */
function contentOfAlbum(album: MessageRow, parts: readonly AlbumPart[]): MessageContent {
  const contents = parts.flatMap(({ content }) => content ?? []);
  const spoken = contents.filter(({ text }) => text !== '');
  const main = spoken[0] ?? contents[0] ?? album;
  const alone = spoken.length <= 1;
  return {
    ...main,
    // As in the row that it came from: what has no such thing is compared with what has none.
    occurredAt: album.occurredAt,
    revision: Math.max(album.revision, ...contents.map(({ revision }) => revision)),
    text: textOfParts(parts),
    textFull: alone ? main.textFull : undefined,
    html: alone ? main.html : undefined,
    fields: Object.fromEntries(contents.flatMap(({ fields }) => Object.entries(fields))),
  };
}

/** Words of an album stand apart; pieces of one text don't. */
function textOfParts(parts: readonly AlbumPart[]): string {
  const pieces = parts.flatMap(({ content, piece }) => (content && piece !== undefined ? { ...content, piece } : []));
  if (pieces.length > 0) {
    const sorted = pieces.toSorted((a, b) => a.piece - b.piece);
    return sorted.map(({ text }) => text).join('');
  }
  return parts.flatMap(({ content }) => content?.text || []).join('\n\n');
}

/** Networks number long SMS anew after 255: a second first piece begins another one. */
function isTaken(parts: readonly AlbumPart[], piece: number | undefined): boolean {
  return piece !== undefined && parts.some((part) => part.piece === piece);
}

/** A group's key is no secret: only the same person in the same conversation adds to a message. */
function isTogether(album: MessageRow, { direction, thread, sender }: Envelope): boolean {
  const isOne = sender.identifiers.some(({ kind, value }) =>
    album.author.identifiers.some((each) => each.kind === kind && each.value === value),
  );
  return isOne && album.direction === direction && album.thread === thread.externalId;
}

function attach(
  tx: Transaction,
  announcer: Announcer,
  { id, ticketId, endpointId }: MessageRow,
  envelope: Envelope,
  { newId, payloadId, endpointId: channel }: AlbumSource,
  known: readonly string[],
): Promise<AlbumPart['files']> {
  return fileAttachments(tx, announcer, envelope, {
    id,
    ticketId,
    endpointId: endpointId ?? channel,
    payloadId,
    newId,
    known,
  });
}

function toPart(
  envelope: Envelope,
  { key, piece }: NonNullable<Envelope['group']>,
  messageId: string,
  { endpointId, receivedAt: at }: Source,
  files: AlbumPart['files'],
): AlbumPart {
  const { externalId } = envelope;
  return { endpointId, externalId, messageId, key, at, piece, content: contentOf(envelope), files };
}

async function about(tx: Transaction, album: MessageRow, { externalId }: Envelope) {
  const ticketNumber = (await tx.ticket(album.ticketId))?.number;
  return { externalId, ticketId: album.ticketId, messageId: album.id, ticketNumber };
}
