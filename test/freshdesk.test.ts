import assert from 'node:assert/strict';
import { text as textOf } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import type { ActionInput } from '../src/core/action.ts';
import type { Destination } from '../src/core/destination.ts';
import { AuthExpiredError, PermanentError } from '../src/core/errors.ts';
import type { Payload } from '../src/core/payload.ts';
import { freshdesk } from '../src/dispatch/freshdesk/freshdesk.ts';
import { createHttp, type Egress } from '../src/http/http.ts';
import { fakeContext } from './fakes/context.ts';
import { message } from './fakes/filing.ts';
import { API_KEY, GATEWAY, HIDDEN, readFreshdesk, startFreshdesk, WEBHOOK_TOKEN } from './fakes/freshdesk.ts';
import type { FakeFreshdesk } from './fakes/freshdesk.ts';
import type { Description } from './fakes/openapi.ts';
import { openOutgoing, type Outgoing } from './fakes/outgoing.ts';
import { skipUnless } from './skip.ts';

const SECOND = 1000;
const NEVER = new AbortController().signal;

describe('Freshdesk as a destination', () => {
  let description: Description | undefined;
  let far: FakeFreshdesk;
  let out: Outgoing;
  let egress: Egress;
  let destination: Destination;
  before(() => {
    description = readFreshdesk();
  });
  beforeEach(async () => {
    far = await startFreshdesk(description);
    out = await openOutgoing([{ id: 'freshdesk', carries: 'tickets' }]);
    egress = createHttp({ allow: ['127.0.0.1'] });
    far.now = () => out.clock.now();
    destination = open();
    out.addDestination('freshdesk', destination);
    out.addChannel('chat', { reply: async () => undefined });
  });
  afterEach(async () => {
    await out.close();
    egress.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  function open(given: object = {}): Destination {
    const settings = { subdomain: 'acme', apiKey: API_KEY, apiRoot: far.root, webhookToken: WEBHOOK_TOKEN };
    const fields = {
      cf_order: '/ticket/number',
      'cf_rank:number': '/ticket/number',
      'cf_vip:checkbox': { value: 'yes' },
      cf_tributary_id: { value: 'x' },
    };
    const config = freshdesk.config.parse({ ...settings, fields, ...given });
    const context = fakeContext({ id: 'freshdesk', clock: out.clock, http: egress.for({ hosts: [] }) });
    return freshdesk.open(config, context) as Destination;
  }
  const write = async (text: string) => (await out.file(message('telegram|1', { text })))[0]!.ticketId!;
  const delivered = async () => (await out.deliveries()).filter(({ state }) => state === 'delivered').length;
  async function settled(count: number): Promise<void> {
    for (let i = 0; i < 100 && (await delivered()) < count; i++) await out.pass(100);
    assert.equal(await delivered(), count);
  }
  const said = () => far.tickets.map(({ id }) => far.said(id).length);
  const created = () => far.calls.filter(({ method, path }) => method === 'POST' && path === '/tickets').length;

  describe('whose answer was lost', () => {
    it('is asked for the ticket, which is not created again, though no search finds it yet', async () => {
      for (const indexed of [true, false]) {
        far.indexed = indexed;
        far.end('POST /tickets', 'lost');
        await write(`one, ${String(indexed)}`);
        await write('two');
        await out.until(() => far.tickets.length > 0);
        await out.pass(6 * SECOND);
        await settled(2);
        assert.deepEqual([said(), created()], [[2], 1]);
        if (indexed) {
          await out.close();
          await far.close();
          far = await startFreshdesk(description);
          out = await openOutgoing([{ id: 'freshdesk', carries: 'tickets' }]);
          far.now = () => out.clock.now();
          out.addDestination('freshdesk', open());
        }
      }
    });

    it('looks through all that was made within the hour, and at nothing older', async () => {
      const id = await write('one');
      await settled(1);
      far.indexed = false;
      const [ours] = far.tickets;
      for (let i = 0; i < 250; i++) {
        far.tickets.push({ ...ours!, id: 5000 + i, fields: { ...ours!.fields, custom_fields: {} }, conversations: [] });
      }
      const ticket = (await out.store.read.ticket(id))!;
      assert.equal((await destination.findTicket!(ticket))?.externalId, String(ours!.id));
      await out.pass(2 * 3600 * SECOND, 600 * SECOND);
      far.tickets.forEach((each) => (each.updated_at = `${new Date(out.clock.now()).toISOString().slice(0, 19)}Z`));
      const before = far.calls.length;
      assert.equal(await destination.findTicket!(ticket), undefined);
      assert.equal(far.calls.length - before, 2);
    }).timeout(10_000);

    it('creates it when nothing had arrived', async () => {
      far.end('POST /tickets', 'cut', 'cut');
      await write('one');
      await out.pass(60 * SECOND);
      await settled(1);
      assert.deepEqual(said(), [1]);
    });

    it('is asked for a message too, on whichever page it is', async () => {
      await write('one');
      await settled(1);
      for (let i = 0; i < 120; i++) far.act(far.tickets[0]!.id, { body: `note ${i}`, private: true, source: 2 });
      far.end('POST /tickets/{id}/notes', 'lost');
      await write('two');
      await out.pass(10 * SECOND);
      await settled(2);
      assert.equal(far.said(far.tickets[0]!.id).filter((each) => each.includes('two')).length, 1);
    });

    it('is spared as long as it says, for all tickets', async () => {
      far.end('POST /tickets', { http: 429, headers: { 'retry-after': '120' } });
      await write('one');
      await out.until(() => created() === 1);
      await out.pass(100 * SECOND, 10 * SECOND);
      assert.equal(created(), 1);
      await out.pass(40 * SECOND, 10 * SECOND);
      await settled(1);
    });
  });

  it('carries a message without the files that it refuses, and names them', async () => {
    const files = ['a.txt', 'b.txt'].map((name) => ({ id: name, name, mediaType: 'text/plain' }));
    out.addChannel('chat', { download: async () => Readable.from(['bytes']) });
    await out.file(message('telegram|1', { text: 'see these', attachments: files }));
    await out.until(() => far.tickets.length > 0);
    assert.deepEqual([...far.files.values()].map(String), ['bytes', 'bytes']);
    far.files.clear();
    far.end('POST /tickets/{id}/notes', { http: 413 });
    await out.file(message('telegram|1', { text: 'and these', attachments: files }));
    await out.until(() => far.said(far.tickets[0]!.id).length > 1);
    assert.match(far.said(far.tickets[0]!.id)[1]!, /and these .*a\.txt .* is not attached: Freshdesk did not take it/);
  });

  it('fills fields of their kinds, and fails only the ticket whose mapping gives nonsense', async () => {
    await write('one');
    await settled(1);
    const { id, number } = (await out.store.read.tickets({}, { limit: 1 })).data[0]!;
    assert.deepEqual(far.tickets[0]!.fields['custom_fields'], {
      cf_order: String(number),
      cf_rank: number,
      cf_vip: true,
      cf_tributary_id: id,
    });
    out.addDestination('freshdesk', open({ fields: { group_id: '/ticket/subject' } }));
    await out.file(message('telegram|2', { text: 'two', thread: { externalId: 'another', references: [] } }));
    await out.pass(2 * SECOND);
    assert.match((await out.error('freshdesk'))!, /gives group_id the value .*, not a number/);
    assert.equal(created(), 1);
  });

  describe('asked what changed', () => {
    const payload = (body: Buffer, method = 'POLL'): Payload => ({
      endpointId: 'freshdesk',
      receivedAt: out.clock.now(),
      method,
      url: '',
      headers: {},
      body,
    });
    async function poll(from?: string) {
      const { items, cursor: next } = await destination.poll!(from, NEVER);
      const all: ActionInput[][] = [];
      for (const { body } of items) all.push(await destination.normalize!(payload(body)));
      return { actions: all.flat(), cursor: next };
    }
    const kinds = ({ actions }: { actions: ActionInput[] }) => actions.map(({ kind }) => kind);
    const reasons = ({ actions }: { actions: ActionInput[] }) =>
      actions.map((each) => (each.kind === 'ignored' ? each.reason : each.kind));
    let ticket: number;
    let cursor: string;
    beforeEach(async () => {
      cursor = (await poll()).cursor;
      await write('one');
      await settled(1);
      ticket = far.tickets[0]!.id;
      await out.pass(15 * SECOND);
    });

    it('tells what agents said and did, with their names and files, and nothing of ours', async () => {
      far.files.set('a.txt', Buffer.from('bytes'));
      far.act(ticket, { body: 'Tomorrow &amp; early.', files: ['a.txt'], status: 3 });
      far.act(ticket, { body: 'A regular.', private: true, source: 2, author: HIDDEN });
      far.act(ticket, { body: 'As noted.', source: 2 });
      const { actions } = await poll(cursor);
      const [reply, note, open_, status] = actions as (ActionInput & { id: string; attachments: { id: string }[] })[];
      const { id, attachments, ...rest } = reply!;
      const common = { ticket: String(ticket), at: out.clock.now() };
      const html = '<div style="font-size:13px">Tomorrow &amp; early.</div>';
      assert.deepEqual(rest, { kind: 'reply', ...common, agent: 'Ivan', text: 'Tomorrow &amp; early.', html });
      assert.match(id, /^conversation:\d+$/);
      assert.deepEqual([note!.kind, (note as { agent?: string }).agent], ['note', `agent ${HIDDEN}`]);
      assert.deepEqual([open_!.kind, actions.length], ['reply', 4]);
      const at = far.tickets[0]!.status_updated_at;
      const told = { kind: 'status', id: `status:${ticket}:${at}:3`, ...common, agent: 'Freshdesk', status: 'pending' };
      assert.deepEqual(status, told);
      const file = { ...attachments[0]!, name: 'a.txt', mediaType: 'text/plain' };
      assert.equal(await textOf(await destination.download!(file, payload(Buffer.alloc(0)))), 'bytes');
    });

    it('knows its own words by their mark, which counts only from its own hand', async () => {
      await write('two');
      await settled(2);
      await out.desk.note((await out.store.read.tickets({}, { limit: 1 })).data[0]!.id, { text: 'ours' }, 'user:usr_1');
      await settled(3);
      const ours = String(far.tickets[0]!.conversations.at(-1)!['body']);
      far.act(ticket, { body: ours, private: true, source: 2 });
      far.act(ticket, { author: GATEWAY, body: 'by hand', source: 2 });
      far.act(ticket, { author: GATEWAY, body: `see below ${ours}`, source: 2 });
      assert.deepEqual(reasons(await poll(cursor)), [
        'written by a customer, not by an agent',
        'ours',
        'note',
        'reply',
        'reply',
      ]);
    });

    it('leaves out what customers wrote there, and what was forwarded to others', async () => {
      far.act(ticket, { author: Number(far.tickets[0]!.fields['requester_id']), incoming: true, body: 'portal' });
      far.act(ticket, { body: 'to the carrier', source: 8 });
      assert.deepEqual(kinds(await poll(cursor)), ['ignored', 'ignored']);
    });

    it('takes an answer without the conversation that is quoted below it', async () => {
      far.act(ticket, {
        body: '<div>Tomorrow.</div><div class="freshdesk_quote"><blockquote>Where?</blockquote></div>',
      });
      const [reply] = (await poll(cursor)).actions as { text: string; html: string }[];
      assert.equal(reply!.text, 'Tomorrow.');
      assert.doesNotMatch(reply!.html, /Where/);
    });

    it('tells each of it once, also what came within the same second, and rests when there is nothing', async () => {
      far.act(ticket, { body: 'a', status: 4 });
      const one = await poll(cursor);
      far.act(ticket, { body: 'b' });
      const two = await poll(one.cursor);
      assert.deepEqual([kinds(one), kinds(two)], [['reply', 'status'], ['reply']]);
      await out.pass(11 * SECOND);
      const three = await poll(two.cursor);
      const before = far.calls.length;
      const four = await poll(three.cursor);
      assert.deepEqual([kinds(three), kinds(four), far.calls.length - before], [[], [], 1]);
    });

    it('tells nothing from before its time when an old ticket moves for the first time', async () => {
      far.act(ticket, { body: 'before', status: 3 });
      await out.pass(3600 * SECOND, 600 * SECOND);
      const later = (await poll()).cursor;
      far.tickets[0]!.updated_at = `${new Date(out.clock.now()).toISOString().slice(0, 19)}Z`;
      const first = await poll(later);
      assert.deepEqual(kinds(first), []);
      far.act(ticket, { body: 'after' });
      assert.deepEqual(kinds(await poll(first.cursor)), ['reply']);
    });

    it('names a status that none of ours is called, and tells none that a ticket was made with', async () => {
      assert.deepEqual(kinds(await poll(cursor)), []);
      far.act(ticket, { status: 9 });
      assert.deepEqual(reasons(await poll(cursor)), ['none of ours is called that: see `statuses`']);
      // A rule that runs when a ticket is made.
      far.tickets[0]!.status = 3;
      far.tickets[0]!.status_updated_at = far.tickets[0]!.created_at;
      assert.deepEqual(kinds(await poll(cursor)), ['status']);
    });

    it('passes over tickets of others, and a deleted one', async () => {
      const others = { ...far.tickets[0]!, id: 7, fields: { custom_fields: { cf_tributary_id: null } } };
      far.tickets.push({ ...others, conversations: [] });
      far.act(7, { body: 'not ours' });
      far.act(ticket, { body: 'ours' });
      far.end('GET /tickets/{id}', { http: 404 });
      assert.deepEqual((await poll(cursor)).actions, []);
      assert.ok(!far.calls.some(({ path }) => path.startsWith('/tickets/7')));
    });

    it('is woken by whatever a rule posts', () => {
      assert.deepEqual(destination.normalize!(payload(Buffer.from('not even JSON'), 'POST')), [{ kind: 'wake' }]);
      assert.equal(destination.webhook!.token?.reveal(), WEBHOOK_TOKEN);
      assert.equal(open({ webhookToken: undefined }).webhook, undefined);
    });

    it('fetches no file from where Freshdesk has none', async () => {
      far.act(ticket, { body: 'x', files: ['a.txt'] });
      const [file] = far.tickets[0]!.conversations.at(-1)!['attachments'] as { id: number; attachment_url: string }[];
      const about = { id: `${ticket}/${file!.id}`, name: 'a.txt', mediaType: 'text/plain' };
      for (const url of ['https://files.example.com/a.txt', 'http://cdn.freshdesk.com/a.txt', 'a.txt']) {
        file!.attachment_url = url;
        await assert.rejects(destination.download!(about, payload(Buffer.alloc(0))), PermanentError);
      }
      await assert.rejects(
        destination.download!({ ...about, id: `${ticket}/5` }, payload(Buffer.alloc(0))),
        /no longer/,
      );
    });
  });

  it('says whose the key is, and that the field for our id is missing', async () => {
    assert.equal(
      await destination.test!(),
      'acme.freshdesk.com knows the key as Gateway, and has the field cf_tributary_id',
    );
    await assert.rejects(open({ idField: 'cf_other' }).test!(), /no field cf_other/);
    await assert.rejects(open({ apiKey: 'wrong' }).test!(), AuthExpiredError);
  });

  it('shows beforehand what it would send, and sends nothing', async () => {
    const id = await write('one');
    await settled(1);
    const calls = far.calls.length;
    const ticket = (await out.store.read.ticket(id))!;
    const [first] = (await out.store.read.messages(id, { limit: 1 })).data;
    const customer = (await out.store.read.customer(ticket.customer.id))!;
    const about = { id: 'x', ticket, customer, message: first!, transcript: [], open: async () => Readable.from([]) };
    const shown = await destination.preview!(about);
    assert.deepEqual([shown.method, shown.url], ['POST', `${far.root}/api/v2/tickets`]);
    assert.equal((shown.body as { requester_id: string }).requester_id, `(${customer.id})`);
    assert.equal(far.calls.length, calls);
  });

  it('shows its requester neither the words nor the files of a note that opens it', async () => {
    const ticket = (await out.store.read.ticket(await write('one')))!;
    const [first] = (await out.store.read.messages(ticket.id, { limit: 1 })).data;
    const customer = (await out.store.read.customer(ticket.customer.id))!;
    const file = { id: 'att_1', name: 'a.txt', mediaType: 'text/plain', size: 5, state: 'stored' } as const;
    const attachments = [{ ...file, url: '/a', inline: false, error: null }];
    const note = { ...first!, kind: 'note', direction: 'outbound', text: 'he never pays', attachments } as const;
    const open_ = async () => Readable.from([Buffer.from('bytes')]);
    const about = { id: 'x', ticket: { ...ticket, id: 'tkt_2' }, customer, open: open_ };
    await destination.createTicket!({ ...about, message: note, transcript: [first!] });
    const made = JSON.stringify(far.tickets.at(-1));
    assert.match(made, /tkt_2.*>one</);
    assert.doesNotMatch(made, /never|a\.txt/);
    assert.equal(far.files.size, 0);
  });

  it('takes only fields, tags, numbers and tokens that can be', () => {
    for (const wrong of [
      { fields: { order: '/ticket/fields/order' } },
      { fields: { 'cf_order:date': '/ticket/number' } },
      { fields: { toString: '/ticket/number' } },
      { tags: ['a,b'] },
      { statuses: { open: 'Open' } },
      { priorities: { low: 'Low' } },
      { statuses: { new: 2 } },
      { idField: 'tributary_id' },
      { webhookToken: 'short' },
      { subdomain: 'acme.freshdesk.com' },
    ]) {
      assert.throws(() => open(wrong), JSON.stringify(wrong));
    }
  });
});

describe('the check of what is sent to Freshdesk', () => {
  it('bites: a field that is corrupted or invented is found', function () {
    const description = readFreshdesk();
    skipUnless(this, description !== undefined, 'the description of Freshdesk is not beside the repository');
    const problems = (body: object) => description!.request({ method: 'POST', path: '/tickets', body });
    assert.deepEqual(problems({ subject: 'x', priority: 3 }), []);
    for (const wrong of [{ priority: 'high' }, { requester: 5 }, { tags: 'one' }]) {
      assert.notDeepEqual(problems(wrong), [], JSON.stringify(wrong));
    }
  });
});
