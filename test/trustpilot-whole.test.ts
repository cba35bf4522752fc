import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { fakeLog } from './fakes/context.ts';
import { AUTHOR, KEYS, startTrustpilot, UNIT } from './fakes/trustpilot.ts';
import type { FakeTrustpilot } from './fakes/trustpilot.ts';
import { until } from './fakes/until.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

const COLLECTED = join(import.meta.dirname, '../../shared/fixtures/reviews/trustpilot/trustpilot-review-events.json');
const TOKEN = '0f8c6b1f4c6c9f3a2f3f2b6f1d576d0f';

type List<T> = { readonly data: readonly T[] };

describe('Trustpilot, through a whole gateway', () => {
  let vendor: FakeTrustpilot;
  let whole: Whole;
  const log = fakeLog();
  beforeEach(async () => {
    vendor = await startTrustpilot();
    vendor.now = Date.now();
    const keys = `apiKey: "${KEYS.apiKey}", apiSecret: "${KEYS.apiSecret}", token: "${TOKEN}"`;
    const yaml = `  - { id: tp, type: trustpilot, businessUnit: ${UNIT}, author: ${AUTHOR}, ${keys}, apiRoot: "${vendor.root}" }\n`;
    whole = await startWhole({ yaml, env: { PUBLIC_URL: 'https://desk.example.com' }, log });
    // The first time it has been read: the next time is in a quarter of an hour.
    await until(() => vendor.calls.length >= 1, 'it is read');
  });
  afterEach(async () => {
    await whole.close();
    await vendor.close();
    assert.deepEqual(vendor.violations, []);
    for (const secret of [TOKEN, ...Object.values(KEYS), 'tp.1']) {
      assert.ok(!JSON.stringify(log.entries).includes(secret), 'a secret is in the log');
    }
  });

  const push = async (body: string, path = `tp/${TOKEN}`) => {
    const headers = { 'content-type': 'application/json' };
    return (await fetch(`${whole.running.url}/webhooks/${path}`, { method: 'POST', headers, body })).status;
  };
  const eventOf = (eventName: string, id = 'a1') => ({ eventName, version: '1', eventData: { id, stars: 1 } });
  const news = (...names: string[]) => JSON.stringify({ events: names.map((name) => eventOf(name)) });
  const tickets = async () => (await whole.api<List<Ticket>>('/tickets')).data;
  const messages = async (id: string) => (await whole.api<List<Message>>(`/tickets/${id}/messages`)).data;
  const outcomes = async () =>
    (await whole.api<List<LedgerEvent>>('/events?limit=200')).data.map(({ outcome }) => outcome).toReversed();

  it('fetches what a push only tells of, edits and deletions too, and answers it', async () => {
    const review = { title: 'Slow', text: 'It took weeks', stars: 2, createdAt: Date.now() };
    vendor.reviews.set('a1', review);
    assert.equal(await push(news('service-review-created')), 200);
    await until(async () => (await tickets()).length === 1, 'a ticket');
    const [{ id }] = (await tickets()) as [Ticket];
    const [first] = await messages(id);
    assert.deepEqual([first!.text, first!.review!.rating], ['It took weeks', 2], 'not what the push says');

    Object.assign(review, { text: 'It took months', updatedAt: Date.now() });
    assert.equal(await push(news('service-review-updated')), 200);
    await until(async () => (await messages(id))[0]!.text === 'It took months', 'the edit');

    await whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Sorry.' } });
    await until(() => vendor.reviews.get('a1')!.reply !== undefined, 'the answer');
    assert.equal(vendor.reviews.get('a1')!.reply!.author, AUTHOR);

    // The list ends before the oldest one that is missing: another one has to be older.
    vendor.reviews.set('a0', { ...review, createdAt: review.createdAt - 1000 });
    vendor.reviews.delete('a1');
    await until(async () => {
      await push(news('service-review-deleted'));
      return (await messages(id)).some(({ deletedAt }) => deletedAt !== null);
    }, 'the deletion');
  });

  it('takes nothing from who doesn’t know the address, and only news of service reviews', async () => {
    const before = vendor.calls.length;
    assert.equal(await push(news('service-review-created'), `tp/${'x'.repeat(32)}`), 401);
    assert.equal(await push(news('service-review-created'), 'tp'), 401);
    assert.equal(await push(news('product-review-created', 'foo')), 200);
    assert.equal(await push(JSON.stringify({ events: [{}, eventOf('foo')] })), 200);
    assert.equal(await push('{"nothing": "of it"}'), 200, 'authentic, and set aside');
    assert.deepEqual((await outcomes()).toSorted(), ['ignored', 'ignored', 'ignored', 'quarantined', 'quarantined']);
    assert.equal(vendor.calls.length, before, 'nothing is fetched for it');
  });

  it('reads the payload that was collected', async function () {
    skipUnless(this, existsSync(COLLECTED), 'the collected fixtures are not beside the repository');
    const body = readFileSync(COLLECTED, 'utf8');
    const { events } = JSON.parse(body) as { events: { eventData: { id: string; stars: number; text: string } }[] };
    const { id, stars, text } = events[0]!.eventData;
    vendor.reviews.set(id, { title: null, text, stars, createdAt: Date.now() });
    assert.equal(await push(body), 200);
    await until(async () => (await tickets()).length === 1, 'a ticket');
    assert.equal(await push(body), 200);
    await until(() => vendor.calls.length >= 3, 'it is fetched again');
    const said = await outcomes();
    assert.equal(said.filter((outcome) => outcome === 'ticket_created').length, 1);
    assert.ok(said.includes('ignored'), 'the event of a kind that is unknown');
    assert.ok(!said.includes('quarantined'));
  });
});
