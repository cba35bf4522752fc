'use strict';

const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');

const root = join(__dirname, '..');
const load = (...path) => import(pathToFileURL(join(root, ...path)).href);

/** Builds when dist/ doesn't belong to the sources, then runs the command line. */
async function launch() {
  // An installation without sources brings its dist/ along: there is nothing to compare or build.
  if (existsSync(join(root, 'src')) && existsSync(join(root, 'scripts', 'build.mjs'))) {
    const { buildIfNeeded } = await load('scripts', 'build.mjs');
    await buildIfNeeded();
  }
  const { main } = await load('dist', 'main.js');
  process.exitCode = await main(process.argv.slice(2));
}

launch().catch((error) => {
  // A refusal (nothing built and nothing to build with) is one line; anything else is a bug and shows where.
  process.stderr.write(`${error?.refusal ? error.message : (error?.stack ?? error)}\n`);
  process.exitCode = 1;
});
