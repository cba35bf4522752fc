import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import type { ActionInput } from '../src/core/action.ts';
import { AuthExpiredError, BadPayloadError, RateLimitedError } from '../src/core/errors.ts';
import type { Payload, WebhookRequest } from '../src/core/payload.ts';
import { hmac } from '../src/core/signature.ts';
import { zendesk } from '../src/dispatch/zendesk/zendesk.ts';
import { message } from './fakes/filing.ts';
import type { Description } from './fakes/openapi.ts';
import { openDestinationDesk, type DestinationDesk } from './fakes/destination-desk.ts';
import type { Outgoing } from './fakes/outgoing.ts';
import { EMAIL, GATEWAY, readZendesk, startZendesk, TOKEN, WEBHOOK_SECRET } from './fakes/zendesk.ts';
import type { FakeZendesk } from './fakes/zendesk.ts';
import { skipUnless } from './skip.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const VECTORS = join(import.meta.dirname, '../../shared/specs/webhook-vectors/vectors.json');
const NEVER = new AbortController().signal;

describe('Zendesk as a destination', () => {
  let description: Description | undefined;
  let far: FakeZendesk;
  let desk: DestinationDesk;
  let out: Outgoing;
  before(() => {
    description = readZendesk();
  });
  beforeEach(async () => {
    far = await startZendesk(description);
    desk = await openDestinationDesk(zendesk, 'zendesk', {
      ...settings,
      apiRoot: far.root,
      webhookSecret: WEBHOOK_SECRET,
    });
    ({ out } = desk);
    far.now = () => out.clock.now();
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const fields = { '360001234567': '/ticket/number', type: { value: 'question' } };
  const settings = { subdomain: 'acme', auth: { type: 'token', email: EMAIL, token: TOKEN }, fields };
  const comments = () => far.tickets.map(({ id }) => far.comments(id).length);
  const created = () => far.calls.filter(({ method, path }) => method === 'POST' && path === '/api/v2/tickets').length;

  describe('whose answer was lost', () => {
    it('is asked for the ticket, which is not created again', async () => {
      far.end('POST /tickets', 'lost');
      await desk.write('one');
      await desk.write('two');
      await out.until(() => far.tickets.length > 0);
      await out.pass(6 * SECOND);
      await desk.settled(2);
      assert.deepEqual([comments(), created()], [[2], 1]);
    });

    it('makes no second ticket while it does not show the first one yet', async () => {
      far.end('POST /tickets', 'lost');
      far.hidden = true;
      await desk.write('one');
      await out.until(() => far.tickets.length > 0);
      await out.pass(6 * SECOND);
      await desk.settled(1);
      assert.deepEqual([far.tickets.length, created()], [1, 2]);
    });

    it('makes none either where the second try says something else', async () => {
      far.end('POST /tickets', 'lost');
      far.hidden = true;
      const id = await desk.write('one');
      await out.until(() => far.tickets.length > 0);
      await out.desk.updateTicket(id, { priority: 'urgent' }, 'user:usr_1');
      await out.pass(6 * SECOND);
      await out.until(() => created() === 2);
      assert.equal(far.tickets.length, 1);
      far.hidden = false;
      far.forgetKeys();
      await out.pass(60 * SECOND);
      await out.until(() => comments()[0] === 1);
      assert.deepEqual([far.tickets.length, (await out.store.read.ticket(id))!.links[0]!.externalId], [1, '1001']);
    });

    it('creates it when nothing had arrived', async () => {
      far.end('POST /tickets', 'cut', 'cut');
      await desk.write('one');
      await out.pass(60 * SECOND);
      await desk.settled(1);
      assert.deepEqual(comments(), [1]);
    });

    it('is asked for a message too', async () => {
      await desk.write('one');
      await desk.settled(1);
      far.end('PUT /tickets/{id}', 'lost');
      await desk.write('two');
      await out.pass(10 * SECOND);
      await desk.settled(2);
      assert.deepEqual(comments(), [2]);
    });

    it('gives up what it refuses, and goes on with the next', async () => {
      await desk.write('one');
      await desk.settled(1);
      far.end('PUT /tickets/{id}', { http: 422, body: { error: 'RecordInvalid', description: 'too many comments' } });
      await desk.write('two');
      await desk.write('three');
      await desk.settled(2);
      assert.match((await out.error('zendesk'))!, /422/);
      assert.deepEqual(comments(), [2]);
    });

    it('is spared as long as it says, for all tickets', async () => {
      far.end('POST /tickets', { http: 429, headers: { 'retry-after': '120' } });
      await desk.write('one');
      await out.until(() => created() === 1);
      await out.pass(100 * SECOND, 10 * SECOND);
      assert.equal(created(), 1);
      await out.pass(40 * SECOND, 10 * SECOND);
      await desk.settled(1);
    });

    it('is asked again where two wrote at once', async () => {
      await desk.write('one');
      await desk.settled(1);
      far.end('PUT /tickets/{id}', { http: 409, body: { error: 'Conflict' } });
      await desk.write('two');
      await out.pass(10 * SECOND);
      await desk.settled(2);
      assert.deepEqual(comments(), [2]);
    });
  });

  it('carries on in a follow-up where its ticket is closed, also when that answer was lost', async () => {
    const id = await desk.write('one');
    await desk.settled(1);
    far.tickets[0]!.status = 'closed';
    far.end('POST /tickets', 'lost');
    await desk.write('two');
    await out.until(() => far.tickets.length === 2);
    // Two hours later: only what stands there tells.
    far.forgetKeys();
    await out.pass(6 * SECOND);
    await desk.settled(2);
    await desk.write('three');
    await desk.settled(3);
    assert.deepEqual(comments(), [1, 2]);
    assert.equal(far.tickets[1]!.fields['via_followup_source_id'], 1001);
    assert.equal((await out.store.read.ticket(id))!.links[0]!.externalId, String(far.tickets[1]!.id));
  });

  it('names a file that it does not take, with a link, and carries the message', async () => {
    const file = { id: 'f1', name: 'virus.exe', mediaType: 'application/octet-stream' };
    out.addChannel('chat', { download: async () => Readable.from(['MZ']) });
    far.end('POST /uploads', { http: 422, body: { error: 'AttachmentUnprocessable' } });
    await out.file(message('telegram|1', { text: 'see this', attachments: [file] }));
    await out.until(() => far.tickets.length > 0);
    assert.match(far.comments(far.tickets[0]!.id)[0]!, /virus\.exe .* is not attached: Zendesk did not take it/);
  });

  it('fails only the ticket whose mapping gives nonsense', async () => {
    out.addDestination('zendesk', desk.open({ fields: { group_id: '/ticket/subject' } }));
    await desk.write('one');
    await out.pass(2 * SECOND);
    assert.match((await out.error('zendesk'))!, /gives group_id the value .*, not a number/);
    assert.equal(created(), 0);
  });

  describe('asked what changed', () => {
    async function poll(
      cursor?: string,
    ): Promise<{ actions: ActionInput[]; cursor: string; more: boolean | undefined }> {
      const { items, cursor: next, more } = await desk.destination.poll!(cursor, NEVER);
      const all: ActionInput[][] = [];
      for (const { body } of items) all.push(await desk.destination.normalize!(payload(body)));
      return { actions: all.flat(), cursor: next, more };
    }
    const payload = (body: Buffer, method = 'POLL'): Payload => ({
      endpointId: 'zendesk',
      receivedAt: out.clock.now(),
      method,
      url: '',
      headers: {},
      body,
    });
    const kinds = ({ actions }: { actions: ActionInput[] }) => actions.map(({ kind }) => kind);
    let ticket: number;
    let cursor: string;
    beforeEach(async () => {
      cursor = (await poll()).cursor;
      await desk.write('one');
      await desk.settled(1);
      ticket = far.tickets[0]!.id;
      await out.pass(15 * SECOND);
    });

    it('tells what agents said and did, with their names and files, and nothing of ours', async () => {
      far.files.set('a.txt', Buffer.from('bytes'));
      far.act(ticket, { comment: { body: 'Tomorrow.', public: true }, files: ['a.txt'], status: 'pending' });
      far.act(ticket, { comment: { body: 'A regular.', public: false } });
      const { actions } = await poll(cursor);
      const common = { ticket: String(ticket), at: out.clock.now(), agent: 'Ivan' };
      const [ours, reply, status, note] = actions as (ActionInput & { id: string; attachments: { id: string }[] })[];
      assert.deepEqual(ours, {
        kind: 'ignored',
        name: `audit ${String(far.tickets[0]!.audits[0]!['id'])}`,
        reason: 'ours',
      });
      const { id, attachments, ...said } = reply!;
      assert.deepEqual(said, { kind: 'reply', ...common, text: 'Tomorrow.', html: '<p>Tomorrow.</p>' });
      assert.match(id, /^comment:\d+$/);
      assert.deepEqual({ ...status, id: '' }, { kind: 'status', ...common, status: 'pending', id: '' });
      assert.deepEqual([note!.kind, actions.length], ['note', 4]);
      const file = await desk.destination.download!(
        { ...attachments[0]!, name: 'a.txt', mediaType: 'text/plain' },
        payload(Buffer.alloc(0)),
      );
      assert.equal(await textOf(file), 'bytes');
    });

    it('keeps nothing of where agents sit', async () => {
      far.act(ticket, { comment: { body: 'x', public: true } });
      const { items } = await desk.destination.poll!(cursor, NEVER);
      assert.doesNotMatch(items.map(({ body }) => body.toString()).join(''), /192\.0\.2\.1|Kyiv/);
    });

    it('tells each of it once, also what came within the same second, and rests when there is nothing', async () => {
      far.act(ticket, { comment: { body: 'a', public: true } });
      const one = await poll(cursor);
      far.act(ticket, { comment: { body: 'b', public: true } });
      const two = await poll(one.cursor);
      assert.deepEqual([kinds(one), kinds(two)], [['ignored', 'reply'], ['reply']]);
      await out.pass(11 * SECOND);
      const three = await poll(two.cursor);
      assert.deepEqual(kinds(three), []);
      const before = far.calls.length;
      const four = await poll(three.cursor);
      assert.deepEqual([kinds(four), far.calls.length - before, four.cursor], [[], 1, three.cursor]);
    });

    it('tells what was missed for days, however many tickets there are', async () => {
      for (let i = 0; i < 120; i++) {
        far.tickets.push({ ...far.tickets[0]!, id: 5000 + i, audits: [], fields: { ...far.tickets[0]!.fields } });
      }
      for (const { id } of far.tickets) far.act(id, { comment: { body: `early, to ${id}`, public: true } });
      for (let day = 0; day < 3; day++) await out.pass(24 * HOUR, 24 * HOUR);
      for (const { id } of far.tickets) far.act(id, { comment: { body: `to ${id}`, public: true } });
      const seen: ActionInput[] = [];
      for (let at = cursor, more: boolean | undefined = true; more;) {
        const page = await poll(at);
        [at, more] = [page.cursor, page.more];
        seen.push(...page.actions);
        await out.pass(SECOND);
      }
      assert.equal(new Set(seen.map((each) => ('ticket' in each ? each.ticket : ''))).size, 122);
      assert.equal(seen.filter(({ kind }) => kind === 'reply').length, 242);
    }).timeout(20_000);

    it('leaves out customers, whoever they are, and whom nobody knows any more', async () => {
      const customer = Number(far.tickets[0]!.fields['requester_id']);
      for (const author of [customer, 77])
        far.act(ticket, { author, comment: { body: 'from the portal', public: true } });
      assert.deepEqual(kinds(await poll(cursor)), ['ignored', 'ignored', 'ignored']);
    });

    it('knows its own words by their mark, so that the same agent may also answer by hand', async () => {
      far.act(ticket, { author: GATEWAY, comment: { body: 'by hand', public: true } });
      assert.deepEqual(kinds(await poll(cursor)), ['ignored', 'reply']);
    });

    it('tells what a rule of theirs made of an update of ours, and not what we asked for', async () => {
      far.act(ticket, { author: GATEWAY, status: 'open', rule: { status: 'solved' } });
      const { audits } = far.tickets[0]!;
      (audits.at(-1)!['metadata'] as { custom: object }).custom = { tributary: 'tsk_1' };
      const { actions } = await poll(cursor);
      assert.deepEqual(
        actions.slice(1).map((each) => 'status' in each && each.status),
        ['solved'],
      );
    });

    it('passes over tickets of others, and a deleted one', async () => {
      far.tickets.push({
        id: 7,
        status: 'open',
        updated_at: far.tickets[0]!.updated_at,
        fields: { requester_id: 5 },
        audits: [],
      });
      far.act(7, { comment: { body: 'not ours', public: true } });
      far.act(ticket, { comment: { body: 'ours', public: true } });
      far.end('GET /tickets/{id}/audits', { http: 404, body: { error: 'RecordNotFound' } });
      assert.deepEqual((await poll(cursor)).actions, []);
      assert.ok(!far.calls.some(({ path }) => path.includes('/tickets/7/')));
    });

    it('reads on hold as pending, and a status that it was told nothing of not at all', async () => {
      far.act(ticket, { status: 'hold' });
      assert.deepEqual(kinds(await poll(cursor)), ['ignored', 'status']);
      desk.use({ statuses: { pending: 'pending' } });
      assert.deepEqual(kinds(await poll(cursor)), ['ignored', 'ignored']);
    });

    it('is woken by what is signed about our tickets', () => {
      const wake = (detail: unknown) =>
        desk.destination.normalize!(payload(Buffer.from(JSON.stringify(detail)), 'POST'));
      assert.deepEqual(wake({ type: 'zen:event-type:ticket.created', detail: { id: '1', external_id: 'tkt_1' } }), [
        { kind: 'wake' },
      ]);
      assert.deepEqual(wake({ anything: 'from a trigger' }), [{ kind: 'wake' }]);
      for (const external_id of ['', null, 'crm-1']) {
        const [item] = wake({
          type: 'zen:event-type:ticket.created',
          detail: { id: '1', external_id },
        }) as ActionInput[];
        assert.deepEqual(item, {
          kind: 'ignored',
          name: 'zen:event-type:ticket.created',
          reason: 'not a ticket of ours',
        });
      }
    });
  });

  it('sends no credentials to another host, and fetches no file from one that is not Zendesk’s', async () => {
    const id = await desk
      .write('one')
      .then(() => desk.settled(1))
      .then(() => far.tickets[0]!.id);
    far.act(id, { comment: { body: 'x', public: true }, files: ['a.txt'] });
    const events = far.tickets[0]!.audits.at(-1)!['events'] as { attachments: { id: number; content_url: string }[] }[];
    const file = events[0]!.attachments[0]!;
    file.content_url = 'https://files.example.com/a.txt';
    const about = { id: String(file.id), name: 'a.txt', mediaType: 'text/plain' };
    await assert.rejects(desk.destination.download!(about, {} as Payload), /files\.example\.com .* none of its own/);
  });

  it('says who the token is, and that nobody is signed in', async () => {
    assert.equal(await desk.destination.test!(), 'acme.zendesk.com knows the token as Gateway');
    far.end('GET /users/me', { http: 200, body: { user: { id: null, name: 'Anonymous user' } } });
    await assert.rejects(desk.destination.test!(), AuthExpiredError);
    await assert.rejects(desk.open({ auth: { type: 'oauth', accessToken: 'wrong' } }).test!(), AuthExpiredError);
    assert.match(await desk.open({ auth: { type: 'oauth', accessToken: TOKEN } }).test!(), /Gateway/);
    far.end('GET /users/me', { http: 503, headers: { 'retry-after': '30' } });
    await assert.rejects(desk.destination.test!(), RateLimitedError);
  });

  it('shows beforehand what it would send, and sends nothing', async () => {
    const id = await desk.write('one');
    await desk.settled(1);
    const calls = far.calls.length;
    const [ticket, said] = [
      (await out.store.read.ticket(id))!,
      (await out.store.read.messages(id, { limit: 1 })).data[0]!,
    ];
    const customer = (await out.store.read.customer(ticket.customer.id))!;
    const about = {
      id: 'x',
      ticket,
      customer,
      message: said,
      transcript: [],
      open: async () => Promise.reject(new Error()),
    };
    const shown = await desk.open({ fields: { '12': '/ticket/number' } }).preview!(about);
    assert.deepEqual([shown.method, shown.url], ['POST', `${far.root}/api/v2/tickets`]);
    const { ticket: body } = shown.body as { ticket: Record<string, unknown> };
    assert.deepEqual(body['custom_fields'], [{ id: 12, value: String(ticket.number) }]);
    assert.equal(far.calls.length, calls);
  });

  describe('its webhook', () => {
    const AT = '2026-11-22T10:00:00Z';
    const request = (given: { secret?: string; at?: string; body?: string; signed?: string } = {}): WebhookRequest => {
      const { secret = WEBHOOK_SECRET, at = AT, body = '{}', signed = at + body } = given;
      const headers = {
        'x-zendesk-webhook-signature': hmac('sha256', secret, signed).toString('base64'),
        'x-zendesk-webhook-signature-timestamp': at,
      };
      return { endpointId: 'z', receivedAt: 0, method: 'POST', url: '/', headers, body: Buffer.from(body) };
    };
    beforeEach(() => {
      out.clock.jump(Date.parse(AT) - out.clock.now());
    });
    const verify = (given?: Parameters<typeof request>[0]) => void desk.destination.webhook!.verify(request(given));

    it('is believed when it is signed', () => {
      verify();
      verify({ at: '2026-11-22T10:04:59.123456789Z' });
    });

    it('is refused without a signature, with another secret, another body, or the parts the other way round', () => {
      for (const given of [{ secret: 'x' }, { signed: `${AT}{ }` }, { signed: `{}${AT}` }, { signed: '{}' }]) {
        assert.throws(() => verify(given), BadPayloadError);
      }
      for (const name of ['x-zendesk-webhook-signature', 'x-zendesk-webhook-signature-timestamp']) {
        const { headers, ...rest } = request();
        const without = Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name));
        assert.throws(() => desk.destination.webhook!.verify({ ...rest, headers: without }), /not signed/);
      }
    });

    it('is refused when it is old, from the future, or says no time', () => {
      for (const at of ['2026-11-22T09:54:59Z', '2026-11-22T10:05:01Z', 'now', '1795341600', '']) {
        assert.throws(() => verify({ at }), BadPayloadError);
      }
    });

    it('signs as in the vendor’s sample, but for the order of the parts, which was changed since', function () {
      skipUnless(this, existsSync(VECTORS), 'the vectors are not beside the repository');
      const all = JSON.parse(readFileSync(VECTORS, 'utf8')) as Record<string, string>[];
      const {
        secret = '',
        timestamp = '',
        body = '',
        signature,
      } = all.find(({ vendor }) => vendor?.includes('Zendesk'))!;
      assert.equal(hmac('sha256', secret, body, timestamp).toString('base64'), signature);
      out.clock.jump(Date.parse(timestamp) - out.clock.now());
      const webhook = desk.open({ webhookSecret: secret }).webhook!;
      void webhook.verify(request({ secret, at: timestamp, body }));
      assert.throws(() => webhook.verify(request({ secret, at: timestamp, body, signed: body + timestamp })));
    });

    it('is not there without its secret, and not with the one that everybody knows', () => {
      assert.equal(desk.open({ webhookSecret: undefined }).webhook, undefined);
      assert.throws(
        () => desk.open({ webhookSecret: 'dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==' }),
        /everybody knows/,
      );
    });
  });

  it('takes only fields and tags that Zendesk has', () => {
    for (const wrong of [
      { fields: { order: '/ticket/fields/order' } },
      { fields: { toString: '/ticket/number' } },
      { tags: ['two words'] },
      { subdomain: 'acme.zendesk.com' },
    ]) {
      assert.throws(() => desk.open(wrong), JSON.stringify(wrong));
    }
  });
});

describe('the check of what is sent to Zendesk', () => {
  it('bites: a field that is corrupted or invented is found', function () {
    const description = readZendesk();
    skipUnless(this, description !== undefined, 'Zendesk’s description is not beside the repository');
    const headers = { 'content-type': 'application/json' };
    const problems = (ticket: object) =>
      description!.request({ method: 'POST', path: '/api/v2/tickets', headers, body: { ticket } });
    const comment = { html_body: 'x', public: true };
    assert.deepEqual(problems({ comment, priority: 'high' }), []);
    for (const wrong of [{ comment, priority: 'highest' }, { comment, requester: 5 }, { comment: { html: 'x' } }, {}]) {
      assert.notDeepEqual(problems(wrong), [], JSON.stringify(wrong));
    }
  });
});
