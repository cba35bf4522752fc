import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { NotFoundError, PermanentError, RetryableError } from '../src/core/errors.ts';
import { createBlobs } from '../src/store/blobs.ts';
import { fakeClock } from './fakes/clock.ts';

describe('blobs', () => {
  let folder: string;
  let dir: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tributary-blobs-'));
    dir = join(folder, 'blobs');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  const pathOf = (sha256: string) => join(dir, sha256.slice(0, 2), sha256.slice(2));
  const left = () => readdirSync(join(dir, 'tmp'));
  const files = () => readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());

  it('keeps the bytes of a buffer or a stream under their hash, for nobody else to read', async () => {
    const blobs = createBlobs(dir);
    const bytes = Buffer.from([0, 255, 13, 10]);
    const saved = await blobs.save(Readable.from([bytes.subarray(0, 1), bytes.subarray(1)]), 4);
    assert.deepEqual(saved, { sha256: hashOf(bytes), size: 4 });
    assert.deepEqual(readFileSync(pathOf(saved.sha256)), bytes);
    assert.equal(statSync(pathOf(saved.sha256)).mode & 0o777, 0o600);
    assert.deepEqual(await blobs.read(saved.sha256), bytes);
    assert.deepEqual(await buffer(await blobs.open(saved.sha256)), bytes);
    assert.deepEqual(await buffer(await blobs.open(saved.sha256, { start: 1, end: 2 })), bytes.subarray(1, 3));
    assert.equal(await blobs.size(saved.sha256), 4);
    const empty = await blobs.save(Buffer.alloc(0), 0);
    assert.deepEqual(await blobs.read(empty.sha256), Buffer.alloc(0));
    assert.deepEqual(left(), []);
  });

  it('stores the same bytes once, however often and by whomever they are sent at the same time', async () => {
    const blobs = createBlobs(dir);
    const saved = await Promise.all(Array.from({ length: 20 }, () => blobs.save(Buffer.from('logo'), 100)));
    assert.equal(new Set(saved.map((blob) => blob.sha256)).size, 1);
    assert.equal(files().length, 1);
  });

  it('writes a file again that was cut short', async () => {
    const blobs = createBlobs(dir);
    const { sha256 } = await blobs.save(Buffer.from('whole'), 100);
    writeFileSync(pathOf(sha256), 'who');
    await blobs.save(Buffer.from('whole'), 100);
    assert.equal((await blobs.read(sha256)).toString(), 'whole');
  });

  it('refuses more than the limit and leaves nothing behind', async () => {
    const blobs = createBlobs(dir);
    await blobs.save(Buffer.alloc(10), 10);
    await assert.rejects(blobs.save(Buffer.alloc(11), 10), PermanentError);
    let given = 0;
    const endless = Readable.from(
      (function* () {
        for (;;) {
          given++;
          yield Buffer.alloc(1000);
        }
      })(),
    );
    await assert.rejects(blobs.save(endless, 5000), /larger than 5000 bytes/);
    assert.ok(endless.destroyed);
    assert.ok(given < 100);
    assert.deepEqual(left(), []);
    assert.equal(files().length, 1);
  });

  it('passes on why an upload broke off, and leaves nothing behind', async () => {
    const blobs = createBlobs(dir);
    const broken = Readable.from(
      (function* () {
        yield Buffer.alloc(1000);
        throw new Error('connection reset');
      })(),
    );
    await assert.rejects(blobs.save(broken, 5000), /connection reset/);
    assert.deepEqual(left(), []);
    assert.deepEqual(files(), []);
  });

  it('asks to be tried again when the disk is full, before and while writing', async () => {
    let free = 32 * 1024 * 1024 - 1;
    const blobs = createBlobs(dir, { freeBytes: async () => free });
    await assert.rejects(blobs.save(Buffer.from('x'), 10), RetryableError);
    free++;
    await blobs.save(Buffer.from('x'), 10);
    const filling = Readable.from(
      (function* () {
        yield Buffer.alloc(10);
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      })(),
    );
    await assert.rejects(
      blobs.save(filling, 100),
      (error) => error instanceof RetryableError && /Free space/.test(error.hint ?? ''),
    );
    assert.deepEqual(left(), []);
  });

  it('keeps 100 MB from piling up in memory', async () => {
    const blobs = createBlobs(dir);
    const chunk = Buffer.alloc(1024 * 1024, 1);
    let most = 0;
    const before = process.memoryUsage().arrayBuffers;
    const source = Readable.from(
      (function* () {
        for (let i = 0; i < 100; i++) {
          most = Math.max(most, process.memoryUsage().arrayBuffers - before);
          yield Buffer.from(chunk);
        }
      })(),
    );
    const { size } = await blobs.save(source, 100 * 1024 * 1024);
    assert.equal(size, 100 * 1024 * 1024);
    assert.ok(most < 80 * 1024 * 1024, `${most} bytes`);
  });

  it('has no file for what isn’t a hash, and says where a missing one can come from', async () => {
    const blobs = createBlobs(dir);
    writeFileSync(join(folder, 'secret.key'), 'secret');
    const names = [
      '../secret.key',
      '..%2fsecret.key',
      '',
      'a'.repeat(63),
      `${'a'.repeat(62)}/.`,
      'A'.repeat(64),
      `${'a'.repeat(64)}\n`,
    ];
    for (const name of names) {
      await assert.rejects(blobs.read(name), NotFoundError, name);
      await assert.rejects(blobs.open(name), NotFoundError, name);
      await assert.rejects(blobs.size(name), NotFoundError, name);
    }
    await assert.rejects(
      blobs.read('a'.repeat(64)),
      (error) => error instanceof NotFoundError && /backup/.test(error.hint ?? ''),
    );
  });

  it('follows no link that somebody planted', async () => {
    const outside = join(folder, 'outside');
    mkdirSync(outside);
    const bytes = Buffer.from('bytes');
    const sha256 = hashOf(bytes);

    const blobs = createBlobs(dir);
    // In place of the file.
    mkdirSync(join(dir, sha256.slice(0, 2)));
    writeFileSync(join(outside, 'target'), bytes);
    symlinkSync(join(outside, 'target'), pathOf(sha256));
    await assert.rejects(blobs.save(bytes, 100), /is not what Tributary made/);
    await assert.rejects(blobs.read(sha256), /is not what Tributary made/);
    await assert.rejects(blobs.open(sha256), /is not what Tributary made/);
    // In place of its folder.
    rmSync(join(dir, sha256.slice(0, 2)), { recursive: true });
    symlinkSync(outside, join(dir, sha256.slice(0, 2)));
    await assert.rejects(blobs.save(bytes, 100), /is not what Tributary made/);
    writeFileSync(join(outside, sha256.slice(2)), bytes);
    await assert.rejects(blobs.read(sha256), /is not what Tributary made/);
    assert.deepEqual(left(), []);
    // In place of the folder for what is not whole yet.
    rmSync(dir, { recursive: true });
    mkdirSync(dir);
    symlinkSync(outside, join(dir, 'tmp'));
    assert.throws(() => createBlobs(dir), /is not what Tributary made/);
  });

  it('leaves a file that another process saves again at the moment when it is to go', async () => {
    const clock = fakeClock();
    const { sha256 } = await createBlobs(dir, { clock }).save(Buffer.from('hello'), 100);
    utimesSync(pathOf(sha256), clock.now() / 1000, clock.now() / 1000);
    await clock.advance(3_600_000);
    let saved = true;
    const other = createBlobs(dir, { clock });
    const between = {
      ...clock,
      now() {
        if (!saved) utimesSync(pathOf(sha256), clock.now() / 1000, clock.now() / 1000);
        saved = true;
        return clock.now();
      },
    };
    const blobs = createBlobs(dir, { clock: between });
    saved = false;
    await blobs.remove(sha256);
    assert.equal((await other.read(sha256)).toString(), 'hello');
    assert.deepEqual(left(), []);
  });

  it('removes what two processes find too old, once', async () => {
    const clock = fakeClock();
    const both = [createBlobs(dir, { clock }), createBlobs(dir, { clock })];
    const { sha256 } = await both[0]!.save(Buffer.from('hello'), 100);
    utimesSync(pathOf(sha256), clock.now() / 1000, clock.now() / 1000);
    await clock.advance(3_600_000);
    await Promise.all(both.map((blobs) => blobs.remove(sha256)));
    assert.deepEqual(files(), []);
  });

  it('removes at start what a killed process left a day ago, and nothing else', async () => {
    const { sha256 } = await createBlobs(dir).save(Buffer.from('kept'), 100);
    const clock = fakeClock();
    const ages = { old: 24 * 60 * 60_000 + 1000, young: 23 * 60 * 60_000 };
    for (const [name, age] of Object.entries(ages)) {
      writeFileSync(join(dir, 'tmp', name), '');
      const at = new Date(clock.now() - age);
      utimesSync(join(dir, 'tmp', name), at, at);
    }
    utimesSync(pathOf(sha256), 1, 1);
    const blobs = createBlobs(dir, { clock });
    assert.deepEqual(left(), ['young']);
    assert.equal((await blobs.read(sha256)).toString(), 'kept');
  });
});
