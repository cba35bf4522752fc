import type { Clock } from '../core/clock.ts';
import type { Task } from '../core/rows.ts';
import type { Store } from '../core/store.ts';
import type { AcceptDeps } from './accept.ts';
import { writeAndAnnounce, type AnnounceDeps } from './announce.ts';
import { endCall } from './call.ts';
import { callOf, UNSAID } from './call-state.ts';

/** Takes a call for missed whose end nobody told: the vendor's event was lost, or the vendor is. */
export function createHangUp(
  deps: AnnounceDeps &
    AcceptDeps & {
      readonly store: Store;
      readonly clock: Clock;
      readonly announced: (due: readonly { id: string; endpointId: string }[]) => void;
    },
) {
  return async (task: Task) => {
    const messageId = task.messageId ?? '';
    const { externalId, author } = (await deps.store.read.message(messageId)) ?? {};
    const people = author?.identifiers.map(({ kind, value }) => `${kind} ${value}`) ?? [];
    const response = await writeAndAnnounce(
      deps,
      [`message ${externalId ?? ''}`, ...people].sort(),
      async (tx, announcer) => {
        const row = await tx.message(messageId);
        const known = row ? { ...row, call: undefined } : await tx.looseCallById(messageId);
        if (!known) return 'is gone';
        const { content, ended } = callOf(await tx.saidOf(messageId));
        if (ended || content.call.outcome !== 'ringing') return `is ${content.call.outcome}`;
        const { occurredAt } = content;
        const said = { revision: UNSAID, occurredAt, text: '', fields: {}, sender: { identifiers: [] } };
        const { payloadId } = known;
        const source = { endpointId: task.endpointId, threads: 'person', payloadId: payloadId ?? '' } as const;
        const now = { ...source, receivedAt: deps.clock.now() };
        await endCall(tx, announcer, known, { ...said, call: { outcome: 'missed' } }, now, deps);
        return 'taken for missed: nobody told its end';
      },
    );
    return { request: externalId ?? '', response };
  };
}
