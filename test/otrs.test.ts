import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { parse as parseYaml } from 'yaml';
import type { ActionInput } from '../src/core/action.ts';
import type { Destination } from '../src/core/destination.ts';
import { AuthExpiredError, BadPayloadError, PermanentError, RetryableError } from '../src/core/errors.ts';
import type { Payload, WebhookRequest } from '../src/core/payload.ts';
import type { Customer } from '../src/core/ticket.ts';
import { otrs } from '../src/dispatch/otrs/otrs.ts';
import { requesterOf } from '../src/dispatch/otrs/tickets.ts';
import { withoutQuote } from '../src/dispatch/otrs/way-back.ts';
import { createHttp, type Egress } from '../src/http/http.ts';
import { fakeContext } from './fakes/context.ts';
import { message } from './fakes/filing.ts';
import { GATEWAY, INVOKER, LOGIN, PASSWORD, startOtrs, type FakeOtrs } from './fakes/otrs.ts';
import { readOtrsSchema, type OtrsSchema } from './fakes/otrs-schema.ts';
import { openOutgoing, type Outgoing } from './fakes/outgoing.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const NEVER = new AbortController().signal;
const SERVICE = join(import.meta.dirname, '../docs/destinations/otrs-web-service.yml');

describe('Znuny, OTOBO and OTRS as a destination', () => {
  let schema: OtrsSchema | undefined;
  let far: FakeOtrs;
  let out: Outgoing;
  let egress: Egress;
  let destination: Destination;
  const written: FakeOtrs['written'] = [];
  before(() => {
    schema = readOtrsSchema();
  });
  after(async () => {
    assert.deepEqual(await schema?.problems(written), schema && []);
  });
  beforeEach(async () => {
    far = await startOtrs();
    out = await openOutgoing([{ id: 'znuny', carries: 'tickets' }]);
    egress = createHttp({ allow: ['127.0.0.1'] });
    far.now = () => out.clock.now();
    destination = open();
    out.addDestination('znuny', destination);
    out.addChannel('chat', { reply: async () => undefined });
  });
  afterEach(async () => {
    await out.close();
    egress.close();
    await far.close();
    assert.deepEqual(far.violations, []);
    written.push(...far.written);
  });

  const settings = { user: LOGIN, password: PASSWORD, queue: 'Support', customerUser: 'messenger', webhook: INVOKER };
  function open(given: object = {}): Destination {
    const config = otrs.config.parse({ ...settings, apiRoot: far.root, ...given });
    const context = fakeContext({ id: 'znuny', clock: out.clock, http: egress.for({ hosts: [] }) });
    return otrs.open(config, context) as Destination;
  }
  const write = async (text: string) => (await out.file(message('telegram|1', { text })))[0]!.ticketId!;
  const counts = () => far.tickets.map(({ articles }) => articles.length);
  const calls = (operation: string) => far.calls.filter((call) => call.operation === operation);
  const delivered = async () => (await out.deliveries()).filter(({ state }) => state === 'delivered').length;
  async function settled(count: number): Promise<void> {
    for (let i = 0; i < 100 && (await delivered()) < count; i++) await out.pass(100);
    assert.equal(await delivered(), count);
  }
  const refTo = (index: number) => ({ externalId: String(far.tickets[index]!.id) });

  describe('whose answer was lost', () => {
    it('is asked for the ticket, which is not created again', async () => {
      far.end('TicketCreate', 'lost');
      await write('one');
      await write('two');
      await out.until(() => far.tickets.length > 0);
      await out.pass(6 * SECOND);
      await settled(2);
      assert.deepEqual([counts(), calls('TicketCreate').length], [[2], 1]);
    });

    it('creates it when nothing had arrived', async () => {
      far.end('TicketCreate', 'cut', 'cut');
      await write('one');
      await out.pass(60 * SECOND);
      await settled(1);
      assert.deepEqual(counts(), [1]);
    });

    it('is asked for a message too', async () => {
      await write('one');
      await settled(1);
      far.end('TicketUpdate', 'lost');
      await write('two');
      await out.pass(10 * SECOND);
      await settled(2);
      assert.deepEqual(counts(), [2]);
    });

    it('takes nobody else’s ticket for ours where the field is gone', async () => {
      await write('one');
      await settled(1);
      far.fields.delete('TributaryId');
      const ticket = (await out.store.read.ticket((await out.store.read.tickets({}, { limit: 1 })).data[0]!.id))!;
      assert.equal(await destination.findTicket!(ticket), undefined);
      await assert.rejects(destination.test!(), /no dynamic field TributaryId/);
    });
  });

  it('gives up what is refused in an answer of 200, and goes on with the next', async () => {
    await write('one');
    await settled(1);
    far.end('TicketUpdate', { refused: 'InvalidParameter', text: 'TicketUpdate: Article->TimeUnit is required' });
    await write('two');
    await write('three');
    await settled(2);
    assert.match((await out.error('znuny'))!, /TicketUpdate\.InvalidParameter: .*TimeUnit is required/);
    assert.deepEqual(counts(), [2]);
  });

  it('asks for new credentials where they are refused, and takes no login page for an answer', async () => {
    await assert.rejects(open({ password: 'another' }).test!(), AuthExpiredError);
    assert.match(await destination.test!(), /takes tributary, and knows the dynamic field TributaryId/);
    far.end('TicketSearch', { http: 200, body: 'Login' }, { http: 200, body: [] });
    for (let i = 0; i < 2; i++) await assert.rejects(destination.test!(), RetryableError);
  });

  it('tells nobody its password, not even where an answer quotes it', async () => {
    far.end('TicketSearch', { http: 400, body: { said: `Password: ${PASSWORD}` } });
    await assert.rejects(destination.test!(), (error: PermanentError) => {
      assert.match(error.response!.text, /Password: \[secret\]/);
      return !inspect(error).includes(PASSWORD);
    });
  });

  it('keeps out no message whose sender has an address that the help desk refuses', async () => {
    far.badAddresses.add('olena@no-such-place.example');
    const identifiers = [{ kind: 'email', value: 'olena@no-such-place.example', trust: 'observed' as const }];
    const said = (text: string) => message('telegram|1', { text, sender: { name: 'Олена "O"', identifiers } });
    await out.file(said('one'));
    await settled(1);
    await out.file(said('two'));
    await settled(2);
    assert.equal(far.tickets[0]!.attributes['CustomerUser'], 'messenger');
    assert.deepEqual(counts(), [2]);
    far.end('TicketUpdate', {
      refused: 'InvalidParameter',
      text: 'TicketUpdate: Article->Subject parameter is invalid!',
    });
    const before = calls('TicketUpdate').length;
    await out.file(said('three'));
    await out.until(() => calls('TicketUpdate').length > before);
    await out.pass(SECOND);
    assert.equal(calls('TicketUpdate').length, before + 1);
  });

  it('knows customers by an address that a platform carries, never by one that was typed', () => {
    const config = otrs.config.parse({ ...settings, apiRoot: far.root });
    const who = (trust: string, name: string | null) =>
      requesterOf(config, { name, identifiers: [{ kind: 'email', value: 'o@example.com', trust }] } as Customer);
    assert.deepEqual(who('verified', 'Olena "O" <x>'), {
      user: 'o@example.com',
      from: '"Olena  O   x" <o@example.com>',
    });
    assert.deepEqual(who('observed', null), { user: 'o@example.com', from: 'o@example.com' });
    assert.deepEqual(who('claimed', 'Olena'), { user: 'messenger' });
  });

  it('gives a file a type that the help desk takes', async () => {
    const id = await write('one');
    await settled(1);
    const about = await deliveryOf(id);
    const file = { id: 'att_1', name: 'a', size: 1, state: 'stored', error: null, inline: false, url: '/a' } as const;
    const types = ['x-foo/bar', '', 'Text/Plain; charset=utf-8', 'application/vnd.ms-excel'];
    const attachments = types.map((mediaType, index) => ({ ...file, id: `att_${index}`, mediaType }));
    await destination.addMessage!(refTo(0), { ...about, message: { ...about.message, attachments } });
    const sent = calls('TicketUpdate')[0]!.body['Attachment'] as { ContentType: string }[];
    const any = 'application/octet-stream';
    assert.deepEqual(
      sent.map(({ ContentType: type }) => type),
      [any, any, 'text/plain', 'application/vnd.ms-excel'],
    );
  });

  it('changes what differs there, gives a pending state its time, and leaves merged tickets alone', async () => {
    await write('one');
    await settled(1);
    const ticket = (await out.store.read.tickets({}, { limit: 1 })).data[0]!;
    const update = async (given: object) => {
      const before = calls('TicketUpdate').length;
      await destination.update!(refTo(0), { id: 'tsk_1', ticket, priority: 'normal', ...given });
      return calls('TicketUpdate')
        .slice(before)
        .map(({ body }) => body['Ticket']);
    };
    const pending = { State: 'pending reminder', PendingTime: { Diff: 1440 } };
    assert.deepEqual(await update({ status: 'pending' }), [pending]);
    assert.deepEqual(await update({ status: 'pending' }), []);
    assert.deepEqual(await update({ priority: 'urgent' }), [{ Priority: '5 very high' }]);
    assert.deepEqual(await update({ status: 'solved', priority: 'urgent' }), [{ State: 'closed successful' }]);
    far.tickets[0]!.state = 'merged';
    assert.deepEqual(await update({ status: 'open' }), []);
  });

  it('goes on in the ticket that agents merged it into, also when that answer was lost', async () => {
    const id = await write('one');
    await settled(1);
    far.tickets.push({ id: 900, attributes: {}, fields: {}, state: 'open', articles: [], history: [] });
    far.merge(far.tickets[0]!.id, 900);
    far.end('TicketUpdate', 'lost');
    await write('two');
    await out.until(() => far.articles(900).length === 2);
    await out.pass(6 * SECOND);
    await settled(2);
    await write('three');
    await settled(3);
    assert.deepEqual(counts(), [0, 3]);
    assert.deepEqual(
      [far.tickets[1]!.fields['TributaryId'], (await out.store.read.ticket(id))!.links[0]!.externalId],
      [id, '900'],
    );
  });

  it('leaves a ticket of ours its name when another one was merged into it', async () => {
    const id = await write('one');
    await settled(1);
    const other = await destination.createTicket!(await deliveryOf(id, 'tkt_other'));
    far.merge(far.tickets[0]!.id, Number(other.externalId));
    await write('two');
    await settled(2);
    assert.equal(far.tickets[1]!.fields['TributaryId'], 'tkt_other');
    assert.equal(far.articles(Number(other.externalId)).length, 3);
  });

  async function deliveryOf(ticketId: string, as = ticketId) {
    const ticket = { ...(await out.store.read.ticket(ticketId))!, id: as };
    const said = (await out.store.read.messages(ticketId, { limit: 1 })).data[0]!;
    const customer = (await out.store.read.customer(ticket.customer.id))!;
    return { id: 'tsk_1', ticket, customer, message: said, transcript: [], open: async () => Readable.from(['x']) };
  }

  it('shows beforehand what it would send, and sends nothing, least of all its password', async () => {
    const id = await write('one');
    await settled(1);
    const before = far.calls.length;
    const shown = await open({ fields: { OrderNumber: '/ticket/number', Type: { value: 'Incident' } } }).preview!(
      await deliveryOf(id),
    );
    assert.deepEqual([shown.method, shown.url, far.calls.length], ['POST', `${far.root}/TicketCreate`, before]);
    const { Ticket, DynamicField } = shown.body as { Ticket: Record<string, unknown>; DynamicField: unknown[] };
    assert.deepEqual([Ticket['Queue'], Ticket['Type'], DynamicField.length], ['Support', 'Incident', 2]);
    assert.ok(!JSON.stringify(shown).includes(PASSWORD));
  });

  it('never lets a mapping take the place of our id, nor Perl take a title of 0 for none', async () => {
    const id = await write('one');
    await settled(1);
    const about = await deliveryOf(id);
    const named = await destination.preview!({ ...about, ticket: { ...about.ticket, subject: '0' } });
    assert.equal((named.body as { Ticket: { Title: string } }).Ticket.Title, `#${about.ticket.number}`);
    const shown = await open({ fields: { TributaryId: { value: 'x' } } }).preview!(await deliveryOf(id));
    assert.deepEqual((shown.body as { DynamicField: unknown[] }).DynamicField, [{ Name: 'TributaryId', Value: id }]);
  });

  describe('asked what changed', () => {
    type Said = ActionInput & { id: string; text: string; agent: string; at: number; attachments: { id: string }[] };
    const payload = (body: Buffer, method = 'POLL'): Payload => {
      const base = { endpointId: 'znuny', receivedAt: out.clock.now(), url: '', headers: {} };
      return { ...base, method, body };
    };
    async function poll(at: string): Promise<{ actions: Said[]; cursor: string }> {
      const actions: Said[] = [];
      for (let cursor = at; ;) {
        const page = await destination.poll!(cursor, NEVER);
        cursor = page.cursor;
        for (const { body } of page.items) actions.push(...((await destination.normalize!(payload(body))) as Said[]));
        if (!page.more) return { actions, cursor };
      }
    }
    const kinds = ({ actions }: { actions: ActionInput[] }) => actions.map(({ kind }) => kind);
    let id: number;
    let cursor: string;
    beforeEach(async () => {
      cursor = (await destination.poll!(undefined, NEVER)).cursor;
      await write('one');
      await settled(1);
      id = far.tickets[0]!.id;
      await out.pass(15 * SECOND);
    });

    it('tells what agents said and did, with their names and files, and nothing of ours', async () => {
      far.act(id, {
        article: {
          text: 'Tomorrow.\n\n22/11/2026 10:00 - Olena wrote:\n> Where?',
          visible: true,
          files: { 'a.txt': 'bytes' },
        },
        state: 'pending reminder',
      });
      far.act(id, { article: { text: 'A regular.', visible: false } });
      const { actions } = await poll(cursor);
      assert.deepEqual(kinds({ actions }), ['reply', 'status', 'note']);
      const [reply, status] = actions;
      const { attachments, id: name, ...said } = reply!;
      const at = Math.floor(out.clock.now() / SECOND) * SECOND;
      assert.deepEqual(said, { kind: 'reply', ticket: String(id), at, agent: 'Ivan Petrenko', text: 'Tomorrow.' });
      assert.match(name, /^article:\d+$/);
      assert.deepEqual(
        { ...status, id: '' },
        { kind: 'status', id: '', ticket: String(id), at, agent: 'ivan', status: 'pending' },
      );
      assert.deepEqual({ ...attachments[0], id: '' }, { id: '', name: 'a.txt', mediaType: 'text/plain', size: 5 });
      const file = { id: attachments[0]!.id, name: 'a.txt', mediaType: 'text/plain' };
      assert.equal(await textOf(await destination.download!(file, payload(Buffer.alloc(0)))), 'bytes');
      const gone = destination.download!({ ...file, id: `${id}/1/1` }, payload(Buffer.alloc(0)));
      await assert.rejects(gone, PermanentError);
    });

    it('tells each of it once, also what came within the same second, and looks into nothing when there is nothing', async () => {
      far.act(id, { article: { text: 'a', visible: true } });
      const one = await poll(cursor);
      far.act(id, { article: { text: 'b', visible: true } });
      const two = await poll(one.cursor);
      assert.deepEqual([kinds(one), kinds(two)], [['reply'], ['reply']]);
      await out.pass(11 * SECOND);
      assert.deepEqual(kinds(await poll(two.cursor)), []);
      await out.pass(HOUR, HOUR);
      const three = await poll((await poll(two.cursor)).cursor);
      const before = far.calls.length;
      await out.pass(10 * SECOND);
      assert.deepEqual([kinds(await poll(three.cursor)), far.calls.length - before], [[], 1]);
    });

    it('tells what was missed for days, however many tickets there are, whatever its clock says', async () => {
      far.ahead = 5 * HOUR;
      for (let i = 0; i < 45; i++) {
        const { articles, history, fields } = far.tickets[0]!;
        far.tickets.push({
          ...far.tickets[0]!,
          id: 5000 + i,
          fields: { ...fields },
          articles: [...articles],
          history: [...history],
        });
      }
      for (const { id: each } of far.tickets) far.act(each, { article: { text: 'early', visible: true } });
      for (let day = 0; day < 3; day++) await out.pass(24 * HOUR, 24 * HOUR);
      for (const { id: each } of far.tickets) far.act(each, { article: { text: 'late', visible: true } });
      const { actions } = await poll(cursor);
      assert.deepEqual([actions.length, new Set(actions.map(({ id: each }) => each)).size], [92, 92]);
    }).timeout(20_000);

    it('tells of a ticket that wakes up only what is new', async () => {
      far.act(id, { article: { text: 'a', visible: true } });
      let last = await poll(cursor);
      await out.pass(HOUR, HOUR);
      last = await poll(last.cursor);
      assert.deepEqual(kinds(last), []);
      await out.pass(HOUR, HOUR);
      last = await poll(last.cursor);
      far.act(id, { article: { text: 'b', visible: true } });
      assert.deepEqual(
        (await poll(last.cursor)).actions.map(({ text }) => text),
        ['b'],
      );
    });

    it('knows its own words by their mark, so that its agent may also answer by hand', async () => {
      far.act(id, { by: GATEWAY, article: { text: 'by hand', visible: true }, state: 'closed successful' });
      assert.deepEqual(kinds(await poll(cursor)), ['reply']);
    });

    it('keeps what was sent on to others from customers, and leaves out what customers and machines wrote', async () => {
      far.act(id, { article: { text: 'To the supplier', visible: true, how: 'Forward' } });
      far.act(id, { article: { text: 'To another supplier', visible: true, how: 'EmailAgent' } });
      far.act(id, { article: { text: 'from the portal', visible: true, sender: 'customer' } });
      far.act(id, { article: { text: 'auto reply', visible: true, sender: 'system' } });
      assert.deepEqual(kinds(await poll(cursor)), ['note', 'note', 'ignored', 'ignored']);
    });

    it('tells the last status only, and none that it was told nothing of', async () => {
      far.act(id, { state: 'closed unsuccessful' });
      await out.pass(2 * SECOND);
      far.act(id, { state: 'open' });
      const { actions, cursor: next } = await poll(cursor);
      assert.deepEqual(
        actions.map((each) => 'status' in each && each.status),
        ['open'],
      );
      far.act(id, { state: 'waiting' });
      const { actions: others, cursor: last } = await poll(next);
      assert.deepEqual(kinds({ actions: others }), ['ignored']);
      far.act(id, { state: 'open' });
      far.tickets[0]!.state = 'new';
      assert.deepEqual(kinds(await poll(last)), []);
    });

    it('reads times by the clocks of the help desk', async () => {
      far.act(id, { state: 'open' });
      destination = open({ timeZone: 'Europe/Kyiv' });
      const [action] = (await poll(cursor)).actions;
      assert.equal(action!.at, Math.floor(out.clock.now() / SECOND) * SECOND - 2 * HOUR);
      assert.throws(() => open({ timeZone: 'Mars' }));
    });

    it('passes over tickets of others, and one that may not be seen', async () => {
      const fields = { TributaryId: 'tkt_x' };
      far.tickets.push({ id: 7, attributes: {}, fields, state: 'open', articles: [], history: [] });
      far.act(7, { article: { text: 'not ours', visible: true } });
      far.act(id, { article: { text: 'ours', visible: true } });
      far.end('TicketHistoryGet', { refused: 'AccessDenied' });
      const { actions } = await poll(cursor);
      assert.deepEqual([actions.length, actions[0]!.text], [1, 'ours']);
      assert.ok(!calls('TicketGet').some(({ body }) => [body['TicketID']].flat().includes('7')));
    });

    it('reads what comes as one where a list was meant, and numbers as texts', async () => {
      far.act(id, { article: { text: 'x', visible: true } });
      const given = { TicketID: id, State: 'open', StateID: '2', Article: { ArticleID: '', SenderType: 'agent' } };
      far.end('TicketGet', {
        http: 200,
        body: { Ticket: { ...given, Article: { ...far.tickets[0]!.articles[1], Attachment: undefined } } },
      });
      assert.deepEqual(kinds(await poll(cursor)), ['reply']);
    });
  });

  it('takes the quote below an answer away, in whatever language it is announced', () => {
    assert.equal(withoutQuote('Tomorrow.\n\n22/11/2026 10:00 - Olena schrieb:\n> Where?\n> Here'), 'Tomorrow.');
    assert.equal(withoutQuote('Tomorrow.\n\n> Where?\n\n> Here'), 'Tomorrow.');
    assert.equal(withoutQuote('22/11/2026 10:00 - Olena wrote:\n\n> Where?\n\n> Here\nTomorrow.'), 'Tomorrow.');
    assert.equal(withoutQuote('> only this'), '> only this');
  });

  it('leaves an agent the lines with > that he wrote among his words', () => {
    const own = 'Enter as follows:\n> ls\nand then, by 10:30:\nread it';
    assert.equal(withoutQuote(own), own);
    assert.equal(withoutQuote(`${own}\n\n22/11/2026 10:00 - Olena wrote:\n> Where?`), own);
    assert.equal(withoutQuote('22/11/2026 10:00 - Olena wrote:\n> Where?\nHere:\n> ls\nDone'), 'Here:\n> ls\nDone');
  });

  describe('its webhook', () => {
    const request = (authorization?: string): WebhookRequest => {
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
      return { endpointId: 'z', receivedAt: 0, method: 'POST', url: '/', headers, body: Buffer.from('{}') };
    };
    const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

    it('is believed with the password, which wakes and is answered with JSON', async () => {
      void destination.webhook!.verify(request(basic(`${INVOKER.user}:${INVOKER.password}`)));
      assert.deepEqual(await destination.normalize!({ ...request(), method: 'POST' }), [{ kind: 'wake' }]);
      assert.equal(destination.webhook!.respond!(request(), { items: [] }).body, '{}');
    });

    it('is refused with another one, without one, and is not there where none is set', () => {
      for (const given of [basic(`${INVOKER.user}:x`), basic(`x:${INVOKER.password}`), 'Bearer x', undefined])
        assert.throws(() => destination.webhook!.verify(request(given)), BadPayloadError);
      assert.equal(open({ webhook: undefined }).webhook, undefined);
      assert.throws(() => open({ webhook: { user: 'znuny', password: 'x'.repeat(52) } }), /longer than 57 bytes/);
      assert.throws(() => open({ webhook: { user: 'a:b', password: 'x' } }));
    });
  });

  it('calls only what the web service to be imported offers', async () => {
    const service = parseYaml(readFileSync(SERVICE, 'utf8')) as {
      Provider: {
        Operation: object;
        Transport: { Config: { RouteOperationMapping: Record<string, { Route: string; RequestMethod: string[] }> } };
      };
      Requester: {
        Transport: { Config: { DefaultCommand: string; InvokerControllerMapping: object } };
        Invoker: object;
      };
    };
    const routes = service.Provider.Transport.Config.RouteOperationMapping;
    await write('one');
    await write('two');
    await settled(2);
    const first = (await destination.poll!(undefined, NEVER)).cursor;
    far.act(far.tickets[0]!.id, { article: { text: 'x', visible: true } });
    await destination.poll!(first, NEVER);
    const called = [...new Set(far.calls.map(({ operation }) => operation))].sort();
    assert.deepEqual(called, Object.keys(routes).sort());
    assert.deepEqual(Object.keys(service.Provider.Operation).sort(), called);
    for (const name of called) assert.deepEqual(routes[name], { RequestMethod: ['POST'], Route: `/${name}` });
    const { InvokerControllerMapping: places } = service.Requester.Transport.Config;
    assert.deepEqual(Object.keys(places), Object.keys(service.Requester.Invoker));
  });

  it('takes only fields that there can be', () => {
    for (const wrong of [{ fields: { 'Order Number': '/ticket/number' } }, { idField: 'X_1' }, { queue: '' }]) {
      assert.throws(() => open(wrong), JSON.stringify(wrong));
    }
  });
});
