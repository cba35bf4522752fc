import assert from 'node:assert/strict';
import { slack } from '../src/connectors/slack/slack.ts';
import type { Raw } from '../src/core/connector.ts';
import { AuthExpiredError, PermanentError, RetryableError } from '../src/core/errors.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import { APP_TOKEN, AT, BOT_TOKEN, SELF, startSlack, TEAM, wrapped } from './fakes/slack.ts';
import type { FakeSlack } from './fakes/slack.ts';
import { until } from './fakes/until.ts';

describe('Slack, where nobody reaches us', () => {
  let api: FakeSlack;
  let egress: Egress;
  let ending: AbortController;
  let emitted: string[];
  let clock: ReturnType<typeof fakeClock>;
  /** What becomes of the next events. */
  let store: () => Promise<void>;
  beforeEach(async () => {
    api = await startSlack();
    egress = createHttp({ allow: ['127.0.0.1'] });
    ending = new AbortController();
    emitted = [];
    clock = fakeClock((AT + 1000) * 1000);
    store = async () => undefined;
  });
  afterEach(async () => {
    ending.abort();
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  function open() {
    const config = { botToken: BOT_TOKEN, appToken: APP_TOKEN, apiRoot: api.root };
    return slack.open(slack.config.parse(config), fakeContext({ id: 'slack', http: egress.for({ hosts: [] }), clock }));
  }
  /** Runs the stream; what it ends with. */
  async function run(): Promise<unknown> {
    const emit = async ({ body }: Raw) => {
      await store();
      emitted.push(body.toString());
    };
    const channel = await open();
    return channel.stream!(undefined, emit, ending.signal).then(
      () => undefined,
      (error: unknown) => error,
    );
  }
  const event = (envelope_id: string) => JSON.stringify({ type: 'events_api', envelope_id, payload: wrapped({}) });
  const connected = (count: number) => until(() => api.connections.length === count, `${count} connections`);

  it('stores each event before it is acknowledged', async () => {
    const storing: (() => void)[] = [];
    store = () => new Promise((resolve) => void storing.push(resolve));
    const over = run();
    await connected(1);
    api.connections[0]!.send(event('one'));
    api.connections[0]!.send(event('two'));
    await until(() => storing.length === 1, 'the first is being stored');
    assert.deepEqual(api.acknowledged, []);
    store = async () => undefined;
    storing[0]!();
    await until(() => api.acknowledged.length === 2, 'both are acknowledged');
    assert.deepEqual(
      [emitted, api.acknowledged],
      [
        [event('one'), event('two')],
        ['one', 'two'],
      ],
    );
    ending.abort();
    assert.ok((await over) instanceof RetryableError);
    await until(() => api.connections[0]!.readyState === 3, 'the connection is closed');
  });

  it('acknowledges nothing that could not be stored, and begins anew', async () => {
    store = async () => {
      throw new RetryableError('no disk');
    };
    const over = run();
    await connected(1);
    api.connections[0]!.send(event('one'));
    assert.match(String(await over), /no disk/);
    assert.deepEqual(api.acknowledged, []);
  });

  it('stores what it cannot read', async () => {
    void run();
    await connected(1);
    for (const odd of ['{', '[]', JSON.stringify({ type: 'dream', envelope_id: 'odd' })]) api.connections[0]!.send(odd);
    await until(() => emitted.length === 3, 'all are stored');
    await until(() => api.acknowledged.length === 1, 'the one with an id is acknowledged');
  });

  it('opens the next connection before the old one ends, and hears both meanwhile', async () => {
    void run();
    await connected(1);
    const [old] = api.connections;
    api.greets = false;
    old!.send(JSON.stringify({ type: 'disconnect', reason: 'warning' }));
    await connected(2);
    const fresh = api.connections[1]!;
    old!.send(event('old'));
    await until(() => api.acknowledged.length === 1, 'the old one is heard');
    assert.equal(old!.readyState, 1, 'closed before Slack has greeted on the next one');
    fresh.send(JSON.stringify({ type: 'hello' }));
    await until(() => old!.readyState === 3, 'the old one is closed');
    fresh.send(event('fresh'));
    await until(() => api.acknowledged.length === 2, 'the next one is heard');
    assert.equal(api.callsOf('apps.connections.open').length, 2);
  });

  it('ends when Slack hangs up, switches it off, or takes the token away', async () => {
    const hungUp = run();
    await connected(1);
    api.connections[0]!.close();
    assert.match(String(await hungUp), /Slack closed the connection/);
    const switchedOff = run();
    await connected(2);
    api.connections[1]!.send(JSON.stringify({ type: 'disconnect', reason: 'link_disabled' }));
    assert.ok((await switchedOff) instanceof PermanentError);
    api.end('apps.connections.open', 'invalid_auth');
    assert.ok((await run()) instanceof AuthExpiredError);
  });

  it('ends when Slack never greets', async () => {
    api.greets = false;
    const over = run();
    await connected(1);
    await until(() => clock.sleepers > 0, 'it waits');
    await clock.advance(30_000);
    assert.match(String(await over), /Slack closed the connection/);
  });

  it('connects to no host but Slack’s', async () => {
    for (const to of ['wss://example.com/link', 'wss://slack.com.example.com/', 'ws://wss.slack.com/', 'nothing']) {
      api.connectsTo = to;
      const error = await run();
      assert.ok(error instanceof PermanentError && /isn't Slack's/.test(error.message), to);
    }
  });

  describe('asked for what was missed', () => {
    const ts = (seconds: number) => `${AT + seconds}.000100`;
    async function missed(since: number): Promise<{ texts: string[]; raws: Record<string, unknown>[] }> {
      const channel = await open();
      const raws: Record<string, unknown>[] = [];
      for await (const { body } of channel.reconcile!(since, ending.signal)) {
        raws.push(JSON.parse(body.toString()) as Record<string, unknown>);
      }
      return { raws, texts: raws.map(({ event }) => (event as { text: string }).text) };
    }
    beforeEach(() => {
      api.said.set('C01', [
        { ts: ts(-100_000), text: 'an old thread', user: 'U1' },
        { ts: ts(-10), text: 'known', user: 'U1' },
        { ts: ts(5), text: 'third', user: 'U2' },
        { ts: ts(2), text: 'second', thread_ts: ts(-100_000), user: 'U2' },
        { ts: ts(6), text: 'ours', thread_ts: ts(-100_000), user: SELF },
        { ts: ts(7), text: 'shown too', thread_ts: ts(5), subtype: 'thread_broadcast', user: 'U2' },
      ]);
      api.said.set('D01', [{ ts: ts(1), text: 'in private', user: 'U1' }]);
      api.said.set('G01', [{ ts: ts(1), text: 'among some', user: 'U1' }]);
      api.said.set('C02', []);
    });

    it('tells what others said, also below older messages, the oldest first', async () => {
      const { texts, raws } = await missed(AT * 1000);
      assert.deepEqual(texts, ['second', 'third', 'shown too', 'in private', 'among some']);
      assert.deepEqual(
        raws.map(({ event }) => (event as { channel_type: string }).channel_type),
        ['channel', 'channel', 'channel', 'im', 'mpim'],
      );
      const { type, team_id, authorizations } = raws[0]!;
      assert.deepEqual([type, team_id, authorizations], ['event_callback', TEAM, [{ user_id: SELF, is_bot: true }]]);
    });

    it('goes on from page to page', async () => {
      const whole = await missed(AT * 1000);
      api.pageSize = 1;
      assert.deepEqual(await missed(AT * 1000), whole);
    });

    it('waits as long as Slack asks it to, and goes on where it was', async () => {
      api.end('conversations.history', { http: 429, headers: { 'retry-after': '7' } }, { http: 429 }, 'ratelimited');
      let isOver = false;
      const over = missed(AT * 1000).finally(() => (isOver = true));
      for (const ms of [7000, 30_000, 30_000]) {
        await until(() => clock.sleepers > 0, 'it waits');
        await clock.advance(ms - 1);
        assert.equal(isOver, false);
        await clock.advance(1);
      }
      assert.equal((await over).texts.length, 5);
      assert.equal(api.callsOf('users.conversations').length, 1);
    });

    it('fails with what Slack refuses', async () => {
      api.end('users.conversations', 'missing_scope');
      await assert.rejects(missed(AT * 1000), PermanentError);
    });
  });
});
