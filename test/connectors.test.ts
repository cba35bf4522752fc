import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectors } from '../src/connectors/index.ts';
import { connectorSuite } from './suites/connector.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

describe('Every connector', () => {
  const entries = readdirSync(join(ROOT, 'src/connectors'), { withFileTypes: true });
  for (const { name } of entries.filter((entry) => entry.isDirectory())) {
    describe(name, () => connectorSuite(ROOT, name, connectors));
  }
});
