import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Connector } from '../../src/core/connector.ts';
import type { EnvelopeInput, ItemInput } from '../../src/core/envelope.ts';
import type { Page, PageRequest } from '../../src/core/reader.ts';
import type { Store } from '../../src/core/store.ts';
import type { Message } from '../../src/core/ticket.ts';
import { openFiling, type Filing } from '../fakes/filing.ts';

/** One payload, as a channel of its own for each case: ids of two cases have nothing to do with each other. */
interface Arrival {
  readonly channel: string;
  readonly items: readonly ItemInput[];
}

/** What vendors do with a message: order, number and time of what they deliver. */
const ORDERS = [
  [0, 1, 2, 3],
  [3, 2, 1, 0],
  [1, 3, 0, 2],
] as const;
/** Between the parts of an album: they come at 0, 0.3, 5 and 11 s. */
const APART_MS = [0, 300, 4700, 6000] as const;

/**
 * Whatever order and number the items of a connector's fixtures come in, and their edits, deletions, reactions and
 * receipts made here, the end is the same. Needs nothing of a connector but its folder.
 */
export function connectorOrderSuite(home: string, connector: Connector): void {
  const arrivals = arrivalsIn(home);
  const groupOf = new Map(arrivals.flatMap(({ channel, items }) => items.flatMap((item) => groupIn(channel, item))));
  const spoken = ofEachShape(
    arrivals.flatMap(({ channel, items }) => items.filter(isSpoken).map((envelope) => ({ channel, envelope }))),
  );
  const opened: Filing[] = [];
  afterEach(async () => {
    for (let filing = opened.pop(); filing; filing = opened.pop()) await filing.close();
  });

  async function open(): Promise<Filing> {
    const filing = await openFiling({ threads: connector.capabilities.threads });
    opened.push(filing);
    return filing;
  }
  /** Everything that is there after these have come, one after the other. */
  async function endOf(all: readonly Arrival[]): Promise<Record<string, unknown>> {
    const filing = await open();
    for (const { channel, items } of all) await filing.file(items, channel);
    const units = all.reduce((sum, { items }) => sum + items.length, 0);
    return worldOf(filing.store, units, groupOf);
  }
  /** Each message with what follows from it, in every order that is given. */
  async function sameEnd(
    follow: (envelope: EnvelopeInput) => readonly ItemInput[],
    orders: readonly (readonly number[])[],
    look: (world: Record<string, unknown>) => void,
  ): Promise<void> {
    const ends = [];
    for (const order of orders) {
      const all = spoken.flatMap(({ channel, envelope }) => {
        const items = follow(envelope);
        return order.map((index) => ({ channel: channelOf(channel, envelope), items: [items[index]!] }));
      });
      ends.push(await endOf(all));
    }
    look(ends[0]!);
    for (const [index, end] of ends.entries()) assert.deepEqual(end, ends[0], `order ${orders[index]!.join()}`);
  }

  it('has a message or a call to begin with', () => {
    const said = arrivals.some(({ items }) =>
      items.some((item) => isEnvelope(item) && (item.kind === 'call' || isSpoken(item))),
    );
    assert.ok(said, 'no fixture says anything of a customer');
  });

  it('leaves every message once, however often it is delivered, alone or in a batch', async () => {
    const once = await endOf(arrivals);
    assert.deepEqual(await endOf(arrivals.flatMap(apart)), once, 'one by one');
    assert.deepEqual(await endOf([...arrivals, ...arrivals, ...arrivals.flatMap(apart)]), once, 'again and again');
    const filing = await open();
    for (const { channel, items } of arrivals) {
      await Promise.all([1, 2, 3].map(() => filing.file(items, channel)));
    }
    const units = 3 * arrivals.reduce((sum, { items }) => sum + items.length, 0);
    assert.deepEqual(await worldOf(filing.store, units, groupOf), once, 'three at the same moment');
  });

  it('comes to the same end in whatever order it is delivered', async () => {
    const single = arrivals.flatMap(apart);
    // What answers something, or only joins what is there, is nothing before that.
    const leading = single.filter(({ items }) => !isFollowing(items[0]!));
    const following = single.filter(({ items }) => isFollowing(items[0]!));
    const once = await endOf([...leading, ...following]);
    assert.deepEqual(await endOf([...leading.toReversed(), ...following]), once, 'backwards');
    for (const seed of [1, 2, 3]) {
      assert.deepEqual(await endOf([...shuffled(leading, seed), ...following]), once, `shuffled by ${seed}`);
    }
  });

  it('shows the newest words of a message, whenever its edits and the message itself come', async () => {
    const edits = (envelope: EnvelopeInput) => {
      const revision = envelope.revision ?? 0;
      const first = { ...envelope, revision: revision + 1, text: 'edited' };
      return [envelope, first, { ...first, revision: revision + 2, text: 'edited again' }, envelope];
    };
    await sameEnd(edits, ORDERS, (world) => {
      const texts = Object.values(world).map((each) => (each as { text: string }).text);
      assert.deepEqual(texts, Array<string>(spoken.length).fill('edited again'));
    });
  });

  it('shows a message as taken back, whenever that comes', async () => {
    const back = (envelope: EnvelopeInput): ItemInput[] => {
      const { externalId, occurredAt } = envelope;
      const deletion = { kind: 'deletion', externalId, occurredAt: occurredAt + 1000 } as const;
      const edit = { ...envelope, revision: (envelope.revision ?? 0) + 1, text: 'edited' };
      return [envelope, edit, deletion, deletion];
    };
    await sameEnd(back, ORDERS, (world) => {
      const states = Object.values(world).map((each) => (each as { deleted: boolean }).deleted);
      assert.deepEqual(states, Array<boolean>(spoken.length).fill(true));
    });
  });

  it('keeps a reaction that comes before its message, and how far an answer has come', async () => {
    const after = (envelope: EnvelopeInput): ItemInput[] => {
      const { externalId, occurredAt, sender, thread } = envelope;
      const reaction = { kind: 'reaction', externalId, emoji: '👍', sender, occurredAt } as const;
      if (thread?.externalId === undefined) return [envelope, reaction, reaction, reaction];
      const id = `${externalId} answer`;
      const answer = { ...plain(envelope), externalId: id, direction: 'outbound', text: 'An answer' } as const;
      const state = (state: 'delivered' | 'read') => ({ kind: 'receipt', externalId: id, state, occurredAt }) as const;
      return [envelope, reaction, answer, state('read'), state('delivered')];
    };
    // An answer is nothing before the conversation that it belongs to.
    const orders = [
      [0, 1, 2, 3, 4],
      [4, 3, 1, 0, 2],
      [1, 0, 4, 2, 3],
    ];
    const filled = (envelope: EnvelopeInput) => {
      const items = after(envelope);
      return [...items, ...Array<ItemInput>(5 - items.length).fill(items[1]!)];
    };
    await sameEnd(filled, orders, (world) => {
      const all = Object.values(world) as { reactions: readonly string[]; state: string | undefined; text: string }[];
      assert.equal(all.filter(({ reactions }) => reactions.length === 1).length, spoken.length);
      const answers = all.filter(({ text }) => text === 'An answer');
      assert.equal(answers.length, spoken.filter(({ envelope }) => envelope.thread?.externalId !== undefined).length);
      assert.ok(answers.every(({ state }) => state === 'read'));
    });
  });

  it('makes one message of an album whose parts come 0, 0.3, 5 and 11 s apart, in any order', async () => {
    for (const order of ORDERS) {
      const filing = await open();
      for (const [nth, index] of order.entries()) {
        await filing.clock.advance(APART_MS[nth]!);
        for (const { channel, envelope } of spoken) {
          await filing.file(partOf(envelope, index), channelOf(channel, envelope));
        }
      }
      const messages = await messagesIn(filing.store);
      assert.equal(messages.length, spoken.length, `order ${order.join()}`);
      for (const { text, attachments } of messages) {
        assert.equal(text, 'The words');
        assert.deepEqual(attachments.map(({ name }) => name).toSorted(), ['0.jpg', '1.jpg', '2.jpg', '3.jpg']);
      }
    }
  });
}

function arrivalsIn(home: string): Arrival[] {
  const folder = join(home, 'fixtures');
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, 'items.json')))
    .map((channel) => ({
      channel,
      items: JSON.parse(readFileSync(join(folder, channel, 'items.json'), 'utf8')) as ItemInput[],
    }))
    .filter(({ items }) => items.length > 0);
}

function isEnvelope(item: ItemInput): item is EnvelopeInput {
  return ['message', 'form', 'review', 'call'].includes(item.kind);
}

/** Something that a customer said, which opens a ticket wherever it comes first, and can be edited: not a call. */
function isSpoken(item: ItemInput): item is EnvelopeInput {
  return isEnvelope(item) && item.kind !== 'call' && !isFollowing(item);
}

function isFollowing(item: ItemInput): boolean {
  return isEnvelope(item) && (item.direction === 'outbound' || item.quiet === true);
}

/** One of those with the same fields and identifiers: the others go the same way. */
function ofEachShape<T extends { readonly envelope: EnvelopeInput }>(all: readonly T[]): T[] {
  const shapes = new Map<string, T>();
  for (const each of all) {
    const { sender, thread = {}, ...rest } = each.envelope;
    const identifiers = sender.identifiers.map(({ kind, trust }) => `${kind} ${trust}`);
    const shape = [rest.kind, Object.keys(rest).toSorted(), Object.keys(thread).toSorted(), identifiers];
    if (!shapes.has(JSON.stringify(shape))) shapes.set(JSON.stringify(shape), each);
  }
  return [...shapes.values()];
}

const apart = ({ channel, items }: Arrival): Arrival[] => items.map((item) => ({ channel, items: [item] }));

/** One for each message, since fixtures may have a message and its edit. */
const channelOf = (channel: string, { externalId, revision = 0 }: EnvelopeInput) =>
  `${channel} ${externalId} ${revision}`;

function groupIn(channel: string, item: ItemInput): [string, string][] {
  return isEnvelope(item) && item.group
    ? [[`${channel} ${item.externalId}`, `${channel} album ${item.group.key}`]]
    : [];
}

/** Without what only the one message has. */
function plain(envelope: EnvelopeInput): EnvelopeInput {
  return { ...envelope, revision: 0, attachments: [], group: undefined, html: undefined, textFull: undefined };
}

function partOf(envelope: EnvelopeInput, index: number): EnvelopeInput {
  return {
    ...plain(envelope),
    externalId: `${envelope.externalId} part ${index}`,
    text: index === 1 ? 'The words' : '',
    attachments: [{ id: `file-${index}`, name: `${index}.jpg`, mediaType: 'image/jpeg' }],
    group: { key: `album of ${envelope.externalId}`, waitMs: 1500 },
  };
}

/** The same every time. */
function shuffled<T>(list: readonly T[], seed: number): T[] {
  let state = seed;
  const next = () => (state = (state * 48_271) % 2_147_483_647);
  return list
    .map((value) => ({ value, key: next() }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ value }) => value);
}

async function messagesIn(store: Store): Promise<Message[]> {
  const messages = new Map<string, Message>();
  const { read } = store;
  for await (const { id } of all((page) => read.tickets({}, page))) {
    for (const message of (await read.messages(id, { limit: 200 })).data) messages.set(message.id, message);
  }
  // Most calls are in no ticket.
  for await (const { id } of all((page) => read.customers({}, page))) {
    for (const message of (await read.timeline(id, { limit: 200 })).data) messages.set(message.id, message);
  }
  return [...messages.values()];
}

async function* all<T>(read: (page: PageRequest) => Promise<Page<T>>): AsyncIterable<T> {
  let cursor: string | undefined;
  do {
    const page = await read({ limit: 200, cursor });
    yield* page.data;
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}

/** What there is, by channel and id; in which ticket it lies depends on what came first. Every unit has its event. */
async function worldOf(
  store: Store,
  units: number,
  groupOf: ReadonlyMap<string, string>,
): Promise<Record<string, unknown>> {
  const { received, balanced } = await store.read.balance(0, Number.MAX_SAFE_INTEGER);
  assert.deepEqual([received, balanced], [units, true]);
  const world: [string, unknown][] = (await messagesIn(store)).map((message) => {
    const { kind, direction, text, revision, fields, call, review, attachments, reactions } = message;
    const id = `${message.channel!.id} ${message.externalId!}`;
    return [
      groupOf.get(id) ?? id,
      {
        ...{ kind, direction, revision, fields, call, review },
        text: text.split('\n\n').toSorted().join('\n\n'),
        deleted: message.deletedAt !== null,
        state: message.delivery?.state,
        files: attachments.map(({ name }) => name).toSorted(),
        reactions: reactions.map(({ author, emoji }) => `${author} ${emoji}`).toSorted(),
      },
    ];
  });
  assert.equal(new Set(world.map(([id]) => id)).size, world.length, 'a message stands there twice');
  return Object.fromEntries(world.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
