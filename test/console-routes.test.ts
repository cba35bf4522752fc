import assert from 'node:assert/strict';
import { addressOf, placeOf, stepFrom, topOf } from '../console/src/place.ts';
import {
  askedOf,
  compared,
  countsOf,
  draftsOf,
  enteredOf,
  isOther,
  keptDraft,
  moved,
  partOf,
  placed,
  ruleOf,
} from '../console/src/sections/routes/decide.ts';
import { dayName } from '../console/src/sections/routes/days.ts';
import { routeTextsOf } from '../console/src/sections/routes/texts.ts';
import type { Route, Routed, Rule } from '../console/src/sections/routes/views.ts';

const route = (id: string, given: Partial<Route> = {}): Route => ({
  ...{ id, source: null, when: {}, to: ['crm'], stop: false },
  ...given,
});
const ids = (drafts: readonly { readonly key: string }[]) => drafts.map(({ key }) => key).join('');

describe('the routes in the console', () => {
  it('have an address of their own, and nothing that is open in it', () => {
    const read = (address: string) => placeOf(new URL(address, 'https://desk.example.com'));
    const place = read('/routes/rte_1?q=x');
    assert.deepEqual([place.section, place.id], ['routes', undefined]);
    assert.equal(addressOf(place), '/routes');
    assert.equal(addressOf(stepFrom(read('/destinations/crm'), topOf('routes'))), '/routes');
  });

  it('that are made here can be changed, those of the file can’t', () => {
    const routes = [route('f', { source: 'tributary.yaml:9' }), route('a'), route('b')];
    const drafts = draftsOf(routes);
    assert.equal(ids(drafts), 'ab');
    assert.equal(isOther(drafts, routes), false);
    assert.equal(isOther(moved(drafts, 'a', 1), routes), true);
    assert.equal(isOther(drafts.slice(1), routes), true);
    const changed = placed(drafts, { ...drafts[0]!, stop: true });
    assert.deepEqual([ids(changed), isOther(changed, routes)], ['ab', true]);
    assert.equal(ids(placed(drafts, { ...drafts[0]!, key: 'c' })), 'abc');
  });

  it('are moved by one place, and not out of the list', () => {
    const drafts = draftsOf([route('a'), route('b'), route('c')]);
    assert.equal(ids(moved(drafts, 'b', -1)), 'bac');
    assert.equal(ids(moved(drafts, 'b', 1)), 'acb');
    for (const [key, by] of [
      ['a', -1],
      ['c', 1],
      ['x', 1],
    ] as const) {
      assert.equal(moved(drafts, key, by), drafts);
    }
  });

  it('are the same after a form has had them, whatever they ask', () => {
    const rules: readonly Rule[] = [
      { when: {}, to: ['crm'], stop: false },
      {
        when: {
          channel: ['bot', 'mail'],
          channelType: ['telegram'],
          kind: ['form', 'review'],
          language: ['uk', 'en'],
          priority: ['high'],
          tag: ['vip, gold', 'b2b'],
          customer: ['cus_1'],
          field: { department: ['Sales, abroad', 'Support'], __proto__x: ['1'] },
          time: { zone: 'Europe/Kyiv', days: ['mon', 'sun'], from: '18:00', to: '09:00' },
        },
        to: ['crm', 'desk'],
        stop: true,
      },
      { when: { time: { zone: 'UTC+3' } }, to: ['crm'], stop: false },
      { when: { time: { zone: 'UTC', to: '24:00' } }, to: ['crm'], stop: false },
    ];
    for (const rule of rules) assert.deepEqual(ruleOf(enteredOf(rule, 'Asia/Almaty')), rule);
    assert.equal(enteredOf(rules[0]!, 'Asia/Almaty').zone, 'Asia/Almaty');
  });

  it('ask nothing by what is left empty', () => {
    const empty = enteredOf({ when: {}, to: [], stop: false }, 'UTC');
    const entered = {
      ...empty,
      tag: ' \n vip \n\n',
      language: '  ',
      fields: [
        { name: ' ', values: '\n' },
        { name: ' department ', values: 'Sales\n\nSupport ' },
      ],
      days: ['sun', 'mon'],
      from: '9:00',
    };
    assert.deepEqual(ruleOf(entered).when, { tag: ['vip'], field: { department: ['Sales', 'Support'] } });
    const { when } = ruleOf({ ...entered, time: 'sometimes', from: ' ' });
    assert.deepEqual(when.time, { zone: 'UTC', days: ['mon', 'sun'] });
    // What is half filled in is not dropped: the gateway says what is missing.
    assert.deepEqual(ruleOf({ ...empty, fields: [{ name: 'x', values: '' }] }).when, { field: { x: [] } });
  });

  it('have their faults said where they are', () => {
    const part = (pointer: string) => partOf({ pointer, message: '' });
    assert.equal(part('/routes/0/when/time/zone'), 'time');
    assert.equal(part('/routes/0/when/field/x'), 'field');
    assert.equal(part('/routes/0/to/1'), 'to');
    for (const other of ['/routes/0/when', '/routes/0/stop', '/count', '']) assert.equal(part(other), undefined, other);
  });

  it('say what they ask in the names that are known', () => {
    const when = {
      time: { zone: 'UTC' },
      channel: ['bot', 'gone'],
      kind: ['form'],
      field: { department: ['Sales'], order: ['1', '2'] },
    };
    const asked = askedOf(when, {
      channels: [{ id: 'bot', name: 'Our bot' }],
      titleOf: (condition, value) => `${condition} ${value}`,
      time: ({ zone }) => `at ${zone}`,
    });
    assert.deepEqual(asked, [
      { condition: 'channel', values: ['Our bot', 'gone'] },
      { condition: 'kind', values: ['kind form'] },
      { condition: 'field', what: 'department', values: ['Sales'] },
      { condition: 'field', what: 'order', values: ['1', '2'] },
      { condition: 'time', values: ['at UTC'] },
    ]);
    assert.deepEqual([dayName('mon', 'en'), dayName('sun', 'en')], ['Mon', 'Sun']);
  });

  it('that are tried show what goes elsewhere, and how much goes to each destination', () => {
    const message = (id: string, to: readonly string[], follows: readonly string[] = []): Routed => ({
      ...{ type: 'message.received', timestamp: '2026-11-23T10:00:00.000Z', to, follows },
      ...(id && { messageId: id }),
    });
    const now = [message('m1', ['crm', 'desk']), message('m2', ['crm']), message('m3', [], ['desk'])];
    const then = [
      message('new', ['crm']),
      message('m1', ['desk', 'crm']),
      message('m2', ['desk']),
      message('m3', ['desk']),
    ];
    const tried = compared(now, then);
    assert.deepEqual(
      tried.map(({ message: { messageId }, differs }) => [messageId, differs]),
      [
        ['m1', false],
        ['m2', true],
        ['m3', true],
      ],
    );
    assert.deepEqual(countsOf(tried), [
      { id: 'desk', now: 1, then: 3 },
      { id: 'crm', now: 2, then: 1 },
    ]);
    assert.deepEqual(
      compared(now, [message('m3', [], [])]).map(({ differs }) => differs),
      [true],
      'who follows counts as well',
    );
  });

  it('are kept in the tab while they are not saved', () => {
    const kept = { version: 'v1', drafts: draftsOf([route('a')]) };
    assert.deepEqual(keptDraft(JSON.stringify(kept)), kept);
    for (const text of [undefined, 'null', '{', '{"version":1,"drafts":[]}', '{"version":"v1"}', '[]']) {
      assert.equal(keptDraft(text), undefined, text);
    }
  });

  it('count in each language', () => {
    assert.match(routeTextsOf('en').differs(1, 1), /1 of the last 1 message would/);
    assert.match(routeTextsOf('uk').asBefore(3), /3 повідомлення/);
    assert.match(routeTextsOf('uk').asBefore(5), /5 повідомлень/);
    assert.match(routeTextsOf('ru').asBefore(21), /21 сообщение/);
  });
});
