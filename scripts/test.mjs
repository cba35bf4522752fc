// Runs the tests; the last line is always `N passed, N failed, N skipped`.
//
//   node scripts/test.mjs                           all of test/**/*.test.ts
//   node scripts/test.mjs --browser                 only *.browser.test.ts, the same as --only=browser
//   node scripts/test.mjs --without=browser,fault   all but *.browser.test.ts and *.fault.test.ts
//   node scripts/test.mjs test/thread.test.ts       these files
//   node scripts/test.mjs -g 'a word'               anything else goes to mocha
//
// REQUIRE_ALL=1 makes a skipped test a failure. A run without a single test fails.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildIfNeeded } from './build.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const SUFFIX = '.test.ts';

const folder = mkdtempSync(join(tmpdir(), 'tributary-test-'));
async function test(args) {
  const { files, rest } = choose(args);
  let code = 1;
  let counts = { passed: 0, failed: 1, skipped: 0 };
  try {
    await buildIfNeeded();
    if (files.length === 0) throw new Error('There is no such test file.');
    code = await mocha([...files, ...rest]);
    counts = countsOf(code);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
  }
  const { passed, failed, skipped } = counts;
  const problem = problemOf(counts);
  if (problem) process.stdout.write(`\n${problem}\n`);
  process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  return code !== 0 || failed > 0 || problem ? 1 : 0;
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
  const ours = /^--(browser$|only=|without=)/;
  return { files: named.length > 0 ? named : all, rest: args.filter((arg) => !ours.test(arg) && !named.includes(arg)) };
}

const hasTag = (name, tags) => tags.some((tag) => name.endsWith(`.${tag}${SUFFIX}`));

const tagsIn = (args, option, fallback) =>
  args
    .filter((arg) => arg.startsWith(option))
    .flatMap((arg) => arg.slice(option.length).split(','))
    .concat(fallback);

function mocha(args) {
  const script = join(dirname(createRequire(import.meta.url).resolve('mocha/package.json')), 'bin', 'mocha.js');
  const reporter = join(ROOT, 'scripts', 'reporter.mjs');
  return new Promise((done, reject) => {
    const child = spawn(process.execPath, [script, '--forbid-only', '--reporter', reporter, ...args], {
      cwd: ROOT,
      env: { ...process.env, TEST_COUNTS: join(folder, 'counts.json') },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.on('error', reject);
    child.on('close', (code) => done(code ?? 1));
  });
}

/** What the reporter counted; a run that died before it could is one failure. */
function countsOf(code) {
  try {
    return JSON.parse(readFileSync(join(folder, 'counts.json'), 'utf8'));
  } catch {
    process.stderr.write(`mocha ended with code ${code} before it had run the tests.\n`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

try {
  process.exitCode = await test(process.argv.slice(2));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
