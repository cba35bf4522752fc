import type { ImapFlow } from 'imapflow';
import type { Clock } from '../../core/clock.ts';
import type { Seat } from '../../core/connector.ts';
import type { Imap } from './config.ts';
import type { Bookmark } from './imap-bookmark.ts';
import { connectImap, foldersOf, type ImapDeps } from './imap-client.ts';
import { missingFolders, toImapError } from './imap-errors.ts';
import { readFolder, type FolderDeps } from './imap-folder.ts';
import { answered } from './imap-patience.ts';

/** How long a server may take to show that it is still there. */
const SIGN_OF_LIFE_MS = 30_000;

/** Follows some folders over one connection; gives its seat at the host to who waits for it, and asks again. */
export async function watch(
  deps: ImapDeps,
  bookmark: Bookmark,
  folders: readonly string[],
  ended: AbortSignal,
): Promise<void> {
  const { imap, context } = deps;
  while (!ended.aborted) {
    const seat = await context.http.seat(imap.host, imap.connections, ended);
    try {
      const client = await connectImap(deps, ended);
      let broken: unknown;
      client.once('error', (error) => (broken = error));
      try {
        await follow(deps, { client, bookmark, folders, seat });
      } catch (error) {
        // What was waiting for an answer only hears that the line is gone, not why we cut it.
        throw toImapError(imap, isNoConnection(error) ? (broken ?? error) : error, client.byeReason);
      } finally {
        client.close();
      }
    } finally {
      seat.release();
    }
  }
}

function isNoConnection(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'NoConnection';
}

interface Turn {
  readonly client: ImapFlow;
  readonly bookmark: Bookmark;
  readonly folders: readonly string[];
  readonly seat: Seat;
}

/**
 * Reads everything, then waits for news of the first folder, but never longer than `pollSeconds`: servers
 * forget to announce mail, and connections die without a word.
 */
async function follow({ imap, context }: ImapDeps, { client, bookmark, folders, seat }: Turn): Promise<void> {
  const { clock } = context;
  const pauseMs = imap.pollSeconds * 1000;
  const began = clock.now();
  const news = newsOf(client, clock);
  for (;;) {
    news.forget();
    await readAll(imap, { client, bookmark, clock, maxBytes: imap.maxBytes }, folders);
    if (seat.isWanted() && clock.now() - began >= pauseMs) return;
    await news.wait(pauseMs);
    // A connection that died without a word: better to know it soon than when the next mail is fetched.
    await answered(clock, client.noop(), SIGN_OF_LIFE_MS);
  }
}

/** The first folder comes last: it stays selected, and only of the selected one a server tells news. */
async function readAll(imap: Imap, deps: FolderDeps, folders: readonly string[]): Promise<void> {
  const missing: string[] = [];
  for (const folder of folders.toReversed()) {
    try {
      await readFolder(deps, folder);
    } catch (error) {
      if (!(error instanceof Error && 'mailboxMissing' in error && error.mailboxMissing === true)) throw error;
      missing.push(folder);
    }
  }
  if (missing.length > 0) throw missingFolders(imap, missing, await answered(deps.clock, foldersOf(deps.client)));
}

/** Whether the server told of new mail in the selected folder. */
function newsOf(client: ImapFlow, clock: Clock): { forget(): void; wait(ms: number): Promise<void> } {
  let hasNews = false;
  let wake = () => {};
  const tell = () => {
    hasNews = true;
    wake();
  };
  client.on('exists', tell);
  client.once('close', tell);
  return {
    forget() {
      hasNews = false;
    },
    async wait(ms) {
      if (hasNews) return;
      const told = new Promise<void>((resolve) => (wake = resolve));
      const over = new AbortController();
      // The next command ends it, and fails of whatever this one failed of.
      void client.idle().catch(() => undefined);
      await Promise.race([told, clock.sleep(ms, over.signal).catch(() => undefined)]);
      over.abort();
    },
  };
}
