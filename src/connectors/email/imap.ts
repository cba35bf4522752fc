import type { Channel } from '../../core/connector.ts';
import { openBookmark } from './imap-bookmark.ts';
import { connectImap, foldersOf, isSameFolder, type ImapDeps } from './imap-client.ts';
import { listed, missingFolders, toImapError } from './imap-errors.ts';
import { noteOf } from './imap-raw.ts';
import { watch } from './imap-watch.ts';

/** Clocks differ: what the server received shortly before our first start is read as well. */
const HEAD_START_MS = 10 * 60_000;
/** How long a try of the credentials may take. */
const TEST_MS = 60_000;

/** Reads a mailbox for as long as the channel runs. */
export function createImap(deps: ImapDeps): Required<Pick<Channel, 'stream' | 'test'>> {
  const { imap, context } = deps;
  return {
    async stream(cursor, emit, signal) {
      const firstStart = () => {
        const start = imap.since ?? context.clock.now() - HEAD_START_MS;
        const text = `${imap.folders.join(', ')} of ${imap.user}: mail received since ${new Date(start).toISOString()}`;
        return { start, note: noteOf('mailbox_started', text) };
      };
      const mailbox = `${imap.user} at ${imap.host}`.toLowerCase();
      const bookmark = await openBookmark(cursor, mailbox, imap.since, firstStart, emit);
      await together(groupsOf(imap.folders, imap.connections), signal, (folders, ended) =>
        watch(deps, bookmark, folders, ended),
      );
    },
    test: () => tryOut(deps),
  };
}

/** The folders of each connection: one for the first each, the rest share the last. */
function groupsOf(folders: readonly string[], connections: number): readonly (readonly string[])[] {
  const alone = folders.slice(0, connections - 1).map((folder) => [folder]);
  const rest = folders.slice(connections - 1);
  return rest.length > 0 ? [...alone, rest] : alone;
}

/** Runs one for each until the first fails, then ends the others. */
async function together<T>(
  list: readonly T[],
  signal: AbortSignal,
  run: (each: T, ended: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const ended = AbortSignal.any([signal, failed.signal]);
  const results = await Promise.allSettled(
    list.map((each) =>
      run(each, ended).catch((error: unknown) => {
        if (ended.aborted) return;
        failed.abort();
        throw error;
      }),
    ),
  );
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Tries the credentials, and whether all folders are there. */
async function tryOut(deps: ImapDeps): Promise<string> {
  const { imap } = deps;
  const client = await connectImap(deps, AbortSignal.timeout(TEST_MS));
  try {
    const names = await foldersOf(client);
    const missing = imap.folders.filter((folder) => !names.some((name) => isSameFolder(name, folder)));
    if (missing.length > 0) throw missingFolders(imap, missing, names);
    const others = names.filter((name) => !imap.folders.some((folder) => isSameFolder(name, folder)));
    const rest = others.length > 0 ? `; not read: ${listed(others)}` : '';
    return `${imap.host} lets ${imap.user} in; read: ${imap.folders.join(', ')}${rest}`;
  } catch (error) {
    throw toImapError(imap, error);
  } finally {
    client.close();
  }
}
