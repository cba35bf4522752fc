import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import type { EnvelopeInput } from '../src/core/envelope.ts';
import type { Delivery } from '../src/core/destination.ts';
import type { Message } from '../src/core/ticket.ts';
import { openStore } from '../src/store/open.ts';
import { message, openFiling, type Filing } from './fakes/filing.ts';
import { openOutgoing, type Outgoing } from './fakes/outgoing.ts';

const SECOND = 1000;
const GROUP = { key: 'album-1', waitMs: 2000 };

/** A part of an album: a photo, perhaps with words. */
function part(name: string, rest: Partial<EnvelopeInput> = {}): EnvelopeInput {
  return {
    ...message('telegram|1', { externalId: `chat:${name}`, thread: { externalId: 'chat' } }),
    text: '',
    group: GROUP,
    // Every payload numbers its files anew.
    attachments: [{ id: '0', name: `${name}.jpg`, mediaType: 'image/jpeg' }],
    ...rest,
  } as EnvelopeInput;
}

describe('an album', () => {
  let filing: Filing;
  beforeEach(async () => {
    filing = await openFiling({ targets: [{ id: 'desk', carries: 'tickets' }] });
  });
  afterEach(() => filing.close());

  const outcomes = async (...items: EnvelopeInput[]) => (await filing.file(items)).map(({ outcome }) => outcome);
  const messages = async (): Promise<readonly Message[]> => {
    const tickets = (await filing.store.read.tickets({}, { limit: 10 })).data;
    const pages = await Promise.all(tickets.map(({ id }) => filing.store.read.messages(id, { limit: 100 })));
    return pages.flatMap(({ data }) => data);
  };
  async function album(): Promise<Message> {
    const [one, ...more] = await messages();
    assert.deepEqual(more, []);
    return one!;
  }
  const names = ({ attachments }: Message) => attachments.map(({ name }) => name).toSorted();
  const deliveries = async () => (await filing.store.read.deliveries({ destination: 'desk' }, { limit: 50 })).data;

  it('is one message of all its parts, in one batch', async () => {
    assert.deepEqual(await outcomes(part('1', { text: 'Broken!' }), part('2'), part('3')), [
      'ticket_created',
      'revised',
      'revised',
    ]);
    const one = await album();
    assert.deepEqual([one.text, one.externalId], ['Broken!', 'chat:1']);
    assert.deepEqual(names(one), ['1.jpg', '2.jpg', '3.jpg']);
    const events = (await filing.store.read.events({}, { limit: 10 })).data;
    assert.equal(events.filter(({ reason }) => reason === 'part of an album').length, 2);
    assert.ok(events.every(({ messageId }) => messageId === one.id));
  });

  it('is one message also when its parts come at the same instant, each more than once', async () => {
    const items = ['1', '2', '3', '4'].flatMap((name) => [part(name), part(name), part(name)]);
    const results = await Promise.all(items.map(async (item) => (await outcomes(item))[0]));
    const count = (wanted: string) => results.filter((each) => each === wanted).length;
    assert.deepEqual([count('ticket_created'), count('revised'), count('duplicate')], [1, 3, 8]);
    assert.deepEqual(names(await album()), ['1.jpg', '2.jpg', '3.jpg', '4.jpg']);
    const downloads = (await filing.store.read.deliveries({}, { limit: 50 })).data;
    assert.equal(downloads.filter(({ type }) => type === 'download').length, 4);
  });

  it('is completed after a restart', async () => {
    await outcomes(part('1'));
    const { folder } = filing;
    await filing.store.close();
    const store = await openStore({ folder, log: silent, typeOf: () => 'test' });
    filing = await openFiling({ store });
    assert.deepEqual(await outcomes(part('2'), part('1')), ['revised', 'duplicate']);
    assert.deepEqual(names(await album()), ['1.jpg', '2.jpg']);
    await filing.close();
    rmSync(folder, { recursive: true });
    filing = await openFiling();
  });

  it('knows from which payload each of its files came', async () => {
    await outcomes(part('1'));
    await outcomes(part('2'));
    const { attachments } = await album();
    const rows = await Promise.all(attachments.map(({ id }) => filing.store.read.attachment(id)));
    assert.equal(new Set(rows.map((row) => row!.payloadId)).size, 2);
    for (const row of rows) {
      const { body } = (await filing.store.read.payload(row!.payloadId!))!;
      assert.ok(body!.toString().includes(row!.name));
    }
  });

  it('takes the words of whichever part has them, and loses none', async () => {
    await outcomes(part('1'), part('2', { text: 'the second' }), part('3', { text: 'the third' }));
    assert.equal((await album()).text, 'the second\n\nthe third');
  });

  it('changes with an edit of any of its parts, and only there', async () => {
    await outcomes(part('1', { text: 'one' }), part('2', { text: 'two' }));
    assert.deepEqual(await outcomes(part('2', { text: 'TWO', revision: 5 })), ['revised']);
    assert.equal((await album()).text, 'one\n\nTWO');
    assert.deepEqual(await outcomes(part('1', { text: 'ONE', revision: 6, group: undefined })), ['revised']);
    const one = await album();
    assert.deepEqual([one.text, one.revision, names(one)], ['ONE\n\nTWO', 6, ['1.jpg', '2.jpg']]);
    // What comes late never takes an edit back.
    assert.deepEqual(await outcomes(part('2', { text: 'two' }), part('1', { text: 'one' })), [
      'duplicate',
      'duplicate',
    ]);
    assert.equal((await album()).text, 'ONE\n\nTWO');
  });

  it('may begin with the edit of a part whose original comes later', async () => {
    assert.deepEqual(
      await outcomes(part('1', { text: 'edited', revision: 3 }), part('2'), part('1', { text: 'first' })),
      ['ticket_created', 'revised', 'duplicate'],
    );
    assert.equal((await album()).text, 'edited');
  });

  it('loses one part when that is taken back, and is gone with the last one', async () => {
    const takeBack = (name: string) =>
      filing.file({ kind: 'deletion', externalId: `chat:${name}`, occurredAt: filing.clock.now() });
    await outcomes(part('1', { text: 'one' }), part('2', { text: 'two' }));
    await takeBack('1');
    const one = await album();
    assert.deepEqual([one.text, one.deletedAt, names(one)], ['two', null, ['2.jpg']]);
    assert.deepEqual(await outcomes(part('1', { text: 'one' })), ['duplicate']);
    await takeBack('2');
    assert.notEqual((await album()).deletedAt, null);
  });

  it('loses a part also when it was taken back before it came', async () => {
    await outcomes(part('1', { text: 'one' }));
    await filing.file({ kind: 'deletion', externalId: 'chat:2', occurredAt: filing.clock.now() });
    await outcomes(part('2', { text: 'two' }), part('3'));
    const one = await album();
    assert.deepEqual([one.text, one.deletedAt, names(one)], ['one', null, ['1.jpg', '3.jpg']]);
  });

  it('keeps what comes after all that was there was taken back', async () => {
    await outcomes(part('1', { text: 'one' }));
    await filing.file({ kind: 'deletion', externalId: 'chat:1', occurredAt: filing.clock.now() });
    await outcomes(part('2', { text: 'two' }), part('3', { text: 'three' }), part('3', { text: 'three' }));
    const kept = (await messages()).filter(({ deletedAt }) => deletedAt === null);
    assert.deepEqual(kept.map(({ text }) => text).toSorted(), ['two\n\nthree']);
    assert.deepEqual(kept.flatMap(names), ['2.jpg', '3.jpg']);
  });

  it('is not added to by another person, in another conversation, or the other way round', async () => {
    await outcomes(part('1', { text: 'mine' }));
    const stranger = part('2', { sender: { identifiers: [{ kind: 'telegram', value: '2', trust: 'verified' }] } });
    assert.deepEqual(await outcomes(stranger), ['appended']);
    assert.deepEqual(await outcomes(part('3', { thread: { externalId: 'elsewhere' } })), ['appended']);
    assert.deepEqual(await outcomes(part('4', { direction: 'outbound' })), ['appended']);
    const [first] = await messages();
    assert.deepEqual(names(first!), ['1.jpg']);
  });

  it('is another one under another key, and in another channel', async () => {
    await filing.file(part('1'), 'a');
    await filing.file(part('2'), 'b');
    await filing.file(part('3', { group: { key: 'album-2', waitMs: 0 } }), 'a');
    assert.equal((await messages()).length, 3);
  });

  it('is answered by its parts’ ids, too', async () => {
    await outcomes(part('1'), part('2'));
    const reply = { ...part('9', { group: undefined, attachments: [] }), text: 'see above' };
    await filing.file({ ...reply, thread: { externalId: 'new-chat', references: ['chat:2'] } });
    assert.equal((await messages()).at(-1)!.threadedBy.rule, 'reference');
  });

  it('is told as updated with each part, and delivered once', async () => {
    await outcomes(part('1'), part('2'), part('3'));
    const types = (await filing.store.read.changes(0, 50)).map(({ type }) => type);
    assert.equal(types.filter((type) => type === 'message.received').length, 1);
    assert.equal(types.filter((type) => type === 'message.updated').length, 2);
    const [one, ...more] = await deliveries();
    assert.deepEqual(more, []);
    assert.equal(Date.parse(one!.nextAttemptAt!), filing.clock.now() + GROUP.waitMs);
  });
});

describe('an album on its way to a help desk', () => {
  let out: Outgoing;
  let told: { how: string; delivery: Delivery }[];
  beforeEach(async () => {
    out = await openOutgoing([{ id: 'desk', carries: 'tickets' }]);
    told = [];
    out.addDestination('desk', {
      async createTicket(delivery) {
        told.push({ how: 'created', delivery });
        return { externalId: 'F-1' };
      },
      async addMessage(_ref, delivery) {
        told.push({ how: 'appended', delivery });
      },
    });
  });
  afterEach(() => out.close());

  const bare = (name: string, rest: Partial<EnvelopeInput> = {}) =>
    part(name, { attachments: [], text: name, ...rest });
  const texts = () => told.map(({ how, delivery }) => `${how} ${delivery.message.text.replaceAll('\n\n', '+')}`);

  it('arrives there whole, once it is complete', async () => {
    await out.file(bare('1'));
    await out.pass(SECOND);
    assert.deepEqual(told, []);
    await out.file(bare('2'));
    await out.pass(3 * SECOND);
    assert.deepEqual(texts(), ['created 1+2']);
  });

  it('waits for its parts also behind another message, and what follows stays behind it', async () => {
    await out.file(message('telegram|1', { text: 'hello', thread: { externalId: 'chat' } }));
    await out.file(bare('1'));
    await out.file(message('telegram|1', { text: 'bye', thread: { externalId: 'chat' } }));
    await out.pass(SECOND);
    assert.deepEqual(texts(), ['created hello']);
    await out.file(bare('2'));
    await out.pass(3 * SECOND);
    assert.deepEqual(texts(), ['created hello', 'appended 1+2', 'appended bye']);
  });
});

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
