import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectors } from '../src/connectors/index.ts';
import { connectorHomes } from './fakes/connector-homes.ts';
import { connectorOrderSuite } from './suites/connector-order.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

/** No vendor promises an order, and most deliver more than once. */
describe('What comes in disorder through', () => {
  for (const connector of connectors) {
    const name = connector.type.replaceAll('_', '-');
    const home = connectorHomes(ROOT).find((folder) => basename(folder) === name) ?? name;
    describe(connector.type, () => connectorOrderSuite(join(ROOT, 'src/connectors', home), connector));
  }
});
