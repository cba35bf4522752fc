import assert from 'node:assert/strict';
import { webChat } from '../src/connectors/web-chat/web-chat.ts';
import type { Reply } from '../src/core/connector.ts';
import { PermanentError } from '../src/core/errors.ts';
import type { WebhookRequest } from '../src/core/payload.ts';
import type { Customer, LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { startApi } from './fakes/api.ts';
import { askSession, asVisitor, CHATS, identityOf, newVisitor, SHOP } from './fakes/chat.ts';
import { fakeContext } from './fakes/context.ts';
import { until } from './fakes/until.ts';
import { startWhole, type Whole } from './fakes/whole.ts';

describe('A web chat', () => {
  let whole: Whole;
  before(async () => {
    whole = await startWhole({ yaml: CHATS });
  });
  after(() => whole.close());

  const ticketsOf = async (filter = 'channel=site') =>
    (await whole.api<{ data: Ticket[] }>(`/tickets?limit=200&${filter}`)).data;
  /** The ticket whose subject begins so. */
  const ticketOf = async (subject: string) => {
    const found = (await ticketsOf()).find((ticket) => ticket.subject.startsWith(subject));
    assert.ok(found, `no ticket ${subject}`);
    return found;
  };
  const messagesOf = async ({ id }: Ticket) =>
    (await whole.api<{ data: Message[] }>(`/tickets/${id}/messages?limit=200`)).data;
  const customerOf = ({ customer }: Ticket) => whole.api<Customer>(`/customers/${customer.id}`);
  const answer = (ticket: Ticket, body: object) =>
    whole.api(`/tickets/${ticket.id}/replies`, { method: 'POST', body: { channel: 'site', ...body } });
  const exp = () => Math.floor(Date.now() / 1000) + 600;

  describe('takes what a visitor writes', () => {
    it('as a message of a ticket of his, stored when it says so', async () => {
      const visitor = await newVisitor(whole);
      assert.equal(await visitor.write('key-00000001', 'Is the red one in stock?', { page: `${SHOP}/red?sid=1` }), 200);
      const ticket = await ticketOf('Is the red one');
      const [message] = await messagesOf(ticket);
      assert.equal(message!.externalId, `${visitor.thread}/key-00000001`);
      assert.equal(message!.fields['page'], `${SHOP}/red`);
      assert.deepEqual(message!.author.identifiers, [
        { kind: 'web_chat:site', value: visitor.thread, trust: 'verified' },
      ]);
      assert.equal(await visitor.write('key-00000002', 'And the blue one?'), 200);
      assert.equal((await messagesOf(ticket)).length, 2, 'the conversation goes on in one ticket');
    });

    it('once, however often and wherever from it is sent', async () => {
      const visitor = await newVisitor(whole);
      const statuses = await Promise.all([1, 2, 3].map(() => visitor.write('key-same-0001', 'sent three times')));
      assert.deepEqual([...statuses, await visitor.write('key-same-0001', 'sent three times')], [200, 200, 200, 200]);
      assert.equal((await messagesOf(await ticketOf('sent three times'))).length, 1);
      const other = await newVisitor(whole);
      assert.equal(await other.write('key-same-0001', 'another with the same key'), 200);
      assert.equal((await messagesOf(await ticketOf('another with the same'))).length, 1);
    });

    it('and believes nothing that he types about himself', async () => {
      const visitor = await newVisitor(whole);
      const typed = { name: 'Olena', email: 'victim@example.com', phone: '+380671234567', language: 'uk' };
      await visitor.write('key-claims-01', 'claims to be somebody', typed);
      const customer = await customerOf(await ticketOf('claims to be'));
      const trusts = customer.identifiers.map(({ kind, trust }) => `${kind} ${trust}`).toSorted();
      assert.deepEqual(trusts, ['email claimed', 'phone claimed', 'web_chat:site verified']);
      assert.deepEqual([customer.name, customer.locale], ['Olena', 'uk']);
    });

    it('with files, whose type is told by their bytes', async () => {
      const visitor = await newVisitor(whole);
      const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
      const files = [
        { name: '../../photo.exe', content: png.toString('base64') },
        { name: 'photo.png', content: Buffer.from('<svg onload=alert(1)>').toString('base64') },
        { name: 'list.xlsx', content: Buffer.from('PK\x03\x04rest').toString('base64') },
      ];
      assert.equal(await visitor.write('key-files-001', 'three files', { files }), 200);
      const ticket = await ticketOf('three files');
      const stored = await until(async () => {
        const [message] = await messagesOf(ticket);
        return message!.attachments.every(({ state }) => state === 'stored') && message!.attachments;
      });
      assert.deepEqual(
        stored.map(({ name, mediaType }) => [name, mediaType]),
        [
          ['photo.exe', 'image/png'],
          ['photo.png', 'text/plain'],
          ['list.xlsx', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
        ],
      );
      const [said] = await visitor.said();
      const file = await visitor.get(`/files/${said!.files[0]!.id}`);
      assert.deepEqual(Buffer.from(await file.arrayBuffer()), png);
      assert.match(file.headers.get('content-disposition') ?? '', /^attachment/);
      const stranger = await newVisitor(whole);
      assert.equal((await stranger.get(`/files/${said!.files[0]!.id}`)).status, 404, 'not for other visitors');
    });

    it('only while it is small and well made', async () => {
      const visitor = await newVisitor(whole);
      const content = Buffer.alloc(4097).toString('base64');
      const fits = Buffer.alloc(4096).toString('base64');
      const small = { name: 'a', content: 'YQ==' };
      const refused: [object, number][] = [
        [{ files: [{ name: 'a', content }] }, 413],
        [{ files: [small, small, small, small] }, 413],
        [{ files: [{ name: 'a', content: 'not base64!' }] }, 400],
        [{ text: 'x'.repeat(20_001) }, 400],
        [{ text: ' \n' }, 422],
        [{ id: 'short' }, 400],
        [{ id: 'with/slash/in/it' }, 400],
        [{ type: 'typing' }, 400],
        [{ type: 'receipt', state: 'sent', ids: ['key-wrong-001'] }, 400],
        [{ type: 'receipt', state: 'read', ids: Array<string>(51).fill('key-wrong-001') }, 400],
      ];
      for (const [wrong, status] of refused) {
        assert.equal(await visitor.write('key-wrong-001', 'wrong', wrong), status, JSON.stringify(wrong).slice(0, 80));
      }
      const big = 'x'.repeat(200_000);
      assert.equal(await visitor.write('key-wrong-001', 'wrong', { pad: big }), 413);
      assert.equal(await visitor.write('key-right-001', '', { files: [{ name: 'a', content: fits }] }), 200);
      assert.deepEqual(
        (await visitor.said()).map(({ id }) => id),
        ['key-right-001'],
      );
    });

    it('only with a token of its own making', async () => {
      const [one, two] = [await newVisitor(whole), await newVisitor(whole)];
      const forged = Buffer.from(JSON.stringify({ thread: one.thread, until: 9e15 })).toString('base64url');
      const elsewhere = await newVisitor(whole, { channel: 'other' });
      const wrong: [string, object, Record<string, string>][] = [
        ['no token', {}, { authorization: '' }],
        ['a proof of another session', {}, { authorization: `Bearer ${one.session}.${two.token.split('.')[1]}` }],
        ['a session of his own', { session: forged }, { authorization: `Bearer ${forged}.${one.token.split('.')[1]}` }],
        ['a token of another channel', { session: elsewhere.session }, { authorization: `Bearer ${elsewhere.token}` }],
        ['the session of another visitor', { session: two.session }, {}],
      ];
      for (const [name, body, headers] of wrong) {
        const status = await one.post({ type: 'message', id: 'key-forged-01', text: 'forged', ...body }, headers);
        assert.equal(status, 401, name);
      }
      assert.equal((await ticketsOf()).filter(({ subject }) => subject === 'forged').length, 0);
      const { data } = await whole.api<{ data: { status: number }[] }>('/channels/site/refused');
      assert.ok(data.length >= wrong.length, 'an operator sees them');
    });

    it('only so many times a minute', async () => {
      const visitor = await newVisitor(whole);
      const statuses: number[] = [];
      for (let i = 0; i < 31; i++) statuses.push(await visitor.write('key-many-0001', 'many'));
      assert.deepEqual([statuses[29], statuses[30]], [200, 429]);
      assert.equal(await (await newVisitor(whole)).write('key-many-0001', 'not his fault'), 200);
    });

    it('and keeps no token: neither in the ledger nor in the refusals', async () => {
      const visitor = await newVisitor(whole);
      await visitor.write('key-canary-01', 'where is my token kept?');
      await visitor.write('short', 'refused');
      const proof = visitor.token.split('.')[1]!;
      const { data } = await whole.api<{ data: LedgerEvent[] }>('/events?endpoint=site&limit=200');
      const event = data.find(({ externalId }) => externalId === `${visitor.thread}/key-canary-01`)!;
      const shown = JSON.stringify([
        await whole.api(`/events/${event.id}`),
        await whole.api('/channels/site/refused'),
        await messagesOf(await ticketOf('where is my token')),
      ]);
      assert.ok(!shown.includes(proof));
    });
  });

  describe('answers', () => {
    it('when the visitor comes to fetch it, and knows what he has seen', async () => {
      const visitor = await newVisitor(whole);
      await visitor.write('key-answer-01', 'who answers me?');
      const ticket = await ticketOf('who answers me');
      const content = Buffer.from('an answer in a file').toString('base64');
      await answer(ticket, { text: 'We do.', attachments: [{ name: 'a.txt', mediaType: 'text/plain', content }] });
      const said = await until(async () => {
        const all = await visitor.said();
        return all.length === 2 && all[1]!.state === 'sent' && all;
      });
      assert.deepEqual(
        said.map(({ from, text }) => [from, text]),
        [
          ['visitor', 'who answers me?'],
          ['team', 'We do.'],
        ],
      );
      const file = await visitor.get(`/files/${said[1]!.files[0]!.id}`);
      assert.equal(await file.text(), 'an answer in a file');
      const states = [];
      for (const state of ['delivered', 'read', 'delivered'] as const) {
        assert.equal(await visitor.acknowledge(state, [said[1]!.id]), 200);
        states.push((await messagesOf(ticket))[1]!.delivery?.state);
      }
      assert.deepEqual(states, ['delivered', 'read', 'read'], 'and never less again');
      const shown = JSON.stringify(await (await visitor.get('/messages')).json());
      assert.ok(!/admin|key:|ticketId|author/.test(shown), shown);
    });

    it('nobody else, and lets nobody else say that it has come', async () => {
      const [visitor, stranger] = [await newVisitor(whole), await newVisitor(whole)];
      await visitor.write('key-secret-01', 'my secret question');
      const ticket = await ticketOf('my secret question');
      await answer(ticket, { text: 'The secret answer.' });
      const said = await until(async () => (await visitor.said()).length === 2 && visitor.said());
      await stranger.write('key-secret-02', 'what do others ask?');
      assert.deepEqual(
        (await stranger.said()).map(({ text }) => text),
        ['what do others ask?'],
      );
      assert.equal(await stranger.acknowledge('read', [said[1]!.id]), 200);
      assert.equal((await messagesOf(ticket))[1]!.delivery?.state, 'sent');
      for (const headers of [
        { authorization: '' },
        { authorization: 'Bearer x.y' },
        { authorization: `Bearer ${visitor.session}.` },
      ]) {
        assert.equal((await visitor.get('/messages', headers)).status, 401);
      }
    });

    it('page by page, without notes and without what has not gone out', async () => {
      const visitor = await newVisitor(whole);
      for (const i of [1, 2, 3, 4, 5]) await visitor.write(`key-page-000${i}`, `page ${i}`);
      const ticket = await ticketOf('page 1');
      await whole.api(`/tickets/${ticket.id}/notes`, { method: 'POST', body: { text: 'an angry one' } });
      const read = async (query: string) => {
        const page = (await (await visitor.get(`/messages${query}`)).json()) as {
          data: { text: string }[];
          nextCursor: string | null;
        };
        return { texts: page.data.map(({ text }) => text), next: page.nextCursor };
      };
      const first = await read('?limit=2');
      assert.deepEqual(first.texts, ['page 5', 'page 4']);
      const second = await read(`?limit=2&cursor=${first.next}`);
      const third = await read(`?limit=2&cursor=${second.next}`);
      assert.deepEqual([second.texts, third.texts, third.next], [['page 3', 'page 2'], ['page 1'], null]);
      assert.equal((await visitor.get('/messages?limit=1000')).status, 400);
      assert.equal((await visitor.get('/messages?cursor=x')).status, 400);
    });

    it('all the same after a restart', async () => {
      const visitor = await newVisitor(whole);
      await visitor.write('key-restart-1', 'before the restart');
      await answer(await ticketOf('before the restart'), { text: 'Answered while it stops.' });
      await whole.restart();
      const said = await until(async () => (await visitor.said()).length === 2 && visitor.said());
      assert.equal(said[1]!.text, 'Answered while it stops.');
      assert.equal(await visitor.write('key-restart-1', 'before the restart'), 200);
      assert.equal((await visitor.said()).length, 2);
    });
  });

  describe('knows a visitor', () => {
    it('by what the shop’s own server signs', async () => {
      const identity = identityOf({
        sub: 'u-7',
        name: 'Іван',
        email: 'ivan@example.com',
        phone_number: '+380501112233',
        exp: exp(),
      });
      const visitor = await newVisitor(whole, { identity });
      await visitor.write('key-known-001', 'signed in here', { name: 'Mallory', email: 'other@example.com' });
      const ticket = await ticketOf('signed in here');
      const customer = await customerOf(ticket);
      assert.equal(customer.name, 'Іван');
      const sure = customer.identifiers
        .filter(({ trust }) => trust === 'verified')
        .map(({ kind, value }) => `${kind} ${value}`);
      assert.deepEqual(sure.toSorted(), [
        'email ivan@example.com',
        'phone +380501112233',
        `web_chat:site ${visitor.thread}`,
        'web_chat_user:site u-7',
      ]);
      const onHisPhone = await newVisitor(whole, { identity });
      await onHisPhone.write('key-known-002', 'and from my phone');
      assert.equal((await messagesOf(ticket)).length, 2, 'one person, one ticket');
      assert.deepEqual(
        (await onHisPhone.said()).map(({ text }) => text),
        ['and from my phone'],
      );
    });

    it('only by what is signed as it should be', async () => {
      const claims = { sub: 'u-8', email: 'eve@example.com', exp: exp() };
      const wrong: Record<string, string> = {
        'another secret': identityOf(claims, { secret: 'another' }),
        'no algorithm': identityOf(claims, { head: { alg: 'none' } }),
        'another algorithm': identityOf(claims, { head: { alg: 'HS512' } }),
        'without an end': identityOf({ sub: 'u-8' }),
        'without a name for him': identityOf({ exp: exp() }),
        'long ended': identityOf({ ...claims, exp: exp() - 6000 }),
        unsigned: identityOf(claims).replace(/\.[^.]*$/, '.'),
        altered: identityOf(claims).replace(/\.(.)/, (_, c: string) => `.${c === 'e' ? 'f' : 'e'}`),
        'no token at all': 'x',
      };
      for (const [name, identity] of Object.entries(wrong)) {
        assert.equal((await askSession(whole, { 'tributary-identity': identity })).status, 401, name);
      }
      for (const secret of [undefined, '', 'undefined']) {
        const identity = identityOf(claims, { secret });
        assert.equal((await askSession(whole, { 'tributary-identity': identity }, 'other')).status, 401, secret);
      }
      const unsure = identityOf({ ...claims, email_verified: false });
      const visitor = await newVisitor(whole, { identity: unsure });
      await visitor.write('key-unsure-01', 'not verified there either');
      const { identifiers } = await customerOf(await ticketOf('not verified there'));
      assert.deepEqual(
        identifiers.filter(({ kind }) => kind === 'email'),
        [],
      );
    });

    it('again when he comes back, and after he has signed in, but not as somebody else', async () => {
      const stranger = await newVisitor(whole);
      const back = await newVisitor(whole, { before: stranger });
      const ada = identityOf({ sub: 'ada', exp: exp() });
      const signedIn = await newVisitor(whole, { before: back, identity: ada });
      assert.deepEqual([back.thread, signedIn.thread], [stranger.thread, stranger.thread]);
      assert.equal((await newVisitor(whole, { before: signedIn, identity: ada })).thread, stranger.thread);
      const signedOut = await newVisitor(whole, { before: signedIn });
      const another = await newVisitor(whole, { before: signedIn, identity: identityOf({ sub: 'bob', exp: exp() }) });
      const forged = await newVisitor(whole, {
        before: asVisitor(whole, { ...stranger, token: `${stranger.session}.x` }),
      });
      const threads = [stranger, signedOut, another, forged].map(({ thread }) => thread);
      assert.equal(new Set(threads).size, 4);
    });
  });

  describe('is there for pages', () => {
    it('of the sites that are named, and of its own, and no others', async () => {
      const visitor = await newVisitor(whole);
      const own = whole.running.url;
      for (const [origin, allowed] of [
        [SHOP, true],
        [own, true],
        ['https://evil.test', false],
        [`${SHOP}.evil.test`, false],
        ['null', false],
      ] as const) {
        const statuses = [
          await visitor.post({ type: 'message', id: 'key-origin-01', text: 'from a page' }, { origin }),
          (await visitor.get('/messages', { origin })).status,
          (await askSession(whole, { origin })).status,
        ];
        assert.deepEqual(statuses, allowed ? [200, 200, 200] : [403, 403, 403], origin);
        for (const path of ['/session', '/messages']) {
          const { headers } = await visitor.get(path, { origin });
          assert.equal(headers.get('access-control-allow-origin'), allowed ? origin : null, `${path} ${origin}`);
          assert.equal(headers.get('vary')?.toLowerCase(), 'origin');
        }
      }
    });

    it('that ask first, as browsers do', async () => {
      for (const [path, method] of [
        ['', 'POST'],
        ['/session', 'GET'],
        ['/messages', 'GET'],
      ] as const) {
        const preflight = await fetch(`${whole.running.url}/chat/site${path}`, {
          method: 'OPTIONS',
          headers: {
            origin: SHOP,
            'access-control-request-method': method,
            'access-control-request-headers': 'authorization',
          },
        });
        assert.equal(preflight.status, 204, path);
        assert.equal(preflight.headers.get('access-control-allow-origin'), SHOP);
        assert.match(preflight.headers.get('access-control-allow-methods') ?? '', new RegExp(method));
        assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /authorization/);
      }
    });

    it('with a script of at most 20 KB, that any site may load', async () => {
      const script = await fetch(`${whole.running.url}/chat/site/widget.js`);
      assert.equal(script.headers.get('cross-origin-resource-policy'), 'cross-origin');
      assert.match(script.headers.get('content-type') ?? '', /^text\/javascript/);
      const text = await script.text();
      assert.ok(text.length > 1000 && Buffer.byteLength(text) <= 20 * 1024, `${Buffer.byteLength(text)} bytes`);
      assert.doesNotMatch(text, /innerHTML|eval\(|document\.write/);
    });

    it('and nowhere else', async () => {
      const statusOf = async (path: string, init?: RequestInit) =>
        (await fetch(`${whole.running.url}${path}`, init)).status;
      assert.equal(await statusOf('/chat/contact/widget.js'), 404, 'a form is no chat');
      assert.equal(await statusOf('/forms/site'), 404, 'a chat is no form');
      assert.equal(await statusOf('/chat/nobody/messages'), 404);
      assert.equal(await statusOf('/chat/intake/messages'), 404);
      assert.equal(await statusOf('/chat/site/elsewhere'), 404);
      assert.equal(await statusOf('/chat/site'), 405);
      assert.equal(await statusOf('/chat/site/session', { method: 'POST', body: '{}' }), 405);
    });
  });

  describe('by itself', () => {
    const open = async (settings: object) => {
      const context = fakeContext({ id: 'site' });
      const { webhook, visits } = await webChat.open(webChat.config.parse(settings), context);
      const request = (rest: Partial<WebhookRequest>): WebhookRequest => ({
        ...{ endpointId: 'site', method: 'GET', url: '/chat/site/session', headers: {}, body: Buffer.alloc(0) },
        receivedAt: context.clock.now(),
        ...rest,
      });
      const session = async () => {
        const answer = await webhook!.challenge!(request({}));
        return (JSON.parse(String(answer!.body)) as { token: string }).token;
      };
      const post = async (token: string, remoteAddress: string) => {
        const body = { type: 'message', id: 'key-alone-001', text: 'alone', session: token.split('.')[0] };
        const headers = { authorization: `Bearer ${token}` };
        await webhook!.verify(
          request({ method: 'POST', headers, remoteAddress, body: Buffer.from(JSON.stringify(body)) }),
        );
      };
      return { context, visits: visits!, session, post };
    };

    it('believes a token for 180 days', async () => {
      const { context, visits, session, post } = await open({});
      const token = await session();
      const days = 24 * 3_600_000;
      context.clock.jump(180 * days - 1);
      await post(token, '203.0.113.7');
      assert.ok(visits.threadOf(token));
      context.clock.jump(1);
      await assert.rejects(post(token, '203.0.113.7'), /no valid token/);
      assert.equal(visits.threadOf(token), undefined);
    });

    it('counts the posts of an address, however many visitors it claims to be', async () => {
      const { context, session, post } = await open({ perMinute: { address: 2 } });
      await post(await session(), '2001:db8:1:1::7');
      await post(await session(), '2001:db8:1:1::8');
      await assert.rejects(post(await session(), '2001:db8:1:1:ffff::9'), { status: 429 });
      await post(await session(), '2001:db8:1:2::7');
      await context.clock.advance(60_000);
      await post(await session(), '2001:db8:1:1::7');
    });

    it('has no answer for somebody who never wrote in it', async () => {
      const { reply } = await webChat.open(webChat.config.parse({}), fakeContext({ id: 'site' }));
      const answer = { id: 'tsk_1', sent: [], partSent: () => assert.fail('nothing went out') };
      await assert.rejects(reply!({ ...answer, thread: undefined } as unknown as Reply), PermanentError);
    });

    it('bounds how often an address reads', async () => {
      const api = await startApi({ perMinute: { known: 1e6, unknown: 1e6, setUp: 1e6, chat: 2 } });
      try {
        const statuses = [];
        for (let i = 0; i < 3; i++) statuses.push((await api.send('GET', '/chat/site/messages')).status);
        assert.deepEqual(statuses, [404, 404, 429]);
      } finally {
        await api.stop();
      }
    });
  });
});
