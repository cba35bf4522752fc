import type { ImapFlow } from 'imapflow';
import type { Clock } from '../../core/clock.ts';
import type { Raw } from '../../core/connector.ts';
import { RetryableError, textOf } from '../../core/errors.ts';
import type { Bookmark, Position } from './imap-bookmark.ts';
import { isForNowCode } from './imap-errors.ts';
import { answered } from './imap-patience.ts';
import { hasSource, noteOf, receivedAt, toRaw, type WithSource } from './imap-raw.ts';

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
  const { client, bookmark, clock } = deps;
  const box = await answered(clock, client.mailboxOpen(folder, { readOnly: true }));
  const position = await positionIn(deps, folder, String(box.uidValidity), box.uidNext);
  if (box.uidNext > 0 && position.uid + 1 >= box.uidNext) return;
  const uids = await newUids(deps, position);
  for (let index = 0; index < uids.length; index += CHUNK) {
    const heads = await headsOf(deps, folder, uids.slice(index, index + CHUNK));
    for (const page of pagesOf(heads, deps.maxBytes)) await readPatiently(deps, folder, page);
    reached(bookmark, folder, uids[Math.min(index + CHUNK, uids.length) - 1] ?? 0);
  }
  reached(bookmark, folder, box.uidNext - 1);
}

/** How far the folder was read. New numbers for its mails make all that we know of it void: it is read anew. */
async function positionIn(deps: FolderDeps, folder: string, validity: string, uidNext: number): Promise<Position> {
  const { bookmark } = deps;
  const known = bookmark.at(folder);
  if (known?.validity === validity && !(await beginsAgain(deps, known, uidNext))) return known;
  const position = { validity, uid: 0, from: uidNext };
  if (known) {
    const text = `${folder} got new message numbers (UIDVALIDITY ${known.validity}, now ${validity}) and is read again`;
    await bookmark.file(noteOf('folder_renumbered', text), folder, position);
  } else bookmark.reach(folder, position);
  return position;
}

/** Whether numbers are given out again that were used before: servers do that after their backup was put back. */
async function beginsAgain(deps: FolderDeps, { uid }: Position, uidNext: number): Promise<boolean> {
  if (uidNext <= 0 || uidNext > uid) return false;
  // It may only tell late how far it is.
  const last = await search(deps, { uid: `${uid}:*` });
  return last.every((each) => each < uid);
}

function reached(bookmark: Bookmark, folder: string, uid: number): void {
  const position = bookmark.at(folder);
  if (position && uid > position.uid) bookmark.reach(folder, { ...position, uid });
}

async function newUids(deps: FolderDeps, position: Position): Promise<number[]> {
  const first = position.uid + 1;
  // Servers compare days, in a zone of their own; what is too early is left out by its time further down.
  const since = new Date(Math.max(0, deps.bookmark.start - 2 * DAY_MS));
  const old = first < position.from ? await search(deps, { uid: `${first}:${position.from - 1}`, since }) : [];
  const young = await search(deps, { uid: `${Math.max(first, position.from)}:*` });
  // `n:*` names the last mail even where its number is smaller than n.
  return [...new Set([...old, ...young])].filter((uid) => uid >= first).sort((a, b) => a - b);
}

async function search({ client, clock }: FolderDeps, query: Parameters<ImapFlow['search']>[0]): Promise<number[]> {
  const found = await answered(clock, client.search(query, { uid: true }));
  if (!found) throw new RetryableError('the mail server refused to search the folder');
  return found;
}

/**
 * What is known of mails before they are fetched; some may have been deleted meanwhile. Of which the server says
 * nothing although it is there is fetched all the same: then it shows whether it is to be had.
 */
async function headsOf(deps: FolderDeps, folder: string, uids: readonly number[]): Promise<Head[]> {
  const { client, bookmark, clock } = deps;
  const heads: Head[] = [];
  const from = bookmark.at(folder)?.from ?? 0;
  const unsaid = new Set(uids);
  const take = async () => {
    const query = { uid: true, size: true, internalDate: true };
    for await (const mail of client.fetch(uids.join(','), query, { uid: true })) {
      if (mail.size === undefined || !unsaid.delete(mail.uid)) continue;
      const isOlder = mail.uid < from && receivedAt(mail) < bookmark.start;
      if (!isOlder) heads.push({ uid: mail.uid, size: mail.size });
    }
  };
  try {
    await answered(clock, take());
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  const there = unsaid.size > 0 ? await search(deps, { uid: [...unsaid].join(',') }) : [];
  heads.push(...there.filter((uid) => unsaid.has(uid)).map((uid) => ({ uid, size: 0 })));
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

/** A mail that is there and doesn't come: what the server said instead. */
interface Refused {
  readonly head: Head;
  readonly said: string;
}

/** Of one page: what is still to come, and its last UID. */
interface Progress {
  readonly pending: Set<number>;
  readonly last: number;
}

/** A mail that the server itself can't read must not keep the ones behind it for ever: it is named and passed. */
async function readPatiently(deps: FolderDeps, folder: string, page: readonly Head[]): Promise<void> {
  const progress = { pending: new Set(page.map(({ uid }) => uid)), last: page.at(-1)?.uid ?? 0 };
  let refused = await readPage(deps, folder, page, progress);
  for (let tries = 1; refused.length > 0 && tries < REFUSALS; tries++) {
    await deps.clock.sleep(REFUSED_MS);
    const still: Refused[] = [];
    for (const { head } of refused) still.push(...(await readPage(deps, folder, [head], progress)));
    refused = still;
  }
  for (const { head, said } of refused) {
    const text = `the mail server does not hand out mail ${head.uid} of ${folder}: ${said.slice(0, 400)}`;
    await file(deps.bookmark, noteOf('mail_refused', text), folder, head.uid, progress);
  }
}

/** Files what comes, also when the line breaks in the middle of it; returns what is there and didn't come. */
async function readPage(
  deps: FolderDeps,
  folder: string,
  page: readonly Head[],
  progress: Progress,
): Promise<readonly Refused[]> {
  const { mails, failure } = await fetchPage(deps, page);
  const { bookmark, maxBytes } = deps;
  const validity = bookmark.at(folder)?.validity ?? '';
  for (const mail of mails) {
    const wholeSize = page.find(({ uid, size }) => uid === mail.uid && size > maxBytes)?.size;
    await file(bookmark, toRaw(mail, { folder, validity, wholeSize }), folder, mail.uid, progress);
  }
  if (failure !== undefined && !isRefusal(failure)) throw failure;
  const open = page.filter(({ uid }) => progress.pending.has(uid));
  if (open.length === 0) return [];
  const there = await search(deps, { uid: open.map(({ uid }) => uid).join(',') });
  const said = failure === undefined ? 'it is left out of the answer' : wordsOf(failure);
  return open.filter(({ uid }) => there.includes(uid)).map((head) => ({ head, said }));
}

/** As fast as the line gives it: what has arrived before the line breaks isn't lost with it. */
async function fetchPage({ client, clock, maxBytes }: FolderDeps, page: readonly Head[]) {
  const isCut = page.some(({ size }) => size > maxBytes);
  const source = isCut ? { start: 0, maxLength: BEGINNING } : true;
  const query = { uid: true, source, internalDate: true, labels: true };
  const wanted = new Set(page.map(({ uid }) => uid));
  const mails: WithSource[] = [];
  const take = async () => {
    let bytes = 0;
    for await (const mail of client.fetch([...wanted].join(','), query, { uid: true })) {
      // Servers may tell of other mails in between, and of this one twice.
      if (!hasSource(mail) || !wanted.delete(mail.uid)) continue;
      mails.push(mail);
      bytes += mail.source.length;
      // One that lies about sizes gets no more of our memory than one mail each time.
      if (bytes > PAGE_BYTES + maxBytes) break;
    }
  };
  try {
    await answered(clock, take());
  } catch (error) {
    return { mails, failure: error instanceof Error ? error : new Error(String(error)) };
  }
  return { mails, failure: undefined };
}

/** With the mail goes how far the folder is read: up to the first one that is still to come. */
async function file(bookmark: Bookmark, raw: Raw, folder: string, uid: number, progress: Progress): Promise<void> {
  const position = bookmark.at(folder);
  if (!position) return;
  const { pending, last } = progress;
  pending.delete(uid);
  const read = pending.size > 0 ? Math.min(...pending) - 1 : last;
  await bookmark.file(raw, folder, { ...position, uid: Math.max(position.uid, read) });
}

/** The server answers, but not with the mail. Where it only asks for patience, all of it is tried again later. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error && 'responseStatus' in error && error.responseStatus === 'NO')) return false;
  const code = 'serverResponseCode' in error ? error.serverResponseCode : undefined;
  return typeof code !== 'string' || !isForNowCode(code);
}

function wordsOf(error: unknown): string {
  const said = error instanceof Error && 'responseText' in error ? error.responseText : undefined;
  return typeof said === 'string' && said !== '' ? said : textOf(error);
}
