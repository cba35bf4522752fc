import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectors } from '../src/connectors/index.ts';
import { connectorHomes } from './fakes/connector-homes.ts';
import { connectorSuite } from './suites/connector.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

describe('Every connector', () => {
  for (const home of connectorHomes(ROOT)) {
    describe(home, () => connectorSuite(ROOT, home, connectors));
  }
});
