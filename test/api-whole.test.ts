import assert from 'node:assert/strict';
import { io } from 'socket.io-client';
import { createApi } from '../src/api/api.ts';
import type { Operation } from '../src/api/operation.ts';
import type { Change } from '../src/core/ticket.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { until } from './fakes/until.ts';

/** The API over the real gateway: that both mean the same by every row, cursor and error. */
describe('The API over the real gateway', () => {
  let whole: Whole;
  let operations: readonly Operation[];
  before(async () => {
    whole = await startWhole();
    const ready = async () => ({ ok: true, detail: {} });
    const options = { fullKeys: [], consoleDir: whole.folder, ready, examine: () => [] };
    const api = createApi(whole.running.gateway, options);
    api.close();
    operations = api.operations;
    const from = { id: 'u-7', name: 'Олена', email: 'o@example.com' };
    const file = { name: 'план.txt', mediaType: 'text/plain', content: Buffer.from('bytes').toString('base64') };
    for (const id of ['m-1', 'm-2', 'm-3']) {
      const message = { id, thread: 't-1', from, text: `about ${id}`, attachments: id === 'm-1' ? [file] : [] };
      assert.equal(await whole.send(message), 200);
    }
  });
  after(() => whole.close());

  async function call(
    method: string,
    path: string,
    options: { body?: unknown; headers?: Record<string, string> } = {},
  ) {
    const answer = await fetch(`${whole.running.url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${whole.running.token}`,
        ...(options.body !== undefined && { 'content-type': 'application/json' }),
        ...options.headers,
      },
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      json: text.startsWith('{') ? JSON.parse(text) : undefined,
    };
  }

  it('answers every question as it is described', async () => {
    const [ticket] = (await call('GET', '/tickets')).json.data;
    const [event] = (await call('GET', '/events')).json.data;
    const [message] = (await call('GET', `/tickets/${ticket.id}/messages`)).json.data;
    const ids: Record<string, string> = {
      '/tickets/{id}': ticket.id,
      '/tickets/{id}/messages': ticket.id,
      '/tickets/by-number/{number}': ticket.number,
      '/customers/{id}': ticket.customer.id,
      '/customers/{id}/timeline': ticket.customer.id,
      '/customers/{id}/merges': ticket.customer.id,
      '/customers/{id}/traces': ticket.customer.id,
      '/customers/{id}/suggestions': ticket.customer.id,
      '/customers/{id}/export': ticket.customer.id,
      '/events/{id}': event.id,
      '/events/{id}/items': event.id,
      '/messages/{id}': message.id,
      '/attachments/{id}': message.attachments[0].id,
      '/channels/{id}': 'intake',
      '/channels/{id}/health': 'intake',
      '/channels/{id}/refused': 'intake',
    };
    // The file is fetched after its message was answered.
    const file = `/attachments/${ids['/attachments/{id}']}`;
    await until(async () => (await call('GET', file)).status !== 409, 'the file is fetched');
    for (const { method, path, answer } of operations) {
      const id = ids[path];
      if (method !== 'GET' || path === '/users/me' || (path.includes('{') && id === undefined)) continue;
      const { status, json, text } = await call('GET', path.replace(/\{\w+\}/, String(id)));
      assert.equal(status, 200, `${path}: ${text}`);
      answer?.parse(json);
    }
    assert.equal((await call('GET', message.attachments[0].url.replace('/api/v1', ''))).text, 'bytes');
    assert.equal((await call('GET', '/customers?identifier=email:o@example.com')).json.data.length, 1);
    assert.equal((await call('GET', '/customers?identifier=webhook:intake:u-7')).json.data.length, 1);
  });

  it('answers 404 for ids of nothing, 400 for cursors of nobody', async () => {
    for (const { method, path, scope } of operations) {
      if (!path.includes('{id}') || scope === 'any') continue;
      const bodies: Record<string, unknown> = {
        '/tickets/{id}/replies': { text: 'x' },
        '/tickets/{id}/notes': { text: 'x' },
        '/tickets/{id}/merge': { into: 'tkt_9' },
        '/tickets/{id}/split': { messages: ['msg_9'] },
        '/customers/{id}/call': { channel: 'intake', agent: '101' },
        '/destinations/{id}/dry-run': { ticketId: 'tkt_9' },
        '/customers/{id}/merge': { from: 'cus_9' },
        '/customers/{id}/apart': { from: 'cus_9' },
        '/customers/{id}/merge/dry-run': { from: 'cus_9' },
        '/customers/{id}/split/dry-run': { identifiers: [{ kind: 'email', value: 'a@example.com' }] },
        '/customers/{id}/split': { identifiers: [{ kind: 'email', value: 'a@example.com' }] },
      };
      const body = method === 'GET' || method === 'DELETE' ? undefined : (bodies[path] ?? {});
      const { status, text } = await call(method, path.replace('{id}', 'none_9'), { body });
      assert.equal(status, 404, `${method} ${path}: ${text}`);
    }
    for (const path of ['/tickets', '/customers', '/events', '/deliveries', '/channels']) {
      assert.equal((await call('GET', `${path}?cursor=nonsense`)).status, 400, path);
    }
  });

  it('pages through a list without losing or repeating anything', async () => {
    const [ticket] = (await call('GET', '/tickets')).json.data;
    const texts: string[] = [];
    for (let cursor = ''; ;) {
      const { json } = await call('GET', `/tickets/${ticket.id}/messages?limit=2${cursor}`);
      texts.push(...json.data.map(({ text }: { text: string }) => text));
      if (json.nextCursor === null) break;
      cursor = `&cursor=${encodeURIComponent(json.nextCursor)}`;
    }
    assert.deepEqual(texts, ['about m-1', 'about m-2', 'about m-3']);
  });

  it('keeps two agents from undoing each other', async () => {
    const [{ id }] = (await call('GET', '/tickets')).json.data;
    const etag = (await call('GET', `/tickets/${id}`)).headers.get('etag')!;
    const headers = { 'if-match': etag };
    const both = await Promise.all(
      ['open', 'pending'].map((status) => call('PATCH', `/tickets/${id}`, { body: { status }, headers })),
    );
    assert.deepEqual(both.map(({ status }) => status).sort(), [200, 412]);
  });

  it('leaves a note once, however often it is sent, also after a restart', async () => {
    const [{ id }] = (await call('GET', '/tickets')).json.data;
    const note = () =>
      call('POST', `/tickets/${id}/notes`, { body: { text: 'paid' }, headers: { 'idempotency-key': 'n-1' } });
    const key = (await call('POST', '/keys', { body: { name: 'CRM', scopes: ['tickets:read'] } })).json;
    const withKey = () => call('GET', '/tickets', { headers: { authorization: `Bearer ${key.key}` } });
    assert.equal((await withKey()).status, 200);
    await call('DELETE', `/keys/${key.id}`);
    assert.equal((await withKey()).status, 401);
    const first = await note();
    assert.equal(first.status, 201);
    assert.equal((await note()).headers.get('idempotent-replayed'), 'true');
    const messages = (await call('GET', `/tickets/${id}/messages`)).json.data;
    assert.equal(messages.filter(({ kind }: { kind: string }) => kind === 'note').length, 1);
    await whole.restart();
    assert.equal((await withKey()).status, 401);
    assert.equal((await call('GET', `/tickets/${id}/messages`)).json.data.length, messages.length);
  });

  it('lets the first admin in, and tells his socket what happens', async () => {
    const { url } = whole.running;
    const link = new URL((await whole.running.setupLink())!);
    const entered = await fetch(`${url}/setup`, {
      method: 'POST',
      redirect: 'manual',
      body: new URLSearchParams({ t: link.searchParams.get('t')!, name: 'Ada' }),
    });
    assert.equal(entered.status, 303);
    const cookie = entered.headers.getSetCookie()[0]!.split(';')[0]!;
    assert.equal(await whole.running.setupLink(), undefined);
    const socket = io(`${url}/console`, {
      transports: ['websocket'],
      reconnection: false,
      extraHeaders: { cookie, origin: url },
    });
    try {
      const seen: Change[] = [];
      const news = new Promise<void>((resolve, reject) => {
        socket.on('connect_error', reject);
        socket.on('change', (change: Change) => {
          seen.push(change);
          if (change.data.message?.text === 'about m-9') resolve();
        });
      });
      socket.emit('subscribe', { after: 0 });
      await whole.send({ id: 'm-9', thread: 't-9', from: { id: 'u-9', name: 'Ivan' }, text: 'about m-9' });
      await news;
      assert.deepEqual(
        seen.map(({ seq }) => seq),
        [...new Set(seen.map(({ seq }) => seq))].sort((a, b) => a - b),
      );
      assert.ok(seen.some(({ data }) => data.message?.text === 'about m-1'));
    } finally {
      socket.disconnect();
    }
  });
});
