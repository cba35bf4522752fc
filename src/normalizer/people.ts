import { ConflictError, NotFoundError, PermanentError } from '../core/errors.ts';
import type { Desk } from '../core/gateway.ts';
import { carryOut } from './act.ts';
import type { AnswerDeps } from './answer.ts';

/** What agents say about who is who: joins, splits, who isn't the same; and their undoing. What moves is shown to whoever asks. */
export function createPeople(
  deps: AnswerDeps,
): Pick<
  Desk,
  'mergeCustomers' | 'undoMerge' | 'splitCustomer' | 'tellApart' | 'previewMerge' | 'previewUndo' | 'previewSplit'
> {
  const { clock, newId, store } = deps;

  return {
    async mergeCustomers(from, into, actor, { reason, once } = {}) {
      return carryOut(deps, { actor, action: 'customer.merge', target: from, once }, async (tx, announcer) => {
        await checkPair(tx, from, into);
        const mergeId = newId('mrg');
        await tx.moveCustomer(from, into, reason ?? `merged by ${actor}`, mergeId, clock.now());
        const version = (await tx.customer(into))?.version ?? 0;
        await announcer.change({ type: 'customer.merged', version, customerId: into, extra: { from, mergeId } });
        return { mergeId };
      });
    },

    async undoMerge(mergeId, actor, once) {
      await carryOut(deps, { actor, action: 'customer.undo_merge', target: mergeId, once }, async (tx, announcer) => {
        const undone = await tx.undoMerge(mergeId, clock.now());
        if (!undone) throw new NotFoundError(`there is no merge ${mergeId} to undo`);
        const { kind, winner, loser } = undone;
        // Nothing moved when they were told apart, and nobody was told.
        if (kind === 'apart') return;
        // What brings two together again is told as a merge.
        const customerId = kind === 'split' ? loser : winner;
        const version = (await tx.customer(customerId))?.version ?? 0;
        const told =
          kind === 'split'
            ? ({ type: 'customer.merged', extra: { from: winner, mergeId } } as const)
            : ({ type: 'customer.split', extra: { into: loser } } as const);
        await announcer.change({ ...told, version, customerId });
      });
    },

    async splitCustomer(customerId, identifiers, actor, { reason, once } = {}) {
      return carryOut(deps, { actor, action: 'customer.split', target: customerId, once }, async (tx, announcer) => {
        await checkSplit(tx, customerId, identifiers);
        const id = newId('cus');
        const at = clock.now();
        await tx.insertCustomer({ id, name: null, locale: null, at });
        await tx.splitCustomer(customerId, id, identifiers, reason ?? `split by ${actor}`, newId('mrg'), at);
        const made = (await tx.customer(id))?.version ?? 0;
        await announcer.change({
          type: 'customer.created',
          version: made,
          customerId: id,
          extra: { from: customerId },
        });
        const version = (await tx.customer(customerId))?.version ?? 0;
        await announcer.change({ type: 'customer.split', version, customerId, extra: { into: id } });
        return { customerId: id };
      });
    },

    async tellApart(customerId, other, actor, { reason, once } = {}) {
      const act = { actor, action: 'customer.tell_apart', target: customerId, detail: other, once };
      return carryOut(deps, act, async (tx) => {
        await checkPair(tx, customerId, other);
        const evidence = reason ?? `told apart by ${actor}`;
        return { mergeId: await tx.tellApart(customerId, other, evidence, newId('mrg'), clock.now()) };
      });
    },

    async previewMerge(from, into) {
      await checkPair(store.read, from, into);
      return store.read.wouldMove(from, into);
    },

    async previewSplit(customerId, identifiers) {
      await checkSplit(store.read, customerId, identifiers);
      return store.read.wouldSplit(customerId, identifiers);
    },

    async previewUndo(mergeId) {
      const moved = await store.read.wouldUndo(mergeId);
      if (!moved) throw new NotFoundError(`there is no merge ${mergeId} to undo`);
      return moved;
    },
  };
}

/** The store, inside a transaction or without one. */
interface Known {
  customer(id: string): Promise<{ readonly mergedInto: string | null } | undefined>;
}

/** Two customers who are there, neither of them joined into another one. */
async function checkPair(known: Known, one: string, other: string): Promise<void> {
  if (one === other) throw new PermanentError('a customer cannot be merged into himself, or told apart from himself');
  for (const id of [one, other]) {
    const row = await known.customer(id);
    if (!row) throw new NotFoundError(`there is no customer ${id}`);
    if (row.mergedInto !== null) throw new ConflictError(`${id} was already merged into ${row.mergedInto}`);
  }
}

async function checkSplit(known: Known, customerId: string, identifiers: readonly object[]): Promise<void> {
  if (identifiers.length === 0) throw new PermanentError('a split needs an identifier');
  const row = await known.customer(customerId);
  if (!row) throw new NotFoundError(`there is no customer ${customerId}`);
  if (row.mergedInto !== null) throw new ConflictError(`${customerId} was merged into ${row.mergedInto}`);
}
