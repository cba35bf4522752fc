import assert from 'node:assert/strict';
import { text as textIn } from 'node:stream/consumers';
import { avito } from '../src/connectors/avito/avito.ts';
import type { Channel, Raw } from '../src/core/connector.ts';
import type { ItemInput } from '../src/core/envelope.ts';
import { AuthExpiredError, PermanentError, RateLimitedError, RetryableError } from '../src/core/errors.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { CLIENT, FORBIDDEN, NO_PLAN, review, startAvito, TOO_MANY, UNAUTHORIZED, USER } from './fakes/avito.ts';
import type { FakeAvito } from './fakes/avito.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext, fakeLog } from './fakes/context.ts';
import { samplePayload } from './fakes/samples.ts';

const signal = new AbortController().signal;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const CHATS = 'GET /messenger/v2/chats';
const MESSAGES = (chat: string) => `GET /messenger/v3/chats/${chat}/messages/`;
const REVIEWS = 'GET /ratings/v1/reviews';

describe('Avito’s channel, against a stand-in that is a closed world', () => {
  let api: FakeAvito;
  let egress: Egress;
  beforeEach(async () => {
    api = await startAvito();
    egress = createHttp({ allow: ['127.0.0.1'] });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  async function open(settings: object = {}, publicUrl?: string) {
    const config = avito.config.parse({ ...CLIENT, apiRoot: `${api.root}/`, ...settings });
    const clock = fakeClock(api.now);
    const log = fakeLog();
    const given = { id: 'avito', http: egress.for({ hosts: [] }), clock, log, ...(publicUrl && { publicUrl }) };
    const context = fakeContext(given);
    return { channel: await avito.open(config, context), clock, log, context };
  }

  /** What an opened channel hands over, minute by minute; `from` is what was kept of one before. */
  async function session(settings: object = {}, from?: string) {
    const opened = await open(settings);
    const { channel, clock } = opened;
    const fails: unknown[] = [];
    let cursor = from;
    /** Polls as the host does, until nothing is due. */
    async function round(): Promise<Raw[]> {
      const raws: Raw[] = [];
      for (let more = true; more;) {
        try {
          const page = await channel.poll!(cursor, signal);
          raws.push(...page.items);
          more = page.more === true;
          cursor = page.cursor;
        } catch (error) {
          fails.push(error);
          if (fails.length > 9) throw error;
        }
      }
      return raws;
    }
    async function pass(minutes: number): Promise<Raw[]> {
      const raws: Raw[] = [];
      for (let i = 0; i < minutes * 4; i++) {
        raws.push(...(await round()));
        clock.jump(15_000);
        api.now = clock.now();
      }
      return raws;
    }
    return { ...opened, fails, pass, round, cursor: () => cursor };
  }

  const itemsOf = async (channel: Channel, raws: readonly Raw[]): Promise<ItemInput[]> => {
    const payloads = raws.map(({ body, headers }) => samplePayload(body, headers, { method: 'POLL' }));
    return (await Promise.all(payloads.map(async (payload) => channel.normalize(payload)))).flat();
  };
  const idsIn = (raws: readonly Raw[]) =>
    raws.map(({ body }) => {
      const { message, id, review: gone } = JSON.parse(body.toString()) as Record<string, { id: string }>;
      return message?.id ?? id ?? gone;
    });
  const ago = (ms: number) => Math.floor((api.now - ms) / 1000);

  describe('of the chats', () => {
    it('takes what was said since an hour, once, though it looks hundreds of times', async () => {
      api.write('old', { created: ago(DAY) });
      api.write('young', { created: ago(2 * HOUR) });
      const first = api.write('young', { created: ago(30 * MINUTE) });
      const follower = api.write('follower', { created: ago(20 * MINUTE) }, { type: 'u2u' });
      const notice = api.write('notice', {}, { type: 'a2u' });
      const { pass, fails } = await session({ parts: ['chats'] });
      assert.deepEqual(idsIn(await pass(1)), [follower.id, first.id]);
      const next = api.write('young');
      assert.deepEqual(idsIn(await pass(1)), [next.id]);
      assert.deepEqual(await pass(180), []);
      assert.ok(api.callsOf(CHATS).length > 500 && api.callsOf(MESSAGES('young')).length < 30);
      assert.deepEqual([api.callsOf(MESSAGES('notice')), fails], [[], []], `${notice.id} is Avito's own`);
      assert.deepEqual(api.callsOf(MESSAGES('old')), [], 'what did not move is not read');
    });

    it('reads of long lists only what is new', async () => {
      for (let i = 0; i < 350; i++) api.write(`old-${i}`, { created: ago(2 * DAY) });
      for (let i = 0; i < 350; i++) api.write('long', { created: ago(2 * DAY) });
      const said = api.write('long');
      const { round } = await session({ parts: ['chats'] });
      assert.deepEqual(idsIn(await round()), [said.id]);
      assert.ok(api.callsOf(CHATS).length <= 2 && api.callsOf(MESSAGES('long')).length <= 2);
    });

    it('takes two messages of one second, and one that comes in it afterwards', async () => {
      const { round, clock } = await session({ parts: ['chats'] });
      const one = api.write('c');
      const two = api.write('c');
      assert.deepEqual(idsIn(await round()).toSorted(), [one.id, two.id].toSorted());
      const three = api.write('c');
      clock.jump(15_000);
      assert.deepEqual(idsIn(await round()), [three.id]);
    });

    it('takes back what is deleted within the hour, and is read by then', async () => {
      const said = api.write('c');
      const sent = api.write('c', { author_id: USER, direction: 'out' });
      const { pass, channel } = await session({ parts: ['chats'] });
      await pass(1);
      said.type = 'deleted';
      said.content = {};
      sent.read = ago(0);
      const items = await itemsOf(channel, await pass(11));
      const shown = items.map((item) => [
        item.kind,
        'externalId' in item && item.externalId,
        'state' in item && item.state,
      ]);
      assert.deepEqual(shown, [
        ['deletion', said.id, false],
        ['message', sent.id, false],
        ['receipt', sent.id, 'read'],
      ]);
      assert.deepEqual(await pass(60), []);
      const before = api.callsOf(MESSAGES('c')).length;
      assert.deepEqual(await pass(60), []);
      assert.equal(api.callsOf(MESSAGES('c')).length, before, 'after an hour it is left alone');
    });

    it('takes a week of downtime, page by page, the oldest first in each chat', async () => {
      const before = await session({ parts: ['chats'] });
      await before.pass(2);
      api.write('long', { created: ago(-DAY) });
      for (let i = 0; i < 250; i++) api.write('long', { created: ago(-2 * DAY) + i });
      for (let i = 0; i < 220; i++) api.write(`chat-${i}`, { created: ago(-3 * DAY) + i });
      api.now += 7 * DAY;
      // The process has ended: only the cursor is left.
      const after = await session({ parts: ['chats'] }, before.cursor());
      const items = await itemsOf(after.channel, await after.pass(1));
      assert.equal(new Set(items.map((item) => 'externalId' in item && item.externalId)).size, 471);
      const times = items.flatMap((item) =>
        item.kind === 'message' && item.thread?.externalId === 'chat:long' ? item.occurredAt : [],
      );
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      );
    });

    it('goes on with the chat at which it was cut off', async () => {
      for (const id of ['a', 'b', 'c']) api.write(id);
      const cut = await session({ parts: ['chats'] });
      api.end(MESSAGES('b'), { status: 500 }, { status: 500 });
      const some = idsIn(await cut.round());
      const after = await session({ parts: ['chats'] }, cut.cursor());
      api.end(MESSAGES('b'));
      const rest = idsIn(await after.pass(1));
      assert.equal(new Set([...some, ...rest]).size, 3);
      assert.ok(cut.fails.length >= 1 && cut.fails.every((error) => error instanceof RetryableError));
    });

    it('is held up by no chat that Avito lists and does not give', async () => {
      api.write('gone');
      const other = api.write('other');
      api.end(MESSAGES('gone'), { status: 404 });
      const { round, log, fails } = await session({ parts: ['chats'] });
      assert.deepEqual(idsIn(await round()), [other.id]);
      assert.deepEqual([log.entries.length, fails], [1, []]);
      api.write('other');
      api.end(MESSAGES('other'), FORBIDDEN);
      const refused = await session({ parts: ['chats'] });
      await refused.round();
      assert.ok(refused.fails[0] instanceof PermanentError, 'what Avito refuses is shown');
    });

    it('waits when it is too much, and says so to nobody', async () => {
      const said = api.write('c');
      const { pass, fails } = await session({ parts: ['chats'] });
      api.end(CHATS, TOO_MANY);
      assert.deepEqual(await pass(0.75), []);
      assert.equal(api.callsOf(CHATS).length, 1);
      assert.deepEqual(idsIn(await pass(1)), [said.id]);
      assert.deepEqual(fails, []);
    });

    it('says what the subscription lacks, and reads the reviews', async () => {
      api.reviews.push(review(1, { createdAt: ago(MINUTE) }));
      api.end(CHATS, NO_PLAN, FORBIDDEN);
      const { pass, fails } = await session();
      assert.deepEqual(idsIn(await pass(70)), [1]);
      assert.equal(fails.length, 2, 'asked once an hour');
      for (const error of fails) {
        assert.ok(error instanceof PermanentError && /subscription/.test(error.hint ?? ''), String(error));
      }
      assert.match(String(fails[0]), /Payment required/);
    });
  });

  describe('of the reviews', () => {
    it('takes what waits for an answer and what is new, once, though it reads them hundreds of times', async () => {
      const answer = { id: 7, text: 'Спасибо', status: 'published', createdAt: ago(20 * DAY) };
      api.reviews.push(
        review(1, { createdAt: ago(20 * DAY) }),
        review(2, { createdAt: ago(21 * DAY), answer }),
        review(3, { createdAt: ago(31 * DAY) }),
        review(4, { createdAt: ago(25 * DAY), answer: { ...answer, id: 8, createdAt: ago(MINUTE) } }),
      );
      const { pass } = await session({ parts: ['reviews'] });
      assert.deepEqual(idsIn(await pass(1)), [4, 1]);
      assert.deepEqual(await pass(600), []);
      assert.ok(api.callsOf(REVIEWS).length >= 100);
    });

    it('takes three edits as three, and an answer that was given elsewhere', async () => {
      const one = review(1, { createdAt: ago(DAY) });
      api.reviews.push(one);
      const { pass, channel } = await session({ parts: ['reviews'] });
      await pass(1);
      for (const text of ['один', 'два', 'три']) {
        one.text = text;
        const [item, ...more] = await itemsOf(channel, await pass(6));
        assert.ok(item?.kind === 'review' && item.text === text && item.externalId === 'review:1' && item.revision);
        assert.equal(more.length, 0);
      }
      const reject_reasons = [{ id: 100, title: 'Ссылки' }];
      one.answer = { id: 7, text: 'Спасибо', status: 'rejected', createdAt: ago(0), reject_reasons };
      const [, answer, receipt] = await itemsOf(channel, await pass(6));
      assert.ok(answer?.kind === 'message' && answer.replaces && answer.direction === 'outbound');
      assert.ok(receipt?.kind === 'receipt' && receipt.state === 'failed' && /Ссылки/.test(receipt.reason!));
    });

    it('takes all pages, in whatever order, and says what is gone, but not what only moved', async () => {
      for (let i = 1; i <= 120; i++) api.reviews.push(review(i, { createdAt: ago(DAY) - i }));
      const { pass, channel } = await session({ parts: ['reviews'] });
      assert.equal(new Set(idsIn(await pass(1))).size, 120);
      api.reviews.splice(59, 1);
      assert.deepEqual(await itemsOf(channel, await pass(12)), [
        { kind: 'deletion', externalId: 'review:60', occurredAt: Date.parse('2026-11-22T10:00:00Z') },
      ]);
      assert.deepEqual(await pass(12), [], 'once');
      // One moves to the front while they are read: this reading never sees it.
      const reads = api.callsOf(REVIEWS).length;
      for (let tries = 0; api.callsOf(REVIEWS).length === reads && tries < 40; tries++) await pass(0.25);
      api.reviews.unshift(...api.reviews.splice(60, 1));
      const kinds = (await itemsOf(channel, await pass(12))).map(({ kind }) => kind);
      assert.ok(!kinds.includes('deletion'), kinds.join());
    });

    it('is nothing where an answer is no list', async () => {
      const { channel } = await open({ parts: ['reviews'] });
      api.end(REVIEWS, { status: 200, body: { result: [] } });
      await assert.rejects(channel.poll!(undefined, signal), RetryableError);
    });

    it('hands on one that can’t be read, alone', async () => {
      api.reviews.push(review(1, { createdAt: ago(DAY) }));
      const { round, channel, clock } = await session({ parts: ['reviews'] });
      api.end(REVIEWS, { status: 200, body: { total: 2, reviews: [{ id: 'x' }, review(1, { createdAt: ago(DAY) })] } });
      const raws = await round();
      assert.equal(raws.length, 2);
      await assert.rejects(itemsOf(channel, raws.slice(0, 1)));
      clock.jump(6 * MINUTE);
      assert.deepEqual(await round(), []);
    });
  });

  describe('its token', () => {
    it('is asked for once a day, and again when it is refused before', async () => {
      const { channel, clock } = await open();
      await Promise.all([channel.test!(), channel.test!()]);
      assert.equal(api.callsOf('POST /token').length, 1);
      clock.jump(23 * HOUR);
      await channel.test!();
      assert.equal(api.callsOf('POST /token').length, 1);
      clock.jump(56 * MINUTE);
      await channel.test!();
      assert.equal(api.callsOf('POST /token').length, 2, 'some minutes before it ends');
      api.tokens.clear();
      await channel.test!();
      assert.equal(api.callsOf('POST /token').length, 3);
    });

    it('needs a person when Avito gives none, or takes none', async () => {
      const refused = await open({ clientSecret: 'another' });
      const error = await refused.channel.test!().catch((thrown: unknown) => thrown);
      assert.ok(error instanceof AuthExpiredError && /clientSecret/.test(error.hint!), String(error));
      assert.ok(!JSON.stringify([error.message, error.response, error.hint]).includes('another'));
      const body = { error: `slow down, ${CLIENT.clientSecret}` };
      api.end('POST /token', { status: 429, body });
      const { channel: slow } = await open();
      const limited = await slow.test!().catch((thrown: unknown) => thrown);
      assert.ok(limited instanceof RateLimitedError && limited.response === undefined, 'it may quote the request');
      for (const body of [{}, { error: 'invalid_client' }]) {
        const { channel } = await open();
        api.end('POST /token', { status: 200, body });
        await assert.rejects(channel.poll!(undefined, signal), AuthExpiredError);
      }
      const { channel } = await open();
      api.end(CHATS, UNAUTHORIZED, UNAUTHORIZED);
      await assert.rejects(channel.poll!(undefined, signal), AuthExpiredError);
      assert.equal(api.callsOf(CHATS).length, 2);
      for (const status of [500, 429]) {
        const other = await open({ parts: ['chats'] });
        api.end('POST /token', { status });
        await other.channel.poll!(undefined, signal).catch((thrown: unknown) =>
          assert.ok(thrown instanceof RetryableError),
        );
        assert.ok(api.callsOf('POST /token').length > 0);
      }
    });
  });

  describe('its webhook', () => {
    const told = (type: string) => ({
      id: '1',
      version: 'v3.0.0',
      timestamp: 1,
      payload: { type, value: { id: 'x', chat_id: 'c', content: { text: 'forged' } } },
    });

    it('has the chats read, and is believed nothing else', async () => {
      const { channel } = await open();
      assert.deepEqual(await channel.normalize(samplePayload(told('message'))), [{ kind: 'wake' }]);
      for (const body of [{}, told('other'), []]) {
        const [item] = await channel.normalize(samplePayload(body));
        assert.equal(item?.kind, 'ignored');
      }
      const headers = { 'avito-part': 'message' };
      const forged = {
        chat: { id: 'c' },
        message: { id: 'm', created: 1, direction: 'in', type: 'text', content: { text: 'x' } },
      };
      const [item] = await channel.normalize(samplePayload(forged, headers));
      assert.equal(item?.kind, 'ignored', 'also where somebody knows our headers');
    });

    it('is registered under an address that nobody can guess, once, and an old one of ours is taken away', async () => {
      const { channel, context } = await open({}, 'https://desk.example.com');
      const other = 'https://elsewhere.example.com/hook';
      api.subscriptions.push(`${context.webhookUrl}/old`, other);
      await channel.connect!(signal);
      const token = channel.webhook!.token!.reveal();
      assert.ok(token.length >= 32 && /^[0-9a-f]+$/.test(token));
      assert.deepEqual(api.subscriptions, [other, `${context.webhookUrl}/${token}`]);
      await channel.connect!(signal);
      assert.equal(api.callsOf('POST /messenger/v3/webhook').length, 1);
    });

    it('is not registered where Avito can’t call, where no chats are read, or where it may not be', async () => {
      for (const [settings, url] of [
        [{}, 'http://localhost:8080'],
        [{ parts: ['reviews'] }, undefined],
      ] as const) {
        const { channel } = await open(settings, url);
        await channel.connect!(signal);
        assert.equal(api.calls.length, 0);
      }
      const { channel, log } = await open();
      api.end('POST /messenger/v1/subscriptions', NO_PLAN, { status: 500 });
      await channel.connect!(signal);
      assert.equal(log.entries.length, 1);
      await assert.rejects(channel.connect!(signal), RetryableError);
    });
  });

  it('fetches photos, images and voices without its token, and nothing from elsewhere than the web', async () => {
    const { channel } = await open();
    async function fetched(body: object, part: string): Promise<string> {
      const payload = samplePayload(body, { 'avito-part': part }, { method: 'POLL' });
      const [item] = await channel.normalize(payload);
      assert.ok(item && 'attachments' in item && item.attachments);
      return textIn(await channel.download!(item.attachments[0]!, payload));
    }
    const message = { id: 'm', author_id: 1, created: 1, direction: 'in', type: 'image' };
    const image = (url: string) => ({
      chat: { id: 'c' },
      message: { ...message, content: { image: { sizes: { '32x32': 'https://example.com/small', '1280x960': url } } } },
    });
    assert.equal(await fetched(image(`${api.root}/image`), 'message'), '/image nobody');
    const voice = { ...message, type: 'voice', content: { voice: { voice_id: 'v1' } } };
    assert.equal(await fetched({ chat: { id: 'c' }, message: voice }, 'message'), '/voice nobody');
    const sizes = [
      { size: '100x100', url: 'https://example.com/small' },
      { size: '1000x750', url: `${api.root}/photo` },
    ];
    assert.equal(await fetched(review(1, { createdAt: 5, images: [{ number: 2, sizes }] }), 'review'), '/photo nobody');
    for (const url of ['http://example.com/a', 'file:///etc/passwd', 'https://example.com:8443/a', 'x']) {
      await assert.rejects(fetched(image(url), 'message'), PermanentError, url);
    }
  });

  it('says whose account it is, and what can be read', async () => {
    api.reviews.push(review(1));
    const { channel } = await open();
    assert.equal(await channel.test!(), `account ${USER}; chats can be read; 1 reviews`);
    const only = await open({ parts: ['reviews'] });
    assert.equal(await only.channel.test!(), `account ${USER}; 1 reviews`);
  });
});
