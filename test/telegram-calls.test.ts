import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { telegram } from '../src/connectors/telegram/telegram.ts';
import type { Channel, Reply } from '../src/core/connector.ts';
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
import { fakeContext, fakeLog } from './fakes/context.ts';
import { sampleMessage, sampleTicket } from './fakes/gateway.ts';
import { readSchema } from './fakes/telegram-schema.ts';
import type { BotApiSchema } from './fakes/telegram-schema.ts';
import { startTelegram, TOKEN } from './fakes/telegram.ts';
import type { FakeTelegram } from './fakes/telegram.ts';

const DAY = 24 * 60 * 60_000;
const signal = new AbortController().signal;
const PAYLOAD = { endpointId: 'bot', receivedAt: 0, method: 'POST', url: '', headers: {}, body: Buffer.alloc(0) };

describe("Telegram's channel, against a stand-in that is checked against Telegram's own description", () => {
  let api: FakeTelegram;
  let egress: Egress;
  const clock = fakeClock();
  const log = fakeLog();

  let schema: BotApiSchema;
  before(() => {
    schema = readSchema();
  });
  beforeEach(async () => {
    api = await startTelegram(schema);
    egress = createHttp({ allow: ['127.0.0.1'], clock });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  async function open(settings: object = {}, token = TOKEN): Promise<Channel> {
    const config = telegram.config.parse({ token, apiRoot: api.root, ...settings });
    return telegram.open(config, fakeContext({ id: 'bot', clock, log, http: egress.for({ hosts: [] }) }));
  }
  const pushed = () => open({ mode: 'webhook', webhookSecret: 'a-secret_1' });

  function replyTo(thread: string | undefined, given: Partial<Reply> & { readonly text?: string } = {}) {
    const sent: string[] = [];
    const reply: Reply = {
      id: 'tsk_1',
      ticket: sampleTicket(),
      message: sampleMessage({ text: given.text ?? 'It comes tomorrow.', direction: 'outbound' }),
      thread,
      answers: undefined,
      references: [],
      proof: '',
      sent: [],
      partSent: async (id) => void sent.push(id),
      open: async () => Readable.from([Buffer.from('bytes')]),
      ...given,
    };
    return { reply, sent };
  }
  const fileOf = (name: string, mediaType: string, size = 5) =>
    ({ id: 'att_1', name, mediaType, size, state: 'stored', error: null, inline: false, url: '' }) as const;
  const withFile = (file: ReturnType<typeof fileOf>, text = '') => ({
    message: sampleMessage({ text, attachments: [file], direction: 'outbound' }),
  });

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
    it('goes out as text into the chat of the conversation', async () => {
      const { reply, sent } = replyTo('7001', { answers: sampleMessage({ externalId: '7001:11' }) });
      await (
        await open()
      ).reply!(reply);
      assert.deepEqual(api.calls[0]?.parameters, { chat_id: 7001, text: 'It comes tomorrow.' });
      assert.deepEqual(sent, ['7001:900']);
    });

    it('goes to the topic, business account or direct messages that it belongs to', async () => {
      const channel = await open();
      await channel.reply!(replyTo('-1001234567890/5').reply);
      await channel.reply!(replyTo('-1001234567890/d77').reply);
      const { reply, sent } = replyTo('7001@bcSampleA1');
      await channel.reply!(reply);
      const text = 'It comes tomorrow.';
      assert.deepEqual(
        api.calls.map(({ parameters }) => parameters),
        [
          { chat_id: -1001234567890, text, message_thread_id: 5 },
          { chat_id: -1001234567890, text, direct_messages_topic_id: 77 },
          { chat_id: 7001, text, business_connection_id: 'bcSampleA1' },
        ],
      );
      assert.deepEqual(sent, ['7001@bcSampleA1:902']);
    });

    it('says in a group which message it answers, once', async () => {
      const answers = sampleMessage({ externalId: '-1001234567890:31' });
      await (
        await open()
      ).reply!(replyTo('-1001234567890', { answers, text: 'a'.repeat(5000) }).reply);
      const quoted = { message_id: 31, allow_sending_without_reply: true };
      assert.deepEqual(
        api.calls.map(({ parameters }) => parameters['reply_parameters']),
        [quoted, undefined],
      );
    });

    it('goes out in parts where it is too long, and goes on behind those that went out', async () => {
      const text = Array.from({ length: 1500 }, (_, index) => `word${index}`).join(' ');
      const channel = await open();
      const first = replyTo('7001', { text });
      await channel.reply!(first.reply);
      const parts = api.calls.map(({ parameters }) => String(parameters['text']));
      assert.equal(parts.length, 4);
      assert.ok(parts.every((part) => part.length <= 4096));
      assert.equal(parts.join(' '), text);
      const again = replyTo('7001', { text, sent: [{ externalId: '7001:900' }, { externalId: '7001:901' }] });
      await channel.reply!(again.reply);
      assert.deepEqual(
        api.calls.slice(4).map(({ parameters }) => parameters['text']),
        parts.slice(2),
      );
      assert.equal(again.sent.length, 2);
    });

    it('keeps what was sent when a later part is refused', async () => {
      const { reply, sent } = replyTo('7001', withFile(fileOf('a.pdf', 'application/pdf'), 'with a file'));
      api.end('sendDocument', { status: 429, description: 'Too Many Requests', parameters: { retry_after: 7 } });
      const error = await failure((await open()).reply!(reply));
      assert.ok(error instanceof RateLimitedError && error.retryAfterMs === 7000);
      assert.deepEqual(sent, ['7001:900']);
    });

    for (const [mediaType, method, field] of [
      ['application/pdf', 'sendDocument', 'document'],
      ['image/png', 'sendPhoto', 'photo'],
      ['video/mp4', 'sendVideo', 'video'],
      ['audio/ogg', 'sendVoice', 'voice'],
      ['audio/mpeg', 'sendAudio', 'audio'],
    ] as const) {
      it(`carries a file of type ${mediaType} by ${method}, byte by byte`, async () => {
        const bytes = Buffer.alloc(3 * 1024 * 1024, 'x');
        const { reply, sent } = replyTo('7001', {
          ...withFile(fileOf('my "plan"; v2 – план.bin', mediaType, bytes.length)),
          open: async () => Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)]),
        });
        await (
          await open()
        ).reply!(reply);
        const [call] = api.callsOf(method);
        const [[id, file] = []] = [Object.entries(call!.files)[0]];
        assert.equal(call!.parameters[field], `attach://${id}`);
        assert.equal(file!.sha256, createHash('sha256').update(bytes).digest('hex'));
        assert.match(file!.name, /^my/);
        assert.deepEqual(sent, ['7001:900']);
      });
    }

    it('sends a picture that Telegram cannot show as a document', async () => {
      api.end('sendPhoto', { status: 400, description: 'Bad Request: PHOTO_INVALID_DIMENSIONS' });
      const { reply, sent } = replyTo('7001', withFile(fileOf('wide.png', 'image/png')));
      await (
        await open()
      ).reply!(reply);
      assert.deepEqual(
        api.calls.map(({ method }) => method),
        ['sendPhoto', 'sendDocument'],
      );
      assert.equal(sent.length, 1);
    });

    it('is refused before anything goes out when a file is larger than bots may send', async () => {
      const { reply } = replyTo('7001', withFile(fileOf('film.mp4', 'video/mp4', 2001 * 1024 * 1024), 'look'));
      const error = await failure((await open()).reply!(reply));
      assert.ok(error instanceof PermanentError);
      assert.match(error.message, /film\.mp4 has more than the 2000 MB/);
      assert.deepEqual(api.calls, []);
    });

    it('follows a group that became a supergroup', async () => {
      const moved = {
        status: 400,
        description: 'Bad Request: group chat was upgraded to a supergroup chat',
        parameters: { migrate_to_chat_id: -1001234567890 },
      };
      api.end('sendMessage', moved);
      const answers = sampleMessage({ externalId: '-4001:31' });
      const { reply, sent } = replyTo('-4001', { answers, text: 'a'.repeat(5000) });
      await (
        await open()
      ).reply!(reply);
      assert.deepEqual(
        api.calls.map(({ parameters }) => [parameters['chat_id'], parameters['reply_parameters'] !== undefined]),
        [
          [-4001, true],
          [-1001234567890, false],
          [-1001234567890, false],
        ],
      );
      assert.deepEqual(sent, ['-1001234567890:900', '-1001234567890:901']);
    });

    it('is for a person to look at when nobody knows whether it went out', async () => {
      for (const ending of ['cut', 'html'] as const) {
        api.end('sendMessage', ending);
        const error = await failure((await open()).reply!(replyTo('7001').reply));
        assert.ok(error instanceof UncertainError, ending);
        assert.match(error.hint ?? '', /Look into the chat/);
      }
    });

    it('is tried again when nothing was sent', async () => {
      api.end('sendMessage', { status: 500, description: 'Internal Server Error' });
      const refused = await failure((await open()).reply!(replyTo('7001').reply));
      assert.ok(refused instanceof RetryableError && !refused.outcomeUnknown);
      const elsewhere = await open({ apiRoot: 'http://127.0.0.1:9' });
      const unreachable = await failure(elsewhere.reply!(replyTo('7001').reply));
      assert.ok(unreachable instanceof RetryableError && !unreachable.outcomeUnknown);
    });

    for (const [status, description, kind, hint] of [
      [403, 'Forbidden: bot was blocked by the user', PermanentError, /blocked the bot/],
      [403, "Forbidden: bot can't initiate conversation with a user", PermanentError, /wrote to it first/],
      [400, 'Bad Request: chat not found', PermanentError, /another bot/],
      [400, 'Bad Request: message is too long', PermanentError, undefined],
      [401, 'Unauthorized', AuthExpiredError, /@BotFather/],
      [404, 'Not Found', AuthExpiredError, /@BotFather/],
    ] as const) {
      it(`says what ${status} ${description} means`, async () => {
        api.end('sendMessage', { status, description });
        const error = await failure((await open()).reply!(replyTo('7001').reply));
        assert.ok(error instanceof kind, error.name);
        assert.ok(error.message.includes(description));
        if (hint) assert.match(error.hint ?? '', hint);
        else assert.equal(error.hint, undefined);
      });
    }

    it('says no more of a refusal than it may, and reads it whatever stands beside it', async () => {
      api.end('sendMessage', { status: 404, description: `Not Found: /bot${TOKEN}/sendMessage` });
      const quoting = await failure((await open()).reply!(replyTo('7001').reply));
      assert.match(quoting.message, /404 Not Found: \/bot…\/sendMessage/);
      api.end('sendMessage', { status: 400, description: 'Bad Request: no', parameters: { retry_after: -1 } });
      assert.ok((await failure((await open()).reply!(replyTo('7001').reply))) instanceof PermanentError);
    });

    it('has nowhere to go without a chat', async () => {
      for (const thread of [undefined, 'mail-thread', '7001; DROP']) {
        assert.ok((await failure((await open()).reply!(replyTo(thread).reply))) instanceof PermanentError);
      }
      assert.deepEqual(api.calls, []);
    });
  });

  describe('polling', () => {
    const update = (id: number, text = `text ${id}`) => ({
      update_id: id,
      message: {
        message_id: id,
        date: 1_795_341_600,
        chat: { id: 7001, type: 'private', first_name: 'Olena' },
        from: { id: 7001, is_bot: false, first_name: 'Olena' },
        text,
      },
    });
    const idsOf = ({ items }: { items: readonly { body: Buffer }[] }) =>
      items.map(({ body }) => (JSON.parse(body.toString()) as { update_id: number }).update_id);

    it('hands over what waits and goes on behind it', async () => {
      const channel = await open();
      api.push(update(41), update(42));
      const first = await channel.poll!(undefined, signal);
      assert.deepEqual(idsOf(first), [41, 42]);
      assert.equal(first.more, true);
      api.push(update(43));
      const second = await channel.poll!(first.cursor, signal);
      assert.deepEqual(idsOf(second), [43]);
      assert.deepEqual(api.offsets, [undefined, 43]);
    });

    it('neither loses what is numbered lower than before, nor gets it for ever', async () => {
      const channel = await open();
      api.push(update(900_000_000));
      const before = await channel.poll!(undefined, signal);
      api.push(update(900_000_001));
      const { cursor } = await channel.poll!(before.cursor, signal);
      const anew = await startTelegram(schema);
      const later = await open({ apiRoot: anew.root });
      anew.push(update(17));
      const first = await later.poll!(cursor, signal);
      assert.deepEqual(idsOf(first), [17]);
      anew.push(update(18));
      const second = await later.poll!(first.cursor, signal);
      assert.deepEqual(idsOf(second), [18]);
      await anew.close();
    });

    it('asks without an offset after a day, when none can skip anything any more', async () => {
      const channel = await open();
      api.push(update(41));
      const { cursor } = await channel.poll!(undefined, signal);
      clock.jump(DAY);
      api.push(update(7));
      await channel.poll!(cursor, signal);
      assert.deepEqual(api.offsets, [undefined, undefined]);
    });

    it('ends at once when it is called off', async () => {
      const ending = new AbortController();
      const polling = (await open()).poll!(undefined, ending.signal);
      while (api.offsets.length === 0) await new Promise(setImmediate);
      ending.abort(new RetryableError('the channel is being closed'));
      await failure(polling);
    });

    it('answers pressed buttons, and minds no button that is too old', async () => {
      const from = { id: 7001, is_bot: false, first_name: 'Olena' };
      const press = (id: string) => ({ id, from, chat_instance: '1', data: 'yes' });
      api.push({ update_id: 1, callback_query: press('a') }, { update_id: 2, callback_query: press('b') });
      api.end('answerCallbackQuery', { status: 400, description: 'Bad Request: query is too old' });
      const { items } = await (await open()).poll!(undefined, signal);
      assert.equal(items.length, 2);
      assert.deepEqual(
        api.callsOf('answerCallbackQuery').map(({ parameters }) => parameters['callback_query_id']),
        ['a', 'b'],
      );
    });

    it('says that another program polls', async () => {
      const description =
        'Conflict: terminated by other getUpdates request; make sure that only one bot instance is running';
      api.end('getUpdates', { status: 409, description });
      const error = await failure((await open()).poll!(undefined, signal));
      assert.ok(error instanceof RetryableError);
      assert.match(error.message, /terminated by other getUpdates/);
      assert.match(error.hint ?? '', /Another program fetches with the same token/);
    });

    it('leaves the webhook of another program alone, and says what to do', async () => {
      api.webhook = { url: 'https://other.example.com/hook', secret: '', pending: 3 };
      const error = await failure((await open()).poll!(undefined, signal));
      assert.match(error.hint ?? '', /mode: webhook.*deleteWebhook/);
      assert.equal(api.webhook.url, 'https://other.example.com/hook');
    });

    it('takes back the webhook that it registered itself before', async () => {
      await (
        await pushed()
      ).connect!(signal);
      assert.notEqual(api.webhook.url, '');
      api.push(update(41));
      assert.deepEqual(idsOf(await (await open()).poll!(undefined, signal)), [41]);
      assert.equal(api.webhook.url, '');
    });
  });

  describe('a file', () => {
    const attachment = { id: 'BQAC-doc', name: 'план.pdf', mediaType: 'application/pdf' };
    async function read(stream: Readable): Promise<Buffer> {
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    }

    it('is fetched by a link of its own each time, so that an old link does not matter', async () => {
      const bytes = Buffer.alloc(2 * 1024 * 1024, 'y');
      api.addFile('BQAC-doc', bytes, 'documents/file 7#1.pdf');
      const channel = await open();
      assert.ok((await read(await channel.download!(attachment, PAYLOAD))).equals(bytes));
      api.expireLinks();
      assert.ok((await read(await channel.download!(attachment, PAYLOAD))).equals(bytes));
      assert.equal(api.callsOf('getFile').length, 2);
    });

    it('is refused with its name where Telegram hands bots none so large', async () => {
      const hosted = await telegram.open(telegram.config.parse({ token: TOKEN }), fakeContext({ id: 'bot' }));
      const large = { ...attachment, size: 20 * 1024 * 1024 + 1 };
      const error = await failure(hosted.download!(large, PAYLOAD));
      assert.ok(error instanceof PermanentError);
      assert.match(error.message, /план\.pdf has more than the 20 MB/);
      api.end('getFile', { status: 400, description: 'Bad Request: file is too big' });
      assert.match((await failure((await open()).download!(attachment, PAYLOAD))).hint ?? '', /20 MB/);
    });

    it('is not looked for on the disk of a Bot API server, nor outside of its folder', async () => {
      for (const path of ['/var/lib/bot/doc.pdf', 'a/../../secret', 'C:\\files\\doc.pdf', '']) {
        api.addFile('BQAC-doc', Buffer.from('x'), path);
        const error = await failure((await open()).download!(attachment, PAYLOAD));
        assert.match(error.message, /no address for план\.pdf/);
      }
    });

    it('keeps the token out of the error when its link does not work', async () => {
      api.addFile('BQAC-doc', Buffer.from('x'));
      api.end('file', { status: 404, description: `Not Found: /file/bot${TOKEN}/documents` });
      const error = await failure((await open()).download!(attachment, PAYLOAD));
      assert.match(error.message, /answered 404/);
      assert.match(error.response?.text ?? '', /Not Found/);
    });
  });

  describe('the webhook', () => {
    it('is registered with its secret and the kinds of update that are read', async () => {
      await (
        await pushed()
      ).connect!(signal);
      const [call] = api.callsOf('setWebhook');
      assert.equal(call!.parameters['url'], 'https://desk.example.com/webhooks/bot');
      assert.equal(call!.parameters['secret_token'], 'a-secret_1');
      const kinds = call!.parameters['allowed_updates'] as string[];
      for (const kind of ['message', 'edited_message', 'business_message', 'message_reaction', 'callback_query']) {
        assert.ok(kinds.includes(kind), kind);
      }
    });

    it('is not registered where Telegram cannot reach us, and that is said', async () => {
      const config = telegram.config.parse({ token: TOKEN, mode: 'webhook', webhookSecret: 's3cret' });
      const context = fakeContext({ id: 'bot', log, publicUrl: 'http://127.0.0.1:8080' });
      await (
        await telegram.open(config, context)
      ).connect!(signal);
      assert.match(log.entries.at(-1)?.text ?? '', /no webhook is registered/);
      assert.deepEqual(api.calls, []);
    });
  });

  describe('the test of the channel', () => {
    it('says who the bot is', async () => {
      assert.equal(await (await open()).test!(), '@sample_desk_bot (Sample Desk) answers and can be polled');
      const channel = await pushed();
      await channel.connect!(signal);
      assert.equal(await channel.test!(), '@sample_desk_bot (Sample Desk) answers and pushes to us');
    });

    it('tells a wrong token from a revoked one no more than Telegram does', async () => {
      for (const token of [`123456:${'B'.repeat(35)}`, '1:short']) {
        assert.ok((await failure((await open({}, token)).test!())) instanceof AuthExpiredError);
      }
    });

    it('says in the words of Telegram why nothing arrives', async () => {
      const channel = await pushed();
      assert.match((await failure(channel.test!())).message, /has no webhook/);
      await channel.connect!(signal);
      Object.assign(api.webhook, { pending: 12, error: 'Wrong response from the webhook: 403 Forbidden' });
      const error = await failure(channel.test!());
      assert.match(error.message, /can't deliver 12 updates: Wrong response from the webhook: 403 Forbidden/);
      api.webhook.url = 'https://other.example.com/hook';
      assert.match((await failure(channel.test!())).message, /pushes elsewhere/);
      assert.match((await failure((await open()).test!())).message, /has a webhook/);
    });
  });
});
