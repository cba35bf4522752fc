import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { PermanentError, RetryableError } from '../src/core/errors.ts';
import type { Delivery } from '../src/core/destination.ts';
import type { Message } from '../src/core/ticket.ts';
import { fileName } from '../src/normalizer/canonical.ts';
import { message } from './fakes/filing.ts';
import { openOutgoing, type Outgoing } from './fakes/outgoing.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

describe('a file of a message', () => {
  let out: Outgoing;
  /** What the help desk was told: text and files with their state. */
  let told: string[];
  /** Bytes by the channel's id of a file: a test holds them back, or says why there are none. */
  let bytes: Map<string, () => Promise<Readable>>;
  const hold = (id: string) => {
    let give: (text: string) => void = () => undefined;
    const promise = new Promise<string>((resolve) => (give = resolve));
    bytes.set(id, async () => Readable.from([Buffer.from(await promise)]));
    return (text: string) => {
      give(text);
    };
  };
  const fail = (id: string, error: Error) => bytes.set(id, () => Promise.reject(error));

  beforeEach(async () => {
    out = await openOutgoing([{ id: 'desk', carries: 'tickets' }]);
    told = [];
    bytes = new Map();
    const tell = ({ message: { text, attachments } }: Delivery) => {
      told.push([text, ...attachments.map(({ name, state }) => `${name} ${state}`)].join(' | '));
    };
    out.addDestination('desk', {
      async createTicket(delivery) {
        tell(delivery);
        return { externalId: 'F-1' };
      },
      async addMessage(_ref, delivery) {
        tell(delivery);
      },
    });
    out.addChannel('chat', {
      download: async ({ id }) => (await bytes.get(id)?.()) ?? Readable.from([Buffer.from(`bytes of ${id}`)]),
    });
  });
  afterEach(() => out.close());

  const write = async (text: string, ...files: string[]) => {
    const attachments = files.map((id) => ({ id, name: `${id}.pdf`, mediaType: 'application/pdf' }));
    return (await out.file(message('telegram|1', { text, thread: { externalId: 'c' }, attachments })))[0]!.ticketId!;
  };
  const last = async (ticket: string): Promise<Message> =>
    (await out.store.read.messages(ticket, { limit: 100 })).data.at(-1)!;
  const waitFor = (count: number) => out.until(() => told.length >= count);

  it('goes with its message when it is there in time, without a word before', async () => {
    const give = hold('a');
    await write('hello', 'a', 'b');
    await out.pass(5 * SECOND);
    assert.deepEqual(told, []);
    give('A');
    await waitFor(1);
    assert.deepEqual(told, ['hello | a.pdf stored | b.pdf stored']);
    const [task] = await out.deliveries({ destination: 'desk' });
    assert.equal(task!.attempts, 1, 'waiting is no try');
  });

  it('follows its message when it takes too long, and holds up neither that nor the next one', async () => {
    const give = hold('slow');
    await write('hello', 'slow', 'quick');
    await write('more');
    await out.pass(25 * SECOND);
    assert.deepEqual(told, ['hello | slow.pdf waiting | quick.pdf stored', 'more']);
    give('S');
    await waitFor(3);
    await out.pass(MINUTE, 5 * SECOND);
    assert.deepEqual(told.slice(2), [' | slow.pdf stored']);
  });

  it('takes no place of other tickets’ deliveries while it is waited for', async () => {
    for (let i = 0; i < 12; i++) {
      hold(`held-${i}`);
      await out.file(
        message(`telegram|${i + 10}`, { attachments: [{ id: `held-${i}`, name: 'x', mediaType: 'a/b' }] }),
      );
    }
    await write('through');
    await out.pass(3 * SECOND);
    assert.deepEqual(told, ['through']);
  });

  it('keeps no answer through its channel waiting, however many are fetched', async () => {
    const sent: string[] = [];
    const { channel } = out.endpoints.get('chat')!;
    out.addChannel('chat', { ...channel, reply: async ({ message: { text } }) => void sent.push(text) });
    const names = Array.from({ length: 12 }, (_, i) => `held-${i}`);
    names.forEach(hold);
    const ticket = await write('hello', ...names);
    await out.pass(3 * SECOND);
    await out.desk.reply(ticket, { text: 'an answer' }, 'user:usr_1');
    await out.pass(3 * SECOND);
    assert.deepEqual(sent, ['an answer']);
  });

  it('does not take its channel down, wherever strangers say that it lies', async () => {
    const names = Array.from({ length: 15 }, (_, i) => `dead-${i}`);
    for (const name of names) fail(name, new RetryableError('nobody listens there'));
    await write('hello', ...names);
    await out.pass(5 * SECOND);
    const state = (await out.store.read.endpointStates()).find(({ endpointId }) => endpointId === 'chat')!;
    assert.deepEqual([state.pausedUntil, state.failures], [null, 0]);
    assert.equal(state.lastError, 'nobody listens there');
  });

  it('that can’t be had is shown with the reason, to agents and to the help desk', async () => {
    fail('a', new PermanentError('the link has expired'));
    const ticket = await write('hello', 'a');
    await waitFor(1);
    assert.deepEqual(told, ['hello | a.pdf failed']);
    const [{ state, error }] = (await last(ticket)).attachments as [Message['attachments'][number]];
    assert.deepEqual([state, error], ['failed', 'the link has expired']);
  });

  it('that failed late is said to have failed, and comes when its download is replayed', async () => {
    let refuse: () => void = () => undefined;
    bytes.set('a', () => new Promise((_, reject) => (refuse = () => reject(new PermanentError('gone')))));
    const ticket = await write('hello', 'a');
    await out.pass(25 * SECOND);
    refuse();
    await waitFor(2);
    assert.deepEqual(told, ['hello | a.pdf waiting', ' | a.pdf failed']);
    bytes.delete('a');
    const download = (await out.deliveries()).find(({ type }) => type === 'download')!;
    assert.equal(download.state, 'dead');
    await out.store.write([], (tx) => tx.replayTask(download.id, out.clock.now()));
    await waitFor(3);
    assert.equal(told[2], ' | a.pdf stored');
    const [{ state, error }] = (await last(ticket)).attachments as [Message['attachments'][number]];
    assert.deepEqual([state, error], ['stored', null]);
  });

  it('goes once over a delivery that is tried again', async () => {
    const give = hold('a');
    let broken = true;
    const { destination } = out.endpoints.get('desk')!;
    out.addDestination('desk', {
      ...destination,
      async createTicket(delivery) {
        if (broken) throw new RetryableError('no connection');
        return destination!.createTicket!(delivery);
      },
    });
    await write('hello', 'a');
    await out.pass(21 * SECOND);
    give('A');
    await out.pass(3 * SECOND);
    broken = false;
    await waitFor(2);
    await out.pass(MINUTE, 5 * SECOND);
    assert.deepEqual(told, ['hello | a.pdf waiting', ' | a.pdf stored']);
  });

  it('goes with its message after all when that could not be delivered before', async () => {
    const give = hold('a');
    let refused = false;
    const { destination } = out.endpoints.get('desk')!;
    out.addDestination('desk', {
      ...destination,
      async addMessage(ref, delivery) {
        if (refused) throw new PermanentError('no');
        return destination!.addMessage!(ref, delivery);
      },
    });
    await write('first');
    await waitFor(1);
    refused = true;
    await write('hello', 'a');
    await out.pass(22 * SECOND);
    give('A');
    const open = async () =>
      (await out.deliveries()).some(({ state }) => state === 'waiting' || state === 'delivering');
    for (let i = 0; i < 100 && (await open()); i++) await out.pass(SECOND);
    refused = false;
    const [dead] = await out.deliveries({ destination: 'desk', state: 'dead' });
    await out.store.write([], (tx) => tx.replayTask(dead!.id, out.clock.now()));
    await waitFor(2);
    await out.pass(MINUTE, 5 * SECOND);
    assert.deepEqual(told, ['first', 'hello | a.pdf stored']);
  });

  it('of an album that comes after the album was delivered follows it', async () => {
    const part = (name: string) => ({
      ...message('telegram|1', { externalId: name, text: '', thread: { externalId: 'c' } }),
      group: { key: 'g', waitMs: SECOND },
      attachments: [{ id: name, name: `${name}.pdf`, mediaType: 'application/pdf' }],
    });
    await out.file(part('a'));
    await waitFor(1);
    await out.file(part('b'));
    await waitFor(2);
    await out.pass(MINUTE, 5 * SECOND);
    assert.deepEqual(told, [' | a.pdf stored', ' | b.pdf stored']);
  });

  it('that was taken back while it waited goes nowhere', async () => {
    hold('held');
    const part = (name: string) => ({
      ...message('telegram|1', { externalId: name, text: name, thread: { externalId: 'c' } }),
      group: { key: 'g', waitMs: 0 },
      attachments: [{ id: name, name: `${name}.pdf`, mediaType: 'application/pdf' }],
    });
    await out.file([part('one'), part('held')]);
    await out.file({ kind: 'deletion', externalId: 'held', occurredAt: out.clock.now() });
    await waitFor(1);
    assert.deepEqual(told, ['one | one.pdf stored']);
  });

  it('lies on the disk once, whoever sends it, under a name that is only its hash', async () => {
    for (let i = 0; i < 3; i++) bytes.set(`same-${i}`, async () => Readable.from([Buffer.from('the same')]));
    await write('hello', 'same-0', 'same-1', 'same-2');
    await waitFor(1);
    const sha256 = createHash('sha256').update('the same').digest('hex');
    const blobs = join(out.folder, 'blobs');
    const files = readdirSync(blobs, { recursive: true })
      .map(String)
      .filter((name) => statSync(join(blobs, name)).isFile());
    assert.deepEqual(files, [join(sha256.slice(0, 2), sha256.slice(2))]);
  });

  it('stays packed: a bomb is as large as it was sent (E08)', async () => {
    const bomb = gzipSync(Buffer.alloc(20 * 1024 * 1024));
    bytes.set('bomb', async () => Readable.from([bomb]));
    const ticket = await write('hello', 'bomb');
    await waitFor(1);
    assert.equal((await last(ticket)).attachments[0]!.size, bomb.length);
  });

  it('has a name that leads nowhere and hides nothing (E01, E02)', () => {
    const names = {
      '../../etc/cron.d/x': 'x',
      'C:\\Windows\\system.ini': 'system.ini',
      '.htaccess': 'htaccess',
      '-rf': 'rf',
      'a\u0000b.pdf': 'a b.pdf',
      'invoice\u202egpj.exe': 'invoice gpj.exe',
      'a\u200b\u2060.e\u00adxe': 'a.exe',
      CON: '_CON',
      'com1.txt': '_com1.txt',
      'ＣＯＮ.txt': 'ＣＯＮ.txt',
      'console.log': 'console.log',
      'file.pdf. . ': 'file.pdf',
      '': 'file',
      '..': 'file',
      '\u200b': 'file',
    };
    for (const [given, shown] of Object.entries(names)) assert.equal(fileName(given), shown, JSON.stringify(given));
    assert.ok(fileName(`${'я'.repeat(400)}.pdf`).endsWith('я.pdf'));
    assert.equal(fileName('x'.repeat(400)).length, 200);
  });
});
