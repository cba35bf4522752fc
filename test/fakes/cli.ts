import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { main } from '../../src/main.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Buffer;
  readonly now?: number;
}

/** Runs a command in this process, with streams of its own and nothing of the real environment. */
export async function run(
  args: readonly string[],
  { cwd = '/nowhere', env = {}, stdin = '', now }: RunOptions = {},
): Promise<Ran> {
  const written = { stdout: '', stderr: '' };
  const write = (stream: keyof typeof written) => ({
    write(text: string) {
      written[stream] += text;
    },
  });
  const code = await main(args, {
    cwd,
    env,
    stdin: Readable.from([Buffer.from(stdin)]),
    stdout: write('stdout'),
    stderr: write('stderr'),
    ...(now === undefined ? {} : { clock: { now: () => now, sleep: async () => {} } }),
  });
  return { code, ...written };
}

/** A folder that is gone after the test. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-cli-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
