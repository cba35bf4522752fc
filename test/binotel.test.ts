import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { binotel } from '../src/connectors/binotel/binotel.ts';
import { endOf } from '../src/connectors/binotel/disposition.ts';
import { readForm } from '../src/connectors/binotel/form.ts';
import { toE164, toLocal } from '../src/connectors/binotel/phone.ts';
import type { Channel, Raw } from '../src/core/connector.ts';
import {
  AuthExpiredError,
  BadPayloadError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
  UncertainError,
} from '../src/core/errors.ts';
import type { Payload, WebhookRequest } from '../src/core/payload.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeClock } from './fakes/clock.ts';
import type { FakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import { openFiling } from './fakes/filing.ts';
import { binotelRefusal, KEY, SECRET, startBinotel } from './fakes/binotel.ts';
import type { FakeBinotel } from './fakes/binotel.ts';
import { until } from './fakes/until.ts';

const FIXTURES = join(import.meta.dirname, '../src/connectors/binotel/fixtures');
const DAY = 86_400_000;
const HOUR = 3_600_000;
const NOW = Date.parse('2026-11-23T09:00:00Z');
const signal = new AbortController().signal;
const BASE = { token: 'a'.repeat(32), key: KEY, secret: SECRET };

function recorded(name: string): Payload {
  const folder = join(FIXTURES, name);
  const { method, url, headers, receivedAt, remoteAddress, body } = JSON.parse(
    readFileSync(join(folder, 'payload.json'), 'utf8'),
  ) as Record<'method' | 'url' | 'receivedAt' | 'remoteAddress' | 'body', string> & { headers: Record<string, string> };
  const bytes = method === 'RECONCILE' ? readFileSync(join(folder, 'body.json')) : Buffer.from(body);
  return { endpointId: 'calls', method, url, headers, remoteAddress, receivedAt: Date.parse(receivedAt), body: bytes };
}

function openWith(settings: object = {}): Channel {
  return binotel.open(binotel.config.parse({ ...BASE, ...settings }), fakeContext({ id: 'calls' })) as Channel;
}

describe('A call at Binotel', () => {
  it('is one call with all that is known of it, in whatever order its webhooks and the list come', async () => {
    const all = ['received', 'answered', 'hung-up', 'completed', 'listed'];
    const orders = [0, 1, 2, 3, 4].map((by) => [...all.slice(by), ...all.slice(0, by)]);
    for (const order of [...orders, ...orders.map((each) => each.toReversed()), [...all, ...all]]) {
      const filing = await openFiling({ channel: openWith() });
      // One that was missed before opens the ticket that it joins.
      await filing.intake.receive(recorded('missed-before'));
      for (const name of order) await filing.intake.receive(recorded(name));
      const { data } = await filing.store.read.tickets({}, { limit: 10 });
      const pages = await Promise.all(data.map(({ id }) => filing.store.read.messages(id, { limit: 10 })));
      await filing.close();
      const messages = pages.flatMap((page) => page.data).filter(({ externalId }) => externalId === '6536020001');
      assert.equal(messages.length, 1, order.join());
      const [{ call, attachments, occurredAt } = assert.fail()] = messages;
      assert.equal(new Date(occurredAt).toISOString(), '2026-11-23T08:05:05.000Z');
      assert.equal(attachments.length, 1);
      assert.deepEqual(JSON.parse(JSON.stringify(call)), {
        ...{ outcome: 'answered', direction: 'inbound', from: '+380671234567', to: '+380441112233' },
        ...{ agent: 'Олена Зразкова', waitedSec: 13, talkedSec: 17, recording: call?.recording },
      });
    }
  });

  it('ends as Binotel says, goes on as long as it does, and for a state from the future counts by who talked', () => {
    for (const [state, stage, outcome, recorded] of [
      ['ANSWER', 'ended', 'answered', true],
      ['TRANSFER', 'ended', 'answered', false],
      ['ONLINE', 'answered', 'answered', false],
      ['CALLING', 'ringing', 'ringing', false],
      ['BUSY', 'ended', 'busy', false],
      ['NOANSWER', 'ended', 'missed', false],
      ['CANCEL', 'ended', 'missed', false],
      ['CONGESTION', 'ended', 'failed', false],
      ['CHANUNAVAIL', 'ended', 'failed', false],
      ['VM', 'ended', 'voicemail', false],
      ['VM-SUCCESS', 'ended', 'voicemail', true],
      ['', 'ended', 'missed', false],
      ['constructor', 'ended', 'missed', false],
    ] as const) {
      assert.deepEqual(endOf(state, 0), { stage, outcome, recorded }, state);
    }
    assert.equal(endOf('NEW', 12)?.outcome, 'answered');
    for (const state of ['SMS-SENDING', 'SMS-SUCCESS', 'SMS-FAILED', 'SUCCESS', 'FAILED']) {
      assert.equal(endOf(state, 5), undefined, state);
    }
  });

  it('that is neither incoming nor outgoing is named, whoever tells of it', async () => {
    for (const name of ['completed', 'received', 'listed'] as const) {
      const payload = recorded(name);
      const text = payload.body
        .toString()
        .replace('callType%5D=0', 'callType%5D=2')
        .replace('callType=0', 'callType=2');
      const body = Buffer.from(text.replace('"callType": "0"', '"callType": "2"'));
      const [item] = await openWith().normalize({ ...payload, body });
      assert.deepEqual([item?.kind, item?.kind === 'ignored' && item.name], ['ignored', 'callType=2'], name);
    }
  });

  it('has a customer by his number, in the country where numbers have none, and nobody who hides his', () => {
    for (const [text, country, number] of [
      ['0671234567', 'UA', '+380671234567'],
      ['380671234567', 'UA', '+380671234567'],
      ['+48221234567', 'UA', '+48221234567'],
      ['87711234567', 'KZ', '+77711234567'],
      ['901', 'UA', undefined],
      ['anonymous', 'UA', undefined],
      ['', 'UA', undefined],
      [undefined, 'UA', undefined],
    ] as const) {
      assert.equal(toE164(text, country), number, text);
    }
    assert.equal(toLocal('+380671234567', 'UA'), '0671234567');
    assert.equal(toLocal('+48221234567', 'UA'), '48221234567');
    assert.ok(!binotel.config.safeParse({ ...BASE, country: 'ua' }).success);
  });
});

describe("Binotel's webhooks", () => {
  const sent = (remoteAddress: string | undefined, headers: Record<string, string> = {}): WebhookRequest => {
    const { remoteAddress: _, ...payload } = recorded('completed');
    return { ...payload, headers, ...(remoteAddress !== undefined && { remoteAddress }) };
  };
  const isTaken = (request: WebhookRequest, settings: object = {}) => {
    try {
      void openWith(settings).webhook?.verify(request);
      return true;
    } catch (error) {
      assert.ok(error instanceof BadPayloadError);
      assert.match(error.hint ?? '', /trustProxy/);
      return false;
    }
  };

  it('are taken from the addresses that Binotel lists, and from no others, whatever a header says', () => {
    for (const address of ['194.88.218.114', '194.88.218.120', '194.88.219.92', '185.100.66.147']) {
      assert.ok(isTaken(sent(address)), address);
    }
    for (const address of ['194.88.218.115', '194.88.219.90', '10.0.0.1', '::1', '', 'unknown', undefined]) {
      assert.ok(!isTaken(sent(address)), address);
      const forwarded = {
        'x-forwarded-for': '194.88.218.116',
        'x-real-ip': '194.88.218.116',
        forwarded: 'for=194.88.218.116',
      };
      assert.ok(!isTaken(sent(address, forwarded)), `${address}, forwarded`);
    }
  });

  it('are taken from what the operator names instead', () => {
    const settings = { sources: ['203.0.113.0/24', '2001:db8::/32', '198.51.100.7'] };
    for (const address of ['203.0.113.9', '2001:db8::5', '198.51.100.7']) assert.ok(isTaken(sent(address), settings));
    for (const address of ['203.0.114.9', '2001:db9::5', '198.51.100.8', '194.88.218.116']) {
      assert.ok(!isTaken(sent(address), settings), address);
    }
    for (const source of ['binotel.ua', '10.0.0.0/33', '10.0.0.0/8/8', '10.0.0.0/', '']) {
      assert.ok(!binotel.config.safeParse({ ...BASE, sources: [source] }).success, source);
    }
    assert.ok(!binotel.config.safeParse({ ...BASE, sources: [] }).success);
  });

  it('hear what Binotel expects, byte for byte, and nothing about anybody', () => {
    const answerTo = (name: string) => openWith().webhook!.respond!(recorded(name), { items: [] });
    for (const name of ['completed', 'received', 'hung-up', 'from-the-future']) {
      const { status, headers, body } = answerTo(name);
      assert.deepEqual(
        [status, headers?.['content-type'], body],
        [200, 'application/json', '{"status":"success"}'],
        name,
      );
    }
    assert.equal(answerTo('asks-who-calls').body, '{}');
  });

  it('are forms with names within names, of which no name reaches further and none is too many', () => {
    const read = (text: string): unknown => JSON.parse(JSON.stringify(readForm(Buffer.from(text))));
    assert.deepEqual(read('a=1&b[c]=2&b[d][e]=%D0%9E+3&b[f][]=4&g[0][h]=5'), {
      a: '1',
      b: { c: '2', d: { e: 'О 3' }, f: { '': '4' } },
      g: { 0: { h: '5' } },
    });
    assert.deepEqual(read('a=1&a=2&b=3&b[c]=4&[x]=5'), { a: '1', b: { c: '4' }, x: '5' });
    readForm(Buffer.from('__proto__[polluted]=yes&constructor[prototype][polluted]=yes'));
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
    assert.throws(() => readForm(Buffer.from(`a${'[b]'.repeat(8)}=1`)), BadPayloadError);
    assert.throws(() => readForm(Buffer.from('a=1&'.repeat(2001))), BadPayloadError);
  });
});

describe("Binotel's channel, against a stand-in that is a closed world", () => {
  let api: FakeBinotel;
  let egress: Egress;
  let clock: FakeClock;
  beforeEach(async () => {
    api = await startBinotel();
    clock = fakeClock(NOW);
    egress = createHttp({ allow: ['127.0.0.1'] });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  function open(settings: object = {}): Channel {
    const config = binotel.config.parse({ ...BASE, apiRoot: api.root, ...settings });
    return binotel.open(config, fakeContext({ id: 'calls', clock, http: egress.for({ hosts: [] }) })) as Channel;
  }

  async function failure(work: Promise<unknown>): Promise<TributaryError> {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof TributaryError, `threw ${String(error)}`);
    const all = JSON.stringify([error, error.message, error.hint, error.stack, error.response, String(error.cause)]);
    assert.ok(!all.includes(KEY) && !all.includes(SECRET), 'the key is in the error');
    return error;
  }

  async function missedSince(since: number): Promise<string[]> {
    const found: Raw[] = [];
    for await (const raw of open().reconcile!(since, signal)) found.push(raw);
    return found.map(({ body }) => (JSON.parse(body.toString()) as { generalCallID: string }).generalCallID);
  }

  const began = (generalCallID: string, at: number) => ({ generalCallID, startTime: String(Math.floor(at / 1000)) });

  it('is asked for what was missed, and for calls that went on since, the oldest first', async () => {
    // Binotel's objects are in the order of their ids.
    api.calls.push(
      began('1', NOW - 60_000),
      began('2', NOW - HOUR),
      began('3', NOW - 5 * HOUR),
      began('4', NOW - 6 * HOUR),
    );
    assert.deepEqual(await missedSince(NOW - HOUR), ['3', '2', '1']);
    assert.equal(api.asked.length, 1);
    api.calls.length = 0;
    assert.deepEqual(await missedSince(NOW - HOUR), []);
  });

  it('is asked for a day at a time, no more often than it allows, and none is missing or doubled', async () => {
    const ids = Array.from({ length: 300 }, (_, index) => String(1000 + index));
    api.calls.push(...ids.map((id, index) => began(id, NOW - 3 * DAY + index * 864_000)));
    const found = missedSince(NOW - 3 * DAY);
    for (let asked = 1; asked < 4; asked++) {
      await until(() => clock.sleepers === 1 || api.asked.length > asked);
      assert.equal(api.asked.length, asked);
      await clock.advance(12_000);
      assert.equal(api.asked.length, asked, 'five times a minute and not more');
      await clock.advance(1000);
    }
    assert.deepEqual(await found, ids);
    const periods = api.asked.map(({ params }) => [params['startTime'], params['stopTime']] as [number, number]);
    for (const [index, [start]] of periods.slice(1).entries()) assert.equal(start, periods[index]![1] + 1);
  });

  for (const [code, kind, hint] of [
    [102, PermanentError, undefined],
    [103, PermanentError, undefined],
    [104, PermanentError, undefined],
    [105, RetryableError, undefined],
    [106, RateLimitedError, undefined],
    [120, AuthExpiredError, /support@binotel/],
    [121, AuthExpiredError, /IP address/],
    [150, PermanentError, /internal number/],
    [151, PermanentError, /customer's number/],
  ] as const) {
    it(`says what ${code} in an answer of 200 means`, async () => {
      api.endings.push({ body: binotelRefusal(code, `words about ${KEY} and ${SECRET}`) });
      const error = await failure(open().callBack!({ id: '1', to: '+380671234567', agent: '901' }, signal));
      assert.ok(error instanceof kind && !(error instanceof UncertainError), error.name);
      assert.match(error.message, new RegExp(`${code} words about … and …$`));
      if (hint) assert.match(error.hint ?? '', hint);
      if (error instanceof RateLimitedError) assert.equal(error.retryAfterMs, 60_000);
    });
  }

  it('takes a page in place of an answer for a failure of Binotel', async () => {
    for (const body of ['Something went wrong (exception)', '{"status":"success"}', '{"callDetails":[]}', '[]', '']) {
      api.endings.push({ body });
      assert.ok((await failure(missedSince(NOW))) instanceof RetryableError, body);
    }
    assert.equal(await open().test!(), 'the key is right; calls of the last hour: 0');
    assert.ok((await failure(open({ secret: 'another' }).test!())) instanceof AuthExpiredError);
  });

  it('calls a customer back, and says when nobody knows whether it rings', async () => {
    const wish = { id: 'cbk_1', to: '+380671234567', agent: '901' };
    assert.deepEqual(await open().callBack!(wish, signal), { externalId: '6536099001' });
    assert.deepEqual(api.asked[0]?.params, {
      ...{ internalNumber: '901', externalNumber: '0671234567', callTimeToExt: 30, async: true },
    });
    for (const ending of ['cut', { body: 'Something went wrong (exception)' }, { status: 502, body: '' }] as const) {
      api.endings.push(ending);
      assert.ok((await failure(open().callBack!(wish, signal))) instanceof UncertainError, JSON.stringify(ending));
    }
  });

  describe('a recording', () => {
    const file = { id: 'recording:6536020001', name: 'recording.mp3', mediaType: 'audio/mpeg' };
    const fetched = async (receivedAt = NOW) =>
      textOf(await open().download!(file, { ...recorded('completed'), receivedAt }));

    it('is fetched by a link that is asked for at that moment', async () => {
      api.links.set('6536020001', `${api.root}/store/1.mp3?X-Amz-Expires=900`);
      api.files.set('/store/1.mp3?X-Amz-Expires=900', Buffer.from('ID3'));
      assert.equal(await fetched(), 'ID3');
    });

    it('is fetched at no address but those of Binotel and of its store', async () => {
      for (const link of [
        'https://evil.example.com/1.mp3',
        'https://amazonaws.com.example.com/1.mp3',
        'https://notbinotel.ua/1.mp3',
        'http://my.binotel.ua/1.mp3',
        'https://my.binotel.ua:8443/1.mp3',
        'file:///etc/passwd',
        'none',
      ]) {
        api.links.set('6536020001', link);
        const error = await failure(fetched());
        assert.ok(error instanceof PermanentError, link);
        assert.match(error.message, /at none of Binotel's addresses/, link);
      }
    });

    it('that is not there yet is asked for again for half an hour', async () => {
      assert.ok((await failure(fetched())) instanceof RetryableError);
      assert.ok((await failure(fetched(NOW - HOUR))) instanceof PermanentError);
      api.endings.push({ body: binotelRefusal(103, 'Not enough data') });
      assert.ok((await failure(fetched())) instanceof PermanentError, 'nothing that time heals');
      api.links.set('6536020001', `${api.root}/store/1.mp3`);
      assert.ok((await failure(fetched())) instanceof RetryableError, 'the store has not got it');
      assert.ok((await failure(fetched(NOW - HOUR))) instanceof PermanentError);
    });

    it('says nothing about the company when the store refuses it, and everything when Binotel does', async () => {
      api.links.set('6536020001', `${api.root}/store/1.mp3`);
      const link = JSON.stringify({ status: 'success', url: `${api.root}/store/1.mp3` });
      for (const status of [401, 403, 410]) {
        api.endings.push({ body: link }, { status, body: 'expired' });
        const error = await failure(fetched(NOW - HOUR));
        assert.ok(error instanceof PermanentError && !error.gone, String(status));
      }
      api.endings.push({ body: binotelRefusal(121, 'Your key or secret is wrong') });
      assert.ok((await failure(fetched(NOW - HOUR))) instanceof AuthExpiredError);
    });
  });
});
