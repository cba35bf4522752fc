import assert from 'node:assert/strict';
import { autoReplyText, AutoReply } from '../src/core/auto-reply.ts';
import type { Message } from '../src/core/ticket.ts';
import { message, openFiling, type Filing } from './fakes/filing.ts';
import { startReceiver, type Receiver } from './fakes/receiver.ts';
import { INTAKE_SECRET, startWhole, type Whole } from './fakes/whole.ts';
import { until } from './fakes/until.ts';

const HOUR = 3_600_000;
const TEXTS = {
  en: 'Hello {{name}}, #{{number}} it is.',
  uk: 'Вітаємо, {{name}}! №{{number}}',
  ru: 'Приняли №{{number}}.',
};

describe('an automatic answer', () => {
  let filing: Filing;
  beforeEach(async () => {
    filing = await openFiling({ autoReply: TEXTS });
  });
  afterEach(() => filing.close());

  const receive = async (from: string | string[], rest: Parameters<typeof message>[1] = {}, channel = 'chat') =>
    (await filing.file({ ...message(from, { occurredAt: filing.clock.now(), ...rest }) }, channel))[0]!;
  const answersIn = async (ticket: string | undefined): Promise<readonly Message[]> =>
    (await filing.store.read.messages(ticket!, { limit: 100 })).data.filter((each) => each.direction === 'outbound');
  const answersTo = async (...given: Parameters<typeof receive>) => answersIn((await receive(...given)).ticketId);
  const replies = async () =>
    (await filing.store.read.deliveries({}, { limit: 100 })).data.filter(({ type }) => type === 'reply');

  it('greets who opens a ticket, in his language, with its number and his name', async () => {
    const { ticketId, ticketNumber } = await receive('telegram|1', {
      sender: { name: 'Олена', identifiers: [{ kind: 'telegram', value: '1', trust: 'verified' }] },
      text: 'Де моє замовлення, ще їде?',
      thread: { externalId: 'chat-1' },
    });
    const [answer, ...more] = await answersIn(ticketId);
    assert.deepEqual(more, []);
    assert.equal(answer!.text, `Вітаємо, Олена! №${ticketNumber}`);
    assert.deepEqual([answer!.automatic, answer!.kind, answer!.channel?.id], ['auto_reply', 'message', 'chat']);
    assert.deepEqual(answer!.delivery, { state: 'waiting', error: null });
    const [task, ...others] = await replies();
    assert.deepEqual([task!.destination, task!.messageId, others.length], ['chat', answer!.id, 0]);
    // A machine's answer is not yet an answer.
    assert.equal((await filing.store.read.ticket(ticketId!))!.status, 'new');
  });

  it('goes out in the vendor’s thread', async () => {
    await receive('telegram|1', { thread: { externalId: 'chat-7' } });
    const [task] = await replies();
    const row = await filing.store.write([], (tx) => tx.message(task!.messageId!));
    assert.equal(row!.thread, 'chat-7');
  });

  it('does not speak up in a group', async () => {
    assert.deepEqual(await answersTo('telegram|1', { thread: { externalId: '-4001', shared: true } }), []);
  });

  it('is not sent to whom somebody only named', async () => {
    assert.deepEqual(await answersTo('email|victim@example.com|claimed'), []);
    assert.equal(
      (await answersTo(['email|victim@example.com|claimed', 'email|writer@example.com|observed'])).length,
      1,
    );
  });

  it('says it in English where a language has no text, and leaves out a name that nobody knows', async () => {
    const [answer] = await answersTo('telegram|1', { text: 'Where is my order?' });
    assert.match(answer!.text, /^Hello, #\d+ it is\.$/);
  });

  it('comes once a day, whatever a customer opens meanwhile, on whichever channel', async () => {
    const topics = await openFiling({ autoReply: 'Hi', threads: 'topic' });
    const write = async (channel: string) => {
      const item = message('telegram|1', {
        occurredAt: topics.clock.now(),
        thread: { externalId: `t-${Math.random()}` },
      });
      const [filed] = await topics.file(item, channel);
      assert.equal(filed!.outcome, 'ticket_created');
      const { data } = await topics.store.read.messages(filed!.ticketId!, { limit: 10 });
      return data.filter(({ automatic }) => automatic !== null).length;
    };
    try {
      assert.equal(await write('a'), 1);
      assert.equal(await write('a'), 0);
      topics.clock.jump(23 * HOUR);
      assert.equal(await write('b'), 0);
      topics.clock.jump(2 * HOUR);
      assert.equal(await write('b'), 1);
    } finally {
      await topics.close();
    }
  });

  it('is not given to another customer’s account', async () => {
    await receive('telegram|1');
    assert.equal((await answersTo('telegram|2')).length, 1);
  });

  it('comes when a ticket is opened, not with the messages after it', async () => {
    const { ticketId } = await receive('telegram|1');
    for (let hours = 0; hours < 30; hours += 10) {
      filing.clock.jump(10 * HOUR);
      assert.equal((await receive('telegram|1')).outcome, 'appended');
    }
    assert.equal((await answersIn(ticketId)).length, 1);
  });

  it('comes once, however often the message is delivered', async () => {
    const item = message('telegram|1', { occurredAt: filing.clock.now() });
    await Promise.all(Array.from({ length: 10 }, () => filing.file(item)));
    assert.equal((await replies()).length, 1);
  });

  for (const automatic of ['auto_reply', 'bounce', 'list', 'notification'] as const) {
    it(`is not sent to a machine (${automatic})`, async () => {
      assert.deepEqual(await answersTo('email|robot@example.com', { automatic }), []);
    });
  }

  it('is not sent for calls and reviews, nor for what our own people wrote elsewhere', async () => {
    const call = { outcome: 'missed', direction: 'inbound', from: '+380671234567', to: '100' } as const;
    const items = [
      { ...message('phone|+380671234567'), kind: 'call', call, text: '' } as const,
      { ...message('shop|1'), kind: 'review', review: { rating: 1, maxRating: 5 } } as const,
    ];
    for (const item of items) {
      const [{ outcome, ticketId } = { outcome: '' }] = await filing.file({ ...item, occurredAt: filing.clock.now() });
      assert.equal(outcome, 'ticket_created');
      assert.deepEqual(await answersIn(ticketId), []);
    }
    await receive('telegram|9', { direction: 'outbound', thread: { externalId: 'chat-9' } });
    assert.equal((await replies()).length, 0);
  });

  it('is sent for forms', async () => {
    const [filed] = await filing.file({ ...message('email|o@example.com|claimed'), kind: 'form' });
    assert.equal((await answersIn(filed!.ticketId)).length, 1);
  });

  it('is not sent for what is older than a day: a mailbox that was just connected is full of it', async () => {
    assert.deepEqual(await answersTo('telegram|1', { occurredAt: filing.clock.now() - 25 * HOUR }), []);
    assert.equal((await answersTo('telegram|2', { occurredAt: filing.clock.now() - 23 * HOUR })).length, 1);
  });

  it('carries no words of somebody who could be somebody else to the one he says he is', async () => {
    let count = 0;
    const named = (name: string, trust: 'verified' | 'observed') => ({
      sender: { name, identifiers: [{ kind: 'email', value: `u${++count}@example.com`, trust }] },
      text: 'Hello',
    });
    const texts: string[] = [];
    for (const given of [
      named('Olena', 'observed'),
      named('Buy at evil.example', 'verified'),
      named('tel:900123', 'verified'),
      named('win@evil', 'verified'),
      named('evil/win', 'verified'),
      named('x'.repeat(61), 'verified'),
      named('{{number}} {{name}}', 'verified'),
      named('Olena K.', 'verified'),
    ]) {
      texts.push((await answersTo([], given))[0]!.text.replace(/#\d+/, '#'));
    }
    const plain = 'Hello, # it is.';
    assert.deepEqual(texts, [
      plain,
      plain,
      plain,
      plain,
      plain,
      plain,
      'Hello {{number}} {{name}}, # it is.',
      'Hello Olena K., # it is.',
    ]);
  });

  it('is told to destinations as a message once it is sent', async () => {
    await receive('telegram|1');
    const changes = await filing.store.read.changes(0, 100);
    assert.deepEqual(
      changes.map(({ type }) => type),
      ['customer.created', 'ticket.created', 'message.received', 'ticket.updated'],
    );
    assert.equal(changes.at(-1)!.data.message!.automatic, 'auto_reply');
  });

  it('may be one text for everybody, and else the first one', () => {
    const to = { number: 7, name: undefined, language: 'uk', statusUrl: 'https://desk.example.com/status/x' };
    assert.equal(autoReplyText('One for {{number}}', to), 'One for 7');
    assert.equal(autoReplyText('See {{statusUrl}}.', to), `See ${to.statusUrl}.`);
    assert.equal(autoReplyText({ de: 'Hallo', fr: 'Salut' }, to), 'Hallo');
    assert.equal(autoReplyText({ en: 'Hi' }, { ...to, language: 'constructor' }), 'Hi');
  });

  it('may not hold placeholders that are none, a text in no language, or nothing', () => {
    for (const wrong of ['{{nmae}}', {}, { english: 'x' }, '  ', { en: '' }, 5]) {
      assert.equal(AutoReply.safeParse(wrong).success, false, JSON.stringify(wrong));
    }
  });
});

describe('a channel with an automatic answer', () => {
  let receiver: Receiver;
  let whole: Whole;
  before(async () => {
    receiver = await startReceiver();
    const channel = (id: string, rest: string) =>
      `  - { id: ${id}, type: webhook, auth: { type: standard_webhooks, secret: "${INTAKE_SECRET}" }${rest} }\n`;
    const reply = `reply: { url: "${receiver.origin}/answers", secret: "${INTAKE_SECRET}" }`;
    whole = await startWhole({
      yaml: `${channel('shop', `, autoReply: 'Got it: {{number}}', ${reply}`)}${channel('mute', ", autoReply: 'Hi'")}`,
    });
  });
  after(async () => {
    await whole.close();
    await receiver.close();
  });

  it('answers once, also over a restart, and the vendor sees that a machine wrote it', async () => {
    const send = (id: string) =>
      whole.send({ id, from: { id: 'u-1' }, thread: id, text: 'Hello' }, { channel: 'shop' });
    assert.equal(await send('a'), 200);
    await whole.restart();
    assert.equal(await send('a'), 200);
    assert.equal(await send('b'), 200);
    const data = await until(async () => {
      const { data } = await whole.api<{ data: { type: string; state: string }[] }>('/deliveries');
      return data.every(({ state }) => state === 'delivered') && data;
    }, 'the answer is out');
    assert.deepEqual(
      data.map(({ type }) => type),
      ['reply'],
    );
    assert.equal(receiver.requests.length, 1);
    const { message: sent } = (JSON.parse(receiver.requests[0]!.body.toString()) as { data: { message: Message } })
      .data;
    assert.deepEqual([sent.automatic, sent.text], ['auto_reply', 'Got it: 1001']);
  });

  it('does not open without a way to answer, and says so', async () => {
    const { data } = await whole.api<{ data: { id: string; health: { state: string; lastError?: unknown } }[] }>(
      '/channels',
    );
    const mute = data.find(({ id }) => id === 'mute')!;
    assert.match(JSON.stringify(mute.health), /autoReply needs a way to answer/);
  });

  it('is made, shown, changed and relieved of it over the API', async () => {
    const settings = {
      auth: { type: 'standard_webhooks', secret: INTAKE_SECRET },
      reply: { url: 'https://shop.example.com/answers', secret: INTAKE_SECRET },
    };
    type View = { autoReply: unknown };
    const made = await whole.api<View>('/channels', {
      method: 'POST',
      body: { id: 'made', type: 'webhook', autoReply: { uk: 'Дякуємо' }, settings },
    });
    assert.deepEqual(made.autoReply, { uk: 'Дякуємо' });
    const change = (body: unknown) => whole.api<View>('/channels/made', { method: 'PATCH', body });
    assert.deepEqual((await change({ name: 'Shop' })).autoReply, { uk: 'Дякуємо' });
    await whole.restart();
    assert.deepEqual((await whole.api<View>('/channels/made')).autoReply, { uk: 'Дякуємо' });
    assert.equal((await change({ autoReply: 'Thanks' })).autoReply, 'Thanks');
    assert.equal((await change({ autoReply: null })).autoReply, null);
    await assert.rejects(change({ autoReply: '{{what}}' }), /400.*autoReply/);
    const muteSettings = { auth: settings.auth };
    await assert.rejects(change({ autoReply: 'Hi', settings: muteSettings }), /422.*autoReply needs a way to answer/);
  });
});
