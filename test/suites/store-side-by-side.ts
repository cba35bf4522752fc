import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { PermanentError } from '../../src/core/errors.ts';
import type { Store, Transaction } from '../../src/core/store.ts';
import { storeTools, type OpenStore } from './store-tools.ts';

/** How long somebody is given to do what he must not; where he waits as he should, so long is waited for nothing. */
const CHANCE_MS = 150;

/** What must not happen when several write at the same moment, with nothing in common that their callers could name. */
export function describeSideBySide(open: OpenStore): void {
  describe('what is written at the same moment', () => {
    let store: Store;
    let close: () => Promise<void>;
    beforeEach(async () => {
      ({ store, close } = await open());
    });
    afterEach(() => close());
    const { clock, newId, make, task, lease, finish, due } = storeTools(() => store);
    const write = <T>(work: (tx: Transaction) => Promise<T>) => store.write([], work);

    /** `second` begins when `first` says so, and has a chance to end before it. What `first` returns says whether it did. */
    async function overlapping(
      first: (tx: Transaction, begin: () => Promise<'ended' | 'waits'>) => Promise<void>,
      second: () => Promise<unknown>,
    ): Promise<void> {
      let other: Promise<unknown> | undefined;
      await write((tx) =>
        first(tx, () => {
          other ??= second();
          return Promise.race([other.then(() => 'ended' as const), wait(CHANCE_MS, 'waits' as const)]);
        }),
      );
      await other;
    }

    it('leaves no task behind: who ends the head of a line and who adds to it see each other', async () => {
      const ticketId = await make(async (rows) => rows.ticket(await rows.customer()));
      const held = (await lease(await task({ ticketId })))!;
      const id = newId('tsk');
      await overlapping(
        async (tx, begin) => {
          await tx.ticket(ticketId);
          const row = { kind: 'deliver', type: 'x', messageId: null, changeSeq: null, attachmentId: null } as const;
          await tx.insertTask({ ...row, id, endpointId: 'crm', ticketId, createdAt: clock.now() }, clock.now());
          await begin();
        },
        () => finish(held),
      );
      assert.deepEqual(await due(), [id]);
    });

    it('starts no second task of a line when one that ended comes back while its head ends', async () => {
      const ticketId = await make(async (rows) => rows.ticket(await rows.customer()));
      const [dead, head] = [await task({ ticketId }), await task({ ticketId })];
      await finish((await lease(dead))!, { state: 'dead' });
      const held = (await lease(head))!;
      await overlapping(
        async (tx, begin) => {
          await tx.replayTask(dead, clock.now());
          await begin();
        },
        () => finish(held),
      );
      assert.deepEqual(await due(), [dead]);
    });

    describe('leaves as it is until the end of the transaction', () => {
      let ticketId: string;
      let messageId: string;
      let number: number;
      let customerId: string;
      beforeEach(async () => {
        await make(async (rows) => {
          ticketId = await rows.ticket(await rows.customer('Олена', ['chat=1']));
          messageId = await rows.message(ticketId, { externalId: 'm-1' });
        });
        const ticket = (await store.read.ticket(ticketId))!;
        ({ number } = ticket);
        customerId = ticket.customer.id;
        await write(async (tx) => {
          await tx.saveThread('contact', 'thread', ticketId);
          await tx.savePart(messageId, 'contact', 'part', 1);
          const content = { revision: 0, occurredAt: 1, text: '', fields: {} };
          const part = {
            endpointId: 'contact',
            externalId: 'of album',
            messageId,
            key: 'album',
            at: 1,
            piece: undefined,
          };
          await tx.saveAlbumPart({ ...part, content, files: [] });
        });
      });

      const ticketReads: Record<string, (tx: Transaction) => Promise<unknown>> = {
        'a ticket': (tx) => tx.ticket(ticketId),
        'a ticket by its number': (tx) => tx.ticketByNumber(number),
        'the ticket of a thread': (tx) => tx.ticketOfThread('contact', 'thread'),
        "a customer's open ticket": (tx) => tx.recentOpenTicket(customerId, 0),
      };
      for (const [what, read] of Object.entries(ticketReads)) {
        it(`${what} that it has read`, () =>
          overlapping(
            async (tx, begin) => {
              const before = await read(tx);
              assert.ok(before);
              await begin();
              assert.deepEqual(await read(tx), before);
            },
            () => write((tx) => tx.updateTicket(ticketId, { assignee: 'anna' }, 5)),
          ));
      }

      const messageReads: Record<string, (tx: Transaction) => Promise<unknown>> = {
        'a message': (tx) => tx.message(messageId),
        "a message by the channel's id": (tx) => tx.findMessage('contact', 'm-1'),
        'the message of a part': (tx) => tx.messageOfPart('contact', 'part'),
        'the message of an album': (tx) => tx.albumOf('contact', 'album'),
      };
      for (const [what, read] of Object.entries(messageReads)) {
        it(`${what} that it has read`, () =>
          overlapping(
            async (tx, begin) => {
              const before = await read(tx);
              assert.ok(before);
              await begin();
              assert.deepEqual(await read(tx), before);
            },
            () => write((tx) => tx.setDelivery(messageId, { state: 'read' })),
          ));

        it(`the ticket of ${what} that it has read`, () =>
          overlapping(
            async (tx, begin) => {
              await read(tx);
              assert.equal(await begin(), 'waits');
            },
            () => write((tx) => tx.updateTicket(ticketId, {}, 5)),
          ));
      }

      it('a file that it has read, so that who waits for it and who has it see each other', async () => {
        const file = await make((rows) => rows.attachment(messageId));
        await overlapping(
          async (tx, begin) => {
            assert.equal((await tx.attachment(file))?.state, 'waiting');
            assert.equal(await begin(), 'waits');
          },
          () => write((tx) => tx.updateAttachment(file, { state: 'stored' })),
        );
      });

      it('what it knows of an endpoint', async () => {
        await write((tx) => tx.updateEndpointState('crm', { failures: 1 }));
        const add = async (tx: Transaction) => {
          const { failures } = await tx.endpointState('crm');
          return () => tx.updateEndpointState('crm', { failures: failures + 1 });
        };
        await overlapping(
          async (tx, begin) => {
            const save = await add(tx);
            await begin();
            await save();
          },
          () => write(async (tx) => (await add(tx))()),
        );
        assert.equal((await write((tx) => tx.endpointState('crm'))).failures, 3);
      });

      it('what of an endpoint somebody else noted first', async () => {
        await overlapping(
          async (tx, begin) => {
            await tx.updateEndpointState('new', { pauseReason: 'by hand' });
            await begin();
          },
          () => write((tx) => tx.updateEndpointState('new', { failures: 4 })),
        );
        const { pauseReason, failures } = await write((tx) => tx.endpointState('new'));
        assert.deepEqual([pauseReason, failures], ['by hand', 4]);
      });

      it('what is known of a customer', async () => {
        const prove = async (tx: Transaction, value: string) =>
          (await tx.identifiersOf(customerId)).some((known) => known.kind === 'proof')
            ? undefined
            : () => tx.saveIdentifier({ kind: 'proof', value, trust: 'verified', customerId }, 1);
        await overlapping(
          async (tx, begin) => {
            const save = await prove(tx, 'one');
            await begin();
            await save?.();
          },
          () => write(async (tx) => (await prove(tx, 'two'))?.()),
        );
        const proofs = (await store.read.customer(customerId))!.identifiers.filter(({ kind }) => kind === 'proof');
        assert.equal(proofs.length, 1);
      });
    });

    it('links one ticket of ours, whoever is first, and says so to the other', async () => {
      const save = (tx: Transaction, ticket: string) => tx.saveLink('desk', ticket, { externalId: '7' }, 1);
      let second: Promise<void> | undefined;
      await overlapping(
        async (tx, begin) => {
          await save(tx, 'tkt_1');
          await begin();
        },
        () => {
          second = write((tx) => save(tx, 'tkt_2'));
          return second.catch(() => undefined);
        },
      );
      await assert.rejects(second!, PermanentError);
    });

    const structural: Record<string, (tx: Transaction) => Promise<unknown>> = {
      'customers are joined': (tx) => tx.moveCustomer('a', 'b', 'test', 'mrg_2', 1),
      'a join is undone': (tx) => tx.undoMerge('mrg_none', 1),
      'a customer is split': (tx) => tx.splitCustomer('a', 'b', [], 'test', 'mrg_2', 1),
      'messages move to another ticket': (tx) => tx.moveMessages([], 'tkt_2', 1),
      'tasks move to another ticket': (tx) => tx.moveTasks('tkt_1', 'tkt_2', 1),
      'threads move to another ticket': (tx) => tx.repointThreads('tkt_1', 'tkt_2'),
      'what is old is let go': (tx) =>
        tx.sweepRetention({
          payloadsBefore: 1,
          tasksBefore: 1,
          idempotentBefore: 1,
          earlyBefore: 1,
          recordingsBefore: 1,
          batch: 1,
        }),
    };
    for (const [what, work] of Object.entries(structural)) {
      it(`is waited for when ${what}, so that nothing is left behind`, () =>
        overlapping(
          async (_tx, begin) => {
            assert.equal(await begin(), 'waits');
          },
          () => write(work),
        ));
    }

    it('goes with a customer who is joined with another one meanwhile', async () => {
      await write(async (tx) => {
        for (const id of ['a', 'b']) await tx.insertCustomer({ id, name: id, locale: null, at: 1 });
      });
      await overlapping(
        async (tx, begin) => {
          const row = { subject: 's', status: 'new', priority: 'normal', channelId: 'c', customerId: 'a' } as const;
          const rest = { assignee: null, team: null, tags: [], fields: {}, language: null, createdAt: 1 };
          await tx.insertTicket({ ...row, ...rest, id: 'tkt_1' });
          await begin();
        },
        () => write((tx) => tx.moveCustomer('a', 'b', 'test', 'mrg_1', 1)),
      );
      assert.equal((await store.read.ticket('tkt_1'))!.customer.id, 'b');
    });

    it('may name very many locks', async () => {
      const locks = Array.from({ length: 20_000 }, (_, index) => `person ${index}`);
      assert.equal(await store.write(locks, async () => 'done'), 'done');
    });
  });
}
