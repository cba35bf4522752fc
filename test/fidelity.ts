import read from '../src/connectors/email/read-worker.ts';
import type { ReadRequest } from '../src/connectors/email/mail.ts';
import { corpus, differencesOf, hasCorpus, whats } from './fakes/mail-corpus.ts';

/** `npm run fidelity`: how many mails of other projects are read as their references say, by source; -v shows the rest. */
async function main(): Promise<void> {
  if (!hasCorpus) {
    process.stdout.write('There are no mails of other projects here.\n');
    return;
  }
  const counts = new Map<string, number[]>();
  const began = performance.now();
  const mails = corpus();
  for (const mail of mails) {
    const differences = await differencesOf(mail, <T>(request: ReadRequest) => read(request) as Promise<T>);
    const source = mail.id.split('/', 1)[0] ?? '';
    const row = counts.get(source) ?? [0, ...whats.map(() => 0)];
    counts.set(source, row);
    row[0] = (row[0] ?? 0) + 1;
    whats.forEach((what, index) => {
      if (!differences.some((each) => each.what === what)) row[index + 1] = (row[index + 1] ?? 0) + 1;
    });
    if (process.argv.includes('-v')) {
      for (const { id, what, ours, theirs } of differences) {
        process.stdout.write(`${id} ${what}\n  ours   ${ours.slice(0, 200)}\n  theirs ${theirs.slice(0, 200)}\n`);
      }
    }
  }
  const line = (cells: readonly (string | number)[]) =>
    `${cells.map((cell, index) => (index === 0 ? String(cell).padEnd(24) : String(cell).padStart(8))).join('')}\n`;
  process.stdout.write(line(['source', 'mails', ...whats]));
  for (const [source, row] of counts) process.stdout.write(line([source, ...row]));
  const total = [...counts.values()].reduce((sum, row) => sum.map((value, index) => value + (row[index] ?? 0)));
  process.stdout.write(line(['all', ...total]));
  const seconds = (performance.now() - began) / 1000;
  process.stdout.write(`${mails.length} mails with their files in ${seconds.toFixed(1)} s\n`);
}

await main();
