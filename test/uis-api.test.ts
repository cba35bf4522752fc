import assert from 'node:assert/strict';
import { text as textOf } from 'node:stream/consumers';
import { placesOf } from '../src/connectors/uis/platform.ts';
import { uis } from '../src/connectors/uis/uis.ts';
import type { Channel, Http, Raw } from '../src/core/connector.ts';
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
import { fakeContext } from './fakes/context.ts';
import { samplePayload } from './fakes/samples.ts';
import { ACCESS_TOKEN, refusal, startUis } from './fakes/uis.ts';
import type { FakeUis, ReportedCall } from './fakes/uis.ts';

const HOUR = 3_600_000;
const NOW = Date.parse('2026-11-23T08:30:00Z');
const signal = new AbortController().signal;
const SETTINGS = { token: 'a'.repeat(32), accessToken: ACCESS_TOKEN, timeZone: 'Europe/Moscow' };
const moment = (at: number) => new Date(at).toISOString();

describe("UIS's channel, against a stand-in that is a closed world", () => {
  let api: FakeUis;
  let egress: Egress;
  const clock = fakeClock(NOW);
  beforeEach(async () => {
    api = await startUis();
    egress = createHttp({ allow: ['127.0.0.1'], clock });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  function open(more: object = {}): Channel {
    const settings = { ...SETTINGS, virtualNumber: '+74950000001', apiRoot: api.root, ...more };
    const context = fakeContext({ id: 'calls', clock, http: egress.for({ hosts: [] }) });
    return uis.open(uis.config.parse(settings), context) as Channel;
  }
  const listed = (id: number, start_time: string): ReportedCall => ({ id, start_time });

  async function missedSince(since: number, more?: object): Promise<number[]> {
    const found: Raw[] = [];
    for await (const raw of open(more).reconcile!(since, signal)) found.push(raw);
    return found.map(({ body }) => (JSON.parse(body.toString()) as { id: number }).id);
  }

  async function failure(work: Promise<unknown>): Promise<TributaryError> {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof TributaryError, `threw ${String(error)}`);
    const all = JSON.stringify([error, error.message, error.hint, error.stack, error.response, String(error.cause)]);
    assert.ok(!all.includes(ACCESS_TOKEN), 'the key is in the error');
    return error;
  }

  it('is asked for what was missed, and calls that went on since, oldest first, by whosever clocks the bounds are', async () => {
    api.report.push(
      listed(3, '2026-11-23 11:29:59'),
      listed(1, '2026-11-23 06:30:00'),
      listed(2, '2026-11-23 10:30:00'),
      listed(0, '2026-11-23 06:29:59'),
      listed(4, '2026-11-23 11:30:00'),
    );
    for (const hours of [0, 12, -14]) {
      api.clocks.hours = hours;
      assert.deepEqual(await missedSince(NOW - HOUR), [1, 2, 3], `${hours} hours before`);
    }
  });

  it('is asked for page after page, a week at once, and none is missing or doubled', async () => {
    const DAY = 24 * HOUR;
    const at = (index: number) =>
      moment(NOW - 20 * DAY + index * 600_000)
        .slice(0, 19)
        .replace('T', ' ');
    const calls = Array.from({ length: 2500 }, (_, index) => listed(index, at(index)));
    api.report.push(...calls.toReversed());
    assert.deepEqual(
      await missedSince(NOW - 21 * DAY, { timeZone: 'UTC' }),
      calls.map(({ id }) => id),
    );
    assert.ok(api.asked.some(({ params }) => params['offset'] === 1000));
    await missedSince(NOW - 200 * DAY, { timeZone: 'UTC' });
  });

  it('gives up where nine days have more calls than the vendor lists, rather than leave some out', async () => {
    const many = Array.from({ length: 1000 }, () => ({}));
    const page = JSON.stringify({ jsonrpc: '2.0', id: '1', result: { data: many } });
    api.endings.push(...Array.from({ length: 101 }, () => ({ status: 200, body: page })));
    const error = await failure(missedSince(NOW - HOUR));
    assert.ok(error instanceof RetryableError);
    assert.match(error.message, /more than 100000 calls/);
  });

  it('takes a refusal for what its mnemonic says, whatever its status', async () => {
    const limits = { day_remaining: 9, day_reset: 4000, minute_remaining: 0, minute_reset: 40 };
    for (const status of [200, 400, 403, 500]) {
      for (const [body, kind, detail] of [
        [refusal(-32_001, 'access_token_expired'), AuthExpiredError, /API key/],
        [refusal(-32_003, 'ip_not_whitelisted'), AuthExpiredError, /address of this server/],
        [refusal(-32_003, 'forbidden'), PermanentError, /access to Data API/],
        [refusal(-32_008, 'method_component_disabled'), PermanentError, /tariff/],
        [refusal(-32_009, 'account_inactive'), AuthExpiredError, /support/],
        [refusal(-32_602, 'unexpected_parameters'), PermanentError, /^$/],
        [refusal(-32_029, 'limit_exceeded', limits), RateLimitedError, 40_000],
        [refusal(-32_029, 'limit_exceeded', { ...limits, day_remaining: 0 }), RateLimitedError, 4_000_000],
        [refusal(-32_029, 'limit_exceeded'), RateLimitedError, 60_000],
        [refusal(-32_603, 'internal_error'), RetryableError, /^$/],
        ['{"error":{}}', PermanentError, /^$/],
      ] as const) {
        api.endings.push({ status, body });
        const error = await failure(missedSince(NOW - HOUR));
        assert.ok(error instanceof kind, `${status} ${body}: ${error.name}`);
        if (typeof detail === 'number') assert.equal((error as RateLimitedError).retryAfterMs, detail);
        else assert.match(error.hint ?? '', detail, body);
      }
    }
  });

  it('takes anything else that is no list for a failure, and 401 for a key that must be looked at', async () => {
    for (const body of ['<html>', '{"result":{}}', '[]', '']) {
      api.endings.push({ status: 200, body });
      assert.ok((await failure(missedSince(NOW - HOUR))) instanceof RetryableError, body);
    }
    for (const status of [401, 403]) {
      api.endings.push({ status, body: `who are you, ${ACCESS_TOKEN}?` });
      assert.ok((await failure(open().test!())) instanceof AuthExpiredError, String(status));
    }
    const quoting = refusal(-32_001, 'access_token_invalid').replace('Refused', `What is ${ACCESS_TOKEN}?`);
    api.endings.push({ status: 200, body: quoting });
    assert.match((await failure(open().test!())).message, /What is \[secret\]\?/);
    assert.ok((await failure(open({ accessToken: 'another' }).test!())) instanceof AuthExpiredError);
    assert.equal(await open().test!(), 'the API key is right; calls of the last four hours: 0');
  });

  it('calls a customer back, at the employee’s first, and tells the id that the events of the call will have', async () => {
    const wish = { id: 'cbk_1', to: '+79161112233', agent: '25' };
    assert.deepEqual(await open().callBack!(wish, signal), { externalId: '237859081' });
    const { access_token, ...params } = api.asked[0]?.params ?? assert.fail();
    assert.equal(access_token, ACCESS_TOKEN);
    assert.deepEqual(params, {
      ...{ first_call: 'employee', direction: 'out', external_id: 'cbk_1', contact: '79161112233' },
      ...{ virtual_phone_number: '74950000001', employee: { id: 25 } },
    });
  });

  it('says when nobody knows whether it rings, and asks nothing that can only be refused', async () => {
    const wish = { id: 'cbk_1', to: '+79161112233', agent: '25' };
    for (const [ending, kind] of [
      ['cut', UncertainError],
      [{ status: 502 }, UncertainError],
      [{ status: 200, body: '{"result":{"data":{}}}' }, UncertainError],
      [{ status: 200, body: refusal(-32_603, 'internal_error') }, UncertainError],
      [{ status: 200, body: refusal(-32_602, 'employee_not_found') }, PermanentError],
      [{ status: 200, body: refusal(-32_001, 'access_token_blocked') }, AuthExpiredError],
    ] as const) {
      api.endings.push(ending);
      const error = await failure(open().callBack!(wish, signal));
      assert.ok(error instanceof kind, `${JSON.stringify(ending)}: ${error.name}`);
    }
    const nowhere = await failure(open({ apiRoot: 'http://127.0.0.1:1' }).callBack!(wish, signal));
    assert.ok(nowhere instanceof RetryableError, 'nobody was asked');
    const asked = api.asked.length;
    for (const agent of ['Примеров Иван', '25 ', '', '1'.repeat(16)]) {
      const error = await failure(open().callBack!({ ...wish, agent }, signal));
      assert.ok(error instanceof PermanentError && error.hint?.includes('id of an employee'), agent);
    }
    const error = await failure(open({ virtualNumber: undefined }).callBack!(wish, signal));
    assert.match(error.hint ?? '', /virtualNumber/);
    assert.equal(api.asked.length, asked);
  });

  describe('a recording', () => {
    const NAME = '0a1b2c3d4e5f60718293a4b5c6d7e8f9';
    const file = { id: `recording:${NAME}`, name: 'recording.mp3', mediaType: 'audio/mpeg' };
    const announced = (file_link: unknown, receivedAt = NOW): Payload => {
      return { ...samplePayload(''), receivedAt, body: Buffer.from(JSON.stringify({ file_link })) };
    };
    const fetched = async (payload: Payload, attachment = file) => textOf(await open().download!(attachment, payload));

    it('is fetched from where its notification says, and the key stays at home', async () => {
      api.recordings.set(`/files/${NAME}?key=1`, Buffer.from('ID3'));
      assert.equal(
        await fetched(announced(['https://evil.example.com/other', `${api.root}/files/${NAME}?key=1`])),
        'ID3',
      );
      const deeper = { call_record_file_info: { file_link: `${api.root}/files/${NAME}?key=1` } };
      assert.equal(await fetched({ ...announced(''), body: Buffer.from(JSON.stringify(deeper)) }), 'ID3');
    });

    it('that only the report names is fetched where such recordings lie, and a message that was left, too', async () => {
      const row = { id: 987654321, call_records: [NAME] };
      const listed = { ...samplePayload(row), method: 'RECONCILE', receivedAt: NOW };
      api.recordings.set(`/system/media/talk/987654321/${NAME}/`, Buffer.from('ID3 talk'));
      assert.equal(await fetched(listed), 'ID3 talk');
      api.recordings.set(`/system/media/talk/555/${NAME}/`, Buffer.from('ID3 other'));
      const body = Buffer.from(JSON.stringify({ ...row, communication_id: 555 }));
      assert.equal(await fetched({ ...listed, body }), 'ID3 other');
      api.recordings.set(`/system/media/voice_mail/987654321/abc/`, Buffer.from('ID3 message'));
      assert.equal(await fetched(listed, { ...file, id: 'voicemail:abc' }), 'ID3 message');
    });

    it('is fetched at no address but those of the vendor', async () => {
      for (const address of [
        `https://evil.example.com/${NAME}`,
        `https://app.uiscom.ru.example.com/${NAME}`,
        `https://notuiscom.ru/${NAME}`,
        `https://app.comagic.ru/${NAME}`,
        `https://app.uiscom.ru:8443/${NAME}`,
        `http://evil.example.com/${NAME}`,
        `ftp://app.uiscom.ru/${NAME}`,
        'none',
        null,
      ]) {
        const error = await failure(fetched(announced(address)));
        assert.ok(error instanceof PermanentError, String(address));
        assert.match(error.message, /at none of the vendor's addresses/, String(address));
      }
    });

    it('is followed to where else the vendor keeps it, and to nobody else', async () => {
      api.recordings.set('/store', Buffer.from('ID3'));
      api.endings.push({ status: 302, location: `${api.root}/store` });
      assert.equal(await fetched(announced(`${api.root}/${NAME}`)), 'ID3');
      api.endings.push({ status: 302, location: `${api.root.replace('127.0.0.1', 'localhost')}/store` });
      await failure(fetched(announced(`${api.root}/${NAME}`)));
    });

    it('that is not there yet is asked for again for half an hour, and says nothing about the account', async () => {
      for (const ending of [
        ...[401, 403, 404, 410].map((status) => ({ status })),
        { status: 200, type: 'text/html; charset=utf-8', body: '<html>Please log in' },
        { status: 200, type: 'application/json', body: '{}' },
      ]) {
        api.endings.push(ending, ending);
        const young = await failure(fetched(announced(`${api.root}/${NAME}`)));
        assert.ok(young instanceof RetryableError, JSON.stringify(ending));
        const late = await failure(fetched(announced(`${api.root}/${NAME}`, NOW - HOUR)));
        assert.ok(late instanceof PermanentError && !late.gone, JSON.stringify(ending));
      }
    });
  });

  it('knows where each portal is asked and keeps its recordings', () => {
    for (const [platform, dataApi, callApi, files] of [
      ['uiscom', 'https://dataapi.uiscom.ru/v2.0', 'https://callapi.uiscom.ru/v4.0', 'https://app.uiscom.ru'],
      ['comagic', 'https://dataapi.comagic.ru/v2.0', 'https://callapi.comagic.ru/v4.0', 'https://app.comagic.ru'],
      [
        'callgear',
        'https://dataapi.callgear.com/v2.0',
        'https://callapi.callgear.com/v4.0',
        'https://app.callgear.com',
      ],
      [
        'novofon',
        'https://dataapi-jsonrpc.novofon.ru/v2.0',
        'https://callapi-jsonrpc.novofon.ru/v4.0',
        'https://app.novofon.ru',
      ],
    ] as const) {
      const places = placesOf(platform, undefined);
      assert.deepEqual([places.dataApi, places.callApi, places.files], [dataApi, callApi, files]);
      assert.ok(places.isOurs(new URL(`${files}/x`)) && places.isOurs(new URL(files.replace('app', 'media'))));
      assert.ok(!places.isOurs(new URL(files.replace('https', 'http'))));
    }
  });

  it('asks older links by https', async () => {
    const http = { stream: ({ url }: { readonly url: string }) => Promise.reject(new PermanentError(url)) };
    const channel = uis.open(
      uis.config.parse(SETTINGS),
      fakeContext({ id: 'calls', clock, http: http as unknown as Http }),
    ) as Channel;
    const body = Buffer.from(JSON.stringify({ file_link: 'http://app.uiscom.ru/system/media/talk/1/abc/' }));
    const attachment = { id: 'recording:abc', name: 'recording.mp3', mediaType: 'audio/mpeg' };
    const work = channel.download!(attachment, samplePayload(body));
    assert.equal((await failure(work)).message, 'https://app.uiscom.ru/system/media/talk/1/abc/');
  });
});
