import { TributaryError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';
import { CommandError, toTable, USAGE } from './cli.ts';
import type { Cli } from './cli.ts';

/** Where a database is. */
type Place = { readonly path: string; readonly url?: undefined } | { readonly path?: undefined; readonly url: Secret };

/** What a move has done. */
interface Moved {
  readonly tables: readonly { readonly name: string; readonly rows: number; readonly hash: string }[];
  readonly changed: number;
  readonly aside: string | undefined;
}

/**
 * Moves the database of a stopped gateway. `configured` is where it is, or, when the configuration names the new one
 * already and `to` is left out, where it goes; SQLite then lies where it does by default.
 */
export async function migrate(
  cli: Cli,
  places: { readonly configured: Place; readonly byDefault: Place; readonly to: Place | undefined },
  move: (from: Place, to: Place, note: (text: string) => void) => Promise<Moved>,
): Promise<void> {
  const { configured, byDefault, to = configured } = places;
  const from = configured.url !== undefined && to.url !== undefined ? byDefault : configured;
  if (from.url === undefined && to.url === undefined) {
    throw new CommandError('it moves from SQLite to PostgreSQL, or back', {
      code: USAGE,
      remedy: 'Name the database: DATABASE_URL=postgres://… npx tributary migrate, or --to postgres://…',
    });
  }
  const moved = await move(from, to, (text) => {
    cli.say(text);
  }).catch((error: unknown) => {
    throw error instanceof TributaryError
      ? new CommandError(error.message, { cause: error, remedy: error.hint })
      : error;
  });
  const rows = moved.tables.reduce((sum, table) => sum + table.rows, 0);
  cli.show({ from: nameOf(from), to: nameOf(to), rows, ...moved, aside: moved.aside ?? null }, () =>
    [
      toTable(
        cli,
        ['table', 'rows', 'hash, the same on both sides'],
        [
          ...moved.tables
            .filter((table) => table.rows > 0)
            .map(({ name, rows: count, hash }) => [name, String(count), hash.slice(0, 16)]),
        ],
      ),
      `${cli.color.green('✔')} ${rows} rows moved from ${nameOf(from)} to ${nameOf(to)}`,
    ].join('\n'),
  );
  if (moved.changed > 0) cli.say(`${moved.changed} texts held U+0000, which PostgreSQL can't: it is U+FFFD now.`);
  if (moved.aside) cli.say(`The old database is ${moved.aside} now. Blobs and secret.key stay in the data folder.`);
  cli.say(
    to.url === undefined
      ? `Start the gateway without DATABASE_URL, and never again on ${nameOf(from)}.`
      : 'Start the gateway with DATABASE_URL (or store: in the configuration) set to it.',
  );
}

/** Without user and password. */
function nameOf({ path, url }: Place): string {
  if (url === undefined) return path;
  const { host, pathname } = new URL(url.reveal());
  return `postgres://${host}${pathname}`;
}
