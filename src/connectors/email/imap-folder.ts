import type { FetchMessageObject, ImapFlow } from 'imapflow';
import type { Clock } from '../../core/clock.ts';
import type { Raw } from '../../core/connector.ts';
import { RetryableError } from '../../core/errors.ts';
import type { Bookmark, Position } from './imap-bookmark.ts';
import { isForNowCode } from './imap-errors.ts';

/** Mails asked about at once. */
const CHUNK = 200;
/** Bytes of the mails that are asked for with one command. */
const PAGE_BYTES = 8 * 1024 * 1024;
/** What is read of a mail that is too large: its text, as a rule. */
const BEGINNING = 256 * 1024;
const DAY_MS = 86_400_000;
/** How often the server may refuse to hand out a mail, and how long to wait in between. */
const REFUSALS = 3;
const REFUSED_MS = 2000;

export interface FolderDeps {
  readonly client: ImapFlow;
  readonly bookmark: Bookmark;
  readonly clock: Clock;
  /** Largest mail that is read whole, bytes. */
  readonly maxBytes: number;
}

interface Head {
  readonly uid: number;
  readonly size: number;
}

/**
 * Files what is new in a folder, oldest first, and leaves the folder selected. Found by UID alone: whether
 * somebody has read a mail is none of our business, so the folder is opened read-only and no flag is set.
 */
export async function readFolder(deps: FolderDeps, folder: string): Promise<void> {
  const { client, bookmark } = deps;
  const box = await client.mailboxOpen(folder, { readOnly: true });
  const position = await positionIn(bookmark, folder, String(box.uidValidity), box.uidNext);
  if (box.uidNext > 0 && position.uid + 1 >= box.uidNext) return;
  const uids = await newUids(client, position, bookmark.start);
  for (let index = 0; index < uids.length; index += CHUNK) {
    const heads = await headsOf(deps, folder, uids.slice(index, index + CHUNK));
    for (const page of pagesOf(heads, deps.maxBytes)) await readPatiently(deps, folder, page);
    reached(bookmark, folder, uids[Math.min(index + CHUNK, uids.length) - 1] ?? 0);
  }
  reached(bookmark, folder, box.uidNext - 1);
}

/** How far the folder was read. A new UIDVALIDITY makes all that we know of it void: it is read anew. */
async function positionIn(bookmark: Bookmark, folder: string, validity: string, uidNext: number): Promise<Position> {
  const known = bookmark.at(folder);
  if (known?.validity === validity) return known;
  const position = { validity, uid: 0, from: uidNext };
  if (known) {
    const text = `${folder} got new message numbers (UIDVALIDITY ${known.validity} became ${validity}) and is read again`;
    await bookmark.file(noteOf('folder_renumbered', text), folder, position);
  } else bookmark.reach(folder, position);
  return position;
}

function reached(bookmark: Bookmark, folder: string, uid: number): void {
  const position = bookmark.at(folder);
  if (position && uid > position.uid) bookmark.reach(folder, { ...position, uid });
}

async function newUids(client: ImapFlow, position: Position, start: number): Promise<number[]> {
  const first = position.uid + 1;
  // Servers compare days, in a zone of their own; what is too early is left out by its time further down.
  const since = new Date(Math.max(0, start - 2 * DAY_MS));
  const old = first < position.from ? await search(client, { uid: `${first}:${position.from - 1}`, since }) : [];
  const young = await search(client, { uid: `${Math.max(first, position.from)}:*` });
  // `n:*` names the last mail even where its number is smaller than n.
  return [...new Set([...old, ...young])].filter((uid) => uid >= first).sort((a, b) => a - b);
}

async function search(client: ImapFlow, query: Parameters<ImapFlow['search']>[0]): Promise<number[]> {
  const found = await client.search(query, { uid: true });
  if (!found) throw new RetryableError('the mail server refused to search the folder');
  return found;
}

/** What is known of mails before they are fetched; some may have been deleted meanwhile. */
async function headsOf({ client, bookmark }: FolderDeps, folder: string, uids: readonly number[]): Promise<Head[]> {
  const heads: Head[] = [];
  const from = bookmark.at(folder)?.from ?? 0;
  for await (const mail of client.fetch(uids.join(','), { uid: true, size: true, internalDate: true }, { uid: true })) {
    if (mail.size === undefined) continue;
    const isOlder = mail.uid < from && receivedAt(mail) < bookmark.start;
    if (!isOlder) heads.push({ uid: mail.uid, size: mail.size });
  }
  return heads.sort((a, b) => a.uid - b.uid);
}

/** Split so that each has a bounded size; a mail that is too large has one for itself. */
function pagesOf(heads: readonly Head[], maxBytes: number): Head[][] {
  const pages: Head[][] = [];
  let bytes = 0;
  for (const head of heads) {
    const last = pages.at(-1);
    const isAlone = head.size > maxBytes || (last?.[0]?.size ?? 0) > maxBytes;
    if (!last || isAlone || bytes + head.size > PAGE_BYTES) {
      pages.push([head]);
      bytes = head.size;
    } else {
      last.push(head);
      bytes += head.size;
    }
  }
  return pages;
}

/** A mail that the server itself can't read must not keep the ones behind it for ever: it is named and passed. */
async function readPatiently(deps: FolderDeps, folder: string, page: readonly Head[]): Promise<void> {
  for (let tried = 1; ; tried++) {
    const left = page.filter(({ uid }) => uid > (deps.bookmark.at(folder)?.uid ?? 0));
    try {
      return await readPage(deps, folder, left);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (left.length > 1) {
        for (const head of left) await readPatiently(deps, folder, [head]);
        return;
      }
      if (tried === REFUSALS) return await fileRefused(deps.bookmark, folder, left[0]?.uid ?? 0, error);
      await deps.clock.sleep(REFUSED_MS);
    }
  }
}

/** The server answers, but not with the mail. Where it only asks for patience, all of it is tried again later. */
function isRefusal(error: unknown): error is Error {
  if (!(error instanceof Error && 'responseStatus' in error && error.responseStatus === 'NO')) return false;
  const code = 'serverResponseCode' in error ? error.serverResponseCode : undefined;
  return typeof code !== 'string' || !isForNowCode(code);
}

async function fileRefused(bookmark: Bookmark, folder: string, uid: number, error: Error): Promise<void> {
  const position = bookmark.at(folder);
  if (!position) return;
  const said = 'responseText' in error && typeof error.responseText === 'string' ? error.responseText : error.message;
  const text = `the mail server does not hand out mail ${uid} of ${folder}: ${said.slice(0, 400)}`;
  await bookmark.file(noteOf('mail_refused', text), folder, { ...position, uid });
}

async function readPage(
  { client, bookmark, maxBytes }: FolderDeps,
  folder: string,
  page: readonly Head[],
): Promise<void> {
  const whole = page.find(({ size }) => size > maxBytes)?.size;
  const source = whole === undefined ? true : { start: 0, maxLength: BEGINNING };
  const left = page.map(({ uid }) => uid);
  const query = { uid: true, source, internalDate: true, labels: true };
  for await (const mail of client.fetch(left.join(','), query, { uid: true })) {
    const position = bookmark.at(folder);
    // Servers may tell of other mails in between, and of this one twice.
    if (!mail.source || !position || !left.includes(mail.uid)) continue;
    left.splice(left.indexOf(mail.uid), 1);
    const uid = Math.max(position.uid, left[0] === undefined ? mail.uid : left[0] - 1);
    const headers = headersOf(mail, folder, position.validity);
    if (whole !== undefined) headers['x-imap-size'] = String(whole);
    await bookmark.file({ body: mail.source, headers }, folder, { ...position, uid });
  }
}

function receivedAt(mail: FetchMessageObject): number {
  const time = new Date(mail.internalDate ?? Number.NaN).getTime();
  // Without a time it might be new.
  return Number.isNaN(time) ? Infinity : time;
}

function headersOf(mail: FetchMessageObject, folder: string, validity: string): Record<string, string> {
  const time = receivedAt(mail);
  return {
    'x-imap-folder': folder,
    'x-imap-uid': String(mail.uid),
    'x-imap-uidvalidity': validity,
    ...(Number.isFinite(time) && { 'x-imap-internaldate': String(time) }),
    ...(mail.labels && { 'x-gm-labels': JSON.stringify([...mail.labels]) }),
  };
}

/** Something that the ledger should tell of the mailbox itself. */
export function noteOf(name: string, text: string): Raw {
  return { body: Buffer.from(text), headers: { 'x-imap-note': name } };
}
