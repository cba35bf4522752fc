// Runs the tests; the last line is always `N passed, N failed, N skipped`.
//
//   node scripts/test.mjs                           all of test/**/*.test.ts
//   node scripts/test.mjs --browser                 only *.browser.test.ts, the same as --only=browser
//   node scripts/test.mjs --without=browser,fault   all but *.browser.test.ts and *.fault.test.ts
//   node scripts/test.mjs test/thread.test.ts       these files
//   node scripts/test.mjs --again                   a file with a failure runs once more, alone, and is named if that helps
//   node scripts/test.mjs -g 'a word'               anything else goes to mocha
//
// REQUIRE_ALL=1 makes a skipped test a failure. A run without a single test fails.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildIfNeeded } from './build.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const SUFFIX = '.test.ts';
const FAILURE = { passed: 0, failed: 1, skipped: 0 };
const MOST_AGAIN = 5;

const folder = mkdtempSync(join(tmpdir(), 'tributary-test-'));
async function test(args) {
  const { files, again, rest } = choose(args);
  const counts = new Map();
  try {
    await buildIfNeeded();
    if (files.length === 0) throw new Error('There is no such test file.');
    await mocha(files, rest, counts);
    if (again) await runAgain(rest, counts);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    counts.set('', FAILURE);
  }
  const { passed, failed, skipped } = sum(counts);
  const problem = problemOf({ passed, failed, skipped });
  if (problem) process.stdout.write(`\n${problem}\n`);
  process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  return failed > 0 || problem ? 1 : 0;
}

/**
 * A host that takes its processors away for seconds fails a test now and then; a fault fails it twice. Both are shown, and
 * more than a few files that fail are no accident.
 */
async function runAgain(rest, counts) {
  const failing = [...counts].filter(([file, { failed }]) => file !== '' && failed > 0).map(([file]) => file);
  if (failing.length > MOST_AGAIN) return;
  for (const file of failing) {
    process.stdout.write(`\nOnce more, alone: ${relative(ROOT, file)}\n`);
    await mocha([file], rest, counts);
    if (counts.get(file).failed === 0) process.stdout.write(`\nFailed once, then passed: ${relative(ROOT, file)}\n`);
  }
}

function sum(counts) {
  const all = { passed: 0, failed: 0, skipped: 0 };
  for (const each of counts.values()) for (const outcome of Object.keys(all)) all[outcome] += each[outcome];
  return all;
}

function problemOf({ passed, failed, skipped }) {
  if (passed + failed + skipped === 0) return 'No test ran.';
  if (skipped > 0 && process.env.REQUIRE_ALL === '1') return 'REQUIRE_ALL=1: a skipped test is a failure.';
  return undefined;
}

function choose(args) {
  const named = args.filter((arg) => arg.endsWith(SUFFIX));
  const only = tagsIn(args, '--only=', args.includes('--browser') ? ['browser'] : []);
  const without = tagsIn(args, '--without=', []);
  const all = readdirSync(join(ROOT, 'test'), { recursive: true })
    .filter((name) => name.endsWith(SUFFIX))
    .filter((name) => only.length === 0 || hasTag(name, only))
    .filter((name) => !hasTag(name, without))
    .map((name) => join('test', name))
    .sort();
  const ours = /^--(again$|browser$|only=|without=)/;
  return {
    files: named.length > 0 ? named : all,
    again: args.includes('--again'),
    rest: args.filter((arg) => !ours.test(arg) && !named.includes(arg)),
  };
}

const hasTag = (name, tags) => tags.some((tag) => name.endsWith(`.${tag}${SUFFIX}`));

const tagsIn = (args, option, fallback) =>
  args
    .filter((arg) => arg.startsWith(option))
    .flatMap((arg) => arg.slice(option.length).split(','))
    .concat(fallback);

/** Runs the files, and writes into `counts` what became of each. */
async function mocha(files, rest, counts) {
  const script = join(dirname(createRequire(import.meta.url).resolve('mocha/package.json')), 'bin', 'mocha.js');
  const reporter = join(ROOT, 'scripts', 'reporter.mjs');
  const written = join(folder, 'counts.json');
  rmSync(written, { force: true });
  const code = await new Promise((done, reject) => {
    const child = spawn(process.execPath, [script, '--forbid-only', '--reporter', reporter, ...files, ...rest], {
      cwd: ROOT,
      env: { ...process.env, TEST_COUNTS: written },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.on('error', reject);
    child.on('close', (code) => done(code ?? 1));
  });
  const counted = countsOf(written);
  for (const [file, each] of Object.entries(counted)) counts.set(file, each);
  if (code !== 0 && !Object.values(counted).some(({ failed }) => failed > 0)) {
    process.stderr.write(`mocha ended with code ${code} and without a test that failed.\n`);
    counts.set('', FAILURE);
  }
}

/** What the reporter counted for each file; nothing where the run died before it could. */
function countsOf(written) {
  try {
    return JSON.parse(readFileSync(written, 'utf8'));
  } catch {
    return {};
  }
}

try {
  process.exitCode = await test(process.argv.slice(2));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
