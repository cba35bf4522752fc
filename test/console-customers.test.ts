import assert from 'node:assert/strict';
import {
  becameOf,
  extended,
  inOrder,
  isOtherTicket,
  keptOf,
  partsOf,
  renewed,
  titleOf,
} from '../console/src/sections/customers/decide.ts';
import { customerTextsOf } from '../console/src/sections/customers/texts.ts';
import type { Customer, DeliveryView, Message, TaskState } from '../console/src/views.ts';

const at = '2026-11-23T10:00:00.000Z';
const identity = (value: string, trust: 'verified' | 'observed' | 'claimed', firstSeenAt = at) => ({
  ...{ kind: 'email', value, trust, firstSeenAt },
});
const customer = (given: Partial<Customer> = {}): Customer => ({
  ...{ id: 'cus_1', name: null, locale: null, identifiers: [], createdAt: at, updatedAt: at, mergedInto: null },
  ...given,
});
/** As the API pages them: the newest first. */
const page = (ids: readonly number[], nextCursor: string | null = 'more') => ({
  data: ids.map((id) => ({ id: `msg_${id}`, ticketId: 'tkt_1', text: 'new' }) as Message),
  nextCursor,
});
const idsOf = ({ messages }: { readonly messages: readonly Message[] }) =>
  messages.map(({ id }) => Number(id.slice(4)));

describe('the customers in the console', () => {
  it('are called by what is known of them', () => {
    const known = [identity('a@example.com', 'claimed')];
    assert.equal(titleOf(customer({ name: 'Олена', identifiers: known }), 'Unnamed'), 'Олена');
    assert.equal(titleOf(customer({ identifiers: known }), 'Unnamed'), 'a@example.com');
    assert.equal(titleOf(customer(), 'Unnamed'), 'Unnamed');
  });

  it('are recognised by kinds of identities, which may belong to one channel or be unclear', () => {
    assert.deepEqual(partsOf('phone'), { base: 'phone', clear: true });
    assert.deepEqual(partsOf('phone_unclear'), { base: 'phone', clear: false });
    assert.deepEqual(partsOf('webhook:intake'), { base: 'webhook', channel: 'intake', clear: true });
  });

  it('show the surest identity first, and what was known earlier before what came later', () => {
    const [a, b, c, d] = [
      identity('a', 'claimed'),
      identity('b', 'observed', '2026-11-23T11:00:00.000Z'),
      identity('c', 'observed'),
      identity('d', 'verified', '2026-11-23T12:00:00.000Z'),
    ];
    assert.deepEqual(inOrder([a, b, c, d]), [d, c, b, a]);
  });

  it('are merged into the one that is looked at, unless only the other one has a name', () => {
    const [own, other] = [customer({ id: 'own' }), customer({ id: 'other' })];
    assert.equal(keptOf(own, other).keep, own);
    const named = customer({ id: 'named', name: 'Олена' });
    assert.deepEqual(keptOf(own, named), { keep: named, from: own });
    assert.deepEqual(keptOf(named, own), { keep: named, from: own });
    const both = customer({ name: 'Ivan' });
    assert.equal(keptOf(both, named).keep, both);
  });

  describe('a timeline', () => {
    it('is the newest page, the oldest first', () => {
      const shown = renewed(undefined, page([9, 8, 7]));
      assert.deepEqual([idsOf(shown), shown.cursor], [[7, 8, 9], 'more']);
    });

    it('keeps the earlier pages when the newest one is read again', () => {
      const earlier = extended(renewed(undefined, page([9, 8, 7])), page([6, 5], 'before 5'));
      assert.deepEqual(idsOf(earlier), [5, 6, 7, 8, 9]);
      const shown = renewed(earlier, page([10, 9, 8], 'before 8'));
      assert.deepEqual([idsOf(shown), shown.cursor], [[5, 6, 7, 8, 9, 10], 'before 5']);
    });

    it('takes over what has changed, and lets go what has left', () => {
      const before = { messages: page([8]).data.map((one) => ({ ...one, text: 'old' })), cursor: 'x' };
      const shown = renewed(before, page([9, 8]));
      assert.deepEqual(
        shown.messages.map(({ text }) => text),
        ['new', 'new'],
      );
      const left = renewed(renewed(undefined, page([9, 8, 7])), page([9, 7, 6], 'before 6'));
      assert.deepEqual([idsOf(left), left.cursor], [[6, 7, 9], 'before 6']);
    });

    it('begins anew where something could be missing between, or when there is only one page', () => {
      const before = renewed(undefined, page([3, 2, 1]));
      assert.deepEqual(idsOf(renewed(before, page([9, 8, 7]))), [7, 8, 9]);
      const whole = renewed(before, page([3, 2], null));
      assert.deepEqual([idsOf(whole), whole.cursor], [[2, 3], null]);
    });

    it('shows no message twice that comes with two pages', () => {
      const shown = extended(renewed(undefined, page([9, 8])), page([8, 7], null));
      assert.deepEqual([idsOf(shown), shown.cursor], [[7, 8, 9], null]);
    });

    it('says where another ticket begins', () => {
      const messages = ['a', 'a', 'b', 'a', null, null].map((ticketId) => ({ ticketId }) as Message);
      assert.deepEqual(
        messages.map((_, index) => isOtherTicket(messages, index)),
        [true, false, true, true, true, false],
      );
    });
  });

  describe('beside a ticket', () => {
    const delivery = (destination: string, state: TaskState, id = `${destination} ${state}`) =>
      ({ id, destination, state }) as DeliveryView;
    const link = { destination: 'crm', externalId: '77', url: null };

    it('tell for each destination what somebody has to look at first', () => {
      const became = becameOf(
        { links: [link] },
        [
          delivery('crm', 'delivered'),
          delivery('crm', 'needs_check'),
          delivery('crm', 'dead'),
          delivery('new', 'waiting'),
        ],
        [
          { id: 'crm', name: 'Our CRM' },
          { id: 'new', name: 'New' },
          { id: 'other', name: 'Other' },
        ],
      );
      assert.deepEqual(
        became.map(({ name, link: at, delivery: sent }) => [name, at?.externalId, sent?.state]),
        [
          ['Our CRM', '77', 'dead'],
          ['New', undefined, 'waiting'],
        ],
      );
    });

    it('leave out answers through channels, and keep links to destinations that are gone', () => {
      const became = becameOf({ links: [link] }, [delivery('mail', 'delivered')], []);
      assert.deepEqual(became, [{ destination: 'crm', name: 'crm', link }]);
    });
  });

  it('count in the plurals of each language', () => {
    assert.match(customerTextsOf('uk').moves(1, 2, 5), /1 ідентичність, 2 звернення і 5 повідомлень/);
    assert.match(customerTextsOf('ru').moves(5, 1, 22), /5 идентичностей, 1 обращение и 22 сообщения/);
    assert.match(customerTextsOf('en').moves(1, 2, 1), /1 identity, 2 tickets and 1 message move/);
  });
});
