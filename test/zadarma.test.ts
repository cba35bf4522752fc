import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { outcomeOf } from '../src/connectors/zadarma/disposition.ts';
import { zadarma } from '../src/connectors/zadarma/zadarma.ts';
import type { Channel, Raw } from '../src/core/connector.ts';
import type { EnvelopeInput } from '../src/core/envelope.ts';
import {
  AuthExpiredError,
  BadPayloadError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
  UncertainError,
} from '../src/core/errors.ts';
import { momentOf, wordsOf } from '../src/core/local-time.ts';
import type { Payload, WebhookRequest } from '../src/core/payload.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeClock } from './fakes/clock.ts';
import type { FakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import { openFiling } from './fakes/filing.ts';
import type { Description } from './fakes/openapi.ts';
import { until } from './fakes/until.ts';
import { KEY, readZadarma, refusal, SECRET, signNotification, startZadarma } from './fakes/zadarma.ts';
import type { FakeZadarma } from './fakes/zadarma.ts';
import { skipUnless } from './skip.ts';

const FIXTURES = join(import.meta.dirname, '../src/connectors/zadarma/fixtures');
const SDK = join(import.meta.dirname, '../../shared/fixtures/telephony-webhooks/zadarma-sdk-fields/events.json');
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = Date.parse('2026-11-23T09:00:00Z');
const signal = new AbortController().signal;
const BASE = { key: KEY, secret: SECRET, timezone: 'Europe/Kyiv' };
const CALL = 'in_5f0c2a7be41d3986c05b1e7f2a9d4c8361b0e7f5';

function recorded(name: string): Payload {
  const folder = join(FIXTURES, name);
  const { method, url, headers, receivedAt, body } = JSON.parse(
    readFileSync(join(folder, 'payload.json'), 'utf8'),
  ) as Record<'method' | 'url' | 'receivedAt' | 'body', string> & { headers: Record<string, string> };
  const bytes = method === 'RECONCILE' ? readFileSync(join(folder, 'body.json')) : Buffer.from(body);
  return { endpointId: 'calls', method, url, headers, receivedAt: Date.parse(receivedAt), body: bytes };
}

function openWith(settings: object = {}): Channel {
  return zadarma.open(zadarma.config.parse({ ...BASE, ...settings }), fakeContext({ id: 'calls' })) as Channel;
}

function notification(fields: Readonly<Record<string, string>>, signature: string): WebhookRequest {
  const body = Buffer.from(new URLSearchParams(fields).toString());
  return { endpointId: 'calls', method: 'POST', url: '', receivedAt: NOW, headers: { signature }, body };
}

async function read(fields: Readonly<Record<string, string>>): Promise<Extract<EnvelopeInput, { kind: 'call' }>> {
  const [item] = await openWith().normalize(notification(fields, ''));
  assert.ok(item?.kind === 'call', JSON.stringify(item));
  return item;
}

describe('A call at Zadarma', () => {
  it('is one call with all that is known of it, in whatever order its notifications and the statistics come', async () => {
    const all = ['start', 'menu', 'rings', 'answered', 'ended', 'record', 'listed'];
    const orders = all.map((_, by) => [...all.slice(by), ...all.slice(0, by)]);
    for (const order of [...orders, ...orders.map((each) => each.toReversed()), [...all, ...all]]) {
      const filing = await openFiling({ channel: openWith() });
      for (const name of order) await filing.intake.receive(recorded(name));
      const { data } = await filing.store.read.customers({}, { limit: 10 });
      const pages = await Promise.all(data.map(({ id }) => filing.store.read.timeline(id, { limit: 10 })));
      const tickets = await filing.store.read.tickets({}, { limit: 10 });
      await filing.close();
      const messages = pages.flatMap((page) => page.data).filter(({ externalId }) => externalId === CALL);
      assert.deepEqual([messages[0]?.ticketId, tickets.data.length], [null, 0], 'answered: on the timeline, no ticket');
      assert.equal(messages.length, 1, order.join());
      const [{ call, attachments, occurredAt } = assert.fail()] = messages;
      assert.equal(new Date(occurredAt).toISOString(), '2026-11-23T08:05:00.000Z');
      assert.equal(attachments.length, 1);
      const { outcome, direction, from, to, agent, talkedSec, recording } = call ?? assert.fail();
      assert.deepEqual([outcome, direction, from, to], ['answered', 'inbound', '380671234567', '380441112233']);
      assert.deepEqual([agent, talkedSec, recording === undefined], ['101', 48, false]);
    }
  });

  it('ends as Zadarma says, and in a way from the future by whether anybody talked', () => {
    for (const [outcome, words] of [
      ['answered', ['answered', 'ANSWERED']],
      ['missed', ['cancel', 'no answer', 'constructor', '']],
      ['busy', ['busy']],
      ['failed', ['failed', 'call failed', 'unallocated number', 'no money', 'no limit', 'no day limit', 'line limit']],
    ] as const) {
      for (const word of words) assert.equal(outcomeOf(word, 0), outcome, word);
    }
    assert.equal(outcomeOf('no money, no limit', 0), 'failed');
    assert.equal(outcomeOf('new', 3), 'answered');
  });

  it('was when the clocks of the account say', async () => {
    const settings = { timezone: 'UTC+3' };
    const [item] = await openWith(settings).normalize(recorded('start'));
    assert.ok(item?.kind === 'call');
    assert.equal(new Date(item.occurredAt).toISOString(), '2026-11-23T07:05:00.000Z');
    for (const timezone of ['Kyiv', 'UTC+15', '', undefined]) {
      assert.ok(!zadarma.config.safeParse({ ...BASE, timezone }).success, timezone);
    }
  });

  it('has who answered it for its agent, and nobody at whose it only rang', async () => {
    const said = { pbx_call_id: 'in_1', caller_id: '380671234567', called_did: '380441112233', internal: '100' };
    const ended = { ...said, event: 'NOTIFY_END', duration: '7' };
    assert.equal((await read({ ...ended, disposition: 'answered' })).call.agent, '100');
    assert.equal((await read({ ...ended, disposition: 'answered', last_internal: '102' })).call.agent, '102');
    assert.equal((await read({ ...ended, disposition: 'no answer' })).call.agent, undefined);
    assert.equal((await read({ ...said, event: 'NOTIFY_INTERNAL' })).call.agent, undefined);
    const out = { event: 'NOTIFY_OUT_START', pbx_call_id: 'out_1', destination: '380501112233', internal: '100' };
    const { call, sender, direction } = await read(out);
    assert.deepEqual([call.agent, sender.identifiers[0]?.value, direction], ['100', '380501112233', 'outbound']);
    const answered = { ...out, event: 'NOTIFY_ANSWER', caller_id: '380441112233' };
    assert.equal((await read(answered)).sender.identifiers[0]?.value, '380501112233');
  });

  it('has no customer where he withholds his number', async () => {
    for (const caller_id of ['anonymous', 'unknown', '']) {
      const { sender } = await read({ event: 'NOTIFY_START', pbx_call_id: 'in_1', caller_id });
      assert.deepEqual(sender.identifiers, [], caller_id);
    }
  });
});

describe("Zadarma's notifications", () => {
  const refuses = (request: WebhookRequest, why: RegExp, settings: object = {}) =>
    assert.throws(
      () => void openWith(settings).webhook!.verify(request),
      (error) => error instanceof BadPayloadError && why.test(error.message) && !error.message.includes(SECRET),
    );

  it('are signed over what the vendor’s own library signs, of every event, and over each part of it', function () {
    skipUnless(this, existsSync(SDK) || undefined, 'the fixtures are not beside the repository');
    const events = JSON.parse(readFileSync(SDK, 'utf8')) as Record<string, { signed: string[] | null }>;
    // What an answer to a menu is signed over, it inherits from the beginning of a call.
    const start = events['NOTIFY_START']!.signed!;
    for (const [event, { signed }] of Object.entries(events)) {
      const names = signed ?? start;
      const fields = Object.fromEntries(names.map((name, index) => [name, `${name}-${index}`]));
      const signature = signNotification(...names.map((name) => fields[name]!));
      void openWith().webhook!.verify(notification({ event, ...fields }, signature));
      for (const name of names) {
        refuses(notification({ event, ...fields, [name]: 'another' }, signature), /does not match/);
      }
      refuses(notification({ event, ...fields }, signature), /does not match/, { secret: 'another' });
    }
  });

  it('are refused unsigned, signed over nothing, and in another encoding', () => {
    const fields = { event: 'NOTIFY_RECORD', pbx_call_id: 'in_1', call_id_with_rec: '1.2' };
    const right = signNotification('in_1', '1.2');
    void openWith().webhook!.verify(notification(fields, right));
    const { headers: _, ...unsigned } = notification(fields, right);
    refuses({ ...unsigned, headers: {} }, /Signature is missing/);
    // Of the bytes in place of their hexadecimal text.
    const bytes = Buffer.from(Buffer.from(right, 'base64').toString(), 'hex').toString('base64');
    for (const other of ['', ` ${right}`, right.replace(/=+$/, ''), bytes]) {
      refuses(notification(fields, other), /does not match/);
    }
    for (const event of ['NOTIFY_START', 'NOTIFY_RECORD', 'NEW', 'constructor']) {
      refuses(notification({ event, pbx_call_id: '' }, signNotification('')), /are missing/);
    }
    refuses(notification({ event: 'NEW', caller_id: '1' }, signNotification('1')), /are missing/);
  });

  it('are refused where a parameter has two values, or there are too many', () => {
    const right = signNotification('in_1', '1.2');
    const body = (text: string) => ({ ...notification({}, right), body: Buffer.from(text) });
    const fine = 'event=NOTIFY_RECORD&pbx_call_id=in_1&call_id_with_rec=1.2';
    void openWith().webhook!.verify(body(`${fine}&pbx_call_id=in_1`));
    refuses(body(`${fine}&pbx_call_id=in_2`), /more than once/);
    refuses(body(`${fine}${'&a=1'.repeat(100)}`), /more than 100/);
  });

  it('begin with a word that is said again, as plain text', async () => {
    const ask = async (url: string) => openWith().webhook!.challenge!({ ...notification({}, ''), method: 'GET', url });
    const answer = await ask('/webhooks/calls?zd_echo=%3Cb%3Eword');
    assert.deepEqual([answer?.status, answer?.body], [200, '<b>word']);
    assert.match(answer?.headers?.['content-type'] ?? '', /^text\/plain/);
    assert.equal(answer?.headers?.['x-content-type-options'], 'nosniff');
    assert.equal(await ask('/webhooks/calls'), undefined);
    assert.equal(await ask(`/webhooks/calls?zd_echo=${'x'.repeat(201)}`), undefined);
  });
});

describe("Zadarma's channel, against a stand-in that is checked against the vendor's own description", () => {
  let api: FakeZadarma;
  let egress: Egress;
  let clock: FakeClock;
  let description: Description | undefined;
  before(() => {
    description = readZadarma();
  });
  beforeEach(async () => {
    api = await startZadarma(description);
    clock = fakeClock(NOW);
    egress = createHttp({ allow: ['127.0.0.1'] });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  function open(settings: object = {}): Channel {
    const config = zadarma.config.parse({ ...BASE, apiRoot: api.root, ...settings });
    return zadarma.open(config, fakeContext({ id: 'calls', clock, http: egress.for({ hosts: [] }) })) as Channel;
  }

  async function failure(work: Promise<unknown>): Promise<TributaryError> {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof TributaryError, `threw ${String(error)}`);
    const all = JSON.stringify([error, error.message, error.hint, error.stack, error.response, String(error.cause)]);
    assert.ok(!all.includes(SECRET), 'the secret is in the error');
    return error;
  }

  async function missedSince(since: number): Promise<Raw[]> {
    const found: Raw[] = [];
    for await (const raw of open().reconcile!(since, signal)) found.push(raw);
    return found;
  }
  const idsOf = (raws: readonly Raw[]) =>
    raws.map(({ body }) => (JSON.parse(body.toString()) as { pbx_call_id: string }).pbx_call_id);
  const leg = (number: number, at: number) => ({
    ...{ pbx_call_id: `in_${number}`, call_id: `${1_795_421_000 + number}.1048820` },
    callstart: wordsOf(at, 'Europe/Kyiv'),
  });

  it('is asked for what was missed, and for calls that went on since, the oldest first, by its clocks', async () => {
    api.legs = [leg(1, NOW - 60_000), leg(2, NOW - 5 * HOUR), leg(3, NOW - 6 * HOUR)];
    assert.deepEqual(idsOf(await missedSince(NOW - HOUR)), ['in_2', 'in_1']);
    const query = new URLSearchParams(api.asked[0]!.split('?')[1]);
    assert.deepEqual([query.get('start'), query.get('end')], ['2026-11-23 06:00:00', '2026-11-23 11:00:00']);
  });

  it('keeps all digits of what names a recording', async () => {
    api.legs = [{ ...leg(1, NOW - 60_000), is_recorded: true }];
    const [raw = assert.fail()] = await missedSince(NOW - HOUR);
    const [item] = await open().normalize({ ...recorded('listed'), body: raw.body });
    assert.ok(item?.kind === 'call');
    assert.equal(item.call.recording, 'recording:1795421001.1048820');
  });

  it('is asked page by page and month by month, no more often than it allows, and none is missing', async () => {
    const start = NOW - 40 * DAY;
    api.legs = Array.from({ length: 1500 }, (_, index) => leg(1000 + index, start + index * 60_000));
    const found = missedSince(start);
    for (let asked = 1; asked < 3; asked++) {
      await until(() => clock.sleepers === 1);
      assert.equal(api.asked.length, asked);
      await clock.advance(20_000);
      assert.equal(api.asked.length, asked, 'three times a minute and not more');
      await clock.advance(1000);
    }
    const ids = idsOf(await found);
    assert.deepEqual(
      ids,
      api.legs.map(({ pbx_call_id }) => pbx_call_id),
    );
    const queries = api.asked.map((url) => new URLSearchParams(url.split('?')[1]));
    assert.deepEqual(
      queries.map((query) => query.get('skip')),
      ['0', '1000', '0'],
    );
    const at = (query: URLSearchParams | undefined, name: string) =>
      momentOf(query?.get(name) ?? undefined, 'Europe/Kyiv')!;
    assert.ok(at(queries[0], 'end') - at(queries[0], 'start') < 30 * DAY);
    assert.equal(at(queries[2], 'start'), at(queries[0], 'end') + 1000);
  });

  it('calls a customer back, and says when nobody knows whether it rings', async () => {
    const wish = { id: 'cbk_1', to: '+380671234567', agent: '100' };
    assert.deepEqual(await open().callBack!(wish, signal), {});
    assert.deepEqual(api.asked, ['/v1/request/callback/?from=100&to=380671234567']);
    for (const ending of ['drop', { status: 200, body: '<html>' }, { status: 502, body: '' }] as const) {
      api.end(ending);
      assert.ok((await failure(open().callBack!(wish, signal))) instanceof UncertainError, JSON.stringify(ending));
    }
  });

  it('says in the vendor’s words why it refuses, whatever the status', async () => {
    const wish = { id: 'cbk_1', to: '+380671234567', agent: '100' };
    for (const [status, kind] of [
      [200, PermanentError],
      [400, PermanentError],
      [401, AuthExpiredError],
      [429, RateLimitedError],
    ] as const) {
      api.end(refusal(status, "Check phone's number"));
      const error = await failure(open().callBack!(wish, signal));
      assert.ok(error instanceof kind && !(error instanceof UncertainError), `${status}: ${error.name}`);
      assert.match(error.message, /Check phone's number$/);
      if (error instanceof RateLimitedError) assert.equal(error.retryAfterMs, 60_000);
      if (error instanceof AuthExpiredError) assert.match(error.hint ?? '', /Integrations and API/);
    }
    assert.ok((await failure(open({ secret: 'another' }).test!())) instanceof AuthExpiredError);
  });

  it('is tested by its key and by its time zone', async () => {
    api.clocks = { unixtime: NOW / 1000, datetime: '2026-11-23 11:00:00', timezone: 'UTC+2' };
    assert.equal(await open().test!(), 'the key is right; the account is in UTC+2');
    const error = await failure(open({ timezone: 'Europe/London' }).test!());
    assert.match(error.message, /in UTC\+2, where it is 2026-11-23 11:00:00; timezone says Europe\/London/);
  });

  it('fits the description of the vendor, which notices a field that does not', function () {
    skipUnless(this, description, 'the descriptions of vendors are not beside the repository');
    const check = (path: string) => description!.request({ method: 'GET', path });
    const statistics = '/v1/statistics/pbx?start=2026-11-23+06%3A00%3A00&end=2026-11-23+11%3A00%3A00&version=2';
    assert.deepEqual(check(statistics), []);
    assert.deepEqual(check('/v1/request/callback?from=100&to=380671234567'), []);
    for (const wrong of [
      `${statistics}&page=2`,
      statistics.replace('version=2', 'version=3'),
      statistics.replace('+06', 'T06'),
      '/v1/request/callback?from=100',
      '/v1/request/callback?from=100&to=%2B',
      '/v1/pbx/record/request?id=1',
      '/v1/pbx/records',
    ]) {
      assert.notDeepEqual(check(wrong), [], wrong);
    }
  });

  describe('a recording', () => {
    const file = { id: 'recording:1795420500.104882', name: 'recording.mp3', mediaType: 'audio/mpeg' };
    const fetched = async (receivedAt = NOW) =>
      textOf(await open().download!(file, { ...recorded('record'), receivedAt }));

    it('is fetched by a link that is asked for at that moment, without the key', async () => {
      api.links.set('1795420500.104882', `${api.root}/v1/pbx/record/download/x/1.mp3`);
      api.files.set('/v1/pbx/record/download/x/1.mp3', Buffer.from('ID3'));
      assert.equal(await fetched(), 'ID3');
      assert.deepEqual(api.asked, ['/v1/pbx/record/request/?call_id=1795420500.104882']);
    });

    it('is fetched at no address but the vendor’s', async () => {
      for (const link of [
        'https://evil.example.com/1.mp3',
        'https://zadarma.com.example.com/1.mp3',
        'https://notzadarma.com/1.mp3',
        'http://api.zadarma.com/1.mp3',
        'https://api.zadarma.com:8443/1.mp3',
        'file:///etc/passwd',
        'none',
      ]) {
        api.links.set('1795420500.104882', link);
        const error = await failure(fetched());
        assert.ok(error instanceof PermanentError, link);
        assert.match(error.message, /none of the vendor's addresses/, link);
      }
    });

    it('that is not there yet is asked for again for half an hour', async () => {
      assert.ok((await failure(fetched())) instanceof RetryableError);
      assert.ok((await failure(fetched(NOW - HOUR))) instanceof PermanentError);
      api.end(refusal(410, 'gone'));
      const error = await failure(fetched(NOW - HOUR));
      assert.ok(error instanceof PermanentError && !error.gone);
    });
  });
});
