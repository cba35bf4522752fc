// Builds dist/: the gateway with tsc, the console and the widget with Vite.
//
//   node scripts/build.mjs                 always
//   node scripts/build.mjs --if-needed     when dist/ doesn't belong to the sources
//   node scripts/build.mjs --if-possible   the same, and silent where TypeScript isn't installed
//
// Everything is built beside dist/ and then swapped in, so that a build that fails, or two at once, leave a whole
// dist/ behind. All output goes to stderr: stdout belongs to the command that is started afterwards.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const DIST = join(ROOT, 'dist');
const LOCK = join(ROOT, 'dist.lock');
/** Content hash of what dist/ was built from. */
const STAMP = '.sources';
const FRONT_ENDS = ['console', 'widget'];
const SOURCES = ['src', ...FRONT_ENDS];
const ALSO = ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts/build.mjs'];
const LONGEST_BUILD_MS = 180_000;

/** A reason that the person at the keyboard can act on: shown as one line, without a stack. */
class Refusal extends Error {
  refusal = true;
}

/** Builds unless dist/ was built from exactly these sources. Waits for a build that another process is doing. */
export async function buildIfNeeded() {
  if (isFresh()) return;
  if (!installed('typescript')) {
    const state = existsSync(join(DIST, 'main.js')) ? 'is out of date' : 'is missing';
    throw new Refusal(`dist/ ${state} and TypeScript is not installed. Run: npm ci --include=dev`);
  }
  await locked(async () => {
    if (!isFresh()) await build();
  });
}

function isFresh() {
  const stamp = join(DIST, STAMP);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === hashOfSources();
}

// By content, not by time: clones, copies and switched branches have times that say nothing.
function hashOfSources() {
  const hash = createHash('sha256');
  for (const file of [
    ...ALSO.map((name) => join(ROOT, name)),
    ...SOURCES.flatMap((name) => filesIn(join(ROOT, name))),
  ]) {
    if (existsSync(file))
      hash
        .update(`${relative(ROOT, file)}\0`)
        .update(readFileSync(file))
        .update('\0');
  }
  return hash.digest('hex');
}

/** Every file below a folder in a stable order, without what only tests read. */
function filesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.name !== 'fixtures' && entry.name !== 'node_modules')
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => (entry.isDirectory() ? filesIn(join(folder, entry.name)) : [join(folder, entry.name)]));
}

async function build() {
  const began = performance.now();
  const target = `${DIST}.${process.pid}`;
  try {
    const hash = hashOfSources();
    await run('typescript/bin/tsc', ['-p', 'tsconfig.build.json', '--noCheck', '--outDir', target]);
    copyAssets(target);
    for (const name of FRONT_ENDS.filter(isFrontEnd)) {
      // Vite is a development dependency like TypeScript: where one is, the other is.
      await run('vite/bin/vite.js', [
        'build',
        name,
        '--outDir',
        join(target, name),
        '--emptyOutDir',
        '--logLevel',
        'warn',
      ]);
    }
    writeFileSync(join(target, STAMP), hash);
    await swap(target);
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
  process.stderr.write(`Built dist/ in ${((performance.now() - began) / 1000).toFixed(1)} s\n`);
}

const isFrontEnd = (name) =>
  ['index.html', 'vite.config.ts', 'vite.config.js'].some((file) => existsSync(join(ROOT, name, file)));

/** What the code reads beside itself when it runs: pages, styles, SQL, examples. */
function copyAssets(target) {
  for (const file of filesIn(join(ROOT, 'src')).filter((name) => !/\.tsx?$/.test(name))) {
    cpSync(file, join(target, relative(join(ROOT, 'src'), file)));
  }
}

async function swap(target) {
  const old = `${target}.old`;
  for (let attempt = 1; ; attempt++) {
    try {
      if (existsSync(DIST)) renameSync(DIST, old);
      renameSync(target, DIST);
      break;
    } catch (error) {
      // Another process swapped in between.
      if (attempt === 20) throw error;
      await wait(50);
    } finally {
      rmSync(old, { recursive: true, force: true });
    }
  }
}

/** One build at a time, by a folder that names its owner. Only saves work: without it the swap still holds. */
async function locked(work) {
  const owner = join(LOCK, 'pid');
  for (let waited = 0; !tryMakeFolder(LOCK); waited += 100) {
    if (waited >= LONGEST_BUILD_MS || (waited >= 1000 && !isAlive(owner)))
      rmSync(LOCK, { recursive: true, force: true });
    else await wait(100);
  }
  try {
    writeFileSync(owner, String(process.pid));
    await work();
  } finally {
    rmSync(LOCK, { recursive: true, force: true });
  }
}

function tryMakeFolder(path) {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function isAlive(owner) {
  try {
    process.kill(Number(readFileSync(owner, 'utf8')), 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Runs a package's own script with this Node: no shell, no PATH. */
function run(script, args) {
  return new Promise((done, reject) => {
    const child = spawn(process.execPath, [pathOf(script), ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.pipe(process.stderr, { end: false });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) done();
      else reject(new Refusal(`The build failed: ${script.split('/')[0]} found the errors above.`));
    });
  });
}

const resolve = createRequire(import.meta.url).resolve;

function pathOf(script) {
  const [name, ...path] = script.split('/');
  return join(dirname(resolve(`${name}/package.json`)), ...path);
}

function installed(name) {
  try {
    return resolve(`${name}/package.json`) !== '';
  } catch {
    return false;
  }
}

async function main(option) {
  if (option === '--if-possible' && !installed('typescript')) return;
  if (option === undefined) await locked(build);
  else if (option === '--if-needed' || option === '--if-possible') await buildIfNeeded();
  else throw new Refusal(`Unknown option ${option}. Known: --if-needed, --if-possible`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) {
  main(process.argv[2]).catch((error) => {
    process.stderr.write(`${error.refusal ? error.message : error.stack}\n`);
    process.exitCode = 1;
  });
}
