import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { ReadRequest } from '../src/connectors/email/mail.ts';
import { createOffload } from '../src/offload.ts';
import type { Offload } from '../src/offload.ts';
import { fakeLog } from './fakes/context.ts';
import { corpus, differencesOf, hasCorpus, readWhole } from './fakes/mail-corpus.ts';

const Listed = z.array(
  z.strictObject({ reason: z.string().min(20), mails: z.record(z.string(), z.array(z.string()).min(1)) }),
);
const worker = new URL('../src/connectors/email/read-worker.ts', import.meta.url);
const deadlineMs = 3000;

describe('mails of other projects', function () {
  let offload: Offload;
  const log = fakeLog();

  before(function () {
    if (!hasCorpus) this.skip();
    offload = createOffload({ log, size: 1 });
  });
  after(() => offload?.close());

  it('are read within their deadline as an independent reader does, but for what is listed and explained', async () => {
    const read = <T>(input: ReadRequest) => offload.run<T>({ worker, input, deadlineMs });
    const found: string[] = [];
    const mails = corpus();
    for (const mail of mails) {
      for (const { id, what } of differencesOf(mail, await readWhole(mail.bytes, read))) found.push(`${id} ${what}`);
    }
    assert.ok(mails.length > 300, `${mails.length} mails`);
    assert.deepEqual(log.entries, [], 'no thread was lost');
    const file = readFileSync(join(import.meta.dirname, 'email-mime-differences.json'), 'utf8');
    const listed = Listed.parse(JSON.parse(file)).flatMap(({ mails: ids }) =>
      Object.entries(ids).flatMap(([id, whats]) => whats.map((what) => `${id} ${what}`)),
    );
    assert.deepEqual(
      found.filter((each) => !listed.includes(each)),
      [],
      'new differences: repair them, or list them with a reason in test/email-mime-differences.json',
    );
    assert.deepEqual(
      listed.filter((each) => !found.includes(each)),
      [],
      'differences that are gone: take them off the list',
    );
  });
});
