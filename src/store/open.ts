import { chmodSync, mkdirSync } from 'node:fs';
import type { Now } from '../core/clock.ts';
import type { Log } from '../core/connector.ts';
import { PermanentError, textOf } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';
import type { Store } from '../core/store.ts';
import { openSqlite } from './open-sqlite.ts';
import { openPostgres } from './postgres/open.ts';
import type { Database } from './sqlite.ts';

export interface StoreOptions {
  /** Data folder: blobs, and without `url` the database and its lock. Made if it isn't there. */
  readonly folder: string;
  /** The database file of SQLite; `tributary.db` in the folder when left out. */
  readonly file?: string;
  /** `postgres://…` of a PostgreSQL database, which then holds everything but the blobs. */
  readonly url?: Secret;
  readonly log: Log;
  /** The system's when left out. */
  readonly clock?: Now;
  /** Type of a configured endpoint, for views. */
  readonly typeOf: (endpointId: string) => string;
  /** How a database file is opened; tests make one that fails at a chosen moment. */
  readonly openDatabase?: OpenDatabase;
}

export type OpenDatabase = (path: string) => Database;

/** Opens the store. Throws `PermanentError` with a hint when it can't be used as it is. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { url, ...rest } = options;
  prepareFolder(options.folder);
  return url === undefined ? openSqlite(rest) : openPostgres({ ...rest, url });
}

function prepareFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // The folder holds customers' words and the key: nobody else's business.
    chmodSync(folder, 0o700);
  } catch (cause) {
    throw new PermanentError(`the data folder ${folder} can't be used: ${textOf(cause)}`, {
      cause,
      hint: 'Create it and give it to the user who runs Tributary, or set DATA_DIR.',
    });
  }
}
