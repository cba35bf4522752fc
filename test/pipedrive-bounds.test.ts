import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { RetryableError, UncertainError } from '../src/core/errors.ts';
import { pipedrive } from '../src/dispatch/pipedrive/pipedrive.ts';
import { openDestinationDesk, type DestinationDesk } from './fakes/destination-desk.ts';
import type { Outgoing } from './fakes/outgoing.ts';
import { DEAL_ID, PERSON_ID, readPipedrive, startPipedrive, TOKEN } from './fakes/pipedrive.ts';
import type { Descriptions, FakePipedrive } from './fakes/pipedrive.ts';

const SECOND = 1000;
const NEVER = new AbortController().signal;
const DEALS = 'GET /api/v2/deals';

describe('Pipedrive where there is much, or something else than usual', () => {
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
      dealIdField: DEAL_ID,
      personIdField: PERSON_ID,
      statuses: { open: 2 },
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
  const calls = (what: string) =>
    far.calls.filter(({ method, path }) => `${method} ${path.split('?')[0]!}` === what).length;
  const time = () => `${new Date(out.clock.now()).toISOString().slice(0, 19)}Z`;
  /** A page of one deal that isn't ours, and never the last one. */
  const endless = () => {
    const other = { id: 7, status: 'open', stage_id: 1, add_time: time(), update_time: time(), custom_fields: {} };
    return { http: 200, body: { success: true, data: [other], additional_data: { next_cursor: 'more' } } };
  };

  it('gets a file again that came with the message before', async () => {
    const photo = { id: 'p', name: 'photo.jpg', mediaType: 'image/jpeg' };
    out.addChannel('chat', { download: async () => Readable.from(['bytes']) });
    await desk.write('zero');
    await desk.write('see this', undefined, { attachments: [photo] });
    await out.until(() => far.notes.length === 2);
    await desk.write('and this', undefined, { attachments: [photo] });
    await out.until(() => far.notes.length === 3);
    assert.equal(far.files.length, 2);
  });

  it('gets each of two files that are alike, also after a try that brought only one', async () => {
    const files = ['a', 'b'].map((id) => ({ id, name: 'photo.jpg', mediaType: 'image/jpeg' }));
    out.addChannel('chat', { download: async () => Readable.from(['bytes']) });
    await desk.write('zero');
    await desk.settled(1);
    await out.pass(2 * SECOND);
    far.end('POST /v1/files', 'lost');
    await desk.write('see these', undefined, { attachments: files });
    await out.until(() => far.notes.length === 2);
    assert.equal(far.files.length, 2);
  });

  it('finds a deal behind a page of newer ones', async () => {
    far.indexedUntil = 0;
    far.end('POST /api/v2/deals', 'lost');
    await desk.write('one');
    await out.until(() => far.deals.length > 0);
    for (let i = 0; i < 600; i++) far.deals.push({ ...deal(), id: 5000 + i, custom_fields: {} });
    await out.pass(8 * SECOND);
    await desk.settled(1);
    assert.deepEqual([calls('POST /api/v2/deals'), far.said(deal().id).length], [1, 1]);
  });

  it('looks no further back than what a search may not show yet', async () => {
    const id = await desk.write('one');
    await desk.settled(1);
    const made = out.clock.now() - 2 * 3600 * SECOND;
    for (let i = 0; i < 600; i++) far.deals.push({ ...deal(), id: 5000 + i, made, custom_fields: {} });
    const before = calls(DEALS);
    await desk.destination.findTicket!((await out.store.read.ticket(id))!);
    assert.equal(calls(DEALS) - before, 1);
  });

  it('makes no deal where nobody can say whether it is there', async () => {
    far.end(DEALS, ...Array.from({ length: 20 }, endless));
    const id = await desk.write('one');
    await out.until(() => calls(DEALS) === 20);
    await out.pass(SECOND);
    assert.deepEqual([far.deals.length, (await out.deliveries({ state: 'needs_check' })).length], [0, 1]);
    far.end(DEALS, ...Array.from({ length: 20 }, endless));
    const ticket = (await out.store.read.ticket(id))!;
    await assert.rejects(async () => desk.destination.findTicket!(ticket), UncertainError);
  });

  it('goes on with changed deals where it can not look through all at once', async () => {
    const { cursor } = await desk.destination.poll!(undefined, NEVER);
    far.end(DEALS, ...Array.from({ length: 20 }, endless));
    const one = await desk.destination.poll!(cursor, NEVER);
    const two = await desk.destination.poll!(one.cursor, NEVER);
    assert.deepEqual([one.more, two.more], [true, false]);
    const { deals: from } = JSON.parse(cursor) as { deals: number };
    const { deals: to } = JSON.parse(one.cursor) as { deals: number };
    assert.ok(to > from);
  });

  it('asks after a note whose answer was nonsense, and adds it where it is not there', async () => {
    await desk.write('one');
    await desk.settled(1);
    far.end('POST /v1/notes', { http: 200, body: { hello: 'there' } });
    await desk.write('two');
    await out.pass(10 * SECOND);
    await desk.settled(2);
    assert.deepEqual([calls('GET /v1/notes'), far.said(deal().id).length], [1, 2]);
  });

  it('takes no answer for one that says itself that it is none', async () => {
    far.end('GET /v1/users/me', { http: 200, body: { success: false, data: { id: 1 } } });
    await assert.rejects(desk.destination.test!(), RetryableError);
  });

  it('sends a file again that was not refused, but could not be sent', async () => {
    out.addChannel('chat', { download: async () => Readable.from(['bytes']) });
    await desk.write('zero');
    await desk.settled(1);
    far.end('POST /v1/files', { http: 503 });
    await desk.write('see', undefined, { attachments: [{ id: 'a', name: 'a.txt', mediaType: 'text/plain' }] });
    await out.until(() => far.calls.some(({ path }) => path === '/v1/files'));
    await out.pass(10 * SECOND);
    await out.until(() => far.notes.length === 2);
    assert.deepEqual([far.files.length, far.said(deal().id)[1]!.includes('a.txt')], [1, false]);
  });

  it('sends no file again whose note could not be written, and any other one that is called the same', async () => {
    out.addChannel('chat', { download: async ({ id }) => Readable.from([id]) });
    const file = (id: string) => ({ attachments: [{ id, name: 'a.txt', mediaType: 'text/plain' }] });
    await desk.write('zero');
    await desk.settled(1);
    await out.pass(2 * SECOND);
    far.end('POST /v1/notes', { http: 429, headers: { 'retry-after': '1' } }, { http: 503 });
    await desk.write('one', undefined, file('one'));
    await out.until(() => far.files.length > 0);
    await out.pass(60 * SECOND);
    await out.until(() => far.notes.length === 2);
    await desk.write('other', undefined, file('other'));
    await out.until(() => far.notes.length === 3);
    await out.pass(600 * SECOND, 60 * SECOND);
    await desk.write('again', undefined, file('one'));
    await out.until(() => far.notes.length === 4);
    assert.deepEqual(
      far.files.map(({ text }) => text),
      ['one', 'other', 'one'],
    );
    assert.ok(far.said(deal().id).every((note) => !note.includes('a.txt')));
  });

  it('knows a number by its digits', async () => {
    const item = { id: 5, type: 'person', emails: [], phones: ['+380 (67) 123-45-67'], custom_fields: [] };
    far.persons.push({ id: 5, made: 0, changed: 0, custom_fields: {}, name: 'Ihor' });
    const body = { success: true, data: { items: [{ result_score: 1, item }] } };
    far.end('GET /api/v2/persons/search', { http: 200, body });
    await desk.write('one', ['telegram|1', 'phone|+380671234567']);
    await desk.settled(1);
    assert.deepEqual([deal()['person_id'], far.persons.length], [5, 1]);
  });
});
