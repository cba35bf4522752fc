// The gateway as it is built, with one signed intake and one destination, on a data folder of its own.
import { startGateway } from '../dist/tributary.js';
import { loadConfig } from '../dist/config.js';
import { connectors } from '../dist/connectors/index.js';
import { destinationTypes } from '../dist/dispatch/index.js';

const loaded = loadConfig({ env: process.env, cwd: process.cwd(), connectors, destinationTypes });
if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems));
const running = await startGateway({ config: loaded.config });
const health = await running.gateway.store.health();
process.send({ port: Number(new URL(running.url).port), health });
process.on('message', () => process.send({ cpu: process.cpuUsage() }));
process.on('SIGTERM', () => void running.close().then(() => process.exit(0)));
