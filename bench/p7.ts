import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createReader } from '../src/connectors/email/read.ts';
import { fakeContext } from '../test/fakes/context.ts';
import { median } from './load.ts';
import { table, type Section } from './report.ts';
import type { Options } from './servers.ts';

/** Mails of other projects. Not part of the repository. */
const FIXTURES = fileURLToPath(new URL('../../shared/fixtures', import.meta.url));

/**
 * P7: mails a second and core: all that is done with a mail before it is filed (parts, quotes, kind, what threads it),
 * copied as between threads but in this one, against `simpleParser` of mailparser alone.
 */
export async function p7({ rounds }: Options): Promise<Section> {
  const mails = readMails();
  if (mails.length === 0) {
    return {
      text: 'Left out: the collected mails (`../shared/fixtures/email-*`) are not beside the repository.',
      goals: [{ what: 'P7: reading mail, of simpleParser', value: NaN, wanted: ['at least', 0.7] }],
    };
  }
  const { simpleParser } = createRequire(import.meta.url)('mailparser') as {
    simpleParser(mail: Buffer): Promise<unknown>;
  };
  const reader = createReader({ address: 'support@example.com', aliases: [] }, fakeContext());
  const readers = [
    { name: 'mailparser’s simpleParser', read: simpleParser },
    {
      name: 'Tributary: parsed, quotes separated, classified, references found',
      read: async (body: Buffer) =>
        reader.normalize({ endpointId: 'mail', receivedAt: 0, method: 'STREAM', url: '', headers: {}, body }),
    },
  ].map((each) => ({ ...each, rates: [] as number[], failed: 0 }));
  for (let round = 0; round <= rounds; round++) {
    for (const each of readers) {
      each.failed = 0;
      const started = performance.now();
      for (const mail of mails) {
        await each.read(mail).catch(() => {
          each.failed++;
        });
      }
      // The first round warms up.
      if (round > 0) each.rates.push((mails.length * 1000) / (performance.now() - started));
    }
  }
  const [theirs = NaN, own = NaN] = readers.map(({ rates }) => median(rates));
  const bytes = mails.reduce((sum, mail) => sum + mail.length, 0);
  return {
    text: [
      `${mails.length} mails of ${(bytes / mails.length / 1000).toFixed(0)} KB on average, the readers in turn, one core, nothing stored.`,
      table(
        ['reader', 'mails/s', 'failed'],
        readers.map(({ name, rates, failed }) => [name, median(rates).toFixed(0), String(failed)]),
      ),
    ].join('\n\n'),
    goals: [{ what: 'P7: reading mail, of simpleParser', value: own / theirs, wanted: ['at least', 0.7] }],
  };
}

function readMails(): Buffer[] {
  if (!existsSync(FIXTURES)) return [];
  return readdirSync(FIXTURES, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.startsWith('email-') && /\.eml$|\/m\d{4}$/.test(path))
    .sort()
    .map((path) => readFileSync(join(FIXTURES, path)));
}
