import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import type { ActionInput } from '../src/core/action.ts';
import type { Delivery } from '../src/core/destination.ts';
import { AuthExpiredError, BadPayloadError, RateLimitedError } from '../src/core/errors.ts';
import type { Payload, WebhookRequest } from '../src/core/payload.ts';
import { hmac } from '../src/core/signature.ts';
import { hubspot } from '../src/dispatch/hubspot/hubspot.ts';
import { APP, CLIENT_SECRET, HUB, readHubspot, startHubspot, TOKEN } from './fakes/hubspot.ts';
import type { Descriptions, FakeHubspot } from './fakes/hubspot.ts';
import { openDestinationDesk, type DestinationDesk } from './fakes/destination-desk.ts';
import type { Outgoing } from './fakes/outgoing.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;
const NEVER = new AbortController().signal;
const WEBHOOK = 'https://desk.example.com/webhooks/hubspot';

describe('HubSpot as a destination', () => {
  let descriptions: Descriptions;
  let far: FakeHubspot;
  let desk: DestinationDesk;
  let out: Outgoing;
  before(() => {
    descriptions = readHubspot();
  });
  beforeEach(async () => {
    far = await startHubspot(descriptions);
    desk = await openDestinationDesk(hubspot, 'hubspot', {
      accessToken: TOKEN,
      apiRoot: far.root,
      clientSecret: CLIENT_SECRET,
      fields: { order_number: '/ticket/number', topics: { value: 'a' } },
    });
    ({ out } = desk);
    far.now = () => out.clock.now();
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const tickets = () => far.of('tickets');
  const notes = () => tickets().map(({ id }) => far.notes(id).length);
  const calls = (what: string) => far.calls.filter(({ method, path }) => `${method} ${path}` === what).length;
  const CREATE = 'POST /crm/v3/objects/tickets';
  const NOTE = 'POST /crm/v3/objects/notes';

  describe('whose answer was lost', () => {
    it('is asked for the ticket by our id, which is not created again', async () => {
      far.end(CREATE, 'lost');
      await desk.write('one');
      await desk.write('two');
      await out.until(() => tickets().length > 0);
      await out.pass(6 * SECOND);
      await desk.settled(2);
      assert.deepEqual([notes(), calls(CREATE)], [[1], 1]);
    });

    it('makes no second ticket where the question comes too early', async () => {
      far.end(CREATE, 'lost');
      far.end('GET /crm/v3/objects/tickets/tkt_1', { http: 404 });
      const id = await desk.write('one');
      far.end(`GET /crm/v3/objects/tickets/${id}`, { http: 404 });
      await out.until(() => tickets().length > 0);
      await out.pass(6 * SECOND);
      await desk.settled(1);
      assert.deepEqual([tickets().length, calls(CREATE)], [1, 2]);
      assert.equal((await out.store.read.ticket(id))!.links[0]!.externalId, tickets()[0]!.id);
    });

    it('creates it when nothing had arrived', async () => {
      far.end(CREATE, 'cut', 'cut');
      await desk.write('one');
      await out.pass(60 * SECOND);
      await desk.settled(1);
      assert.equal(tickets().length, 1);
    });

    it('is asked for a message too', async () => {
      await desk.write('one');
      await desk.settled(1);
      far.end(NOTE, 'lost');
      await desk.write('two');
      await out.pass(10 * SECOND);
      await desk.settled(2);
      assert.deepEqual(notes(), [1]);
    });

    it('gets a message that had not arrived', async () => {
      await desk.write('one');
      await desk.settled(1);
      far.end(NOTE, 'cut');
      await desk.write('two');
      await out.pass(10 * SECOND);
      await desk.settled(2);
      assert.deepEqual(notes(), [1]);
    });

    it('gives up what it refuses, and goes on with the next', async () => {
      await desk.write('one');
      await desk.settled(1);
      far.end(NOTE, { http: 400, body: { category: 'VALIDATION_ERROR' } });
      await desk.write('two');
      await desk.write('three');
      await desk.settled(2);
      assert.match((await out.error('hubspot'))!, /400/);
      assert.match(far.notes(tickets()[0]!.id).join(), /three/);
    });
  });

  it('is spared as long as the limit lasts that it names', async () => {
    const pauses: Record<string, number> = { TEN_SECONDLY_ROLLING: 10, SECONDLY: 1, DAILY: 3600 };
    for (const [policyName, seconds] of Object.entries(pauses)) {
      far.end('POST /oauth/v2/private-apps/get/access-token-info', { http: 429, body: { policyName } });
      await assert.rejects(desk.destination.test!(), (error) => {
        assert.ok(error instanceof RateLimitedError);
        assert.equal(error.retryAfterMs, seconds * SECOND, policyName);
        return true;
      });
    }
    far.end('POST /oauth/v2/private-apps/get/access-token-info', { http: 429, body: { policyName: 'constructor' } });
    await assert.rejects(desk.destination.test!(), { retryAfterMs: undefined });
    const answer = { http: 429, headers: { 'retry-after': '7' }, body: { policyName: 'DAILY' } };
    far.end('POST /oauth/v2/private-apps/get/access-token-info', answer);
    await assert.rejects(desk.destination.test!(), { retryAfterMs: 7000 });
  });

  describe('and the customer', () => {
    it('is found by the address that a platform carries, and left as he is', async () => {
      await desk.write('one', 'email|olena@example.com');
      await desk.settled(1);
      const [contact] = far.of('contacts');
      assert.equal(contact!.properties['email'], 'olena@example.com');
      contact!.properties['firstname'] = 'Olena P.';
      await desk.write('two', 'email|olena@example.com', { thread: { externalId: 'another', references: [] } });
      await desk.settled(2);
      assert.deepEqual([far.of('contacts').length, contact!.properties['firstname']], [1, 'Olena P.']);
      for (const { belongsTo } of tickets()) assert.deepEqual(belongsTo, [contact!.id]);
    });

    it('is made by our id where no platform carries an address, and never by one that was typed', async () => {
      await desk.write('one', 'email|olena@example.com|claimed');
      await desk.settled(1);
      const { properties } = far.of('contacts')[0]!;
      assert.equal(properties['email'], undefined);
      assert.match(properties['tributary_id']!, /^cus_/);
    });

    it('is found where somebody else made him in the same moment', async () => {
      await desk.write('zero');
      await desk.settled(1);
      const [first] = far.of('contacts');
      far.things.push({ ...first!, id: '500', properties: { ...first!.properties, email: 'olena@example.com' } });
      far.end('GET /crm/v3/objects/contacts/olena%40example.com', { http: 404 });
      await desk.write('one', 'email|olena@example.com');
      await desk.settled(2);
      assert.deepEqual(tickets()[1]!.belongsTo, ['500']);
    });
  });

  it('tries again where it was not there for a moment: for a file, for the account', async () => {
    out.addChannel('chat', { download: async () => Readable.from(['bytes']) });
    far.end('POST /oauth/v2/private-apps/get/access-token-info', { http: 500 });
    far.end('POST /files/v3/files', { http: 500 });
    await desk.write('see this', 'telegram|1', { attachments: [{ id: 'a', name: 'a.txt', mediaType: 'text/plain' }] });
    for (let i = 0; i < 30 && tickets().length === 0; i++) await out.pass(10 * SECOND);
    assert.doesNotMatch(tickets()[0]!.properties['content']!, /not attached/);
    assert.equal(far.of('notes').length, 1);
  });

  it('is asked what became of a ticket where it answered nonsense', async () => {
    far.end(CREATE, { http: 200, body: { hello: 'there' } });
    await desk.write('one');
    await out.pass(10 * SECOND);
    await desk.settled(1);
    assert.ok(far.calls.some(({ path }) => path.includes('idProperty=tributary_id') && path.includes('/tickets/tkt_')));
  });

  it('gets files on a note that the ticket is made with, and names what it does not take, with a link', async () => {
    const files = ['a.txt', 'virus.exe'].map((name) => ({ id: name, name, mediaType: 'text/plain' }));
    out.addChannel('chat', { download: async ({ name }) => Readable.from([`bytes of ${name}`]) });
    far.end('POST /files/v3/files', { http: 200, body: { id: '5' } }, { http: 400, body: { category: 'VALIDATION' } });
    far.files.set('5', { name: 'a.txt', bytes: Buffer.from('x') });
    await desk.write('see this', undefined, { attachments: files });
    await out.until(() => tickets().length > 0);
    const { id, properties } = tickets()[0]!;
    assert.match(properties['content']!, /see this/);
    assert.match(properties['content']!, /virus\.exe .* is not attached: HubSpot did not take it: https:/);
    const [note] = far.of('notes');
    assert.deepEqual([note!.properties['hs_attachment_ids'], far.notes(id).length], ['5', 1]);
    assert.doesNotMatch(note!.properties['hs_note_body']!, /see this/);
  });

  it('changes stage and priority only where they differ', async () => {
    await desk.write('one');
    await desk.settled(1);
    const { id, properties } = tickets()[0]!;
    const ref = { externalId: id };
    const ticket = {} as never;
    const patches = () => far.calls.filter(({ method }) => method === 'PATCH').map(({ body }) => body);
    await desk.destination.update!(ref, { id: 'u1', ticket, status: 'closed', priority: 'urgent' });
    assert.deepEqual([properties['hs_pipeline_stage'], properties['hs_ticket_priority']], ['4', 'URGENT']);
    await desk.destination.update!(ref, { id: 'u2', ticket, status: 'solved', priority: 'urgent' });
    await desk.destination.update!(ref, { id: 'u3', ticket });
    assert.equal(patches().length, 1);
    await desk.destination.update!(ref, { id: 'u4', ticket, status: 'open' });
    assert.deepEqual(patches()[1], { properties: { hs_pipeline_stage: '3' } });
    far.move(id, '2');
    await desk.open({ statuses: { open: ['3', '2'], pending: '1' } }).update!(ref, {
      id: 'u5',
      ticket,
      status: 'open',
    });
    assert.equal(patches().length, 2);
    assert.throws(() => desk.open({ fields: { subject: '/ticket/subject' } }));
  });

  describe('asked what changed', () => {
    async function poll(cursor?: string, on = desk.destination) {
      const { items, cursor: next, more } = await on.poll!(cursor, NEVER);
      const all: ActionInput[][] = [];
      for (const { body } of items) all.push(await on.normalize!(payload(body)));
      return { actions: all.flat(), cursor: next, more };
    }
    const payload = (body: Buffer, method = 'POLL'): Payload => ({
      endpointId: 'hubspot',
      receivedAt: out.clock.now(),
      method,
      url: '',
      headers: {},
      body,
    });
    const kinds = ({ actions }: { actions: ActionInput[] }) => actions.map(({ kind }) => kind);
    let ticket: string;
    let cursor: string;
    beforeEach(async () => {
      cursor = (await poll()).cursor;
      await desk.write('one');
      await desk.settled(1);
      ticket = tickets()[0]!.id;
      await out.pass(10 * SECOND);
    });

    it('tells answers, notes with their files and stages, with names, and of ours only that they are', async () => {
      await desk.write('two');
      await desk.settled(2);
      await out.pass(SECOND);
      far.files.set('9', { name: 'a.txt', bytes: Buffer.from('bytes') });
      far.note(ticket, '<div><p>&gt;&gt; Tomorrow,<br>at noon.</p></div>', { files: ['9'] });
      await out.pass(SECOND);
      far.move(ticket, '2');
      await out.pass(SECOND);
      far.note(ticket, '<p>A regular.</p>');
      const { actions } = await poll(cursor);
      const [stage, mine, reply, status, note] = actions as (ActionInput & { at: number })[];
      const at = out.clock.now();
      assert.deepEqual(
        [stage, mine],
        [
          { kind: 'ignored', name: `note ${far.of('notes')[0]!.id}`, reason: 'ours' },
          { kind: 'ignored', name: 'stage 1', reason: 'ours' },
        ],
      );
      const file = { id: '9', name: 'a.txt', mediaType: 'application/octet-stream', size: 5 };
      const common = { ticket, agent: 'Ivan Koval' };
      const [, first, second] = far.of('notes').map(({ id }) => `note:${id}`);
      const answer = { kind: 'reply', id: first, at: at - 2 * SECOND, ...common, text: 'Tomorrow,\nat noon.' };
      assert.deepEqual(reply, { ...answer, attachments: [file] });
      const moved = { kind: 'status', id: `stage:${ticket}:${at - SECOND}`, at: at - SECOND, ...common };
      assert.deepEqual(status, { ...moved, status: 'pending' });
      const words = { text: 'A regular.', html: '<p>A regular.</p>', attachments: [] };
      assert.deepEqual(note, { kind: 'note', id: second, at, ...common, ...words });
      const stream = await desk.destination.download!(file, payload(Buffer.alloc(0)));
      assert.equal(await textOf(stream), 'bytes');
    });

    it('tells each of it once, also what a search shows late, and rests when there is nothing', async () => {
      far.indexedUntil = out.clock.now();
      await out.pass(SECOND);
      far.note(ticket, '<p>late</p>');
      const one = await poll(cursor);
      far.indexedUntil = Infinity;
      far.note(ticket, '<p>early</p>');
      const two = await poll(one.cursor);
      assert.deepEqual([kinds(one), kinds(two)], [[], ['ignored', 'note', 'note']]);
      await out.pass(DAY, DAY);
      const before = far.calls.length;
      const three = await poll(two.cursor);
      assert.deepEqual([kinds(three), three.cursor], [[], two.cursor]);
      // Two searches, and the stages of what is within the overlap.
      assert.equal(far.calls.length - before, 3);
    });

    it('tells an earlier note that a search shows later than another one', async () => {
      far.note(ticket, '<p>slow</p>');
      far.of('notes').at(-1)!.properties['hs_lastmodifieddate'] = new Date(out.clock.now() + DAY).toISOString();
      far.indexedUntil = out.clock.now() + MINUTE;
      await out.pass(10 * SECOND);
      far.note(ticket, '<p>quick</p>');
      const one = await poll(cursor);
      far.indexedUntil = Infinity;
      const texts = ({ actions }: { actions: ActionInput[] }) =>
        actions.flatMap((each) => ('text' in each ? each.text : []));
      assert.deepEqual([texts(one), texts(await poll(one.cursor))], [['quick'], ['slow']]);
    });

    it('tells what was missed for days', async () => {
      for (let day = 0; day < 3; day++) {
        await out.pass(DAY, DAY);
        for (let i = 0; i < 250; i++) far.note(ticket, `<p>${day}.${i}</p>`);
      }
      const { actions } = await poll(cursor);
      assert.equal(kinds({ actions }).filter((kind) => kind === 'note').length, 750);
      assert.ok(far.calls.filter(({ path }) => path === '/crm/v3/objects/notes/search').length >= 4);
    }).timeout(20_000);

    it('goes on where a search gives no more', async () => {
      await out.pass(DAY, DAY);
      far.note('0', '<p>of others</p>');
      const [first] = far.of('notes');
      const from = out.clock.now();
      for (let i = 1; i < 10_050; i++) {
        const hs_createdate = new Date(from + i * 10).toISOString();
        far.things.push({ ...first!, id: `9${i}`, properties: { ...first!.properties, hs_createdate } });
      }
      far.note(ticket, '<p>last</p>');
      far.of('notes').at(-1)!.properties['hs_createdate'] = new Date(from + 110 * SECOND).toISOString();
      const one = await poll(cursor);
      assert.deepEqual([one.more, kinds(one).includes('note')], [true, false]);
      const two = await poll(one.cursor);
      assert.deepEqual([two.more, kinds(two)], [false, ['note']]);
    }).timeout(20_000);

    it('passes over tickets of others, and notes that belong to none of ours', async () => {
      const { properties, ...rest } = tickets()[0]!;
      far.things.push({ ...rest, id: '7', properties: { ...properties, tributary_id: 'crm-1' }, history: [] });
      far.note('7', '<p>not ours</p>');
      far.move('7', '2');
      far.note('nowhere', '<p>of a contact</p>');
      assert.deepEqual(kinds(await poll(cursor)), ['ignored']);
    });

    it('tells a note of several tickets in the first of them that is ours, once', async () => {
      await desk.write('another', 'telegram|2');
      await desk.settled(2);
      const { properties, ...rest } = tickets()[0]!;
      const others = { ...properties, tributary_id: 'crm-1' };
      far.things.unshift({ ...rest, id: '7', properties: others, history: [], belongsTo: [] });
      far.note('7', '<p>for all of you</p>');
      const note = far.of('notes').at(-1)!;
      note.belongsTo.push(...tickets().map(({ id }) => id));
      const { actions } = await poll(cursor);
      const said = actions.filter(({ kind }) => kind === 'note') as { ticket: string; text: string }[];
      assert.deepEqual(
        said.map(({ ticket: of, text }) => [of, text]),
        [[ticket, 'for all of you']],
      );
    });

    it('takes a note that a person copied from ours for his', async () => {
      await desk.write('two');
      await desk.settled(2);
      far.note(ticket, far.notes(ticket)[0]!);
      far.note(ticket, '<p>by a robot of others</p>', { source: 'AUTOMATION' });
      assert.deepEqual(kinds(await poll(cursor)), ['ignored', 'ignored', 'note', 'note']);
    });

    it('tells a stage that another app or a workflow sets, and none that it was told nothing of', async () => {
      far.move(ticket, '2', { app: 999 });
      await out.pass(SECOND);
      far.move(ticket, 'unknown');
      await out.pass(SECOND);
      far.move(ticket, '3', { app: APP });
      assert.deepEqual(kinds(await poll(cursor)), ['ignored', 'ignored', 'status', 'ignored']);
    });

    it('names who is gone by his number, and a file that is gone by its own', async () => {
      far.note(ticket, '<p>x</p>', { by: 5, files: ['404'] });
      const { actions } = await poll(cursor);
      const [, note] = actions as { agent: string; attachments: { name: string }[] }[];
      assert.deepEqual([note!.agent, note!.attachments[0]!.name], ['HubSpot user 5', 'file-404']);
    });

    it('knows answers by what is set for that', async () => {
      far.note(ticket, '<p>@customer Tomorrow</p>');
      const { actions } = await poll(cursor, desk.open({ answerMark: '@customer' }));
      assert.deepEqual((actions[1] as { kind: string; text: string }).text, 'Tomorrow');
      assert.equal(actions[1]!.kind, 'reply');
    });

    it('is woken by what is signed about tickets and notes', () => {
      const wake = (body: unknown) =>
        (desk.destination.normalize!(payload(Buffer.from(JSON.stringify(body)), 'POST')) as ActionInput[])[0]!.kind;
      assert.equal(wake([{ subscriptionType: 'ticket.propertyChange' }]), 'wake');
      assert.equal(wake([{ subscriptionType: 'contact.creation' }, { subscriptionType: 'ticket.creation' }]), 'wake');
      assert.equal(wake([{ subscriptionType: 'object.creation', objectTypeId: '0-46' }]), 'wake');
      assert.equal(wake({ anything: 'else' }), 'wake');
      assert.equal(wake([{ subscriptionType: 'contact.creation', objectTypeId: '0-1' }]), 'ignored');
    });
  });

  it('says what is missing there: the token, our property, its uniqueness, a stage', async () => {
    assert.equal(await desk.destination.test!(), `account ${HUB} takes tickets in the pipeline Support Pipeline`);
    await assert.rejects(desk.open({ accessToken: 'wrong' }).test!(), AuthExpiredError);
    await assert.rejects(desk.open({ idProperty: 'other' }).test!(), /tickets have no property other/);
    await assert.rejects(desk.open({ statuses: { pending: '99' } }).test!(), /has no stage 99/);
    far.unique = false;
    await assert.rejects(desk.destination.test!(), /may have a value twice/);
  });

  it('shows beforehand what it would send, and sends nothing', async () => {
    const id = await desk.write('one', 'email|olena@example.com');
    await desk.settled(1);
    const before = far.calls.length;
    const ticket = (await out.store.read.ticket(id))!;
    const said = (await out.store.read.messages(id, { limit: 1 })).data[0]!;
    const customer = (await out.store.read.customer(ticket.customer.id))!;
    const open = async () => Promise.reject(new Error());
    const about: Delivery = { id: 'x', ticket, customer, message: said, transcript: [], open };
    const { method, url, body } = await desk.destination.preview!(about);
    assert.deepEqual([method, url], ['POST', `${far.root}/crm/v3/objects/tickets`]);
    const { properties, associations } = body as { properties: Record<string, string>; associations: object[] };
    assert.deepEqual([properties['order_number'], properties['tributary_id']], [String(ticket.number), id]);
    assert.match(JSON.stringify(associations), /\(olena@example\.com\)/);
    assert.equal(far.calls.length, before);
  });

  describe('its webhook', () => {
    const AT = Date.parse('2026-11-22T10:00:00Z');
    const request = (given: { secret?: string; at?: string; body?: string; signed?: string } = {}): WebhookRequest => {
      const { secret = CLIENT_SECRET, at = String(AT), body = '[]', signed = `POST${WEBHOOK}${body}${at}` } = given;
      const headers = {
        'x-hubspot-signature-v3': hmac('sha256', secret, signed).toString('base64'),
        'x-hubspot-request-timestamp': at,
      };
      return { endpointId: 'h', receivedAt: 0, method: 'POST', url: '/', headers, body: Buffer.from(body) };
    };
    beforeEach(() => {
      out.clock.jump(AT - out.clock.now());
    });
    const verify = (given?: Parameters<typeof request>[0]) => void desk.destination.webhook!.verify(request(given));

    it('is believed when method, address, body and time are signed', () => {
      verify();
      verify({ at: String(AT - 299 * SECOND), body: '[{"objectId":1}]' });
    });

    it('is refused without a signature, with another secret, or where a part differs', () => {
      const wrong = [
        { secret: 'x' },
        { signed: `POST${WEBHOOK}[ ]${AT}` },
        { signed: `GET${WEBHOOK}[]${AT}` },
        { signed: `POSThttps://elsewhere.example.com/[]${AT}` },
        { signed: `POST${WEBHOOK}[]` },
      ];
      for (const given of wrong) assert.throws(() => verify(given), BadPayloadError);
      for (const name of ['x-hubspot-signature-v3', 'x-hubspot-request-timestamp']) {
        const { headers, ...rest } = request();
        const without = Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name));
        assert.throws(() => desk.destination.webhook!.verify({ ...rest, headers: without }), /not signed/);
      }
    });

    it('is refused when it is more than five minutes old or early, or says no time', () => {
      for (const at of [String(AT - 301 * SECOND), String(AT + 301 * SECOND), '2026-11-22T10:00:00Z', `${AT}.5`]) {
        assert.throws(() => verify({ at }), /more than five minutes off/);
      }
    });

    it('is not there without the secret, and then it is asked more often', () => {
      const alone = desk.open({ clientSecret: undefined });
      assert.equal(alone.webhook, undefined);
      assert.ok(alone.pollEveryMs! < desk.destination.pollEveryMs!);
    });
  });
});
