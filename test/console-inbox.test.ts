import assert from 'node:assert/strict';
import { fitsIn, isAsSeen } from '../console/src/fits.ts';
import type { Filter } from '../console/src/fits.ts';
import { anything } from '../console/src/place.ts';
import type { TicketView } from '../console/src/views.ts';

const ticket: TicketView = {
  id: 'tkt_1',
  number: 1001,
  subject: 'Order',
  status: 'open',
  priority: 'normal',
  channel: { id: 'bot', type: 'telegram' },
  customer: { id: 'cus_1', name: 'Olena' },
  assignee: null,
  team: null,
  tags: ['VIP'],
  fields: {},
  language: null,
  messageCount: 1,
  lastMessageAt: null,
  createdAt: '2026-11-23T10:00:00.000Z',
  updatedAt: '2026-11-23T10:00:00.000Z',
  links: [],
  version: 3,
  mergedInto: null,
  replyChannels: [],
};

describe('the inbox of the console', () => {
  describe('a ticket', () => {
    const all: Filter = { ...anything, q: '', status: 'unsolved' };

    it('stands in a list when each filter fits', () => {
      const fits = (change: Partial<Filter>, given: Partial<TicketView> = {}) =>
        fitsIn({ ...ticket, ...given }, { ...all, ...change }, 'usr_1');
      const cases: readonly (readonly [boolean, Partial<Filter>, Partial<TicketView>?])[] = [
        [true, {}],
        [false, {}, { status: 'solved' }],
        [true, { status: 'all' }, { status: 'solved' }],
        [false, { status: 'all' }, { mergedInto: 'tkt_2' }],
        [true, { assignee: 'none' }],
        [false, { assignee: 'none' }, { assignee: 'usr_1' }],
        [true, { assignee: 'me' }, { assignee: 'usr_1' }],
        [false, { assignee: 'me' }, { assignee: 'usr_2' }],
        [true, { assignee: 'usr_2' }, { assignee: 'usr_2' }],
        [true, { channel: 'bot' }],
        [false, { channel: 'mail' }],
        [true, { tag: 'vip' }],
        [false, { tag: 'vi' }],
        [false, { team: 'x' }],
        [true, { team: 'x' }, { team: 'x' }],
        [false, { priority: 'high' }],
        [true, { priority: 'high' }, { priority: 'high' }],
      ];
      for (const [expected, filter, given] of cases) {
        assert.equal(fits(filter, given), expected, JSON.stringify([filter, given]));
      }
    });
  });

  describe('a change', () => {
    const message = { kind: 'message' } as const;
    const note = { kind: 'note' } as const;

    it('is made although something else was changed meanwhile, not where it is the same', () => {
      const shown = { ticket, messages: [message] };
      assert.ok(isAsSeen({ ...ticket, version: 7, priority: 'high' }, shown, { tags: [] }));
      assert.ok(!isAsSeen({ ...ticket, version: 7, assignee: 'usr_2' }, shown, { assignee: 'usr_1' }));
      assert.ok(!isAsSeen({ ...ticket, version: 7, tags: ['VIP', 'x'] }, shown, { tags: [] }));
    });

    it('resolves no ticket over a message that was not shown; notes are none', () => {
      const fresh = { ...ticket, version: 4, messageCount: 2 };
      const may = (messages: readonly { readonly kind: 'message' | 'note' }[]) =>
        isAsSeen(fresh, { ticket, messages }, { status: 'solved' });
      assert.deepEqual([may([message]), may([message, note]), may([message, message, note])], [false, false, true]);
      assert.ok(isAsSeen(fresh, { ticket, messages: [message] }, { priority: 'high' }));
    });
  });
});
