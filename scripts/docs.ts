// Writes what can be said by machine: the JSON Schema of the configuration, the table of settings, the list of
// commands, the tables of channels and of destinations. `--check` writes nothing and fails when something no longer says
// what the code does.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { format, resolveConfig } from 'prettier';
import { toConfigJsonSchema } from '../src/config-schema.ts';
import { connectors } from '../src/connectors/index.ts';
import { destinationTypes } from '../src/dispatch/index.ts';
import { createProgram } from '../src/main.ts';
import { FAULTS, speaksHttp } from '../test/suites/destination-faults.ts';

const root = join(fileURLToPath(import.meta.url), '..', '..');

interface Schema {
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
}

/** One row for each setting of the file, groups opened up. */
function toRows(schema: Schema, path: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, each]) => {
    const name = path ? `${path}.${key}` : key;
    if (each.properties) return toRows(each, name);
    const preset = each.default === undefined ? '' : `\`${JSON.stringify(each.default)}\``;
    return each.description ? [`| \`${name}\` | ${each.description} | ${preset} |`] : [];
  });
}

function toSection(command: Command, path: string): string {
  const name = `${path} ${command.name()}`.trim();
  if (command.commands.length > 0) return command.commands.map((each) => toSection(each, name)).join('\n\n');
  printed.length = 0;
  // Not the width of whoever runs this.
  command.configureHelp({ helpWidth: 100 }).outputHelp();
  const help = printed.join('').trim();
  return `### \`${name}\`\n\n\`\`\`text\n${help}\n\`\`\``;
}

/** One row for each kind of channel, from its facts. `base`: where their pages are from there. */
function toChannels(base: string): string {
  const yesNo = (yes: boolean) => (yes ? 'yes' : 'no');
  const rows = connectors
    .toSorted((a, b) => a.title.localeCompare(b.title, 'en'))
    .map(({ title, docs, summary, stability, capabilities }) => {
      const { reply, attachments, localhost, proven } = capabilities;
      const files = [attachments.in && 'in', attachments.out && 'out'].filter(Boolean).join(', ') || 'no';
      const page = `[${title}](${base}${docs.replace('channels/', '')})`;
      const cells = [page, summary, yesNo(reply), files, yesNo(localhost), stability, proven.join(', ')];
      return `| ${cells.join(' | ')} |`;
    });
  const head = [
    'channel',
    'what it does',
    'answers',
    'files',
    'without a public address',
    'stability',
    'proven against',
  ];
  return [`| ${head.join(' | ')} |`, `|${' --- |'.repeat(head.length)}`, ...rows].join('\n');
}

/** How many there are, and against what they were checked. */
function toCount(): string {
  const many = (is: (proof: string) => boolean) =>
    connectors.filter(({ capabilities }) => capabilities.proven.some(is)).length;
  const payloads = many((proof) => proof.endsWith('payloads'));
  const descriptions = many((proof) => proof === 'vendor description');
  return `${connectors.length} kinds of channel: ${payloads} proven against real or collected payloads, ${descriptions} against a vendor's own description of his API; of each, the last column says it all.`;
}

/** One row for each kind of destination, from its facts. */
function toDestinations(): string {
  const rows = destinationTypes
    .toSorted((a, b) => a.title.localeCompare(b.title, 'en'))
    .map(({ title, docs, summary, stability, capabilities: { localhost, proven } }) => {
      const page = `[${title}](${docs.replace('destinations/', '')})`;
      return `| ${[page, summary, localhost ? 'yes' : 'no', stability, proven.join(', ')].join(' | ')} |`;
    });
  const head = ['destination', 'what it does', 'without a public address', 'stability', 'checked against'];
  return [`| ${head.join(' | ')} |`, `|${' --- |'.repeat(head.length)}`, ...rows].join('\n');
}

/** What each destination is put through, from the list that the suite runs. */
function toFaults(): string {
  const types = destinationTypes.filter(speaksHttp).toSorted((a, b) => a.title.localeCompare(b.title, 'en'));
  const rows = FAULTS.map(({ id, title, concerns }) => {
    const cells = types.map((type) => ((concerns?.(type) ?? true) ? '✓' : '–'));
    return `| ${[id, title, ...cells].join(' | ')} |`;
  });
  const head = ['', 'what the far side does, and what comes of it', ...types.map(({ title }) => title)];
  return [`| ${head.join(' | ')} |`, `|${' --- |'.repeat(head.length)}`, ...rows].join('\n');
}

function replaceBetween(text: string, marker: string, content: string): string {
  const [before, rest = ''] = text.split(`<!-- ${marker} -->`);
  const after = rest.split(`<!-- /${marker} -->`)[1];
  if (after === undefined) throw new Error(`The marker ${marker} is missing.`);
  return `${before ?? ''}<!-- ${marker} -->\n\n${content}\n\n<!-- /${marker} -->${after}`;
}

const read = (name: string) => {
  try {
    return readFileSync(join(root, name), 'utf8');
  } catch {
    return '';
  }
};

const schema = toConfigJsonSchema({ connectors, destinationTypes }) as Schema;
const settings = ['| setting | meaning | default |', '| --- | --- | --- |', ...toRows(schema, '')].join('\n');
const printed: string[] = [];
const { program } = createProgram({ stdout: { write: (text) => printed.push(text) } });
const commands = program.commands.map((command) => toSection(command, 'tributary'));

const style = await resolveConfig(join(root, 'package.json'));
const toPage = (name: string, marker: string, content: string) =>
  format(replaceBetween(read(name), marker, content), { ...style, parser: 'markdown' });

const pages: Readonly<Record<string, string>> = {
  'config/tributary.schema.json': `${JSON.stringify(schema, null, 2)}\n`,
  'docs/configuration.md': await toPage('docs/configuration.md', 'settings', settings),
  'docs/cli.md': await toPage('docs/cli.md', 'commands', commands.join('\n\n')),
  'docs/channels/README.md': await toPage('docs/channels/README.md', 'channels', `${toCount()}\n\n${toChannels('')}`),
  'docs/destinations/README.md': await toPage('docs/destinations/README.md', 'destinations', toDestinations()),
  'docs/destinations/faults.md': await toPage('docs/destinations/faults.md', 'faults', toFaults()),
  'README.md': await toPage('README.md', 'channels', toChannels('docs/channels/')),
};

const stale = Object.entries(pages).filter(([name, text]) => read(name) !== text);
if (process.argv.includes('--check')) {
  for (const [name] of stale) process.stderr.write(`${name} no longer says what the code does: npm run docs\n`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const [name, text] of stale) {
    writeFileSync(join(root, name), text);
    process.stderr.write(`wrote ${name}\n`);
  }
}
