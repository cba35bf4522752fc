import { createColors } from 'picocolors';
import type { Readable } from 'node:stream';
import type { Clock } from '../core/clock.ts';

/** How a command ends: 0 fine, 1 failed, 2 used wrongly, 3 the gateway or a part of it is not well. */
export const FAILED = 1;
export const USAGE = 2;
export const UNHEALTHY = 3;

/** Ends a command: what happened, one thing to do about it, and the exit code. */
export class CommandError extends Error {
  readonly code: number;
  readonly remedy: string | undefined;

  constructor(text: string, options: ErrorOptions & { code?: number; remedy?: string | undefined } = {}) {
    super(text, options);
    this.name = 'CommandError';
    this.code = options.code ?? FAILED;
    this.remedy = options.remedy;
  }
}

/** What a command gets from outside: streams, environment, time. */
export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly clock: Clock;
}

/** What the commands need to know of a channel or destination. */
export interface EndpointSettings {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly config: unknown;
  readonly source: string | null;
}

/** What the commands need to know of the configuration. */
export interface Settings {
  readonly server: { readonly port: number; readonly host: string; readonly publicUrl: string | undefined };
  readonly dataDir: string;
  /** Without a path it isn't in a file. */
  readonly store: { readonly path?: string | undefined };
  readonly log: { readonly level: string; readonly format: string };
  readonly channels: readonly EndpointSettings[];
  readonly destinations: readonly EndpointSettings[];
  readonly routes: readonly unknown[];
  readonly file: string | undefined;
}

export interface SettingsProblem {
  readonly file: string;
  readonly line: number | undefined;
  readonly path: string;
  readonly message: string;
  readonly remedy: string;
}

/** What all commands share. */
export interface Cli extends Io {
  readonly color: ReturnType<typeof createColors>;
  /** Data, for stdout. */
  print(text: string): void;
  /** Everything that is not data, for stderr. */
  say(text: string): void;
  /** Data as JSON with `--json`, else as text. */
  show(data: unknown, toText: () => string): void;
  wantsJson(): boolean;
}

export function createCli(io: Io, wantsJson: () => boolean): Cli {
  const { env, stdout, stderr } = io;
  const color = createColors(stdout.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb');
  const print = (text: string) => void stdout.write(`${text}\n`);
  return {
    ...io,
    color,
    wantsJson,
    print,
    say: (text) => void stderr.write(`${text}\n`),
    show: (data, toText) => print(wantsJson() ? JSON.stringify(data, null, 2) : toText()),
  };
}

/** What strangers wrote, safe to print: control characters could move the cursor or rename the window. */
export function clean(value: unknown): string {
  const text = typeof value === 'string' ? value : value === null || value === undefined ? '' : JSON.stringify(value);
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}

/** Columns that line up; long cells are cut. */
export function toTable(
  cli: Pick<Cli, 'color'>,
  head: readonly string[],
  rows: readonly (readonly unknown[])[],
): string {
  const cells = rows.map((row) => row.map((cell) => cut(clean(cell), 60)));
  const widths = head.map((title, index) => Math.max(title.length, ...cells.map((row) => (row[index] ?? '').length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd();
  return [cli.color.dim(line(head)), ...cells.map(line)].join('\n');
}

function cut(text: string, length: number): string {
  const letters = Array.from(text);
  return letters.length > length ? `${letters.slice(0, length - 1).join('')}…` : text;
}

/** `2026-11-22T10:00:00.000Z` without what nobody reads. */
export function toShortTime(time: unknown): string {
  return typeof time === 'string' ? time.replace('T', ' ').replace(/\.\d+Z$/, 'Z') : '';
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `2h` (ago) or a time as RFC 3339. Throws a usage error for anything else. */
export function toSince(text: string, now: number): string {
  const [, amount, unit = ''] = /^(\d{1,6})(s|m|h|d)$/.exec(text) ?? [];
  if (amount) return new Date(now - Number(amount) * (UNITS[unit] ?? 0)).toISOString();
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(ms)) {
    throw new CommandError(`${clean(text)} is not a time`, {
      code: USAGE,
      remedy: 'Write 30m, 2h, 7d or 2026-11-22T10:00:00Z.',
    });
  }
  return new Date(ms).toISOString();
}

/** Everything on stdin, at most 16 MB. */
export async function readStdin({ stdin }: Pick<Io, 'stdin'>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    size += bytes.length;
    if (size > 16 * 1024 * 1024) throw new CommandError('stdin has more than 16 MB', { code: USAGE });
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
