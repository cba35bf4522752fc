import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { messenger } from '../src/connectors/meta/messenger/messenger.ts';
import type { Channel, Reply } from '../src/core/connector.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
  UncertainError,
} from '../src/core/errors.ts';
import { Item } from '../src/core/envelope.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { VERSION } from '../src/version.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import { sampleMessage, sampleTicket } from './fakes/gateway.ts';
import { refusal, startGraph, TOKEN } from './fakes/meta.ts';
import type { FakeGraph } from './fakes/meta.ts';
import { samplePayload } from './fakes/samples.ts';
import { APP_SECRET, VERIFY_TOKEN } from './fakes/whatsapp.ts';

const HOUR = 60 * 60_000;
const PAGE = '102290129340011';
const PSID = '7000000000000001';
const WROTE_AT = Date.parse('2026-11-22T10:00:00.000Z');

describe("Messenger's channel, against a stand-in that takes what Meta's documentation names", () => {
  let meta: FakeGraph;
  let egress: Egress;
  let clock: ReturnType<typeof fakeClock>;
  beforeEach(async () => {
    clock = fakeClock(WROTE_AT + HOUR);
    meta = await startGraph();
    egress = createHttp({ allow: ['127.0.0.1'], clock, userAgent: `Tributary/${VERSION}` });
  });
  afterEach(async () => {
    egress.close();
    await meta.close();
    assert.deepEqual(meta.violations, []);
  });

  async function open(settings: object = {}): Promise<Channel> {
    const config = messenger.config.parse({
      pageId: PAGE,
      pageAccessToken: TOKEN,
      appSecret: APP_SECRET,
      verifyToken: VERIFY_TOKEN,
      apiRoot: meta.root,
      ...settings,
    });
    return messenger.open(config, fakeContext({ id: 'messenger', clock, http: egress.for({ hosts: [] }) }));
  }

  const wrote = (externalId: string, occurredAt = '2026-11-22T10:00:00.000Z') =>
    sampleMessage({ direction: 'inbound', externalId, occurredAt });
  const fileOf = (name: string, mediaType: string, size = 5) =>
    ({ id: 'att_1', name, mediaType, size, state: 'stored', error: null, inline: false, url: '' }) as const;
  async function send(
    given: Partial<Reply> & { text?: string; files?: ReturnType<typeof fileOf>[]; settings?: object },
  ) {
    const parts: string[] = [];
    const { text = 'It comes tomorrow.', files = [], settings, ...rest } = given;
    const channel = await open(settings);
    await channel.reply!({
      id: 'tsk_1',
      ticket: sampleTicket(),
      message: sampleMessage({ text, attachments: files }),
      thread: PSID,
      answers: wrote('m_1'),
      references: [],
      proof: '',
      sent: [],
      partSent: async (id) => void parts.push(id),
      open: async () => Readable.from([Buffer.from('by'), Buffer.from('tes')]),
      ...rest,
    });
    return parts;
  }
  const bodies = (edge = 'messages') =>
    meta.calls.filter(({ path }) => path.endsWith(`/${edge}`)).map(({ body }) => body);

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

  it('answers in the chat, with a mark by which the echo of it is known', async () => {
    assert.deepEqual(await send({}), ['m_OUT1']);
    const [{ metadata }] = bodies().map(({ message }) => message as { metadata: string }) as [{ metadata: string }];
    assert.deepEqual(bodies(), [
      {
        recipient: { id: PSID },
        messaging_type: 'RESPONSE',
        message: { text: 'It comes tomorrow.', metadata },
      },
    ]);
    const echo = { mid: 'm_OUT1', text: 'It comes tomorrow.', is_echo: true };
    const items = async (given: object) => {
      const event = { sender: { id: PAGE }, recipient: { id: PSID }, timestamp: 1, message: { ...echo, ...given } };
      const body = { object: 'page', entry: [{ id: PAGE, time: 1, messaging: [event] }] };
      return (await open()).normalize(samplePayload(body));
    };
    assert.deepEqual(
      (await items({ metadata })).map(({ kind }) => kind),
      ['ignored'],
    );
    assert.deepEqual(
      (await items({ metadata: `${metadata}0` })).map(({ kind }) => kind),
      ['message'],
    );
    assert.deepEqual(
      (await items({})).map(({ kind }) => kind),
      ['message'],
    );
  });

  it('sends long texts in parts and files one by one, as what Messenger shows', async () => {
    const text = `${'a'.repeat(1500)} ${'b'.repeat(1500)}`;
    const files = [
      fileOf('photo.jpg', 'image/jpeg'),
      fileOf('large.png', 'image/png', 9 * 1024 * 1024),
      fileOf('clip.mp4', 'video/mp4; codecs=avc1'),
      fileOf('voice.m4a', 'audio/mp4'),
      fileOf('при"ме\r\nр.pdf', 'application/pdf'),
      fileOf('odd', 'no type\r\nx-header: 1'),
    ];
    assert.equal((await send({ text, files })).length, 8);
    const messages = bodies().map(({ message }) => message as { text?: string; attachment?: { type: string } });
    assert.deepEqual(
      messages.map((message) => message.text?.length ?? message.attachment?.type),
      [1500, 1500, 'image', 'file', 'video', 'audio', 'file', 'file'],
    );
    assert.deepEqual(
      meta.uploads.map(({ name, mediaType, bytes }) => [name, mediaType, bytes.toString()]),
      [
        ['photo.jpg', 'image/jpeg', 'bytes'],
        ['large.png', 'image/png', 'bytes'],
        ['clip.mp4', 'video/mp4', 'bytes'],
        ['voice.m4a', 'audio/mp4', 'bytes'],
        ['при_ме__р.pdf', 'application/pdf', 'bytes'],
        ['odd', 'application/octet-stream', 'bytes'],
      ],
    );
  });

  it('goes on behind the parts that went out, and refuses what is empty or too large before it sends any', async () => {
    const text = `${'a'.repeat(1500)} ${'b'.repeat(1500)}`;
    assert.equal((await send({ text, sent: [{ externalId: 'm_0' }] })).length, 1);
    assert.match(JSON.stringify(bodies()), /"text":"b+"/);
    meta.calls.length = 0;
    assert.match((await failure(send({ text: '' }))).message, /empty/);
    const error = await failure(send({ files: [fileOf('film.mp4', 'video/mp4', 26 * 1024 * 1024)] }));
    assert.match(error.message, /film\.mp4 has more than the 25 MB/);
    assert.match((await failure(send({ thread: undefined }))).message, /no chat/);
    assert.deepEqual(meta.calls, []);
  });

  it('answers for 24 hours, or for seven days where Meta lets people do so, and never says that a machine is one', async () => {
    const may = async (lastInboundAt: number | undefined, settings = {}, externalId = 'm_1') =>
      (await open(settings)).canReply!({ ticket: sampleTicket(), lastInboundAt, answers: wrote(externalId) });
    assert.deepEqual(await may(WROTE_AT), { allowed: true, until: WROTE_AT + 24 * HOUR });
    assert.deepEqual(await may(WROTE_AT, { humanAgent: true }), { allowed: true, until: WROTE_AT + 7 * 24 * HOUR });
    clock.jump(23 * HOUR);
    const late = (await may(WROTE_AT)) as { allowed: boolean; reason: string };
    assert.equal(late.allowed, false);
    assert.match(late.reason, /24 hours/);
    assert.equal((await may(WROTE_AT, { humanAgent: true })).allowed, true);
    assert.deepEqual(await may(WROTE_AT, {}, 'comment:500_601'), { allowed: true });
    assert.deepEqual(await may(WROTE_AT, {}, 'post:500'), { allowed: true });

    await send({ settings: { humanAgent: true } });
    await send({ settings: { humanAgent: false } });
    await send({ settings: { humanAgent: true }, answers: wrote('m_2', '2026-11-23T09:59:59.000Z') });
    await send({ settings: { humanAgent: true }, message: sampleMessage({ automatic: 'auto_reply' }) });
    assert.deepEqual(
      bodies().map(({ tag, messaging_type }) => [tag, messaging_type]),
      [['HUMAN_AGENT', 'MESSAGE_TAG'], ...Array.from({ length: 3 }, () => [undefined, 'RESPONSE'])],
    );
    clock.jump(6 * 24 * HOUR);
    assert.match(((await may(WROTE_AT, { humanAgent: true })) as { reason: string }).reason, /7 days/);
    assert.equal((await may(undefined)).allowed, false);
  });

  it('answers a comment below it, a post below the post, and takes no file there', async () => {
    const thread = `feed:${PAGE}_500/${PSID}`;
    assert.deepEqual(await send({ thread, answers: wrote('comment:500_601') }), ['comment:500_901']);
    await send({ thread, answers: wrote(`post:${PAGE}_500`) });
    await send({ thread, answers: undefined, text: `${'a'.repeat(5000)} ${'b'.repeat(5000)}` });
    assert.deepEqual(
      meta.calls.map(({ path }) => path),
      ['500_601/comments', ...Array.from({ length: 3 }, () => `${PAGE}_500/comments`)],
    );
    await send({ thread, text: 'one two', sent: [{ externalId: 'comment:500_901' }] });
    assert.equal(meta.calls.length, 4);
    assert.match((await failure(send({ thread, files: [fileOf('a.pdf', 'application/pdf')] }))).message, /no files/);
    assert.match((await failure(send({ thread, text: ' ' }))).message, /empty/);
    assert.equal(meta.calls.length, 4);
  });

  it('tells apart what Meta refuses: the token, a right, this message, the pace', async () => {
    const cases: [ending: ReturnType<typeof refusal>, type: abstract new (...args: never[]) => Error, hint: RegExp][] =
      [
        [refusal(400, 190, 'Error validating access token', 460), AuthExpiredError, /new one/],
        [refusal(400, 102, 'Session has expired'), AuthExpiredError, /new one/],
        [refusal(403, 200, 'Requires pages_messaging permission'), AuthExpiredError, /permissions/],
        [refusal(403, 10, 'Application does not have permission'), AuthExpiredError, /permissions/],
        [refusal(403, 10, 'Sent outside of allowed window', 2018278), PermanentError, /too long ago/],
        [refusal(403, 10, 'Something about this chat', 2018999), PermanentError, /^$/],
        [refusal(403, 200, "This person isn't available right now", 1545041), PermanentError, /blocked/],
        [refusal(400, 551, "This person isn't available right now"), PermanentError, /blocked/],
        [refusal(400, 100, 'No matching user found', 2018001), PermanentError, /blocked/],
        [refusal(400, 100, 'Upload attachment failure', 2018047), PermanentError, /25 MB/],
        [refusal(403, 10, 'Page is restricted', 1893063), PermanentError, /quality page/],
        [refusal(400, 100, 'Invalid parameter'), PermanentError, /^$/],
        [refusal(400, 613, 'Calls to this API have exceeded the rate limit'), RateLimitedError, /^$/],
        [refusal(400, 4, 'Application request limit reached'), RateLimitedError, /^$/],
        [refusal(500, 1200, 'Temporary send message failure'), RetryableError, /^$/],
        [refusal(500, 2, 'Service temporarily unavailable'), RetryableError, /^$/],
      ];
    for (const [ending, type, hint] of cases) {
      meta.end('POST', ending);
      const error = await failure(send({}));
      const { code } = ending.error as { code: number };
      assert.ok(error instanceof type && error.constructor === type, `${code}: ${error.name} ${error.message}`);
      assert.match(error.message, new RegExp(`^the answer: ${code}`));
      assert.match(error.hint ?? '', hint);
    }
  });

  it('leaves it to a person to look where nobody knows whether an answer went out', async () => {
    meta.end(
      'POST',
      'cut',
      { answer: { recipient_id: PSID } },
      { status: 502, error: 'Bad gateway' as unknown as object },
    );
    for (let i = 0; i < 3; i++) {
      const error = await failure(send({}));
      assert.ok(error instanceof UncertainError, error.name);
      assert.match(error.hint ?? '', /own inbox/);
    }
    // A file that is not there yet may be tried again.
    meta.end('POST', 'cut');
    const error = await failure(send({ text: '', files: [fileOf('a.pdf', 'application/pdf')] }));
    assert.ok(error instanceof RetryableError && !(error instanceof UncertainError), error.name);
  });

  const announced = (url: string, given: object = {}) =>
    samplePayload({
      object: 'page',
      entry: [
        'unreadable',
        {
          id: PAGE,
          messaging: [
            { sender: { id: PSID }, message: { mid: 'm_0', attachments: [{ type: 'image', payload: { url: 'no' } }] } },
            { sender: { id: PSID }, message: { mid: 'm_1', attachments: [{ type: 'image', payload: { url } }] } },
          ],
          ...given,
        },
      ],
    });
  async function fetchFile(payload: ReturnType<typeof announced>, id = 'm_1/0', settings = {}): Promise<string> {
    const file = await (await open(settings)).download!({ id, name: 'image.jpg', mediaType: 'image/jpeg' }, payload);
    const chunks: Buffer[] = [];
    for await (const chunk of file as AsyncIterable<Buffer>) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  }

  it('fetches files without the token, also of other apps’ conversations and of comments', async () => {
    meta.files.set('1.jpg', Buffer.from('pixels'));
    const url = `${meta.root}/files/1.jpg`;
    assert.equal(await fetchFile(announced(url)), 'pixels');
    const message = { mid: 'm_2', attachments: [{ type: 'file', payload: { url } }] };
    assert.equal(await fetchFile(announced('', { messaging: [], standby: [{ message }] }), 'm_2/0'), 'pixels');
    const feed = (given: object) => announced('', { changes: [{ field: 'feed', value: given }, 'unreadable'] });
    const comment = { item: 'comment', comment_id: '5_6', photo: url };
    assert.equal(await fetchFile(feed(comment), 'comment:5_6/0'), 'pixels');
    const post = { item: 'status', post_id: '5', photos: ['https://example.com/', url] };
    assert.equal(await fetchFile(feed(post), 'post:5/1'), 'pixels');
    assert.deepEqual(meta.calls, []);
  });

  it('asks for a new address when the first one has ended, and says when there is none', async () => {
    meta.files.set('2.jpg', Buffer.from('pixels'));
    const old = announced(`${meta.root}/files/old.jpg`);
    const node = 'm_1?fields=attachments';
    meta.nodes.set(node, { attachments: { data: [{ image_data: { url: `${meta.root}/files/2.jpg` } }] } });
    assert.equal(await fetchFile(old), 'pixels');
    for (const data of [[{ file_url: `${meta.root}/files/old.jpg` }], []]) {
      meta.nodes.set(node, { attachments: { data } });
      const error = await failure(fetchFile(old));
      assert.ok(error instanceof PermanentError);
      assert.match(error.message, /no longer to be had.*403/);
    }
    meta.nodes.delete(node);
    assert.match((await failure(fetchFile(old))).hint ?? '', /send it again/);
    meta.end('GET', refusal(400, 190, 'Error validating access token'));
    assert.ok((await failure(fetchFile(old))) instanceof AuthExpiredError);
    const comment = { item: 'comment', comment_id: '5_6', photo: `${meta.root}/files/old.jpg` };
    const calls = meta.calls.length;
    await failure(fetchFile(announced('', { changes: [{ field: 'feed', value: comment }] }), 'comment:5_6/0'));
    assert.equal(meta.calls.length, calls);
  });

  it('fetches nothing from hosts that are not of Meta', async () => {
    const urls = [
      'https://example.com/1.jpg',
      'https://fbcdn.net.example.com/1.jpg',
      'https://evilfbcdn.net/1.jpg',
      'http://scontent.xx.fbcdn.net/1.jpg',
      'https://scontent.xx.fbcdn.net:8443/1.jpg',
      'https://user@example.com/scontent.xx.fbcdn.net',
      'http://169.254.169.254/latest/meta-data',
      'file:///etc/passwd',
      'IMAGE_URL',
    ];
    for (const url of urls) {
      const error = await failure(fetchFile(announced(url)));
      assert.ok(error instanceof PermanentError, url);
      assert.match(error.message, /none of Meta's addresses/, url);
    }
    assert.match(
      (await failure(fetchFile(announced('https://example.com/'), 'm_9/0'))).message,
      /none of the messages/,
    );
  });

  it('goes where Meta’s own hosts send it, and nowhere else', async () => {
    meta.files.set('1.jpg', Buffer.from('pixels'));
    meta.files.set('here.jpg', `${meta.root}/files/1.jpg`);
    meta.files.set('away.jpg', 'https://example.com/1.jpg');
    meta.files.set('broken.jpg', 500);
    assert.equal(await fetchFile(announced(`${meta.root}/files/here.jpg`)), 'pixels');
    assert.match(
      (await failure(fetchFile(announced(`${meta.root}/files/away.jpg`)))).message,
      /302, which is not followed/,
    );
    const calls = meta.calls.length;
    assert.ok((await failure(fetchFile(announced(`${meta.root}/files/broken.jpg`)))) instanceof RetryableError);
    // Where answers go to Facebook itself, its API is still no host of files.
    const api = announced('https://graph.facebook.com/v25.0/me');
    assert.match((await failure(fetchFile(api, 'm_1/0', { apiRoot: undefined }))).message, /none of Meta's addresses/);
    assert.equal(meta.calls.length, calls);
  });

  it('keeps within its limits whatever stands in a notification', async () => {
    const long = 'x'.repeat(20_000);
    const at = { sender: { id: PSID }, recipient: { id: PAGE }, timestamp: -5 };
    const url = `https://scontent.xx.fbcdn.net/${'n'.repeat(400)}%E0%A4%A`;
    const messaging = [
      { ...at, message: { mid: 'm_1', text: 'x'.repeat(1_500_000), quick_reply: { payload: long } } },
      { ...at, message: { mid: 'm_2', attachments: [{ type: 'file', payload: { url } }] }, timestamp: 9e15 },
      { ...at, referral: { ref: long } },
      { ...at, reaction: { mid: 'm_1', action: 'react', emoji: long } },
      { ...at, [long]: {} },
    ];
    const feed = {
      item: 'reaction',
      verb: 'add',
      comment_id: '5_6',
      reaction_type: long,
      from: { id: '7', name: long },
    };
    const changes = [{ field: 'feed', value: feed }, { field: long }];
    const entry = [{ id: PAGE, time: 1_795_341_600, messaging, changes }, { id: '9'.repeat(300) }];
    const items = await (await open()).normalize(samplePayload({ object: 'page', entry }));
    const filed = z.array(Item).parse(items);
    assert.deepEqual(
      filed.map((item) => ('occurredAt' in item ? item.occurredAt : item.kind)),
      [WROTE_AT, WROTE_AT, 'ignored', WROTE_AT, 'ignored', WROTE_AT, 'ignored', 'ignored'],
    );
    const names = filed.flatMap((item) =>
      'attachments' in item ? item.attachments.map(({ name }) => name.length) : [],
    );
    assert.deepEqual(names, [255]);
    assert.equal((await (await open()).normalize(samplePayload({ object: long, entry }))).length, 1);
  });

  it('subscribes the app when it opens, to comments only where they are wanted, and says whether that holds', async () => {
    await (
      await open()
    ).connect!(new AbortController().signal);
    await (
      await open({ comments: true })
    ).connect!(new AbortController().signal);
    const fields = bodies('subscribed_apps').map(({ subscribed_fields }) => String(subscribed_fields).split(','));
    for (const each of fields) assert.ok(['messages', 'message_echoes', 'standby'].every((one) => each.includes(one)));
    assert.deepEqual(
      fields.map((each) => each.includes('feed')),
      [false, true],
    );

    meta.nodes.set(`${PAGE}?fields=name`, { name: 'Example Shop' });
    meta.nodes.set(`${PAGE}/subscribed_apps`, { data: [{ id: '1', subscribed_fields: ['messages'] }] });
    assert.equal(await (await open()).test!(), 'Example Shop answers');
    const error = await failure((await open({ comments: true })).test!());
    assert.match(error.message, /Example Shop answers, but no app is told of its feed/);
    meta.nodes.set(`${PAGE}/subscribed_apps`, { data: [{ id: '1' }] });
    assert.match((await failure((await open()).test!())).message, /its messages$/);
  });

  it('names somebody where Meta tells, and goes on where it does not', async () => {
    const channel = await open();
    const ask = async () => channel.profile!({ kind: 'messenger:messenger', value: PSID, trust: 'verified' });
    meta.nodes.set(`${PSID}?fields=first_name,last_name`, { first_name: 'Olena', last_name: 'Example', id: PSID });
    assert.deepEqual(await ask(), { name: 'Olena Example' });
    meta.end('GET', refusal(400, 100, 'Missing permissions', 33), refusal(403, 200, 'Requires permission'));
    assert.equal(await ask(), undefined);
    assert.equal(await ask(), undefined);
    meta.end('GET', refusal(500, 2, 'Service temporarily unavailable'));
    assert.ok((await failure(ask())) instanceof RetryableError);
  });
});
