import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PermanentError } from '../core/errors.ts';
import { openDatabase } from './sqlite.ts';

/**
 * Makes sure that one process uses a data folder. The lock is SQLite's own lock on a small file: the
 * kernel releases it however the process ends, so a crash leaves nothing behind and a number that
 * another process has got meanwhile means nothing. The pid beside it is for the message only.
 */
export function lockFolder(folder: string): { release(): void } {
  const pidFile = join(folder, 'tributary.pid');
  const database = openDatabase(join(folder, 'tributary.lock'));
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE');
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    const pid = readPid(pidFile);
    throw new PermanentError(`the data folder ${folder} is in use by ${pid ? `process ${pid}` : 'another process'}`, {
      cause,
      hint: pid ? `Stop it first (kill ${pid}), or set DATA_DIR to another folder.` : 'Set DATA_DIR to another folder.',
    });
  }
  writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 });
  return {
    release() {
      database.close();
    },
  };
}

function readPid(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}
