import assert from 'node:assert/strict';
import { BadPayloadError, ConflictError, NotFoundError } from '../src/core/errors.ts';
import type { Endpoint, Route, Routes } from '../src/core/gateway.ts';
import { createIds } from '../src/core/id.ts';
import { createAnnouncer } from '../src/normalizer/announce.ts';
import { routingOf, targetsOf } from '../src/dispatch/routes.ts';
import { createRoutes } from '../src/routes.ts';
import { message, openFiling, type Filing } from './fakes/filing.ts';

const endpoint = (id: string, role: Endpoint['role'], type = 'test'): Endpoint => ({
  id,
  role,
  type,
  name: id,
  enabled: true,
  source: null,
  settings: {},
  problem: null,
});
const ENDPOINTS = new Map(
  [
    endpoint('crm', 'destination', 'crm_type'),
    endpoint('desk', 'destination', 'desk_type'),
    endpoint('chat', 'channel', 'telegram'),
  ].map((each) => [each.id, each]),
);
const ALL = [...ENDPOINTS.values()];
const TYPES = [
  { type: 'crm_type', capabilities: { carries: 'events' } },
  { type: 'desk_type', capabilities: { carries: 'tickets' } },
] as never;
const FILE: Route = { id: 'routes[0]', source: 'config/tributary.yaml:9', when: {}, to: ['crm'], stop: false };

describe('routes', () => {
  let filing: Filing;
  let routes: Routes;
  const open = (defined: readonly Route[] = [FILE]) =>
    createRoutes(
      {
        store: filing.store,
        newId: createIds(filing.clock),
        clock: filing.clock,
        endpoints: { get: (id) => ENDPOINTS.get(id), all: () => ALL },
        destinationTypes: TYPES,
      },
      defined,
    );
  beforeEach(async () => {
    filing = await openFiling();
    routes = await open();
  });
  afterEach(() => filing.close());

  const make = (tag: string) => routes.create({ when: { tag: [tag] }, to: ['desk'], stop: false });
  const tags = (all = routes.all()) => all.map((route) => route.when.tag?.[0] ?? 'always');

  it('are made, changed and removed, and are the same after a restart', async () => {
    for (const tag of ['a', 'b', 'c']) await make(tag);
    const [, a, b] = routes.all();
    await routes.update(b!.id, { when: { tag: ['b2'] }, to: ['crm', 'desk'], stop: false });
    await routes.remove(a!.id);
    await make('d');
    assert.deepEqual(tags(), ['always', 'b2', 'c', 'd']);
    const before = routes.all();
    routes = await open();
    assert.deepEqual(routes.all(), before);
  });

  it('made, changed and removed in another process are so here too', async () => {
    const there = await open();
    const [a, b] = [await make('a'), await make('b')];
    await there.look();
    assert.deepEqual(tags(there.all()), ['always', 'a', 'b']);
    await there.update(a.id, { when: { tag: ['a2'] }, to: ['crm'], stop: false });
    await there.remove(b.id);
    await make('c');
    assert.deepEqual(tags(), ['always', 'a2', 'c']);
    await assert.rejects(routes.update(b.id, { when: {}, to: ['crm'], stop: false }), NotFoundError);
  });

  it('stand where they stood when one that was above them is gone, whatever order they were brought into', async () => {
    for (const tag of ['a', 'b', 'c']) await make(tag);
    const [, a, b, c] = routes.all();
    await routes.replace([c!, b!, a!], routes.version());
    await routes.remove(c!.id);
    await routes.update(a!.id, { when: { tag: ['a2'] }, to: ['crm'], stop: false });
    assert.deepEqual(tags((await open()).all()), ['always', 'b', 'a2']);
    await make('d');
    assert.deepEqual(tags((await open()).all()), ['always', 'b', 'a2', 'd']);
    for (const each of [a, b]) await routes.remove(each!.id);
    await make('e');
    assert.deepEqual(tags((await open()).all()), ['always', 'd', 'e']);
  });

  it('are replaced all at once, in the order that is given, by who knows how they are', async () => {
    for (const tag of ['a', 'b', 'c']) await make(tag);
    const [, a, b, c] = routes.all();
    const fresh = { when: { tag: ['new'] }, to: ['crm'], stop: true };
    const version = routes.version();
    const replaced = await routes.replace([c!, fresh, { ...a!, to: ['crm'] }], version);
    assert.deepEqual([replaced.changed, replaced.removed], [[a!.id], [b!.id]]);
    const after = routes.all();
    assert.deepEqual(tags(after), ['always', 'c', 'new', 'a']);
    assert.deepEqual(after[2], { ...fresh, id: replaced.created[0], source: null });
    assert.deepEqual([after[1]!.id, after[3]!.id, after[3]!.to], [c!.id, a!.id, ['crm']]);
    const again = await open();
    assert.deepEqual(again.all(), after);
    assert.equal(again.version(), routes.version());

    assert.notEqual(routes.version(), version);
    const turned = after.slice(1).toReversed();
    await assert.rejects(routes.replace(turned, version), ConflictError, 'of another version');
    const current = routes.version();
    await assert.rejects(routes.replace([after[1]!, after[1]!], current), ConflictError, 'in two places');
    await assert.rejects(routes.replace([{ ...fresh, id: 'rte_none' }], current), NotFoundError);
    await assert.rejects(routes.replace([{ ...fresh, id: FILE.id }], current), ConflictError, 'of the file');
    await assert.rejects(routes.replace([after[1]!, { ...fresh, to: ['chat'] }], current), (error) => {
      assert.ok(error instanceof BadPayloadError);
      assert.equal(error.problems[0]!.pointer, '/routes/1/to/0');
      return true;
    });
    assert.deepEqual([routes.all(), (await open()).all()], [after, after], 'something was changed');
    assert.deepEqual(await routes.replace(turned, current), { created: [], changed: [], removed: [] });
    assert.notEqual(routes.version(), current, 'another order is another version');
    assert.deepEqual(tags((await open()).all()), ['always', 'a', 'new', 'c']);
  });

  it('are not replaced by who does not know what another process has made of them', async () => {
    const there = await open();
    await make('a');
    const version = there.version();
    await assert.rejects(there.replace([], version), ConflictError);
    assert.deepEqual(tags(there.all()), ['always', 'a']);
    await there.replace([], there.version());
    await assert.rejects(routes.replace([], routes.version()), ConflictError);
    assert.deepEqual(tags(), ['always']);
  });

  it('stay right when several are changed at the same moment', async () => {
    for (const tag of ['a', 'b', 'c', 'd']) await make(tag);
    const [, , b, c, d] = routes.all();
    await Promise.all([
      routes.remove(b!.id),
      routes.update(c!.id, { when: { tag: ['c2'] }, to: ['desk'], stop: false }),
      routes.remove(d!.id),
      make('e'),
    ]);
    assert.deepEqual(tags(), ['always', 'a', 'c2', 'e']);
    assert.deepEqual(tags((await open()).all()), ['always', 'a', 'c2', 'e']);
  });

  it('from the file can’t be changed here, and say where they stand', async () => {
    for (const act of [
      () => routes.remove(FILE.id),
      () => routes.update(FILE.id, { when: {}, to: ['desk'], stop: false }),
    ]) {
      await assert.rejects(act(), (error) => {
        assert.ok(error instanceof ConflictError);
        assert.match(error.message, /config\/tributary\.yaml:9/);
        return true;
      });
    }
  });

  it('that nobody knows can’t be changed either', async () => {
    await assert.rejects(routes.remove('rte_none'), NotFoundError);
    await assert.rejects(routes.update('rte_none', { when: {}, to: ['crm'], stop: false }), NotFoundError);
  });

  it('lead to destinations that there are: otherwise the field is named, and nothing changes', async () => {
    for (const target of ['nobody', 'chat']) {
      await assert.rejects(routes.create({ when: {}, to: ['crm', target], stop: false }), (error) => {
        assert.ok(error instanceof BadPayloadError);
        assert.deepEqual([error.status, error.problems[0]!.pointer], [422, '/to/1']);
        return true;
      });
    }
    const { id } = await make('a');
    await assert.rejects(routes.update(id, { when: {}, to: ['nobody'], stop: false }), BadPayloadError);
    assert.deepEqual(tags(), ['always', 'a']);
    assert.equal((await filing.store.read.routes()).length, 1);
  });

  describe('that are only tried', () => {
    const write = (text: string, fields = {}) => filing.file(message('telegram|1', { text, fields }));
    const tried = async (when: Route['when'], count = 10) =>
      (await routes.dryRun([{ when, to: ['desk'], stop: false }], count)).map(({ change, to }) => [
        change.data.message!.text,
        ...to,
      ]);

    it('say where the last messages would go, each once, the newest first', async () => {
      await write('one');
      await write('two', { department: 'sales' });
      const id = (await filing.store.read.tickets({}, { limit: 1 })).data[0]!.id;
      await filing.desk.note(id, { text: 'three' }, 'usr_1');
      await filing.desk.updateTicket(id, { priority: 'high', fields: { department: 'support' } }, 'usr_1');
      assert.deepEqual(await tried({ field: { department: ['sales'] } }), [['three'], ['two', 'desk'], ['one']]);
      assert.deepEqual(await tried({ kind: ['note'] }, 2), [['three', 'desk'], ['two']]);
      assert.deepEqual(routes.all().length, 1);
    });

    it('look as far back as they must', async () => {
      await write('one');
      const id = (await filing.store.read.tickets({}, { limit: 1 })).data[0]!.id;
      for (let i = 0; i < 450; i++) await filing.desk.updateTicket(id, { subject: String(i) }, 'usr_1');
      assert.deepEqual(await tried({}), [['one', 'desk']]);
    });

    it('lead to destinations that there are', async () => {
      await assert.rejects(routes.dryRun([{ when: {}, to: ['chat'], stop: false }], 1), (error) => {
        assert.ok(error instanceof BadPayloadError);
        assert.equal(error.problems[0]!.pointer, '/routes/0/to/0');
        return true;
      });
      const gone = await open([{ ...FILE, to: ['crm', 'gone'] }]);
      await write('one');
      assert.deepEqual(
        (await gone.dryRun(undefined, 9)).map(({ to, follows }) => [to, follows]),
        [[['crm'], []]],
      );
      const other = await gone.dryRun([{ when: { tag: ['x'] }, to: ['desk'], stop: false }], 9);
      assert.deepEqual(
        other.map(({ to, follows }) => [to, follows]),
        [[[], ['desk']]],
      );
    });
  });

  describe('let a change through', () => {
    const facts = {
      channel: 'chat',
      kind: 'message',
      language: 'uk',
      priority: 'normal',
      tags: ['vip', 'order'],
      customer: 'cus_1',
      fields: { department: 'sales' },
      // A Monday, 12:00 in Kyiv.
      at: Date.parse('2026-11-23T10:00:00Z'),
    };
    const ask = (
      defined: readonly (Pick<Route, 'when' | 'to'> & { stop?: boolean })[],
      about: Parameters<typeof targetsOf>[0] = facts,
    ) =>
      targetsOf(
        about,
        routingOf(
          defined.map((each) => ({ stop: false, ...each })),
          ALL,
          TYPES,
        ),
      ).map(({ id, carries, follows }) => `${id} ${follows ? 'follows' : carries}`);
    const passes = (when: Route['when'], about?: Parameters<typeof targetsOf>[0]) =>
      ask([{ when, to: ['crm'] }], about).length === 1;

    it('when every condition fits, by one of its values', () => {
      const fitting: Route['when'][] = [
        {},
        { channel: ['mail', 'chat'] },
        { channelType: ['telegram'] },
        { kind: ['message'] },
        { language: ['uk', 'en'] },
        { priority: ['normal'] },
        { tag: ['x', 'order'] },
        { channel: ['chat'], tag: ['vip'], language: ['uk'] },
        { customer: ['cus_2', 'cus_1'] },
        { field: { department: ['support', 'sales'] } },
        { time: { zone: 'Europe/Kyiv' } },
        { time: { zone: 'Europe/Kyiv', days: ['sun', 'mon'], from: '12:00', to: '12:01' } },
        { time: { zone: 'Europe/Kyiv', from: '23:00', to: '12:01' } },
        { time: { zone: 'Europe/Kyiv', days: ['sun'], from: '23:00', to: '12:01' } },
        { time: { zone: 'Europe/Kyiv', days: ['mon'], from: '11:00', to: '10:00' } },
        { time: { zone: 'Pacific/Auckland', from: '23:00', to: '06:00' } },
      ];
      for (const when of fitting) assert.equal(passes(when), true, JSON.stringify(when));
      const other: Route['when'][] = [
        { channel: ['mail'] },
        { channelType: ['viber'] },
        { kind: ['call'] },
        { language: ['en'] },
        { priority: ['high'] },
        { tag: ['x'] },
        { tag: [] },
        { channel: ['chat'], tag: ['x'] },
        { customer: ['cus_2'] },
        { field: { department: ['support'] } },
        { field: { department: ['sales'], order: ['1'] } },
        { field: { toString: ['sales'] } },
        { time: { zone: 'Europe/Kyiv', days: ['tue'] } },
        { time: { zone: 'Europe/Kyiv', days: ['mon'], from: '23:00', to: '12:01' } },
        { time: { zone: 'Europe/Kyiv', from: '12:01' } },
        { time: { zone: 'Europe/Kyiv', to: '12:00' } },
        { time: { zone: 'Europe/Kyiv', from: '23:00', to: '12:00' } },
        { time: { zone: 'Asia/Almaty', from: '12:00', to: '13:00' } },
      ];
      for (const when of other) assert.equal(passes(when), false, JSON.stringify(when));
    });

    it('never by what is not known', () => {
      const unknown = { ...facts, kind: undefined, language: null, tags: [], channel: 'gone' };
      for (const when of [
        { kind: ['message'] },
        { language: ['uk'] },
        { channelType: ['telegram'] },
        { tag: ['vip'] },
      ]) {
        assert.equal(passes(when, unknown), false, JSON.stringify(when));
      }
    });

    it('by what the message and its ticket say at that moment', async () => {
      const seen: Parameters<typeof targetsOf>[0][] = [];
      const other = await openFiling({ routed: (each) => seen.push(each) });
      const [first] = await other.file(
        message('telegram|1', { text: 'Привіт, де моє замовлення?', fields: { department: 'sales' } }),
      );
      await other.desk.updateTicket(first!.ticketId!, { fields: { order: '7' } }, 'usr_1');
      const { customer } = (await other.store.read.ticket(first!.ticketId!))!;
      await other.close();
      const expected = { channel: 'chat', language: 'uk', priority: 'normal', tags: [], customer: customer.id };
      const about = seen.filter((each) => each !== undefined);
      assert.deepEqual(about[0], {
        ...expected,
        kind: 'message',
        fields: { department: 'sales' },
        at: other.clock.now(),
      });
      assert.deepEqual(about.at(-1), { ...expected, kind: undefined, fields: { order: '7' }, at: other.clock.now() });
    });

    it('up to the first one that stops it', () => {
      const [crm, desk] = [
        { when: {}, to: ['crm'] },
        { when: {}, to: ['desk'] },
      ];
      assert.deepEqual(ask([{ ...crm, stop: true }, desk]), ['crm events', 'desk follows']);
      assert.deepEqual(ask([{ ...crm, stop: true, when: { tag: ['x'] } }, desk]), ['desk tickets']);
    });

    it('to a help desk also when it is only about what that has', async () => {
      const elsewhere = { when: { tag: ['x'] }, to: ['desk', 'crm'] };
      assert.deepEqual(ask([elsewhere]), ['desk follows']);
      const target = { id: 'desk', carries: 'tickets', follows: true } as const;
      const other = await openFiling({ targets: [target] });
      const say = async (person: string) => (await other.file(message(person)))[0]!.ticketId!;
      const told = async () =>
        (await other.store.read.deliveries({}, { limit: 9 })).data.map(({ ticketId }) => ticketId);
      const there = await say('telegram|1');
      const here = await say('telegram|2');
      assert.deepEqual(await told(), []);
      await other.store.write([], (tx) => tx.saveLink('desk', there, { externalId: '7' }, 1));
      await Promise.all([say('telegram|1'), say('telegram|2')]);
      assert.deepEqual(await told(), [there]);
      const task = { kind: 'deliver', type: 'message.received', endpointId: 'desk', ticketId: here } as const;
      await other.store.write([], (tx) =>
        createAnnouncer(tx, { clock: other.clock, newId: createIds(other.clock), targetsOf: () => [] }).task(task),
      );
      await say('telegram|2');
      assert.deepEqual((await told()).sort(), [here, here, there].sort());
      // What a person has to look at first is not forgotten either, nor what is merged into another ticket.
      const third = await say('telegram|3');
      const lost = { ...task, id: 'tsk_lost', ticketId: third, messageId: null, changeSeq: null, attachmentId: null };
      await other.store.write([], async (tx) => {
        const now = other.clock.now();
        await tx.insertTask({ ...lost, createdAt: now }, now);
        const lease = (await tx.lease(lost.id, 'one', now, now + 1000))!;
        const attempt = { taskId: lost.id, number: 1, startedAt: now, endedAt: now, outcome: 'needs_check' } as const;
        await tx.finish(
          lease,
          { state: 'needs_check' },
          { ...attempt, error: null, hint: null, request: null, response: null },
          now,
        );
      });
      await say('telegram|3');
      assert.equal((await told()).filter((each) => each === third).length, 2);
      const fourth = await say('telegram|4');
      await other.desk.mergeTickets(there, fourth, 'usr_1');
      assert.equal((await other.store.write([], (tx) => tx.link('desk', fourth)))?.externalId, '7');
      await other.close();
    });

    it('that is about no ticket only without conditions', () => {
      const defined = [FILE, { ...FILE, when: { tag: ['vip'] }, to: ['desk'] }];
      const none = targetsOf(undefined, routingOf(defined, ALL, TYPES));
      assert.deepEqual(none, [{ id: 'crm', carries: 'events' }]);
    });

    it('to each destination once, and only to destinations that there are', () => {
      const to = ['crm', 'desk', 'crm', 'nobody', 'chat'];
      const routed = ask([
        { when: {}, to },
        { when: { tag: ['vip'] }, to: ['crm'] },
      ]);
      assert.deepEqual(routed, ['crm events', 'desk tickets']);
    });
  });
});
