import type { SharedFile, Store } from '../core/store.ts';
import { batonOf } from './baton.ts';
import { createGroupCommit } from './group.ts';
import { createRecent } from './recent.ts';
import { configure, openDatabase, sqlOf } from './sqlite.ts';
import { transactionOf } from './transaction.ts';

/** Writes to the file of a SQLite store that another thread of this process has opened, and closes last. */
export function openSecondWriter({ file, baton }: SharedFile): Pick<Store, 'write' | 'close'> {
  const database = openDatabase(file);
  configure(database);
  const recent = createRecent();
  const group = createGroupCommit(database, { recent, baton: batonOf(baton) });
  const tx = transactionOf(sqlOf(database), recent);
  return {
    write: (_locks, work) => group.submit(() => work(tx)),
    async close() {
      await group.close();
      database.close();
    },
  };
}
