import assert from 'node:assert/strict';
import { PermanentError } from '../../src/core/errors.ts';
import type { Store } from '../../src/core/store.ts';
import { describeOutbox } from './store-outbox.ts';
import { describePeople } from './store-people.ts';
import { describeProcesses } from './store-processes.ts';
import { describeRecent } from './store-recent.ts';
import { describeSideBySide } from './store-side-by-side.ts';
import { DEAD, HOUR, storeTools, type OpenStore } from './store-tools.ts';

/** The contract of a store as tests: every store passes them, whatever it runs on. `open` makes an empty one. */
export function describeStore(name: string, open: OpenStore): void {
  describe(`a store on ${name}`, () => {
    let store: Store;
    let close: () => Promise<void>;
    beforeEach(async () => {
      ({ store, close } = await open());
    });
    afterEach(() => close());
    const { clock, make, task, lease, finish } = storeTools(() => store);

    const changesAfter = async (after: number) => (await store.read.changes(after, 1000)).map(({ seq }) => seq);

    describe('writing', () => {
      it('is seen by readers once it is done', async () => {
        const id = await make((rows) => rows.customer('Олена'));
        assert.equal((await store.read.customer(id))!.name, 'Олена');
      });

      it('hands on what the work returned or threw', async () => {
        assert.equal(await store.write(['a'], async () => 'value'), 'value');
        const thrown = new PermanentError('no');
        await assert.rejects(
          store.write(['a'], async () => {
            throw thrown;
          }),
          (error) => error === thrown,
        );
      });

      it('takes back what failed, alone, while others that came at the same moment stay', async () => {
        const ids = Array.from({ length: 30 }, (_, index) => `cus_${index}`);
        const results = await Promise.allSettled(
          ids.map((id, index) =>
            store.write([id], async (tx) => {
              await tx.insertCustomer({ id, name: id, locale: null, at: 1 });
              if (index % 3 === 0) throw new Error(`not ${id}`);
            }),
          ),
        );
        for (const [index, id] of ids.entries()) {
          const failed = index % 3 === 0;
          assert.equal(results[index]!.status, failed ? 'rejected' : 'fulfilled', id);
          assert.equal((await store.read.customer(id)) === undefined, failed, id);
        }
      });

      it('takes back a statement that is refused, and the ones before it', async () => {
        await make((rows) => rows.customer('taken'));
        await assert.rejects(
          store.write([], async (tx) => {
            await tx.saveToken('first', 10);
            await tx.saveToken('first', 10);
          }),
        );
        assert.equal(await store.write([], (tx) => tx.takeToken('first', 1)), false);
        await store.write([], (tx) => tx.saveToken('second', 10));
      });

      it('runs those that share a lock one after the other, also when they wait within', async () => {
        const ticket = await make(async (rows) => rows.ticket(await rows.customer()));
        const seqs = await Promise.all(
          Array.from({ length: 40 }, () =>
            store.write([`ticket ${ticket}`], async (tx) => {
              const before = (await tx.ticket(ticket))!.lastSeq;
              await new Promise(setImmediate);
              const { seq } = await tx.nextSeq(ticket, 1, 'inbound');
              assert.equal(seq, before + 1);
              return seq;
            }),
          ),
        );
        assert.deepEqual(
          seqs.toSorted((a, b) => a - b),
          Array.from({ length: 40 }, (_, index) => index + 1),
        );
      });

      it('gives every ticket another number, whoever asks at the same moment', async () => {
        const ids = await Promise.all(
          Array.from({ length: 20 }, () => make(async (rows) => rows.ticket(await rows.customer()))),
        );
        const numbers = await Promise.all(ids.map(async (id) => (await store.read.ticket(id))!.number));
        assert.equal(new Set(numbers).size, 20);
      });
    });

    describe('the change feed', () => {
      it('numbers changes once and for all, in the order in which one followed another, and leaves out what was taken back', async () => {
        const seqs: number[] = [];
        await Promise.allSettled(
          Array.from({ length: 30 }, (_, index) =>
            store
              .write([], async (tx) => {
                const seq = await tx.insertChange({ type: 'test.ping', at: 1, version: 1 });
                if (index % 4 === 0) throw new Error('taken back');
                return seq;
              })
              .then((seq) => seqs.push(seq)),
          ),
        );
        assert.equal(new Set(seqs).size, 22);
        const known = await changesAfter(0);
        assert.deepEqual(
          known,
          seqs.toSorted((a, b) => a - b),
        );
        const later = await store.write([], (tx) => tx.insertChange({ type: 'test.ping', at: 1, version: 1 }));
        assert.deepEqual(await changesAfter(0), [...known, later]);
        assert.equal(await store.read.lastChange(), later);
      });

      it('shows each change once to whoever reads on behind the last one', async () => {
        const seen: number[] = [];
        let writing = true;
        const reading = (async () => {
          for (let more = true; more;) {
            more = writing;
            const page = await store.read.changes(seen.at(-1) ?? 0, 7);
            seen.push(...page.map(({ seq }) => seq));
            if (page.length > 0) more = true;
            await new Promise(setImmediate);
          }
        })();
        for (let i = 0; i < 20; i++)
          await Promise.all([make((rows) => rows.customer()), make((rows) => rows.customer())]);
        writing = false;
        await reading;
        assert.deepEqual(seen, await changesAfter(0));
        assert.equal(seen.length, 40);
      });
    });

    it('keeps what is known of an endpoint when a part of it changes', async () => {
      await store.write([], async (tx) => {
        await tx.updateEndpointState('crm', { failures: 3, lastError: 'no', needsReauth: true });
        await tx.takeChannel('crm', 'a');
        await tx.saveCursor('crm', 'page 2', 'a');
        await tx.updateEndpointState('crm', { failures: 4 });
      });
      const state = await store.write([], (tx) => tx.endpointState('crm'));
      assert.deepEqual([state.failures, state.lastError, state.needsReauth], [4, 'no', true]);
      assert.equal(await store.read.cursor('crm'), 'page 2');
    });

    it('keeps the newest secret of each name, and forgets an endpoint with all that was known of it', async () => {
      const secretsOf = (id: string) =>
        Promise.all(['token', 'other'].map(async (name) => (await store.read.secret(id, name))?.toString()));
      await store.write([], async (tx) => {
        await tx.saveSecret('mail', 'token', Buffer.from('old'));
        await tx.saveSecret('mail', 'token', Buffer.from('new'));
        await tx.saveSecret('mail', 'other', Buffer.from('second'));
        await tx.saveSecret('bot', 'token', Buffer.from('of another'));
        await tx.takeChannel('mail', 'a');
        await tx.saveCursor('mail', '7', 'a');
        await tx.updateEndpointState('mail', { failures: 2 });
      });
      assert.deepEqual(await secretsOf('mail'), ['new', 'second']);
      await store.write([], (tx) => tx.deleteEndpoint('mail'));
      assert.deepEqual(
        [await secretsOf('mail'), await secretsOf('bot')],
        [
          [undefined, undefined],
          ['of another', undefined],
        ],
      );
      assert.equal(await store.read.cursor('mail'), undefined);
      assert.equal((await store.write([], (tx) => tx.endpointState('mail'))).failures, 0);
    });

    it('links a ticket of the far side with one of ours only', async () => {
      const save = (ticket: string, externalId: string, destination = 'desk') =>
        store.write([], (tx) =>
          tx.saveLink(destination, ticket, { externalId, url: `https://x.test/${externalId}` }, 1),
        );
      await save('tkt_1', '7');
      await save('tkt_1', '7');
      await assert.rejects(save('tkt_2', '7'), PermanentError);
      await save('tkt_2', '7', 'other-desk');
      await save('tkt_1', '8');
      await store.write([], async (tx) => {
        assert.equal(await tx.ticketOfLink('desk', '8'), 'tkt_1');
        assert.equal(await tx.ticketOfLink('desk', '7'), undefined);
        assert.equal((await tx.link('desk', 'tkt_1'))!.externalId, '8');
        assert.equal(await tx.link('desk', 'tkt_2'), undefined);
      });
    });

    it('remembers how far a vendor was asked for what he holds, and what was found so', async () => {
      const state = () => store.write([], (tx) => tx.endpointState('bot'));
      assert.deepEqual([(await state()).reconciledAt, (await state()).missed], [null, 0]);
      await store.write([], (tx) => tx.updateEndpointState('bot', { reconciledAt: 7, missed: 2 }));
      await store.write([], (tx) => tx.updateEndpointState('bot', { failures: 1 }));
      const read = (await store.read.endpointStates()).find(({ endpointId }) => endpointId === 'bot')!;
      for (const { reconciledAt, missed } of [await state(), read]) assert.deepEqual([reconciledAt, missed], [7, 2]);
    });

    it('takes a one-time token once, and only while it is valid', async () => {
      const take = (now: number) => store.write([], (tx) => tx.takeToken('hash', now));
      await store.write([], (tx) => tx.saveToken('hash', 100));
      assert.equal(await take(100), false);
      const taken = await Promise.all([take(99), take(99), take(99)]);
      assert.equal(taken.filter(Boolean).length, 1);
    });

    it('files a message of a channel once, and other channels have their own ids', async () => {
      const ticket = await make(async (rows) => rows.ticket(await rows.customer()));
      const file = (endpointId: string) => make((rows) => rows.message(ticket, { endpointId, externalId: 'm-1' }));
      await file('chat');
      await assert.rejects(file('chat'));
      await file('mail');
      assert.equal((await store.read.messages(ticket, { limit: 9 })).data.length, 2);
    });

    it('remembers the answer to a request under its key', async () => {
      const row = { key: 'k', request: 'r', status: 201, body: '{}', at: 5 };
      await store.write([], (tx) => tx.saveIdempotent(row));
      assert.deepEqual(await store.read.idempotent('k'), row);
      assert.equal(await store.read.idempotent('other'), undefined);
    });

    describe('retention', () => {
      const sweep = async (before: number, batch = 100) => {
        const times = {
          payloadsBefore: before,
          tasksBefore: before,
          idempotentBefore: before,
          earlyBefore: before,
          recordingsBefore: before,
        };
        const swept = await store.write(['retention'], (tx) => tx.sweepRetention({ ...times, batch }));
        return swept.rows;
      };

      it('lets the bytes go and keeps dedupe keys, events and the balance', async () => {
        const from = clock.now();
        const { payload, ticket } = await make(async (rows) => {
          const payload = await rows.payload();
          await rows.event(payload);
          const ticket = await rows.ticket(await rows.customer());
          await rows.message(ticket, { externalId: 'm-1', payloadId: payload });
          return { payload, ticket };
        });
        const to = clock.now() + HOUR;
        const balance = await store.read.balance(from, to);
        assert.equal(balance.balanced, true);
        assert.ok((await store.read.payload(payload))!.body);
        assert.equal(await sweep(to), 1);
        assert.equal((await store.read.payload(payload))!.body, undefined);
        assert.deepEqual(await store.read.balance(from, to), balance);
        assert.ok(await store.write([], (tx) => tx.findMessage('contact', 'm-1')));
        assert.equal((await store.read.messages(ticket, { limit: 5 })).data.length, 1);
        assert.equal(await sweep(to), 0);
      });

      it('deletes deliveries that are done with their log, and none that wait or were set aside', async () => {
        const ids = [await task(), await task(), await task(), await task()];
        await finish((await lease(ids[0]!))!);
        await finish((await lease(ids[1]!))!, DEAD);
        await finish((await lease(ids[2]!))!, { state: 'needs_check' });
        assert.equal(await sweep(clock.now()), 0, 'not yet');
        assert.equal(await sweep(clock.now() + 1), 1);
        const left = await Promise.all(ids.map(async (id) => (await store.read.delivery(id)) !== undefined));
        assert.deepEqual(left, [false, true, true, true]);
      });

      it('goes a batch at a time', async () => {
        await make(async (rows) => {
          for (let i = 0; i < 7; i++) await rows.payload();
        });
        const counts = [];
        for (let i = 0; i < 4; i++) counts.push(await sweep(clock.now() + 1, 3));
        assert.deepEqual(counts, [3, 3, 1, 0]);
      });
    });

    describeOutbox(open);
    describePeople(open);
    describeProcesses(open);
    describeRecent(open);
    describeSideBySide(open);
  });
}
