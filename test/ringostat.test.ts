import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { toItems } from '../src/connectors/ringostat/items.ts';
import { outcomeOf } from '../src/connectors/ringostat/outcome.ts';
import { ringostat } from '../src/connectors/ringostat/ringostat.ts';
import type { Channel, Raw } from '../src/core/connector.ts';
import { Item } from '../src/core/envelope.ts';
import {
  AuthExpiredError,
  PermanentError,
  RetryableError,
  TributaryError,
  UncertainError,
} from '../src/core/errors.ts';
import type { Payload } from '../src/core/payload.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import { openFiling } from './fakes/filing.ts';
import { AUTH_KEY, startRingostat } from './fakes/ringostat.ts';
import type { FakeRingostat, LoggedCall } from './fakes/ringostat.ts';

const ROOT = join(import.meta.dirname, '..');
const FIXTURES = join(ROOT, 'src/connectors/ringostat/fixtures');
const HOUR = 3_600_000;
const NOW = Date.parse('2026-11-23T08:30:00Z');
const signal = new AbortController().signal;

function recorded(name: string): Payload {
  const folder = join(FIXTURES, name);
  const { method, url, headers, receivedAt } = JSON.parse(readFileSync(join(folder, 'payload.json'), 'utf8')) as {
    method: string;
    url: string;
    headers: Record<string, string>;
    receivedAt: string;
  };
  const body = readFileSync(join(folder, 'body.json'));
  return { endpointId: 'calls', method, url, headers, receivedAt: Date.parse(receivedAt), body };
}

function itemsOf(fields: object, event = 'after'): Item[] {
  const payload = {
    ...recorded('after'),
    url: `/webhooks/calls?event=${event}`,
    body: Buffer.from(JSON.stringify(fields)),
  };
  return toItems(payload, 'Europe/Kyiv').map((item) => Item.parse(item));
}

describe('A call at Ringostat', () => {
  const config = ringostat.config.parse({ token: 'a'.repeat(32), authKey: AUTH_KEY, timeZone: 'Europe/Kyiv' });
  const channel = async (): Promise<Channel> => ringostat.open(config, fakeContext({ id: 'calls' }));

  /** What is there once these came, one after the other. */
  async function endOf(names: readonly string[]) {
    const filing = await openFiling({ channel: await channel() });
    // One that was missed before opens the ticket that it joins.
    await filing.intake.receive(recorded('missed-before'));
    for (const name of names) await filing.intake.receive(recorded(name));
    const { data } = await filing.store.read.tickets({}, { limit: 10 });
    const messages = (await Promise.all(data.map(({ id }) => filing.store.read.messages(id, { limit: 10 })))).flatMap(
      (page) => page.data,
    );
    await filing.close();
    return messages.filter(({ externalId }) => externalId === 'ua1_-1795421105.1001');
  }

  it('is one call with all that is known of it, in whatever order its webhooks and the call log come', async () => {
    const all = ['before', 'forward', 'answer', 'after', 'log-after'];
    const orders = [0, 1, 2, 3, 4].map((by) => [...all.slice(by), ...all.slice(0, by)]);
    for (const order of [all, ...orders, ...orders.map((each) => each.toReversed()), [...all, ...all]]) {
      const messages = await endOf(order);
      assert.equal(messages.length, 1, order.join());
      const [{ call, attachments, occurredAt } = assert.fail()] = messages;
      assert.equal(new Date(occurredAt).toISOString(), '2026-11-23T08:05:05.000Z');
      assert.equal(attachments.length, 1);
      assert.deepEqual(JSON.parse(JSON.stringify(call)), {
        ...{ outcome: 'answered', direction: 'inbound', from: '+380671234567', to: '+380441112233' },
        ...{ agent: 'Олена Зразкова', waitedSec: 12, talkedSec: 95, recording: call?.recording },
      });
    }
  });

  it('has the fields of the template on its page, and the log is asked for the same', async () => {
    const page = readFileSync(join(ROOT, 'docs/channels/ringostat.md'), 'utf8');
    const [, sample = ''] = /```json\n([\s\S]*?)```/.exec(page) ?? [];
    assert.deepEqual(JSON.parse(sample), JSON.parse(recorded('after').body.toString()));
    const named = [...page.matchAll(/^ *\| `(\w+)` +\| [a-z]/gm)].map(([, name]) => name);
    for (const name of Object.keys(JSON.parse(sample) as object))
      assert.ok(named.includes(name), `${name} is explained`);
    for (const name of readdirSync(FIXTURES)) {
      const [, event] = /\?event=(\w+)/.exec(recorded(name).url) ?? [];
      if (event && event !== 'rated') assert.ok(page.includes(`?event=${event}\``), event);
    }
  });

  it('that nobody took is not said to be of an employee who was rung up, and one that somebody took is', () => {
    const base = { uniqueid: '1', caller: '380671234567', employee_fio: 'Олена Зразкова' };
    for (const [disposition, agent] of [
      ['NO ANSWER', undefined],
      ['VOICEMAIL', undefined],
      ['REPEATED', 'Олена Зразкова'],
    ] as const) {
      const [item] = itemsOf({ ...base, disposition });
      assert.equal(item?.kind === 'call' ? item.call.agent : 'no call', agent, disposition);
    }
  });

  it('of an employee is not said to be of the customer whom he was connected with', () => {
    const [item] = itemsOf(
      { uniqueid: '1', dst: '380671234567', connected_with: '380671234567', disposition: 'ANSWERED' },
      'out_after',
    );
    assert.ok(item?.kind === 'call');
    assert.deepEqual([item.call.agent, item.sender.identifiers[0]?.value], [undefined, '+380671234567']);
  });

  it('ends as the call log says, and for a status from the future by whether anybody talked', () => {
    for (const [status, outcome] of [
      ['ANSWERED', 'answered'],
      ['PROPER', 'answered'],
      ['REPEATED', 'answered'],
      ['NO ANSWER', 'missed'],
      ['no_answer', 'missed'],
      ['NO-FORWARD', 'missed'],
      ['NO+EXTENSION', 'missed'],
      ['WRONG EXTENSION', 'missed'],
      ['CLIENT NO ANSWER', 'missed'],
      ['DECLINE', 'missed'],
      ['BUSY', 'busy'],
      ['VOICEMAIL', 'voicemail'],
      ['FAILED', 'failed'],
      ['FAILED FORBIDDEN DESTINATION', 'failed'],
      [undefined, 'missed'],
    ] as const) {
      assert.equal(outcomeOf(status, status === undefined ? 0 : 5), outcome, status);
    }
    assert.deepEqual(
      [outcomeOf('NEW', 12), outcomeOf('NEW', 0), outcomeOf('constructor', 0)],
      ['answered', 'missed', 'missed'],
    );
  });

  it('goes the way that it says itself, else that of its event, and is none where the address names no event', () => {
    for (const [event, call_type, direction] of [
      ['after', undefined, 'inbound'],
      ['out_after', undefined, 'outbound'],
      ['after', 'callback', 'inbound'],
      ['after', 'transitin', 'inbound'],
      ['after', 'transitout', 'outbound'],
      ['out_after', 'in', 'inbound'],
    ] as const) {
      const [item] = itemsOf({ uniqueid: '1', caller: '380671234567', dst: '380441112233', call_type }, event);
      assert.ok(item?.kind === 'call');
      const customer = direction === 'inbound' ? '+380671234567' : '+380441112233';
      assert.deepEqual([item.direction, item.call.direction], [direction, direction], `${event} ${call_type}`);
      assert.equal(item.sender.identifiers[0]?.value, customer);
    }
    for (const event of ['constructor', 'after2', ''])
      assert.equal(itemsOf({ uniqueid: '1' }, event)[0]?.kind, 'ignored');
  });

  it('has a customer where there is a number of his, and none where he hides it or an extension calls', () => {
    for (const [caller, value] of [
      ['380671234567', '+380671234567'],
      ['+380671234567', '+380671234567'],
      ['"Somebody" <380671234567>', '+380671234567'],
      ['0671234567', '0671234567'],
      ['anonymous', undefined],
      ['101', undefined],
      ['', undefined],
      ['sip_login_4', undefined],
    ] as const) {
      const [item] = itemsOf({ uniqueid: '1', caller });
      assert.ok(item?.kind === 'call');
      const [identifier] = item.sender.identifiers;
      assert.deepEqual([identifier?.value, identifier?.trust], [value, value && 'observed'], caller);
    }
  });

  it('has a recording only where there is one, and its address stays in the payload', () => {
    const recording = 'https://app.ringostat.com/recordings/1.ogg?token=0123456789abcdef';
    for (const [has_recording, count] of [
      ['1', 1],
      [1, 1],
      [true, 1],
      [undefined, 1],
      ['0', 0],
      [0, 0],
      [false, 0],
    ] as const) {
      const [item] = itemsOf({ uniqueid: '1', caller: '380671234567', has_recording, recording });
      assert.ok(item?.kind === 'call');
      assert.equal(item.attachments.length, count, String(has_recording));
      assert.ok(!JSON.stringify(item).includes('0123456789abcdef'));
    }
  });

  it('began when the project’s clocks say so, whatever form it is written in', () => {
    for (const [calldate, moment] of [
      ['2026-07-23 10:05:05', '2026-07-23T07:05:05.000Z'],
      ['2026-11-23T10:05:05+0500', '2026-11-23T05:05:05.000Z'],
      ['1795421105', '2026-11-23T08:05:05.000Z'],
      ['today', new Date(recorded('after').receivedAt).toISOString()],
    ] as const) {
      const [item] = itemsOf({ uniqueid: '1', calldate });
      assert.equal(item?.kind === 'call' && new Date(item.occurredAt).toISOString(), moment, calldate);
    }
    for (const [timeZone, isOne] of [
      ['Europe/Kyiv', true],
      ['Kyiv', false],
      ['', false],
    ] as const) {
      const settings = { token: 'a'.repeat(32), authKey: AUTH_KEY, timeZone };
      assert.equal(ringostat.config.safeParse(settings).success, isOne, timeZone);
    }
  });
});

describe("Ringostat's channel, against a stand-in that is a closed world", () => {
  let api: FakeRingostat;
  let egress: Egress;
  const clock = fakeClock(NOW);
  beforeEach(async () => {
    api = await startRingostat();
    egress = createHttp({ allow: ['127.0.0.1'], clock });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
    for (const { path, query } of api.asked)
      assert.ok(!`${path}?${query.toString()}`.includes(AUTH_KEY), 'the key is in an address');
  });

  function open(timeZone = 'Europe/Kyiv'): Channel {
    const config = ringostat.config.parse({ token: 'a'.repeat(32), authKey: AUTH_KEY, timeZone, apiRoot: api.root });
    return ringostat.open(config, fakeContext({ id: 'calls', clock, http: egress.for({ hosts: [] }) })) as Channel;
  }

  const logged = (uniqueid: string, calldate: string): LoggedCall => ({ uniqueid, calldate, caller: '380671234567' });

  async function missedSince(since: number, timeZone?: string): Promise<string[]> {
    const found: Raw[] = [];
    for await (const raw of open(timeZone).reconcile!(since, signal)) found.push(raw);
    return found.map(({ body }) => (JSON.parse(body.toString()) as { uniqueid: string }).uniqueid);
  }

  async function failure(work: Promise<unknown>): Promise<TributaryError> {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof TributaryError, `threw ${String(error)}`);
    const all = JSON.stringify([error, error.message, error.hint, error.stack, error.response, String(error.cause)]);
    assert.ok(!all.includes(AUTH_KEY), 'the key is in the error');
    return error;
  }

  it('is asked for what was missed, and calls that went on since, oldest first, in whichever zone it takes the bounds to be', async () => {
    api.log.push(
      logged('before', '2026-11-23T05:29:59+0200'),
      logged('first', '2026-11-23T05:30:00+0200'),
      logged('second', '2026-11-23T08:29:00+0000'),
      logged('far east', '2026-11-23T22:00:00+1400'),
      logged('far west', '2026-11-22T19:45:00-1200'),
      logged('later', '2026-11-23T10:30:00+0200'),
    );
    for (const zone of ['Europe/Kyiv', 'Pacific/Kiritimati', 'Etc/GMT+12', 'UTC']) {
      assert.deepEqual(await missedSince(NOW - HOUR, zone), ['first', 'second', 'far east', 'far west'], zone);
    }
  });

  it('is asked again in smaller pieces when an answer may have been cut, and none is missing or doubled', async () => {
    const at = (index: number) =>
      new Date(NOW - 13 * 24 * HOUR + index * 90_000).toISOString().replace('.000Z', '+0000');
    const ids = Array.from({ length: 12_000 }, (_, index) => `c${index}`);
    api.log.push(...ids.map((id, index) => logged(id, at(index))));
    assert.deepEqual(await missedSince(NOW - 14 * 24 * HOUR), ids);
  });

  it('gives up where two days have more calls than it hands out at once, rather than leave some out', async () => {
    api.log.push(...Array.from({ length: 6500 }, (_, index) => logged(`c${index}`, '2026-11-23T10:00:00+0200')));
    const error = await failure(missedSince(NOW - HOUR));
    assert.ok(error instanceof RetryableError);
    assert.match(error.message, /more than 6500 calls/);
  });

  it('takes an empty answer for no calls, and anything else that is no list for a failure', async () => {
    api.endings.push({ status: 200 });
    assert.deepEqual(await missedSince(NOW - HOUR), []);
    for (const body of ['<html>', '{"error":"no access"}', '["line"]']) {
      api.endings.push({ status: 200, body });
      assert.ok((await failure(missedSince(NOW - HOUR))) instanceof RetryableError, body);
    }
  });

  it('says that the key must be looked at when it is refused', async () => {
    for (const status of [401, 403]) {
      api.endings.push({ status, body: `no such key: ${AUTH_KEY}` });
      const error = await failure(open().test!());
      assert.ok(error instanceof AuthExpiredError, String(status));
      assert.match(error.hint ?? '', /Auth-key/);
    }
    assert.equal(await open().test!(), 'the Auth-key is right; calls of the last four hours: 0');
  });

  it('calls a customer back, at the employee’s first, and says when nobody knows whether it rings', async () => {
    const wish = { id: 'cbk_1', to: '+380671234567', agent: '380441112233' };
    assert.deepEqual(await open().callBack!(wish, signal), {});
    const { path, body } = api.asked[0] ?? assert.fail();
    assert.equal(`${path} ${body}`, '/callback/outward_call extension=380441112233&destination=380671234567');
    for (const [ending, kind] of [
      ['cut', UncertainError],
      [{ status: 502 }, UncertainError],
      [{ status: 400, body: 'extension' }, PermanentError],
      [{ status: 200, body: '{"error":{"message":"no such number"}}' }, PermanentError],
      [{ status: 401 }, AuthExpiredError],
    ] as const) {
      api.endings.push(ending);
      const error = await failure(open().callBack!(wish, signal));
      assert.ok(error instanceof kind, `${JSON.stringify(ending)}: ${error.name}`);
      if (kind === PermanentError) assert.match(error.hint ?? '', /connected to the project/);
    }
  });

  describe('a recording', () => {
    const file = { id: 'recording:1', name: 'recording.ogg', mediaType: 'audio/ogg' };
    const announced = (recording: string, receivedAt = NOW): Payload => {
      const body = Buffer.from(JSON.stringify({ uniqueid: '1', has_recording: '1', recording }));
      return { ...recorded('after'), receivedAt, body };
    };
    const fetched = async (recording: string, receivedAt?: number) =>
      textOf(await open().download!(file, announced(recording, receivedAt)));

    it('is fetched from where its payload says, and the key stays at home', async () => {
      api.recordings.set('/recordings/1.ogg', Buffer.from('OggS'));
      assert.equal(await fetched(`${api.root}/recordings/1.ogg?token=0123456789abcdef`), 'OggS');
    });

    it('is fetched at no address but those of Ringostat', async () => {
      for (const address of [
        'https://evil.example.com/1.ogg',
        'https://app.ringostat.com.example.com/1.ogg',
        'https://notringostat.com/1.ogg',
        'http://app.ringostat.com/1.ogg',
        'https://app.ringostat.com:8443/1.ogg',
        'file:///etc/passwd',
        'none',
        '',
      ]) {
        const error = await failure(fetched(address));
        assert.ok(error instanceof PermanentError, address);
        assert.match(error.message, /at none of Ringostat's addresses/, address);
      }
    });

    it('that is not there yet is asked for again for half an hour, and says nothing about the project', async () => {
      for (const status of [401, 403, 404, 410]) {
        api.endings.push({ status }, { status });
        assert.ok((await failure(fetched(`${api.root}/recordings/1.ogg`))) instanceof RetryableError, String(status));
        const late = await failure(fetched(`${api.root}/recordings/1.ogg`, NOW - HOUR));
        assert.ok(late instanceof PermanentError && !late.gone, String(status));
      }
    });
  });
});
