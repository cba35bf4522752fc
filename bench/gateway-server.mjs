// The gateway as it is built, configured by its environment.
import { startGateway } from '../dist/tributary.js';
import { loadConfig } from '../dist/config.js';
import { connectors } from '../dist/connectors/index.js';
import { destinationTypes } from '../dist/dispatch/index.js';
import { serveUsage } from './usage.mjs';

const loaded = loadConfig({ env: process.env, cwd: process.cwd(), connectors, destinationTypes });
if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems));
const running = await startGateway({ config: loaded.config });
const health = await running.gateway.store.health();
process.on('SIGTERM', () => void running.close().then(() => process.exit(0)));
serveUsage({ port: Number(new URL(running.url).port), health });
