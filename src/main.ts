import { join, resolve } from 'node:path';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { CommandError, createCli, USAGE } from './cli/cli.ts';
import type { Cli, Io } from './cli/cli.ts';
import { connect } from './cli/client.ts';
import { addAccess, addLists, addSignatures, addTrigger, examples } from './cli/commands.ts';
import type { Tools } from './cli/commands.ts';
import { doctor } from './cli/doctor.ts';
import { migrate } from './cli/migrate.ts';
import { checkConfig, exportConfig, init, toProblemText } from './cli/setup.ts';
import type { InitOptions } from './cli/setup.ts';
import { start } from './cli/start.ts';
import type { StartOptions } from './cli/start.ts';
import { loadConfig } from './config.ts';
import type { Config } from './config.ts';
import { connectors } from './connectors/index.ts';
import { systemClock } from './core/clock.ts';
import { textOf } from './core/errors.ts';
import { destinationTypes } from './dispatch/index.ts';
import { createLog } from './log.ts';
import { roles, type Role } from './roles.ts';
import { moveStore } from './store/move.ts';
import { openDatabase } from './store/sqlite.ts';

const processIo: Io = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  clock: systemClock,
};

/**
 * The command line. Resolves with the exit code: 0 fine, 1 failed, 2 used wrongly, 3 the gateway or a
 * part of it is not well. Data goes to stdout, everything else to stderr.
 */
export async function main(argv: readonly string[], io: Partial<Io> = {}): Promise<number> {
  const { program, cli, result } = createProgram(io);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return result.code;
  } catch (error) {
    return toExitCode(cli, error);
  }
}

/** The commands, and what they write to. */
export function createProgram(io: Partial<Io> = {}) {
  const result = { code: 0 };
  const program = new Command('tributary');
  const cli = createCli({ ...processIo, ...io }, () => program.opts<{ json?: boolean }>().json === true);
  addCommands(program, cli, result);
  return { program, cli, result };
}

function toExitCode(cli: Cli, error: unknown): number {
  // Commander has said what is wrong; help that was asked for is no mistake.
  if (error instanceof CommanderError)
    return ['commander.helpDisplayed', 'commander.version'].includes(error.code) ? 0 : USAGE;
  const known = error instanceof CommandError ? error : new CommandError(textOf(error), { cause: error });
  cli.say(`${cli.color.red('✖')} ${known.message}${known.remedy ? `\n  ${known.remedy}` : ''}`);
  if (cli.wantsJson()) cli.print(JSON.stringify({ error: known.message, remedy: known.remedy ?? null }, null, 2));
  if (!(error instanceof CommandError) && cli.env['LOG_LEVEL'] === 'debug')
    cli.say(error instanceof Error ? (error.stack ?? '') : '');
  return known.code;
}

function addCommands(program: Command, cli: Cli, result: { code: number }): void {
  const load = (env = cli.env) => loadConfig({ env, cwd: cli.cwd, connectors, destinationTypes });
  /** The configuration; without a sound one the command ends. */
  const config = (env = cli.env): Config => {
    const loaded = load(env);
    if ('config' in loaded) return loaded.config;
    cli.say(toProblemText(cli, loaded.problems));
    throw new CommandError(`the configuration has ${loaded.problems.length} problem(s)`, {
      remedy: 'Check again with: npx tributary config check',
    });
  };
  /** Where the gateway keeps its data, even while the file has mistakes. */
  const dataDir = () => {
    const loaded = load();
    return 'config' in loaded ? loaded.config.dataDir : resolve(cli.cwd, cli.env['DATA_DIR'] ?? 'data');
  };
  const client = () => connect(dataDir());
  const run =
    <A extends unknown[]>(work: (...args: A) => Promise<number | void> | number | void) =>
    async (...args: A) => {
      result.code = (await work(...args)) ?? 0;
    };

  program
    .description('Every message a business receives becomes one event in one ticket.')
    .option('--json', 'answer in JSON')
    .exitOverride()
    .configureOutput({ writeOut: (text) => cli.stdout.write(text), writeErr: (text) => cli.stderr.write(text) })
    .showHelpAfterError('(--help says how)')
    .addHelpText('after', '\nExit codes: 0 fine, 1 failed, 2 used wrongly, 3 not well.\n');

  const tools: Tools = { cli, run, client, config };
  program
    .command('start')
    .description('start the gateway and run until Ctrl-C')
    .option('--strict-runtime', 'refuse a Node with a vulnerable Brotli decoder')
    .option('--role <roles>', `what this process does: ${roles.join(',')}; everything when left out`, toRoles)
    .addHelpText(
      'after',
      examples(
        'tributary start',
        'PORT=9000 DATA_DIR=/var/lib/tributary tributary start',
        'DATABASE_URL=postgres://… tributary start --role worker,channels',
      ),
    )
    .action(
      run((options: StartOptions & { readonly role?: readonly Role[] }) => {
        const settings = config();
        return start(cli, settings, options, async () =>
          (await import('./tributary.ts')).startGateway({ config: settings, roles: options.role }),
        );
      }),
    );
  program
    .command('init')
    .description('write a first configuration')
    .option('-y, --yes', 'ask nothing')
    .option('--port <port>', 'where it listens')
    .option('--public-url <url>', 'the address that vendors call')
    .option('--destination <url>', 'an address that is told what happens')
    .addHelpText('after', examples('tributary init', 'tributary init --yes --public-url https://desk.example.com'))
    .action(run((options: InitOptions) => init(cli, options)));
  const configuration = program.command('config').description('check or export the configuration');
  configuration
    .command('check')
    .description('name every problem with its line')
    .action(run(() => checkConfig(cli, load())));
  configuration
    .command('export')
    .description('print what runs as YAML, secrets as placeholders')
    .addHelpText('after', examples('tributary config export > config/tributary.yaml'))
    .action(run(() => exportConfig(cli, client())));
  program
    .command('doctor')
    .description('look at everything that commonly goes wrong')
    .action(run(() => doctor(cli, { loaded: load(), dataDir: dataDir(), checkDatabase })));
  program
    .command('migrate')
    .description('move everything to PostgreSQL, or back to SQLite, while no gateway runs')
    .option('--to <store>', 'postgres://… or sqlite:<file>; the configured PostgreSQL when left out')
    .addHelpText('after', examples('tributary migrate --to postgres://db.example.com/tributary'))
    .action(
      run(({ to }: { to?: string }) => {
        const { dataDir: folder, store, log } = config();
        const places = {
          configured: store,
          byDefault: { path: join(folder, 'tributary.db') },
          to: to === undefined ? undefined : config({ ...cli.env, DATABASE_URL: to }).store,
        };
        return migrate(cli, places, (from, target, note) =>
          moveStore({ folder, from, to: target, log: createLog(log), note }),
        );
      }),
    );
  addLists(program, tools);
  addAccess(program, tools);
  addTrigger(program, tools);
  addSignatures(program, tools);
}

function toRoles(text: string): readonly Role[] {
  return text.split(',').map((name) => {
    const role = roles.find((each) => each === name.trim());
    if (!role) throw new InvalidArgumentError(`There is no role ${name}; known are ${roles.join(', ')}.`);
    return role;
  });
}

/** Reads the whole database; returns what is wrong with it. Only while no gateway runs on it. */
function checkDatabase(path: string): readonly string[] {
  const database = openDatabase(path);
  try {
    const rows = database.prepare('PRAGMA quick_check(10)').all();
    return rows.map((row) => Object.values(row as object).join(' ')).filter((text) => text !== 'ok');
  } finally {
    database.close();
  }
}
