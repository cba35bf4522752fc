import assert from 'node:assert/strict';
import { discord } from '../src/connectors/discord/discord.ts';
import type { Raw } from '../src/core/connector.ts';
import { AuthExpiredError, PermanentError, RateLimitedError, RetryableError } from '../src/core/errors.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext, fakeSecrets } from './fakes/context.ts';
import type { Description } from './fakes/openapi.ts';
import { readDiscord } from './fakes/discord-description.ts';
import { AT, BOT_TOKEN, CHANNEL, DIRECT, idOf, saying, SELF, SERVER, startDiscord } from './fakes/discord.ts';
import type { FakeDiscord, Frame } from './fakes/discord.ts';
import { until } from './fakes/until.ts';

type Told = { t?: string; self?: string; subject?: string; d?: { content?: string; guild_id?: string } };

describe("Discord's Gateway", () => {
  let api: FakeDiscord;
  let egress: Egress;
  let ending: AbortController;
  let emitted: Told[];
  let cursor: string | undefined;
  let clock: ReturnType<typeof fakeClock>;
  let secrets: ReturnType<typeof fakeSecrets>;
  let description: Description | undefined;
  /** What becomes of the next events. */
  let store: () => Promise<void>;
  before(() => {
    description = readDiscord();
  });
  beforeEach(async () => {
    api = await startDiscord(description);
    egress = createHttp({ allow: ['127.0.0.1'] });
    ending = new AbortController();
    emitted = [];
    cursor = undefined;
    clock = fakeClock(AT + 3_600_000);
    secrets = fakeSecrets();
    store = async () => undefined;
  });
  afterEach(async () => {
    ending.abort();
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  function open() {
    const config = discord.config.parse({ botToken: BOT_TOKEN, apiRoot: api.root });
    return discord.open(config, fakeContext({ id: 'discord', http: egress.for({ hosts: [] }), clock, secrets }));
  }
  /** Runs the stream from the cursor that was stored last; what it ends with. */
  async function run(): Promise<unknown> {
    const emit = async ({ body }: Raw, next?: string) => {
      await store();
      try {
        emitted.push(JSON.parse(body.toString()) as Told);
      } catch {
        emitted.push({});
      }
      cursor = next ?? cursor;
    };
    const channel = await open();
    return channel.stream!(cursor, emit, ending.signal).then(
      () => undefined,
      (error: unknown) => error,
    );
  }
  const framesOf = (nth: number, ...ops: number[]): Frame[] =>
    api.connections[nth]?.frames.filter(({ op }) => ops.includes(op)) ?? [];
  /** The nth connection (from 0) has said who it is. */
  const begun = (nth: number) => until(() => framesOf(nth, 2, 6)[0], `connection ${nth} begins`);
  const stored = (count: number) => until(() => emitted.length === count, `${count} events are stored`);
  const texts = () => emitted.map(({ d }) => d?.content);
  const say = (content: string, nth: number, more: object = {}) =>
    api.tell('MESSAGE_CREATE', saying(content, { nth, guild_id: SERVER, ...more }));
  const send = (frame: object | string) =>
    api.connections.at(-1)!.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));

  it('says who it is and what it wants to hear, and tells each event beside who we are', async () => {
    void run();
    const { op, d } = (await begun(0)) as { op: number; d: Record<string, unknown> };
    assert.deepEqual([op, d.token, d.intents], [2, BOT_TOKEN, 46_593]);
    assert.deepEqual(Object.keys(d.properties as object), ['os', 'browser', 'device']);
    assert.equal(api.connections[0]!.path, '/?v=10&encoding=json');
    say('Hello', 1);
    api.tell('MESSAGE_DREAM', { id: '1' });
    await stored(2);
    assert.deepEqual(
      emitted.map(({ t, self }) => [t, self]),
      [
        ['MESSAGE_CREATE', SELF],
        ['MESSAGE_DREAM', SELF],
      ],
    );
  });

  it('keeps nothing of how servers and channels are', async () => {
    void run();
    await begun(0);
    for (const name of ['GUILD_CREATE', 'CHANNEL_UPDATE', 'THREAD_CREATE', 'USER_UPDATE', 'GUILD_ROLE_UPDATE']) {
      api.tell(name, { id: '1' });
    }
    say('Hello', 1);
    await stored(1);
    assert.deepEqual(texts(), ['Hello']);
  });

  it('stores one event after the other, and begins anew where one could not be stored', async () => {
    const storing: (() => void)[] = [];
    store = () => new Promise((resolve) => void storing.push(resolve));
    const over = run();
    await begun(0);
    say('one', 1);
    say('two', 2);
    await until(() => storing.length === 1, 'the first is being stored');
    store = async () => {
      throw new RetryableError('no disk');
    };
    storing[0]!();
    assert.match(String(await over), /no disk/);
    assert.deepEqual(texts(), ['one']);
    // The second one comes again: it was never taken care of.
    store = async () => undefined;
    void run();
    const { op, d } = await begun(1);
    assert.deepEqual([op, (d as { seq: number }).seq], [6, 2]);
  });

  it('stores what it cannot read, and what it does not know', async () => {
    void run();
    await begun(0);
    for (const odd of ['{', '[]', { op: 99, d: { some: 'thing' } }]) send(odd);
    await stored(3);
    assert.deepEqual(emitted[2], { op: 99, d: { some: 'thing' }, ...(emitted[2]?.self && { self: SELF }) });
  });

  describe('keeps a connection alive', () => {
    const beats = (nth = 0) => framesOf(nth, 1).map(({ d }) => d);

    it('with the last event that came, and at once when asked', async () => {
      void run();
      await begun(0);
      send({ op: 1, d: null });
      await until(() => beats().length === 1, 'it answers');
      api.tell('MESSAGE_DREAM', {});
      await stored(1);
      await clock.advance(40_000);
      await until(() => beats().length === 2, 'a heartbeat');
      assert.deepEqual(beats(), [1, 2]);
      // Comes behind the answer to the heartbeat.
      api.tell('MESSAGE_DREAM', {});
      await stored(2);
      await clock.advance(40_000);
      await until(() => beats().length === 3, 'and another');
    });

    it('and leaves one that no longer answers without saying goodbye, so that its session goes on', async () => {
      api.acks = false;
      const over = run();
      await begun(0);
      api.tell('MESSAGE_DREAM', {});
      await stored(1);
      let code: number | undefined;
      api.connections[0]!.socket.once('close', (given) => (code = given));
      await clock.advance(80_000);
      const error = await over;
      assert.ok(error instanceof RetryableError && /no longer answers/.test(error.message), String(error));
      assert.equal(await until(() => code, 'it is closed'), 1006);
    });

    it('and waits for answers that lie behind what is being stored', async () => {
      api.acks = false;
      const storing: (() => void)[] = [];
      store = () => new Promise((resolve) => void storing.push(resolve));
      void run();
      await begun(0);
      say('slow', 1);
      await until(() => storing.length === 1, 'it is being stored');
      await clock.advance(400_000);
      store = async () => undefined;
      storing[0]!();
      say('on the same connection', 2);
      await stored(2);
    });

    it('and leaves one on which Discord never greets', async () => {
      api.greets = false;
      const over = run();
      await until(() => api.connections.length === 1 && clock.sleepers > 0, 'it waits');
      await clock.advance(30_000);
      assert.match(String(await over), /does not greet/);
    });
  });

  describe('goes on where it was', () => {
    async function cutOff(nth = 0): Promise<void> {
      const over = run();
      await begun(nth);
      say('before', 1);
      await stored(1);
      api.connections[nth]!.socket.terminate();
      assert.match(String(await over), /closed the connection/);
    }

    it('by another connection when Discord asks for it, without ending', async () => {
      let isOver = false;
      void run().finally(() => (isOver = true));
      await begun(0);
      say('one', 1);
      await stored(1);
      api.tell('GUILD_CREATE', { id: '1' });
      send({ op: 7, d: null });
      const { op, d } = (await begun(1)) as { op: number; d: Record<string, unknown> };
      assert.deepEqual([op, d], [6, { token: BOT_TOKEN, session_id: 'session-1', seq: 3 }]);
      assert.equal(api.connections[1]!.path, '/again?v=10&encoding=json');
      await until(() => api.connections[0]!.socket.readyState === 3, 'the old one is closed');
      say('two', 2);
      await stored(2);
      send({ op: 9, d: true });
      assert.equal((await begun(2)).op, 6);
      assert.equal(isOver, false);
      await until(() => clock.sleepers === 1, 'nothing is sent on the old ones any more');
      assert.equal(api.callsOf('GET /gateway/bot').length, 1, 'only sessions that begin are counted');
    });

    it('after it was started again', async () => {
      await cutOff();
      void run();
      const { op, d } = (await begun(1)) as { op: number; d: Record<string, unknown> };
      assert.deepEqual([op, d.seq, d.session_id], [6, 2, 'session-1']);
      say('after', 2);
      await stored(2);
      assert.equal(emitted[1]!.self, SELF);
    });

    it('and begins anew where Discord no longer knows the session', async () => {
      for (const start of [{ op: 9, d: false }, 4007, 4009, 4003]) {
        api.connections.length = 0;
        emitted = [];
        cursor = undefined;
        await cutOff();
        api.starts.push(start);
        const over = run();
        assert.equal((await begun(1)).op, 6);
        const since = clock.now();
        await until(async () => {
          await clock.advance(1000);
          return framesOf(2, 2, 6)[0];
        }, 'it begins anew');
        assert.ok(clock.now() - since >= 3000, 'it rests before');
        assert.equal((await begun(2)).op, 2);
        api.connections[2]!.socket.terminate();
        await over;
      }
    });

    it('and begins anew where nobody is any more, or at another stand-in', async () => {
      for (const place of ['ws://127.0.0.1:1/again', 'wss://gateway.example.com/']) {
        api.connections.length = 0;
        emitted = [];
        cursor = undefined;
        api.resumeAt = place;
        await cutOff();
        const over = run();
        await until(() => clock.sleepers > 0, 'it rests');
        await clock.advance(3000);
        assert.equal((await begun(1)).op, 2);
        api.connections[1]!.socket.terminate();
        await over;
      }
    });

    it('and ends when the session is lost on the way, so that what was missed is asked for', async () => {
      const over = run();
      await begun(0);
      say('one', 1);
      await stored(1);
      api.starts.push({ op: 9, d: false });
      send({ op: 7, d: null });
      const error = await over;
      assert.ok(error instanceof RetryableError && /session/.test(error.message), String(error));
    });

    it('but lets the host take its time where no event came yet', async () => {
      for (const frame of [
        { op: 7, d: null },
        { op: 9, d: true },
        { op: 9, d: false },
      ]) {
        api.starts.push(frame);
        assert.ok((await run()) instanceof RetryableError);
      }
      assert.equal(api.connections.length, 3);
      await cutOff(3);
      api.starts.push({ op: 7, d: null });
      assert.match(String(await run()), /asks to connect again/);
      assert.equal(api.connections.length, 5);
    });
  });

  for (const [code, kind, words, hint] of [
    [4004, AuthExpiredError, /token/, /Reset Token/],
    [4010, PermanentError, /shard/, /Update/],
    [4011, PermanentError, /sharding/, /too many servers/],
    [4012, PermanentError, /version/, /Update/],
    [4013, PermanentError, /intent/, /Update/],
    [4014, PermanentError, /read what is written/, /Message Content Intent/],
    [4000, RetryableError, /\(4000\)/, undefined],
    [4008, RetryableError, /\(4008\)/, undefined],
    [1000, RetryableError, /\(1000\)/, undefined],
  ] as const) {
    it(`says what a connection closed with ${code} means`, async () => {
      api.starts.push(code);
      const error = await run();
      assert.ok(error instanceof kind, String(error));
      assert.match(error.message, words);
      if (hint) assert.match(error.hint ?? '', hint);
    });
  }

  it('begins no more sessions than it may', async () => {
    api.limit = { remaining: 0, reset_after: 7200_000 };
    const error = await run();
    assert.ok(error instanceof RateLimitedError);
    assert.equal(error.retryAfterMs, 7200_000);
    assert.deepEqual(api.connections, []);
  });

  it('takes the token to no host but Discord’s', async () => {
    for (const to of ['wss://example.com/', 'wss://discord.gg.example.com/', 'ws://gateway.discord.gg/', 'nothing']) {
      api.gateway = to;
      const error = await run();
      assert.ok(error instanceof PermanentError && /isn't Discord's/.test(error.message), to);
    }
  });

  it('tells the title of a post, which only its thread knows', async () => {
    api.names.set('1541000000000000500', 'Printer does not print');
    const over = run();
    await begun(0);
    const post = { id: '1541000000000000500', channel_id: '1541000000000000500' };
    say('See title', 1, post);
    api.tell('MESSAGE_UPDATE', saying('See title!', { guild_id: SERVER, ...post }));
    say('And?', 2, { channel_id: post.channel_id });
    say('Deleted', 3, { id: '1541000000000000600', channel_id: '1541000000000000600' });
    await stored(4);
    const title = 'Printer does not print';
    assert.deepEqual(
      emitted.map(({ subject }) => subject),
      [title, title, undefined, undefined],
    );
    api.end('GET /channels/1541000000000000500', { http: 503 });
    say('Later', 4, post);
    assert.ok((await over) instanceof RetryableError);
    assert.equal(emitted.length, 4, 'it comes again with its title');
  });

  describe('asked for what was missed', () => {
    async function missed(since = AT): Promise<{ texts: (string | undefined)[]; raws: Told[] }> {
      const channel = await open();
      const raws: Told[] = [];
      for await (const { body } of channel.reconcile!(since, ending.signal)) {
        raws.push(JSON.parse(body.toString()) as Told);
      }
      return { raws, texts: raws.map(({ d }) => d?.content) };
    }
    const [forum, quiet, hidden] = ['1300000000000000002', '1300000000000000003', '1300000000000000004'];
    const [post, closed, old] = ['1541000000000000500', '1541000000000000600', '1541000000000000700'];
    beforeEach(() => {
      const recent = { last_message_id: idOf(AT + 5000, 1) };
      api.servers.set(SERVER, {
        channels: [
          { id: CHANNEL, type: 0, name: 'support', ...recent },
          { id: forum, type: 15, name: 'questions', ...recent },
          { id: quiet, type: 0, last_message_id: idOf(AT - 1) },
          { id: hidden, type: 0, ...recent },
          { id: '1300000000000000005', type: 4, last_message_id: null },
        ],
        active: [{ id: post, type: 11, name: 'Printer does not print', ...recent }],
      });
      api.archived.set(forum, [
        { id: closed, type: 11, name: 'Closed', ...recent, archivedAt: AT + 9000 },
        { id: old, type: 11, name: 'Old', ...recent, archivedAt: AT - 1 },
      ]);
      api.end(`GET /channels/${hidden}/messages`, { http: 403, json: { code: 50_001, message: 'Missing Access' } });
      const author = { id: SELF, username: 'help-desk' };
      api.said.set(CHANNEL, [
        saying('known', { at: AT - 1 }),
        saying('first', { at: AT }),
        saying('ours', { at: AT + 1, author }),
        saying('second', { at: AT + 2 }),
      ]);
      const title = saying('See title', { at: AT + 3, channel_id: post, id: post });
      api.said.set(post, [title, saying('Below', { at: AT + 4, channel_id: post })]);
      api.said.set(closed, [saying('Thanks', { at: AT + 5, channel_id: closed })]);
      api.said.set(old, [saying('never asked for', { at: AT + 5, channel_id: old })]);
      api.said.set(quiet, [saying('never asked for', { at: AT + 5, channel_id: quiet })]);
      api.said.set(DIRECT, [saying('in private', { at: AT + 6, channel_id: DIRECT })]);
    });
    /** Somebody writes in private while we listen. */
    async function hear(...channels: string[]): Promise<void> {
      void run();
      await begun(0);
      const before = emitted.length;
      for (const channel_id of channels) api.tell('MESSAGE_CREATE', saying('Hello', { channel_id }));
      await stored(before + channels.length);
    }

    it('tells what others said in channels, threads and private, the oldest first', async () => {
      await hear(DIRECT, DIRECT);
      say('in a server', 9);
      await stored(3);
      const { texts: found, raws } = await missed();
      // The first message of a post has the id of its thread, which is older.
      assert.deepEqual(found, ['first', 'second', 'Below', 'Thanks', 'in private']);
      assert.deepEqual(raws[0], {
        op: 0,
        t: 'MESSAGE_CREATE',
        d: { ...saying('first'), guild_id: SERVER },
        self: SELF,
      });
      assert.equal(raws.at(-1)!.d!.guild_id, undefined);
      for (const place of [quiet, old, forum]) assert.deepEqual(api.callsOf(`GET /channels/${place}/messages`), []);
    });

    it('tells the title of a post that it finds', async () => {
      const id = idOf(AT + 3);
      const { channels } = api.servers.get(SERVER)!;
      const begun = { id, type: 11, name: 'Cannot log in', last_message_id: id };
      api.servers.set(SERVER, { channels, active: [begun] });
      api.said.set(id, [saying('See above', { id, channel_id: id })]);
      const { raws } = await missed();
      assert.equal(raws.find(({ d }) => d?.content === 'See above')?.subject, 'Cannot log in');
    });

    it('goes on from page to page', async () => {
      const closing = (nth: number) => ({ id: `15410000000000008${nth}`, type: 11, last_message_id: null });
      const many = Array.from({ length: 120 }, (_, nth) => ({ ...closing(nth + 100), archivedAt: AT + 10_000 + nth }));
      api.archived.set(forum, [...api.archived.get(forum)!, ...many]);
      const long = Array.from({ length: 250 }, (_, nth) => saying(`message ${nth}`, { at: AT + nth, nth: 1 }));
      api.said.set(CHANNEL, long);
      for (let nth = 0; nth < 205; nth++) {
        api.servers.set(`11${String(nth).padStart(17, '0')}`, { channels: [], active: [] });
      }
      const { texts: found } = await missed();
      assert.deepEqual(
        found.slice(0, 250),
        long.map(({ content }) => content),
      );
      assert.deepEqual(found.slice(250), ['Below', 'Thanks']);
      assert.equal(api.callsOf('GET /users/@me/guilds').length, 2);
    });

    it('remembers over a restart where people wrote in private, the last of them', async () => {
      await hear(...Array.from({ length: 505 }, (_, nth) => `13000000000000${10_000 + nth}`), DIRECT);
      api.servers.clear();
      assert.deepEqual((await missed()).texts, ['in private']);
      const asked = api.calls.filter(({ what }) => /^GET \/channels\/\d+\/messages$/.test(what));
      assert.equal(asked.length, 500);
    });

    it('waits as long as Discord asks it to, and goes on where it was', async () => {
      const path = `GET /channels/${CHANNEL}/messages`;
      api.end(path, { http: 429, headers: { 'retry-after': '65' } }, { http: 429 });
      let isOver = false;
      const over = missed().finally(() => (isOver = true));
      for (const ms of [65_000, 5000]) {
        await until(() => clock.sleepers > 0, 'it waits');
        await clock.advance(ms - 1);
        assert.equal(isOver, false);
        await clock.advance(1);
      }
      assert.equal((await over).texts.length, 4);
      assert.equal(api.callsOf('GET /users/@me/guilds').length, 1);
    });

    it('fails with what Discord refuses', async () => {
      api.end('GET /users/@me/guilds', { http: 401 });
      await assert.rejects(missed(), AuthExpiredError);
      api.end('GET /users/@me/guilds', { http: 403, json: { code: 40_001, message: 'Unauthorized' } });
      await assert.rejects(missed(), PermanentError);
    });
  });
});
