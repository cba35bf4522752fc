import assert from 'node:assert/strict';
import { BadPayloadError, ConflictError, NotFoundError } from '../src/core/errors.ts';
import type { Endpoint, Route, Routes } from '../src/core/gateway.ts';
import { createIds } from '../src/core/id.ts';
import { routingOf, targetsOf } from '../src/dispatch/routes.ts';
import { createRoutes } from '../src/routes.ts';
import { openFiling, type Filing } from './fakes/filing.ts';

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
const FILE: Route = { id: 'routes[0]', source: 'config/tributary.yaml:9', when: {}, to: ['crm'] };

describe('routes', () => {
  let filing: Filing;
  let routes: Routes;
  const open = (defined: readonly Route[] = [FILE]) =>
    createRoutes(
      { store: filing.store, newId: createIds(filing.clock), clock: filing.clock, endpoints: ENDPOINTS },
      defined,
    );
  beforeEach(async () => {
    filing = await openFiling();
    routes = await open();
  });
  afterEach(() => filing.close());

  const make = (tag: string) => routes.create({ when: { tag: [tag] }, to: ['desk'] });
  const tags = (all = routes.all()) => all.map((route) => route.when.tag?.[0] ?? 'always');

  it('are made, changed and removed, and are the same after a restart', async () => {
    for (const tag of ['a', 'b', 'c']) await make(tag);
    const [, a, b] = routes.all();
    await routes.update(b!.id, { when: { tag: ['b2'] }, to: ['crm', 'desk'] });
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
    await there.update(a.id, { when: { tag: ['a2'] }, to: ['crm'] });
    await there.remove(b.id);
    await make('c');
    assert.deepEqual(tags(), ['always', 'a2', 'c']);
    await assert.rejects(routes.update(b.id, { when: {}, to: ['crm'] }), NotFoundError);
  });

  it('stay right when several are changed at the same moment', async () => {
    for (const tag of ['a', 'b', 'c', 'd']) await make(tag);
    const [, , b, c, d] = routes.all();
    await Promise.all([
      routes.remove(b!.id),
      routes.update(c!.id, { when: { tag: ['c2'] }, to: ['desk'] }),
      routes.remove(d!.id),
      make('e'),
    ]);
    assert.deepEqual(tags(), ['always', 'a', 'c2', 'e']);
    assert.deepEqual(tags((await open()).all()), ['always', 'a', 'c2', 'e']);
  });

  it('from the file can’t be changed here, and say where they stand', async () => {
    for (const act of [() => routes.remove(FILE.id), () => routes.update(FILE.id, { when: {}, to: ['desk'] })]) {
      await assert.rejects(act(), (error) => {
        assert.ok(error instanceof ConflictError);
        assert.match(error.message, /config\/tributary\.yaml:9/);
        return true;
      });
    }
  });

  it('that nobody knows can’t be changed either', async () => {
    await assert.rejects(routes.remove('rte_none'), NotFoundError);
    await assert.rejects(routes.update('rte_none', { when: {}, to: ['crm'] }), NotFoundError);
  });

  it('lead to destinations that there are: otherwise the field is named, and nothing changes', async () => {
    for (const target of ['nobody', 'chat']) {
      await assert.rejects(routes.create({ when: {}, to: ['crm', target] }), (error) => {
        assert.ok(error instanceof BadPayloadError);
        assert.deepEqual([error.status, error.problems[0]!.pointer], [422, '/to/1']);
        return true;
      });
    }
    const { id } = await make('a');
    await assert.rejects(routes.update(id, { when: {}, to: ['nobody'] }), BadPayloadError);
    assert.deepEqual(tags(), ['always', 'a']);
    assert.equal((await filing.store.read.routes()).length, 1);
  });

  describe('let a change through', () => {
    const facts = { channel: 'chat', kind: 'message', language: 'uk', priority: 'normal', tags: ['vip', 'order'] };
    const ask = (defined: readonly Pick<Route, 'when' | 'to'>[], about: Parameters<typeof targetsOf>[0] = facts) =>
      targetsOf(about, routingOf(defined, ALL, TYPES)).map(({ id, carries }) => `${id} ${carries}`);
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
