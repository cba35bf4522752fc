import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { facebookLeads } from '../src/connectors/meta/facebook-leads/facebook-leads.ts';
import { FIRST_MS, OVERLAP_MS } from '../src/connectors/meta/facebook-leads/poll.ts';
import type { Channel } from '../src/core/connector.ts';
import { Item } from '../src/core/envelope.ts';
import type { EnvelopeInput, ItemInput } from '../src/core/envelope.ts';
import type { PermanentError } from '../src/core/errors.ts';
import { AuthExpiredError, BadPayloadError, RateLimitedError, RetryableError } from '../src/core/errors.ts';
import { parseJson } from '../src/core/json.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeClock, type FakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import { refusal, TOKEN } from './fakes/meta.ts';
import { startLeads, type FakeForm, type FakeLead, type FakeLeads } from './fakes/meta-leads.ts';
import { samplePayload } from './fakes/samples.ts';
import { until } from './fakes/until.ts';
import { APP_SECRET, VERIFY_TOKEN } from './fakes/whatsapp.ts';
import { startWhole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

const PAGE = '102290129340011';
const FORM = '447000000000001';
const NOW = Date.parse('2026-11-22T10:00:00Z');
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const SIGNAL = new AbortController().signal;
const SHARED = join(import.meta.dirname, '../../shared/fixtures');

function lead(id: string, at: number, email = `${id}@example.com`): FakeLead {
  const created_time = new Date(at).toISOString().replace('.000Z', '+0000');
  return { id, created_time, field_data: [{ name: 'email', values: [email] }] };
}

const formOf = (...leads: unknown[]): FakeForm => ({ name: 'Kitchens', leads });

describe("Facebook's lead forms, against a stand-in that takes what Meta's documentation names", () => {
  let meta: FakeLeads;
  let egress: Egress;
  let clock: FakeClock;
  let cursor: string | undefined;
  beforeEach(async () => {
    clock = fakeClock(NOW);
    cursor = undefined;
    meta = await startLeads(PAGE);
    egress = createHttp({ allow: ['127.0.0.1'], clock, userAgent: 'Tributary' });
  });
  afterEach(async () => {
    egress.close();
    await meta.close();
    assert.deepEqual(meta.violations, []);
  });

  async function open(settings: object = {}): Promise<Channel> {
    const config = facebookLeads.config.parse({
      pageId: PAGE,
      pageAccessToken: TOKEN,
      apiRoot: meta.root,
      ...settings,
    });
    return facebookLeads.open(config, fakeContext({ id: 'leads', clock, http: egress.for({ hosts: [] }) }));
  }
  const webhook = { appSecret: APP_SECRET, verifyToken: VERIFY_TOKEN };

  /** One poll, as the host makes it. */
  async function once(channel: Channel): Promise<{ items: ItemInput[]; more: boolean }> {
    const page = await channel.poll!(cursor, SIGNAL);
    cursor = page.cursor;
    const items = page.items.flatMap(
      ({ body }) => channel.normalize(samplePayload(body, {}, { method: 'POLL' })) as ItemInput[],
    );
    return { items, more: page.more === true };
  }
  /** A whole pass: what came, by id. */
  async function pass(given?: Channel): Promise<string[]> {
    const channel = given ?? (await open());
    const found: string[] = [];
    for (let polls = 0; polls < 200; polls++) {
      const { items, more } = await once(channel);
      found.push(
        ...items.map((item) => (item.kind === 'form' ? item.externalId : `${item.kind} ${JSON.stringify(item)}`)),
      );
      if (!more) return found;
    }
    throw new Error('the pass never ends');
  }

  it('gives each lead once, the oldest of a page first, however often it is asked', async () => {
    meta.forms.set(FORM, formOf(lead('1', NOW - 5 * MINUTE), lead('2', NOW - 3 * MINUTE)));
    meta.forms.set('447000000000002', formOf(lead('3', NOW - 4 * MINUTE)));
    assert.deepEqual(await pass(), ['lead:1', 'lead:2', 'lead:3']);
    for (let times = 0; times < 100; times++) assert.deepEqual(await pass(), []);
    meta.forms.get(FORM)!.leads.push(lead('4', NOW));
    assert.deepEqual(await pass(), ['lead:4']);
  });

  it('begins with the leads of the last day, also of a form that comes later', async () => {
    meta.forms.set(FORM, formOf(lead('old', NOW - FIRST_MS - 1000), lead('new', NOW - FIRST_MS + 1000)));
    assert.deepEqual(await pass(), ['lead:new']);
    await clock.advance(3 * DAY);
    meta.forms.set('447000000000002', formOf(lead('a', NOW - FIRST_MS - 1000), lead('b', NOW + 1000)));
    assert.deepEqual(await pass(), ['lead:b']);
  });

  it('gives what Meta lists late, and doesn’t ask for what lies further back', async () => {
    meta.forms.set(FORM, formOf(lead('1', NOW - MINUTE)));
    await pass();
    assert.ok(cursor!.includes('"1"'));
    await clock.advance(10 * MINUTE);
    const late = lead('late', NOW - OVERLAP_MS + 2000);
    meta.forms.get(FORM)!.leads.push(late);
    assert.deepEqual(await pass(), ['lead:late']);
    await clock.advance(2 * OVERLAP_MS);
    await pass();
    meta.forms.get(FORM)!.leads.push(lead('too late', NOW));
    assert.deepEqual(await pass(), []);
    assert.ok(!cursor!.includes('"1"'), 'what is not asked for again is not remembered');
  });

  it('gives everything after a downtime, page by page', async () => {
    meta.forms.set(FORM, formOf());
    await pass();
    const missed = Array.from({ length: 120 }, (_, index) => lead(String(index), NOW + index * MINUTE));
    meta.forms.get(FORM)!.leads.push(...missed);
    await clock.advance(30 * DAY);
    const channel = await open();
    const found = (await once(channel)).items.map((item) => (item as EnvelopeInput).externalId);
    assert.ok(!cursor!.includes('119'), 'only what may be listed again is remembered');
    found.push(...(await pass(channel)));
    assert.deepEqual(new Set(found), new Set(missed.map(({ id }) => `lead:${id}`)));
    assert.equal(found.length, 120);
    assert.deepEqual(await pass(), []);
  });

  it('misses nothing that came while a form had more pages', async () => {
    meta.forms.set(
      FORM,
      formOf(...Array.from({ length: 60 }, (_, index) => lead(String(index), NOW - index * MINUTE))),
    );
    const channel = await open();
    assert.equal((await once(channel)).items.length, 50);
    await clock.advance(5 * 60 * MINUTE);
    meta.forms.get(FORM)!.leads.push(lead('meanwhile', NOW + MINUTE));
    const found = [...(await pass(channel)), ...(await pass(channel))];
    assert.ok(found.includes('lead:meanwhile'));
  });

  it('ends where the list of Meta’s never does', async () => {
    meta.forms.set(FORM, formOf(lead('1', NOW)));
    const channel = await open();
    await once(channel);
    meta.stuck = 'leads';
    meta.forms.get(FORM)!.leads.push(lead('2', NOW));
    assert.deepEqual(await pass(channel), ['lead:2']);
    meta.stuck = 'leadgen_forms';
    await assert.rejects(once(channel), RetryableError);
    assert.ok(meta.asked.length < 200);
  });

  it('forgets forms that are gone, also within a pass', async () => {
    meta.forms.set(FORM, formOf(lead('1', NOW)));
    meta.forms.set('447000000000002', formOf(lead('2', NOW)));
    meta.forms.set('447000000000003', formOf(lead('3', NOW)));
    const channel = await open();
    await once(channel);
    meta.forms.delete(FORM);
    meta.forms.delete('447000000000002');
    assert.deepEqual(await pass(channel), ['lead:3']);
    assert.ok(!cursor!.includes(FORM));
  });

  it('asks in whole seconds, and reads long answers as far as an envelope goes', async () => {
    await clock.advance(123);
    const long = (name: string, values: readonly string[]) => ({ name, values });
    const questions = Array.from({ length: 30 }, (_, index) => ({ key: `mail${index}`, type: 'EMAIL' }));
    const field_data = [
      long('full_name', ['Ж'.repeat(5000)]),
      long('x'.repeat(300), ['y'.repeat(1_100_000)]),
      long('x'.repeat(301), ['', 'z']),
      ...questions.map(({ key }) => long(key, [`${key}@${'a'.repeat(600)}.test`])),
    ];
    meta.forms.set(FORM, { name: 'F'.repeat(2000), questions, leads: [{ ...lead('1', NOW), field_data }] });
    const { items } = await once(await open());
    const item = Item.parse(items[0]) as EnvelopeInput;
    assert.equal(item.sender.identifiers.length, 20);
    assert.deepEqual(Object.entries(item.fields!).slice(-2), [
      ['x'.repeat(190), 'y'.repeat(10_000)],
      [`${'x'.repeat(190)} (2)`, 'z'],
    ]);
    await pass();
    await clock.advance(2 * OVERLAP_MS);
    await pass();
  });

  it('reads a form from its beginning where its place was forgotten meanwhile', async () => {
    meta.forms.set(
      FORM,
      formOf(...Array.from({ length: 120 }, (_, index) => lead(String(index), NOW - index * MINUTE))),
    );
    const channel = await open();
    await once(channel);
    meta.forgetful = 1;
    const found = await pass(channel);
    assert.deepEqual(
      found.filter((id) => !id.startsWith('lead:')),
      [],
    );
    for (let index = 50; index < 120; index++) assert.ok(found.includes(`lead:${index}`), `${index}`);
    assert.deepEqual(await pass(channel), []);
  });

  it('gives up a form whose second page never comes, until the next pass', async () => {
    meta.forms.set(
      FORM,
      formOf(...Array.from({ length: 60 }, (_, index) => lead(String(index), NOW - index * MINUTE))),
    );
    meta.forms.set('447000000000002', formOf(lead('other', NOW)));
    const channel = await open();
    const found: ItemInput[] = [];
    let more = true;
    for (let polls = 0; more && polls < 20; polls++) {
      const poll = await once(channel);
      found.push(...poll.items);
      more = poll.more;
      meta.forgetful = Infinity;
    }
    assert.equal(more, false);
    assert.ok(found.some((item) => item.kind === 'broken'));
    assert.ok(found.some((item) => item.kind === 'form' && item.externalId === 'lead:other'));
    meta.forgetful = 0;
    assert.equal((await pass(channel)).filter((id) => id === 'lead:59').length, 1);
    assert.deepEqual(await pass(channel), []);
  });

  it('goes on with the other forms where Meta refuses one, says so once, and misses nothing of it', async () => {
    meta.forms.set(FORM, { ...formOf(), refused: refusal(400, 100, 'Unsupported get request', 33) });
    meta.forms.set('447000000000002', formOf(lead('1', NOW)));
    const [broken, ...others] = await pass();
    assert.match(broken!, /broken .*\/forms\/447000000000001.*100\/33/);
    assert.deepEqual(others, ['lead:1']);
    assert.deepEqual(await pass(), []);
    meta.forms.get(FORM)!.leads.push(lead('2', NOW + MINUTE));
    await clock.advance(5 * DAY);
    assert.deepEqual(await pass(), []);
    delete meta.forms.get(FORM)!.refused;
    assert.deepEqual(await pass(), ['lead:2']);
  });

  it('sets aside what it can’t read, alone and once', async () => {
    const timeless = { ...lead('timeless', NOW), created_time: 'yesterday' };
    meta.forms.set(FORM, formOf(lead('1', NOW), { created_time: '2026-11-22T09:00:00+0000' }, timeless));
    const channel = await open();
    const page = await channel.poll!(undefined, SIGNAL);
    assert.equal(page.items.length, 3);
    const [unreadable, readable] = page.items.map(
      ({ body }) =>
        () =>
          channel.normalize(samplePayload(body, {}, { method: 'POLL' })) as ItemInput[],
    );
    assert.throws(() => readable!());
    assert.equal((unreadable!()[0] as EnvelopeInput).externalId, 'lead:1');
    assert.deepEqual((await channel.poll!(page.cursor, SIGNAL)).items, []);
  });

  it('takes forms by the hundred', async () => {
    for (let index = 0; index < 130; index++) meta.forms.set(String(5_000_000 + index), formOf());
    meta.forms.set('6000000', formOf(lead('last', NOW)));
    assert.deepEqual(await pass(), ['lead:last']);
    const lists = meta.asked.filter((path) => path.endsWith('/leadgen_forms'));
    assert.equal(lists.length, 2 * 3, 'two polls, three pages of forms each');
  });

  it('is told what Meta says: that the token has ended, that it shall wait', async () => {
    meta.forms.set(FORM, formOf());
    const ended = await open({ pageAccessToken: 'EAAG-another-token' });
    await assert.rejects(once(ended), AuthExpiredError);
    meta.forms.get(FORM)!.refused = refusal(400, 80005, 'There have been too many leadgen api calls');
    await assert.rejects(async () => once(await open()), RateLimitedError);
  });

  it('says what it is worth: how many forms there are, and that Meta tells of leads', async () => {
    meta.forms.set(FORM, formOf(lead('1', NOW)));
    assert.equal(await (await open()).test!(), 'Kettle & Co answers, with 1 form');
    const told = await open({ webhook });
    await assert.rejects(told.test!(), (error: PermanentError) => /no app is told/.test(error.message));
    await told.connect!(SIGNAL);
    assert.equal(await told.test!(), 'Kettle & Co answers, with 1 form');
    meta.forms.get(FORM)!.refused = refusal(403, 200, 'Requires leads_retrieval permission');
    await assert.rejects(told.test!(), AuthExpiredError);
    assert.equal((await open()).connect, undefined, 'what is only asked needs no subscription');
  });

  it('makes one message of a lead that is told of a hundred times, and asks for it at once', async () => {
    meta.forms.set(FORM, { ...formOf(), questions: [{ key: 'имя', label: 'Имя', type: 'FULL_NAME' }] });
    const yaml = `  - { id: leads, type: facebook_leads, pageId: '${PAGE}', pageAccessToken: '${TOKEN}', apiRoot: '${meta.root}', webhook: { appSecret: '${APP_SECRET}', verifyToken: '${VERIFY_TOKEN}' } }\n`;
    const whole = await startWhole({ yaml });
    try {
      await until(async () => meta.asked.some((path) => path.endsWith('/leads')), 'the first pass');
      const field_data = [
        { name: 'имя', values: ['Олена'] },
        { name: 'phone_number', values: ['+380671234567'] },
        { name: 'city', values: ['Львів'] },
      ];
      meta.forms.get(FORM)!.leads.push({ ...lead('77', Math.floor(Date.now() / 1000) * 1000), field_data, ad_id: '9' });
      const value = { leadgen_id: 77, form_id: Number(FORM), page_id: Number(PAGE), created_time: 1 };
      const body = { object: 'page', entry: [{ id: PAGE, time: 1, changes: [{ field: 'leadgen', value }] }] };
      for (let times = 0; times < 100; times++) {
        assert.equal(await meta.deliver(`${whole.running.url}/webhooks/leads`, body), 200);
      }
      const { data } = await until(async () => {
        const tickets = await whole.api<{ data: { id: string; subject: string }[] }>('/tickets');
        return tickets.data.length > 0 ? tickets : undefined;
      }, 'the ticket');
      assert.deepEqual(
        data.map(({ subject }) => subject),
        ['Kitchens'],
      );
      const messages = await whole.api<{ data: { text: string; fields: object; author: { name: string } }[] }>(
        `/tickets/${data[0]!.id}/messages`,
      );
      assert.equal(messages.data.length, 1);
      assert.equal(messages.data[0]!.text, 'Имя: Олена\nphone_number: +380671234567\ncity: Львів');
      assert.deepEqual(messages.data[0]!.fields, { form: FORM, form_name: 'Kitchens', ad: '9', city: 'Львів' });
      await whole.restart();
      await until(async () => meta.asked.at(-1)?.endsWith('/leads'), 'a pass after the restart');
      assert.equal((await whole.api<{ data: object[] }>('/tickets')).data.length, 1);
    } finally {
      await whole.close();
    }
  });

  it('answers only Meta’s own question, and believes only what it signed', async () => {
    const { webhook: told, normalize } = await open({ webhook });
    const ask = (token: string) =>
      told!.challenge!({
        ...samplePayload(''),
        method: 'GET',
        url: `/webhooks/leads?hub.mode=subscribe&hub.challenge=77&hub.verify_token=${token}`,
      });
    assert.equal(((await ask(VERIFY_TOKEN)) as { body: string }).body, '77');
    assert.equal(((await ask('other')) as { status: number }).status, 403);
    assert.throws(() => told!.verify(samplePayload('{}')), BadPayloadError);
    assert.equal(told!.maxBytes, 4 * 1024 * 1024);
    const items = await normalize(samplePayload({ object: 'user', entry: [{ id: PAGE, changes: [] }] }));
    assert.deepEqual(items, [{ kind: 'ignored', name: 'user', reason: 'not about page' }]);
  });

  it('is woken by the notification that was collected', async function () {
    const file = join(SHARED, 'messenger-instagram/restfb/webhooks/leadgen.json');
    skipUnless(this, existsSync(file), 'the collected fixtures are not beside the repository');
    const body = readFileSync(file);
    const { entry } = parseJson(body) as { entry: { id: string }[] };
    const channel = await open({ pageId: entry[0]!.id, webhook });
    assert.deepEqual(await channel.normalize(samplePayload(body)), [{ kind: 'wake' }]);
  });
});
