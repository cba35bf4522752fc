import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { CommandError, toSince, USAGE } from './cli.ts';
import type { Cli, EndpointSettings } from './cli.ts';
import type { Client } from './client.ts';
import {
  adminLink,
  createKey,
  exportTickets,
  list,
  cancelReplays,
  replayDeliveries,
  replayEvent,
  revokeKey,
  show,
  testChannel,
} from './lists.ts';
import { newSecret, sign, verify } from './signature.ts';
import type { SignOptions, VerifyOptions } from './signature.ts';
import { scenarios, trigger } from './trigger.ts';
import type { TriggerOptions } from './trigger.ts';

/** What the commands are made of. */
export interface Tools {
  readonly cli: Cli;
  readonly run: <A extends unknown[]>(
    work: (...args: A) => Promise<number | void> | number | void,
  ) => (...args: A) => Promise<void>;
  readonly client: () => Client;
  readonly config: () => {
    readonly channels: readonly EndpointSettings[];
    readonly server: { readonly publicUrl: string | undefined };
  };
}

export const examples = (...lines: string[]) => `\nExamples:\n${lines.map((line) => `  $ npx ${line}`).join('\n')}\n`;

type Filter = Record<string, string | undefined>;

export function addLists(program: Command, { cli, run, client }: Tools): void {
  const toQuery = ({ since, ...rest }: Filter) => ({
    ...rest,
    ...(since ? { since: toSince(since, cli.clock.now()) } : {}),
  });
  const addList = (
    group: Command,
    what: 'events' | 'deliveries' | 'tickets' | 'channels',
    filters: readonly string[],
  ) => {
    const command = group.command('list').description(`list ${what}, the latest first`);
    for (const filter of filters) command.option(`--${filter} <${filter}>`);
    command.option('--limit <count>', 'rows, at most 200', '50').option('--cursor <cursor>', 'go on behind a page');
    return command.action(run((query: Filter) => list(cli, client(), what, toQuery(query))));
  };

  const channels = program.command('channels').description('channels and how they are');
  addList(channels, 'channels', []);
  channels
    .command('test <id>')
    .description('try the credentials of a channel')
    .action(run((id: string) => testChannel(cli, client(), id)));

  const events = program.command('events').description('what became of everything that was received');
  addList(events, 'events', ['endpoint', 'outcome', 'since', 'q']).addHelpText(
    'after',
    examples('tributary events list --outcome quarantined --since 2h'),
  );
  events
    .command('show <id>')
    .description('an event with the bytes that it came from')
    .action(run((id: string) => show(cli, client(), `/events/${encodeURIComponent(id)}`)));
  events
    .command('replay <id>')
    .description('file its item again')
    .action(run((id: string) => replayEvent(cli, client(), id)));

  const deliveries = program.command('deliveries').description('what is on its way to destinations');
  addList(deliveries, 'deliveries', ['destination', 'state', 'ticket', 'since']);
  deliveries
    .command('show <id>')
    .description('a delivery with every try')
    .action(run((id: string) => show(cli, client(), `/deliveries/${encodeURIComponent(id)}`)));
  deliveries
    .command('replay [id]')
    .description('send one again, or all of a destination in a state')
    .option('--destination <id>')
    .addOption(new Option('--state <state>').choices(['dead', 'needs_check', 'delivered']))
    .option('--since <time>', 'only those made since: 2h, 7d, 2026-11-22')
    .option('--dry-run', 'only count them')
    .option('--cancel', 'of a destination: take back what has not begun')
    .addHelpText('after', examples('tributary deliveries replay --destination crm --state dead --since 2h --dry-run'))
    .action(
      run(
        (
          id: string | undefined,
          { destination, state, since, dryRun, cancel }: Filter & { dryRun?: boolean; cancel?: boolean },
        ) => {
          if (id) return replayDeliveries(cli, client(), { id });
          if (cancel && destination) return cancelReplays(cli, client(), destination);
          if (!destination || !state)
            throw new CommandError('name a delivery, or --destination and --state', { code: USAGE });
          return replayDeliveries(cli, client(), {
            destination,
            state,
            ...toQuery({ since }),
            dryRun: dryRun === true,
          });
        },
      ),
    );

  const tickets = program.command('tickets').description('conversations with customers');
  addList(tickets, 'tickets', ['status', 'channel', 'customer', 'assignee', 'priority', 'tag', 'q']);
  tickets
    .command('export')
    .description('all tickets, one JSON object per line, or as CSV')
    .option('--csv', 'as CSV')
    .addHelpText('after', examples('tributary tickets export --csv > tickets.csv'))
    .action(run(({ csv }: { csv?: boolean }) => exportTickets(cli, client(), csv ? 'csv' : 'jsonl', {})));
}

export function addAccess(program: Command, { cli, run, client }: Tools): void {
  const keys = program.command('keys').description('API keys');
  keys
    .command('create <name>')
    .description('make a key; it is shown only once')
    .requiredOption('--scope <scope...>', 'what it may do: tickets:read … or *')
    .addHelpText('after', examples('tributary keys create crm --scope tickets:read changes:read'))
    .action(run((name: string, { scope }: { scope: string[] }) => createKey(cli, client(), name, scope)));
  keys
    .command('list')
    .description('list the keys')
    .action(run(() => list(cli, client(), 'keys', {})));
  keys
    .command('revoke <id>')
    .description('end a key at once')
    .action(run((id: string) => revokeKey(cli, client(), id)));
  program
    .command('admin')
    .description('access for the admin')
    .command('link')
    .description('make a one-time link that signs the admin in')
    .action(run(() => adminLink(cli, client())));
}

export function addTrigger(program: Command, { cli, run, client, config }: Tools): void {
  const wide = Object.entries(scenarios).map(([name, { summary }]) => `  ${name.padEnd(14)} ${summary}`);
  const most = (name: string, limit: number) => (text: string) => {
    const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
    if (value < 1 || value > limit) throw new InvalidArgumentError(`${name} is a whole number from 1 to ${limit}.`);
    return value;
  };
  program
    .command('trigger <scenario>')
    .description('send really signed requests to the running gateway')
    .option('--channel <id>', 'which one; the first that fits when left out')
    .option('--count <count>', 'how many requests', most('count', 10_000))
    .option('--rate <rate>', 'requests per second', most('rate', 1000))
    .option('--set <key=value>', 'another value, as often as needed', (value, all: string[]) => [...all, value], [])
    .option('--invalid-signature', 'sign with a wrong secret')
    .addHelpText(
      'after',
      `\nScenarios:\n${wide.join('\n')}\n${examples('tributary trigger form', 'tributary trigger burst --count 500 --rate 50', 'tributary trigger webhook --set text=Hello --set from.name=Ivan')}`,
    )
    .action(
      run((name: string, options: TriggerOptions) => {
        const { channels, server } = config();
        return trigger(cli, client(), { channels, publicUrl: server.publicUrl }, name, options);
      }),
    );
}

export function addSignatures(program: Command, { cli, run }: Tools): void {
  const addSource = (command: Command) =>
    command
      .addOption(
        new Option('--scheme <scheme>', 'Standard Webhooks, or plain HMAC')
          .choices(['standard', 'hmac'])
          .default('standard'),
      )
      .addOption(new Option('--algorithm <name>', 'for hmac').choices(['sha1', 'sha256', 'sha512']).default('sha256'))
      .addOption(new Option('--encoding <name>', 'for hmac').choices(['hex', 'base64']).default('hex'))
      .option('--prefix <text>', 'for hmac: what stands before the signature, such as sha256=', '')
      .option('--id <id>', 'webhook-id')
      .option('--timestamp <seconds>', 'webhook-timestamp')
      .option('--secret <->', '-: the first line of stdin is the secret')
      .option('--secret-env <name>', 'the variable that holds the secret')
      .option('--secret-file <path>', 'the file that holds the secret');
  addSource(program.command('sign [file]'))
    .description('sign a body (a file, else stdin)')
    .option('--new-secret', 'only make a secret')
    .addHelpText('after', examples('tributary sign --new-secret', 'tributary sign body.json --secret-env HOOK_SECRET'))
    .action(
      run((file: string | undefined, options: SignOptions & { newSecret?: boolean }) => {
        if (!options.newSecret) return sign(cli, file, options);
        const secret = newSecret();
        return cli.show({ secret }, () => secret);
      }),
    );
  addSource(program.command('verify [file]'))
    .description('say whether a signature fits, and if not, which part differs')
    .requiredOption('--signature <text>', 'as it was sent')
    .addHelpText(
      'after',
      examples('tributary verify body.json --secret-file s.txt --id msg_1 --timestamp 1700000000 --signature v1,…'),
    )
    .action(run((file: string | undefined, options: VerifyOptions) => verify(cli, file, options)));
}
