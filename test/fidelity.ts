import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'prettier';
import { z } from 'zod';
import { automaticOf } from '../src/connectors/email/automatic.ts';
import type { Mail, ReadRequest } from '../src/connectors/email/mail.ts';
import read from '../src/connectors/email/read-worker.ts';
import { forwardIn } from '../src/connectors/email/text/forward.ts';
import { replyIn } from '../src/connectors/email/text/reply.ts';
import { corpus, differencesOf, hasCorpus, readWhole, whats, type Reading } from './fakes/mail-corpus.ts';
import { forwardReaders, mimeReaders, replyReaders } from './fakes/mail-readers.ts';
import {
  foundIn,
  forwardCases,
  hasReplies,
  lostOf,
  ordinaryTexts,
  plain,
  replyCases,
  type ReplyCase,
} from './fakes/reply-corpus.ts';

/**
 * `npm run fidelity`: what is read right of the mails and texts of other projects, by us and by the libraries that
 * others use, in the same run. Writes docs/fidelity.md; -v shows what we read otherwise.
 */
const PAGE = join(import.meta.dirname, '../docs/fidelity.md');
const MACHINES = join(import.meta.dirname, '../../shared/fixtures/email-bounce-autoreply/sisimai-set-of-emails');
const US = 'Tributary';
const isVerbose = process.argv.includes('-v');

type Row = readonly (string | number)[];

interface Table {
  readonly title: string;
  readonly text: string;
  readonly head: Row;
  readonly rows: readonly Row[];
}

async function main(): Promise<void> {
  if (!hasCorpus || !hasReplies || !existsSync(MACHINES)) {
    process.stdout.write('There are no mails of other projects here.\n');
    return;
  }
  const tables = [replies(), losses(), ordinary(), forwards(), await machines(), await mails()];
  for (const { title, head, rows } of tables) process.stdout.write(`\n${title}\n${columns([head, ...rows])}`);
  writeFileSync(PAGE, await format(page(tables), { parser: 'markdown', printWidth: 120, proseWrap: 'preserve' }));
}

const readers: Readonly<Record<string, (text: string) => string>> = { [US]: replyIn, ...replyReaders };

/** A reader that gives up has read nothing. */
function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}

function stated(): (ReplyCase & { readonly expected: string })[] {
  return replyCases().flatMap((each) => (each.expected === undefined ? [] : [{ ...each, expected: each.expected }]));
}

function replies(): Table {
  const cases = stated();
  const isRight = (name: string, { text, expected }: (typeof cases)[number]) =>
    plain(attempt(() => readers[name]?.(text)) ?? '') === plain(expected);
  const row = (source: string, some: typeof cases): Row => [
    source,
    some.length,
    ...Object.keys(readers).map((name) => some.filter((each) => isRight(name, each)).length),
  ];
  tell(cases.filter((each) => !isRight(US, each)).map(({ id }) => id));
  const sources = [...new Set(cases.map(({ source }) => source))];
  return {
    title: 'What the person wrote',
    text: 'Mails whose authors state the text that a person wrote: how many come out exactly so, but for blanks at the ends of lines and of the text.',
    head: ['source', 'mails', ...Object.keys(readers)],
    rows: [
      ...sources.map((source) =>
        row(
          source,
          cases.filter((each) => each.source === source),
        ),
      ),
      row('all', cases),
    ],
  };
}

function losses(): Table {
  const cases = stated();
  return {
    title: 'Text that is lost',
    text: 'The same mails: in how many a line that the person wrote is missing. One of ours is a line of dashes that one collection wants kept and another one wants gone.',
    head: ['mails', ...Object.keys(readers)],
    rows: [
      [
        cases.length,
        ...Object.values(readers).map(
          (reader) =>
            cases.filter(({ text, expected }) => lostOf(attempt(() => reader(text)) ?? '', expected).length > 0).length,
        ),
      ],
    ],
  };
}

function ordinary(): Table {
  const texts = ordinaryTexts();
  return {
    title: 'Text that is nothing else',
    text: 'Questions to a bank, without quotes and signatures: how many stay as they are.',
    head: ['texts', ...Object.keys(readers)],
    rows: [
      [
        texts.length,
        ...Object.values(readers).map(
          (reader) => texts.filter((text) => plain(attempt(() => reader(text)) ?? '') === plain(text)).length,
        ),
      ],
    ],
  };
}

function forwards(): Table {
  const cases = forwardCases();
  const all = {
    [US]: (text: string, subject: string | undefined) => foundIn(forwardIn(text, subject)),
    ...forwardReaders,
  };
  const right = Object.values(all).map(
    (reader) =>
      cases.filter(({ text, subject, wrongIn }) => wrongIn(attempt(() => reader(text, subject))).length === 0).length,
  );
  return {
    title: 'Forwards',
    text: 'Mails that are passed on, or answered: whether it is a forward and, where stated, its author, people, subject, text and the words above it, all of it right.',
    head: ['mails', ...Object.keys(all)],
    rows: [[cases.length, ...right]],
  };
}

/** What somebody states about bounces, answers of machines and complaints; and how many ordinary mails look like one. */
async function machines(): Promise<Table> {
  const Expected = z.record(z.string(), z.array(z.object({ reason: z.string() })));
  const expected = Expected.parse(JSON.parse(readFileSync(join(MACHINES, 'expected.json'), 'utf8')));
  const kindOf = async (bytes: Uint8Array) => automaticOf((await read({ bytes })) as Mail, undefined, []);
  const counts = { bounce: [0, 0], auto_reply: [0, 0], complaint: [0, 0] };
  const wrong: string[] = [];
  for (const [name, recipients] of Object.entries(expected)) {
    const path = join(MACHINES, name);
    if (!existsSync(path)) continue;
    const has = (reason: string) => recipients.some((each) => each.reason === reason);
    const wanted = has('vacation') ? 'auto_reply' : has('feedback') ? 'complaint' : 'bounce';
    const isRight = (await kindOf(new Uint8Array(readFileSync(path)))) === wanted;
    counts[wanted] = [counts[wanted][0]! + 1, counts[wanted][1]! + Number(isRight)];
    if (!isRight) wrong.push(name);
  }
  tell(wrong);
  return {
    title: 'Machines',
    text: 'What sisimai, a reader of bounces, states of its own mails. No library of JavaScript that we know tells these kinds apart.',
    head: ['kind', 'mails', US],
    rows: Object.entries(counts).map(([kind, [all = 0, right = 0]]) => [kind, all, right]),
  };
}

async function mails(): Promise<Table> {
  const all: Readonly<Record<string, (bytes: Uint8Array) => Promise<Reading>>> = {
    [US]: (bytes) => readWhole(bytes, <T>(request: ReadRequest) => read(request) as Promise<T>),
    ...mimeReaders,
  };
  const names = Object.keys(all);
  const counts = whats.map(() => names.map(() => 0));
  const whole = corpus();
  for (const mail of whole) {
    for (const [at, name] of names.entries()) {
      const reading = await all[name]?.(mail.bytes).catch(() => undefined);
      const differences = reading ? differencesOf(mail, reading) : undefined;
      whats.forEach((what, index) => {
        const isSame = differences?.every((each) => each.what !== what) ?? false;
        counts[index]![at]! += Number(isSame);
      });
      if (name === US)
        tell(
          (differences ?? []).map(
            ({ id, what, ours, theirs }) =>
              `${id} ${what}\n  ours   ${ours.slice(0, 200)}\n  theirs ${theirs.slice(0, 200)}`,
          ),
        );
    }
  }
  return {
    title: 'MIME',
    text: 'Mails of seven projects, many of them broken on purpose: how many are read as Python’s `email` reads them, which isn’t always right itself; `test/email-mime-differences.json` explains each of ours.',
    head: ['part', 'mails', ...names],
    rows: whats.map((what, index) => [what, whole.length, ...(counts[index] ?? [])]),
  };
}

function tell(lines: readonly string[]): void {
  if (isVerbose) for (const line of lines) process.stdout.write(`${line}\n`);
}

function columns(rows: readonly Row[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => String(row[at]).length)));
  return rows.map((row) => `${row.map((cell, at) => String(cell).padEnd(widths[at] ?? 0)).join('  ')}\n`).join('');
}

function page(tables: readonly Table[]): string {
  const { devDependencies } = z
    .object({ devDependencies: z.record(z.string(), z.string()) })
    .parse(JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')));
  const others = [...Object.keys(replyReaders), ...Object.keys(forwardReaders), ...Object.keys(mimeReaders)];
  const line = (row: Row) => `| ${row.join(' | ')} |`;
  return [
    '# How well mail is read',
    'Written by `npm run fidelity`, which reads mails and texts of other projects (not part of this repository) with Tributary and with the libraries that others use, all in the same run.',
    `Libraries: ${others.map((name) => `${name} ${devDependencies[name] ?? ''}`).join(', ')}.`,
    ...tables.map(({ title, text, head, rows }) =>
      [`## ${title}`, '', text, '', line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n'),
    ),
    '',
  ].join('\n\n');
}

await main();
