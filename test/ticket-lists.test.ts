import assert from 'node:assert/strict';
import type { Page, PageRequest, TicketFilter } from '../src/core/reader.ts';
import { ticketStatuses, type Ticket } from '../src/core/ticket.ts';
import { describeOnBoth } from './fakes/both-databases.ts';
import { fill, openTestDatabase, type TestDatabase } from './fakes/database.ts';

/** More than are sorted. */
const MANY = 1100;
/** Each so manieth ticket is another one. */
const RARE = 100;

/** Tickets of every kind, most of them alike. */
async function seed(base: TestDatabase): Promise<void> {
  const add = fill(base);
  const customer = await add.customer();
  await base.bulk(async () => {
    for (let i = 0; i < MANY; i++) {
      const isRare = i % RARE === 0;
      const id = await add.ticket(customer, {
        status: ticketStatuses[i % 7] ?? 'new',
        channelId: isRare ? 'bot' : 'contact',
        priority: isRare ? 'urgent' : 'normal',
        assignee: i % 3 === 0 ? 'usr_1' : i % 3 === 1 ? 'usr_2' : null,
        team: i % 4 === 0 ? 'billing' : null,
        tags: [...(isRare ? ['Rare'] : []), 'often'],
      });
      // A type is looked for among the channels that something came through.
      if (i === 0) await add.message(id, { endpointId: 'bot' });
    }
  });
}

const filters: readonly TicketFilter[] = [
  {},
  { status: ['new', 'open'] },
  { assignee: null },
  { assignee: null, status: ['new', 'open', 'pending'], team: 'billing' },
  { assignee: 'usr_1' },
  { assignee: 'usr_2', team: 'billing', status: ['closed'] },
  { team: 'billing' },
  { channel: 'bot' },
  { channel: 'contact' },
  { channel: 'contact', assignee: null, status: ['open'] },
  { channelType: 'telegram', priority: 'urgent' },
  { priority: 'urgent' },
  { priority: 'normal', status: ['new'] },
  { tag: 'rARE', status: ['new', 'pending'] },
  { tag: 'OFTEN', channel: 'contact' },
  { tag: 'often', assignee: 'usr_1', channel: 'bot' },
];

const fits = (ticket: Ticket, { status, assignee, team, channel, channelType, priority, tag }: TicketFilter) =>
  (!status || status.includes(ticket.status)) &&
  (assignee === undefined || ticket.assignee === assignee) &&
  (team === undefined || ticket.team === team) &&
  (channel === undefined || ticket.channel.id === channel) &&
  (channelType === undefined || ticket.channel.type === channelType) &&
  (priority === undefined || ticket.priority === priority) &&
  (tag === undefined || ticket.tags.some((name) => name.toLowerCase() === tag.toLowerCase()));

async function all<T>(list: (page: PageRequest) => Promise<Page<T>>): Promise<T[]> {
  const found: T[] = [];
  for (let cursor: string | undefined; ;) {
    const { data, nextCursor } = await list({ limit: 90, ...(cursor !== undefined && { cursor }) });
    found.push(...data);
    if (nextCursor === null) return found;
    cursor = nextCursor;
  }
}

describeOnBoth('lists of tickets', (open) => {
  let base: TestDatabase;
  beforeEach(async () => {
    base = await open();
  });
  afterEach(() => base.close());

  it('hold what fits in order, page after page, whether few tickets fit or many', async () => {
    await seed(base);
    for (const sort of ['-updatedAt', 'updatedAt', '-createdAt'] as const) {
      const whole = await all((page) => base.read.tickets({ sort }, page));
      assert.equal(whole.length, MANY);
      const times = whole.map(({ updatedAt }) => updatedAt);
      assert.deepEqual(times, sort.startsWith('-') ? times.toSorted().toReversed() : times.toSorted());
      for (const filter of filters) {
        const found = await all((page) => base.read.tickets({ ...filter, sort }, page));
        const expected = whole.filter((ticket) => fits(ticket, filter));
        assert.ok(expected.length > 0, JSON.stringify(filter));
        assert.deepEqual(
          found.map(({ number }) => number),
          expected.map(({ number }) => number),
          `${JSON.stringify(filter)} ${sort}`,
        );
      }
    }
  });

  it('follow the tags of a ticket, and name each tag and team once', async () => {
    const add = fill(base);
    const customer = await add.customer();
    const first = await add.ticket(customer, { tags: ['VIP', 'Повернення'], team: 'Склад' });
    const second = await add.ticket(customer, { tags: ['vip'], team: 'Склад' });
    const tagged = async (tag: string) => (await base.read.tickets({ tag }, { limit: 10 })).data.map(({ id }) => id);
    assert.deepEqual(await tagged('Vip'), [second, first]);
    assert.deepEqual(await tagged('повернення'), [first]);
    assert.deepEqual(await base.read.labels(), { tags: ['VIP', 'Повернення'], teams: ['Склад'] });
    await base.tx.updateTicket(first, { tags: ['refund', 'Refund'] }, base.clock.now());
    await base.tx.updateTicket(second, { priority: 'high' }, base.clock.now());
    assert.deepEqual(
      [await tagged('vip'), await tagged('повернення'), await tagged('REFUND')],
      [[second], [], [first]],
    );
    assert.deepEqual((await base.read.labels()).tags, ['Refund', 'vip']);
  });

  it('name 200 tags at most', async () => {
    const add = fill(base);
    const customer = await add.customer();
    for (let i = 0; i < 5; i++) {
      await add.ticket(customer, { tags: Array.from({ length: 50 }, (_, n) => `tag ${1000 + i * 50 + n}`) });
    }
    const { tags } = await base.read.labels();
    assert.deepEqual([tags.length, tags[0], tags.at(-1)], [200, 'tag 1000', 'tag 1199']);
  });
});

describe('lists of tickets among many', () => {
  let base: TestDatabase;
  before(async () => {
    base = await openTestDatabase();
    await seed(base);
  });
  after(() => base.close());

  async function plansOf(filter: TicketFilter): Promise<string[]> {
    base.queries();
    await base.read.tickets(filter, { limit: 50 });
    return base
      .queries()
      .filter((text) => /from "?(tickets|ticket_tags|few)/i.test(text))
      .map((text) => base.planOf(text).join('\n'));
  }

  it('are read in the order of an index, without sorting', async () => {
    const expected: readonly (readonly [TicketFilter, RegExp])[] = [
      [{}, /tickets_unassigned \(status=\?\)[^]*tickets_assigned \(status=\?\)/],
      [{ status: ['new'] }, /tickets_unassigned \(status=\?\)[^]*tickets_assigned \(status=\?\)/],
      [{ assignee: null, status: ['new'] }, /tickets_unassigned \(status=\?\)/],
      [{ assignee: 'usr_1', status: ['new'] }, /tickets_by_assignee \(assignee=\? AND status=\?\)/],
      [{ team: 'billing', assignee: null }, /tickets_by_team \(team=\? AND status=\?\)/],
      [{ channel: 'contact' }, /tickets_unassigned \(status=\?\)[^]*tickets_assigned \(status=\?\)/],
      [{ tag: 'often', assignee: null }, /tickets_unassigned \(status=\?\)/],
      [{ priority: 'normal' }, /tickets_unassigned \(status=\?\)[^]*tickets_assigned \(status=\?\)/],
    ];
    for (const [filter, index] of expected) {
      const plan = (await plansOf(filter)).at(-1) ?? '';
      assert.match(plan, index, JSON.stringify(filter));
      assert.doesNotMatch(plan, /TEMP B-TREE|SCAN tickets|MATERIALIZE/, JSON.stringify(filter));
    }
  });

  it('look at nothing but what fits where that is little', async () => {
    const expected: readonly (readonly [TicketFilter, RegExp])[] = [
      [{ channel: 'bot' }, /tickets_by_channel \(channel_id=\? AND status=\?\)/],
      [{ channelType: 'telegram', assignee: null }, /tickets_by_channel \(channel_id=\? AND status=\?\)/],
      [{ priority: 'urgent' }, /tickets_by_priority \(priority=\? AND status=\?\)/],
      [{ tag: 'rare' }, /ticket_tags_1 \(tag=\?\)/],
      [{ tag: 'rare', channel: 'contact', priority: 'urgent' }, /ticket_tags_1 \(tag=\?\)/],
    ];
    for (const [filter, index] of expected) {
      const plans = await plansOf(filter);
      assert.match(plans[0] ?? '', /COVERING INDEX/, 'counting them reads no row');
      assert.match(plans.at(-1) ?? '', new RegExp(`MATERIALIZE few[^]*${index.source}`), JSON.stringify(filter));
    }
  });
});
