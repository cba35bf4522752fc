import assert from 'node:assert/strict';
import type { Channel, Reply } from '../src/core/connector.ts';
import { ConflictError, PermanentError, RateLimitedError, RetryableError } from '../src/core/errors.ts';
import type { Message } from '../src/core/ticket.ts';
import { message } from './fakes/filing.ts';
import { openOutgoing, type Outgoing } from './fakes/outgoing.ts';
import { startReceiver, type Receiver } from './fakes/receiver.ts';
import { INTAKE_SECRET, startWhole, type Whole } from './fakes/whole.ts';
import { until } from './fakes/until.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const AGENT = 'user:usr_1';

describe("an agent's answer", () => {
  let out: Outgoing;
  beforeEach(async () => {
    out = await openOutgoing([]);
  });
  afterEach(() => out.close());

  const write = async (rest: Parameters<typeof message>[1] = {}, channel = 'chat') =>
    (await out.file(message('telegram|1', rest), channel))[0]!.ticketId!;
  const answer = async (ticketId: string, text = 'It comes tomorrow.') =>
    (await out.desk.reply(ticketId, { text }, AGENT)).messageId;
  const read = async (id: string): Promise<Message> => (await out.store.read.message(id))!;
  const types = async () =>
    (await out.changes()).filter(({ data }) => data.message?.direction === 'outbound').map(({ type }) => type);

  /** A channel that sends three parts and fails before one of them. */
  function inParts(failBefore: () => number | undefined, error: Error) {
    const sent: string[] = [];
    const seen: Reply[] = [];
    const channel: Partial<Channel> = {
      async reply(reply) {
        seen.push(reply);
        for (let part = reply.sent.length; part < 3; part++) {
          if (failBefore() === part) throw error;
          sent.push(`${reply.message.text} ${part}`);
          await reply.partSent(`far-${part}`);
        }
      },
    };
    out.addChannel('chat', channel);
    return { sent, seen };
  }

  it('goes out in parts, and is then sent', async () => {
    const { sent, seen } = inParts(() => undefined, new Error());
    const ticket = await write({ externalId: 'm-in', thread: { externalId: 'chat-7' } });
    const id = await answer(ticket, 'a');
    assert.deepEqual((await read(id)).delivery, { state: 'waiting', error: null });
    await out.pass(2 * SECOND);
    assert.deepEqual(sent, ['a 0', 'a 1', 'a 2']);
    assert.deepEqual((await read(id)).delivery, { state: 'sent', error: null });
    assert.deepEqual(await types(), ['ticket.updated', 'message.sent']);
    const [{ thread, answers, ticket: view, proof }] = seen as [Reply];
    assert.deepEqual([thread, answers?.externalId, view.id], ['chat-7', 'm-in', ticket]);
    assert.equal(answers!.author.identifiers[0]!.value, '1');
    assert.equal(proof, `proof-of-${view.number}`);
    const [delivery] = await out.deliveries();
    assert.equal((await out.store.read.delivery(delivery!.id))!.log[0]!.request, 'answered in 3 parts');
  });

  it('goes on behind the parts that went out, and keeps its id over all tries', async () => {
    let failBefore: number | undefined = 2;
    const { sent, seen } = inParts(() => failBefore, new RetryableError('no connection'));
    const id = await answer(await write(), 'a');
    await out.pass(2 * SECOND);
    assert.deepEqual(sent, ['a 0', 'a 1']);
    assert.deepEqual((await read(id)).delivery, { state: 'waiting', error: null });
    failBefore = undefined;
    await out.pass(10 * SECOND);
    assert.deepEqual(sent, ['a 0', 'a 1', 'a 2']);
    assert.deepEqual(
      seen[1]!.sent.map(({ externalId }) => externalId),
      ['far-0', 'far-1'],
    );
    assert.equal(seen[0]!.id, seen[1]!.id);
    assert.equal((await read(id)).delivery!.state, 'sent');
  });

  describe('whose try ended in the middle', () => {
    const die = async (): Promise<void> => {
      const [waiting] = await out.deliveries();
      await out.store.write([], (tx) => tx.lease(waiting!.id, 'gone', out.clock.now(), out.clock.now()));
    };

    it('is a matter for a person, and goes out when he says that it did not', async () => {
      const { sent } = inParts(() => undefined, new Error());
      const id = await answer(await write(), 'a');
      await die();
      await out.pass(10 * SECOND);
      assert.deepEqual(sent, []);
      const [delivery] = await out.deliveries();
      assert.equal(delivery!.state, 'needs_check');
      assert.match(delivery!.error!, /nobody can say whether this answer went out/);
      await out.store.write([], (tx) => tx.replayTask(delivery!.id, out.clock.now()));
      await out.pass(2 * SECOND);
      assert.equal(sent.length, 3);
      assert.equal((await read(id)).delivery!.state, 'sent');
    });

    it('is a matter for a person too when a part that went out could not be noted', async () => {
      const { sent } = inParts(() => undefined, new Error());
      const { write: really } = out.store;
      let failures = 0;
      out.on = {
        ...out.store,
        write: (locks, work) =>
          locks.includes('message far-1') && failures++ === 0
            ? Promise.reject(new RetryableError('the database restarts'))
            : really(locks, work),
      };
      await answer(await write(), 'a');
      await out.pass(10 * SECOND);
      assert.equal(failures, 1);
      assert.deepEqual(sent, ['a 0', 'a 1']);
      assert.equal((await out.deliveries())[0]!.state, 'needs_check');
    });

    it('simply goes out again where the far side knows our ids', async () => {
      await out.close();
      out = await openOutgoing([], { idempotent: true });
      const { sent } = inParts(() => undefined, new Error());
      await answer(await write(), 'a');
      await die();
      await out.pass(10 * SECOND);
      assert.equal(sent.length, 3);
    });
  });

  it('that is refused has failed, with the reason, and goes out when it is replayed', async () => {
    let failBefore: number | undefined = 1;
    const { sent } = inParts(() => failBefore, new PermanentError('the window of 24 hours has closed'));
    const id = await answer(await write(), 'a');
    await out.pass(2 * SECOND);
    const reason = 'the window of 24 hours has closed';
    assert.deepEqual((await read(id)).delivery, { state: 'failed', error: reason });
    assert.deepEqual(await types(), ['ticket.updated', 'message.failed']);
    const alarm = (await out.changes()).find(({ type }) => type === 'delivery.exhausted')!;
    assert.equal(alarm.data['error'], reason);
    failBefore = undefined;
    await out.store.write([], (tx) => tx.replayTask(alarm.data['delivery'] as string, out.clock.now()));
    await out.pass(2 * SECOND);
    assert.deepEqual(sent, ['a 0', 'a 1', 'a 2']);
    assert.equal((await read(id)).delivery!.state, 'sent');
  });

  it('waits without a failure while the vendor asks for a pause', async () => {
    let failBefore: number | undefined = 0;
    const { sent } = inParts(() => failBefore, new RateLimitedError('slowly', MINUTE));
    const id = await answer(await write(), 'a');
    await out.pass(30 * SECOND, 5 * SECOND);
    assert.equal((await read(id)).delivery!.state, 'waiting');
    failBefore = undefined;
    await out.pass(MINUTE, 5 * SECOND);
    assert.equal(sent.length, 3);
  });

  it('is not taken back to sent when the receipt was faster', async () => {
    let end: () => void = () => undefined;
    out.addChannel('chat', {
      async reply(reply) {
        await reply.partSent('far-1');
        await new Promise<void>((resolve) => (end = resolve));
      },
    });
    const id = await answer(await write());
    await out.pass(2 * SECOND);
    await out.file({ kind: 'receipt', externalId: 'far-1', state: 'read', occurredAt: out.clock.now() });
    end();
    await out.pass(2 * SECOND);
    assert.equal((await read(id)).delivery!.state, 'read');
    assert.equal((await out.deliveries())[0]!.state, 'delivered');
  });

  it('follows the one before it: two of a ticket never go out at once or in another order', async () => {
    const begun: string[] = [];
    let end: () => void = () => undefined;
    out.addChannel('chat', {
      async reply(reply) {
        begun.push(reply.message.text);
        await new Promise<void>((resolve) => (end = resolve));
      },
    });
    const ticket = await write();
    for (const text of ['a', 'b', 'c']) await answer(ticket, text);
    for (const expected of [['a'], ['a', 'b'], ['a', 'b', 'c']]) {
      await out.pass(2 * SECOND);
      assert.deepEqual(begun, expected);
      end();
    }
    await out.pass(2 * SECOND);
  });

  it('quotes the last message of its channel, not the last of the ticket', async () => {
    const { seen } = inParts(() => undefined, new Error());
    const ticket = await write({ externalId: 'm-1' });
    assert.equal(await write({ externalId: 'm-2' }, 'mail'), ticket);
    await out.desk.reply(ticket, { text: 'a', channel: 'chat' }, AGENT);
    await out.pass(2 * SECOND);
    assert.equal(seen[0]!.answers!.externalId, 'm-1');
    assert.deepEqual(seen[0]!.references, ['m-1']);
  });

  it('answers the same message at every try, whoever writes meanwhile', async () => {
    let failBefore: number | undefined = 0;
    const { seen } = inParts(() => failBefore, new RetryableError('no connection'));
    const ticket = await write({ externalId: 'm-1' });
    await answer(ticket);
    await out.pass(2 * SECOND);
    failBefore = undefined;
    assert.equal(await write({ externalId: 'm-2' }), ticket);
    await out.pass(10 * SECOND);
    assert.deepEqual(
      seen.map(({ answers, references }) => [answers!.externalId, references]),
      [
        ['m-1', ['m-1']],
        ['m-1', ['m-1']],
      ],
    );
  });

  it('knows what was said on its channel before, by both sides, and the last 20 of it', async () => {
    const { seen } = inParts(() => undefined, new Error());
    const ticket = await write({ externalId: 'm-0', thread: { externalId: 'chat-7' } });
    await answer(ticket);
    await out.pass(2 * SECOND);
    const rest = Array.from({ length: 18 }, (_, n) => `m-${n + 1}`);
    for (const externalId of rest) await write({ externalId, thread: { externalId: 'chat-7' } });
    await write({ externalId: 'other', thread: { externalId: 'chat-8' } });
    await write({ externalId: 'm-19', thread: { externalId: 'chat-7' } });
    await answer(ticket);
    await out.pass(2 * SECOND);
    assert.deepEqual(seen[1]!.references, ['far-2', ...rest, 'm-19']);
  });

  it('goes to the person, not to the machine that wrote last', async () => {
    const { seen } = inParts(() => undefined, new Error());
    const ticket = await write({ externalId: 'm-1' });
    await write({ externalId: 'm-2', automatic: 'auto_reply' });
    await answer(ticket);
    await out.pass(2 * SECOND);
    assert.equal(seen[0]!.answers!.externalId, 'm-1');
  });

  it('says why it can’t go out when its channel is closed, gone, or has no way back', async () => {
    const ticket = await write();
    out.endpoints.set('chat', { ...closed, problem: 'the token was revoked' });
    const id = await answer(ticket);
    await out.pass(2 * SECOND);
    assert.equal((await read(id)).delivery!.state, 'waiting', 'it waits until the channel is open again');
    assert.match((await out.error('chat'))!, /chat is closed: the token was revoked/);
    out.addChannel('chat', {});
    await out.pass(2 * MINUTE, 10 * SECOND);
    assert.match((await read(id)).delivery!.error!, /has no way back/);
    out.endpoints.delete('chat');
    const other = await answer(ticket);
    await out.pass(2 * SECOND);
    assert.match((await read(other)).delivery!.error!, /the channel chat was removed/);
  });

  it('needs words or a file, and a channel that the customer wrote through', async () => {
    const ticket = await write();
    await assert.rejects(out.desk.reply(ticket, { text: ' \n' }, AGENT), PermanentError);
    await assert.rejects(out.desk.reply(ticket, { text: 'a', channel: 'mail' }, AGENT), ConflictError);
    const content = Buffer.from('bytes');
    const file = { name: '../a.txt', mediaType: 'text/plain', content };
    const { messageId } = await out.desk.reply(ticket, { text: '', attachments: [file] }, AGENT);
    const [attachment] = (await read(messageId)).attachments;
    assert.deepEqual([attachment!.state, attachment!.size], ['stored', 5]);
    assert.doesNotMatch(attachment!.name, /\//);
  });
});

const closed = {
  id: 'chat',
  role: 'channel',
  type: 'test',
  name: 'chat',
  enabled: true,
  source: null,
  settings: {},
} as const;

describe('an answer over the API', () => {
  let far: Receiver;
  let whole: Whole;
  before(async () => {
    far = await startReceiver();
    const auth = `auth: { type: standard_webhooks, secret: "${INTAKE_SECRET}" }`;
    const reply = `reply: { url: "${far.origin}/answers", secret: "${INTAKE_SECRET}" }`;
    whole = await startWhole({ yaml: `  - { id: shop, type: webhook, ${auth}, ${reply} }\n` });
  });
  after(async () => {
    await whole.close();
    await far.close();
  });

  interface Listed {
    readonly data: readonly { readonly id: string; readonly subject: string }[];
  }
  const ticketOf = async (channel: string) => (await whole.api<Listed>(`/tickets?channel=${channel}`)).data[0]!.id;
  const replyTo = (ticket: string, body: object) =>
    fetch(`${whole.running.url}/api/v1/tickets/${ticket}/replies`, {
      method: 'POST',
      headers: { authorization: `Bearer ${whole.running.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  it('is posted to the address of the channel, and shows what became of it', async () => {
    assert.equal(
      await whole.send({ id: 'm-1', thread: 't-1', from: { id: 'u-1' }, text: 'Hi' }, { channel: 'shop' }),
      200,
    );
    const ticket = await ticketOf('shop');
    const answered = await replyTo(ticket, { text: 'Hello Olena' });
    assert.ok(answered.ok, String(answered.status));
    await answered.arrayBuffer();
    await until(async () => {
      const { data } = await whole.api<{ data: Message[] }>(`/tickets/${ticket}/messages`);
      return data.at(-1)!.delivery?.state === 'sent';
    }, 'the answer is out');
    const [posted] = far.requests;
    const { type, data: said } = JSON.parse(posted!.body.toString()) as {
      type: string;
      data: { message: Message; thread: string; inReplyTo: string };
    };
    assert.equal(posted!.url, '/answers');
    assert.deepEqual(
      [type, said.message.text, said.thread, said.inReplyTo],
      ['message.sent', 'Hello Olena', 't-1', 'm-1'],
    );
  });

  it('to somebody who used the form is refused with 409 and the reason', async () => {
    const sent = await fetch(`${whole.running.url}/forms/contact`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'Ivan', email: 'ivan@example.com', message: 'Where is my order?' }),
    });
    assert.ok(sent.ok, `${sent.status} ${await sent.text()}`);
    const refused = await replyTo(await ticketOf('contact'), { text: 'Hello' });
    assert.equal(refused.status, 409);
    const { detail } = (await refused.json()) as { detail: string };
    assert.match(detail, /no way back/);
  });
});
