import assert from 'node:assert/strict';
import { PermanentError, RetryableError } from '../src/core/errors.ts';
import type { Message } from '../src/core/ticket.ts';
import { createIds } from '../src/core/id.ts';
import { createAnnouncer } from '../src/normalizer/announce.ts';
import { follow } from '../src/normalizer/follow.ts';
import { message } from './fakes/filing.ts';
import { createHelpDesk, type HelpDesk } from './fakes/helpdesk.ts';
import { openOutgoing, type Outgoing } from './fakes/outgoing.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const FROM = 'telegram|1';

describe('what becomes of a message that a help desk has already', () => {
  let out: Outgoing;
  let desk: HelpDesk;
  let told: Message[];
  beforeEach(async () => {
    out = await openOutgoing([{ id: 'desk', carries: 'tickets' }]);
    [desk, told] = [createHelpDesk(), []];
    const { addMessage } = desk.destination;
    out.addDestination('desk', {
      ...desk.destination,
      addMessage: (ref, delivery) => {
        told.push(delivery.message);
        return addMessage!(ref, delivery);
      },
    });
    out.addChannel('chat', { reply: async () => undefined });
  });
  afterEach(() => out.close());

  const write = (externalId: string, text: string, revision = 0) =>
    out.file(message(FROM, { externalId, text, revision }));
  const takeBack = (externalId: string) =>
    out.file({ kind: 'deletion', externalId, occurredAt: out.clock.now() } as never);
  const texts = () => desk.tickets.map((ticket) => ticket.texts);
  const logs = async () => {
    const all = await Promise.all((await out.deliveries()).map(({ id }) => out.store.read.delivery(id)));
    return all.map((each) => each?.log[0]?.request);
  };

  it('goes there after it: an edit with its new words, then that it was taken back', async () => {
    const [first] = await write('m1', 'two pieces');
    await out.pass(2 * SECOND);
    await write('m1', 'three pieces', 1);
    await out.pass(2 * SECOND);
    await takeBack('m1');
    await out.pass(2 * SECOND);
    assert.deepEqual(texts(), [['two pieces', 'three pieces', 'three pieces']]);
    const { id } = (await out.store.read.messages(first!.ticketId!, { limit: 1 })).data[0]!;
    const said = told.map((each) => [each.id, each.revision, each.deletedAt !== null, each.attachments.length]);
    assert.deepEqual(said, [
      [said[0]![0], 1, false, 0],
      [said[1]![0], 1, true, 0],
    ]);
    // Each is found by an id of its own after a lost answer.
    assert.equal(new Set([id, ...said.map(([each]) => each)]).size, 3);
  });

  it('goes to where its ticket is now, after that was merged into another one', async () => {
    const [first] = await write('m1', 'two pieces');
    const [other] = await out.file(message('telegram|2', { externalId: 'm2', text: 'hello' }));
    await out.pass(2 * SECOND);
    await out.desk.mergeTickets(first!.ticketId!, other!.ticketId!, 'usr_1');
    await out.pass(2 * SECOND);
    await write('m1', 'three pieces', 1);
    await out.pass(2 * SECOND);
    assert.deepEqual(texts(), [['two pieces'], ['hello', 'three pieces']]);
  });

  it('goes once: what has yet to be delivered says it already', async () => {
    await write('m1', 'two pieces');
    await write('m1', 'three pieces', 1);
    await out.pass(2 * SECOND);
    assert.deepEqual(texts(), [['three pieces']]);
    assert.equal((await out.deliveries()).length, 1);
  });

  it('goes as it is at last, once, however many edits wait for the help desk', async () => {
    await write('m1', 'one');
    await out.pass(2 * SECOND);
    desk.fail('before');
    for (const [revision, text] of [...['two', 'three', 'four'].entries()]) await write('m1', text, revision + 1);
    await out.pass(2 * SECOND);
    desk.recover();
    await out.pass(MINUTE);
    assert.deepEqual(texts(), [['one', 'four']]);
    assert.equal((await logs()).filter((each) => each?.startsWith('goes with its message')).length, 2);
  });

  it('is not said after it was taken back', async () => {
    await write('m1', 'one');
    await out.pass(2 * SECOND);
    desk.fail('before');
    await write('m1', 'two', 1);
    await takeBack('m1');
    desk.recover();
    await out.pass(MINUTE);
    assert.deepEqual(
      told.filter(({ deletedAt }) => deletedAt === null),
      [],
    );
    assert.notEqual(told.at(-1)!.deletedAt, null);
  });

  it('keeps its place in the line of the ticket', async () => {
    await write('m1', 'one');
    await out.pass(2 * SECOND);
    await write('m1', 'one, really', 1);
    await write('m2', 'two');
    await out.pass(2 * SECOND);
    assert.deepEqual(texts(), [['one', 'one, really', 'two']]);
  });

  it('is not said of a message that never came there: the next one shows it as it is', async () => {
    await write('m1', 'one');
    await out.pass(2 * SECOND);
    let edit: Promise<unknown> = Promise.resolve();
    // It is edited while a try is under way that ends for good.
    desk.during = async () => {
      desk.during = async () => undefined;
      edit = write('m2', 'two, really', 1);
      await edit;
      throw new PermanentError('not like this');
    };
    await write('m2', 'two');
    await out.pass(2 * SECOND);
    await edit;
    await write('m3', 'three');
    await out.pass(2 * SECOND);
    assert.deepEqual(texts(), [['one', 'two, really', 'three']]);
  });

  it('is asked for after a lost answer, and not said twice', async () => {
    await write('m1', 'one');
    await out.pass(2 * SECOND);
    desk.fail('after', new RetryableError('cut', { outcomeUnknown: true }));
    await write('m1', 'two', 1);
    await out.pass(2 * SECOND);
    desk.recover();
    await out.pass(MINUTE);
    assert.deepEqual(texts(), [['one', 'two']]);
    assert.ok(desk.calls.includes('has'));
  });

  it('is no second delivery of the message for what asks how that stands', async () => {
    const [first] = await write('m1', 'one');
    await out.pass(2 * SECOND);
    await write('m1', 'two', 1);
    await out.pass(2 * SECOND);
    const { id } = (await out.store.read.messages(first!.ticketId!, { limit: 1 })).data[0]!;
    const deliveries = await out.store.write([], (tx) => tx.deliveriesOf(id));
    assert.deepEqual(
      deliveries.map(({ state }) => state),
      ['delivered'],
    );
  });

  it('is nothing new for a help desk when only the time of a repeated message differs', async () => {
    await write('m1', 'one');
    await out.pass(2 * SECOND);
    await write('m1', 'one', 1);
    await out.pass(2 * SECOND);
    assert.deepEqual(texts(), [['one']]);
  });

  it('is the album, once somebody writes words to it', async () => {
    const part = (name: string, text = '') =>
      ({ ...message(FROM, { externalId: name, text }), group: { key: 'album', waitMs: 2000 } }) as never;
    await out.file(part('a1'));
    await out.pass(4 * SECOND);
    await out.file(part('a2'));
    await out.pass(2 * SECOND);
    assert.deepEqual(texts(), [['']]);
    await out.file(part('a3', 'Broken!'));
    await out.pass(2 * SECOND);
    assert.deepEqual(texts(), [['', 'Broken!']]);
  });

  it('is what was said in a call, once that is written down, and nothing else of a call that is over', async () => {
    const inbound = { direction: 'inbound', from: '+380671234567', to: '+380441112233' };
    const call = (revision: number, rest: object) =>
      out.file({
        kind: 'call',
        externalId: 'c1',
        revision,
        occurredAt: out.clock.now(),
        text: '',
        sender: { identifiers: [{ kind: 'phone', value: '+380671234567', trust: 'observed' }] },
        call: { ...inbound, outcome: 'missed', ...rest },
      } as never);
    await call(1, {});
    await out.pass(2 * SECOND);
    await call(2, { waitedSec: 12 });
    await out.pass(2 * SECOND);
    assert.equal(told.length, 0);
    await call(3, { transcript: 'please call me back' });
    await call(4, { waitedSec: 13, transcript: 'please call me back' });
    await out.pass(2 * SECOND);
    assert.deepEqual(
      told.map(({ call: said }) => said?.transcript),
      ['please call me back'],
    );
  });

  it('is not taken for delivered because the same words came again under a higher number', async () => {
    await write('m1', 'one');
    await out.pass(2 * SECOND);
    desk.fail('before');
    await write('m1', 'two', 1);
    await write('m1', 'two', 2);
    await out.pass(2 * SECOND);
    desk.recover();
    await out.pass(MINUTE);
    assert.deepEqual(texts(), [['one', 'two']]);
  });

  it('keeps what it is found by while a try of unknown outcome is under way', async () => {
    await write('m0', 'zero');
    await out.pass(2 * SECOND);
    const asked: number[] = [];
    const { hasMessage } = desk.destination;
    out.addDestination('desk', {
      ...desk.destination,
      hasMessage: (ref, one) => {
        asked.push(one.revision);
        return hasMessage!(ref, one);
      },
    });
    desk.fail('after');
    await write('m1', 'one');
    await out.pass(SECOND);
    await write('m1', 'one', 5);
    desk.recover();
    await out.pass(MINUTE);
    assert.deepEqual([texts(), asked], [[['zero', 'one']], [0]]);
  });

  it('follows a ticket whose create lost its answer too', async () => {
    desk.fail('after');
    await write('m1', 'one');
    await out.pass(SECOND);
    await write('m1', 'two', 1);
    desk.recover();
    await out.pass(MINUTE);
    assert.deepEqual(texts(), [['one', 'two']]);
  });

  it('goes once to a help desk that was told of the message twice', async () => {
    const ticketId = (await write('m1', 'one'))[0]!.ticketId!;
    const { messageId } = await out.desk.reply(ticketId, { text: 'an answer' }, 'user:usr_1');
    await out.pass(3 * SECOND);
    const [createdAt, about] = [out.clock.now(), { endpointId: 'desk', ticketId, messageId }];
    await out.store.write([], async (tx) => {
      const failed = { id: 'tsk_again', kind: 'deliver', type: 'message.failed', changeSeq: null, attachmentId: null };
      await tx.insertTask({ ...failed, ...about, kind: 'deliver', createdAt }, createdAt);
    });
    await out.pass(2 * SECOND);
    const before = told.length;
    await out.store.write([], async (tx) => {
      const announcer = createAnnouncer(tx, { newId: createIds(out.clock), clock: out.clock, targetsOf: () => [] });
      const changeSeq = await announcer.change({ type: 'message.updated', version: 1, ticketId, messageId });
      await follow(tx, announcer, { id: messageId, ticketId }, { changeSeq });
    });
    await out.pass(3 * SECOND);
    assert.equal(told.length, before + 1);
  });
});
