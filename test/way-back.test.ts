import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import type { ActionInput } from '../src/core/action.ts';
import type { Reply } from '../src/core/connector.ts';
import { PermanentError } from '../src/core/errors.ts';
import type { Message } from '../src/core/ticket.ts';
import { message } from './fakes/filing.ts';
import { createHelpDesk, type HelpDesk } from './fakes/helpdesk.ts';
import { openOutgoing, type Outgoing } from './fakes/outgoing.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** Two help desks that agents work in, and a chat that the customer writes through. */
describe('what agents do in a help desk', () => {
  let out: Outgoing;
  let one: HelpDesk;
  let two: HelpDesk;
  let answers: { text: string; thread: string | undefined; files: string[] }[];
  let ticketId: string;
  let refuse: Error | undefined;
  /** The channel whose window has closed. */
  let closed: string | undefined;

  beforeEach(async () => {
    [one, two, answers, refuse, closed] = [createHelpDesk(), createHelpDesk(), [], undefined, undefined];
    const targets = ['one', 'two'].map((id) => ({ id, carries: 'tickets' as const }));
    out = await openOutgoing(targets, {}, { reply, canReply: ({ answers: last }) => canReply(last) });
    for (const [id, desk] of [['one', one] as const, ['two', two] as const]) {
      out.addDestination(id, {
        ...desk.destination,
        normalize: ({ body }) => JSON.parse(body.toString()) as ActionInput[],
        download: async ({ id: file }) => {
          if (file === 'gone') throw new PermanentError('there is no such file');
          return Readable.from([`bytes of ${file}`]);
        },
      });
    }
    out.addChannel('chat', { reply });
    ticketId = (await out.file(message('telegram|1', { text: 'hello', thread: { externalId: 'c1' } })))[0]!.ticketId!;
    await out.pass(2 * SECOND);
  });
  afterEach(() => out.close());

  const canReply = (last: Message | undefined) =>
    last?.channel?.id === closed ? { allowed: false, reason: 'the window has closed' } : { allowed: true };

  async function reply({ message: answer, thread, open, partSent }: Reply) {
    if (refuse) throw refuse;
    const files = [];
    for (const { id } of answer.attachments) for await (const part of await open(id)) files.push(String(part));
    answers.push({ text: answer.text, thread, files });
    await partSent(`sent-${answers.length}`);
  }

  const receive = (actions: readonly (ActionInput | object)[], id = 'one') => out.file(actions as never, id);
  const outcomes = async (...given: Parameters<typeof receive>) =>
    (await receive(...given)).map(({ outcome }) => outcome);
  const ticket = async () => (await out.store.read.ticket(ticketId))!;
  const messages = async () => (await out.store.read.messages(ticketId, { limit: 50 })).data;
  const events = async () => (await out.store.read.events({ endpoint: 'one' }, { limit: 50 })).data;
  const said = (kind: 'reply' | 'note', id: string, rest: object = {}) => ({
    kind,
    id,
    ticket: 'D-1',
    at: out.clock.now(),
    agent: 'Ivan',
    text: `${kind} ${id}`,
    ...rest,
  });
  const status = (id: string, to: string, at: number, ticket = 'D-1') => ({
    kind: 'status',
    id,
    ticket,
    at,
    agent: 'Ivan',
    status: to,
  });

  it('reaches the customer through his channel, and every help desk but the one where it was said', async () => {
    assert.deepEqual(await outcomes([said('reply', 'a1')]), ['appended']);
    await out.pass(3 * SECOND);
    assert.deepEqual(answers, [{ text: 'reply a1', thread: 'c1', files: [] }]);
    assert.deepEqual(one.tickets[0]!.texts, ['hello']);
    assert.deepEqual(two.tickets[0]!.texts, ['hello', '> reply a1']);
    const [, answer] = await messages();
    assert.equal(answer!.author.name, 'Ivan');
    assert.equal(answer!.delivery!.state, 'sent');
    assert.equal((await ticket()).status, 'open');
    assert.equal(two.tickets[0]!.status, 'open');
    assert.equal(one.tickets[0]!.status, 'new');
  });

  it('is done once, however often it comes', async () => {
    assert.deepEqual(await outcomes([said('reply', 'a1'), said('reply', 'a1')]), ['appended', 'duplicate']);
    const all = await Promise.all([1, 2, 3].map(() => outcomes([said('reply', 'a1')])));
    assert.deepEqual(all.flat(), ['duplicate', 'duplicate', 'duplicate']);
    await out.pass(3 * SECOND);
    assert.equal(answers.length, 1);
    // The other help desk has ids of its own.
    assert.deepEqual(await outcomes([said('reply', 'a1')], 'two'), ['appended']);
    await out.pass(3 * SECOND);
    assert.equal(answers.length, 2);
  });

  it('stays inside as a note, which other help desks get', async () => {
    await receive([said('note', 'n1')]);
    await out.pass(3 * SECOND);
    assert.deepEqual(answers, []);
    assert.equal((await messages())[1]!.kind, 'note');
    assert.deepEqual([one.tickets[0]!.texts.length, two.tickets[0]!.texts], [1, ['hello', '> note n1']]);
    assert.equal((await ticket()).status, 'new');
  });

  it('waits for the files that go with an answer', async () => {
    const file = { id: 'f1', name: 'a.txt', mediaType: 'text/plain' };
    await receive([said('reply', 'a1', { attachments: [file] })]);
    await out.until(() => answers.length > 0);
    assert.deepEqual(answers, [{ text: 'reply a1', thread: 'c1', files: ['bytes of f1'] }]);
    assert.ok(out.clock.now() < Date.parse((await messages())[1]!.receivedAt) + MINUTE);
  });

  it('fails whole where a file can not be had, and says so in the help desk', async () => {
    const file = { id: 'gone', name: 'a.txt', mediaType: 'text/plain' };
    await receive([said('reply', 'a1', { attachments: [file] })]);
    await out.until(() => one.tickets[0]!.texts.length > 1);
    assert.deepEqual(answers, []);
    const { delivery } = (await messages())[1]!;
    assert.equal(delivery!.state, 'failed');
    assert.match(delivery!.error!, /a\.txt is not stored/);
    assert.deepEqual(one.tickets[0]!.texts, ['hello', '> reply a1']);
  });

  it('comes back to the agent when it can not reach the customer', async () => {
    refuse = new PermanentError('he has blocked us');
    await receive([said('reply', 'a1')]);
    await out.pass(3 * SECOND);
    assert.deepEqual((await messages())[1]!.delivery, { state: 'failed', error: 'he has blocked us' });
    assert.deepEqual(one.tickets[0]!.texts, ['hello', '> reply a1']);
    assert.deepEqual(two.tickets[0]!.texts, ['hello', '> reply a1']);
  });

  it('comes back at once when no channel takes it now', async () => {
    closed = 'chat';
    assert.deepEqual(await outcomes([said('reply', 'a1')]), ['appended']);
    assert.deepEqual((await messages())[1]!.delivery, { state: 'failed', error: 'the window has closed' });
    await out.pass(3 * SECOND);
    assert.deepEqual(one.tickets[0]!.texts, ['hello', '> reply a1']);
    assert.deepEqual(answers, []);
  });

  it('takes the channel that can answer now', async () => {
    await out.file(message('telegram|1'), 'mail');
    closed = 'mail';
    await receive([said('reply', 'a1')]);
    assert.equal((await messages()).at(-1)!.channel!.id, 'chat');
  });

  it('changes the status here and in the other help desk, and is not told again where it was changed', async () => {
    const at = out.clock.now();
    assert.deepEqual(await outcomes([status('s1', 'solved', at)]), ['revised']);
    await out.pass(2 * SECOND);
    assert.equal((await ticket()).status, 'solved');
    assert.equal(two.tickets[0]!.status, 'solved');
    assert.ok(!one.calls.includes('update'));
    const { data } = (await out.changes()).at(-1)!;
    assert.deepEqual([data['from'], data['to']], ['new', 'solved']);
  });

  it('lets the last writer win, by the vendors’ time and in whatever order they come', async () => {
    const at = out.clock.now();
    await out.pass(10 * SECOND);
    const changes = [
      ['one', status('s1', 'open', at + 1000)],
      ['two', status('s2', 'solved', at + 3000)],
      ['one', status('s3', 'pending', at + 2000)],
    ] as const;
    const seen = [];
    for (const [id, change] of changes) seen.push(...(await receive([change], id)));
    assert.deepEqual(
      seen.map(({ outcome }) => outcome),
      ['revised', 'revised', 'ignored'],
    );
    assert.equal((await ticket()).status, 'solved');
    assert.match((await events())[0]!.reason!, /pending is older than solved/);
    await out.pass(2 * SECOND);
    // What `two` was told of `one` crossed what was done there: it is told what holds.
    assert.deepEqual([one.tickets[0]!.status, two.tickets[0]!.status], ['solved', 'solved']);
  });

  it('takes the status that an agent set with his answer, or after it, however late both are told', async () => {
    const at = out.clock.now();
    await out.pass(10 * SECOND);
    assert.deepEqual(await outcomes([said('reply', 'a1', { at })]), ['appended']);
    assert.equal((await ticket()).status, 'open');
    assert.deepEqual(await outcomes([status('s1', 'pending', at)]), ['revised']);
    assert.deepEqual(await outcomes([status('s2', 'solved', at + 1000)]), ['revised']);
  });

  it('does not undo what somebody did here since, nor wins because its clock is ahead', async () => {
    const at = out.clock.now();
    await out.pass(5 * SECOND);
    await out.desk.updateTicket(ticketId, { status: 'pending' }, 'user:usr_1');
    await out.pass(SECOND);
    one.tickets[0]!.status = 'solved';
    assert.deepEqual(await outcomes([status('s1', 'solved', at)]), ['ignored']);
    await out.pass(SECOND);
    assert.equal(one.tickets[0]!.status, 'pending');
    assert.deepEqual(await outcomes([status('s2', 'solved', out.clock.now() + 60 * MINUTE)]), ['revised']);
    await out.pass(SECOND);
    assert.deepEqual(await outcomes([status('s3', 'open', out.clock.now())], 'two'), ['revised']);
  });

  it('is ignored by name where it changes nothing, or is about a ticket that is not ours', async () => {
    await receive([status('s1', 'new', out.clock.now()), status('s2', 'solved', 1, 'D-77')]);
    const reasons = (await events()).map(({ reason, outcome }) => `${outcome}: ${reason}`);
    assert.deepEqual(reasons.sort(), [
      'ignored: no ticket of ours is D-77 there',
      'ignored: the ticket is new already',
    ]);
  });

  it('follows a ticket that was merged into another one', async () => {
    const other = (await out.file(message('viber|2', { thread: { externalId: 'c2' } })))[0]!.ticketId!;
    await out.pass(2 * SECOND);
    await out.desk.mergeTickets(ticketId, other, 'user:usr_1');
    await receive([said('reply', 'a1')]);
    const { data } = await out.store.read.messages(other, { limit: 50 });
    assert.equal(data.at(-1)!.text, 'reply a1');
  });

  it('is cleaned as everything that comes from outside', async () => {
    await receive([said('note', 'n1', { text: 'a\u202eb\r\nc', agent: 'I\nvan' })]);
    const note = (await messages())[1]!;
    assert.deepEqual([note.text, note.author.name], ['ab\nc', 'I van']);
  });

  it('stands in the ledger, one outcome each, also what can not be read', async () => {
    const bad = { kind: 'reply', id: 'a2', ticket: 'D-1', at: 1, agent: 'Ivan' };
    assert.deepEqual(await outcomes([said('reply', 'a1'), bad, { kind: 'wake' }]), [
      'appended',
      'quarantined',
      'ignored',
    ]);
    const broken = (await events()).find(({ outcome }) => outcome === 'quarantined');
    assert.match(broken!.reason!, /^\/1: text: /);
    assert.ok((await out.store.read.balance(0, out.clock.now() + 1)).balanced);
  });

  it('is sent again by its help desk while that is closed here', async () => {
    out.addDestination('one', undefined, { problem: 'wrong token' });
    await assert.rejects(receive([said('reply', 'a1')]), /one is not open, or takes nothing in/);
    out.addDestination('one', { ...one.destination });
    await assert.rejects(receive([said('reply', 'a1')]), /takes nothing in/);
    assert.equal((await events()).length, 0);
  });
});
