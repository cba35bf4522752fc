import assert from 'node:assert/strict';
import { ticketProof } from '../src/normalizer/thread.ts';
import { message, openFiling, PROOF_KEY, type Filing } from './fakes/filing.ts';

const HOUR = 3_600_000;

describe('finding the ticket', () => {
  let filing: Filing;
  beforeEach(async () => {
    filing = await openFiling();
  });
  afterEach(() => filing.close());

  const last = async (ticketId: string | undefined) =>
    (await filing.store.read.messages(ticketId!, { limit: 50 })).data.at(-1)!;
  const ticket = async (ticketId: string | undefined) => (await filing.store.read.ticket(ticketId!))!;

  it("keeps to the vendor's thread, whoever writes in it", async () => {
    const [a] = await filing.file(message('telegram|1', { thread: { externalId: 'group' } }));
    const [b] = await filing.file(message('telegram|2', { thread: { externalId: 'group' } }));
    assert.equal(a!.ticketId, b!.ticketId);
    assert.deepEqual((await last(b!.ticketId)).threadedBy, { rule: 'thread', evidence: 'thread group' });
  });

  it('does not confuse equal thread names of two channels', async () => {
    const [a] = await filing.file(message('telegram|1', { thread: { externalId: 't' } }), 'one');
    const [b] = await filing.file(message('telegram|2', { thread: { externalId: 't' } }), 'two');
    assert.notEqual(a!.ticketId, b!.ticketId);
  });

  it("joins the customer's open ticket within a day, across channels, and starts a new one later", async () => {
    const [a] = await filing.file(message('phone|+380671234567'), 'phone');
    const [b] = await filing.file(message('phone|+380671234567'), 'whatsapp');
    assert.equal(b!.ticketId, a!.ticketId);
    assert.equal((await last(b!.ticketId)).threadedBy.rule, 'recent');
    filing.clock.jump(25 * HOUR);
    const [c] = await filing.file(message('phone|+380671234567'), 'whatsapp');
    assert.notEqual(c!.ticketId, a!.ticketId);
  });

  it('follows a reference of a participant, and not that of a stranger', async () => {
    const [a] = await filing.file(message('email|olena@example.com', { externalId: 'first' }));
    filing.clock.jump(30 * HOUR);
    const [answer] = await filing.file(message('email|olena@example.com', { thread: { references: ['first'] } }));
    assert.equal(answer!.ticketId, a!.ticketId);
    const [stranger] = await filing.file(message('email|evil@example.com', { thread: { references: ['first'] } }));
    assert.notEqual(stranger!.ticketId, a!.ticketId);
    const { threadedBy } = await last(stranger!.ticketId);
    assert.equal(threadedBy.rule, 'new');
    assert.match(threadedBy.evidence, new RegExp(`claims to continue #${a!.ticketNumber}, unverified`));
  });

  it('keeps what claims to continue somebody’s ticket out of the sender’s own, too', async () => {
    const write = async (references: string[], ticket?: { number: number }) => {
      filing.clock.jump(HOUR);
      return (await filing.file(message('email|evil@example.com', { thread: { references, ticket } })))[0]!;
    };
    const [a] = await filing.file(message('email|olena@example.com', { externalId: 'first' }));
    const own = await write([]);
    assert.equal((await write([])).ticketId, own.ticketId, 'there is one that he would continue');
    const mine = (await last(own.ticketId)).externalId!;
    for (const claim of [
      await write(['first']),
      await write([], { number: a!.ticketNumber! }),
      await write([mine, 'first']),
    ]) {
      assert.equal(claim.outcome, 'ticket_created');
      const { rule, evidence } = (await last(claim.ticketId)).threadedBy;
      assert.deepEqual([rule, evidence], ['new', `claims to continue #${a!.ticketNumber}, unverified`]);
    }
  });

  it('takes our number with our proof from anybody, and without it only from a participant', async () => {
    const [a] = await filing.file(message('email|olena@example.com'));
    const number = a!.ticketNumber!;
    const proof = ticketProof(PROOF_KEY, number);
    const [colleague] = await filing.file(
      message('email|colleague@example.com', { thread: { ticket: { number, proof } } }),
    );
    assert.equal(colleague!.ticketId, a!.ticketId);
    for (const forged of [
      undefined,
      '',
      proof.slice(0, -1),
      ticketProof(PROOF_KEY, number + 1),
      ticketProof(Buffer.alloc(32), number),
    ]) {
      const [guess] = await filing.file(
        message(`email|guess${forged?.length ?? 'none'}${forged?.at(-2) ?? ''}@example.com`, {
          thread: { ticket: { number, proof: forged } },
        }),
      );
      assert.notEqual(guess!.ticketId, a!.ticketId, `proof ${String(forged)}`);
    }
  });

  it('opens a solved ticket again within its window, and later starts a new one in the same thread', async () => {
    const say = () => filing.file(message('telegram|1', { thread: { externalId: 'chat' } }));
    const [a] = await say();
    await filing.desk.updateTicket(a!.ticketId!, { status: 'solved' }, 'user:usr_1');
    const [b] = await say();
    assert.equal(b!.ticketId, a!.ticketId);
    assert.equal((await ticket(a!.ticketId)).status, 'open');
    await filing.desk.updateTicket(a!.ticketId!, { status: 'closed' }, 'user:usr_1');
    filing.clock.jump(8 * 24 * HOUR);
    const [c] = await say();
    assert.notEqual(c!.ticketId, a!.ticketId);
    const [d] = await say();
    assert.equal(d!.ticketId, c!.ticketId, 'the thread points to the new ticket');
  });

  it('stays in the ticket of its thread when it answers what was said in one closed long ago', async () => {
    const say = (externalId: string, references: string[] = []) =>
      filing.file(message('telegram|1', { externalId, thread: { externalId: 'chat', references } }));
    const [a] = await say('chat:1');
    await filing.desk.updateTicket(a!.ticketId!, { status: 'closed' }, 'user:usr_1');
    filing.clock.jump(8 * 24 * HOUR);
    const [b] = await say('chat:2', ['chat:1']);
    assert.notEqual(b!.ticketId, a!.ticketId);
    assert.match((await last(b!.ticketId)).threadedBy.evidence, /closed too long ago/);
    const [c] = await say('chat:3', ['chat:1']);
    assert.equal(c!.ticketId, b!.ticketId);
  });

  it('starts a new one when it answers what was closed long ago, whatever else its sender has open', async () => {
    const write = async (externalId: string, references: string[] = []) =>
      (await filing.file(message('telegram|1', { externalId, thread: { references } })))[0]!;
    const a = await write('1');
    await filing.desk.updateTicket(a.ticketId!, { status: 'closed' }, 'user:usr_1');
    filing.clock.jump(8 * 24 * HOUR);
    const b = await write('2');
    assert.notEqual(b.ticketId, a.ticketId);
    const c = await write('3', ['1']);
    assert.equal(c.outcome, 'ticket_created');
    assert.match((await last(c.ticketId)).threadedBy.evidence, /closed too long ago/);
  });

  it('follows a ticket that was merged into another one', async () => {
    const [a] = await filing.file(message('telegram|1', { thread: { externalId: 'a' } }));
    const [b] = await filing.file(message('telegram|2', { thread: { externalId: 'b' } }));
    await filing.desk.mergeTickets(a!.ticketId!, b!.ticketId!, 'user:usr_1');
    const [c] = await filing.file(message('telegram|1', { thread: { externalId: 'a' } }));
    assert.equal(c!.ticketId, b!.ticketId);
    assert.equal((await filing.store.read.messages(b!.ticketId!, { limit: 10 })).data.length, 3);
    assert.equal((await ticket(b!.ticketId)).messageCount, 3);
  });

  it('makes a new ticket for each subject where a thread is a subject', async () => {
    const topics = await openFiling({ threads: 'topic' });
    try {
      const [a] = await topics.file(message('email|o@example.com', { thread: { externalId: 'one' } }));
      const [b] = await topics.file(message('email|o@example.com', { thread: { externalId: 'two' } }));
      assert.notEqual(a!.ticketId, b!.ticketId);
    } finally {
      await topics.close();
    }
  });
});
