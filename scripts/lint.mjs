// Everything that can be said about the code without running it. Every check runs, whatever the others find; the
// summary at the end names those that failed. `node scripts/lint.mjs types imports` runs only these.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const FOLDERS = ['src', 'test', 'bench', 'scripts', 'console', 'widget'].filter((name) => existsSync(join(ROOT, name)));
/** Checks that run at the same time: most of them use one core and much memory. */
const AT_ONCE = 2;

const CHECKS = [
  check('types', 'typescript', 'tsc', ['--noEmit', '-p', 'tsconfig.json']),
  // Code for the browser has settings of its own.
  ...['console', 'widget']
    .filter((name) => existsSync(join(ROOT, name, 'tsconfig.json')))
    .map((name) => check(`types of ${name}`, 'typescript', 'tsc', ['--noEmit', '-p', name])),
  check('rules', 'eslint', 'eslint', ['--max-warnings=0', '.']),
  check('format', 'prettier', 'prettier', ['--check', '--log-level=warn', '.']),
  check('imports', 'dependency-cruiser', 'depcruise', ['--config', '.dependency-cruiser.cjs', ...FOLDERS]),
  check('dead code', 'knip', 'knip', ['--no-progress', '--no-config-hints']),
  // Generated pages that no longer say what the code does.
  ...(existsSync(join(ROOT, 'scripts/docs.ts'))
    ? [{ name: 'docs', args: ['--import', 'tsx', 'scripts/docs.ts', '--check'] }]
    : []),
];

function check(name, packageName, command, args) {
  const manifest = createRequire(import.meta.url).resolve(join(ROOT, 'node_modules', packageName, 'package.json'));
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8'));
  return { name, args: [join(dirname(manifest), typeof bin === 'string' ? bin : bin[command]), ...args] };
}

/** Runs one check to its end, keeping its output together. */
function run({ name, args }) {
  const began = performance.now();
  return new Promise((done) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    const output = [];
    child.stdout.on('data', (chunk) => output.push(chunk));
    child.stderr.on('data', (chunk) => output.push(chunk));
    child.on('error', (error) => output.push(Buffer.from(String(error))));
    child.on('close', (code) => {
      const result = { name, ok: code === 0, seconds: (performance.now() - began) / 1000 };
      process.stdout.write(`── ${name}\n${Buffer.concat(output)}${result.ok ? '' : '\n'}`);
      done(result);
    });
  });
}

const wanted = process.argv.slice(2);
const waiting = CHECKS.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
if (waiting.length === 0) {
  process.stderr.write(`No such check. There are: ${CHECKS.map(({ name }) => name).join(', ')}\n`);
  process.exit(2);
}

const results = [];
const lane = async () => {
  for (let next = waiting.shift(); next; next = waiting.shift()) results.push(await run(next));
};
await Promise.all(Array.from({ length: AT_ONCE }, lane));

process.stdout.write('\n');
for (const { name, ok, seconds } of results) {
  process.stdout.write(`${ok ? 'ok    ' : 'FAILED'}  ${name} (${seconds.toFixed(1)} s)\n`);
}
process.exitCode = results.every(({ ok }) => ok) ? 0 : 1;
