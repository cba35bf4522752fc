import assert from 'node:assert/strict';
import fc from 'fast-check';
import { NotFoundError, PermanentError } from '../src/core/errors.ts';
import { message, openFiling, type Filing } from './fakes/filing.ts';

const at = Date.parse('2026-11-22T10:00:00Z');

describe('filing what arrives', () => {
  let filing: Filing;
  beforeEach(async () => {
    filing = await openFiling();
  });
  afterEach(() => filing.close());

  const balance = () => filing.store.read.balance(0, Number.MAX_SAFE_INTEGER);
  const messagesOf = async (ticketId: string | undefined) =>
    (await filing.store.read.messages(ticketId!, { limit: 200 })).data;
  const outcomes = (results: readonly { outcome: string }[]) => results.map((each) => each.outcome);

  it('makes one message of fifty equal deliveries at once, and fifty events', async () => {
    const item = message('telegram|1', { externalId: 'same' });
    const results = await Promise.all(Array.from({ length: 50 }, () => filing.file(item)));
    assert.equal(results.filter(([each]) => each!.outcome === 'ticket_created').length, 1);
    assert.equal(results.filter(([each]) => each!.outcome === 'duplicate').length, 49);
    assert.equal((await messagesOf(results[0]![0]!.ticketId)).length, 1);
    const { received, balanced } = await balance();
    assert.deepEqual({ received, balanced }, { received: 50, balanced: true });
  });

  it('cuts the accents that somebody piles on one letter, which would hold up everybody else', async () => {
    const text = `a${'\u0327\u0301\u0316\u0300'.repeat(3000)} і її`;
    const [filed] = await filing.file(message('telegram|1', { text }));
    const [kept] = await messagesOf(filed!.ticketId);
    assert.ok(kept!.text.length < 40, `${kept!.text.length} characters are kept`);
    assert.ok(kept!.text.endsWith(' і її'));
  });

  it('makes one customer and one ticket of two different first messages at the same instant', async () => {
    const [[a], [b]] = await Promise.all([filing.file(message('telegram|1')), filing.file(message('telegram|1'))]);
    assert.equal(a!.ticketId, b!.ticketId);
    assert.equal((await filing.store.read.customers({}, { limit: 10 })).data.length, 1);
    assert.deepEqual((await messagesOf(a!.ticketId)).length, 2);
  });

  it('files the rest of a batch with a broken element, and quarantines only that', async () => {
    const results = await filing.file([
      message('telegram|1'),
      { kind: 'broken', at: '/1', error: 'no sender' },
      { kind: 'message', externalId: 'x' } as never,
      message('telegram|1'),
    ]);
    assert.deepEqual(outcomes(results), ['ticket_created', 'quarantined', 'quarantined', 'appended']);
    assert.deepEqual(await balance().then(({ received, balanced }) => ({ received, balanced })), {
      received: 4,
      balanced: true,
    });
  });

  it('says something of every payload: one without content is ignored, an unreadable one quarantined', async () => {
    assert.deepEqual(outcomes(await filing.file([])), ['ignored']);
    const unreadable = {
      endpointId: 'chat',
      receivedAt: at,
      method: 'POST',
      url: '/',
      headers: {},
      body: Buffer.from('not JSON'),
    };
    assert.deepEqual(outcomes((await filing.intake.receive(unreadable)).items), ['quarantined']);
    assert.equal((await balance()).balanced, true);
  });

  it('replaces the text with a newer revision and keeps the old one as history', async () => {
    const first = message('telegram|1', { externalId: 'e', text: 'helo' });
    const [a] = await filing.file(first);
    assert.deepEqual(outcomes(await filing.file({ ...first, revision: 5, text: 'hello' })), ['revised']);
    assert.deepEqual(outcomes(await filing.file({ ...first, revision: 3, text: 'hell' })), ['duplicate'], 'a late one');
    const [shown] = await messagesOf(a!.ticketId);
    assert.deepEqual([shown!.text, shown!.revision], ['hello', 5]);
  });

  it('takes the same words under a higher number for no news, and what is older than that for late', async () => {
    const file = { id: 'f1', name: 'a.jpg', mediaType: 'image/jpeg' };
    const first = message('telegram|1', { externalId: 'e', text: 'hello', attachments: [file] });
    const [a] = await filing.file({ ...first, revision: 2 });
    const before = (await messagesOf(a!.ticketId)).length;
    assert.deepEqual(outcomes(await filing.file({ ...first, revision: 7 })), ['duplicate']);
    assert.deepEqual(outcomes(await filing.file({ ...first, revision: 5, text: 'helo' })), ['duplicate'], 'a late one');
    const [shown] = await messagesOf(a!.ticketId);
    assert.deepEqual([shown!.text, shown!.revision, before], ['hello', 7, 1]);
    const withMore = { ...first, revision: 8, attachments: [file, { ...file, id: 'f2' }] };
    assert.deepEqual(outcomes(await filing.file(withMore)), ['revised'], 'a file came along');
    assert.equal((await messagesOf(a!.ticketId))[0]!.attachments.length, 2);
  });

  it('shows the edited text also when the edit came before the message', async () => {
    const first = message('telegram|1', { externalId: 'e', text: 'helo' });
    const [edit] = await filing.file({ ...first, revision: 1, text: 'hello' });
    await filing.file(first);
    assert.deepEqual(
      (await messagesOf(edit!.ticketId)).map((each) => each.text),
      ['hello'],
    );
  });

  it('never overwrites a message by another one under the same id', async () => {
    const first = message('telegram|1', { externalId: 'same', text: 'genuine' });
    const [a] = await filing.file(first);
    assert.deepEqual(outcomes(await filing.file({ ...first, text: 'forged' })), ['duplicate']);
    assert.deepEqual(
      (await messagesOf(a!.ticketId)).map((each) => each.text),
      ['genuine'],
    );
    const events = await filing.store.read.events({ outcome: 'duplicate' }, { limit: 1 });
    assert.match(events.data[0]!.reason!, /other content/);
  });

  it('shows a message as deleted also when the deletion came first', async () => {
    const item = message('telegram|1', { externalId: 'gone' });
    await filing.file({ kind: 'deletion', externalId: 'gone', occurredAt: at });
    const [late] = await filing.file(item);
    assert.notEqual((await messagesOf(late!.ticketId))[0]!.deletedAt, null);
  });

  it('keeps a receipt that comes before its answer, and never takes progress back', async () => {
    const [a] = await filing.file(message('telegram|1', { thread: { externalId: 'chat' } }));
    await filing.file({ kind: 'receipt', externalId: 'out', state: 'read', occurredAt: at });
    const echo = message('agent|1', {
      externalId: 'out',
      direction: 'outbound',
      thread: { externalId: 'chat' },
      text: 'we look',
    });
    await filing.file(echo);
    await filing.file({ kind: 'receipt', externalId: 'out', state: 'delivered', occurredAt: at });
    const answer = (await messagesOf(a!.ticketId)).at(-1)!;
    assert.deepEqual([answer.direction, answer.delivery?.state], ['outbound', 'read']);
  });

  it('keeps both of two equal short texts that a person sent on purpose', async () => {
    const [a] = await filing.file(message('telegram|1', { text: 'да' }));
    await filing.file(message('telegram|1', { text: 'да' }));
    assert.equal((await messagesOf(a!.ticketId)).length, 2);
  });

  it('keeps the dedupe key when the bytes are gone', async () => {
    const item = message('telegram|1', { externalId: 'old' });
    await filing.file(item);
    filing.clock.jump(60 * 24 * 3_600_000);
    await filing.store.write([], (tx) =>
      tx.sweepRetention({
        payloadsBefore: filing.clock.now(),
        tasksBefore: filing.clock.now(),
        recordingsBefore: filing.clock.now(),
        idempotentBefore: 0,
        earlyBefore: 0,
        batch: 100,
      }),
    );
    const [event] = (await filing.store.read.events({}, { limit: 1 })).data;
    await assert.rejects(filing.intake.reread(event!.id), PermanentError);
    assert.deepEqual(outcomes(await filing.file(item)), ['duplicate']);
    assert.equal((await balance()).balanced, true);
  });

  it('files what a guard blocked when an operator replays it, once', async () => {
    const envelope = message('telegram|1', { externalId: 'spam', text: 'not spam at all' });
    const [blocked] = await filing.file({ kind: 'rejected', reason: 'too many links', envelope });
    assert.equal(blocked!.outcome, 'rejected');
    const { data } = await filing.store.read.events({ outcome: 'rejected' }, { limit: 1 });
    const read = await filing.intake.reread(data[0]!.id);
    assert.deepEqual(
      read.map(({ kind }) => kind),
      ['rejected'],
    );
    assert.deepEqual((await filing.store.read.tickets({}, { limit: 1 })).data, [], 'reading again files nothing');
    const replayed = await filing.intake.replay(data[0]!.id, 'user:usr_1');
    assert.equal(replayed.items[0]!.outcome, 'ticket_created');
    const again = await filing.intake.replay(data[0]!.id, 'user:usr_1');
    assert.equal(again.items[0]!.outcome, 'duplicate');
    assert.deepEqual(await balance().then(({ received, balanced }) => ({ received, balanced })), {
      received: 1,
      balanced: true,
    });
  });

  it('reads again what an event is about, and of several only its own', async () => {
    const typing = { kind: 'ignored', name: 'typing', reason: 'no message' } as const;
    await filing.file([message('telegram|1', { externalId: 'first' }), typing]);
    const { data } = await filing.store.read.events({ outcome: 'ignored' }, { limit: 1 });
    assert.deepEqual(await filing.intake.reread(data[0]!.id), [typing]);
    await assert.rejects(filing.intake.reread('evt_none'), NotFoundError);
  });

  it('fetches the files that an edit brings along', async () => {
    const call = message('phone|+380671234567|observed', { externalId: 'call' });
    const ringing = {
      ...call,
      kind: 'call' as const,
      call: { outcome: 'ringing' as const, direction: 'inbound' as const, from: '1', to: '2' },
    };
    await filing.file(ringing);
    const recording = [{ id: 'rec', name: 'voicemail.mp3', mediaType: 'audio/mpeg' }];
    const [a] = await filing.file({
      ...ringing,
      revision: 1,
      call: { ...ringing.call, outcome: 'voicemail', recording: 'rec' },
      attachments: recording,
    });
    await filing.file({
      ...ringing,
      revision: 2,
      call: { ...ringing.call, outcome: 'voicemail', recording: 'rec' },
      attachments: recording,
    });
    const [shown] = await messagesOf(a!.ticketId);
    assert.deepEqual(
      shown!.attachments.map((each) => each.name),
      ['voicemail.mp3'],
    );
  });

  it('puts what could hide or break something into plain sight', async () => {
    const item = message('telegram|1', {
      externalId: 'id\u0000x',
      text: 'a\u0000b\u202Ecod.exe\ud800 line\r\nnext',
      sender: { name: 'Eve\r\nBcc: all', identifiers: [{ kind: 'telegram', value: '1', trust: 'verified' }] },
      attachments: [{ id: '1', name: '../../etc/cron.d/x\u202Egpj.exe', mediaType: 'image/png' }],
    });
    const [a] = await filing.file(item);
    const [shown] = await messagesOf(a!.ticketId);
    assert.equal(shown!.text, 'abcod.exe\ufffd line\nnext');
    assert.equal(shown!.author.name, 'Eve Bcc: all');
    assert.equal(shown!.attachments[0]!.name, 'x gpj.exe');
    assert.deepEqual(outcomes(await filing.file(item)), ['duplicate'], 'the id is the same after it was stored');
  });

  it('keeps credentials of a request out of the store', async () => {
    const body = Buffer.from(JSON.stringify([message('telegram|1')]));
    await filing.intake.receive({
      endpointId: 'chat',
      receivedAt: at,
      method: 'POST',
      url: '/webhooks/chat?token=CANARY&page=2',
      headers: {
        authorization: 'Bearer CANARY',
        'x-telegram-bot-api-secret-token': 'CANARY',
        'content-type': 'application/json',
      },
      body,
    });
    const { data } = await filing.store.read.events({}, { limit: 1 });
    const payload = await filing.store.read.payload(data[0]!.payloadId);
    assert.doesNotMatch(JSON.stringify({ ...payload, body: undefined }), /CANARY/);
    assert.equal(payload!.url, '/webhooks/chat?token=[redacted]&page=2');
  });

  it('comes to the same end whatever the order and number of deliveries', async () => {
    const plan = fc.array(
      fc.record({ message: fc.integer({ min: 0, max: 4 }), revision: fc.integer({ min: 0, max: 3 }) }),
      { minLength: 1, maxLength: 25 },
    );
    let run = 0;
    await fc.assert(
      fc.asyncProperty(plan, async (deliveries) => {
        const channel = `c${++run}`;
        const newest = new Map<number, number>();
        const tickets = new Set<string | undefined>();
        for (const { message: n, revision } of deliveries) {
          newest.set(n, Math.max(newest.get(n) ?? 0, revision));
          const item = message(`person|${run}`, {
            externalId: `m${n}`,
            revision,
            text: `text ${n} revision ${revision}`,
            thread: { externalId: 't' },
          });
          for (const result of await filing.file(item, channel)) tickets.add(result.ticketId);
        }
        assert.equal(tickets.size, 1);
        const [ticketId] = tickets;
        const shown = (await messagesOf(ticketId)).map((each) => each.text).sort();
        assert.deepEqual(shown, [...newest].map(([n, revision]) => `text ${n} revision ${revision}`).sort());
        assert.equal((await filing.store.read.ticket(ticketId!))!.messageCount, newest.size);
        assert.equal((await balance()).balanced, true);
      }),
      { numRuns: 25 },
    );
  });
});

describe('announcing what was filed', () => {
  it('tells with a new ticket what opened it', async () => {
    const filing = await openFiling();
    try {
      for (const text of ['one', 'two']) await filing.file(message('telegram|1', { text }));
      const created = (await filing.store.read.changes(0, 100)).filter(({ type }) => type === 'ticket.created');
      assert.deepEqual(
        created.map(({ data }) => [data.ticket?.messageCount, data.message?.text]),
        [[2, 'one']],
      );
    } finally {
      await filing.close();
    }
  });

  it('gives each destination its tasks in the order of the ticket, one at a time', async () => {
    const filing = await openFiling({
      targets: [
        { id: 'crm', carries: 'events' },
        { id: 'desk', carries: 'tickets' },
      ],
    });
    try {
      for (let i = 0; i < 3; i++) await filing.file(message('telegram|1', { text: `${i}` }));
      const { data } = await filing.store.read.deliveries({ destination: 'crm' }, { limit: 50 });
      const inOrder = data.toReversed().filter((each) => each.ticketId !== null);
      assert.deepEqual(
        inOrder.map((each) => each.type),
        ['ticket.created', 'message.received', 'message.received', 'message.received'],
      );
      assert.deepEqual(
        inOrder.map((each) => each.nextAttemptAt !== null),
        [true, false, false, false],
        'only the head is due',
      );
      const desk = await filing.store.read.deliveries({ destination: 'desk' }, { limit: 50 });
      assert.deepEqual(
        desk.data.map((each) => each.type),
        ['message.received', 'message.received', 'message.received'],
      );
    } finally {
      await filing.close();
    }
  });
});
