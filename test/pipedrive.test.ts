import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import type { Delivery } from '../src/core/destination.ts';
import { AuthExpiredError, PermanentError, RateLimitedError } from '../src/core/errors.ts';
import { createHttp } from '../src/http/http.ts';
import { pipedrive } from '../src/dispatch/pipedrive/pipedrive.ts';
import { fakeContext, fakeSecrets } from './fakes/context.ts';
import { openDestinationDesk, type DestinationDesk } from './fakes/destination-desk.ts';
import type { Outgoing } from './fakes/outgoing.ts';
import {
  CLIENT,
  COUNT,
  DEAL_ID,
  FIRST_REFRESH_TOKEN,
  HOOK,
  IVAN,
  KIND,
  ORDER,
  PERSON_ID,
  readPipedrive,
  startPipedrive,
  TOKEN,
  TOPICS,
} from './fakes/pipedrive.ts';
import type { Descriptions, FakePipedrive } from './fakes/pipedrive.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const PHONE = 'phone|+380671234567';
const EMAIL = 'email|olena@example.com';

describe('Pipedrive as a destination', () => {
  let descriptions: Descriptions;
  let far: FakePipedrive;
  let desk: DestinationDesk;
  let out: Outgoing;
  before(() => {
    descriptions = readPipedrive();
  });
  beforeEach(async () => {
    far = await startPipedrive(descriptions);
    desk = await openDestinationDesk(pipedrive, 'crm', {
      companyDomain: 'acme',
      apiRoot: far.root,
      auth: { type: 'token', token: TOKEN },
      webhook: HOOK,
      dealIdField: DEAL_ID,
      personIdField: PERSON_ID,
    });
    ({ out } = desk);
    far.now = () => out.clock.now();
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const deal = () => far.deals[0]!;
  const said = () => far.deals.map(({ id }) => far.said(id).length);
  const calls = (what: string) =>
    far.calls.filter(({ method, path }) => `${method} ${path.split('?')[0]!}` === what).length;
  const CREATE = 'POST /api/v2/deals';
  const PERSON = 'POST /api/v2/persons';
  const NOTE = 'POST /v1/notes';

  it('makes a person, a deal with our id, and a note with what was written', async () => {
    desk.use({ pipelineId: 1, stageId: 2, ownerId: IVAN });
    const id = await desk.write('Where is my <order>?', ['telegram|1', PHONE, EMAIL]);
    await desk.settled(1);
    const [person] = far.persons;
    const address = (value: string) => [{ value, primary: true, label: 'work' }];
    assert.deepEqual([person!['emails'], person!['phones']], [address('olena@example.com'), address('+380671234567')]);
    assert.match(String(person!.custom_fields[PERSON_ID]), /^cus_/);
    const { title, person_id: who, pipeline_id: pipeline, stage_id: stage, owner_id: owner } = deal();
    assert.deepEqual([title, who, pipeline, stage, owner], ['Where is my <order>?', person!.id, 1, 2, IVAN]);
    assert.deepEqual(deal().custom_fields, { [DEAL_ID]: id });
    const [note] = far.said(deal().id);
    assert.match(note!, /^<p><a href="https:\/\/desk\.example\.com\/t\/tkt_\w+#msg_\w+\.0">#\d+<\/a><\/p>/);
    assert.match(note!, /Where is my &lt;order&gt;\?/);
    const [link] = (await out.store.read.ticket(id))!.links;
    assert.deepEqual(
      [link!.externalId, link!.url],
      [String(deal().id), `https://acme.pipedrive.com/deal/${deal().id}`],
    );
  });

  it('signs in by a header, and shows the token in no address', async () => {
    await desk.write('one');
    await desk.settled(1);
    assert.ok(far.calls.every(({ path, headers }) => headers['x-api-token'] === TOKEN && !path.includes(TOKEN)));
  });

  describe('and the customer', () => {
    it('is the person with his address or number, the first of several, who stays as he is', async () => {
      const address = (value: string) => [{ value, primary: true, label: 'home' }];
      const about = { made: 0, changed: 0, custom_fields: {} };
      far.persons.push({ ...about, id: 40, name: 'Olena P.', emails: address('Olena@Example.com') });
      far.persons.push({ ...about, id: 9, name: 'Olena', emails: address('olena@example.com') });
      far.persons.push({ ...about, id: 5, name: 'Ihor', phones: address('+380671234567') });
      await desk.write('one', ['telegram|1', EMAIL]);
      await desk.write('two', ['telegram|2', PHONE]);
      await desk.settled(2);
      assert.deepEqual(far.deals.map((each) => each['person_id']).sort(), [5, 9]);
      assert.deepEqual([far.persons.length, far.persons[1]!['name']], [3, 'Olena']);
    });

    it('is nobody whose address was only typed, and is known again by our id', async () => {
      const emails = [{ value: 'olena@example.com', primary: true, label: 'work' }];
      far.persons.push({ id: 9, made: 0, changed: 0, custom_fields: {}, name: 'Olena', emails });
      const id = await desk.write('one', ['telegram|1', `${EMAIL}|claimed`]);
      await desk.settled(1);
      const mine = far.persons[1]!;
      assert.deepEqual([deal()['person_id'], 'emails' in mine], [mine.id, false]);
      await out.desk.updateTicket(id, { status: 'closed' }, 'user:usr_1');
      await out.pass(8 * DAY, DAY);
      await desk.write('two');
      await out.until(() => far.deals.length === 2);
      assert.deepEqual([far.persons.length, far.deals[1]!['person_id']], [2, mine.id]);
    });

    it('is not made twice where the search does not show him yet', async () => {
      far.indexedUntil = 0;
      far.end(PERSON, 'lost');
      await desk.write('one', ['telegram|1', EMAIL]);
      await out.until(() => far.persons.length > 0);
      await out.pass(8 * SECOND);
      await desk.settled(1);
      await desk.write('two', ['telegram|2', PHONE], { thread: { externalId: 'x', references: [] } });
      await desk.settled(2);
      await desk.write('three', ['telegram|3', PHONE], { thread: { externalId: 'y', references: [] } });
      await out.until(() => far.notes.length === 3);
      assert.deepEqual([far.persons.length, far.deals[0]!['person_id']], [2, far.persons[0]!.id]);
    });

    it('is nobody else whom a search shows besides', async () => {
      const item = { id: 7, type: 'person', emails: ['olena@example.com.ua'], phones: [], custom_fields: [] };
      const body = { success: true, data: { items: [{ result_score: 1, item }] } };
      far.end('GET /api/v2/persons/search', { http: 200, body });
      await desk.write('one', ['telegram|1', EMAIL]);
      await desk.settled(1);
      assert.deepEqual(deal()['person_id'], far.persons[0]!.id);
    });
  });

  describe('whose answer was lost', () => {
    for (const call of [CREATE, NOTE]) {
      it(`is asked what it has, which a search does not show yet: ${call}`, async () => {
        far.indexedUntil = 0;
        far.end(call, 'lost');
        await desk.write('one');
        await desk.write('two');
        await out.until(() => far.deals.length > 0);
        await out.pass(8 * SECOND);
        await desk.settled(2);
        assert.deepEqual([said(), calls(CREATE)], [[2], 1]);
      });
    }

    it('gets the note that its deal lacks', async () => {
      far.end(NOTE, 'cut', 'cut');
      await desk.write('one');
      await out.until(() => far.deals.length > 0);
      await out.pass(60 * SECOND);
      await desk.settled(1);
      assert.deepEqual([said(), calls(CREATE)], [[1], 1]);
    });

    it('makes no second deal where it was slowed down between deal and note', async () => {
      far.end(NOTE, { http: 429, headers: { 'retry-after': '1' } });
      await desk.write('one');
      await out.until(() => far.deals.length > 0);
      await out.pass(5 * SECOND);
      await desk.settled(1);
      assert.deepEqual([said(), calls(CREATE)], [[1], 1]);
    });

    it('is found by a search, however many deals were made since', async () => {
      far.end(NOTE, { http: 400 });
      const id = await desk.write('one');
      await out.until(() => far.deals.length > 0);
      await out.pass(SECOND);
      const [first] = far.deals;
      await out.pass(20 * HOUR, HOUR);
      const made = far.now() - 3 * HOUR;
      for (let i = 0; i < 600; i++) far.deals.push({ ...first!, id: 5000 + i, made, custom_fields: {} });
      const ticket = (await out.store.read.ticket(id))!;
      assert.equal(await desk.destination.findTicket!(ticket), undefined);
      await desk.write('two');
      await out.until(() => far.notes.length > 0);
      assert.deepEqual([far.notes[0]!.deal_id, far.deals.length], [first!.id, 601]);
      assert.match(far.notes[0]!.content, /one.*<hr>.*two/s);
    });

    it('means the first deal where somebody copied it, with our id in it', async () => {
      far.end(NOTE, 'cut');
      await desk.write('one');
      await out.until(() => far.deals.length > 0);
      far.deals.push({ ...deal(), id: 9000 });
      await out.pass(8 * SECOND);
      await desk.settled(1);
      assert.deepEqual(said(), [1, 0]);
    });

    it('is asked for a message however many notes came since, and takes a copy by a colleague for his', async () => {
      await desk.write('one');
      await desk.settled(1);
      const [copied] = far.said(deal().id);
      const id = (await out.store.read.tickets({}, { limit: 1 })).data[0]!.id;
      const [message] = (await out.store.read.messages(id, { limit: 1 })).data;
      const ref = { externalId: String(deal().id) };
      far.note(deal().id, copied!.replace(/\.0">/, '.5">'));
      assert.equal(await desk.destination.hasMessage!(ref, { ...message!, revision: 5 }), false);
      for (let i = 0; i < 600; i++) far.note(deal().id, `<p>${i}</p>`);
      assert.equal(await desk.destination.hasMessage!(ref, message!), true);
    });

    it('gets nothing twice that stands in its deal already when it is completed', async () => {
      const id = await desk.write('one');
      await desk.settled(1);
      const ticket = (await out.store.read.ticket(id))!;
      const [one] = (await out.store.read.messages(id, { limit: 1 })).data;
      const customer = (await out.store.read.customer(ticket.customer.id))!;
      const open = async () => Promise.reject(new Error('no files'));
      const two = { ...one!, id: 'msg_2', text: 'two' };
      await desk.destination.createTicket!({ id: 'x', ticket, customer, message: two, transcript: [one!], open });
      await desk.destination.createTicket!({ id: 'x', ticket, customer, message: two, transcript: [one!], open });
      assert.deepEqual([said(), far.said(deal().id)[1]!.includes('one')], [[2], false]);
    });
  });

  it('gets files on the deal, and names what it does not take, with a link', async () => {
    const files = ['a.txt', 'virus.exe'].map((name) => ({ id: name, name, mediaType: 'text/plain' }));
    out.addChannel('chat', { download: async ({ name }) => Readable.from([`bytes of ${name}`]) });
    await desk.write('zero');
    await desk.settled(1);
    const success = { success: true, data: { id: 1 } };
    far.end('POST /v1/files', { http: 200, body: success }, { http: 400, body: { error: 'type' } });
    await desk.write('see this', undefined, { attachments: files });
    await out.until(() => far.notes.length === 2);
    const [, note] = far.said(deal().id);
    assert.match(note!, /see this/);
    assert.doesNotMatch(note!, /a\.txt/);
    assert.match(note!, /virus\.exe .* is not attached: Pipedrive did not take it/);
    await desk.write('and this', undefined, { attachments: [files[0]!] });
    await out.until(() => far.notes.length === 3);
    assert.deepEqual(far.files, [{ deal: deal().id, name: 'a.txt', text: 'bytes of a.txt' }]);
  });

  it('gives each field its value in the type that it has, and leaves out what it can not hold', async () => {
    const fields = {
      [ORDER]: '/ticket/number',
      [COUNT]: { value: '4.5' },
      [TOPICS]: '/ticket/tags',
      [KIND]: { value: 'chat' },
      value: { value: '100' },
      currency: { value: 'UAH' },
      probability: { value: 'high' },
    };
    desk.use({ fields });
    const id = await desk.write('one');
    await desk.settled(1);
    const { [DEAL_ID]: ours, [ORDER]: order, [COUNT]: count, [KIND]: kind } = deal().custom_fields;
    const { number, customer: who, ...rest } = (await out.store.read.ticket(id))!;
    assert.deepEqual([ours, order, count, kind], [id, String(number), 4.5, 31]);
    assert.deepEqual([deal()['value'], deal()['currency'], 'probability' in deal()], [100, 'UAH', false]);
    const customer = (await out.store.read.customer(who.id))!;
    const [message] = (await out.store.read.messages(id, { limit: 1 })).data;
    const ticket = { ...rest, number, customer: who, id: 'tkt_other', tags: ['late', 'new here'] };
    const open = async () => Promise.reject(new Error('no files'));
    const about: Delivery = { id: 'x', ticket, customer, message: message!, transcript: [], open };
    await desk.destination.createTicket!(about);
    assert.deepEqual(far.deals[1]!.custom_fields[TOPICS], [7]);
  });

  describe('where a status changes', () => {
    const ticket = {} as never;
    const use = (given: object) => desk.use({ lostReason: 'No answer', ...given });
    const become = (status: string) =>
      desk.destination.update!({ externalId: String(deal().id) }, { id: 'u', ticket, status: status as 'open' });
    const patches = () => far.calls.filter(({ method }) => method === 'PATCH').map(({ body }) => body);
    beforeEach(async () => {
      await desk.write('one');
      await desk.settled(1);
    });

    it('leaves deals alone by default: they are sales figures', async () => {
      const before = far.calls.length;
      await become('solved');
      assert.equal(far.calls.length, before);
    });

    it('moves them to the stage or the outcome that is said, and only where they are not there', async () => {
      use({ statuses: { open: [2, 3], pending: 2, solved: 'won', closed: ['won', 'lost'] } });
      await become('open');
      await become('pending');
      far.move(deal().id, { stage_id: 3 });
      await become('open');
      await become('solved');
      await become('closed');
      assert.deepEqual(patches(), [{ stage_id: 2 }, { status: 'won' }]);
      use({ statuses: { closed: 'lost', open: 'open' } });
      await become('closed');
      await become('open');
      assert.deepEqual(patches().slice(2), [{ status: 'lost', lost_reason: 'No answer' }, { status: 'open' }]);
    });

    it('moves no deal to another stage that was won or lost', async () => {
      use({ statuses: { open: 2 } });
      far.move(deal().id, { status: 'lost' });
      await become('open');
      assert.deepEqual(patches(), []);
    });

    it('makes it where it belongs', async () => {
      use({ stageId: 1, statuses: { new: 3 } });
      await desk.write('two', 'telegram|2');
      await desk.settled(2);
      assert.equal(far.deals[1]!.stage_id, 3);
    });
  });

  describe('that has had enough', () => {
    const test = () => desk.destination.test!();
    const ME = 'GET /v1/users/me';
    const pause = async (ending: { http: number; headers?: Record<string, string>; body?: object | string }) => {
      far.end(ME, ending);
      const error = await test().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      assert.ok(error instanceof RateLimitedError, String(error));
      return error.retryAfterMs;
    };

    it('is left in peace until its window is over, and for an hour when the budget of the day is spent', async () => {
      assert.equal(
        await pause({ http: 429, headers: { 'x-ratelimit-reset': '2', 'x-ratelimit-remaining': '0' } }),
        2000,
      );
      assert.equal(await pause({ http: 429, headers: { 'x-ratelimit-reset': '0' } }), 1000);
      assert.equal(await pause({ http: 429, headers: { 'x-ratelimit-reset': '1795600000' } }), undefined);
      assert.equal(await pause({ http: 429, headers: { 'retry-after': '7', 'x-ratelimit-reset': '2' } }), 7000);
      const spent = { 'retry-after': '3', 'x-daily-ratelimit-token-remaining': '0' };
      assert.equal(await pause({ http: 429, headers: spent }), HOUR);
      assert.equal(await pause({ http: 429, headers: { ...spent, 'x-daily-ratelimit-token-remaining': '5' } }), 3000);
      assert.equal(await pause({ http: 429 }), undefined);
    });

    it('is left in peace for ten minutes when it shows its door instead of an answer', async () => {
      assert.equal(await pause({ http: 403, body: '\n<!DOCTYPE html><title>Blocked</title>' }), 10 * MINUTE);
      far.end(ME, { http: 403, body: { success: false, error: 'Scope and URL mismatch' } });
      await assert.rejects(test(), PermanentError);
    });

    it('asks for a person when the account is not paid for', async () => {
      far.end(ME, { http: 402 });
      await assert.rejects(test(), AuthExpiredError);
    });
  });

  describe('with an app', () => {
    const auth = () => ({
      type: 'oauth2',
      clientId: CLIENT.id,
      clientSecret: CLIENT.secret,
      refreshToken: FIRST_REFRESH_TOKEN,
      tokenUrl: `${far.root}/oauth/token`,
    });
    const egress = createHttp({ allow: ['127.0.0.1'] });
    after(() => {
      egress.close();
    });
    function open(secrets = fakeSecrets(), given: object = {}) {
      const settings = { companyDomain: 'acme', apiRoot: far.root, dealIdField: DEAL_ID, personIdField: PERSON_ID };
      const config = pipedrive.config.parse({ ...settings, auth: { ...auth(), ...given } });
      const context = fakeContext({ id: 'crm', clock: out.clock, http: egress.for({ hosts: [] }), secrets });
      return pipedrive.open(config, context) as { test(): Promise<string> };
    }
    const grants = () => calls('POST /oauth/token');

    it('stores the next refresh token before it uses the access token, and goes on with it', async () => {
      const kept = fakeSecrets();
      const stored: string[] = [];
      const before: number[] = [];
      const secrets = {
        load: kept.load,
        save: async (name: string, value: string) => {
          stored.push(value);
          before.push(calls('GET /v1/users/me'));
          await kept.save(name, value);
        },
      };
      await open(secrets).test();
      assert.deepEqual([stored, before], [[far.refreshToken], [0]]);
      await open(secrets).test();
      assert.deepEqual([grants(), stored.length, stored[1]], [2, 2, far.refreshToken]);
    });

    it('uses no access token whose refresh token could not be stored', async () => {
      const secrets = { load: async () => undefined, save: async () => Promise.reject(new Error('the disk is full')) };
      await assert.rejects(open(secrets).test(), /the disk is full/);
      assert.equal(calls('GET /v1/users/me'), 0);
    });

    it('asks for another access token when one ends, and when it is refused before its time', async () => {
      const destination = open();
      await destination.test();
      await destination.test();
      assert.equal(grants(), 1);
      far.accessToken = 'another';
      await destination.test();
      assert.equal(grants(), 2);
      await out.pass(HOUR, HOUR);
      await destination.test();
      assert.equal(grants(), 3);
    });

    it('goes on with the refresh token that another process got in the same moment', async () => {
      const kept = fakeSecrets();
      let late = true;
      const load = async (name: string) => {
        if (!late) return kept.load(name);
        late = false;
        // Between our look and our call the other one is quicker.
        await open(kept).test();
        return undefined;
      };
      await open({ load, save: kept.save }).test();
      assert.equal(grants(), 3);
    });

    it('asks for a person when its refresh token is worth nothing, and shows none of its secrets', async () => {
      const error: unknown = await open(fakeSecrets(), { refreshToken: 'an-old-one' })
        .test()
        .catch((thrown: unknown) => thrown);
      assert.ok(error instanceof AuthExpiredError, String(error));
      assert.doesNotMatch(JSON.stringify(error), /an-old-one|not-a-real/);
    });

    it('takes a newly entered refresh token instead of the successor of the old one', async () => {
      const secrets = fakeSecrets();
      await open(secrets).test();
      far.refreshToken = 'entered-anew';
      await open(secrets, { refreshToken: 'entered-anew' }).test();
      assert.equal(grants(), 2);
    });
  });

  it('says what is missing there: the token, our fields, fields of the mapping, a stage', async () => {
    assert.match(await desk.destination.test!(), /knows the token as Tributary/);
    await assert.rejects(desk.open({ auth: { type: 'token', token: 'wrong' } }).test!(), AuthExpiredError);
    await assert.rejects(desk.open({ dealIdField: 'f'.repeat(40) }).test!(), /of deals is not there/);
    await assert.rejects(desk.open({ dealIdField: TOPICS }).test!(), /of the type set, which is not searched/);
    await assert.rejects(desk.open({ personIdField: DEAL_ID }).test!(), /of persons is not there/);
    const unknown = { [ORDER]: '/ticket/number', ['b'.repeat(40)]: '/ticket/number' };
    await assert.rejects(desk.open({ fields: unknown }).test!(), new RegExp(`no field ${'b'.repeat(40)} in`));
    await assert.rejects(desk.open({ statuses: { open: [2, 99] } }).test!(), /has no stage 99/);
    await assert.rejects(desk.open({ stageId: 98 }).test!(), /has no stage 98/);
    await assert.rejects(desk.open({ pipelineId: 5 }).test!(), /the pipeline 5 has no stages/);
    await assert.rejects(desk.open({ pipelineId: 5, stageId: 1 }).test!(), /the pipeline 5 has no stage 1/);
    assert.throws(() => desk.open({ fields: { title: '/ticket/subject' } }));
    assert.throws(() => desk.open({ webhook: { user: 'a:b', password: 'x' } }));
  });

  it('shows beforehand what it would send, and sends nothing', async () => {
    const id = await desk.write('one', ['telegram|1', EMAIL]);
    await desk.settled(1);
    const before = far.calls.length;
    const ticket = (await out.store.read.ticket(id))!;
    const message = (await out.store.read.messages(id, { limit: 1 })).data[0]!;
    const customer = (await out.store.read.customer(ticket.customer.id))!;
    const open = async () => Promise.reject(new Error());
    const about: Delivery = { id: 'x', ticket, customer, message, transcript: [], open };
    const { method, url, body } = await desk.open({ fields: { [ORDER]: '/ticket/number' } }).preview!(about);
    assert.deepEqual([method, url], ['POST', `${far.root}/api/v2/deals`]);
    const { custom_fields: custom, person_id: who } = body as { custom_fields: object; person_id: string };
    assert.deepEqual(custom, { [ORDER]: String(ticket.number), [DEAL_ID]: id });
    assert.deepEqual([who, far.calls.length], ['(olena@example.com)', before]);
  });
});
