import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import type { Socket } from '../src/core/connector.ts';
import { AuthExpiredError, PermanentError, RateLimitedError, RetryableError } from '../src/core/errors.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { startReceiver } from './fakes/receiver.ts';
import { until } from './fakes/until.ts';

const LONG_MS = 60_000;

describe('a WebSocket to somebody', () => {
  let server: Server;
  let sockets: WebSocketServer;
  let egress: Egress;
  let url: string;
  let host: string;
  /** The far ends, in order, and what they were asked with. */
  let ends: { readonly socket: WebSocket; readonly request: IncomingMessage }[];
  let greeting: readonly (string | Buffer)[];

  beforeEach(async () => {
    ends = [];
    greeting = [];
    server = createServer();
    sockets = new WebSocketServer({ server, perMessageDeflate: true });
    sockets.on('connection', (socket, request) => {
      for (const message of greeting) socket.send(message);
      ends.push({ socket, request });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    url = `ws://${host}/link?ticket=t0ps3cret`;
    egress = createHttp({ allow: [], limits: { firstByteMs: 2000 } });
  });
  afterEach(async () => {
    egress.close();
    for (const { socket } of ends) socket.terminate();
    sockets.close();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  interface Given {
    readonly url?: string;
    readonly hosts?: readonly string[];
    readonly maxBytes?: number;
    readonly idleMs?: number;
    readonly signal?: AbortSignal;
  }
  const open = ({ hosts = [host], ...given }: Given = {}): Promise<Socket> => {
    const request = { url, maxBytes: 1000, idleMs: LONG_MS, signal: new AbortController().signal, ...given };
    return egress.for({ hosts }).socket({ ...request, headers: { 'X-Sample': 'a' } });
  };
  async function take(socket: Socket, most: number): Promise<string[]> {
    const found: string[] = [];
    for await (const message of socket.messages) if (found.push(message.toString()) === most) break;
    return found;
  }

  it('carries what both sides say, also what comes at once', async () => {
    greeting = ['hello', Buffer.from([0xd0, 0xbf]), ''];
    const socket = await open();
    assert.deepEqual(await take(socket, 2), ['hello', 'п']);
    const other = await open();
    other.send('good evening');
    const { socket: far, request } = ends[1]!;
    assert.equal(String((await once(far, 'message'))[0]), 'good evening');
    assert.equal(request.headers['x-sample'], 'a');
    assert.equal(request.headers['sec-websocket-extensions'], undefined, 'compression can be a bomb');
    const closed = once(far, 'close');
    other.close();
    assert.equal((await closed)[0], 1005);
  });

  it('hangs up when nobody listens any more, and ends when the far end hangs up', async () => {
    greeting = ['one', 'two'];
    const first = await open();
    const gone = until(() => ends[0]?.socket.readyState === 3, 'the connection is closed');
    await take(first, 1);
    await gone;
    const second = await open();
    setImmediate(() => ends[1]!.socket.close());
    assert.deepEqual(await take(second, 99), ['one', 'two']);
  });

  it('tells the code that the far end closed with, if it gave one', async () => {
    for (const [index, [hangUp, code]] of (
      [
        [(far: WebSocket) => far.close(4014, 'not allowed'), 4014],
        [(far: WebSocket) => far.close(1000), 1000],
        [(far: WebSocket) => far.close(), undefined],
        [(far: WebSocket) => far.terminate(), undefined],
      ] as const
    ).entries()) {
      const socket = await open();
      assert.equal(socket.closeCode(), undefined);
      hangUp(ends[index]!.socket);
      await take(socket, 1).catch(() => undefined);
      assert.equal(socket.closeCode(), code);
    }
  });

  it('is refused where a call would be', async () => {
    const refused = (error: unknown) => error instanceof PermanentError && /may not be called/.test(error.message);
    await assert.rejects(open({ hosts: [] }), refused);
    await assert.rejects(open({ hosts: ['127.0.0.1:1'] }), refused, 'another port');
    await assert.rejects(open({ url: 'ws://169.254.169.254/', hosts: ['169.254.169.254:80'] }), refused);
    await assert.rejects(open({ url: `ws://user:pass@${host}/` }), refused);
    await assert.rejects(open({ url: `ftp://${host}/` }), PermanentError);
    assert.deepEqual(ends, []);
  });

  it('takes no message that is too long', async () => {
    greeting = ['a'.repeat(1000)];
    assert.deepEqual(await take(await open(), 1), greeting);
    greeting = ['a'.repeat(1001)];
    await assert.rejects(take(await open(), 1), RetryableError);
  });

  it('breaks when nothing comes any more, and lives on pings', async () => {
    const socket = await open({ idleMs: 2000 });
    const pings = setInterval(() => ends[0]!.socket.ping(), 100);
    let isOver = false;
    const over = take(socket, 1).finally(() => (isOver = true));
    const failed = assert.rejects(
      over,
      (error) => error instanceof RetryableError && /nothing came/.test(error.message),
    );
    for (let count = 0; count < 30; count++) await once(ends[0]!.socket, 'pong');
    assert.equal(isOver, false);
    clearInterval(pings);
    await failed;
  });

  it('waits for whoever is busy with what has come', async () => {
    greeting = Array.from({ length: 40 }, (_, index) => String(index));
    const found: string[] = [];
    for await (const message of (await open({ idleMs: 500 })).messages) {
      if (found.push(message.toString()) === 1) await wait(1500);
      if (found.length === greeting.length) break;
    }
    assert.deepEqual(found, greeting);
  });

  it('is not opened, and ends, when it is called off', async () => {
    await assert.rejects(open({ signal: AbortSignal.abort() }), RetryableError);
    const ending = new AbortController();
    const socket = await open({ signal: ending.signal });
    setImmediate(() => ending.abort());
    await assert.rejects(take(socket, 1), /called off/);
    await until(() => ends[0]?.socket.readyState === 3, 'the connection is closed');
  });

  it('fails as a call does where there is none, and tells nobody its secret', async () => {
    const far = await startReceiver();
    const at = { url: url.replace(host, far.host), hosts: [far.host] };
    for (const [answer, kind] of [
      [{ status: 401 }, AuthExpiredError],
      [{ status: 404, body: 'no ticket t0ps3cret' }, PermanentError],
      [{ status: 429, headers: { 'retry-after': '7' } }, RateLimitedError],
      [{ status: 302, headers: { location: `http://${host}/` } }, RetryableError],
      [{ status: 500 }, RetryableError],
      ['hang', RetryableError],
      ['drop', RetryableError],
    ] as const) {
      far.behave(answer);
      const error: unknown = await open(at).catch((thrown: unknown) => thrown);
      assert.ok(error instanceof kind, `${JSON.stringify(answer)}: ${String(error)}`);
      if (error instanceof RateLimitedError) assert.equal(error.retryAfterMs, 7000);
      assert.ok(!JSON.stringify([error, String(error), error.response]).includes('t0ps3cret'));
    }
    await far.close();
    await assert.rejects(open(at), (error) => error instanceof RetryableError && /ECONNREFUSED/.test(error.message));
    assert.deepEqual(ends, [], 'a redirect was followed');
  });
});
