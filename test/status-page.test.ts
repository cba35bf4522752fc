import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { statusTicketOf, statusUrlOf } from '../src/core/status-page.ts';
import { ticketStatuses } from '../src/core/ticket.ts';
import { startApi, type Reply, type StartedApi } from './fakes/api.ts';
import { sampleTicket } from './fakes/gateway.ts';
import { placeOf } from './fakes/status-pages.ts';

const id = (letter: string) => `tkt_${letter.repeat(26)}`;
const ASKED = Date.parse('2026-11-22T09:00:00Z');
const ANSWERED = Date.parse('2026-11-22T09:30:00Z');
const DAY = 86_400_000;

describe('the page of a request', () => {
  let api: StartedApi;
  let progress: { askedAt: number | null; answeredAt: number | null; closedAt: number | null };
  beforeEach(async () => {
    api = await startApi();
    progress = { askedAt: ASKED, answeredAt: null, closedAt: null };
    Object.assign(api.gateway.store.read, { progress: async () => progress });
    ticket({ id: id('a'), number: 1042, subject: 'Where is my order?' });
  });
  afterEach(() => api.stop());

  const ticket = (given: Parameters<typeof sampleTicket>[0]) =>
    api.gateway.state.tickets.set(given!.id!, sampleTicket(given));
  const addressOf = (ticketId: string) =>
    statusUrlOf(api.gateway.statusPages, ticketId).slice(api.gateway.publicUrl.length);
  const open = (address: string, headers: Record<string, string> = {}, method = 'GET') =>
    api.send(method, address, { key: null, headers });
  const see = async (ticketId = id('a'), headers: Record<string, string> = {}, query = '') => {
    const reply = await open(`${addressOf(ticketId)}${query}`, headers);
    assert.equal(reply.status, 200, reply.text);
    return reply.text;
  };
  /** Names and values of the list. */
  const factsOf = (page: string) =>
    Object.fromEntries(
      [...page.matchAll(/<dt>(.*?)<\/dt><dd>(?:<time datetime="(.*?)">)?(.*?)(?:<\/time>)?<\/dd>/g)].map(
        ([, name, time, text]) => [name, time ?? text],
      ),
    );
  const stageOf = (page: string) => /<h2>(.*?)<\/h2>/.exec(page)![1];
  const stepOf = (page: string) => /aria-current="step">(.*?)</.exec(page)![1];

  it('shows its number, what it is about, how far it is, who works on it, and when what happened', async () => {
    ticket({ id: id('a'), number: 1042, status: 'open', assignee: 'Iryna K.', team: 'Billing', subject: 'My order' });
    progress = { ...progress, answeredAt: ANSWERED };
    const page = await see();
    assert.match(page, /<h1>Request No\. 1042<\/h1>\s*<p class="subject">My order<\/p>/);
    assert.deepEqual([stageOf(page), stepOf(page)], ['In progress', 'In progress']);
    assert.deepEqual(factsOf(page), {
      'Who works on it': 'Iryna K.',
      Team: 'Billing',
      Received: '2026-11-22T09:00:00.000Z',
      'Your last message': '2026-11-22T09:00:00.000Z',
      'Our last answer': '2026-11-22T09:30:00.000Z',
    });
    assert.match(page, /<title>Request No\. 1042 · In progress<\/title>/);
  });

  it('says each stage in words of its own, in three languages', async () => {
    const said = new Set<string>();
    for (const status of ticketStatuses) {
      ticket({ id: id('a'), status });
      for (const language of ['uk', 'ru', 'en']) {
        const page = await see(id('a'), {}, `?lang=${language}`);
        assert.match(page, new RegExp(`<html lang="${language}">`));
        said.add(`${stageOf(page)} ${/<\/h2>\s*<p>(.*?)<\/p>/.exec(page)![1]}`);
      }
    }
    assert.equal(said.size, ticketStatuses.length * 3);
    ticket({ id: id('a'), status: 'pending' });
    assert.equal(stepOf(await see()), 'In progress');
    ticket({ id: id('a'), status: 'solved' });
    progress = { ...progress, closedAt: ANSWERED };
    const page = await see();
    assert.deepEqual([stepOf(page), factsOf(page)['Finished']], ['Done', '2026-11-22T09:30:00.000Z']);
  });

  it('is in the language that is asked for, else the browser’s, else the one he wrote in', async () => {
    ticket({ id: id('a'), language: 'uk' });
    const languageOf = (page: string) => /<html lang="(..)">/.exec(page)![1];
    assert.equal(languageOf(await see()), 'uk');
    assert.equal(languageOf(await see(id('a'), { 'accept-language': 'ru-RU,en;q=0.5' })), 'ru');
    assert.equal(languageOf(await see(id('a'), { 'accept-language': 'de-DE' })), 'uk');
    assert.equal(languageOf(await see(id('a'), { 'accept-language': 'ru' }, '?lang=en')), 'en');
    assert.equal(languageOf(await see(id('a'), {}, '?lang=xx&lang=yy')), 'uk');
    const page = await see(id('a'), {}, '?lang=ru');
    for (const other of ['uk', 'en']) assert.match(page, new RegExp(`href="\\?lang=${other}" lang="${other}"`));
  });

  it('shows what customers and agents wrote as text, whatever it looks like', async () => {
    const attack = '"><script>alert(1)</script><img src=x onerror=alert(2)>';
    ticket({ id: id('a'), subject: attack, team: '<b>x</b>', assignee: "a' onload='b" });
    const page = await see();
    assert.ok(page.includes('&lt;script&gt;alert(1)&lt;/script&gt;'));
    assert.doesNotMatch(page, /<script|<img|<b>|onload='/);
  });

  it('names people and teams, and shows no address, id or number that stands in their place', async () => {
    api.gateway.state.users.set('usr_1', { id: 'usr_1', name: 'Iryna', role: 'admin', at: 0 });
    const named = async (assignee: string | null) => {
      ticket({ id: id('a'), assignee, team: assignee });
      const facts = factsOf(await see());
      return [facts['Who works on it'], facts['Team']];
    };
    for (const name of ['Iryna', 'Олена Коваль', 'Support 24/7'.replace('/', ' to ')]) {
      assert.deepEqual(await named(name), [name, name]);
    }
    for (const user of ['usr_1', 'user:usr_1']) assert.deepEqual(await named(user), ['Iryna', undefined]);
    for (const none of [null, 'usr_2', 'iryna@shop.example', 'key:key_1', '+380671234567', 'https://x', '1234', 'a/b'])
      assert.deepEqual(await named(none), [undefined, undefined], String(none));
  });

  it('shows only the names that the operator lets customers see', async () => {
    ticket({ id: id('a'), assignee: 'Iryna', team: 'Billing' });
    for (const shows of [['team'], ['assignee'], []] as const) {
      Object.assign(api.gateway.statusPages, { shows });
      const facts = factsOf(await see());
      assert.deepEqual(
        [facts['Who works on it'], facts['Team']],
        [shows[0] === 'assignee' ? 'Iryna' : undefined, shows[0] === 'team' ? 'Billing' : undefined],
      );
    }
  });

  it('shows no name of the customer where an agent gave it no subject', async () => {
    ticket({ id: id('a'), subject: 'Olena', customer: { id: 'cus_1', name: 'Olena' } });
    assert.doesNotMatch(await see(), /Olena/);
  });

  it('of one that was merged shows how the other one is, under its own number and subject', async () => {
    ticket({ id: id('a'), number: 1042, subject: 'Mine', status: 'closed', mergedInto: id('b') });
    ticket({ id: id('b'), number: 1043, subject: 'Not mine', status: 'closed', mergedInto: id('c') });
    ticket({ id: id('c'), number: 1044, subject: 'Not mine either', status: 'open', team: 'Billing' });
    const page = await see();
    assert.match(page, /Request No\. 1042/);
    assert.match(page, /together with your request No\. 1044/);
    assert.deepEqual([stageOf(page), factsOf(page)['Team']], ['In progress', 'Billing']);
    assert.doesNotMatch(page, /Not mine/);
  });

  it('is there by its own address only: all others are answered alike, whatever is behind them (G17)', async () => {
    ticket({ id: id('b'), number: 1043 });
    const address = addressOf(id('a'));
    const proof = address.split('.').at(-1)!;
    const other = proof.startsWith('0') ? '1' : '0';
    const wrong = [
      `/status/${id('a')}.${other}${proof.slice(1)}`,
      `/status/${id('b')}.${proof}`,
      addressOf(id('z')),
      statusUrlOf({ ...placeOf().statusPages, key: Buffer.alloc(32, 4), publicUrl: '' }, id('a')),
      `/status/${id('a')}`,
      `/status/${id('a')}.`,
      `/status/.${proof}`,
      address.slice(0, -1),
      `${address}0`,
      `${address}/`,
      address.toUpperCase().replace('/STATUS', '/status'),
      address.replace('tkt_', '%74kt_'),
      '/status/1042',
      '/status/a/b',
      '/status/',
      '/status',
      `/status/${'a'.repeat(5000)}`,
    ];
    const answers = await Promise.all(wrong.map((each) => open(each)));
    const told = ({ status, text, headers }: Reply) => {
      const { date: _, ratelimit: _limit, 'x-request-id': _id, ...rest } = headers;
      return { status, text, rest };
    };
    for (const [index, answer] of answers.entries()) assert.deepEqual(told(answer), told(answers[0]!), wrong[index]);
    assert.equal(answers[0]!.status, 404);
    assert.match(answers[0]!.text, /There is no such page/);
    const { status, text } = await open('/status/%zz');
    assert.deepEqual([status, text], [404, answers[0]!.text]);
    assert.doesNotMatch(answers[0]!.text, /tkt_|Request No/);
  });

  it('asks the store for nothing that was not proven', async () => {
    let asked = 0;
    Object.assign(api.gateway.store.read, { ticket: async () => void asked++ });
    await open(`/status/${id('a')}.${'0'.repeat(26)}`);
    assert.equal(asked, 0);
    await open(addressOf(id('a')));
    assert.equal(asked, 1);
  });

  it('goes some time after the request was closed, and comes back when it is opened again (G17)', async () => {
    ticket({ id: id('a'), status: 'closed' });
    const wrong = await open('/status/x');
    progress = { ...progress, closedAt: api.gateway.clock.now() - 90 * DAY };
    await see();
    progress = { ...progress, closedAt: api.gateway.clock.now() - 90 * DAY - 1 };
    const gone = await open(addressOf(id('a')));
    assert.deepEqual([gone.status, gone.text], [404, wrong.text]);
    ticket({ id: id('a'), status: 'open' });
    progress = { ...progress, closedAt: null };
    await see();
  });

  it('is kept by nobody, found by no search, framed nowhere, and runs nothing', async () => {
    for (const address of [addressOf(id('a')), '/status/x']) {
      const { headers, text } = await open(address);
      assert.equal(headers['cache-control'], 'no-store');
      assert.equal(headers['x-robots-tag'], 'noindex, nofollow');
      assert.equal(headers['referrer-policy'], 'no-referrer');
      assert.equal(headers['content-type'], 'text/html; charset=utf-8');
      assert.equal(headers['set-cookie'], undefined);
      assert.match(text, /<meta name="robots" content="noindex, nofollow">/);
      const style = /<style>([^]*?)<\/style>/.exec(text)![1]!;
      const hash = createHash('sha256').update(style).digest('base64');
      assert.equal(
        headers['content-security-policy'],
        `default-src 'none'; style-src 'sha256-${hash}'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'`,
      );
      assert.doesNotMatch(text, /<script|style=|src=/);
      assert.ok(text.length < 10_000, 'it is light');
    }
  });

  it('can only be looked at', async () => {
    const { status, headers } = await open(addressOf(id('a')), {}, 'POST');
    assert.deepEqual([status, headers.allow], [405, 'GET, HEAD']);
    const head = await open(addressOf(id('a')), {}, 'HEAD');
    assert.deepEqual([head.status, head.text], [200, '']);
  });

  it('says what went wrong in words for people, and nothing about the inside', async () => {
    Object.assign(api.gateway.store.read, {
      ticket: async () => {
        throw new Error('disk full at /var');
      },
    });
    const { status, headers, text } = await open(addressOf(id('a')), { 'accept-language': 'uk' });
    assert.deepEqual([status, headers['content-type']], [500, 'text/html; charset=utf-8']);
    assert.match(text, /Зараз сторінку не вдається показати/);
    assert.doesNotMatch(text, /disk/);
    assert.match(JSON.stringify(api.gateway.log.entries), /disk full/);
  });

  it('stands in no log: its address is all that it takes to see it', async () => {
    await see();
    await open(`${addressOf(id('a')).replace('/status', '/Status')}`);
    const lines = JSON.stringify(api.gateway.log.entries);
    assert.match(lines, /\/status\/…/);
    assert.ok(!lines.includes(id('a')) && !lines.includes(addressOf(id('a')).split('.').at(-1)!), lines);
  });

  it('is known by its address for those who may read the ticket, wherever the API shows one', async () => {
    const url = statusUrlOf(api.gateway.statusPages, id('a'));
    const key = await api.key('tickets:read');
    assert.equal((await api.call('GET', `/tickets/${id('a')}`, { key })).json.statusUrl, url);
    assert.equal((await api.call('GET', '/tickets/by-number/1042', { key })).json.statusUrl, url);
    assert.equal((await api.call('GET', '/tickets', { key })).json.data[0].statusUrl, url);
    const changed = await api.call('PATCH', `/tickets/${id('a')}`, { body: { status: 'open' } });
    assert.equal(changed.json.statusUrl, url);
    assert.equal((await api.call('GET', `/tickets/${id('a')}`, { key: await api.key('events:read') })).status, 403);
  });

  it('has an address that names its ticket, and no other installation’s', () => {
    const { statusPages } = api.gateway;
    const token = addressOf(id('a')).slice('/status/'.length);
    assert.match(token, /^tkt_[0-9a-z]{26}\.[0-9a-v]{26}$/);
    assert.equal(statusTicketOf(statusPages, token), id('a'));
    assert.equal(statusTicketOf({ key: Buffer.alloc(32, 4) }, token), undefined);
    // As another thread gets it.
    assert.equal(statusTicketOf(structuredClone(statusPages), token), id('a'));
  });
});

describe('pages of requests', () => {
  it('are opened as often as people do, and no more; who is too fast reads it (G13)', async () => {
    const api = await startApi({ perMinute: { known: 100, unknown: 100, setUp: 100, status: 2 } });
    try {
      const open = () => api.send('GET', '/status/x', { key: null, headers: { 'accept-language': 'ru' } });
      assert.deepEqual([(await open()).status, (await open()).status], [404, 404]);
      const { status, headers, text } = await open();
      assert.equal(status, 429);
      assert.ok(Number(headers['retry-after']) > 0);
      assert.match(text, /открывали слишком часто/);
      assert.equal(headers['x-robots-tag'], 'noindex, nofollow');
    } finally {
      await api.stop();
    }
  });
});
