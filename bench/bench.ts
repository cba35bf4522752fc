import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { p1 } from './p1.ts';
import { p2 } from './p2.ts';
import { p3 } from './p3.ts';
import { p4 } from './p4.ts';
import { p5 } from './p5.ts';
import { p6 } from './p6.ts';
import { p7 } from './p7.ts';
import { p8 } from './p8.ts';
import { p9 } from './p9.ts';
import { goalsTable, type Goal, type Section } from './report.ts';
import type { Options } from './servers.ts';

/**
 * Measures ratios, side by side in one run. `npm run bench` runs all sections and writes docs/performance.md;
 * `npm run bench -- P1 P6 --messages 100000` runs some and only prints them: figures of different runs can't be compared.
 * `BENCH_ROUNDS`, `BENCH_SECONDS` and `BENCH_CONNECTIONS` change the load.
 */
const SECTIONS = {
  P1: { run: p1, title: 'Filing a signed webhook' },
  P2: { run: p2, title: 'The same on PostgreSQL' },
  P3: { run: p3, title: 'How long an answer takes' },
  P4: { run: p4, title: 'Until it is on the screen' },
  P5: { run: p5, title: 'Deliveries' },
  P6: { run: p6, title: 'A store that has grown' },
  P7: { run: p7, title: 'Reading mail' },
  P8: { run: p8, title: 'Memory' },
  P9: { run: p9, title: 'Start' },
} as const satisfies Record<string, { title: string; run: (options: Options) => Promise<Section> }>;

const names = Object.keys(SECTIONS) as (keyof typeof SECTIONS)[];
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TARGET = join(ROOT, 'docs/performance.md');

const INTRODUCTION =
  'Written by `npm run bench`. Ratios count: everything was measured in one run on one machine, each server in a process ' +
  'of its own, in turn, medians of rounds after one that warms up. Generator and servers share the cores.';

const SEED =
  'Seed: none, nothing is random. Requests and seeded rows are numbered from 1; only times and signatures differ from run to run.';

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { messages: { type: 'string', default: '1000000' }, waiting: { type: 'string', default: '100000' } },
  });
  const unknown = positionals.filter((name) => !(name in SECTIONS));
  if (unknown.length > 0) throw new Error(`no such section: ${unknown.join(', ')}. There are: ${names.join(', ')}`);
  const chosen = names.filter((name) => positionals.length === 0 || positionals.includes(name));
  const load = {
    rounds: countOf('BENCH_ROUNDS', process.env['BENCH_ROUNDS'] ?? '5'),
    seconds: countOf('BENCH_SECONDS', process.env['BENCH_SECONDS'] ?? '3'),
    connections: countOf('BENCH_CONNECTIONS', process.env['BENCH_CONNECTIONS'] ?? '50'),
    messages: countOf('--messages', values.messages),
    waiting: countOf('--waiting', values.waiting),
  };
  // What is measured is dist/.
  execFileSync(process.execPath, [join(ROOT, 'scripts/build.mjs'), '--if-needed'], { stdio: ['ignore', 2, 2] });

  const head = `${machine()}\n\n${SEED}\n\n${loadText(load)}`;
  console.log(head);
  const before = stealing();
  const parts: string[] = [];
  const goals: Goal[] = [];
  for (const name of chosen) {
    const { title, run } = SECTIONS[name];
    const started = performance.now();
    const section = await runSection(run, load);
    const part = `## ${name}: ${title}\n\n${section.text}`;
    console.log(`\n${part}${section.goals.length > 0 ? `\n\n${goalsTable(section.goals)}` : ''}`);
    console.error(`${name} took ${((performance.now() - started) / 1000).toFixed(0)} s`);
    parts.push(part);
    goals.push(...section.goals);
  }
  const stolen = stolenText(before, stealing());
  console.log(`\n${stolen}`);
  if (chosen.length < names.length) return;
  const page = ['# Performance', INTRODUCTION, head, stolen, '## Goals', goalsTable(goals), ...parts].join('\n\n');
  writeFileSync(TARGET, await format(page, { ...(await resolveConfig(TARGET)), parser: 'markdown' }));
}

/** Runs a section in a folder of its own, and ends all that it started. One that fails says so, and the others go on. */
async function runSection(
  run: (options: Options) => Promise<Section>,
  load: Omit<Options, 'folder' | 'atEnd'>,
): Promise<Section> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-bench-'));
  const ends: (() => Promise<void>)[] = [];
  const end = async () => {
    for (let next = ends.pop(); next; next = ends.pop()) await next().catch(console.error);
    rmSync(folder, { recursive: true, force: true });
  };
  const interrupted = () => void end().finally(() => process.exit(1));
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    return await run({ ...load, folder, atEnd: (next) => ends.push(next) });
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
    return { text: `Could not be measured: ${error instanceof Error ? error.message : String(error)}`, goals: [] };
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    await end();
  }
}

function countOf(name: string, text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new Error(`${name} is a number from 1, not ${text}`);
  return count;
}

/** Of a filesystem that keeps files in memory, as the kernel calls it. */
const TMPFS = 0x01021994;

/** Ticks of all cores so far, and those of them that the host of a virtual machine gave to others. Linux knows them. */
function stealing(): { readonly all: number; readonly stolen: number } | undefined {
  if (!existsSync('/proc/stat')) return undefined;
  const ticks = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.trim().split(/\s+/).slice(1, 9).map(Number) ?? [];
  return { all: ticks.reduce((sum, each) => sum + each, 0), stolen: ticks[7] ?? 0 };
}

function stolenText(from: ReturnType<typeof stealing>, to: ReturnType<typeof stealing>): string {
  if (!from || !to) return 'How much of the processor went to others during the run is not known here.';
  const share = (to.stolen - from.stolen) / (to.all - from.all);
  return `During the run the host gave ${(share * 100).toFixed(0)} % of the processor to others (steal).`;
}

function machine(): string {
  const [cpu] = cpus();
  return (
    `Machine: ${cpus().length} cores (${cpu?.model ?? '?'}), ${(totalmem() / 1e9).toFixed(0)} GB, ${process.platform} ${release()}, ` +
    `temporary folder ${statfsSync(tmpdir()).type === TMPFS ? 'in memory, where fsync costs nothing' : 'on a disk'}, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}; load average before the run ${loadavg()[0]?.toFixed(2) ?? '?'}.`
  );
}

function loadText({ rounds, seconds, connections, messages, waiting }: Omit<Options, 'folder' | 'atEnd'>): string {
  return (
    `Load: ${rounds} rounds of ${seconds} s, ${connections} connections; ${messages} messages in the store that has grown, ` +
    `${waiting} deliveries that wait.`
  );
}

await main();
