import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EnvelopeInput, Identifier } from '../src/core/envelope.ts';
import { createIds } from '../src/core/id.ts';
import type { Task } from '../src/core/rows.ts';
import { Secret } from '../src/core/secret.ts';
import type { Message } from '../src/core/ticket.ts';
import { createHangUp } from '../src/normalizer/hang-up.ts';
import { openStore } from '../src/store/open.ts';
import { fakeLog } from './fakes/context.ts';
import { openOutgoing } from './fakes/outgoing.ts';
import { message, openFiling, PROOF_KEY, type Filing } from './fakes/filing.ts';
import { postgresMissing, startPostgres, type Postgres } from './fakes/postgres.ts';
import { skipUnless } from './skip.ts';

type CallInput = Extract<EnvelopeInput, { kind: 'call' }>;
type Progress = Partial<Omit<CallInput, 'kind' | 'call' | 'sender'>> & {
  readonly from?: string | null;
  readonly call: CallInput['call'];
};

const MINUTE = 60_000;
const START = Date.parse('2026-11-22T10:00:00Z');
const OLENA = '+380671234567';

/** An event of a call; `from: null`: it doesn't say who. */
function event({ from = OLENA, call, ...rest }: Progress): CallInput {
  const identifiers: Identifier[] = from === null ? [] : [{ kind: 'phone', value: from, trust: 'observed' }];
  const known = { externalId: 'call-1', occurredAt: START, text: '', sender: { identifiers } };
  return { kind: 'call', ...known, ...rest, call };
}

const inbound = { direction: 'inbound', from: OLENA, to: '+380441112233' } as const;
const outbound = { direction: 'outbound', from: '+380441112233', to: OLENA } as const;
const missed = (externalId: string, rest: Partial<Progress> = {}) =>
  event({ externalId, revision: 3, call: { ...inbound, outcome: 'missed' }, ...rest });

/** Every order of a list. */
function ordersOf<T>(list: readonly T[]): T[][] {
  if (list.length === 0) return [[]];
  return list.flatMap((each, index) => ordersOf(list.toSpliced(index, 1)).map((rest) => [each, ...rest]));
}

function calls(open: (rules?: 'inbound' | 'all') => Promise<Filing>): void {
  let filing: Filing;
  beforeEach(async () => {
    filing = await open();
  });
  afterEach(() => filing.close());

  const customerOf = async (identifier: string) => {
    const [kind = '', value = ''] = identifier.split('|');
    const { data } = await filing.store.read.customers({ identifier: { kind, value } }, { limit: 10 });
    assert.equal(data.length, 1, `one customer is ${identifier}`);
    return data[0]!;
  };
  const timeline = async (identifier = `phone|${OLENA}`) =>
    (await filing.store.read.timeline((await customerOf(identifier)).id, { limit: 100 })).data;
  const tickets = async () => (await filing.store.read.tickets({}, { limit: 100 })).data;
  const changes = async () => (await filing.store.read.changes(0, 1000)).map(({ type }) => type);
  const ofCall = (types: readonly string[]) => types.filter((type) => type.startsWith('call.'));
  const hangUp = (messageId: string) => {
    const { store, clock } = filing;
    const policy = { joinWithinMs: 24 * 60 * MINUTE, reopenWithinMs: 60 * MINUTE, calls: 'missed' } as const;
    const announcing = { newId: createIds(clock), clock, targetsOf: () => [], announced: () => undefined };
    return createHangUp({ ...announcing, store, policy, proofKey: PROOF_KEY })({
      messageId,
      endpointId: 'chat',
    } as Task);
  };

  it('makes the same call of its events in every order, and however often they come', async () => {
    const recording = [{ id: 'rec', name: 'call.mp3', mediaType: 'audio/mpeg' }];
    const events = [
      event({ revision: 1, call: { ...inbound, outcome: 'ringing' }, fields: { queue: 'sales' } }),
      event({
        revision: 2,
        call: { outcome: 'answered', agent: '101', answeredAt: START + 7000 },
        occurredAt: START + 7000,
      }),
      event({ revision: 3, from: null, call: { endedAt: START + 67_000 }, occurredAt: START + 67_000 }),
      event({
        revision: 4,
        from: null,
        call: { recording: 'rec' },
        attachments: recording,
        occurredAt: START + 90_000,
      }),
      event({ revision: 4, from: null, call: { transcript: 'Добрий день' }, occurredAt: START + 91_000 }),
    ];
    const seen = new Map<string, string>();
    for (const [index, order] of ordersOf(events).entries()) {
      // A number of its own for each order, and every third one hears everything twice.
      const from = `+38067${String(1_000_000 + index)}`;
      const again = index % 3 === 0 ? [...order, ...order] : order;
      for (const each of again) {
        const sender = each.sender.identifiers.length === 0 ? each.sender : event({ from, call: {} }).sender;
        await filing.file({ ...each, sender, externalId: `call-${index}` });
      }
      const [made, ...others] = await timeline(`phone|${from}`);
      assert.deepEqual(others, []);
      const { call, revision, occurredAt, fields, direction, attachments, ticketId, author } = made!;
      assert.equal(author.identifiers[0]?.value, from);
      const files = attachments.map(({ name }) => name);
      seen.set(
        JSON.stringify({ call, revision, occurredAt, fields, direction, files, ticketId }),
        order.map((each) => each.revision).join(),
      );
    }
    assert.equal(seen.size, 1, [...seen].map((each) => each.join(' after ')).join('\n'));
    const { call, ...rest } = JSON.parse([...seen.keys()][0]!) as Message & { files: string[] };
    assert.deepEqual(call, {
      ...{ outcome: 'answered', ...inbound, agent: '101', waitedSec: 7, talkedSec: 60, recording: 'rec' },
      transcript: 'Добрий день',
    });
    assert.deepEqual(rest, {
      ...{ revision: 4, occurredAt: '2026-11-22T10:00:00.000Z', fields: { queue: 'sales' }, direction: 'inbound' },
      ...{ files: ['call.mp3'], ticketId: null },
    });
    assert.deepEqual(await tickets(), []);
    assert.equal(ofCall(await changes()).filter((type) => type === 'call.ended').length, 120, 'told once a call');
  });

  it('believes the highest revision by its number, and of two under one revision always the same', async () => {
    const say = (revision: number, agent: string) => event({ revision, call: { outcome: 'answered', agent } });
    for (const [one, other] of [
      [say(9, 'nine'), say(10, 'ten')],
      [say(3, 'a'), say(3, 'b')],
    ] as const) {
      const heard = new Set<string | undefined>();
      for (const [index, order] of [
        [one, other],
        [other, one],
      ].entries()) {
        const externalId = `${one.revision}-${index}`;
        for (const each of order) await filing.file({ ...each, externalId });
        heard.add((await timeline()).find((each) => each.externalId === externalId)?.call?.agent);
      }
      assert.equal(heard.size, 1);
      if (other.revision === 10) assert.deepEqual([...heard], ['ten']);
    }
  });

  it('opens a ticket when a ringing call is missed, and tells it once', async () => {
    const [ringing] = await filing.file(event({ revision: 1, call: { ...inbound, outcome: 'ringing' } }));
    assert.deepEqual([ringing!.outcome, ringing!.ticketId], ['appended', undefined]);
    const [ended] = await filing.file(missed('call-1'));
    assert.equal(ended!.outcome, 'ticket_created');
    await filing.file([missed('call-1'), event({ revision: 1, call: { ...inbound, outcome: 'ringing' } })]);
    const [ticket, ...others] = await tickets();
    assert.deepEqual(others, []);
    assert.deepEqual([ticket!.priority, ticket!.tags, ticket!.messageCount], ['high', ['callback'], 1]);
    assert.deepEqual(ofCall(await changes()), ['call.missed']);
    const created = (await filing.store.read.changes(0, 1000)).find(({ type }) => type === 'ticket.created');
    assert.equal(created?.data.message?.call?.outcome, 'missed');
    assert.equal((await timeline()).length, 1);
  });

  it('makes one ticket of ten missed calls of one number in five minutes', async () => {
    for (let index = 0; index < 10; index++) {
      await filing.file(missed(`call-${index}`, { occurredAt: START + (index * MINUTE) / 2 }));
      filing.clock.jump(MINUTE / 2);
    }
    const [ticket, ...others] = await tickets();
    assert.deepEqual(others, []);
    assert.deepEqual([ticket!.messageCount, ticket!.tags], [10, ['callback']]);
    assert.equal(ofCall(await changes()).length, 10);
  });

  it('puts a later message of the same number on the same timeline', async () => {
    await filing.file([missed('call-1'), missed('call-2')]);
    await filing.file(message(`phone|${OLENA}|verified`, { externalId: 'wa' }), 'whatsapp');
    assert.deepEqual(
      (await timeline()).map(({ kind }) => kind),
      ['message', 'call', 'call'],
    );
    assert.equal((await tickets()).length, 1);
  });

  it('grants nothing to who shows the number of somebody else', async () => {
    const vip = ['telegram|vip|verified', `phone|${OLENA}|verified`];
    await filing.file(message(vip, { externalId: 'm' }), 'telegram');
    const before = await customerOf('telegram|vip');
    await filing.file({
      ...missed('call-1'),
      sender: {
        name: 'The Boss',
        identifiers: [
          { kind: 'phone', value: OLENA, trust: 'observed' },
          { kind: 'sip', value: 'evil', trust: 'observed' },
        ],
      },
    });
    const [call] = await timeline();
    assert.equal(call!.verified, false, 'nobody vouches for it');
    const after = await customerOf('telegram|vip');
    assert.deepEqual(
      after.identifiers
        .filter(({ trust }) => trust !== 'claimed')
        .map(({ kind, value, trust }) => [kind, value, trust]),
      before.identifiers.map(({ kind, value, trust }) => [kind, value, trust]),
      'what he brings along is not the VIP’s',
    );
    await filing.file(message('sip|evil|observed', { externalId: 'later' }), 'sip');
    assert.equal(
      (await timeline('telegram|vip')).some(({ externalId }) => externalId === 'later'),
      false,
    );
  });

  it('takes no two callers without a number for one, and finds each again by his call', async () => {
    for (const id of ['a', 'b']) await filing.file(missed(id, { from: null }));
    await filing.file(event({ externalId: 'a', revision: 5, from: null, call: { transcript: 'Ало?' } }));
    assert.equal((await tickets()).length, 2);
    const [a, b] = [await customerOf('call:chat|a'), await customerOf('call:chat|b')];
    assert.notEqual(a.id, b.id);
    assert.equal((await timeline('call:chat|a'))[0]!.call?.transcript, 'Ало?');
  });

  it('takes what writing calls down costs from what is left of a day, also when many do at once', async () => {
    const spend = (name: string, amount: number) => filing.store.write([name], (tx) => tx.spend(name, amount, 100));
    assert.equal(await spend('today', 101), false, 'more than all of it');
    assert.equal(await spend('today', 60), true);
    assert.equal(await spend('today', 41), false);
    const both = await Promise.all([spend('today', 40), spend('today', 40)]);
    assert.deepEqual(both.toSorted(), [false, true]);
    assert.equal(await spend('today', 1), false);
    assert.equal(await spend('tomorrow', 100), true);
  });

  it('learns from a later event who called', async () => {
    await filing.file(message(`phone|${OLENA}|verified`, { externalId: 'wa' }), 'whatsapp');
    await filing.file(missed('call-1', { from: null }));
    await filing.file(event({ revision: 1, call: { ...inbound, outcome: 'ringing' } }));
    assert.deepEqual(
      (await timeline()).map(({ kind }) => kind),
      ['call', 'message'],
    );
    assert.deepEqual(new Set((await tickets()).map(({ customer }) => customer.id)).size, 1);
  });

  it('joins the open ticket of who called also where that is told last', async () => {
    await filing.file(message(`phone|${OLENA}|observed`), 'sms');
    const said = [
      event({ revision: 4, from: null, call: { outcome: 'answered', endedAt: START + MINUTE } }),
      event({ revision: 2, call: { ...inbound, outcome: 'answered' } }),
    ];
    for (const each of said) await filing.file(each);
    const [ticket] = await tickets();
    assert.deepEqual(
      (await timeline()).map(({ kind, ticketId }) => [kind, ticketId === ticket!.id]),
      [
        ['call', true],
        ['message', true],
      ],
    );
  });

  it('takes a call for missed whose end nobody tells, until somebody does', async () => {
    await filing.file(event({ revision: 1, call: { ...inbound, outcome: 'ringing' } }));
    const [call] = await timeline();
    assert.match((await hangUp(call!.id)).response, /taken for missed/);
    const [ticket] = await tickets();
    assert.deepEqual([ticket!.priority, ticket!.tags], ['high', ['callback']]);
    assert.match((await hangUp(call!.id)).response, /is missed/, 'once');
    await filing.file(event({ revision: 2, call: { outcome: 'answered', talkedSec: 5 } }));
    const [now] = await timeline();
    assert.deepEqual([now!.call?.outcome, now!.call?.talkedSec, now!.revision], ['answered', 5, 2]);
    assert.deepEqual((await tickets())[0]!.tags, [], 'nobody waits to be called back');
    assert.deepEqual(ofCall(await changes()), ['call.missed']);
  });

  it('leaves a call alone whose end came', async () => {
    await filing.file(event({ revision: 1, call: { ...inbound, outcome: 'ringing' } }));
    await filing.file(event({ revision: 2, call: { outcome: 'answered' } }));
    assert.match((await hangUp((await timeline())[0]!.id)).response, /is answered/);
    assert.deepEqual(await tickets(), []);
  });

  it('takes the to-do away when the customer was called back, in whatever order that is told', async () => {
    const back = event({
      externalId: 'back',
      occurredAt: START + MINUTE,
      call: { ...outbound, outcome: 'answered', talkedSec: 60 },
    });
    for (const order of ordersOf([missed('call-1'), back])) {
      for (const each of order) await filing.file(each);
      const [ticket, ...others] = await tickets();
      assert.deepEqual(others, []);
      assert.deepEqual(ticket!.tags, []);
      await filing.close();
      filing = await open();
    }
    await filing.file([missed('call-1'), event({ externalId: 'x', call: { ...outbound, outcome: 'busy' } })]);
    assert.deepEqual((await tickets())[0]!.tags, ['callback'], 'he was not reached');
    await filing.file([back, missed('call-3', { occurredAt: START + 2 * MINUTE })]);
    assert.deepEqual((await tickets())[0]!.tags, ['callback'], 'he has called again since');
  });

  it('keeps the to-do away that an agent took away', async () => {
    const [{ ticketId } = { ticketId: '' }] = await filing.file(missed('call-1'));
    await filing.desk.updateTicket(ticketId!, { tags: [] }, 'agent');
    await filing.file(event({ revision: 4, call: { transcript: 'Ало?' } }));
    assert.deepEqual((await tickets())[0]!.tags, []);
    const before = { externalId: 'before', occurredAt: START - MINUTE };
    await filing.file(event({ ...before, call: { ...outbound, outcome: 'answered' } }));
    assert.deepEqual((await tickets())[0]!.tags, [], 'nor does a call to him bring it back');
  });

  it('opens no ticket for calls that went out, joins an open one, and wakes none', async () => {
    const out = (externalId: string) => event({ externalId, call: { ...outbound, outcome: 'answered', talkedSec: 9 } });
    await filing.file(out('one'));
    assert.deepEqual(await tickets(), []);
    const [{ ticketId } = { ticketId: '' }] = await filing.file(message(`phone|${OLENA}|observed`), 'sms');
    const [joined] = await filing.file(out('two'));
    assert.equal(joined!.ticketId, ticketId);
    await filing.desk.updateTicket(ticketId!, { status: 'solved' }, 'agent');
    await filing.file(out('three'));
    const [ticket] = await tickets();
    assert.deepEqual([ticket!.status, ticket!.messageCount], ['solved', 2]);
    assert.deepEqual(
      (await timeline()).map(({ direction }) => direction),
      ['outbound', 'outbound', 'inbound', 'outbound'],
    );
  });

  it('wakes a ticket that waits, when its customer’s call is missed', async () => {
    const [{ ticketId } = { ticketId: '' }] = await filing.file(message(`phone|${OLENA}|observed`), 'sms');
    await filing.desk.updateTicket(ticketId!, { status: 'pending' }, 'agent');
    await filing.file(event({ revision: 1, call: { ...inbound, outcome: 'ringing' } }));
    assert.equal((await tickets())[0]!.status, 'pending', 'it may be answered yet');
    await filing.file(missed('call-1'));
    const [ticket] = await tickets();
    assert.deepEqual([ticket!.id, ticket!.status, ticket!.priority], [ticketId, 'open', 'high']);
    const all = await filing.store.read.changes(0, 1000);
    const { data } = all.findLast(({ type }) => type === 'ticket.status_changed')!;
    const status = { from: 'pending', to: 'open' };
    assert.deepEqual(
      [data['from'], data['to'], data['changes']],
      ['pending', 'open', { status, priority: { from: 'normal', to: 'high' } }],
    );
    assert.deepEqual(ofCall(await changes()), ['call.missed']);
  });

  it('opens tickets for answered calls where the rule says so', async () => {
    const answered = (externalId: string, way: typeof inbound | typeof outbound) =>
      event({ externalId, from: `+38067000000${externalId}`, call: { ...way, outcome: 'answered', talkedSec: 9 } });
    for (const [rule, made] of [
      ['inbound', 1],
      ['all', 2],
    ] as const) {
      await filing.close();
      filing = await open(rule);
      await filing.file([answered('1', inbound), answered('2', outbound)]);
      const all = await tickets();
      assert.equal(all.length, made, rule);
      assert.ok(all.every(({ priority, tags }) => priority === 'normal' && tags.length === 0));
    }
  });

  it('tells a help desk of a call once, when it is over', async () => {
    await filing.close();
    filing = await open();
    await filing.file(message(`phone|${OLENA}|observed`), 'sms');
    await filing.file(event({ revision: 1, call: { ...inbound, outcome: 'ringing' } }));
    await filing.file(event({ revision: 2, call: { outcome: 'answered' } }));
    await filing.file(event({ revision: 3, from: null, call: { endedAt: START + MINUTE } }));
    await filing.file(event({ revision: 4, from: null, call: { transcript: '…' } }));
    assert.deepEqual(ofCall(await changes()), ['call.ended']);
  });
}

describe('a call that begins and never ends', () => {
  it('is a ticket after a quarter of an hour, and not before', async () => {
    const out = await openOutgoing([]);
    try {
      await out.file(event({ revision: 1, occurredAt: out.clock.now(), call: { ...inbound, outcome: 'ringing' } }));
      await out.pass(14 * MINUTE, 30_000);
      assert.deepEqual((await out.store.read.tickets({}, { limit: 10 })).data, []);
      await out.pass(2 * MINUTE, 30_000);
      const [ticket] = (await out.store.read.tickets({}, { limit: 10 })).data;
      assert.deepEqual(ticket?.tags, ['callback']);
    } finally {
      await out.close();
    }
  });
});

describe('calls, on SQLite', () => {
  calls((rules) => openFiling(rules ? { calls: rules } : {}));
});

describe('calls, on PostgreSQL', function () {
  let server: Postgres;
  let url: string;
  before(async function () {
    const missing = postgresMissing();
    skipUnless(this, missing === undefined, missing ?? '');
    server = await startPostgres();
    url = await server.createDatabase();
  });
  after(() => server?.stop());
  calls(async (rules) => {
    await server.empty(url);
    const folder = mkdtempSync(join(tmpdir(), 'tributary-calls-'));
    const store = await openStore({ folder, url: new Secret(url), log: fakeLog(), typeOf: () => 'test' });
    const filing = await openFiling({ store, ...(rules && { calls: rules }) });
    return {
      ...filing,
      async close() {
        await filing.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  });
});
