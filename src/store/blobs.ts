import { createHash, randomUUID } from 'node:crypto';
import { constants, lstatSync, mkdirSync, readdirSync, renameSync, unlinkSync, utimesSync } from 'node:fs';
import { lstat, mkdir, open, rename, statfs, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { systemClock, type Clock } from '../core/clock.ts';
import { NotFoundError, PermanentError, RetryableError, textOf, TributaryError } from '../core/errors.ts';
import type { Blobs } from '../core/store.ts';

/** What a try to write left behind is removed at the next start, unless another process may still be at it. */
const ORPHANED_MS = 24 * 60 * 60_000;
/** Whoever saved bytes has named them in a row by then, or failed to. */
const NAMING_MS = 10 * 60_000;
/** Free space that files leave to the database: a message matters more than its attachment. */
const RESERVE = 32 * 1024 * 1024;
/** Codes of a disk that can't take more, or has failed. */
const DISK = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EMFILE', 'ENFILE']);

/** Windows has no such flag, and links there only for administrators. */
const NOFOLLOW = constants.O_NOFOLLOW ?? 0;

export interface BlobsOptions {
  readonly clock?: Clock;
  /** Bytes that are free where the blobs are. */
  readonly freeBytes?: () => Promise<number>;
}

/**
 * Blobs as files: `<dir>/ab/cdef…`, named by the SHA-256 of what is in them and by nothing that a sender wrote. They are
 * written to `<dir>/tmp` and moved when they are whole and on the disk. Symbolic links in the folder are refused.
 */
export function createBlobs(dir: string, options: BlobsOptions = {}): Blobs {
  const clock = options.clock ?? systemClock;
  const freeBytes = options.freeBytes ?? (() => freeBytesOf(dir));
  const tmp = join(dir, 'tmp');
  mkdirSync(tmp, { recursive: true, mode: 0o700 });
  if (!lstatSync(tmp).isDirectory()) throw planted(tmp);
  sweep(tmp, clock.now() - ORPHANED_MS);

  return {
    async save(bytes, maxBytes) {
      const temporary = join(tmp, randomUUID());
      try {
        if ((await freeBytes()) < RESERVE) throw full('fewer than 32 MB are free');
        const written = await write(temporary, bytes, maxBytes);
        await keep(dir, temporary, written, clock.now());
        return written;
      } catch (error) {
        await unlink(temporary).catch(() => undefined);
        if (!Buffer.isBuffer(bytes)) bytes.destroy();
        throw isDiskError(error) ? full(textOf(error), error) : error;
      }
    },
    async open(sha256, range) {
      return (await openBlob(dir, sha256)).createReadStream(range);
    },
    async size(sha256) {
      const handle = await openBlob(dir, sha256);
      try {
        return (await handle.stat()).size;
      } finally {
        await handle.close();
      }
    },
    async read(sha256) {
      const handle = await openBlob(dir, sha256);
      try {
        return await handle.readFile();
      } finally {
        await handle.close();
      }
    },
    async remove(sha256) {
      const path = pathIn(dir, sha256);
      const isOld = (file: string) => {
        const found = lstatSync(file, { throwIfNoEntry: false });
        return found?.isFile() === true && found.mtimeMs < clock.now() - NAMING_MS;
      };
      if (!isOld(path)) return;
      // Looked at again where nobody finds it: another process may have saved the same bytes in between.
      const aside = join(tmp, randomUUID());
      if (!move(path, aside)) return;
      if (isOld(aside)) unlinkSync(aside);
      else move(aside, path);
    },
  };
}

function pathIn(dir: string, sha256: string): string {
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new NotFoundError('that is not the hash of a file');
  return join(dir, sha256.slice(0, 2), sha256.slice(2));
}

interface Written {
  readonly sha256: string;
  readonly size: number;
}

/** Writes to a new file, hashing on the way; when it resolves, the bytes are on the disk. */
async function write(path: string, bytes: Readable | Buffer, maxBytes: number): Promise<Written> {
  const hash = createHash('sha256');
  let size = 0;
  const handle = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NOFOLLOW, 0o600);
  try {
    const chunks = Buffer.isBuffer(bytes) ? [bytes] : (bytes as AsyncIterable<Buffer | string>);
    for await (const chunk of chunks) {
      size += Buffer.byteLength(chunk);
      if (size > maxBytes) {
        throw new PermanentError(`the file is larger than ${maxBytes} bytes`, { hint: 'Send a link to it instead.' });
      }
      hash.update(chunk);
      await handle.appendFile(chunk);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { sha256: hash.digest('hex'), size };
}

/** Moves a whole file to its place, unless the same bytes are there already. */
async function keep(dir: string, temporary: string, { sha256, size }: Written, now: number): Promise<void> {
  const path = pathIn(dir, sha256);
  const folder = dirname(path);
  const made = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (!(await lstat(folder)).isDirectory()) throw planted(folder);
  const there = await lstat(path).catch(() => undefined);
  if (there && !there.isFile()) throw planted(path);
  if (there?.size === size && touch(path, now)) {
    await unlink(temporary);
    return;
  }
  await rename(temporary, path);
  // A name is durable only when the folder that it stands in is.
  await syncFolder(folder);
  if (made !== undefined) await syncFolder(dir);
}

/** Says that the bytes were saved again just now; false when they have been removed meanwhile. */
function touch(path: string, now: number): boolean {
  try {
    utimesSync(path, now / 1000, now / 1000);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

async function openBlob(dir: string, sha256: string): Promise<FileHandle> {
  const path = pathIn(dir, sha256);
  const folder = dirname(path);
  try {
    if (!(await lstat(folder)).isDirectory()) throw planted(folder);
    if (!(await lstat(path)).isFile()) throw planted(path);
    return await open(path, constants.O_RDONLY | NOFOLLOW);
  } catch (cause) {
    if (cause instanceof TributaryError || codeOf(cause) !== 'ENOENT') throw cause;
    throw new NotFoundError(`the file ${sha256.slice(0, 12)}… is missing from the data folder`, {
      cause,
      hint: 'Restore the folder blobs from the backup that belongs to the database.',
    });
  }
}

/** False when somebody else was faster. */
function move(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function sweep(tmp: string, before: number): void {
  for (const name of readdirSync(tmp)) {
    const path = join(tmp, name);
    const found = lstatSync(path);
    if (!found.isDirectory() && found.mtimeMs < before) unlinkSync(path);
  }
}

async function freeBytesOf(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}

async function syncFolder(path: string): Promise<void> {
  // Windows can't open a folder, and writes names through by itself.
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}

function isDiskError(error: unknown): boolean {
  return DISK.has(String(codeOf(error)));
}

function full(text: string, cause?: unknown): RetryableError {
  return new RetryableError(`the disk of the data folder can't take a file: ${text}`, {
    cause,
    hint: 'Free space on the disk of the data folder; the file is fetched again by itself.',
  });
}

function planted(path: string): PermanentError {
  return new PermanentError(`${path} is not what Tributary made: a link or something else in its place`, {
    hint: 'Somebody else writes to the data folder: find out who, then remove it.',
  });
}
