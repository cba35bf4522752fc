import assert from 'node:assert/strict';
import { text as textOf } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { max } from '../src/connectors/max/max.ts';
import { filesOf } from '../src/connectors/max/content.ts';
import { isOfMax } from '../src/connectors/max/hosts.ts';
import { Message } from '../src/connectors/max/update.ts';
import type { Channel, Reply } from '../src/core/connector.ts';
import {
  AuthExpiredError,
  BadPayloadError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../src/core/errors.ts';
import type { Payload, WebhookRequest } from '../src/core/payload.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext, fakeLog } from './fakes/context.ts';
import { sampleMessage } from './fakes/gateway.ts';
import { problemsOf, refusal, SECRET, startMax, TOKEN } from './fakes/max.ts';
import type { FakeMax } from './fakes/max.ts';

const signal = new AbortController().signal;
const WEBHOOK = 'https://desk.example.com/webhooks/max';

describe("MAX's channel, against a stand-in that is a closed world", () => {
  let api: FakeMax;
  let egress: Egress;
  beforeEach(async () => {
    api = await startMax();
    egress = createHttp({ allow: ['127.0.0.1'] });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  /** What was slept, instead of sleeping. */
  const slept: number[] = [];
  beforeEach(() => void slept.splice(0));

  async function open(settings: object = {}, given: Parameters<typeof fakeContext>[0] = {}): Promise<Channel> {
    const config = max.config.parse({ token: TOKEN, webhookSecret: SECRET, apiRoot: api.root, ...settings });
    const clock = { ...fakeClock(), sleep: async (ms: number) => void slept.push(ms) };
    return max.open(config, fakeContext({ id: 'max', http: egress.for({ hosts: [] }), clock, ...given }));
  }

  function replyWith(given: Partial<Reply> & { text?: string; files?: readonly [name: string, type: string][] } = {}) {
    const sent: string[] = [];
    const attachments = (given.files ?? []).map(([name, mediaType]) => ({
      ...{ id: name, name, mediaType, size: 5, state: 'stored' as const, error: null, inline: false, url: '' },
    }));
    const reply = {
      id: 'tsk_1',
      message: sampleMessage({ text: given.text ?? 'It comes tomorrow.', direction: 'outbound', attachments }),
      thread: '5001',
      answers: undefined,
      references: [],
      proof: '0123456789abcdefghijklmnop',
      sent: [],
      partSent: async (id: string) => void sent.push(id),
      open: async () => Readable.from([Buffer.from('bytes')]),
      ...given,
    } as unknown as Reply;
    return { reply, sent };
  }

  const send = async (given: Parameters<typeof replyWith>[0] = {}): Promise<string[]> => {
    const { reply, sent } = replyWith(given);
    await (
      await open()
    ).reply!(reply);
    return sent;
  };

  async function failure(work: Promise<unknown> | undefined): Promise<TributaryError> {
    const error = await Promise.resolve(work).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof TributaryError, `threw ${String(error)}`);
    const all = JSON.stringify([error, error.message, error.hint, error.stack, error.response, String(error.cause)]);
    assert.ok(!all.includes(TOKEN), 'the token is in the error');
    assert.ok(!all.includes(SECRET), 'the secret is in the error');
    return error;
  }

  describe('its settings', () => {
    const problems = (settings: object) =>
      (max.config.safeParse(settings).error?.issues ?? []).map(({ path }) => path.join('.'));

    it('want a secret for a webhook, and none to poll', () => {
      assert.deepEqual(problems({ token: TOKEN }), ['webhookSecret']);
      assert.deepEqual(problems({ token: TOKEN, mode: 'poll' }), []);
      assert.deepEqual(problems({ token: TOKEN, webhookSecret: 'four' }), ['webhookSecret']);
      assert.deepEqual(problems({ token: TOKEN, webhookSecret: 'with space' }), ['webhookSecret']);
      assert.deepEqual(problems({ token: `${TOKEN}\n`, mode: 'poll' }), ['token']);
    });

    it('call the host that MAX names now, or the one that is set', async () => {
      const { apiRoot } = max.config.parse({ token: TOKEN, mode: 'poll' });
      assert.equal(apiRoot, 'https://platform-api2.max.ru');
      assert.equal(
        max.config.parse({ token: TOKEN, mode: 'poll', apiRoot: 'https://x.test/' }).apiRoot,
        'https://x.test',
      );
    });
  });

  describe('a webhook', () => {
    const request = (headers: Record<string, string>) =>
      ({ headers, body: Buffer.from('{}'), method: 'POST' }) as unknown as WebhookRequest;

    it('is taken with the secret only, whole and alone', async () => {
      const { webhook, poll } = await open();
      assert.equal(poll, undefined, 'it is not polled as well');
      await webhook!.verify(request({ 'x-max-bot-api-secret': SECRET }));
      for (const wrong of ['', SECRET.slice(1), `${SECRET} `, SECRET.toUpperCase(), TOKEN]) {
        await assert.rejects(
          async () => webhook!.verify(request({ 'x-max-bot-api-secret': wrong })),
          BadPayloadError,
          wrong,
        );
      }
      await assert.rejects(async () => webhook!.verify(request({})), BadPayloadError);
    });

    it('is registered with what is read and the secret; with every start', async () => {
      await (
        await open()
      ).connect!(signal);
      await (
        await open({ webhookSecret: 'another-one' })
      ).connect!(signal);
      assert.deepEqual([...api.webhooks], [[WEBHOOK, 'another-one']]);
      const { update_types: types } = api.calls[0]!.body as { update_types: string[] };
      for (const kind of ['message_created', 'message_edited', 'message_removed', 'message_callback', 'bot_started'])
        assert.ok(types.includes(kind), kind);
    });

    it('is not registered where MAX would not call, and says so', async () => {
      for (const publicUrl of ['http://desk.example.com', 'https://desk.example.com:8443']) {
        const log = fakeLog();
        await (
          await open({}, { publicUrl, log })
        ).connect!(signal);
        assert.match(log.entries[0]?.text ?? '', /no webhook is registered/, publicUrl);
      }
      assert.equal(api.calls.length, 0);
    });

    it('that MAX does not take is a failure, though MAX answers 200', async () => {
      api.end('POST /subscriptions', { status: 200, body: { success: false, message: 'url is not reachable' } });
      const error = await failure((await open()).connect!(signal));
      assert.ok(error instanceof PermanentError && /url is not reachable/.test(error.message));
    });
  });

  describe('a poll', () => {
    it('goes on behind the marker, also one beyond 2^53, and hands over one update at a time', async () => {
      const channel = await open({ mode: 'poll' });
      assert.equal(channel.webhook, undefined, 'nobody may push to it as well');
      const update = (mid: string) => ({ update_type: 'message_removed', timestamp: 1, message_id: mid, chat_id: 1 });
      api.pages.push({ updates: [update('mid.1'), update('mid.2')], marker: 25_493_970 });
      const first = await channel.poll!(undefined, signal);
      assert.deepEqual([first.items.length, first.cursor, first.more], [2, '25493970', true]);
      const items = await channel.normalize({ body: first.items[1]!.body } as unknown as Payload);
      assert.deepEqual(items, [{ kind: 'deletion', externalId: 'mid.2', occurredAt: 1 }]);
      const second = await channel.poll!('9223372036854775807', signal);
      assert.deepEqual([second.items.length, second.cursor, second.more], [0, '9223372036854775807', false]);
      const markers = api.callsOf('GET /updates').map(({ query }) => query['marker']);
      assert.deepEqual(markers, [undefined, '9223372036854775807']);
    });

    it("takes our own webhook back, and leaves another's", async () => {
      api.webhooks.set(WEBHOOK, SECRET).set('https://other.example.com/', undefined);
      await (
        await open({ mode: 'poll' })
      ).connect!(signal);
      assert.deepEqual([...api.webhooks.keys()], ['https://other.example.com/']);
      await (
        await open({ mode: 'poll' })
      ).connect!(signal);
      assert.equal(api.callsOf('DELETE /subscriptions').length, 1);
    });
  });

  describe('an answer', () => {
    it('goes out as it is written, to the chat', async () => {
      const [sent] = await send({ text: 'Take *this*_one_' });
      const [call] = api.callsOf('POST /messages');
      assert.deepEqual(call!.query, { chat_id: '5001' });
      assert.deepEqual(call!.body, { text: 'Take *this*_one_', attachments: null, link: null });
      assert.match(sent ?? '', /^mid\./);
    });

    it('quotes in a chat of several what it answers, once, and not between two', async () => {
      const answers = sampleMessage({ externalId: 'mid.000000000000138901' });
      const links = async (thread: string) => {
        api.calls.length = 0;
        await send({ thread, answers, text: 'x'.repeat(4001) });
        return api.callsOf('POST /messages').map(({ body }) => (body as { link: unknown }).link);
      };
      assert.deepEqual(await links('-70801090403050'), [{ type: 'reply', mid: 'mid.000000000000138901' }, null]);
      assert.deepEqual(await links('5001'), [null, null]);
      // What was pressed is no message that could be quoted.
      await send({ thread: '-1', answers: sampleMessage({ externalId: 'cb_1:1795341600573' }) });
      assert.equal((api.calls.at(-1)!.body as { link: unknown }).link, null);
    });

    it('goes to the person where there is no chat, and nowhere without one', async () => {
      const author = { name: 'Anna', identifiers: [{ kind: 'max:max', value: '7001', trust: 'verified' as const }] };
      await send({ thread: undefined, answers: sampleMessage({ author }) });
      assert.deepEqual(api.callsOf('POST /messages')[0]!.query, { user_id: '7001' });
      const other = { ...author, identifiers: [{ ...author.identifiers[0]!, kind: 'max:other' }] };
      for (const answers of [undefined, sampleMessage({ author: other })]) {
        assert.ok((await failure(send({ thread: undefined, answers }))) instanceof PermanentError);
      }
      assert.ok((await failure(send({ thread: '../me', answers: undefined }))) instanceof PermanentError);
    });

    it('goes out in parts of 4,000 characters, and on behind those that went', async () => {
      const text = `${'a'.repeat(3990)} ${'b'.repeat(3990)} c`;
      assert.equal((await send({ text })).length, 2);
      api.calls.length = 0;
      assert.equal((await send({ text, sent: [{ externalId: 'mid.1' }] })).length, 1);
      const [{ body } = { body: {} }] = api.callsOf('POST /messages');
      assert.match((body as { text: string }).text, /^b+ c$/);
    });

    it('that is empty does not go out', async () => {
      assert.match((await failure(send({ text: ' ' }))).message, /empty/);
    });

    it('carries files, each as what MAX can show, uploaded without the token', async () => {
      const files: [string, string][] = [
        ['a.png', 'image/png'],
        ['b.mp4', 'video/mp4'],
        ['c.mp3', 'audio/mpeg'],
        ['d"\r\nx: y.pdf', 'application/pdf'],
        ['e.svg', 'image/svg+xml'],
      ];
      assert.equal((await send({ text: 'Here', files })).length, 6);
      const bodies = api
        .callsOf('POST /messages')
        .map(({ body }) => body as { attachments: { type: string }[] | null });
      assert.deepEqual(
        bodies.map(({ attachments }) => attachments?.map(({ type }) => type)),
        [undefined, ['image'], ['video'], ['audio'], ['file'], ['file']],
      );
      const uploads = [...api.uploads.values()];
      assert.deepEqual(new Set(uploads.map(({ authorization }) => authorization)), new Set([undefined]));
      assert.ok(uploads.every(({ form }) => form.includes('name="data"') && form.includes('\r\n\r\nbytes\r\n--')));
      assert.match(uploads[3]!.form, /filename="d___x: y\.pdf"/);
    });

    it('carries what is too large to be shown as a file', async () => {
      const { reply } = replyWith({ text: '', files: [['a.png', 'image/png']] });
      const [small] = reply.message.attachments;
      const large = { ...small!, size: 50 * 1024 * 1024 + 1 };
      const kindsOf = () => api.callsOf('POST /uploads').map(({ query }) => query['type']);
      api.end('POST /uploads', { status: 500 });
      const message = { ...reply.message, attachments: [large] };
      await failure((await open()).reply!({ ...reply, message }));
      assert.deepEqual(kindsOf(), ['file']);
    });

    it('is not sent with a picture of which MAX took nothing', async () => {
      api.end('upload', { status: 200, body: { photos: {} } });
      assert.ok((await failure(send({ files: [['a.png', 'image/png']], text: '' }))) instanceof PermanentError);
    });

    it('waits for MAX to have worked on its file, longer each time', async () => {
      const notReady = refusal(400, 'attachment.not.ready', 'Key: errors.process.attachment.file.not.processed');
      api.end('POST /messages', notReady, notReady);
      assert.equal((await send({ text: '', files: [['d.pdf', 'application/pdf']] })).length, 1);
      assert.deepEqual([slept, api.uploads.size], [[1000, 2000], 1]);
      api.end('POST /messages', ...Array.from({ length: 7 }, () => notReady));
      const error = await failure(send({ text: '', files: [['d.pdf', 'application/pdf']] }));
      assert.ok(error instanceof RetryableError && !error.outcomeUnknown);
    });

    it('is not sent with a file that MAX refuses, or to an address for uploads that is not its own', async () => {
      api.end('upload', { status: 200, body: { error_code: 4, error_data: 'File extension is forbidden' } });
      const refused = await failure(send({ files: [['x.exe', 'application/x-msdownload']], text: '' }));
      assert.ok(refused instanceof PermanentError && /forbidden/.test(refused.message));
      api.end('POST /uploads', { status: 200, body: { url: 'https://uploads.example.com/1' } });
      const elsewhere = await failure(send({ files: [['x.txt', 'text/plain']], text: '' }));
      assert.ok(elsewhere instanceof PermanentError && /not its own/.test(elsewhere.message));
      assert.equal(api.callsOf('POST /messages').length, 0);
      api.end('upload', { status: 500 });
      assert.ok((await failure(send({ files: [['x.txt', 'text/plain']], text: '' }))) instanceof RetryableError);
    });

    it('fails as MAX means it', async () => {
      const ends = async (ending: Parameters<FakeMax['end']>[1]) => {
        api.end('POST /messages', ending);
        return failure(send());
      };
      const suspended = await ends(refusal(403, 'chat.denied', 'Key: error.dialog.suspended, args: [5001,].'));
      assert.ok(suspended instanceof PermanentError && /stopped the bot/.test(suspended.hint ?? ''));
      const denied = await ends(refusal(403, 'chat.denied'));
      assert.ok(denied instanceof PermanentError && /administrator/.test(denied.hint ?? ''));
      assert.ok((await ends(refusal(404, 'chat.not.found'))) instanceof PermanentError);
      assert.ok((await ends(refusal(429, 'too.many.requests'))) instanceof RateLimitedError);
      assert.ok((await ends(refusal(401, 'verify.token'))) instanceof AuthExpiredError);
      assert.ok((await ends({ status: 401 })) instanceof AuthExpiredError);
      const busy = await ends({ status: 503 });
      assert.ok(busy instanceof RetryableError);
    });

    it('of which nobody knows whether it arrived is not said to be safe to repeat', async () => {
      for (const ending of ['lost', 'html'] as const) {
        api.end('POST /messages', ending);
        const error = await failure(send());
        assert.ok(error instanceof RetryableError && error.outcomeUnknown, ending);
      }
      // It is out: that the answer names no message must not send it again.
      api.end('POST /messages', { status: 200, body: { message: {} } });
      assert.deepEqual(await send(), ['tsk_1:0']);
    });
  });

  it('needs a person when the token is not accepted, with 403 as with 401', async () => {
    const error = await failure((await open({ token: `${TOKEN}x` })).test!());
    assert.ok(error instanceof AuthExpiredError && /business\.max\.ru/.test(error.hint ?? ''));
  });

  it('says whether it is pushed to, or can be polled', async () => {
    assert.match((await failure((await open()).test!())).message, /has no webhook/);
    assert.equal(
      await (
        await open({ mode: 'poll' })
      ).test!(),
      'Example Desk (@example_desk_bot) answers and can be polled',
    );
    api.webhooks.set('https://other.example.com/', undefined);
    assert.match((await failure((await open()).test!())).message, /pushes elsewhere/);
    assert.match((await failure((await open({ mode: 'poll' })).test!())).message, /can't be polled/);
    await (
      await open()
    ).connect!(signal);
    assert.match(await (await open()).test!(), /answers and pushes to us/);
  });

  describe('a file', () => {
    const body = (attachments: object[]) => ({ mid: 'mid.1', seq: 1, text: '', attachments });
    const holder = (attachments: object[]) => ({
      ...{ recipient: { chat_id: 5001, chat_type: 'dialog' }, sender: { user_id: 7001 }, timestamp: 1 },
      body: body(attachments),
    });
    async function fetchFrom(attachments: object[], index = 0): Promise<string> {
      const message = holder(attachments);
      const { file } = filesOf(Message.parse(message))[index]!;
      const payload = { body: Buffer.from(JSON.stringify({ update_type: 'message_created', timestamp: 1, message })) };
      return textOf(await (await open()).download!(file, payload as unknown as Payload));
    }
    const file = (url: string) => ({ type: 'file', filename: 'a.pdf', size: 3, payload: { url, token: 't' } });

    it('is fetched by its address, without the token', async () => {
      assert.equal(await fetchFrom([file(api.addFile('a', Buffer.from('pdf')))]), 'pdf');
      assert.deepEqual(
        api.calls.map(({ method }) => method),
        ['media'],
      );
    });

    it('is asked for again when its address has expired', async () => {
      api.messages.set('mid.1', holder([file(api.addFile('new', Buffer.from('now')))]));
      assert.equal(await fetchFrom([file(`${api.root}/media/old`)]), 'now');
      api.end('media', { status: 401 });
      assert.equal(await fetchFrom([file(`${api.root}/media/older`)]), 'now');
    });

    it('that is no longer to be had says so, and does not blame the token', async () => {
      api.end('media', { status: 401 }, { status: 401 });
      api.messages.set('mid.1', holder([]));
      assert.ok((await failure(fetchFrom([file(`${api.root}/media/old`)]))) instanceof PermanentError);
    });

    it('is fetched from nowhere but from MAX', async () => {
      api.messages.set('mid.1', holder([]));
      for (const url of ['https://files.example.com/a', 'http://169.254.169.254/latest', 'file:///etc/passwd', 'x']) {
        const error = await failure(fetchFrom([file(url)]));
        assert.ok(error instanceof PermanentError && /no address of its own/.test(error.message), url);
      }
      assert.equal(isOfMax('https://fd.oneme.ru/getfile?id=1', api.root), true);
      for (const url of ['http://fd.oneme.ru/a', 'https://fd.oneme.ru:8443/a', 'https://oneme.ru.example.com/a'])
        assert.equal(isOfMax(url, api.root), false, url);
      assert.equal(isOfMax('https://notoneme.ru/a', api.root), false);
      assert.equal(isOfMax('https://oneme.ru/a', api.root), true);
    });

    it('that MAX cannot give just now is tried again, and nobody is asked to send it again', async () => {
      api.end('media', { status: 503 });
      const error = await failure(fetchFrom([file(api.addFile('b', Buffer.from('pdf')))]));
      assert.ok(error instanceof RetryableError);
      assert.deepEqual(api.callsOf('GET /messages/mid.1'), []);
    });

    it('that the message does not have is not fetched', async () => {
      const message = holder([file(api.addFile('c', Buffer.from('pdf')))]);
      const body = Buffer.from(JSON.stringify({ update_type: 'message_created', timestamp: 1, message }));
      const other = { id: 'mid.1/7', name: 'a.pdf', mediaType: 'application/pdf', inline: false };
      const fetching = (await open()).download!(other, { body } as unknown as Payload);
      assert.ok((await failure(fetching)) instanceof PermanentError);
      assert.deepEqual(api.callsOf('media'), []);
    });

    it('that is a video is asked for by its token, in the best quality', async () => {
      const video = { type: 'video', payload: { url: `${api.root}/media/page`, token: 'vid-1' } };
      const [small, large] = ['small', 'large'].map((name) => api.addFile(name, Buffer.from(name)));
      api.videos.set('vid-1', { token: 'vid-1', urls: { mp4_360: small, mp4_720: large, hls: 'x' } });
      assert.equal(await fetchFrom([video]), 'large');
      api.videos.clear();
      api.addFile('page', Buffer.from('by its address'));
      assert.equal(await fetchFrom([video]), 'by its address');
    });
  });

  describe('the stand-in', () => {
    it('refuses each request with one field corrupted', () => {
      const call = (method: string, query: object, body?: unknown) => ({ method, query: { ...query }, body }) as never;
      const message = { text: 'x', attachments: null, link: null };
      assert.deepEqual(problemsOf(call('POST /messages', { chat_id: '1' }, message)), []);
      const wrong = [
        call('POST /message', { chat_id: '1' }, message),
        call('POST /messages', { chat: '1' }, message),
        call('POST /messages', { chat_id: 'x' }, message),
        call('POST /messages', { chat_id: '1' }, { ...message, text: 'x'.repeat(4001) }),
        call('POST /messages', { chat_id: '1' }, { ...message, texts: '' }),
        call('POST /messages', { chat_id: '1' }, { ...message, link: { type: 'answer', mid: 'mid.1' } }),
        call('POST /uploads', { type: 'photo' }),
        call('POST /subscriptions', {}, { url: 'http://desk.example.com/' }),
        call('POST /subscriptions', {}, { url: WEBHOOK, update_types: ['message_deleted'] }),
        call('GET /updates', { limit: '0', timeout: '25' }),
      ];
      for (const one of wrong) assert.notDeepEqual(problemsOf(one), [], JSON.stringify(one));
    });
  });
});
