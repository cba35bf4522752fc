import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { viber } from '../src/connectors/viber/viber.ts';
import type { Channel, Reply } from '../src/core/connector.ts';
import {
  AuthExpiredError,
  BadPayloadError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../src/core/errors.ts';
import type { WebhookRequest } from '../src/core/payload.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeContext, fakeLog } from './fakes/context.ts';
import { sampleMessage, sampleTicket } from './fakes/gateway.ts';
import { problemsOf, startViber, TOKEN } from './fakes/viber.ts';
import type { FakeViber } from './fakes/viber.ts';
import { skipUnless } from './skip.ts';

const VECTORS = join(import.meta.dirname, '../../shared/fixtures/signatures/viber-bot-python/vectors.json');
const signal = new AbortController().signal;

describe("Viber's channel, against a stand-in that is a closed world", () => {
  let api: FakeViber;
  let egress: Egress;
  beforeEach(async () => {
    api = await startViber();
    egress = createHttp({ allow: ['127.0.0.1'] });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  async function open(settings: object = {}, given: Parameters<typeof fakeContext>[0] = {}): Promise<Channel> {
    const config = viber.config.parse({ token: TOKEN, senderName: 'Example Desk', apiRoot: api.root, ...settings });
    return viber.open(config, fakeContext({ id: 'viber', http: egress.for({ hosts: [] }), ...given }));
  }

  function replyWith(given: Partial<Reply> & { readonly text?: string } = {}) {
    const sent: string[] = [];
    const reply: Reply = {
      id: 'tsk_1',
      ticket: sampleTicket({ number: 17 }),
      message: sampleMessage({ text: given.text ?? 'It comes tomorrow.', direction: 'outbound' }),
      thread: 'xy5/5y6O81+/kbWHpLhBoA==',
      answers: undefined,
      references: [],
      proof: '0123456789abcdefghijklmnop',
      sent: [],
      partSent: async (id) => void sent.push(id),
      open: async () => Readable.from([Buffer.from('bytes')]),
      ...given,
    };
    return { reply, sent };
  }

  async function failure(work: Promise<unknown> | undefined): Promise<TributaryError> {
    const error = await Promise.resolve(work).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof TributaryError, `threw ${String(error)}`);
    const all = JSON.stringify([error, error.message, error.hint, error.stack, error.response, String(error.cause)]);
    assert.ok(!all.includes(TOKEN), 'the token is in the error');
    return error;
  }

  describe('an answer', () => {
    it('goes out as text to the customer, under the name of the desk, and carries its ticket', async () => {
      const { reply, sent } = replyWith();
      await (
        await open()
      ).reply!(reply);
      assert.deepEqual(api.callsOf('send_message'), [
        {
          receiver: 'xy5/5y6O81+/kbWHpLhBoA==',
          tracking_data: '#17 0123456789abcdefghijklmnop',
          type: 'text',
          min_api_version: 1,
          sender: { name: 'Example Desk' },
          text: 'It comes tomorrow.',
        },
      ]);
      assert.deepEqual(sent, ['5916837654388304100'], 'all digits of the token');
    });

    it('goes out in parts where it is too long, none of them too large, and goes on behind those that went out', async () => {
      const text = Array.from({ length: 3000 }, (_, index) => `слово${index}`).join(' ');
      const channel = await open();
      await channel.reply!(replyWith({ text }).reply);
      const parts = api.callsOf('send_message').map((call) => String(call['text']));
      assert.equal(parts.length, 5);
      assert.equal(parts.join(' '), text);
      const again = replyWith({ text, sent: [{ externalId: '1' }, { externalId: '2' }] });
      await channel.reply!(again.reply);
      assert.deepEqual(
        api.callsOf('send_message').map((call) => call['text']),
        [...parts, ...parts.slice(2)],
      );
      assert.equal(again.sent.length, 3);
    });

    it('is not sent again where Viber says yes without a name for it', async () => {
      api.end('send_message', { status: 0, message: 'ok' });
      const { reply, sent } = replyWith();
      await (
        await open()
      ).reply!(reply);
      assert.deepEqual(sent, ['tsk_1:0']);
    });

    it('is refused before anything goes out when it has files, no text or no customer', async () => {
      const channel = await open();
      const file = { id: 'att_1', name: 'a.pdf', mediaType: 'application/pdf', size: 5, state: 'stored' } as const;
      const attachments = [{ ...file, error: null, inline: false, url: '' }];
      for (const [given, words] of [
        [{ message: sampleMessage({ text: 'look', attachments }) }, /files by a public address only/],
        [{ text: '  ' }, /is empty/],
        [{ thread: undefined }, /no customer on Viber/],
      ] as const) {
        const error = await failure(channel.reply!(replyWith(given).reply));
        assert.ok(error instanceof PermanentError);
        assert.match(error.message, words);
      }
      assert.deepEqual(api.calls, []);
    });

    for (const [status, message, kind, hint] of [
      [2, 'invalidAuthToken', AuthExpiredError, /app key/],
      [3, 'badData', PermanentError, undefined],
      [4, 'missingData', PermanentError, undefined],
      [5, 'receiverNotRegistered', PermanentError, /left Viber/],
      [6, 'notSubscribed', PermanentError, /turned messages from the bot off/],
      [7, 'publicAccountBlocked', AuthExpiredError, /support/],
      [8, 'publicAccountNotFound', AuthExpiredError, /app key/],
      [9, 'publicAccountSuspended', AuthExpiredError, /support/],
      [10, 'webhookNotSet', RetryableError, /PUBLIC_URL/],
      [11, 'receiverNoSuitableDevice', PermanentError, /too old/],
      [12, 'tooManyRequests', RateLimitedError, undefined],
      [
        12,
        'maximum messages from Public Account to Viber user without reply exceeded.',
        RetryableError,
        /100 messages an hour/,
      ],
      [13, 'apiVersionNotSupported', PermanentError, /too old/],
      [14, 'incompatibleWithVersion', PermanentError, undefined],
      [15, 'publicAccountNotAuthorized', AuthExpiredError, /support/],
      [21, 'unsupportedCountry', PermanentError, /customer's country/],
      [23, 'freeMessagesExceeded', PermanentError, /arrange payment/],
      [24, 'noBalance', PermanentError, /arrange payment/],
      [99, 'general error', RetryableError, undefined],
    ] as const) {
      it(`says what ${status} ${message} in an answer of 200 means`, async () => {
        api.end('send_message', { status, message });
        const { reply, sent } = replyWith();
        const error = await failure((await open()).reply!(reply));
        assert.ok(error instanceof kind, error.name);
        assert.equal(error.message, `send_message: ${status} ${message}`);
        assert.equal(error instanceof RetryableError && error.outcomeUnknown, false);
        if (hint) assert.match(error.hint ?? '', hint);
        else assert.equal(error.hint, undefined);
        assert.deepEqual(sent, []);
      });
    }

    it('is for a person to look at when nobody knows whether it went out', async () => {
      for (const ending of ['cut', 'html', { http: 502 }] as const) {
        api.end('send_message', ending);
        const error = await failure((await open()).reply!(replyWith().reply));
        assert.ok(error instanceof RetryableError && error.outcomeUnknown, JSON.stringify(ending));
      }
    });

    it('shows the token nowhere, whoever quotes it', async () => {
      api.end('send_message', { status: 3, message: `no such token ${TOKEN}` });
      const error = await failure((await open()).reply!(replyWith().reply));
      assert.equal(error.message, 'send_message: 3 no such token …');
    });
  });

  describe('a file', () => {
    const download = async (media: string, settings: object = {}, http = egress.for({ hosts: [] })) => {
      const body = Buffer.from(JSON.stringify({ event: 'message', message: { type: 'file', media } }));
      const payload = { endpointId: 'viber', receivedAt: 0, method: 'POST', url: '', headers: {}, body };
      const attachment = { id: '1', name: 'a.pdf', mediaType: 'application/pdf' };
      return (await open(settings, { http })).download!(attachment, payload);
    };

    it('is fetched from where the message says', async () => {
      const url = api.addFile('a.pdf', Buffer.from('%PDF'));
      assert.equal(await textOf(await download(`${url}?Expires=1&Signature=x`)), '%PDF');
    });

    it('is fetched at no address but those of Viber and of what stands in for it', async () => {
      for (const media of [
        'https://evil.example.com/a.pdf',
        'https://dl-media.viber.com.example.com/a.pdf',
        'https://notviber.com/a.pdf',
        'https://dl-media.viber.com:8443/a.pdf',
        'ftp://dl-media.viber.com/a.pdf',
        'file:///etc/passwd',
        'no address',
        api.root.replace('127.0.0.1', 'localhost'),
      ]) {
        const error = await failure(download(media));
        assert.ok(error instanceof PermanentError, media);
        assert.match(error.message, /at none of Viber's addresses/, media);
      }
      const withoutStandIn = await failure(download(api.addFile('a.pdf', Buffer.from('%PDF')), { apiRoot: undefined }));
      assert.match(withoutStandIn.message, /at none of Viber's addresses/);
    });

    it("is fetched at Viber's over https, whatever its address says", async () => {
      const urls: string[] = [];
      const stream = async ({ url }: { readonly url: string }) => {
        urls.push(url);
        return { headers: {}, body: Readable.from([]) };
      };
      const channel = await open({ apiRoot: undefined }, { http: { ...egress.for({ hosts: [] }), stream } });
      for (const media of ['http://content.cdn.viber.com/stickers/1.png', 'https://dl-media.viber.com/5/a.jpg?E=1']) {
        const body = Buffer.from(JSON.stringify({ message: { type: 'file', media } }));
        const payload = { endpointId: 'viber', receivedAt: 0, method: 'POST', url: '', headers: {}, body };
        await channel.download!({ id: '1', name: 'a', mediaType: 'image/png' }, payload);
      }
      assert.deepEqual(urls, [
        'https://content.cdn.viber.com/stickers/1.png',
        'https://dl-media.viber.com/5/a.jpg?E=1',
      ]);
    });

    it('that is gone says nothing about the bot', async () => {
      for (const http of [401, 403, 404, 410]) {
        api.end('file', { http });
        const error = await failure(download(api.addFile('a.pdf', Buffer.from('%PDF'))));
        assert.ok(error instanceof PermanentError && !error.gone, String(http));
        assert.match(error.hint ?? '', /for an hour/);
      }
      api.end('file', { http: 503 });
      const later = await failure(download(api.addFile('a.pdf', Buffer.from('%PDF'))));
      assert.ok(later instanceof RetryableError);
      const sealed = createHttp({ allow: [] });
      const refused = await failure(download(api.addFile('a.pdf', Buffer.from('%PDF')), {}, sealed.for({ hosts: [] })));
      sealed.close();
      assert.match(refused.message, /^GET .*this address may not be called$/);
    });
  });

  describe('the webhook', () => {
    it('is registered where Viber reaches us, with the names of people and without their pictures', async () => {
      const log = fakeLog();
      await (
        await open({}, { log, publicUrl: 'http://127.0.0.1:8080' })
      ).connect!(signal);
      assert.deepEqual(api.calls, []);
      assert.match(JSON.stringify(log.entries), /PUBLIC_URL/);
      api.end('set_webhook', { status: 1, message: 'Result: failed' });
      const error = await failure((await open()).connect!(signal));
      assert.ok(error instanceof RetryableError);
      assert.match(error.hint ?? '', /reached from the internet/);
      assert.deepEqual(api.callsOf('set_webhook'), [
        {
          url: 'https://desk.example.com/webhooks/viber',
          event_types: ['delivered', 'seen', 'failed', 'subscribed', 'unsubscribed', 'conversation_started'],
          send_name: true,
          send_photo: false,
        },
      ]);
    });

    it('is tried by the test, which says who the bot is', async () => {
      const channel = await open();
      assert.match(
        (await failure(channel.test!())).message,
        /Example Desk \(example_desk\) answers, but has no webhook/,
      );
      api.webhook = 'https://other.example.com/hook';
      assert.match((await failure(channel.test!())).message, /pushes elsewhere/);
      api.webhook = 'https://desk.example.com/webhooks/viber';
      assert.equal(await channel.test!(), 'Example Desk (example_desk) answers and pushes to us');
      const other = await open({ token: TOKEN.replace('44', '55') });
      assert.ok((await failure(other.test!())) instanceof AuthExpiredError);
    });

    const started = (content: object = {}): WebhookRequest => ({
      endpointId: 'viber',
      receivedAt: 0,
      method: 'POST',
      url: '/webhooks/viber',
      headers: {},
      body: Buffer.from(JSON.stringify({ event: 'conversation_started', subscribed: false, ...content })),
    });
    const respond = (channel: Channel, request: WebhookRequest) => channel.webhook!.respond!(request, { items: [] });

    it('greets whoever opens the conversation for the first time, where there is a greeting', async () => {
      const greeting = respond(await open({ welcome: 'Hello!' }), started());
      const said = { receiver: 'somebody', ...(JSON.parse(String(greeting.body)) as object) };
      assert.deepEqual(problemsOf('send_message', JSON.stringify(said)), []);
      assert.equal((said as { text?: string }).text, 'Hello!');
      assert.deepEqual(respond(await open(), started()), { status: 200 });
      for (const content of [{ subscribed: true }, { event: 'subscribed' }]) {
        assert.deepEqual(respond(await open({ welcome: 'Hello!' }), started(content)), { status: 200 });
      }
      const unreadable = { ...started(), body: Buffer.from('{') };
      assert.deepEqual(respond(await open({ welcome: 'Hello!' }), unreadable), { status: 200 });
    });

    it("gives each of Viber's signatures the verdict that is stated, and none with a byte changed", async function () {
      skipUnless(this, existsSync(VECTORS), 'the collected signatures are not beside the repository');
      const { vectors } = JSON.parse(readFileSync(VECTORS, 'utf8')) as {
        vectors: { secret: string; body: string; signature: string; valid: boolean }[];
      };
      const verdict = async ({ secret, body, signature }: (typeof vectors)[number]) => {
        const channel = await open({ token: secret });
        const headers = { 'x-viber-content-signature': signature };
        try {
          await channel.webhook!.verify({ ...started(), headers, body: Buffer.from(body) });
          return true;
        } catch (error) {
          assert.ok(error instanceof BadPayloadError);
          return false;
        }
      };
      assert.equal(vectors.length, 2);
      for (const vector of vectors) {
        assert.equal(await verdict(vector), vector.valid);
        if (!vector.valid) continue;
        for (const changed of [
          { body: vector.body.replace('1478683725125', '1478683725126') },
          { signature: `0${vector.signature.slice(1)}` },
          { signature: vector.signature.toUpperCase() },
          { signature: `${vector.signature}\n` },
          { signature: `${vector.signature}, ${vector.signature}` },
          { signature: '' },
          { secret: vector.secret.replace('44', '45') },
        ]) {
          assert.equal(await verdict({ ...vector, ...changed }), false, JSON.stringify(changed));
        }
      }
    });
  });

  it('takes words that mean something to JavaScript for kinds that are not known', async () => {
    const channel = await open();
    const read = (event: object) => {
      const body = Buffer.from(JSON.stringify({ message_token: 1, sender: { id: 'a' }, ...event }));
      return channel.normalize({ endpointId: 'viber', receivedAt: 0, method: 'POST', url: '', headers: {}, body });
    };
    const [item] = await read({ event: 'message', message: { type: 'constructor' } });
    assert.equal(item?.kind === 'message' && item.text, '[constructor]');
    const [withFile] = await read({ event: 'message', message: { type: 'constructor', media: 'https://viber.com/a' } });
    assert.equal(withFile?.kind === 'message' && withFile.attachments?.[0]?.name, 'file');
    const [notice] = await read({ event: 'toString' });
    assert.match(notice?.kind === 'ignored' ? notice.reason : '', /newer than this version/);
  });

  it('takes only what we wrote for the number of a ticket', async () => {
    const channel = await open();
    const proof = '0123456789abcdefghijklmnop';
    const numbers = await Promise.all(
      [`#17 ${proof}`, `#0 ${proof}`, `#17 ${proof}x`, `#17`, `17 ${proof}`, `#1e3 ${proof}`].map(
        async (tracking_data) => {
          const message = { type: 'text', text: 'a', tracking_data };
          const body = Buffer.from(
            JSON.stringify({ event: 'message', message_token: 1, sender: { id: 'a' }, message }),
          );
          const payload = { endpointId: 'viber', receivedAt: 0, method: 'POST', url: '', headers: {}, body };
          const [item] = await channel.normalize(payload);
          return item?.kind === 'message' && item.thread?.ticket?.number;
        },
      ),
    );
    assert.deepEqual(numbers, [17, undefined, undefined, undefined, undefined, undefined]);
  });

  it('is checked against a description that finds mistakes', () => {
    const text = { receiver: 'a', type: 'text', text: 'b', sender: { name: 'c' } };
    assert.deepEqual(problemsOf('send_message', JSON.stringify(text)), []);
    for (const wrong of [
      { recipient: 'a' },
      { sender: {} },
      { text: '' },
      { type: 'message' },
      { min_api_version: 0 },
    ]) {
      assert.notDeepEqual(problemsOf('send_message', JSON.stringify({ ...text, ...wrong })), []);
    }
    assert.notDeepEqual(problemsOf('set_webhook', '{"url":"http://desk.example.com"}'), []);
    assert.notDeepEqual(problemsOf('send_text', '{}'), []);
  });

  it('opens with settings that Viber accepts only', () => {
    const problems = (settings: object) =>
      viber.config
        .safeParse({ token: TOKEN, senderName: 'Desk', ...settings })
        .error?.issues.map(({ path }) => path.join('.')) ?? [];
    assert.deepEqual(problems({}), []);
    assert.deepEqual(problems({ token: 'with space' }), ['token']);
    assert.deepEqual(problems({ senderName: 'a'.repeat(29) }), ['senderName']);
    assert.deepEqual(problems({ welcome: 'a'.repeat(7001) }), ['welcome']);
    assert.deepEqual(problems({ apiRoot: 'ftp://example.com' }), ['apiRoot']);
  });
});
