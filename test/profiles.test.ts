import assert from 'node:assert/strict';
import type { Channel } from '../src/core/connector.ts';
import type { EnvelopeInput, Identifier } from '../src/core/envelope.ts';
import { AuthExpiredError, PermanentError, RateLimitedError, RetryableError } from '../src/core/errors.ts';
import { message } from './fakes/filing.ts';
import { openOutgoing, type Outgoing } from './fakes/outgoing.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe('a customer whom the platform only numbers', () => {
  let out: Outgoing;
  let asked: Identifier[];
  let answer: () => Awaited<ReturnType<NonNullable<Channel['profile']>>>;
  const profile = async (identifier: Identifier) => {
    asked.push(identifier);
    return answer();
  };

  beforeEach(async () => {
    asked = [];
    answer = () => ({ name: ' Олена\u0000Example ', locale: 'uk' });
    const channel = { profile, reply: async () => undefined };
    out = await openOutgoing([], {}, channel);
    out.addChannel('chat', channel);
  });
  afterEach(() => out.close());

  const write = async (
    from: string | readonly string[] = 'viber|77',
    rest: Partial<Omit<EnvelopeInput, 'kind'>> = {},
  ) => (await out.file(message(from, rest)))[0]!.ticketId!;
  const customer = async () => (await out.store.read.customers({}, { limit: 10 })).data.at(-1)!;
  const lookups = async () => (await out.deliveries()).filter(({ type }) => type === 'profile');

  it('gets the name and the language that his channel knows, and others hear of it', async () => {
    const ticket = await write();
    assert.equal((await customer()).name, null);
    await out.pass(2 * SECOND);
    assert.deepEqual(asked, [{ kind: 'viber', value: '77', trust: 'verified' }]);
    const { name, locale } = await customer();
    assert.deepEqual([name, locale], ['Олена Example', 'uk']);
    assert.equal((await out.store.read.ticket(ticket))!.customer.name, 'Олена Example');
    const told = (await out.changes()).at(-1)!;
    assert.deepEqual([told.type, told.data.ticket?.customer.name], ['ticket.updated', 'Олена Example']);
    const [lookup] = await lookups();
    const [said] = (await out.store.read.delivery(lookup!.id))!.log;
    assert.deepEqual([lookup!.state, said!.request, said!.response], ['delivered', 'viber 77', 'named']);
  });

  it('is asked for once a day at most, and no more once he has a name', async () => {
    answer = () => undefined;
    await write();
    await out.pass(2 * SECOND);
    await write();
    await out.pass(DAY - 2 * SECOND - 1, HOUR);
    await write();
    await out.pass(2 * SECOND);
    assert.equal(asked.length, 1);
    assert.equal((await customer()).name, null);
    answer = () => ({ name: 'Olena' });
    await write();
    await out.pass(2 * SECOND);
    assert.equal(asked.length, 2);
    await out.pass(2 * DAY, HOUR);
    await write();
    await out.pass(2 * SECOND);
    assert.equal(asked.length, 2);
  });

  it('keeps a name that came with a message, or was given to him while the vendor was asked', async () => {
    await write('viber|77', {
      sender: { name: 'Anna', identifiers: [{ kind: 'viber', value: '77', trust: 'verified' }] },
    });
    await write();
    await out.pass(2 * SECOND);
    assert.deepEqual([asked, await lookups()], [[], []]);

    let give: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (give = resolve));
    out.addChannel('chat', {
      async profile() {
        await held;
        return { name: 'From the vendor' };
      },
    });
    await write('viber|78');
    await out.pass(SECOND);
    const identifiers = [{ kind: 'viber', value: '78', trust: 'verified' as const }];
    await write('viber|78', { sender: { name: 'Ivan', identifiers } });
    give();
    await out.pass(2 * SECOND);
    const { data } = await out.store.read.customers({ identifier: { kind: 'viber', value: '78' } }, { limit: 1 });
    assert.equal(data[0]!.name, 'Ivan');
    assert.equal((await out.store.read.delivery((await lookups())[0]!.id))!.log[0]!.response, 'has a name');
  });

  it('is not asked for by what the platform doesn’t vouch for, nor for what an agent wrote elsewhere', async () => {
    await write(['phone|+380671234567|observed', 'email|o@example.com|claimed']);
    await write('viber|77', {
      thread: { externalId: 'c' },
      sender: { name: 'Anna', identifiers: [{ kind: 'viber', value: '77', trust: 'verified' }] },
    });
    await write('viber|agent', { thread: { externalId: 'c' }, direction: 'outbound' });
    await out.pass(2 * SECOND);
    assert.deepEqual([asked, await lookups()], [[], []]);
    await write(['phone|+380671234567|observed', 'viber|79']);
    await out.pass(2 * SECOND);
    assert.deepEqual(asked, [{ kind: 'viber', value: '79', trust: 'verified' }]);
  });

  describe('when the vendor won’t say', () => {
    const states = async () => (await lookups()).map(({ state, error }) => [state, error]);
    const endpoint = async () =>
      (await out.store.read.endpointStates()).find(({ endpointId }) => endpointId === 'chat')!;

    for (const [why, error] of [
      ['refuses', new PermanentError('not allowed to see this person')],
      ['is gone', new PermanentError('410 Gone', { gone: true })],
      ['wants other credentials for it', new AuthExpiredError('needs the permission profile')],
    ] as const) {
      it(`since he ${why}, that is the end of it: no alarm, no pause, answers go out`, async () => {
        answer = () => {
          throw error;
        };
        const ticket = await write();
        await out.pass(2 * SECOND);
        assert.deepEqual(await states(), [['delivered', error.message]]);
        const { disabledAt, pausedUntil, needsReauth } = await endpoint();
        assert.deepEqual([disabledAt, pausedUntil, needsReauth], [null, null, false]);
        const types = (await out.changes()).map(({ type }) => type);
        assert.ok(!types.includes('delivery.exhausted') && !types.includes('channel.health_changed'), types.join());
        const { messageId } = await out.desk.reply(ticket, { text: 'Hello' }, 'user:usr_1');
        await out.pass(2 * SECOND);
        assert.equal((await out.store.read.message(messageId))!.delivery!.state, 'sent');
      });
    }

    it('since he can’t be reached, he is asked again, for a day, and the channel is not held to be down', async () => {
      answer = () => {
        throw new RetryableError('no connection');
      };
      await write();
      await out.pass(10 * MINUTE, 5 * SECOND);
      assert.ok(asked.length >= 3, `asked ${asked.length} times`);
      assert.deepEqual(await states(), [['waiting', 'no connection']]);
      const { failures, pausedUntil } = await endpoint();
      assert.deepEqual([failures, pausedUntil], [0, null]);
      await out.pass(30 * HOUR, 10 * MINUTE);
      assert.deepEqual(await states(), [['delivered', 'no connection']]);
    });

    it('for now, since he was asked too often, only his name waits', async () => {
      let limited = true;
      answer = () => {
        if (limited) throw new RateLimitedError('slow down', 10 * MINUTE);
        return { name: 'Olena' };
      };
      const ticket = await write();
      await out.pass(2 * SECOND);
      limited = false;
      const { messageId } = await out.desk.reply(ticket, { text: 'Hello' }, 'user:usr_1');
      await out.pass(8 * MINUTE, 10 * SECOND);
      assert.equal((await out.store.read.message(messageId))!.delivery!.state, 'sent');
      assert.equal(asked.length, 1);
      await out.pass(3 * MINUTE, 10 * SECOND);
      assert.equal((await customer()).name, 'Olena');
    });

    it('says nothing about credentials that were refused otherwise', async () => {
      await out.store.write([], (tx) => tx.updateEndpointState('chat', { needsReauth: true, failures: 3 }));
      await write();
      await out.pass(2 * SECOND);
      assert.equal((await customer()).name, 'Олена Example');
      const { needsReauth, failures } = await endpoint();
      assert.deepEqual([needsReauth, failures], [true, 3]);
    });

    it('keeps no answer and no other name waiting, however long he takes', async () => {
      out.addChannel('chat', { profile: () => new Promise(() => undefined), reply: async () => undefined });
      let ticket = '';
      for (let i = 0; i < 6; i++) ticket = await write(`viber|slow-${i}`);
      await out.pass(2 * SECOND);
      const { messageId } = await out.desk.reply(ticket, { text: 'Hello' }, 'user:usr_1');
      await out.pass(2 * SECOND);
      assert.equal((await out.store.read.message(messageId))!.delivery!.state, 'sent');
    });
  });
});
