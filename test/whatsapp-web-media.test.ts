import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '../src/connectors/whatsapp-web/library.ts';
import { openMedia } from '../src/connectors/whatsapp-web/media.ts';
import { fileNameOf } from '../src/connectors/whatsapp-web/protocol.ts';

const DAY_MS = 24 * 3_600_000;

describe('Files that come by WhatsApp Web', () => {
  let folder: string;
  let downloads: number;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'wweb-'));
    downloads = 0;
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** A page that has the message m, and nothing else. */
  const open = (more: object) => {
    const downloadMedia = async () => {
      downloads++;
      return { data: Buffer.from('bytes').toString('base64') };
    };
    const message = { id: { _serialized: 'm' }, hasMedia: true, downloadMedia, ...more };
    return openMedia(folder, {
      getMessageById: async (id: string) => (id === 'm' ? message : null),
    } as unknown as Client);
  };

  it('are fetched once, however often they are asked for', async () => {
    const media = await open({ _data: { size: 64 * 1024 * 1024 } });
    const [one, other] = await Promise.all([media.get('m'), media.get('m')]);
    assert.deepEqual([one, other], [fileNameOf('m'), fileNameOf('m')]);
    await media.get('m');
    assert.equal(downloads, 1);
    assert.equal(readFileSync(join(folder, 'files', fileNameOf('m')), 'utf8'), 'bytes');
  });

  it('are left where they are when they are too large to pass through the page, or none', async () => {
    assert.equal(await (await open({ _data: { size: 64 * 1024 * 1024 + 1 } })).get('m'), undefined);
    assert.equal(await (await open({ hasMedia: false })).get('m'), undefined);
    assert.equal(await (await open({})).get('other'), undefined);
    assert.deepEqual([downloads, readdirSync(join(folder, 'files')).length], [0, 0]);
  });

  it('lie there for a week, and not at all where they are half', async () => {
    const home = join(folder, 'files');
    mkdirSync(home);
    for (const name of ['fresh', 'old', 'half.begun']) writeFileSync(join(home, name), name);
    const at = (days: number) => new Date(Date.now() - days * DAY_MS);
    utimesSync(join(home, 'fresh'), at(6), at(6));
    utimesSync(join(home, 'old'), at(8), at(8));
    await open({});
    assert.deepEqual(readdirSync(home), ['fresh']);
  });
});
