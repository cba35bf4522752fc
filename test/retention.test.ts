import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NotFoundError } from '../src/core/errors.ts';
import type { Store } from '../src/core/store.ts';
import { createRetention } from '../src/retention.ts';
import { openStore } from '../src/store/open.ts';
import type { Sql } from '../src/store/sql.ts';
import { sweep } from '../src/store/sweep.ts';
import { fakeLog } from './fakes/context.ts';
import { openTestDatabase } from './fakes/database.ts';
import { storeTools } from './suites/store-tools.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

describe('retention', () => {
  let folder: string;
  let store: Store;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tributary-retention-'));
    store = await openStore({ folder, log: fakeLog(), typeOf: (id) => id });
  });
  afterEach(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const { clock, make } = storeTools(() => store);

  /** Lets the hourly sweep come once. */
  async function sweepOnce(): Promise<void> {
    const limits = { payloadsMs: 30 * DAY, tasksMs: 14 * DAY, recordingsMs: 90 * DAY };
    const retention = createRetention({ store, clock, log: fakeLog(), limits });
    await clock.advance(HOUR);
    await retention.stop();
  }
  const pathOf = (sha256: string) => join(folder, 'blobs', sha256.slice(0, 2), sha256.slice(2));
  const age = (sha256: string) => {
    utimesSync(pathOf(sha256), 1, 1);
  };
  async function saved(text: string): Promise<string> {
    const { sha256 } = await store.blobs.save(Buffer.from(text), 1000);
    age(sha256);
    return sha256;
  }
  const large = (blob: string) => make((rows) => rows.payload({ body: undefined, blob }));
  const bodyOf = async (id: string) => (await store.read.payload(id))?.body?.toString();

  it('lets recordings of calls go after a time of their own, and says so', async () => {
    const sha256 = await saved('voice');
    const shared = await saved('the same bytes');
    const at = clock.now();
    const file = { messageId: 'msg_1', mediaType: 'audio/mpeg', state: 'stored' } as const;
    await store.write([], async (tx) => {
      await tx.insertAttachment({ ...file, rowId: 'att_1', id: 'a', name: 'call.mp3', sha256, recordedAt: at });
      await tx.insertAttachment({ ...file, rowId: 'att_2', id: 'b', name: 'same.mp3', sha256: shared, recordedAt: at });
      await tx.insertAttachment({ ...file, rowId: 'att_3', id: 'c', name: 'sent.mp3', sha256: shared });
    });
    const rows = () => store.write([], (tx) => Promise.all(['att_1', 'att_2', 'att_3'].map((id) => tx.attachment(id))));
    clock.jump(89 * DAY);
    await sweepOnce();
    assert.deepEqual(
      (await rows()).map((row) => row?.state),
      ['stored', 'stored', 'stored'],
    );
    clock.jump(2 * DAY);
    await sweepOnce();
    const [gone, same, kept] = await rows();
    assert.deepEqual([gone?.state, gone?.sha256, same?.state, kept?.state], ['failed', undefined, 'failed', 'stored']);
    assert.match(gone?.error ?? '', /retention\.recordings/);
    assert.equal(existsSync(pathOf(sha256)), false);
    assert.equal(existsSync(pathOf(shared)), true, 'a file of a message names it');
  });

  it('removes the file of a large body with the last row that names it', async () => {
    const blob = await saved('large');
    const first = await large(blob);
    clock.jump(20 * DAY);
    const second = await large(blob);
    clock.jump(11 * DAY);
    await sweepOnce();
    assert.equal((await store.read.payload(first))?.blob, undefined);
    assert.equal(await bodyOf(second), 'large');
    clock.jump(20 * DAY);
    await sweepOnce();
    assert.equal(await bodyOf(second), undefined);
    assert.equal(existsSync(pathOf(blob)), false);
  });

  it('leaves a file that an attachment shows', async () => {
    const blob = await saved('picture');
    await large(blob);
    await make(async (rows) => {
      const message = await rows.message(await rows.ticket(await rows.customer()));
      await rows.attachment(message, { state: 'stored', sha256: blob });
    });
    clock.jump(31 * DAY);
    await sweepOnce();
    assert.equal((await store.blobs.read(blob)).toString(), 'picture');
  });

  it('keeps the bytes that a younger payload points at for as long as that one is young', async () => {
    const blob = await saved('large');
    const firsts = [await large(blob), await make((rows) => rows.payload({ body: Buffer.from('small') }))];
    const alone = await make((rows) => rows.payload());
    clock.jump(20 * DAY);
    const repeats = [];
    for (const sameAs of firsts) repeats.push(await make((rows) => rows.payload({ body: undefined, sameAs })));
    clock.jump(11 * DAY);
    await sweepOnce();
    assert.equal(await bodyOf(alone), undefined);
    assert.deepEqual(await Promise.all(repeats.map(bodyOf)), ['large', 'small']);
    clock.jump(20 * DAY);
    await sweepOnce();
    assert.deepEqual(await Promise.all(repeats.map(bodyOf)), [undefined, undefined]);
    assert.equal(existsSync(pathOf(blob)), false);
  });

  it('leaves a file that was saved again a moment ago, whose row may be on its way', async () => {
    const blob = await saved('large');
    await store.blobs.save(Buffer.from('large'), 1000);
    await store.blobs.remove(blob);
    assert.equal((await store.blobs.read(blob)).toString(), 'large');
    age(blob);
    await store.blobs.remove(blob);
    await store.blobs.remove(blob);
    await assert.rejects(store.blobs.read(blob), NotFoundError);
    await assert.rejects(store.blobs.remove('../../secret.key'), NotFoundError);
    await store.blobs.save(Buffer.from('large'), 1000);
    assert.equal((await store.blobs.read(blob)).toString(), 'large');
  });

  it('lets go of what came before a message that never came, after 30 days', async () => {
    const save = (id: string) => store.write([], (tx) => tx.saveEarly('chat', id, { id }, clock.now()));
    await save('old');
    clock.jump(20 * DAY);
    await save('young');
    clock.jump(11 * DAY);
    await sweepOnce();
    const left = async (id: string) => (await store.write([], (tx) => tx.takeEarly('chat', id))).length;
    assert.deepEqual([await left('old'), await left('young')], [0, 1]);
  });

  it('finds what is to go by an index, and walks through no table', async () => {
    const base = await openTestDatabase();
    try {
      const texts: string[] = [];
      const { sql, clock: time } = base;
      const noted = (text: string) => {
        texts.push(text);
        return text;
      };
      const spy: Sql = {
        ...sql,
        run: (text, ...values) => sql.run(noted(text), ...values),
        get: (text, ...values) => sql.get(noted(text), ...values),
        all: (text, ...values) => sql.all(noted(text), ...values),
      };
      await base.tx.savePayload({
        id: 'pay_1',
        endpointId: 'chat',
        receivedAt: 1,
        method: 'POST',
        url: '/',
        headers: {},
        body: undefined,
        blob: 'ab',
        units: 1,
      });
      const at = time.now();
      const times = {
        payloadsBefore: at,
        tasksBefore: at,
        idempotentBefore: at,
        earlyBefore: at,
        recordingsBefore: at,
      };
      assert.deepEqual(await sweep(spy, { ...times, batch: 10 }), { rows: 1, blobs: ['ab'] });
      const plans = texts.flatMap((text) => base.planOf(text));
      assert.deepEqual(
        plans.filter((plan) => plan.startsWith('SCAN ') && !/^SCAN \d/.test(plan)),
        [],
      );
      const used = plans.join('\n');
      const own = ['payloads_with_bytes', 'payloads_by_first', 'payloads_by_blob', 'attachments_by_blob', 'tasks_done'];
      for (const index of [...own, 'early_by_time']) assert.match(used, new RegExp(`INDEX ${index} `));
    } finally {
      await base.close();
    }
  });
});
