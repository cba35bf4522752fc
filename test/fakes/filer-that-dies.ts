// Files something on a thread that can't open its database, and then waits for ever.
import { createIds } from '../../src/core/id.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { Store } from '../../src/core/store.ts';
import { createFiler } from '../../src/filer.ts';
import type { Filing } from '../../src/normalizer/filing.ts';
import { newBaton } from '../../src/store/baton.ts';
import { POLICY, PROOF_KEY } from './filing.ts';

const filer = createFiler({
  store: { shared: { file: '/nowhere/at/all.db', baton: newBaton() } } as unknown as Store,
  newId: createIds(systemClock),
  policy: POLICY,
  proofKey: PROOF_KEY,
  after: 0,
  routing: () => ({ routes: [], types: new Map(), carries: new Map(), desks: [] }),
});
setInterval(() => undefined, 1000);
await filer.file({ items: [], payload: {}, now: 0 } as unknown as Filing);
