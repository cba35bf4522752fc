// A gateway, as it is built, that kills itself right after the statement whose number it is given, counted
// from the moment it is told to: the harshest end there is, at a place of our choosing.
import { loadConfig } from '../../dist/config.js';
import { connectors } from '../../dist/connectors/index.js';
import { destinationTypes } from '../../dist/dispatch/index.js';
import { openDatabase } from '../../dist/store/sqlite.js';
import { startGateway } from '../../dist/tributary.js';

const dieAfter = Number(process.env.DIE_AFTER);
let armed = false;
let statements = 0;

function counted(run) {
  const result = run();
  if (armed && ++statements === dieAfter) process.kill(process.pid, 'SIGKILL');
  return result;
}

const loaded = loadConfig({ env: process.env, cwd: process.cwd(), connectors, destinationTypes });
const running = await startGateway({
  config: loaded.config,
  log: { debug() {}, info() {}, warn() {}, error() {} },
  openDatabase(path) {
    const database = openDatabase(path);
    return {
      exec: (text) => counted(() => database.exec(text)),
      close: () => database.close(),
      prepare(text) {
        const statement = database.prepare(text);
        return {
          run: (...values) => counted(() => statement.run(...values)),
          get: (...values) => counted(() => statement.get(...values)),
          all: (...values) => counted(() => statement.all(...values)),
          columns: () => statement.columns(),
        };
      },
    };
  },
});
process.on('message', () => {
  armed = true;
  process.send('armed');
});
process.send(running.url);
