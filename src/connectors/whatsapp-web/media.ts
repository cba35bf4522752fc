import { access, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../core/clock.ts';
import type { Client, Message } from './library.ts';
import { fileNameOf, FILES } from './protocol.ts';
import { within } from './told.ts';

/** The most that is kept of a file: it passes through the page as text. */
const MAX_FILE = 64 * 1024 * 1024;
const FILE_MS = 120_000;
/** What nobody has fetched for so long. */
const OLD_MS = 7 * 24 * 3_600_000;

/** The files of messages, in the browser's process. */
export interface Media {
  /** Begins at once: WhatsApp keeps files for a while only. */
  begin(message: Message): void;
  /** The name of a message's file, once it lies there; undefined where it can't be had any more. */
  get(id: string): Promise<string | undefined>;
}

export async function openMedia(folder: string, client: Client): Promise<Media> {
  const home = join(folder, FILES);
  await mkdir(home, { recursive: true, mode: 0o700 });
  await tidy(home);
  const running = new Map<string, Promise<string | undefined>>();
  /** One after the other: each stands in memory as a whole. */
  let last: Promise<unknown> = Promise.resolve();

  function fetch(id: string, message: Message | undefined): Promise<string | undefined> {
    const already = running.get(id);
    if (already) return already;
    const work = last.then(() => save(id, message));
    last = work.catch(() => undefined);
    running.set(id, work);
    void last.then(() => running.delete(id));
    return work;
  }

  async function save(id: string, given: Message | undefined): Promise<string | undefined> {
    const name = fileNameOf(id);
    if (await isThere(join(home, name))) return name;
    const message = given ?? (await within(client.getMessageById(id)));
    if (!message?.hasMedia || (message._data?.size ?? 0) > MAX_FILE) return undefined;
    const media = await within(message.downloadMedia(), FILE_MS);
    if (!media) return undefined;
    const begun = join(home, `${name}.begun`);
    await writeFile(begun, Buffer.from(media.data, 'base64'), { mode: 0o600 });
    await rename(begun, join(home, name));
    return name;
  }

  return {
    begin(message) {
      // Whoever asks for it hears why it failed.
      void fetch(message.id._serialized, message).catch(() => undefined);
    },
    get: (id) => fetch(id, undefined),
  };
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

async function tidy(home: string): Promise<void> {
  const old = systemClock.now() - OLD_MS;
  for (const name of await readdir(home)) {
    const file = join(home, name);
    if ((await stat(file)).mtimeMs < old || name.endsWith('.begun')) await rm(file, { force: true });
  }
}
