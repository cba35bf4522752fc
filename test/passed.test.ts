import assert from 'node:assert/strict';
import { ticketProof } from '../src/normalizer/thread.ts';
import { message, openFiling, PROOF_KEY, type Filing } from './fakes/filing.ts';

const DAY = 24 * 3_600_000;
const OLENA = 'email|olena@example.com';

describe('a quiet message', () => {
  let filing: Filing;
  beforeEach(async () => {
    filing = await openFiling({ threads: 'topic' });
  });
  afterEach(() => filing.close());

  const away = (more: object = {}, from = OLENA) =>
    message(from, { text: 'I am away', automatic: 'auto_reply', quiet: true, ...more });
  const first = async () =>
    (await filing.file(message(OLENA, { externalId: 'first', thread: { externalId: 'a' } })))[0]!;
  const messagesOf = async (id: string | undefined) => (await filing.store.read.messages(id!, { limit: 50 })).data;

  it('without a ticket is passed over by name, and makes nobody a customer', async () => {
    const [filed] = await filing.file(away({ thread: { externalId: 'b' } }));
    assert.equal(filed!.outcome, 'ignored');
    assert.equal(filed!.ticketId, undefined);
    const [person] = await filing.file(message(OLENA, { thread: { externalId: 'c' } }));
    assert.equal(person!.ticketNumber, 1001, 'no number was spent on it');
    const [event] = (await filing.store.read.events({ outcome: 'ignored' }, { limit: 1 })).data;
    assert.match(event!.reason!, /^auto_reply: it opens no ticket \(nothing it belongs to\)/);
  });

  it('goes into the ticket that it names with our proof, or whose participant it is from', async () => {
    const { ticketId, ticketNumber } = await first();
    const proof = ticketProof(PROOF_KEY, ticketNumber!);
    for (const [from, thread] of [
      [OLENA, { references: ['first'] }],
      ['email|absent@example.com', { ticket: { number: ticketNumber!, proof } }],
    ] as const) {
      const [filed] = await filing.file(away({ thread }, from));
      assert.deepEqual([filed!.outcome, filed!.ticketId], ['appended', ticketId]);
    }
  });

  it('from a stranger gets into nobody’s ticket', async () => {
    const { ticketId } = await first();
    const [filed] = await filing.file(away({ thread: { references: ['first'] } }, 'email|eve@example.test'));
    assert.equal(filed!.outcome, 'ignored');
    assert.equal((await messagesOf(ticketId)).length, 1);
  });

  it('wakes no ticket that is solved or waits', async () => {
    const { ticketId } = await first();
    for (const status of ['pending', 'solved'] as const) {
      await filing.desk.updateTicket(ticketId!, { status }, 'user:usr_1');
      const [filed] = await filing.file(away({ thread: { references: ['first'] } }));
      assert.equal(filed!.ticketId, ticketId);
      assert.equal((await filing.store.read.ticket(ticketId!))!.status, status);
    }
    await filing.file(message(OLENA, { thread: { references: ['first'] } }));
    assert.equal((await filing.store.read.ticket(ticketId!))!.status, 'open', 'a person does');
  });

  it('opens a ticket when an operator replays it', async () => {
    await filing.file(away({ thread: { externalId: 'b' } }));
    const [event] = (await filing.store.read.events({ outcome: 'ignored' }, { limit: 1 })).data;
    const { items } = await filing.intake.replay(event!.id, 'user:usr_1');
    assert.equal(items[0]!.outcome, 'ticket_created');
  });
});

describe('another message under an id that is taken', () => {
  let filing: Filing;
  beforeEach(async () => {
    filing = await openFiling({ threads: 'topic' });
  });
  afterEach(() => filing.close());

  const at = Date.parse('2026-01-01T10:00:00Z');
  const say = (from: string, variant: string, more: object = {}) =>
    message(from, {
      externalId: 'same',
      variant,
      occurredAt: at,
      subject: 'Order',
      thread: { externalId: `${from} same` },
      ...more,
    });

  it('is filed under its other id, once', async () => {
    const [forged] = await filing.file(say('email|eve@example.test', 'v1', { text: 'forged' }));
    const [genuine] = await filing.file(say(OLENA, 'v2', { text: 'genuine' }));
    assert.deepEqual([forged!.outcome, genuine!.outcome], ['ticket_created', 'ticket_created']);
    assert.notEqual(forged!.ticketId, genuine!.ticketId);
    const [again] = await filing.file(say(OLENA, 'v2', { text: 'genuine' }));
    assert.deepEqual([again!.outcome, again!.ticketId], ['duplicate', genuine!.ticketId]);
    const [first] = await filing.file(say('email|eve@example.test', 'v1', { text: 'forged' }));
    assert.deepEqual([first!.outcome, first!.ticketId], ['duplicate', forged!.ticketId]);
  });

  it('is told by its author, its time or its subject, and not by its words alone', async () => {
    await filing.file(say(OLENA, 'v1'));
    for (const [variant, more] of [
      ['v2', { occurredAt: at + 1000 }],
      ['v3', { subject: 'Another' }],
    ] as const) {
      assert.equal((await filing.file(say(OLENA, variant, more)))[0]!.outcome, 'appended', variant);
    }
    // Words differ when a list adds its footer, or a newer version of ours reads better.
    const [footer] = await filing.file(say(OLENA, 'v1', { text: 'and a footer' }));
    assert.equal(footer!.outcome, 'duplicate');
  });
});

describe('one message through two channels', () => {
  let filing: Filing;
  beforeEach(async () => {
    filing = await openFiling({ threads: 'topic' });
  });
  afterEach(() => filing.close());

  const mail = (more: object = {}) =>
    message(OLENA, { externalId: 'twice', occurredAt: 1, subject: 'Order', thread: { externalId: 't', ...more } });

  it('is a ticket in each of them', async () => {
    const [a] = await filing.file(mail(), 'support');
    const [b] = await filing.file(mail(), 'sales');
    assert.notEqual(a!.ticketId, b!.ticketId);
  });

  it('is one ticket where they are siblings, and so is what answers it', async () => {
    const [a] = await filing.file(mail({ siblings: ['sales'] }), 'support');
    const [b] = await filing.file(mail({ siblings: ['support'] }), 'sales');
    assert.deepEqual([b!.outcome, b!.ticketId], ['duplicate', a!.ticketId]);
    const answer = message(OLENA, { thread: { externalId: 'x', references: ['twice'], siblings: ['support'] } });
    assert.equal((await filing.file(answer, 'sales'))[0]!.ticketId, a!.ticketId);
  });

  it('is not that of a stranger who knows its id', async () => {
    await filing.file(mail({ siblings: ['sales'] }), 'support');
    const forged = { ...mail({ siblings: ['support'] }), sender: message('email|eve@example.test').sender };
    assert.equal((await filing.file(forged, 'sales'))[0]!.outcome, 'ticket_created');
  });
});

describe('what a message is about', () => {
  let filing: Filing;
  beforeEach(async () => {
    filing = await openFiling({ threads: 'topic' });
  });
  afterEach(() => filing.close());

  const order = async () =>
    (
      await filing.file(message(OLENA, { externalId: 'o', subject: 'AW: Order  4512', thread: { externalId: 'o' } }))
    )[0]!;
  const reply = (rule: 'only' | 'guess', subject: string, more: object = {}) =>
    message(OLENA, { subject: `Re: ${subject}`, thread: { externalId: 'new', about: { subject, rule }, ...more } });

  it('keeps it out of a ticket about something else, which is named', async () => {
    const { ticketId, ticketNumber } = await order();
    const proof = ticketProof(PROOF_KEY, ticketNumber!);
    const ticket = { number: ticketNumber!, proof };
    const [other] = await filing.file(reply('only', 'An invoice', { references: ['o'], ticket }));
    assert.equal(other!.outcome, 'ticket_created');
    const [said] = (await filing.store.read.messages(other!.ticketId!, { limit: 5 })).data;
    assert.equal(said!.threadedBy.evidence, `another subject than #${ticketNumber}`);
    const [same] = await filing.file(reply('only', 'order 4512', { references: ['o'] }));
    assert.equal(same!.ticketId, ticketId);
  });

  it('leads an answer that names nothing into the customer’s last ticket, if that is about the same', async () => {
    const { ticketId } = await order();
    filing.clock.jump(10 * DAY);
    const [found] = await filing.file(reply('guess', 'Order 4512'));
    assert.equal(found!.ticketId, ticketId);
    const [said] = (await filing.store.read.messages(ticketId!, { limit: 5 })).data.slice(-1);
    assert.equal(said!.threadedBy.rule, 'recent');
    for (const subject of ['4512', 'Another order', '']) {
      assert.equal(
        (await filing.file(reply('guess', subject, { externalId: `x ${subject}` })))[0]!.outcome,
        'ticket_created',
        subject,
      );
    }
  });

  it('leads nobody into the ticket of another customer, nor into an old one', async () => {
    await order();
    const stranger = { ...reply('guess', 'Order 4512'), sender: message('email|eve@example.test').sender };
    assert.equal((await filing.file(stranger))[0]!.outcome, 'ticket_created');
    filing.clock.jump(31 * DAY);
    assert.equal(
      (await filing.file(reply('guess', 'Order 4512', { externalId: 'late' })))[0]!.outcome,
      'ticket_created',
    );
  });
});
