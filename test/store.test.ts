import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../src/store/open.ts';
import { describeStore } from './suites/store.ts';
import { fakeLog } from './fakes/context.ts';

describeStore('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-store-'));
  const store = await openStore({ folder, log: fakeLog(), typeOf: (id) => id });
  return {
    store,
    async close() {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
});
