import assert from 'node:assert/strict';
import { io } from 'socket.io-client';
import type { Socket } from 'socket.io-client';
import type { Ticket } from '../src/core/ticket.ts';
import { asVisitor, CHATS, newVisitor, SHOP, type FakeVisitor } from './fakes/chat.ts';
import { postgresMissing, startPostgres, type Postgres } from './fakes/postgres.ts';
import { PATIENCE_MS, until } from './fakes/until.ts';
import { startWhole, type Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

describe('The socket of a web chat', () => {
  let whole: Whole;
  const clients: Socket[] = [];
  before(async () => {
    whole = await startWhole({ yaml: CHATS });
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.disconnect();
  });
  after(() => whole.close());

  function open(namespace: string, auth: object, origin?: string): Socket {
    const socket = io(`${whole.running.url}${namespace}`, {
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
      auth,
      ...(origin !== undefined && { extraHeaders: { origin } }),
    });
    clients.push(socket);
    return socket;
  }
  function heard(socket: Socket, event: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      socket.once(event, resolve);
      if (event === 'connect') socket.once('connect_error', reject);
      setTimeout(() => reject(new Error(`did not hear ${event}`)), PATIENCE_MS).unref();
    });
  }
  /** A page of a visitor, with how often it heard each signal. */
  async function pageOf({ token }: FakeVisitor) {
    const socket = open('/chat', { channel: 'site', token }, SHOP);
    const count = { changed: 0, typing: 0 };
    socket.on('changed', () => count.changed++);
    socket.on('typing', () => count.typing++);
    await heard(socket, 'connect');
    return { socket, count };
  }
  async function agent(token = whole.running.token): Promise<Socket> {
    const socket = open('/console', { token });
    await heard(socket, 'connect');
    return socket;
  }
  async function ticketOf(subject: string): Promise<Ticket> {
    const { data } = await whole.api<{ data: Ticket[] }>('/tickets?channel=site&limit=200');
    return data.find((ticket) => ticket.subject === subject)!;
  }
  const answer = ({ id }: Ticket, text: string) =>
    whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text } });

  it('tells every page of a visitor that there is something to read, and no page of another', async () => {
    const [visitor, stranger] = [await newVisitor(whole), await newVisitor(whole)];
    await stranger.write('key-other-001', 'something else');
    const [first, second, other] = [await pageOf(visitor), await pageOf(visitor), await pageOf(stranger)];
    await visitor.write('key-signal-01', 'who hears me?');
    await until(() => first.count.changed > 0 && second.count.changed > 0, 'both hear that he wrote');
    const before = [first.count.changed, second.count.changed];
    await answer(await ticketOf('who hears me?'), 'We do.');
    await until(() => first.count.changed > before[0]! && second.count.changed > before[1]!, 'both hear the answer');
    assert.equal(other.count.changed, 0);
  });

  it('goes on when another visitor has left, and tells nobody of notes', async () => {
    const visitor = await newVisitor(whole);
    await visitor.write('key-stays-001', 'who stays?');
    const [page, other] = [await pageOf(visitor), await pageOf(await newVisitor(whole))];
    other.socket.disconnect();
    const desk = await agent();
    const told: string[] = [];
    desk.on('change', ({ type }: { type: string }) => told.push(type));
    const ticket = await ticketOf('who stays?');
    let answers = 0;
    await until(async () => {
      await answer(ticket, `I do, ${++answers}.`);
      return page.count.changed > 0;
    }, 'it hears an answer');
    await until(() => told.filter((type) => type === 'message.sent').length === answers, 'all of them are out');
    const before = page.count.changed;
    await whole.api(`/tickets/${ticket.id}/notes`, { method: 'POST', body: { text: 'between us' } });
    await until(() => told.includes('note.created'), 'the note is told');
    desk.emit('typing', { ticketId: ticket.id });
    await until(() => page.count.typing > 0, 'what was sent before has come');
    assert.equal(page.count.changed, before, told.join());
  });

  it('tells a page that comes later too', async () => {
    const visitor = await newVisitor(whole);
    await visitor.write('key-later-001', 'asked before');
    const page = await pageOf(visitor);
    const ticket = await ticketOf('asked before');
    // Which ticket is his is looked up while the page is connected already.
    await until(async () => {
      await answer(ticket, 'again');
      return page.count.changed > 0;
    }, 'it hears an answer');
  });

  it('tells agents that he is typing, and him that an agent is, and stores neither', async () => {
    const visitor = await newVisitor(whole);
    const page = await pageOf(visitor);
    await visitor.write('key-typing-01', 'typing');
    await until(() => page.count.changed > 0, 'his ticket is known');
    const ticket = await ticketOf('typing');
    const desk = await agent();
    const last = await whole.running.gateway.store.read.lastChange();
    const typed = heard(desk, 'typing');
    page.socket.emit('typing');
    assert.deepEqual(await typed, { ticketId: ticket.id });
    desk.emit('typing', { ticketId: ticket.id });
    await until(() => page.count.typing > 0, 'he hears it');
    assert.equal(await whole.running.gateway.store.read.lastChange(), last);
    assert.equal((await visitor.said()).length, 1);
  });

  it('passes on a sign of typing once a second, however often it comes', async () => {
    const visitor = await newVisitor(whole);
    const page = await pageOf(visitor);
    await visitor.write('key-flood-001', 'flood');
    await until(() => page.count.changed > 0, 'his ticket is known');
    const desk = await agent();
    let signs = 0;
    desk.on('typing', () => signs++);
    const began = performance.now();
    for (let i = 0; i < 500; i++) page.socket.emit('typing');
    await until(() => signs > 0);
    // Everything he sent before has been looked at once this has come back.
    await visitor.write('key-flood-002', 'more');
    await until(() => page.count.changed > 1);
    assert.ok(signs <= 1 + (performance.now() - began) / 1000, `${signs} signs`);
  });

  it('takes no sign of typing from keys that may not answer', async () => {
    const { key } = await whole.api<{ key: string }>('/keys', {
      method: 'POST',
      body: { name: 'reads', scopes: ['changes:read'] },
    });
    const desk = await agent(key);
    const problem = heard(desk, 'problem');
    desk.emit('typing', { ticketId: 'tkt_1' });
    assert.deepEqual(await problem, { error: 'bad_event' });
  });

  it('is for visitors with a token, from pages that may', async () => {
    const visitor = await newVisitor(whole);
    const { token } = visitor;
    const wrong: [object, string?][] = [
      [{}],
      [{ channel: 'site' }],
      [{ channel: 'site', token: `${visitor.session}.${'x'.repeat(43)}` }],
      [{ channel: 'site', token: { a: 1 } }],
      [{ channel: 'other', token }],
      [{ channel: 'intake', token }],
      [{ channel: 'other', token: (await newVisitor(whole, { channel: 'other' })).token }, SHOP],
      [{ channel: 'site', token: whole.running.token }],
    ];
    for (const [auth, origin] of wrong) {
      const error = (await heard(open('/chat', auth, origin), 'connect_error')) as Error;
      assert.equal(error.message, 'unauthorized', JSON.stringify(auth).slice(0, 60));
    }
    // Not even a connection: whoever may show no chat is no visitor's page.
    const evil = (await heard(
      open('/chat', { channel: 'site', token }, 'https://evil.test'),
      'connect_error',
    )) as Error;
    assert.notEqual(evil.message, 'unauthorized');
  });

  it('opens no way into the console for sites that may show the chat', async () => {
    const error = (await heard(open('/console', { token: whole.running.token }, SHOP), 'connect_error')) as Error;
    assert.equal(error.message, 'unauthorized');
    const { token } = await newVisitor(whole);
    assert.equal(((await heard(open('/console', { token }), 'connect_error')) as Error).message, 'unauthorized');
  });

  it('is held open by a visitor twenty times at most', async () => {
    const visitor = await newVisitor(whole);
    for (let i = 0; i < 20; i++) await pageOf(visitor);
    const error = (await heard(open('/chat', { channel: 'site', token: visitor.token }), 'connect_error')) as Error;
    assert.equal(error.message, 'too_many');
    await pageOf(await newVisitor(whole));
  });

  it('is closed to who says anything else', async () => {
    for (const [name, ...said] of [['join'], ['typing', 'ticket tkt_1']] as [string, ...string[]][]) {
      const page = await pageOf(await newVisitor(whole));
      const closed = heard(page.socket, 'disconnect');
      for (let i = 0; i < 20; i++) page.socket.emit(name, ...said);
      await closed;
    }
  });
});

describe('A web chat of several processes on one database', function () {
  const wholes: Whole[] = [];
  let postgres: Postgres;
  before(async function () {
    const missing = postgresMissing();
    skipUnless(this, missing === undefined, missing ?? '');
    postgres = await startPostgres();
    const env = { DATABASE_URL: await postgres.createDatabase(), SECRET_KEY: 'one-key-of-both-processes-0123456789' };
    for (let i = 0; i < 2; i++) wholes.push(await startWhole({ yaml: CHATS, env }));
  });
  after(async () => {
    for (const whole of wholes) await whole.close();
    await postgres?.stop();
  });

  it('brings an answer that is given in one to a page that is connected to another', async () => {
    const [one, other] = wholes as [Whole, Whole];
    const visitor = await newVisitor(one);
    await visitor.write('key-first-001', 'written to one');
    const there = asVisitor(other, visitor);
    await there.write('key-first-001', 'written to one');
    const socket = io(`${other.running.url}/chat`, {
      transports: ['websocket'],
      auth: { channel: 'site', token: visitor.token },
    });
    try {
      let changed = 0;
      socket.on('changed', () => changed++);
      await new Promise((resolve) => socket.once('connect', () => resolve(undefined)));
      const { data } = await one.api<{ data: Ticket[] }>('/tickets?channel=site');
      assert.equal(data.length, 1);
      await visitor.write('key-second-01', 'more to one');
      await until(() => changed > 0, 'it hears of what was written');
      const before = changed;
      await one.api(`/tickets/${data[0]!.id}/replies`, { method: 'POST', body: { text: 'answered in one' } });
      await until(() => changed > before, 'it hears of the answer');
      const said = await until(async () => {
        const all = await there.said();
        return all.length > 2 && all.map(({ text }) => text);
      });
      assert.deepEqual(said, ['written to one', 'more to one', 'answered in one']);
    } finally {
      socket.disconnect();
    }
  });
});
