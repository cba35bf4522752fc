import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { io } from 'socket.io-client';
import type { Socket } from 'socket.io-client';
import type { Change } from '../src/core/ticket.ts';
import { ADMIN_KEY, PUBLIC_URL, startApi } from './fakes/api.ts';
import type { StartedApi } from './fakes/api.ts';
import { PATIENCE_MS, until } from './fakes/until.ts';

/** Long enough for loopback to bring what is on its way. */
const A_MOMENT = 150;

describe('What happens, as it happens', () => {
  let api: StartedApi;
  let sockets: { close(): Promise<void> };
  const clients: Socket[] = [];

  beforeEach(async () => {
    api = await startApi();
    sockets = api.api.attachSockets(api.server);
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.disconnect();
    await sockets.close();
    await api.stop();
  });

  describe('the change feed', () => {
    it('says where it ends, and goes on from there', async () => {
      api.gateway.change();
      const start = await api.call('GET', '/changes');
      assert.deepEqual(start.json, { data: [], nextCursor: '1' });
      api.gateway.change('ticket.created');
      const { json } = await api.call('GET', '/changes?after=1');
      assert.deepEqual([json.data.map((change: Change) => change.type), json.nextCursor], [['ticket.created'], '2']);
      assert.equal((await api.call('GET', '/changes?after=0&limit=1')).json.nextCursor, '1');
    });

    it('waits for the next change', async () => {
      const waiting = api.call('GET', '/changes?after=0&wait=30');
      await wait(A_MOMENT);
      api.gateway.change();
      assert.equal((await waiting).json.data.length, 1);
    });

    it('waits no longer than it was asked to, and not at all for who has gone', async () => {
      const waiting = api.call('GET', '/changes?after=0&wait=2');
      await until(() => api.gateway.clock.sleepers === 2, 'the feed and the check of the sockets');
      await api.gateway.clock.advance(2000);
      assert.deepEqual((await waiting).json, { data: [], nextCursor: '0' });

      const leaving = connectTcp(Number(new URL(api.url).port), '127.0.0.1');
      leaving.write(
        `GET /api/v1/changes?after=0&wait=30 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN_KEY}\r\n\r\n`,
      );
      await until(() => api.gateway.clock.sleepers === 2, 'it waits');
      leaving.destroy();
      await until(() => api.gateway.clock.sleepers === 1, 'nothing waits for who has gone');
      assert.equal((await api.call('GET', '/changes?after=0&wait=31')).status, 400);
    });
  });

  interface Listening {
    readonly socket: Socket;
    readonly seen: number[];
  }

  function open(given: { cookie?: string; token?: unknown; origin?: string; namespace?: string } = {}): Listening {
    const { cookie, token, origin, namespace = '/console' } = given;
    const socket = io(`${api.url}${namespace}`, {
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
      ...(token !== undefined && { auth: { token } }),
      extraHeaders: { ...(cookie && { cookie }), ...(origin && { origin }) },
    });
    clients.push(socket);
    const seen: number[] = [];
    socket.on('change', (change: Change) => seen.push(change.seq));
    return { socket, seen };
  }

  async function connected(given: Parameters<typeof open>[0]): Promise<Listening> {
    const listening = open(given);
    await heard(listening.socket, 'connect');
    return listening;
  }

  function heard(socket: Socket, event: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      socket.once(event, resolve);
      if (event !== 'connect_error') socket.once('connect_error', reject);
      setTimeout(() => reject(new Error(`did not hear ${event}`)), PATIENCE_MS).unref();
    });
  }

  describe('a socket', () => {
    it('hears every change, with a session or a key', async () => {
      const both = [
        await connected({ cookie: await api.signIn(), origin: PUBLIC_URL }),
        await connected({ token: ADMIN_KEY }),
      ];
      api.gateway.change();
      api.gateway.change();
      for (const { seen } of both) {
        await until(() => seen.length >= 2, 'both are heard');
        assert.deepEqual(seen, [1, 2]);
      }
    });

    it('catches up without a gap or a repeat, while more comes in', async () => {
      for (let i = 0; i < 450; i++) api.gateway.change();
      const { read } = api.gateway.store;
      const real = read.changes;
      // Something happens just after each page was read, and just before it is used.
      Object.assign(read, {
        changes: async (after: number, limit: number) => {
          const page = await real(after, limit);
          if (api.gateway.state.changes.length < 455) api.gateway.change();
          await wait(1);
          return page;
        },
      });
      const { socket, seen } = await connected({ token: ADMIN_KEY });
      socket.emit('subscribe', { after: 10 });
      await until(
        () => api.gateway.state.changes.length >= 455 && seen.at(-1) === api.gateway.state.changes.length,
        'caught up',
      );
      api.gateway.change();
      const last = api.gateway.state.changes.length;
      await until(() => seen.at(-1) === last, 'the last one');
      assert.deepEqual(
        seen,
        Array.from({ length: last - 10 }, (_, i) => i + 11),
      );
    });

    it('hears once what it has read already when the news of it comes late', async () => {
      const real = api.gateway.onChange.bind(api.gateway);
      const late = (listener: (change: Change) => void) =>
        real((change) => void setTimeout(listener, A_MOMENT, change));
      Object.assign(api.gateway, { onChange: late });
      const { socket, seen } = await connected({ token: ADMIN_KEY });
      api.gateway.change();
      socket.emit('subscribe', { after: 0 });
      await until(() => seen.length > 0, 'it is heard');
      await wait(A_MOMENT * 2);
      assert.deepEqual(seen, [1]);
    });

    it('is told to start afresh when it missed too much, or comes from another time', async () => {
      for (let i = 0; i < 5010; i++) api.gateway.change();
      const { socket, seen } = await connected({ token: ADMIN_KEY });
      for (const after of [1, 999_999]) {
        const reset = heard(socket, 'reset');
        socket.emit('subscribe', { after });
        assert.deepEqual(await reset, { last: 5010 });
      }
      api.gateway.change();
      await until(() => seen.length > 0, 'it goes on');
      assert.deepEqual(seen, [5011]);
    });

    it('is refused to strangers, with or without a key that is wrong', async () => {
      const narrow = await api.key('tickets:read');
      const wrong = [
        {},
        { token: '' },
        { token: 'x'.repeat(2000) },
        { token: null },
        { token: { a: 1 } },
        { token: narrow },
      ];
      for (const given of [...wrong, { cookie: `__Host-tributary=${'a'.repeat(43)}` }]) {
        const { socket } = open(given);
        assert.equal(((await heard(socket, 'connect_error')) as Error).message, 'unauthorized');
      }
      const { socket } = open({ token: ADMIN_KEY, namespace: '/' });
      assert.equal(((await heard(socket, 'connect_error')) as Error).message, 'unauthorized');
    });

    it('is refused to pages of other sites, on websockets too', async () => {
      const cookie = await api.signIn();
      for (const origin of ['https://evil.test', 'null', 'https://desk.example.com.evil.test']) {
        const { socket } = open({ cookie, origin });
        const error = (await heard(socket, 'connect_error')) as Error & { context?: { statusCode?: number } };
        assert.ok(error, origin);
        const polling = await api.send('GET', '/socket.io/?EIO=4&transport=polling', { cookie, headers: { origin } });
        assert.equal(polling.status, 403);
      }
    });

    it('closes when its key is revoked or its session ends', async () => {
      const { json } = await api.call('POST', '/keys', { body: { name: 'x', scopes: ['changes:read'] } });
      const cookie = await api.signIn();
      const byKey = await connected({ token: json.key });
      const bySession = await connected({ cookie });
      const staying = await connected({ token: ADMIN_KEY });
      const closed = [heard(byKey.socket, 'disconnect'), heard(bySession.socket, 'disconnect')];
      await api.call('DELETE', `/keys/${json.id}`);
      await api.call('DELETE', '/session', { cookie, headers: { origin: PUBLIC_URL } });
      await Promise.all(closed);
      assert.ok(staying.socket.connected);
    });

    it('closes within five seconds when another process revokes its key', async () => {
      const { json } = await api.call('POST', '/keys', { body: { name: 'x', scopes: ['changes:read'] } });
      const { socket } = await connected({ token: json.key });
      const row = api.gateway.state.keys.get(json.id)!;
      api.gateway.state.keys.set(json.id, { ...row, revokedAt: 1 });
      const closed = heard(socket, 'disconnect');
      await api.gateway.clock.advance(5000);
      await closed;
    });

    it('answers whatever it does not understand with the same words', async () => {
      const { socket, seen } = await connected({ token: ADMIN_KEY });
      const wrong: [string, ...unknown[]][] = [
        ['join', 'tkt_2'],
        ['__proto__', {}],
        ['constructor'],
        ['subscribe'],
        ['subscribe', { after: -1 }],
        ['subscribe', { after: '1' }],
        ['subscribe', { after: 1, room: 'x' }],
        ['subscribe', { after: 1 }, 'more'],
        ['subscribe', Buffer.from('x')],
      ];
      for (const [name, ...given] of wrong) {
        const problem = heard(socket, 'problem');
        socket.emit(name, ...given);
        assert.deepEqual(await problem, { error: 'bad_event' });
      }
      assert.deepEqual(await socket.emitWithAck('join', 'tkt_2'), { error: 'bad_event' });
      assert.deepEqual(seen, []);
      const closed = heard(socket, 'disconnect');
      for (let i = 0; i < 20; i++) socket.emit('flood');
      await closed;
      assert.equal((await api.send('GET', '/healthz')).status, 200);
    });

    it('outlives frames that are no protocol, too large, or for sessions that never were', async () => {
      const { socket } = await connected({ token: ADMIN_KEY });
      const closed = heard(socket, 'disconnect');
      socket.emit('subscribe', { after: 1, pad: 'x'.repeat(2_000_000) });
      await closed;
      for (const sid of ['__proto__', 'constructor', '../x', 'a'.repeat(500)]) {
        for (const transport of ['polling', 'websocket', 'webtransport', '__proto__']) {
          const path = `/socket.io/?EIO=4&transport=${transport}&sid=${encodeURIComponent(sid)}`;
          assert.equal((await api.send('GET', path)).status, 400, `${transport} ${sid}`);
        }
      }
      const raw = connectTcp(Number(new URL(api.url).port), '127.0.0.1');
      raw.on('error', () => undefined);
      raw.write(
        'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
      );
      await once(raw, 'data');
      for (const text of ['40/console,{', '42["x"', '451-["x",{"_placeholder":true,"num":9}]', '9', 'x'.repeat(100)]) {
        const mask = Buffer.alloc(4);
        raw.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length]), mask, Buffer.from(text)]));
      }
      await wait(A_MOMENT);
      raw.destroy();
      assert.equal((await api.send('GET', '/healthz')).status, 200);
      assert.ok((await connected({ token: ADMIN_KEY })).socket.connected);
    });
  });
});
