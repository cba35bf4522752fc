import type { CallProgress } from '../core/envelope.ts';
import type { TaskRefRow } from '../core/rows.ts';
import type { Store } from '../core/store.ts';
import type { AcceptDeps } from './accept.ts';
import { writeAndAnnounce, type AnnounceDeps } from './announce.ts';
import { endCall } from './call.ts';
import { callOf, UNSAID, type CallState } from './call-state.ts';

export type AddDeps = AnnounceDeps &
  AcceptDeps & {
    readonly store: Store;
    readonly announced: (due: readonly TaskRefRow[]) => void;
  };

/**
 * Adds to a call what its channel has not told, as a revision that counts for less than all that it tells. `of` is
 * given the call as it is known and says what to add, or why nothing. Resolves with that reason.
 */
export async function addToCall(
  deps: AddDeps,
  messageId: string,
  of: (state: CallState) => CallProgress | string,
): Promise<string | undefined> {
  const { externalId, author } = (await deps.store.read.message(messageId)) ?? {};
  const people = author?.identifiers.map(({ kind, value }) => `${kind} ${value}`) ?? [];
  return writeAndAnnounce(deps, [`message ${externalId ?? ''}`, ...people].sort(), async (tx, announcer) => {
    const row = await tx.message(messageId);
    const known = row ? { ...row, call: undefined } : await tx.looseCallById(messageId);
    if (!known) return 'is gone';
    const state = callOf(await tx.saidOf(messageId));
    const call = of(state);
    if (typeof call === 'string') return call;
    const { occurredAt } = state.content;
    const said = { revision: UNSAID, occurredAt, text: '', fields: {}, sender: { identifiers: [] }, call };
    const { endpointId, payloadId } = known;
    const source = { endpointId: endpointId ?? '', threads: 'person', payloadId: payloadId ?? '' } as const;
    await endCall(tx, announcer, known, said, { ...source, receivedAt: deps.clock.now() }, deps);
    return undefined;
  });
}
