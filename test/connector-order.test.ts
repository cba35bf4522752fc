import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectors } from '../src/connectors/index.ts';
import { connectorOrderSuite } from './suites/connector-order.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

/** No vendor promises an order, and most deliver more than once. */
describe('What comes in disorder through', () => {
  for (const connector of connectors) {
    const home = join(ROOT, 'src/connectors', connector.type.replaceAll('_', '-'));
    describe(connector.type, () => connectorOrderSuite(home, connector));
  }
});
