import assert from 'node:assert/strict';
import { addressOf, placeOf, topOf } from '../console/src/place.ts';
import { byDay, dayName, newIn } from '../console/src/sections/ledger/days.ts';
import { envelopeOf, headOf, pairsOf, textOf } from '../console/src/sections/ledger/items.ts';
import { ruleOf, shortReason } from '../console/src/sections/ledger/reason.ts';
import { ledgerTextsOf } from '../console/src/sections/ledger/texts.ts';
import { languages, textsOf } from '../console/src/texts.ts';
import type { Language } from '../console/src/texts.ts';
import type { ReadItem } from '../console/src/views.ts';
import { Item } from '../src/core/envelope.ts';

const tags = Object.keys(languages) as Language[];
const en = ledgerTextsOf('en');

describe('the events in the console', () => {
  it('are searched and filtered by the address alone', () => {
    const address = '/events?q=%231001&endpoint=bot&outcome=rejected&since=day';
    const place = placeOf(new URL(address, 'https://desk.example.com'));
    assert.deepEqual(
      [place.section, place.find, place.from, place.outcome, place.span, place.q],
      ['events', '#1001', 'bot', 'rejected', 'day', ''],
    );
    assert.equal(addressOf(place), address);
    assert.equal(
      addressOf({ ...place, id: 'evt_1', delivery: 'tsk_1' }),
      address.replace('?', '/evt_1?') + '&delivery=tsk_1',
    );
    assert.equal(addressOf({ ...place, ...topOf('events') }), '/events');
    assert.equal(addressOf({ ...place, delivery: 'tsk_1' }), address, 'nothing is open in a list');
    const inbox = placeOf(new URL('/?q=words', 'https://desk.example.com'));
    assert.equal(addressOf({ ...inbox, ...topOf('events') }), '/events', 'what is looked for in the inbox stays there');
    const odd = placeOf(new URL('/events?since=ever&endpoint=a/b', 'https://desk.example.com'));
    assert.deepEqual([odd.span, odd.from], ['all', undefined]);
  });

  it('stand under the day on which they came in', () => {
    const at = (day: number, hour: number) => ({ receivedAt: new Date(2026, 10, day, hour).toISOString() });
    const sorted = [at(24, 1), at(24, 0), at(23, 23), at(1, 5)];
    const days = byDay(sorted);
    assert.deepEqual(
      days.map(([day, members]) => [day, members.length]),
      [
        ['2026-11-24', 2],
        ['2026-11-23', 1],
        ['2026-11-1', 1],
      ],
    );
    const now = new Date(2026, 10, 24, 2).getTime();
    const names = (language: string) => days.map(([, [first]]) => dayName(first!.receivedAt, now, language));
    assert.deepEqual(names('en'), ['today', 'yesterday', 'Sunday, November 1']);
    assert.deepEqual(names('uk').slice(0, 2), ['сьогодні', 'учора']);
    assert.match(dayName(new Date(2025, 10, 24).toISOString(), now, 'en'), /2025/);
    // The clocks went forward between them: that day had 23 hours.
    const [before, after] = [new Date(2026, 2, 28, 12), new Date(2026, 2, 30, 0, 30)];
    assert.match(dayName(before.toISOString(), after.getTime(), 'en'), /March 28/);
    assert.deepEqual(byDay([]), []);
  });

  it('say in words why something is in its ticket, and leave any other reason as it is', () => {
    const reason = 'thread: thread chat: 7';
    assert.deepEqual(ruleOf({ outcome: 'appended', reason }), { rule: 'thread', evidence: 'thread chat: 7' });
    assert.equal(shortReason({ outcome: 'appended', reason }, en), en.rules.thread);
    for (const [outcome, other] of [
      ['ignored', 'new: what a vendor calls it'],
      ['appended', 'reply by Ivan'],
      ['ticket_created', 'constructor: x'],
      ['ticket_created', 'new'],
    ] as const) {
      assert.equal(ruleOf({ outcome, reason: other }), undefined, other);
      assert.equal(shortReason({ outcome, reason: other }, en), other);
    }
    assert.equal(shortReason({ outcome: 'receipt', reason: null }, en), '');
  });

  it('count what has come in above those that are shown', () => {
    const list = (...ids: string[]) => ids.map((id) => ({ id }));
    assert.equal(newIn(list('c', 'b', 'a'), list('b', 'a')), 1);
    assert.equal(newIn(list('b', 'a'), list('b', 'a')), 0);
    assert.equal(newIn(list('d', 'c'), list('b', 'a')), 2, 'none of them is known');
    assert.equal(newIn([], list('a')), 0);
  });

  it('show what a channel makes of the bytes, also what a guard holds back', () => {
    const head = (item: ReadItem) => headOf(item, textsOf('en').kinds, en.things);
    const pairsIn = (item: ReadItem) => pairsOf(item, en, (iso) => `at ${iso}`);
    const message: ReadItem = Item.parse({
      kind: 'message',
      externalId: 'm-1',
      occurredAt: 0,
      sender: { name: 'Олена', identifiers: [{ kind: 'email', value: 'o@example.com', trust: 'claimed' }] },
      subject: 'Order',
      text: 'Where is it?',
      fields: { order: '4512' },
      attachments: [{ id: 'a', name: 'plan.pdf', mediaType: 'application/pdf' }],
    });
    assert.equal(head(message), 'Message · Олена');
    assert.equal(textOf(message), 'Where is it?');
    const pairs = new Map(pairsIn(message));
    for (const [name, value] of [
      ['Who', 'email o@example.com (claimed)'],
      ['Subject', 'Order'],
      ['Files', 'plan.pdf'],
      ['externalId', 'm-1'],
      ['occurredAt', 'at 1970-01-01T00:00:00.000Z'],
      ['order', '4512'],
    ] as const)
      assert.equal(pairs.get(name), value);
    const rejected = Item.parse({ kind: 'rejected', reason: 'too many links', envelope: message });
    assert.deepEqual(envelopeOf(rejected), message);
    assert.equal(head(rejected), 'Held back · Message · Олена');
    assert.equal(new Map(pairsIn(rejected)).get('rejected'), 'too many links');
    const call = Item.parse({
      ...{ kind: 'call', externalId: 'c', occurredAt: 0, sender: { identifiers: [] }, text: '' },
      call: { outcome: 'missed', from: '1' },
    });
    assert.equal(head(call), 'Call');
    assert.equal(new Map(pairsIn(call)).get('outcome'), 'missed');
    const broken = Item.parse({ kind: 'broken', at: '/0', error: 'no sender' });
    assert.deepEqual(pairsIn(broken), [
      ['at', '/0'],
      ['error', 'no sender'],
    ]);
    const note: ReadItem = { kind: 'note', id: '1', ticket: '2', at: 3, agent: 'Ivan', text: 'ask', attachments: [] };
    assert.deepEqual([head(note), textOf(note)], ['An agent’s note', 'ask']);
  });

  it('speak all languages, each with its own words', () => {
    const said = (value: unknown): string[] => {
      if (typeof value === 'function') return [0, 1, 5].map((count) => String(value(count)));
      return typeof value === 'object' && value !== null ? Object.values(value).flatMap(said) : [String(value)];
    };
    const all = tags.map((tag) => said(ledgerTextsOf(tag)));
    for (const words of all) {
      assert.equal(words.length, all[0]!.length);
      assert.ok(words.every((word) => word.trim() !== '' && !word.includes('undefined')));
    }
    const same = all[0]!.filter((word, index) => all.some((words) => words !== all[0] && words[index] === word));
    // One word is the same in Ukrainian and Russian.
    assert.ok(same.length <= 3, same.join());
  });
});
