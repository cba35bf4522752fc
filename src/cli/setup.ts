import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { stringify } from 'yaml';
import { z } from 'zod';
import { CommandError, USAGE } from './cli.ts';
import type { Cli, Settings, SettingsProblem } from './cli.ts';
import type { Client } from './client.ts';
import { allOf } from './lists.ts';
import { newSecret } from './signature.ts';

export interface InitOptions {
  readonly port?: string;
  readonly publicUrl?: string;
  /** Address that is told everything that happens. */
  readonly destination?: string;
  /** Asks nothing. */
  readonly yes?: boolean;
}

const FILE = 'config/tributary.yaml';

/** Writes a first configuration: the file, and its secrets into `.env`. Never overwrites. */
export async function init(cli: Cli, options: InitOptions): Promise<void> {
  const file = resolve(cli.cwd, FILE);
  if (existsSync(file)) {
    throw new CommandError(`${FILE} is there already`, { remedy: 'Edit it, then run: npx tributary config check' });
  }
  const { port, publicUrl, hasWebhook, target } = await readAnswers(cli, options);
  const secrets = {
    ...(hasWebhook ? { INTAKE_SECRET: newSecret() } : {}),
    ...(target ? { CRM_SECRET: newSecret() } : {}),
  };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, toFirstFile({ port, publicUrl, hasWebhook, target }), { flag: 'wx' });
  addToEnv(resolve(cli.cwd, '.env'), secrets);
  const names = Object.keys(secrets);
  const inEnv = names.length > 0 ? ` and ${names.join(', ')} in .env` : '';
  cli.show({ file: FILE, env: names }, () => `Wrote ${FILE}${inEnv}.`);
  cli.say('Start the gateway: npm start');
}

interface Answers {
  readonly port: number;
  readonly publicUrl: string;
  readonly hasWebhook: boolean;
  /** Empty: none. */
  readonly target: string;
}

/** From the options, else asked on a terminal, else the defaults. */
async function readAnswers(cli: Cli, options: InitOptions): Promise<Answers> {
  const questions = options.yes || !cli.stdin.isTTY ? undefined : createQuestions(cli);
  const ask = async (given: string | undefined, question: string, preset: string) =>
    given ?? (await questions?.ask(question, preset)) ?? preset;
  try {
    const port = await ask(options.port, 'Port', '8080');
    if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
      throw new CommandError('the port is not a number up to 65535', { code: USAGE });
    }
    const publicUrl = toAddress(await ask(options.publicUrl, 'Public address (https://…, empty: none yet)', ''));
    const webhook = await ask(undefined, 'A signed webhook channel for your own systems (y/n)', 'y');
    const target = toAddress(await ask(options.destination, 'Address that is told what happens (empty: none yet)', ''));
    return { port: Number(port), publicUrl, hasWebhook: webhook.toLowerCase().startsWith('y'), target };
  } finally {
    questions?.close();
  }
}

function createQuestions(cli: Cli) {
  const terminal = createInterface({ input: cli.stdin, output: process.stderr });
  return {
    async ask(question: string, preset: string): Promise<string> {
      const answer = await terminal.question(`${question}${preset ? ` [${preset}]` : ''}: `);
      return answer.trim() || preset;
    },
    close: () => terminal.close(),
  };
}

/** An address as the file takes it; empty stays empty. */
function toAddress(text: string): string {
  if (text === '') return '';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol)) return url.pathname === '/' && !url.search ? url.origin : url.href;
  throw new CommandError('the address is not one of http or https', {
    code: USAGE,
    remedy: 'Write https://desk.example.com',
  });
}

function toFirstFile({ port, publicUrl, hasWebhook, target }: Answers): string {
  const config = {
    server: { port, ...(publicUrl ? { publicUrl } : {}) },
    channels: [
      { id: 'contact', type: 'form' },
      ...(hasWebhook
        ? [{ id: 'intake', type: 'webhook', auth: { type: 'standard_webhooks', secret: '${INTAKE_SECRET}' } }]
        : []),
    ],
    ...(target
      ? {
          destinations: [{ id: 'crm', type: 'webhook', url: target, secret: '${CRM_SECRET}' }],
          routes: [{ to: ['crm'] }],
        }
      : {}),
  };
  return `# yaml-language-server: $schema=./tributary.schema.json\n# Every key is optional: docs/configuration.md. Check it with: npx tributary config check\n${stringify(config)}`;
}

/** Adds variables that aren't there yet; what is there stays. */
function addToEnv(file: string, secrets: Readonly<Record<string, string>>): void {
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const lines = Object.entries(secrets)
    .filter(([name]) => !before.split('\n').some((line) => line.startsWith(`${name}=`)))
    .map(([name, value]) => `${name}=${value}\n`);
  if (lines.length === 0) return;
  const gap = before === '' || before.endsWith('\n') ? '' : '\n';
  writeFileSync(file, `${gap}${lines.join('')}`, { flag: 'a', mode: 0o600 });
}

/** Names every problem of the configuration. */
export function checkConfig(
  cli: Cli,
  loaded: { readonly config: Settings } | { readonly problems: readonly SettingsProblem[] },
): number {
  if ('problems' in loaded) {
    cli.show({ ok: false, problems: loaded.problems }, () => toProblemText(cli, loaded.problems));
    return 1;
  }
  const { file, channels, destinations, routes } = loaded.config;
  const counts = { channels: channels.length, destinations: destinations.length, routes: routes.length };
  cli.show({ ok: true, file: file ?? null, ...counts }, () => {
    const list = Object.entries(counts).map(([name, count]) => `${count} ${count === 1 ? name.slice(0, -1) : name}`);
    return `${file ?? 'No file, the defaults'}: ${list.join(', ')}. No problems.`;
  });
  return 0;
}

/** `config/tributary.yaml:14  channels[2].auth.secret  is missing`, each with its remedy below it. */
export function toProblemText({ color }: Pick<Cli, 'color'>, problems: readonly SettingsProblem[]): string {
  return problems
    .map(({ file, line, path, message, remedy }) => {
      const place = line === undefined ? file : `${file}:${line}`;
      return `${color.red('✖')} ${color.bold(place)}  ${[path, message].filter(Boolean).join(' ')}\n  ${color.dim(remedy)}`;
    })
    .join('\n');
}

const Endpoint = z.object({
  id: z.string(),
  type: z.string(),
  name: z.string(),
  enabled: z.boolean(),
  settings: z.record(z.string(), z.unknown()),
});
const Route = z.object({ when: z.record(z.string(), z.array(z.string())), to: z.array(z.string()) });

/** What runs, as a file: channels, destinations and routes of the file and of the API, secrets as placeholders. */
export async function exportConfig(cli: Cli, client: Client): Promise<void> {
  const names = new Map<string, string>();
  const endpoints = async (what: 'channels' | 'destinations') =>
    z
      .array(Endpoint)
      .parse(await allOf(client, `/${what}`))
      .map(({ id, type, name, enabled, settings }) => ({
        id,
        type,
        ...(name === id ? {} : { name }),
        ...(enabled ? {} : { enabled }),
        ...(withPlaceholders(settings, id, names) as object),
      }));
  const config = {
    channels: await endpoints('channels'),
    destinations: await endpoints('destinations'),
    routes: z.array(Route).parse(await allOf(client, '/routes')),
  };
  cli.show(config, () => stringify(config).trimEnd());
  if (names.size > 0) cli.say(`The gateway never shows secrets. Put them into .env: ${[...names.keys()].join(', ')}`);
}

const MASK = '••••';

/** Masked secrets become variables named after their place. */
function withPlaceholders(value: unknown, path: string, names: Map<string, string>): unknown {
  if (typeof value === 'string') {
    if (!value.startsWith(MASK)) return value.replaceAll('${', () => '$${');
    const name = path
      .replace(/[^A-Za-z0-9]+/g, '_')
      .replace(/([a-z])([A-Z])/g, '$1_$2')
      .toUpperCase();
    names.set(name, path);
    return `\${${/^\d/.test(name) ? `_${name}` : name}}`;
  }
  if (Array.isArray(value)) return value.map((each, index) => withPlaceholders(each, `${path}_${index}`, names));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, withPlaceholders(each, `${path}_${key}`, names)]),
  );
}
