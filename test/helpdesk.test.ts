import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import type { Destination } from '../src/core/destination.ts';
import { PermanentError, RetryableError, UncertainError } from '../src/core/errors.ts';
import { createHelpDesk, type HelpDesk } from './fakes/helpdesk.ts';
import { message } from './fakes/filing.ts';
import { openOutgoing, type Outgoing } from './fakes/outgoing.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

describe('a help desk that keeps tickets of its own', () => {
  let out: Outgoing;
  let desk: HelpDesk;

  async function open(asks?: 'tells nothing', capabilities?: { idempotent: boolean }): Promise<void> {
    out = await openOutgoing([{ id: 'desk', carries: 'tickets' }], capabilities);
    desk = createHelpDesk(asks);
    out.addDestination('desk', desk.destination);
    out.addChannel('chat', { reply: async () => undefined });
  }
  afterEach(() => out.close());

  const write = async (text: string, from = 'telegram|1') => (await out.file(message(from, { text })))[0]!.ticketId!;
  const texts = () => desk.tickets.map((ticket) => ticket.texts);

  it('gets one ticket with the messages in order, and ours says where it is', async () => {
    await open();
    const id = await write('one');
    await write('two');
    await write('three');
    await out.pass(2 * SECOND);
    assert.deepEqual(texts(), [['one', 'two', 'three']]);
    assert.deepEqual(desk.calls, ['create', 'append', 'append']);
    assert.deepEqual((await out.store.read.ticket(id))!.links, [
      { destination: 'desk', externalId: 'D-1', url: 'https://desk.example.test/D-1' },
    ]);
    const log = (await out.store.read.delivery((await out.deliveries()).at(-1)!.id))!.log;
    assert.equal(log[0]!.request, 'created as D-1');
  });

  it('names another ticket where one goes on, which gets what comes next', async () => {
    await open();
    out.addDestination('desk', {
      ...desk.destination,
      addMessage: async (ref, delivery) => {
        if (ref.externalId !== 'D-1') return desk.destination.addMessage!(ref, delivery);
        desk.nextId = () => 'D-2';
        return desk.destination.createTicket!(delivery);
      },
    });
    const id = await write('one');
    await write('two');
    await write('three');
    await out.pass(2 * SECOND);
    assert.deepEqual(texts(), [['one'], ['two', 'three']]);
    const link = { destination: 'desk', externalId: 'D-2', url: 'https://desk.example.test/D-2' };
    assert.deepEqual((await out.store.read.ticket(id))!.links, [link]);
  });

  it('gets notes and answers of agents too, and is told of a new status', async () => {
    await open();
    const id = await write('one');
    await out.desk.note(id, { text: 'he is a regular' }, 'user:usr_1');
    await out.desk.reply(id, { text: 'it comes tomorrow' }, 'user:usr_1');
    await out.pass(3 * SECOND);
    await out.desk.updateTicket(id, { status: 'solved' }, 'user:usr_1');
    await out.pass(2 * SECOND);
    assert.deepEqual(texts(), [['one', '> he is a regular', '> it comes tomorrow']]);
    assert.equal(desk.tickets[0]!.status, 'solved');
  });

  it('is told each status that there was, in order, also when it hears of them late', async () => {
    await open();
    const id = await write('one');
    await out.pass(SECOND);
    const seen: unknown[] = [];
    const noting: Destination = {
      ...desk.destination,
      update: async (ref, what) => void seen.push(what.status, ref.externalId),
    };
    out.addDestination('desk', noting);
    for (const status of ['pending', 'solved', 'open'] as const) {
      await out.desk.updateTicket(id, { status }, 'user:usr_1');
    }
    await out.pass(2 * SECOND);
    assert.deepEqual(seen, ['pending', 'D-1', 'solved', 'D-1', 'open', 'D-1']);
  });

  it('is not taken back to an older status by a delivery that is sent again', async () => {
    await open();
    const id = await write('one');
    await out.pass(SECOND);
    desk.fail('before', new PermanentError('not now'));
    await out.desk.updateTicket(id, { status: 'solved' }, 'user:usr_1');
    await out.desk.updateTicket(id, { status: 'pending', priority: 'high' }, 'user:usr_1');
    await out.pass(2 * SECOND);
    desk.recover();
    await out.desk.updateTicket(id, { status: 'open' }, 'user:usr_1');
    await out.pass(2 * SECOND);
    const [prior, dead] = await out.deliveries({ state: 'dead' });
    await out.store.write([], (tx) => tx.replayTask(dead!.id, out.clock.now()));
    await out.pass(2 * SECOND);
    assert.deepEqual([desk.tickets[0]!.status, desk.tickets[0]!.priority], ['open', 'normal']);
    // What else it says is told nevertheless.
    await out.store.write([], (tx) => tx.replayTask(prior!.id, out.clock.now()));
    await out.pass(2 * SECOND);
    assert.deepEqual([desk.tickets[0]!.status, desk.tickets[0]!.priority], ['open', 'high']);
    assert.equal((await out.store.read.delivery(dead!.id))!.log.at(-1)!.request, 'a later status was told already');
  });

  it('keeps its own status when something else changes', async () => {
    await open();
    const id = await write('one');
    await out.pass(SECOND);
    desk.tickets[0]!.status = 'solved';
    await out.desk.updateTicket(id, { priority: 'high' }, 'user:usr_1');
    await out.pass(2 * SECOND);
    assert.ok(desk.calls.includes('update'));
    assert.deepEqual([desk.tickets[0]!.status, desk.tickets[0]!.priority], ['solved', 'high']);
  });

  it('keeps its own priority when something else changes, and is told one that changed along with it', async () => {
    await open();
    const id = await write('one');
    await out.pass(SECOND);
    desk.tickets[0]!.priority = 'urgent';
    await out.desk.updateTicket(id, { status: 'pending' }, 'user:usr_1');
    await out.pass(2 * SECOND);
    assert.deepEqual([desk.tickets[0]!.status, desk.tickets[0]!.priority], ['pending', 'urgent']);
    await out.desk.updateTicket(id, { status: 'open', priority: 'low' }, 'user:usr_1');
    await out.pass(2 * SECOND);
    assert.deepEqual([desk.tickets[0]!.status, desk.tickets[0]!.priority], ['open', 'low']);
  });

  describe('whose answer to a create was lost', () => {
    it('is asked for the ticket, which is not created again', async () => {
      await open();
      desk.fail('after');
      await write('one');
      await write('two');
      await out.pass(2 * SECOND);
      desk.recover();
      await out.pass(10 * SECOND);
      assert.deepEqual(desk.calls, ['create', 'find', 'append']);
      assert.deepEqual(texts(), [['one', 'two']]);
      assert.ok((await out.deliveries()).every(({ state }) => state === 'delivered'));
    });

    it('gets it created when it was not', async () => {
      await open();
      desk.fail('before');
      await write('one');
      await out.pass(2 * SECOND);
      desk.recover();
      await out.pass(10 * SECOND);
      assert.deepEqual(desk.calls, ['create', 'find', 'create']);
      assert.deepEqual(texts(), [['one']]);
    });

    it('is a matter for a person when it cannot be asked', async () => {
      await open('tells nothing');
      desk.fail('after');
      await write('one');
      await out.pass(2 * SECOND);
      desk.recover();
      await out.pass(MINUTE, 5 * SECOND);
      const [delivery] = await out.deliveries();
      assert.equal(delivery!.state, 'needs_check');
      assert.match(delivery!.error!, /nobody can say whether ticket #\d+ was created already/);
      assert.deepEqual(desk.calls, ['create']);
      const alarm = (await out.changes()).find(({ type }) => type === 'delivery.exhausted');
      assert.equal(alarm!.data['state'], 'needs_check');
    });

    for (const when of ['after', 'before'] as const) {
      it(`is asked again for the next message, where it ${when === 'after' ? 'was' : 'was not'} created and nobody could tell`, async () => {
        await open();
        const unable = () => Promise.reject(new UncertainError('there are too many'));
        out.addDestination('desk', { ...desk.destination, findTicket: unable });
        desk.fail(when);
        await write('one');
        await out.pass(2 * SECOND);
        desk.recover();
        await out.pass(10 * SECOND);
        assert.equal((await out.deliveries())[0]!.state, 'needs_check');
        await write('two');
        await out.pass(2 * SECOND);
        const [two, one] = await out.deliveries();
        assert.deepEqual([two!.state, one!.state], ['needs_check', 'needs_check'], 'as long as nobody can tell');
        out.addDestination('desk', desk.destination);
        await write('three');
        await out.pass(2 * SECOND);
        const [made] = await out.deliveries();
        assert.deepEqual([made!.state, texts()], ['delivered', [['one', 'two', 'three']]]);
        assert.equal(desk.calls.filter((call) => call === 'create').length, when === 'after' ? 1 : 2);
      });
    }

    it('is a matter for a person when it refuses to tell', async () => {
      await open();
      const hint = 'Give the user that right.';
      const refuse = () => Promise.reject(new PermanentError('it answered 403', { hint }));
      out.addDestination('desk', { ...desk.destination, findTicket: refuse });
      desk.fail('after');
      await write('one');
      await out.pass(2 * SECOND);
      desk.recover();
      await out.pass(10 * SECOND);
      const [delivery] = await out.deliveries();
      assert.equal(delivery!.state, 'needs_check');
      assert.match(delivery!.error!, /nobody can say whether ticket #\d+ was created already: it answered 403/);
      assert.equal((await out.store.read.delivery(delivery!.id))!.log.at(-1)!.hint, hint);
    });

    it('gets it created by who replays the first delivery, also where nobody can tell', async () => {
      await open();
      const unable = () => Promise.reject(new UncertainError('there are too many'));
      out.addDestination('desk', { ...desk.destination, findTicket: unable });
      desk.fail('before');
      await write('one');
      await out.pass(2 * SECOND);
      desk.recover();
      await out.pass(10 * SECOND);
      await write('two');
      await out.pass(2 * SECOND);
      for (const { id } of (await out.deliveries()).toReversed()) {
        await out.store.write([], (tx) => tx.replayTask(id, out.clock.now()));
        await out.pass(2 * SECOND);
      }
      assert.ok((await out.deliveries()).every(({ state }) => state === 'delivered'));
      assert.deepEqual(texts(), [['one', 'two']]);
    });

    it('simply gets it again when it knows our ids', async () => {
      await open('tells nothing', { idempotent: true });
      desk.fail('after');
      await write('one');
      await out.pass(2 * SECOND);
      desk.recover();
      await out.pass(10 * SECOND);
      assert.deepEqual(desk.calls, ['create', 'create']);
    });
  });

  it('is asked first too when the process ended in the middle of a create', async () => {
    await open();
    await write('one');
    const [waiting] = await out.deliveries();
    await out.store.write([], (tx) => tx.lease(waiting!.id, 'gone', out.clock.now(), out.clock.now()));
    await out.pass(2 * SECOND);
    assert.deepEqual(desk.calls, ['find', 'create']);
  });

  it('is asked first too when it created a ticket that could not be noted here', async () => {
    await open();
    let failures = 0;
    const { write: really } = out.store;
    out.on = {
      ...out.store,
      write: (locks, work) =>
        locks[0]?.startsWith('link') && failures++ === 0
          ? Promise.reject(new RetryableError('the disk is full'))
          : really(locks, work),
    };
    await write('one');
    await out.pass(10 * SECOND);
    assert.equal(failures, 2);
    assert.deepEqual(desk.calls, ['create', 'find']);
    assert.deepEqual(texts(), [['one']]);
  });

  it('whose answer to an append was lost is asked for the message, which is not added again', async () => {
    await open();
    await write('one');
    await out.pass(2 * SECOND);
    desk.fail('after');
    await write('two');
    await out.pass(2 * SECOND);
    desk.recover();
    await out.pass(10 * SECOND);
    assert.deepEqual(desk.calls, ['create', 'append', 'has']);
    assert.deepEqual(texts(), [['one', 'two']]);
  });

  it('that lost an append gets it again', async () => {
    await open();
    await write('one');
    await out.pass(2 * SECOND);
    desk.fail('before');
    await write('two');
    await out.pass(2 * SECOND);
    desk.recover();
    await out.pass(10 * SECOND);
    assert.deepEqual(desk.calls, ['create', 'append', 'has', 'append']);
    assert.deepEqual(texts(), [['one', 'two']]);
  });

  it('gets along rather twice than not at all what nobody can tell of', async () => {
    await open();
    await write('one');
    await out.pass(2 * SECOND);
    const unable = () => Promise.reject(new UncertainError('there are too many'));
    out.addDestination('desk', { ...desk.destination, hasMessage: unable });
    desk.fail('after');
    await write('two');
    await out.pass(2 * SECOND);
    desk.recover();
    await out.pass(10 * SECOND);
    await write('three');
    await out.pass(2 * SECOND);
    assert.deepEqual(texts(), [['one', 'two', 'two', 'three']]);
  });

  it('gets nothing along with the next message that is there although nobody could tell', async () => {
    await open();
    await write('one');
    await out.pass(2 * SECOND);
    const unable = () => Promise.reject(new UncertainError('there are too many'));
    out.addDestination('desk', { ...desk.destination, hasMessage: unable });
    desk.fail('after');
    await write('two');
    await out.pass(2 * SECOND);
    desk.recover();
    await out.pass(10 * SECOND);
    assert.equal((await out.deliveries())[0]!.state, 'needs_check');
    out.addDestination('desk', desk.destination);
    await write('three');
    await out.pass(2 * SECOND);
    assert.deepEqual(texts(), [['one', 'two', 'three']]);
  });

  it('whose answer to an append was lost is a matter for a person when it cannot be asked, and loses nothing', async () => {
    await open('tells nothing');
    await write('one');
    await out.pass(2 * SECOND);
    desk.fail('before');
    await write('two');
    await out.pass(2 * SECOND);
    desk.recover();
    await out.pass(10 * SECOND);
    const [unknown] = await out.deliveries();
    assert.equal(unknown!.state, 'needs_check');
    assert.match(unknown!.error!, /nobody can say whether this message is in D-1 already/);
    await write('three');
    await out.pass(2 * SECOND);
    assert.deepEqual(texts(), [['one', 'two', 'three']], 'the next one carries it along as transcript');
    assert.deepEqual(desk.calls, ['create', 'append', 'append']);
  });

  it('gets what it refused as a transcript with the next message', async () => {
    await open();
    desk.fail('before', new PermanentError('422: too long'));
    await write('one');
    await out.pass(2 * SECOND);
    await write('two');
    await out.pass(2 * SECOND);
    desk.recover();
    await write('three');
    await out.pass(2 * SECOND);
    assert.deepEqual(texts(), [['one', 'two', 'three']]);
    assert.deepEqual(
      (await out.deliveries()).map(({ state }) => state),
      ['delivered', 'dead', 'dead'],
    );
  });

  it('gets no note and no answer that failed along with what a customer may read', async () => {
    await open();
    out.addChannel('chat', { reply: () => Promise.reject(new PermanentError('he blocked us')) });
    desk.fail('before', new PermanentError('422: too long'));
    const id = await write('one');
    await out.pass(2 * SECOND);
    await out.desk.note(id, { text: 'he is rude' }, 'usr_1');
    await out.desk.reply(id, { text: 'it is on its way' }, 'usr_1');
    await out.pass(10 * SECOND);
    const { data } = await out.store.read.messages(id, { limit: 10 });
    assert.deepEqual(
      data.map(({ text, delivery }) => [text, delivery?.state]),
      [
        ['one', undefined],
        ['he is rude', undefined],
        ['it is on its way', 'failed'],
      ],
    );
    desk.recover();
    await write('two');
    await out.pass(2 * SECOND);
    assert.deepEqual(texts(), [['one', 'two']]);
    const dead = await out.deliveries({ state: 'dead', destination: 'desk' });
    assert.equal(dead.length, 3, 'they are there to be sent again');
  });

  it('that gives one id to two tickets is not believed, and an alarm says so', async () => {
    await open();
    desk.nextId = () => 'D-7';
    const first = await write('one', 'telegram|1');
    await out.pass(2 * SECOND);
    const second = await write('two', 'telegram|2');
    await out.pass(2 * SECOND);
    const [dead] = await out.deliveries({ state: 'dead' });
    assert.equal(dead!.ticketId, second);
    assert.match(dead!.error!, /D-7, which is already another ticket's/);
    assert.equal((await out.store.read.ticket(first))!.links.length, 1);
    assert.equal((await out.store.read.ticket(second))!.links.length, 0);
    const alarm = (await out.changes()).find(({ type }) => type === 'delivery.exhausted');
    assert.equal(alarm!.data['delivery'], dead!.id);
  });

  it('that is closed keeps its deliveries waiting, says why, and gets them when it is open again', async () => {
    await open();
    out.addDestination('desk', undefined, { problem: 'the certificate has expired' });
    await write('one');
    await out.pass(5 * MINUTE, 20 * SECOND);
    const [parked] = await out.deliveries();
    assert.deepEqual([parked!.state, parked!.attempts], ['waiting', 0]);
    assert.match(parked!.error!, /desk is closed: the certificate has expired/);
    out.addDestination('desk', desk.destination);
    await out.pass(2 * MINUTE, 20 * SECOND);
    assert.deepEqual(texts(), [['one']]);
  });

  it('that was removed has its deliveries set aside, and gets them when it is defined again and they are replayed', async () => {
    await open();
    out.endpoints.delete('desk');
    await write('one');
    await out.pass(2 * SECOND);
    const [dead] = await out.deliveries();
    assert.equal(dead!.state, 'dead');
    assert.match(dead!.error!, /desk was removed/);
    const { log } = (await out.store.read.delivery(dead!.id))!;
    assert.match(log[0]!.hint!, /same id, then replay/);
    out.addDestination('desk', desk.destination);
    await out.store.write([], (tx) => tx.replayTask(dead!.id, out.clock.now()));
    await out.pass(2 * SECOND);
    assert.deepEqual(texts(), [['one']]);
  });

  it('that can only create, or only append, says so', async () => {
    await open();
    const { createTicket, addMessage } = desk.destination;
    out.addDestination('desk', { addMessage });
    await write('one');
    await out.pass(2 * SECOND);
    assert.match((await out.error('desk'))!, /can't create tickets/);
    out.addDestination('desk', { createTicket });
    await write('two');
    await out.pass(SECOND);
    await write('three');
    await out.pass(2 * SECOND);
    assert.match((await out.error('desk'))!, /can't append to tickets/);
    assert.deepEqual(texts(), [['one', 'two']]);
  });

  describe('with a message that has a file', () => {
    const file = { id: 'f-1', name: 'order.txt', mediaType: 'text/plain' };

    it('waits until the file is there', async () => {
      await open();
      let arrive: () => void = () => undefined;
      const arrived = new Promise<void>((resolve) => (arrive = resolve));
      out.addChannel('chat', { download: async () => arrived.then(() => Readable.from([Buffer.from('the bytes')])) });
      await out.file(message('telegram|1', { text: 'see file', attachments: [file] }));
      await out.pass(10 * SECOND);
      assert.deepEqual(desk.calls, []);
      arrive();
      await out.until(() => desk.tickets[0]?.files.length === 1);
      assert.deepEqual(desk.tickets[0]!.files, ['order.txt: stored the bytes']);
    });

    it('goes without it after twenty seconds', async () => {
      await open();
      out.addChannel('chat', { download: () => new Promise(() => undefined) });
      await out.file(message('telegram|1', { text: 'see file', attachments: [file] }));
      await out.pass(19 * SECOND);
      assert.deepEqual(desk.calls, []);
      await out.pass(4 * SECOND);
      assert.deepEqual(desk.tickets[0]!.files, ['order.txt: waiting']);
    });

    it('goes without it at once when it can’t be had', async () => {
      await open();
      out.addChannel('chat', {
        download: async () => {
          throw new PermanentError('404: gone');
        },
      });
      await out.file(message('telegram|1', { text: 'see file', attachments: [file] }));
      await out.pass(3 * SECOND);
      assert.deepEqual(desk.tickets[0]!.files, ['order.txt: failed']);
    });
  });
});
