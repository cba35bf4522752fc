import assert from 'node:assert/strict';
import { max } from '../src/connectors/max/max.ts';
import type { Channel } from '../src/core/connector.ts';
import { AuthExpiredError } from '../src/core/errors.ts';
import type { Payload } from '../src/core/payload.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext, fakeLog } from './fakes/context.ts';
import type { FakeLog } from './fakes/context.ts';
import { refusal, SECRET, startMax, TOKEN } from './fakes/max.ts';
import type { FakeMax } from './fakes/max.ts';

const signal = new AbortController().signal;
const WEBHOOK = 'https://desk.example.com/webhooks/max';
const SINCE = 1_795_341_600_000;

describe('What MAX could not push', () => {
  let api: FakeMax;
  let egress: Egress;
  let known: readonly string[];
  const slept: number[] = [];
  let log: FakeLog;
  beforeEach(async () => {
    api = await startMax();
    egress = createHttp({ allow: ['127.0.0.1'] });
    known = ['5001'];
    log = fakeLog();
    slept.splice(0);
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  async function open(settings: object = {}, given: Parameters<typeof fakeContext>[0] = {}): Promise<Channel> {
    const config = max.config.parse({ token: TOKEN, webhookSecret: SECRET, apiRoot: api.root, ...settings });
    const clock = { ...fakeClock(), sleep: async (ms: number) => void slept.push(ms) };
    const threads = async () => known;
    const context = fakeContext({ id: 'max', http: egress.for({ hosts: [] }), clock, log, threads, ...given });
    return max.open(config, context);
  }

  const anna = { user_id: 7001, first_name: 'Anna', last_name: 'Example', is_bot: false };
  const message = (mid: string, after: number, more: object = {}) => ({
    sender: anna,
    recipient: { chat_id: 5001, chat_type: 'dialog', user_id: 9001 },
    timestamp: SINCE + after,
    body: { mid, seq: 1, text: `text of ${mid}`, attachments: [] },
    ...more,
  });
  const found = async (channel: Channel): Promise<string[]> => {
    const ids: string[] = [];
    for await (const { body } of channel.reconcile!(SINCE, signal)) {
      for (const item of await channel.normalize({ body } as unknown as Payload)) {
        assert.ok(item.kind === 'message' && item.revision === undefined);
        ids.push(item.externalId);
      }
    }
    return ids;
  };
  const pagesAsked = () => api.callsOf('GET /messages').map(({ query }) => [query['chat_id'], query['from']]);

  it('is found in every chat that is known, the oldest first, under the id it would have been pushed with', async () => {
    known = ['5001', '-6001'];
    api.said.set('5001', [message('mid.2', 5), message('mid.1', 0), message('mid.0', -1)]);
    api.said.set('-6001', [message('mid.3', 1, { recipient: { chat_id: -6001, chat_type: 'chat' } })]);
    assert.deepEqual(await found(await open()), ['mid.1', 'mid.2', 'mid.3']);
    assert.deepEqual(await found(await open({ mode: 'poll' })), ['mid.1', 'mid.2', 'mid.3']);
  });

  it('leaves out what the bot said itself, and nobody else', async () => {
    const bot = { user_id: 9001, first_name: 'Example Desk', is_bot: true };
    api.said.set('5001', [message('mid.1', 1, { sender: bot }), message('mid.2', 2)]);
    assert.deepEqual(await found(await open()), ['mid.2']);
  });

  it('is fetched page by page, back to the time that is asked for and no further', async () => {
    const all = Array.from({ length: 250 }, (_, index) => message(`mid.${index}`, index));
    api.said.set('5001', [...all, message('mid.old', -1), message('mid.older', -2)]);
    assert.deepEqual(
      await found(await open()),
      all.map(({ body }) => body.mid),
    );
    assert.deepEqual(pagesAsked(), [
      ['5001', undefined],
      ['5001', String(SINCE + 150)],
      ['5001', String(SINCE + 51)],
    ]);
  });

  it('is not asked for without end where a page leads nowhere', async () => {
    const all = Array.from({ length: 100 }, (_, index) => message(`mid.${index}`, 7));
    api.said.set('5001', all);
    assert.equal((await found(await open())).length, 100);
    assert.equal(pagesAsked().length, 2);
  });

  it('leaves out a chat in which the bot was stopped, and goes on with the next', async () => {
    known = ['5002', '5001'];
    api.said.set('5001', [message('mid.1', 0)]);
    assert.deepEqual(await found(await open()), ['mid.1']);
  });

  it('is asked for as slowly as MAX wants', async () => {
    api.said.set('5001', [message('mid.1', 0)]);
    api.end('GET /messages', refusal(429, 'too.many.requests'));
    assert.deepEqual(await found(await open()), ['mid.1']);
    assert.deepEqual(slept, [2000]);
  });

  it('is a failure where MAX does not know the bot any more, or has a fault', async () => {
    const channel = await open();
    api.end('GET /messages', refusal(401, 'verify.token', 'Invalid access_token'));
    await assert.rejects(found(channel), AuthExpiredError);
    api.end('GET /messages', refusal(403, 'verify.token', 'Invalid access_token'));
    await assert.rejects(found(channel), AuthExpiredError);
    api.end('GET /messages', refusal(500, 'internal.error'));
    await assert.rejects(found(channel), /500/);
    api.end('GET /messages', refusal(400, 'proto.payload'));
    await assert.rejects(found(channel), /400/);
  });

  describe('because it took the bot off the webhook', () => {
    const warnings = () => log.entries.filter(({ level }) => level === 'warn').map(({ text }) => text);

    it('comes again: the webhook is registered before anything is asked for, and it is said', async () => {
      const channel = await open();
      await channel.connect!(signal);
      api.webhooks.clear();
      await found(channel);
      assert.deepEqual([...api.webhooks], [[WEBHOOK, SECRET]]);
      const order = api.calls.map(({ method }) => method);
      assert.ok(order.lastIndexOf('POST /subscriptions') < order.indexOf('GET /messages'));
      assert.match(warnings().join('\n'), /off its webhook/);
    });

    it('is left alone while the webhook stands', async () => {
      const channel = await open();
      await channel.connect!(signal);
      await found(channel);
      assert.equal(api.callsOf('POST /subscriptions').length, 1);
    });

    it('is registered beside the webhook of another program', async () => {
      api.webhooks.set('https://other.example.com/', undefined);
      await found(await open());
      assert.ok(api.webhooks.has(WEBHOOK));
    });

    it('is not registered where MAX would not call, nor where it is polled', async () => {
      await found(await open({}, { publicUrl: 'http://desk.example.com' }));
      await found(await open({ mode: 'poll' }));
      assert.deepEqual([...api.webhooks], []);
      assert.deepEqual(api.callsOf('GET /subscriptions'), []);
    });

    it('is a failure where MAX does not register it', async () => {
      api.end('POST /subscriptions', { status: 200, body: { success: false, message: 'url is not reachable' } });
      await assert.rejects(found(await open()), /url is not reachable/);
    });
  });
});
