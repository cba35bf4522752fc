import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { destinationTypes } from '../src/dispatch/index.ts';
import { destinationSuite } from './suites/destination.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

describe('Every destination', () => {
  const entries = readdirSync(join(ROOT, 'src/dispatch'), { withFileTypes: true });
  for (const { name } of entries.filter((entry) => entry.isDirectory())) {
    describe(name, () => destinationSuite(ROOT, name, destinationTypes));
  }
});
