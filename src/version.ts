import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The version of this package, from its package.json: one folder above `src/` and above `dist/` alike. */
export const VERSION: string = (
  JSON.parse(readFileSync(fileURLToPath(new URL('../package.json', import.meta.url)), 'utf8')) as { version: string }
).version;
