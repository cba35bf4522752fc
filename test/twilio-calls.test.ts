import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { twilio } from '../src/connectors/twilio/twilio/twilio.ts';
import type { Channel, Raw, Reply } from '../src/core/connector.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
  UncertainError,
} from '../src/core/errors.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import { sampleMessage, sampleTicket } from './fakes/gateway.ts';
import type { Description } from './fakes/openapi.ts';
import { ACCOUNT, AUTH_TOKEN, describedTwilio, listed, refusal, sid, startTwilio } from './fakes/twilio.ts';
import type { FakeTwilio } from './fakes/twilio.ts';
import { skipUnless } from './skip.ts';

const HOUR = 3_600_000;
const PAYLOAD = { endpointId: 'sms', receivedAt: 0, method: 'POST', url: '', headers: {}, body: Buffer.alloc(0) };
const signal = new AbortController().signal;

describe("Twilio's channel, against a stand-in that is checked against Twilio's own description", () => {
  let api: FakeTwilio;
  let egress: Egress;
  const clock = fakeClock();
  let description: Description | undefined;
  before(() => {
    description = describedTwilio();
  });
  beforeEach(async () => {
    api = await startTwilio(description);
    egress = createHttp({ allow: ['127.0.0.1'], clock });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  async function open(settings: object = {}, publicUrl = 'https://desk.example.com'): Promise<Channel> {
    const base = { accountSid: ACCOUNT, authToken: AUTH_TOKEN, numbers: ['+14155550100'], apiRoot: api.root };
    const context = fakeContext({ id: 'sms', clock, publicUrl, http: egress.for({ hosts: [] }) });
    return twilio.open(twilio.config.parse({ ...base, ...settings }), context);
  }

  async function answer(thread: string | undefined, given: Partial<Reply> & { text?: string } = {}, channel?: Channel) {
    const sent: string[] = [];
    const { text = 'It comes tomorrow.', ...rest } = given;
    const reply: Reply = {
      id: 'tsk_1',
      ticket: sampleTicket(),
      message: sampleMessage({ text, direction: 'outbound' }),
      thread,
      answers: undefined,
      references: [],
      proof: '',
      sent: [],
      partSent: async (id) => void sent.push(id),
      open: async () => Readable.from([]),
      ...rest,
    };
    const error = await (channel ?? (await open())).reply!(reply).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    return { sent, error };
  }

  async function failure(work: Promise<unknown>): Promise<TributaryError> {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    return trusted(error);
  }

  /** An error that tells nobody the credentials. */
  function trusted(error: unknown): TributaryError {
    assert.ok(error instanceof TributaryError, `threw ${String(error)}`);
    const all = JSON.stringify([error, error.message, error.hint, error.stack, error.response, String(error.cause)]);
    const basic = Buffer.from(`${ACCOUNT}:${AUTH_TOKEN}`).toString('base64');
    assert.ok(!all.includes(AUTH_TOKEN) && !all.includes(basic), 'the credentials are in the error');
    return error;
  }

  describe('an answer', () => {
    it('goes out from the number that was written to, and asks to hear what becomes of it', async () => {
      const { sent, error } = await answer('+14155550123/+14155550100');
      assert.equal(error, undefined);
      assert.deepEqual(api.sent, [
        {
          To: '+14155550123',
          From: '+14155550100',
          Body: 'It comes tomorrow.',
          StatusCallback: 'https://desk.example.com/webhooks/sms',
        },
      ]);
      assert.deepEqual(sent, [sid('SM', 900)]);
    });

    it('goes out over WhatsApp, and through a service of numbers, where they were written to', async () => {
      await answer('whatsapp:UA.1349120865530274/whatsapp:+14155550100');
      await answer(`+14155550123/${sid('MG', 1)}`);
      assert.deepEqual(
        api.sent.map(({ To, From, MessagingServiceSid }) => [To, From, MessagingServiceSid]),
        [
          ['whatsapp:UA.1349120865530274', 'whatsapp:+14155550100', undefined],
          ['+14155550123', undefined, sid('MG', 1)],
        ],
      );
    });

    it('may be a template with its values', async () => {
      const template = { id: sid('HX', 1), values: { 1: 'Олена', 2: '4512' } };
      const message = sampleMessage({ text: 'Олена, order 4512 is ready.', template, direction: 'outbound' });
      await answer('whatsapp:+380671234567/whatsapp:+14155550100', { message });
      const { ContentSid, ContentVariables, Body } = api.sent[0]!;
      assert.deepEqual([ContentSid, Body], [sid('HX', 1), undefined]);
      assert.deepEqual(JSON.parse(ContentVariables!), { 1: 'Олена', 2: '4512' });
    });

    it('names no address for what becomes of it where Twilio cannot call back, since it would not be sent', async () => {
      for (const url of ['http://127.0.0.1:8080', 'http://localhost:8080', 'http://[::1]:8080']) {
        await answer('+14155550123/+14155550100', {}, await open({}, url));
      }
      assert.deepEqual(
        api.sent.map(({ StatusCallback }) => StatusCallback),
        [undefined, undefined, undefined],
      );
    });

    it('goes out in parts that networks carry, cut between words, and goes on behind those that went out', async () => {
      const words = (word: string) => Array.from({ length: 400 }, () => word).join(' ');
      for (const [thread, text, longest] of [
        ['+14155550123/+14155550100', words('parcel'), 1530],
        ['+14155550123/+14155550100', words('[parcel]'), 760],
        ['+14155550123/+14155550100', words('посилка'), 660],
        ['whatsapp:+380671234567/whatsapp:+14155550100', words('посилка'), 1600],
      ] as const) {
        api.sent.length = 0;
        assert.equal((await answer(thread, { text })).error, undefined);
        const bodies = api.sent.map(({ Body = '' }) => Body);
        assert.equal(bodies.join(' '), text);
        assert.ok(bodies.every((body) => body.length <= longest));
        assert.ok(bodies[0]!.length > longest - 10, `the first part has ${bodies[0]!.length} of ${longest}`);
        await answer(thread, { text, sent: [{ externalId: sid('SM', 900) }] });
        assert.deepEqual(
          api.sent.slice(bodies.length).map(({ Body }) => Body),
          bodies.slice(1),
        );
      }
    });

    it('keeps what went out when a later part is refused', async () => {
      api.end({ status: 201, body: JSON.stringify({ sid: sid('SM', 1) }) }, refusal(429, 20429, 'Too Many Requests'));
      const { sent, error } = await answer('+14155550123/+14155550100', { text: 'x '.repeat(1000) });
      assert.ok(trusted(error) instanceof RateLimitedError);
      assert.deepEqual(sent, [sid('SM', 1)]);
    });

    it('is refused before it goes out where it cannot arrive', async () => {
      const file = {
        id: 'att_1',
        name: 'a.pdf',
        mediaType: 'application/pdf',
        state: 'stored',
        inline: false,
      } as const;
      const withFile = sampleMessage({ text: 'look', attachments: [{ ...file, size: 5, error: null, url: '' }] });
      for (const [thread, given, reason] of [
        [undefined, {}, /no number at Twilio/],
        ['Sample Bank/+14155550100', {}, /a name in place of a number/],
        ['+14155550123/+14155550100', { message: withFile }, /ours are not public/],
        ['+14155550123/+14155550100', { text: ' ' }, /empty/],
      ] as const) {
        const { error } = await answer(thread, given);
        assert.ok(trusted(error) instanceof PermanentError);
        assert.match(trusted(error).message, reason);
      }
      assert.deepEqual(api.asked, []);
    });

    it('says in plain words why Twilio refuses it, and what to do', async () => {
      for (const [end, kind, text, hint] of [
        [refusal(400, 21610), PermanentError, /21610: the customer has unsubscribed/, /START/],
        [refusal(400, 63016), PermanentError, /63016: more than 24 hours/, /template/],
        [refusal(400, 21999, 'Something new'), PermanentError, /21999: Something new/, /errors\/21999/],
        [refusal(401, 20003, 'Authenticate'), AuthExpiredError, /20003: Authenticate/, /Auth Token/],
        [refusal(403, 20005, 'Account not active'), AuthExpiredError, /not active/, /active there/],
        [refusal(400, 21611, 'queue full'), RateLimitedError, /21611/, undefined],
        [{ status: 403, body: '<html>blocked</html>' }, PermanentError, /answered 403/, /Read its answer/],
      ] as const) {
        api.end(end);
        const error = trusted((await answer('+14155550123/+14155550100')).error);
        assert.ok(error instanceof kind, `${error.name} for ${text}`);
        assert.match(error.message, text);
        if (hint) assert.match(error.hint ?? '', hint);
        assert.equal(error.response?.status, end.status);
      }
      api.end({ ...refusal(429, 20429), headers: { 'content-type': 'application/json', 'retry-after': '7' } });
      const busy = trusted((await answer('+14155550123/+14155550100')).error);
      assert.ok(busy instanceof RateLimitedError && busy.retryAfterMs === 7000);
    });

    it('is left to a person where nobody knows whether it went out', async () => {
      for (const end of [refusal(500, 20500), { status: 201, body: '{"status":"queued"}' }, 'drop'] as const) {
        api.end(end);
        const error = trusted((await answer('+14155550123/+14155550100')).error);
        assert.ok(error instanceof UncertainError, error.name);
        assert.match(error.hint ?? '', /Twilio Console/);
      }
    });

    it('fits the description of Twilio, which notices a field that does not', function () {
      skipUnless(this, description, 'the descriptions of vendors are not beside the repository');
      const path = `/2010-04-01/Accounts/${ACCOUNT}/Messages.json`;
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      const check = (body: object) => description!.request({ method: 'POST', path, headers, body });
      assert.deepEqual(check({ To: '+1', From: '+2', Body: 'x', StatusCallback: 'https://desk.example.com' }), []);
      for (const wrong of [{ To: '+1', Text: 'x' }, { From: '+2' }, { To: '+1', MessagingServiceSid: 'MG1' }]) {
        assert.notDeepEqual(check(wrong), []);
      }
    });
  });

  describe('the window of WhatsApp', () => {
    it('is open for 24 hours after the customer wrote, where all numbers are of WhatsApp', async () => {
      const ready = { id: sid('HX', 1), name: 'Order ready', language: 'uk', text: 'Готово: {{1}}', parameters: ['1'] };
      const { canReply } = await open({ numbers: ['whatsapp:+14155550100'], templates: [ready] });
      const ask = (lastInboundAt: number | undefined) => canReply!({ ticket: sampleTicket(), lastInboundAt });
      const now = clock.now();
      assert.deepEqual(await ask(now - 23 * HOUR), { allowed: true, until: now + HOUR, templates: [ready] });
      for (const at of [now - 24 * HOUR, undefined]) {
        const { allowed, reason, templates } = await ask(at);
        assert.deepEqual([allowed, templates], [false, [ready]]);
        assert.match(reason ?? '', /24 hours/);
      }
      for (const numbers of [['+14155550100'], ['+14155550100', 'whatsapp:+14155550100']]) {
        assert.equal((await open({ numbers })).canReply, undefined);
      }
    });
  });

  describe('a file', () => {
    const path = `/2010-04-01/Accounts/${ACCOUNT}/Messages/${sid('MM', 5)}/Media/${sid('ME', 1)}`;
    const file = { id: `https://api.twilio.com${path}`, name: 'image.jpg', mediaType: 'image/jpeg' };

    it('is fetched with the credentials, and without them from where Twilio keeps it, again and again', async () => {
      const bytes = Buffer.alloc(300_000, 'p');
      api.files.set(path, { bytes });
      const channel = await open();
      for (let time = 0; time < 2; time++) {
        const hash = createHash('sha256').update(await buffer(await channel.download!(file, PAYLOAD)));
        assert.equal(hash.digest('hex'), createHash('sha256').update(bytes).digest('hex'));
      }
    });

    it('is fetched from Twilio only, whatever address a message names', async () => {
      const channel = await open();
      for (const id of [
        'https://example.com/media.jpg',
        `https://api.twilio.com.example.com${path}`,
        `https://example.com/?https://api.twilio.com${path}`,
        `http://api.twilio.com${path}`,
        `https://user:secret@example.com${path}`,
        `https://api.twilio.com/2010-04-01/Accounts/${ACCOUNT}/Messages.json`,
        `https://api.twilio.com${path}/../../../../Messages.json`,
        'nonsense',
      ]) {
        const error = await failure(channel.download!({ ...file, id }, PAYLOAD));
        assert.match(error.message, /not at Twilio/, id);
      }
      assert.deepEqual(api.asked, []);
    });

    it('is looked for where the storage of Twilio is said to be', async () => {
      const asked: string[] = [];
      const resolve = async (host: string) => {
        asked.push(host);
        throw Object.assign(new Error('no such host'), { code: 'ENOTFOUND' });
      };
      const apart = createHttp({ allow: ['127.0.0.1'], clock, resolve });
      const context = fakeContext({ id: 'sms', http: apart.for({ hosts: [] }) });
      const settings = { accountSid: ACCOUNT, authToken: AUTH_TOKEN, numbers: ['+14155550100'], apiRoot: api.root };
      const channel = await twilio.open(twilio.config.parse(settings), context);
      try {
        for (const to of [
          'https://mms.twiliocdn.com/x',
          'http://mms.twiliocdn.com/x',
          'https://mms.twiliocdn.com.example.com/x',
          'https://evil-twiliocdn.com/x',
        ]) {
          api.files.set(path, { bytes: Buffer.alloc(1), to });
          await failure(channel.download!(file, PAYLOAD));
        }
        assert.deepEqual(asked, ['mms.twiliocdn.com']);
      } finally {
        apart.close();
      }
    });

    it('is not fetched from where a redirect leads elsewhere', async () => {
      const other = await startTwilio(description);
      try {
        api.files.set(path, { bytes: Buffer.alloc(1), to: `${other.root}/x` });
        assert.ok((await failure((await open()).download!(file, PAYLOAD))) instanceof RetryableError);
        assert.deepEqual(other.asked, []);
      } finally {
        await other.close();
      }
    });
  });

  describe('what was missed', () => {
    async function missed(channel: Channel, since: number): Promise<Raw[]> {
      const raws: Raw[] = [];
      for await (const raw of channel.reconcile!(since, signal)) raws.push(raw);
      return raws;
    }
    const at = (time: string) => ({
      date_sent: `Sun, 22 Nov 2026 ${time} +0000`,
      date_created: `Sun, 22 Nov 2026 ${time} +0000`,
    });

    it('is asked of Twilio, page by page, and comes oldest first with its files', async () => {
      const path = `/2010-04-01/Accounts/${ACCOUNT}/Messages/${sid('MM', 3)}/Media/${sid('ME', 1)}`;
      api.files.set(path, { bytes: Buffer.from('x') });
      api.messages = [
        listed({ sid: sid('SM', 5), ...at('12:00:05'), to: '+14155550199', body: 'to another channel' }),
        listed({ sid: sid('SM', 4), ...at('12:00:04'), status: 'receiving' }),
        listed({ sid: sid('MM', 3), ...at('12:00:03'), body: '', num_media: '1' }),
        listed({ sid: sid('SM', 2), ...at('12:00:02'), body: 'second' }),
        listed({ sid: sid('SM', 1), ...at('12:00:01'), body: 'first' }),
        listed({ sid: sid('SM', 0), ...at('11:00:00'), body: 'before' }),
      ];
      const channel = await open();
      const raws = await missed(channel, Date.parse('2026-11-22T12:00:00.500Z'));
      const items = await Promise.all(
        raws.map(async ({ body, headers = {} }) =>
          channel.normalize({ ...PAYLOAD, method: 'RECONCILE', headers, body }),
        ),
      );
      assert.deepEqual(
        items.flat().map((item) => item.kind === 'message' && [item.text, item.occurredAt, item.attachments?.length]),
        [
          ['first', Date.parse('2026-11-22T12:00:01Z'), 0],
          ['second', Date.parse('2026-11-22T12:00:02Z'), 0],
          ['', Date.parse('2026-11-22T12:00:03Z'), 1],
        ],
      );
    });

    it('includes answers that failed, but nothing else that went out', async () => {
      const out = { direction: 'outbound-api', from: '+14155550100', to: '+14155550123' };
      api.messages = [
        listed({ sid: sid('SM', 3), ...out, status: 'undelivered', error_code: 30003 }),
        listed({ sid: sid('SM', 2), ...out, status: 'delivered' }),
        listed({ sid: sid('SM', 1), ...out, status: 'failed', error_code: 30008 }),
      ];
      const raws = await missed(await open(), 0);
      const ids = raws.map(({ body }) => (JSON.parse(body.toString()) as { message: { sid: string } }).message.sid);
      assert.deepEqual(ids, [sid('SM', 1), sid('SM', 3)]);
    });

    it('is asked of Twilio alone, whatever address the next page has', async () => {
      for (const next_page_uri of ['https://example.com/next', '//example.com/next', '/elsewhere']) {
        const page = { messages: [listed({ sid: sid('SM', 1) })], next_page_uri };
        api.end({ status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(page) });
        assert.equal((await missed(await open(), 0)).length, 1);
      }
      assert.equal(api.asked.length, 6);
    });

    it('fails when Twilio does not say it, so that it is asked again', async () => {
      const channel = await open();
      api.end(refusal(401, 20003, 'Authenticate'));
      assert.ok((await failure(missed(channel, 0))) instanceof AuthExpiredError);
      api.end(refusal(503, 20503));
      assert.ok((await failure(missed(channel, 0))) instanceof RetryableError);
    });
  });

  describe('the test of the channel', () => {
    it('says of each number where Twilio pushes what comes to it', async () => {
      api.numbers = {
        '+14155550100': 'https://desk.example.com/webhooks/sms#rc=3&rp=all',
        '+14155550101': 'https://other.example.com/',
        '+14155550102': '',
      };
      const channel = await open({ numbers: [...Object.keys(api.numbers), '72345', 'whatsapp:+14155550100'] });
      assert.equal(
        await channel.test!(),
        '+14155550100 pushes to us; +14155550101 pushes elsewhere (https://other.example.com/); +14155550102 pushes elsewhere (nowhere)',
      );
    });

    it('refuses a number that is not of the account, and credentials that are wrong', async () => {
      assert.match((await failure((await open()).test!())).message, /\+14155550100 is none of the numbers/);
      const whatsapp = { numbers: ['whatsapp:+14155550100'] };
      assert.equal(await (await open(whatsapp)).test!(), 'the credentials are right');
      for (const settings of [{}, whatsapp]) {
        const channel = await open({ ...settings, authToken: '0'.repeat(32) });
        assert.ok((await failure(channel.test!())) instanceof AuthExpiredError);
      }
    });
  });
});
