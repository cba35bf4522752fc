import assert from 'node:assert/strict';
import { text as textOf } from 'node:stream/consumers';
import { mango } from '../src/connectors/mango/mango.ts';
import type { Channel, Raw } from '../src/core/connector.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
  UncertainError,
} from '../src/core/errors.ts';
import type { Payload } from '../src/core/payload.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeClock } from './fakes/clock.ts';
import type { FakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import { KEY, mangoAnswer, SALT, startMango } from './fakes/mango.ts';
import type { FakeMango } from './fakes/mango.ts';
import { until } from './fakes/until.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = Date.parse('2026-11-23T09:00:00Z');
const WISH = { id: 'cbk_1', to: '+79161234567', agent: '101' };
const signal = new AbortController().signal;

describe("Mango's channel, against a stand-in that is a closed world", () => {
  let api: FakeMango;
  let egress: Egress;
  let clock: FakeClock;
  beforeEach(async () => {
    api = await startMango();
    clock = fakeClock(NOW);
    egress = createHttp({ allow: ['127.0.0.1'], clock });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  function open(settings: object = {}): Channel {
    const config = mango.config.parse({ key: KEY, salt: SALT, apiRoot: `${api.root}/`, ...settings });
    return mango.open(config, fakeContext({ id: 'calls', clock, http: egress.for({ hosts: [] }) })) as Channel;
  }

  async function failure(work: Promise<unknown>): Promise<TributaryError> {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof TributaryError, `threw ${String(error)}`);
    const all = JSON.stringify([error, error.message, error.hint, error.stack, error.response, String(error.cause)]);
    assert.ok(!all.includes(SALT), 'the salt is in the error');
    return error;
  }

  /** Lets time pass whenever somebody waits, until it is done. */
  async function soon<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const end = () => (isDone = true);
    work.then(end, end);
    while (!isDone) {
      await until(() => isDone || clock.sleepers > 0);
      if (!isDone) await clock.advance(5000);
    }
    return work;
  }

  async function missedSince(since: number): Promise<string[]> {
    const found: Raw[] = [];
    const work = (async () => {
      for await (const raw of open().reconcile!(since, signal)) found.push(raw);
    })();
    await soon(work);
    return found.map(({ body }) => (JSON.parse(body.toString()) as { entry_id: string }).entry_id);
  }

  const listed = (entry_id: string, at: number) => ({ entry_id, context_start_time: Math.floor(at / 1000) });

  describe('what was missed', () => {
    it('is asked for, calls that went on since too, the oldest first, by whosever clocks periods are told', async () => {
      api.calls = [
        listed('before', NOW - 5 * HOUR - 1000),
        listed('first', NOW - 5 * HOUR),
        listed('last', NOW - 1000),
        listed('later', NOW + HOUR),
        { entry_id: 'some time', context_start_time: null },
      ];
      for (const zone of [2, 3, 12]) {
        api.zone = zone;
        assert.deepEqual((await missedSince(NOW - HOUR)).toSorted(), ['first', 'last', 'some time'], `UTC+${zone}`);
      }
      const [{ params } = assert.fail()] = api.asked;
      assert.deepEqual([params['start_date'], params['end_date']], ['22.11.2026 21:00:00', '23.11.2026 22:00:00']);
      api.calls = api.calls.slice(1, 3);
      assert.deepEqual(await missedSince(NOW - HOUR), ['first', 'last']);
    });

    it('is asked for page by page and month by month, and none is missing or there twice', async () => {
      const start = NOW - 40 * DAY;
      api.calls = Array.from({ length: 2300 }, (_, index) => listed(`c${index}`, start + index * 25 * 60_000));
      const ids = await missedSince(start);
      assert.deepEqual(
        ids,
        api.calls.map(({ entry_id }) => entry_id),
      );
      const asked = api.asked.filter(({ method }) => method === '/stats/calls/request/');
      assert.deepEqual(
        asked.map(({ params }) => params['offset']),
        [0, 1000, 0],
      );
    });

    it('is waited for while it is made, asked for every five seconds and no longer than three minutes', async () => {
      api.calls = [listed('c', NOW - HOUR)];
      api.work = 3;
      const found = missedSince(NOW - HOUR);
      assert.deepEqual(await found, ['c']);
      assert.equal(api.asked.filter(({ method }) => method === '/stats/calls/result/').length, 4);
      assert.equal(clock.now(), NOW + 4 * 5000);
      api.work = Infinity;
      const error = await failure(missedSince(NOW - HOUR));
      assert.ok(error instanceof RetryableError);
      assert.match(error.message, /not ready within 3 minutes/);
      assert.equal(clock.now(), NOW + 4 * 5000 + 180_000);
    });

    it('is waited for also where the answer is empty, and given up where Mango does', async () => {
      api.calls = [listed('c', NOW - HOUR)];
      api.work = 0;
      const asks = mangoAnswer({ key: 'key0+/=' });
      api.endings.push(asks, { status: 204 }, mangoAnswer({ result: 1000, status: 'request' }));
      assert.deepEqual((await failure(missedSince(NOW - HOUR))).message, 'stats/calls/result: not-found');
      for (const [answers, why] of [
        [[asks, mangoAnswer({ result: 1000, status: 'error' })], /result: error/],
        [[asks, mangoAnswer({ result: 1000, status: 'cancel' })], /result: cancel/],
        [[asks, mangoAnswer({ result: 1000, status: 'complete', data: 'none' })], /no list of calls/],
        [[asks, mangoAnswer({ result: 1000, status: 'complete', data: [{ list: ['none'] }] })], /no list of calls/],
        [[mangoAnswer({ result: 1000 })], /no key/],
        [[{ status: 200, body: '<html>' }], /no key/],
      ] as const) {
        api.endings.push(...answers);
        const error = await failure(missedSince(NOW - HOUR));
        assert.ok(error instanceof RetryableError, error.message);
        assert.match(error.message, why);
      }
      api.endings.push(asks, mangoAnswer({ result: 1000, status: 'complete', data: [{ period: '2026-11-23' }] }));
      assert.deepEqual(await missedSince(NOW - HOUR), []);
    });
  });

  describe('a call-back', () => {
    it('rings up the employee, then the customer', async () => {
      assert.deepEqual(await open().callBack!(WISH, signal), {});
      const params = { command_id: 'cbk_1', from: { extension: '101' }, to_number: '79161234567' };
      assert.deepEqual(api.asked, [{ method: '/commands/callback', params }]);
      // The answer may be empty: what became of it is told later.
      api.endings.push({ status: 200 });
      await open().callBack!(WISH, signal);
    });

    it('asks Mango for nothing where there is no extension', async () => {
      for (const agent of ['', 'olena', '+74951112233', '101 ']) {
        const error = await failure(open().callBack!({ ...WISH, agent }, signal));
        assert.ok(error instanceof PermanentError, agent);
        assert.match(error.hint ?? '', /extension/);
      }
      assert.deepEqual(api.asked, []);
    });

    it('says when nobody knows whether it rings', async () => {
      for (const ending of [{ status: 502 }, mangoAnswer({ result: 5011 }), mangoAnswer({ result: 5003 }, 500)]) {
        api.endings.push(ending);
        assert.ok((await failure(open().callBack!(WISH, signal))) instanceof UncertainError, JSON.stringify(ending));
      }
      api.drop();
      assert.ok((await failure(open().callBack!(WISH, signal))) instanceof UncertainError, 'dropped');
      // Where nobody listens, nothing rings.
      const nowhere = open({ apiRoot: 'http://127.0.0.1:1' });
      assert.ok((await failure(nowhere.callBack!(WISH, signal))) instanceof RetryableError, 'not even asked');
    });
  });

  it('says in Mango’s words why it refuses, by its code whatever the status', async () => {
    for (const [ending, kind, words] of [
      [
        mangoAnswer({ result: 3100, message: 'bad parameters' }),
        PermanentError,
        'commands/callback: 3100 bad parameters',
      ],
      [mangoAnswer({ result: '2240' }), PermanentError, 'commands/callback: 2240'],
      [mangoAnswer({ result: 4001 }, 400), PermanentError, 'commands/callback: 4001'],
      [mangoAnswer({ code: 3330, message: 'no number' }, 404), PermanentError, 'commands/callback: 3330 no number'],
      [mangoAnswer({ result: 3102 }), AuthExpiredError, 'commands/callback: 3102'],
      [mangoAnswer({ result: 3105 }, 400), AuthExpiredError, 'commands/callback: 3105'],
      [mangoAnswer({ result: 5008 }, 503), RateLimitedError, 'commands/callback: 5008'],
      [mangoAnswer({ result: 4290 }), RateLimitedError, 'commands/callback: 4290'],
      [mangoAnswer({ name: 'Service Unavailable', code: 0, status: 429 }, 429), RateLimitedError, /429$/],
      [{ status: 401, body: '' }, AuthExpiredError, /401$/],
      [{ status: 403, body: '' }, PermanentError, /403$/],
    ] as const) {
      api.endings.push(ending);
      const error = await failure(open().callBack!(WISH, signal));
      assert.equal(error.constructor, kind, `${JSON.stringify(ending)}: ${error.name}`);
      if (typeof words === 'string') assert.equal(error.message, words);
      else assert.match(error.message, words);
      if (error instanceof RateLimitedError) assert.equal(error.retryAfterMs, 60_000);
      if (error instanceof AuthExpiredError) assert.match(error.hint ?? '', /key and salt/);
    }
    // No code of Mango's.
    api.endings.push(mangoAnswer({ result: 'fine', code: 200 }));
    await open().callBack!(WISH, signal);
  });

  it('is tested by its key and its salt', async () => {
    assert.equal(await open().test!(), 'key and salt are right');
    for (const settings of [{ key: 'other' }, { salt: 'other' }]) {
      assert.ok((await failure(open(settings).test!())) instanceof AuthExpiredError, JSON.stringify(settings));
    }
  });

  it('is asked at an address without a slash at its end, and at Mango’s own where none is set', () => {
    const { apiRoot } = mango.config.parse({ key: KEY, salt: SALT });
    assert.equal(apiRoot, 'https://app.mango-office.ru/vpbx');
    for (const settings of [{ key: 'a b' }, { key: '' }, { salt: '' }, { apiRoot: 'ftp://x.test' }, { other: 1 }]) {
      assert.ok(!mango.config.safeParse({ key: KEY, salt: SALT, ...settings }).success, JSON.stringify(settings));
    }
  });

  describe('a recording', () => {
    const file = { id: 'recording:MTox', name: 'recording.mp3', mediaType: 'audio/mpeg' };
    const announced = (receivedAt: number): Payload => ({
      ...{ endpointId: 'calls', method: 'POST', url: '', headers: {}, receivedAt, body: Buffer.alloc(0) },
    });
    const fetched = async (receivedAt = NOW) => textOf(await open().download!(file, announced(receivedAt)));

    it('is fetched by a link that is asked for at that moment, without anything of ours', async () => {
      api.links.set('MTox', `${api.root}/files/1`);
      api.files.set('/files/1', Buffer.from('ID3'));
      assert.equal(await fetched(), 'ID3');
      const params = { recording_id: 'MTox', action: 'download' };
      assert.deepEqual(api.asked, [{ method: '/queries/recording/post', params }]);
    });

    it('is fetched at no address but Mango’s', async () => {
      for (const link of [
        'https://evil.example.com/1.mp3',
        'https://mango-office.ru.example.com/1.mp3',
        'https://notmango-office.ru/1.mp3',
        'http://files.mango-office.ru/1.mp3',
        'https://files.mango-office.ru:8443/1.mp3',
        'file:///etc/passwd',
      ]) {
        api.links.set('MTox', link);
        const error = await failure(fetched());
        assert.ok(error instanceof PermanentError, link);
        assert.match(error.message, /none of Mango's addresses/, link);
      }
    });

    it('that is not there yet is asked for again for half an hour, and says nothing about the account', async () => {
      for (const ending of [
        mangoAnswer({ result: 3320 }, 404),
        mangoAnswer({ result: 3320 }),
        mangoAnswer({}),
        { status: 401, body: '' },
        { status: 410, body: '' },
      ]) {
        api.endings.push(ending, ending);
        assert.ok((await failure(fetched())) instanceof RetryableError, JSON.stringify(ending));
        const error = await failure(fetched(NOW - HOUR));
        assert.ok(error instanceof PermanentError && !error.gone, JSON.stringify(ending));
      }
    });

    it('waits where Mango asks for it, and where the account must be looked at', async () => {
      for (const [ending, kind] of [
        [mangoAnswer({ result: 3102 }), AuthExpiredError],
        [mangoAnswer({ code: 0, status: 429 }, 429), RateLimitedError],
        [{ status: 503, body: '' }, RetryableError],
      ] as const) {
        api.endings.push(ending);
        assert.equal((await failure(fetched(NOW - HOUR))).constructor, kind, JSON.stringify(ending));
      }
    });
  });
});
