import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Reply } from '../src/core/connector.ts';
import { AuthExpiredError, PermanentError, RateLimitedError, RetryableError } from '../src/core/errors.ts';
import type { TributaryError } from '../src/core/errors.ts';
import { sampleMessage, sampleTicket } from './fakes/gateway.ts';
import { failure, vkBench } from './fakes/vk-channel.ts';
import { KEY, USER_KEY } from './fakes/vk.ts';

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe("Answers to VK, against a stand-in that is checked against VK's own description", () => {
  const bench = vkBench();

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
    ({ id: `att_${name}`, name, mediaType, size, state: 'stored', error: null, inline: false, url: '' }) as const;
  const withFiles = (text: string, ...attachments: ReturnType<typeof fileOf>[]) => ({
    message: sampleMessage({ text, attachments, direction: 'outbound' }),
  });
  const send = async (reply: Reply, settings: object = {}) => (await bench.open(settings)).reply!(reply);

  describe('an answer', () => {
    it('goes out into the chat of the conversation, under a number of its own', async () => {
      const { reply, sent } = replyTo('7001', { answers: sampleMessage({ externalId: '7001:11' }) });
      await send(reply);
      const { random_id, payload, ...said } = bench.api.calls[0]!.parameters;
      assert.deepEqual(said, { peer_ids: '7001', message: 'It comes tomorrow.' });
      assert.match(random_id!, /^[1-9]\d{0,9}$/);
      assert.match(payload!, /^\{"tributary":"[\w-]{22}"\}$/);
      assert.deepEqual(sent, ['7001:900']);
    });

    it('reaches the customer once, however often it is repeated', async () => {
      bench.api.end('messages.send', 'lost');
      const { reply, sent } = replyTo('7001');
      const error = await failure(RetryableError, send(reply));
      assert.equal(error.outcomeUnknown, true);
      assert.deepEqual(sent, []);
      await send(reply);
      assert.deepEqual(sent, ['7001:900']);
      const numbers = bench.api.calls.map(({ parameters }) => parameters['random_id']);
      assert.equal(new Set(numbers).size, 1);
      const other = replyTo('7001', { id: 'tsk_2' });
      await send(other.reply);
      assert.notDeepEqual(other.sent, sent);
    });

    it('says in a chat of several which message it answers, once', async () => {
      const answers = sampleMessage({ externalId: '2000000005:31' });
      await send(replyTo('2000000005', { answers, text: 'a'.repeat(5000) }).reply);
      const quoted = '{"peer_id":2000000005,"conversation_message_ids":[31],"is_reply":true}';
      assert.deepEqual(
        bench.api.calls.map(({ parameters }) => parameters['forward']),
        [quoted, undefined],
      );
    });

    it('goes out in parts where it is too long, and goes on behind those that went out', async () => {
      const text = Array.from({ length: 1500 }, (_, index) => `word${index}`).join(' ');
      await send(replyTo('7001', { text }).reply);
      const parts = bench.api.calls.map(({ parameters }) => parameters['message']!);
      assert.ok(parts.length === 4 && parts.every((part) => part.length <= 4096));
      assert.equal(parts.join(' '), text);
      const again = replyTo('7001', { text, sent: [{ externalId: '7001:900' }, { externalId: '7001:901' }] });
      await send(again.reply);
      assert.deepEqual(
        bench.api.calls.slice(4).map(({ parameters }) => parameters['message']),
        parts.slice(2),
      );
      assert.deepEqual(again.sent, ['7001:902', '7001:903']);
    });

    it('carries its files, ten with a message, byte by byte', async () => {
      const bytes = Buffer.alloc(3 * 1024 * 1024, 'x');
      const files = [
        fileOf('a "photo".png', 'image/png', bytes.length),
        ...Array.from({ length: 10 }, (_, index) => fileOf(`план ${index}.pdf`, 'application/pdf', bytes.length)),
      ];
      const { reply, sent } = replyTo('7001', {
        ...withFiles('look', ...files),
        open: async () => Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)]),
      });
      await send(reply);
      assert.deepEqual(
        bench.api.callsOf('messages.send').map(({ parameters: { message, attachment } }) => [message, attachment]),
        [
          ['look', ['photo7001_55', ...Array<string>(9).fill('doc7001_55')].join(',')],
          [undefined, 'doc7001_55'],
        ],
      );
      assert.deepEqual(new Set(bench.api.uploads.map((upload) => upload.sha256)), new Set([sha256(bytes)]));
      assert.deepEqual(
        bench.api.uploads.slice(0, 2).map(({ field, name }) => [field, name]),
        [
          ['photo', 'a _photo_.png'],
          ['file', 'план 0.pdf'],
        ],
      );
      assert.equal(sent.length, 2);
    });

    it('sends a picture that VK cannot show as a document, and a file of unknown size too', async () => {
      bench.api.refusesPhotos = true;
      const { size: _size, ...unknown } = fileOf('a.pdf', 'application/pdf');
      const { reply } = replyTo('7001', withFiles('', fileOf('wide.png', 'image/png'), unknown as never));
      await send(reply);
      assert.deepEqual(
        bench.api.uploads.map(({ field, name }) => [field, name]),
        [
          ['photo', 'wide.png'],
          ['file', 'wide.png'],
          ['file', 'a.pdf'],
        ],
      );
    });

    it('says why VK does not take a file, and refuses what is too large before anything goes out', async () => {
      const program = replyTo('7001', withFiles('', fileOf('setup.exe', 'application/octet-stream')));
      assert.match((await failure(PermanentError, send(program.reply))).message, /setup\.exe: wrong_ext/);
      const large = replyTo('7001', withFiles('look', fileOf('film.mp4', 'video/mp4', 201 * 1024 * 1024)));
      assert.match((await failure(PermanentError, send(large.reply))).message, /film\.mp4 has more than the 200 MB/);
      assert.deepEqual(bench.api.callsOf('messages.send'), []);
    });

    it('uploads to addresses of VK only', async () => {
      bench.api.uploadsTo = 'https://files.example.com/upload';
      for (const file of [fileOf('a.pdf', 'application/pdf'), fileOf('a.png', 'image/png')]) {
        const error = await failure(PermanentError, send(replyTo('7001', withFiles('', file)).reply));
        assert.match(error.message, /uploads that is not its own/);
      }
    });

    it('stands below the comment that it answers, as the community', async () => {
      const answers = sampleMessage({ externalId: 'wall-123456_45:7' });
      const { reply, sent } = replyTo('wall-123456_45/7001', { answers });
      await send(reply);
      assert.deepEqual(
        bench.api.calls.map(({ method, parameters, token }) => ({ method, parameters, token })),
        [
          {
            method: 'wall.createComment',
            parameters: {
              owner_id: '-123456',
              post_id: '45',
              from_group: '123456',
              message: 'It comes tomorrow.',
              guid: 'tsk_1-0',
              reply_to_comment: '7',
            },
            token: KEY,
          },
        ],
      );
      assert.deepEqual(sent, ['wall-123456_45:900']);
    });

    it('stands below a post itself where a post is answered', async () => {
      const answers = sampleMessage({ externalId: 'wall-123456_46' });
      await send(replyTo('wall-123456_46/7001', { answers }).reply);
      assert.equal(bench.api.calls[0]?.parameters['reply_to_comment'], undefined);
    });

    for (const [surface, method, item] of [
      ['photo', 'photos.createComment', 'photo_id'],
      ['video', 'video.createComment', 'video_id'],
      ['market', 'market.createComment', 'item_id'],
      ['topic', 'board.createComment', 'topic_id'],
    ] as const) {
      it(`below a ${surface} goes out with the key of an administrator, and without one says so`, async () => {
        const answers = sampleMessage({ externalId: `${surface}-123456_45:7` });
        const { reply, sent } = replyTo(`${surface}-123456_45/7001`, { answers, text: 'a'.repeat(2100) });
        assert.match((await failure(PermanentError, send(reply))).hint ?? '', /userToken/);
        assert.deepEqual(bench.api.calls, []);
        await send(reply, { userToken: USER_KEY });
        const parts = surface === 'market' || surface === 'photo' ? 2 : 1;
        assert.deepEqual([bench.api.callsOf(method).length, sent.length], [parts, parts]);
        const { parameters, token } = bench.api.calls[0]!;
        assert.deepEqual([parameters[item], parameters['guid'], token], ['45', 'tsk_1-0', USER_KEY]);
        assert.equal(parameters['reply_to_comment'], surface === 'topic' ? undefined : '7');
      });
    }

    it('to a comment carries no files, and no answer is empty', async () => {
      const { reply } = replyTo('wall-123456_45/7001', withFiles('look', fileOf('a.pdf', 'application/pdf')));
      assert.match((await failure(PermanentError, send(reply))).message, /carry no files/);
      await failure(PermanentError, send(replyTo('wall-123456_45/7001', { text: ' ' }).reply));
      await failure(PermanentError, send(replyTo('7001', { text: ' ' }).reply));
      for (const thread of [undefined, 'wall', 'wall-1_2', 'a:1']) {
        await failure(PermanentError, send(replyTo(thread).reply));
      }
      assert.deepEqual(bench.api.calls, []);
    });
  });

  describe('a refusal', () => {
    const refuse = (error_code: number, error_msg = 'words') => ({ error_code, error_msg });

    for (const [code, kind] of [
      [5, AuthExpiredError],
      [27, AuthExpiredError],
      [6, RateLimitedError],
      [9, RateLimitedError],
      [29, RateLimitedError],
      [1, RetryableError],
      [10, RetryableError],
      [7, PermanentError],
      [15, PermanentError],
      [100, PermanentError],
      [900, PermanentError],
      [901, PermanentError],
      [902, PermanentError],
      [987_654, PermanentError],
    ] as const) {
      it(`with the number ${code} is ${kind.name}`, async () => {
        bench.api.end('messages.send', refuse(code));
        const error = await failure<TributaryError>(kind, send(replyTo('7001').reply));
        assert.match(error.message, new RegExp(`messages.send: ${code} words`));
        assert.deepEqual(error.response, { status: 200, text: `${code} words` });
      });
    }

    it('says how long to rest, and what to do about it', async () => {
      bench.api.end('messages.send', refuse(6), refuse(9), refuse(901), refuse(15));
      const wait = async () => (await failure(RateLimitedError, send(replyTo('7001').reply))).retryAfterMs;
      assert.deepEqual([await wait(), await wait()], [1000, 60_000]);
      const hint = async () => (await failure(PermanentError, send(replyTo('7001').reply))).hint ?? '';
      assert.match(await hint(), /has to write first/);
      assert.match(await hint(), /Access tokens/);
    });

    it('of a method that is not for communities asks for no new key', async () => {
      bench.api.end('messages.send', refuse(27, 'Group authorization failed: method is unavailable with group auth.'));
      await failure(PermanentError, send(replyTo('7001').reply));
    });

    it('shows no access key, also where VK repeats it', async () => {
      bench.api.end('messages.send', refuse(5, `invalid access_token ${KEY}`));
      const error = await failure(AuthExpiredError, send(replyTo('7001').reply));
      assert.match(error.message, /invalid access_token …/);
    });

    it('of one customer inside a good answer is one, too', async () => {
      bench.api.refusesInside = { code: 901, description: "Can't send messages for users without permission" };
      const { reply, sent } = replyTo('7001');
      assert.match((await failure(PermanentError, send(reply))).message, /messages\.send: 901 Can't send/);
      assert.deepEqual(sent, []);
    });

    it('that is no answer of VK leaves it open whether it went out', async () => {
      bench.api.end('messages.send', 'html', 'cut', {} as never);
      for (let time = 0; time < 3; time++) {
        const error = await failure(RetryableError, send(replyTo('7001').reply));
        assert.equal(error.outcomeUnknown, true);
      }
    });
  });
});
