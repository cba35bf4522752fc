import assert from 'node:assert/strict';
import { exportOperation } from '../src/api/export.ts';
import type { Call } from '../src/api/operation.ts';
import { ConflictError, NotFoundError } from '../src/core/errors.ts';
import type { Gateway } from '../src/core/gateway.ts';
import { describeOnBoth } from './fakes/both-databases.ts';
import { fill, type TestDatabase } from './fakes/database.ts';

interface Exported {
  readonly customer: { readonly id: string };
  readonly joined: readonly { readonly name: string }[];
  readonly tickets: readonly { readonly subject: string }[];
  readonly messages: readonly {
    readonly text: string;
    readonly reactions: readonly { readonly author: string }[];
    readonly history: readonly { readonly text: string }[];
    readonly received: {
      readonly endpoint: string;
      readonly payload: { readonly body: { content: string } } | null;
    } | null;
  }[];
  readonly files: readonly { readonly name: string; readonly url: string }[];
  readonly deliveries: readonly { readonly destination: string }[];
}

describeOnBoth('the export of a customer', (openTestDatabase) => {
  let base: TestDatabase;
  let add: ReturnType<typeof fill>;
  beforeEach(async () => {
    base = await openTestDatabase();
    add = fill(base);
  });
  afterEach(() => base.close());

  async function ask(id: string): Promise<{ readonly text: string; readonly json: Exported; readonly pieces: number }> {
    const { read, blobs, tx, clock } = base;
    const store = { read, blobs, write: (_locks: unknown, work: (given: typeof tx) => Promise<unknown>) => work(tx) };
    const { handle, answer } = exportOperation({ store, clock } as unknown as Gateway);
    const { stream } = await handle({ params: { id }, actor: { id: 'user:usr_1' } } as unknown as Call);
    let text = '';
    let pieces = 0;
    for await (const piece of stream!()) {
      text += piece;
      pieces++;
    }
    const json = JSON.parse(text) as Exported;
    answer!.parse(json);
    return { text, json, pieces };
  }
  const author = (value: string) => ({ identifiers: [{ kind: 'telegram', value, trust: 'verified' as const }] });

  it('has everything about him, and nothing about others who wrote in the same tickets', async () => {
    const olena = await add.customer('Olena', ['telegram=1']);
    const eve = await add.customer('EVE', ['telegram=2']);
    const [own, others] = [
      await add.ticket(olena, { subject: 'Her order' }),
      await add.ticket(eve, { subject: 'EVE' }),
    ];
    const [alone, both] = [
      await add.payload({ body: Buffer.from('her bytes'), remoteAddress: '203.0.113.7' }),
      await add.payload({ body: Buffer.from('hers and of EVE'), units: 2 }),
    ];
    const first = await add.message(own, { customerId: olena, author: author('1'), text: 'now', payloadId: alone });
    await add.event(alone, { ticketId: own, messageId: first });
    const there = await add.message(others, { customerId: olena, author: author('1'), text: 'there', payloadId: both });
    await add.event(both, { ticketId: others, messageId: there, item: 1 });
    const hers = await add.message(own, { customerId: eve, author: author('2'), text: 'of EVE', payloadId: both });
    await add.event(both, { ticketId: own, messageId: hers });
    await add.message(own, {
      customerId: olena,
      direction: 'outbound',
      text: 'answer',
      author: { name: 'Ada', identifiers: [] },
    });
    const row = (await base.tx.message(first))!;
    await base.tx.reviseMessage(row, { ...row, revision: 1, text: 'after' }, 9);
    await base.tx.saveReaction(first, 'telegram:2 EVE', '👎', 9);
    await base.tx.saveReaction(first, 'telegram:1', '👍', 9);
    await add.attachment(first, { name: 'receipt.pdf', state: 'stored', sha256: 'a'.repeat(64) });
    await add.attachment(hers, { name: 'EVE.pdf' });
    await add.task({ ticketId: own, messageId: first });
    await add.task({ ticketId: others, endpointId: 'EVE' });
    const [former, older] = [await add.customer('Former'), await add.customer('Older')];
    await base.tx.moveCustomer(older, former, 'test', 'mrg_1', 1);
    await base.tx.moveCustomer(former, olena, 'test', 'mrg_2', 2);
    await base.tx.tellApart(olena, eve, 'EVE', 'mrg_3', 3);

    const { text, json } = await ask(olena);
    assert.ok(!text.includes('EVE'), text);
    assert.equal(json.customer.id, olena);
    assert.deepEqual(json.joined.map(({ name }) => name).toSorted(), ['Former', 'Older']);
    assert.deepEqual(
      json.tickets.map(({ subject }) => subject),
      ['Her order'],
    );
    assert.deepEqual(
      json.messages.map((each) => [each.text, each.received?.payload?.body.content ?? null]),
      [
        ['answer', null],
        ['there', null],
        ['after', 'her bytes'],
      ],
    );
    const [, , last] = json.messages;
    assert.deepEqual(
      [last!.history.map((each) => each.text), last!.reactions.map((each) => each.author), last!.received!.endpoint],
      [['now'], ['telegram:1'], 'contact'],
    );
    assert.match(text, /203\.0\.113\.7/);
    assert.deepEqual(
      json.files.map(({ name, url }) => [name, url.startsWith('/api/v1/attachments/')]),
      [['receipt.pdf', true]],
    );
    assert.deepEqual(
      json.deliveries.map(({ destination }) => destination),
      ['crm'],
    );
    const [noted] = (await base.read.audit({ limit: 1 })).data;
    assert.deepEqual([noted!.actor, noted!.action, noted!.target], ['user:usr_1', 'customer.export', olena]);
  });

  it('is read a little at a time, and has all of it', async () => {
    const olena = await add.customer('Olena', ['telegram=1']);
    const ticket = await add.ticket(olena);
    await base.bulk(async () => {
      for (let index = 0; index < 120; index++) await add.message(ticket, { customerId: olena, text: `line ${index}` });
    });
    const { json, pieces } = await ask(olena);
    assert.equal(new Set(json.messages.map((each) => each.text)).size, 120);
    assert.ok(pieces > 120, `${pieces} pieces`);
    const nobody = await ask(await add.customer('Nobody'));
    assert.deepEqual([nobody.json.messages, nobody.json.files, nobody.json.joined], [[], [], []]);
  });

  it('is of whom there is, under his own id', async () => {
    await assert.rejects(ask('cus_none'), NotFoundError);
    const [one, other] = [await add.customer('one'), await add.customer('other')];
    await base.tx.moveCustomer(one, other, 'test', 'mrg_1', 1);
    await assert.rejects(ask(one), ConflictError);
  });
});
