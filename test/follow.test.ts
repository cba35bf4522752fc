import assert from 'node:assert/strict';
import { PermanentError, RetryableError } from '../src/core/errors.ts';
import type { Message } from '../src/core/ticket.ts';
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
      [`${id}-1`, 1, false, 0],
      [`${id}-deleted`, 1, true, 0],
    ]);
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
    assert.equal(told.at(-1)!.id.endsWith('-deleted'), true);
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
    const deliveries = await out.store.write([], (tx) => tx.deliveriesOf(first!.ticketId!, id));
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
});
