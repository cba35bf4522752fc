import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { avito } from '../src/connectors/avito/avito.ts';
import type { Reply } from '../src/core/connector.ts';
import { PermanentError, RetryableError, TributaryError } from '../src/core/errors.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { CLIENT, FORBIDDEN, review, startAvito, USER } from './fakes/avito.ts';
import type { FakeAvito } from './fakes/avito.ts';
import { fakeContext, fakeLog } from './fakes/context.ts';
import { sampleMessage } from './fakes/samples.ts';

const ANSWERS = 'POST /ratings/v1/answers';
const SEND = 'POST /messenger/v1/chats/c%2F1/messages';

describe('An answer at Avito', () => {
  let api: FakeAvito;
  let egress: Egress;
  beforeEach(async () => {
    api = await startAvito();
    egress = createHttp({ allow: ['127.0.0.1'] });
    api.write('c/1');
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  async function open() {
    const config = avito.config.parse({ ...CLIENT, apiRoot: api.root });
    const log = fakeLog();
    return {
      log,
      channel: await avito.open(config, fakeContext({ id: 'avito', http: egress.for({ hosts: [] }), log })),
    };
  }

  type Given = Partial<Reply> & { text?: string; files?: readonly object[] };
  async function send(thread: string, { text = 'Спасибо!', files = [], ...given }: Given = {}) {
    const sent: unknown[][] = [];
    const attachments = files.map((file, i) => ({
      ...{ id: `att_${i}`, name: 'a.png', mediaType: 'image/png', size: 5, state: 'stored', error: null },
      ...{ inline: false, url: '', ...file },
    }));
    const reply = {
      id: 'tsk_1',
      message: sampleMessage({ text, attachments: attachments as never }),
      ...{ thread, answers: undefined, sent: [] },
      partSent: async (...part: unknown[]) => void sent.push(part),
      open: async () => Readable.from([Buffer.from('bytes')]),
      ...given,
    } as unknown as Reply;
    const { channel, log } = await open();
    const error = await channel.reply!(reply).catch((thrown: unknown) => thrown);
    return { sent, log, error };
  }
  const failure = async (...given: Parameters<typeof send>) => {
    const { error, sent } = await send(...given);
    assert.ok(error instanceof TributaryError, String(error));
    assert.ok(!JSON.stringify([error.message, error.hint, error.response]).includes(CLIENT.clientSecret));
    return { error, sent };
  };

  describe('below a review', () => {
    it('stands there under the number that Avito lists it by, and another one takes its place', async () => {
      api.reviews.push(...Array.from({ length: 60 }, (_, i) => review(i + 1)));
      const first = await send('review:60');
      assert.deepEqual(first.sent, [[`answer:${api.reviews[59]!.answer!.id}`, { replaces: true }]]);
      const second = await send('review:60', { text: 'Исправлено' });
      const { answer } = api.reviews[59]!;
      assert.deepEqual([answer?.text, second.sent[0]?.[0]], ['Исправлено', `answer:${answer?.id}`]);
      assert.notEqual(second.sent[0]![0], first.sent[0]![0]);
      assert.equal(api.calls.filter(({ method }) => method === 'DELETE').length, 1);
    });

    it('arrives once, also when nobody knows what came of the first try', async () => {
      api.reviews.push(review(1));
      api.end(ANSWERS, 'lost');
      const { error } = await failure('review:1');
      assert.ok(error instanceof RetryableError && !error.outcomeUnknown);
      const { sent } = await send('review:1', { text: ' Спасибо!\n' });
      assert.deepEqual(sent, [[`answer:${api.reviews[0]!.answer!.id}`, { replaces: true }]]);
      assert.equal(api.callsOf(ANSWERS).length, 1);
    });

    it('is put there when the one before was taken away and then something failed', async () => {
      api.reviews.push(review(1, { answer: { id: 7, text: 'Старый', status: 'published', createdAt: 1 } }));
      api.end(ANSWERS, 'cut');
      const standing = () => api.reviews[0]!.answer?.text;
      await failure('review:1');
      assert.equal(standing(), undefined);
      await send('review:1');
      assert.equal(standing(), 'Спасибо!');
    });

    it('that is refused after the one before was taken away says so, and else does not', async () => {
      const old = { id: 7, text: 'Старый', status: 'published', createdAt: 1 } as const;
      api.reviews.push(review(1, { answer: old }), review(2));
      for (const [thread, isLost] of [
        ['review:1', true],
        ['review:2', false],
      ] as const) {
        api.end(ANSWERS, FORBIDDEN);
        const { error, sent } = await failure(thread);
        assert.ok(error instanceof PermanentError);
        assert.deepEqual([error.response?.status, typeof error.hint, sent], [403, 'string', []]);
        assert.match(error.message, /answered 403: Forbidden/);
        assert.equal(error.message.startsWith('the answer that stood there was taken away'), isLost);
      }
      assert.equal(api.reviews[0]!.answer?.text, undefined);
    });

    it('that Avito would not take is not sent', async () => {
      api.reviews.push(review(1), review(2, { canAnswer: false }));
      const tries: [string, Given][] = [
        ['review:1', { text: ' ' }],
        ['review:1', { files: [{}] }],
        ['review:2', {}],
        ['review:3', {}],
        ['nothing', {}],
      ];
      for (const [thread, given] of tries) {
        assert.ok((await failure(thread, given)).error instanceof PermanentError, thread);
      }
      assert.equal(api.callsOf(ANSWERS).length, 0);
    });

    it('is public, and one; in a chat it is neither', async () => {
      const { channel } = await open();
      const can = (externalId: string) =>
        channel.canReply!({ ticket: {} as never, lastInboundAt: 1, answers: sampleMessage({ externalId }) });
      assert.deepEqual(await can('review:1'), { allowed: true, public: true, replaces: true });
      assert.deepEqual(await can('msg-1'), { allowed: true });
    });
  });

  describe('in a chat', () => {
    it('goes out in parts, with images, marks the chat as read, and has Avito’s own numbers', async () => {
      const text = `${'а'.repeat(900)} ${'б'.repeat(900)}`;
      const { sent, error } = await send('chat:c/1', { text, files: [{}] });
      assert.equal(error, undefined);
      const ours = api.chats.get('c/1')!.messages.filter(({ author_id }) => author_id === USER);
      assert.deepEqual(
        ours.map(({ type }) => type),
        ['text', 'text', 'image'],
      );
      assert.deepEqual(
        sent,
        ours.map(({ id }) => [id]),
      );
      assert.deepEqual(api.marked, ['c/1']);
      const [upload] = api.callsOf('POST /messenger/v1/uploadImages');
      assert.match(JSON.stringify(upload!.body), /a\.png.*image\/png.*bytes/);
    });

    it('goes on behind what went out before', async () => {
      const text = `${'а'.repeat(900)} ${'б'.repeat(900)}`;
      await send('chat:c/1', { text, files: [{}], sent: [{ externalId: 'x' }, { externalId: 'y' }] });
      assert.equal(api.callsOf(SEND).length, 0);
      assert.equal(api.callsOf(`${SEND}/image`).length, 1);
    });

    it('waits for a person when nobody knows what came of it', async () => {
      for (const call of [SEND, `${SEND}/image`]) {
        api.end(call, 'lost');
        const { error, sent } = await failure('chat:c/1', { text: call === SEND ? 'x' : '', files: [{}] });
        assert.ok(error instanceof RetryableError && error.outcomeUnknown, call);
        assert.equal(sent.length, 0);
      }
      api.end(SEND, { status: 200, body: { ok: true } });
      const { error } = await failure('chat:c/1', { text: 'x' });
      assert.ok(error instanceof RetryableError && error.outcomeUnknown);
      api.end('POST /messenger/v1/uploadImages', 'lost');
      const uploaded = await failure('chat:c/1', { text: '', files: [{}] });
      assert.ok(
        uploaded.error instanceof RetryableError && !uploaded.error.outcomeUnknown,
        'an upload is seen by nobody',
      );
    });

    it('has gone out though the chat could not be marked as read', async () => {
      api.end('POST /messenger/v1/chats/c%2F1/read', FORBIDDEN);
      const { error, sent, log } = await send('chat:c/1');
      assert.deepEqual([error, sent.length, log.entries.length], [undefined, 1, 1]);
    });

    it('that Avito would not take is not sent', async () => {
      for (const given of [
        { text: ' ' },
        { files: [{ mediaType: 'application/pdf' }] },
        { files: [{ size: 24 * 1024 * 1024 + 1 }] },
      ]) {
        assert.ok((await failure('chat:c/1', given)).error instanceof PermanentError);
      }
      assert.equal(api.calls.length, 0);
    });
  });
});
