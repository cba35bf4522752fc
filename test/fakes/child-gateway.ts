// A gateway in a process of its own, that its parent may kill. Configured by the environment, as the command is.
import { loadConfig } from '../../src/config.ts';
import { connectors } from '../../src/connectors/index.ts';
import { destinationTypes } from '../../src/dispatch/index.ts';
import { startGateway } from '../../src/tributary.ts';

const loaded = loadConfig({ env: process.env, cwd: process.cwd(), connectors, destinationTypes });
if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems));
const quiet = () => undefined;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const lookMs = Number(process.env['LOOK_MS']) || undefined;
const running = await startGateway({ config: loaded.config, log, lookMs });
process.send?.({ url: running.url, token: running.token });
process.once('SIGTERM', () => {
  void running.close().then(() => process.exit(0));
});
