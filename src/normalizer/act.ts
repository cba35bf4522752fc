import { ConflictError } from '../core/errors.ts';
import type { Once } from '../core/gateway.ts';
import type { Transaction } from '../core/store.ts';
import { writeAndAnnounce, type Announcer } from './announce.ts';

/** What an agent does: who, what, to which row; and the key that makes a repeat of it do nothing. */
export interface Act {
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  /** What else the audit log says of it. */
  readonly detail?: string;
  readonly once?: Once;
}

type Deps = Parameters<typeof writeAndAnnounce>[0];

/**
 * Carries out what an agent does, in one transaction with its line in the audit log and with what its key is
 * remembered by: whatever happens to the answer, a repeat finds that it was done, and what came of it.
 */
export async function carryOut<T extends object | void>(
  deps: Deps,
  { actor, action, target, detail, once }: Act,
  work: (tx: Transaction, announcer: Announcer) => Promise<T>,
): Promise<T> {
  const locks = [`ticket ${target}`, ...(once ? [`once ${once.key}`] : [])];
  return writeAndAnnounce(deps, locks, async (tx, announcer) => {
    const at = deps.clock.now();
    const earlier = once && (await tx.idempotent(once.key));
    if (earlier && earlier.at > once.since) return cameOf<T>(earlier, once);
    const result = await work(tx, announcer);
    await tx.audit({ at, actor, action, target, detail });
    if (once) {
      await tx.saveIdempotent({
        key: once.key,
        request: once.request,
        status: 0,
        body: JSON.stringify(result ?? null),
        at,
      });
    }
    return result;
  });
}

/** Another process may have been asked at the same moment: what it keeps is the answer to it, or to another request. */
function cameOf<T>(
  earlier: { readonly request: string; readonly status: number; readonly body: string },
  once: Once,
): T {
  if (earlier.request !== once.request || earlier.status > 0) {
    throw new ConflictError('the first request under this key ended just now', {
      hint: 'Send it again with the same key: it hears what came of the first one.',
    });
  }
  return (JSON.parse(earlier.body) ?? undefined) as T;
}
