import { readFileSync } from 'node:fs';
// Talks to the own gateway on this machine, at the address that it wrote down itself: nothing here is
// steered by a payload, and the guarded client would refuse loopback.
// eslint-disable-next-line @typescript-eslint/no-restricted-imports
import { request } from 'node:http';
import { join } from 'node:path';
import { z } from 'zod';
import { textOf } from '../core/errors.ts';
import { clean, CommandError, UNHEALTHY } from './cli.ts';

/** What the running gateway writes into its data folder. */
const Running = z.object({ url: z.url({ protocol: /^http$/ }), token: z.string().min(1), pid: z.number().int() });
type Running = z.output<typeof Running>;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A connection to the running gateway. */
export interface Client {
  readonly url: string;
  readonly pid: number;
  /** Calls the API below `/api/v1`; anything but a success ends the command with what the gateway said. */
  call(method: 'GET' | 'POST' | 'DELETE', path: string, options?: CallOptions): Promise<unknown>;
  /** Sends a request as it stands, without the token: what a vendor or visitor would do. */
  send(request: { method: string; path: string; headers: Record<string, string>; body: Buffer }): Promise<Answer>;
}

interface CallOptions {
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: object;
}

const TIMEOUT_MS = 60_000;
const MOST_BYTES = 64 * 1024 * 1024;

/** Finds the gateway that runs on a data folder; ends the command when none does. */
export function connect(dataDir: string): Client {
  const running = readRunning(dataDir);
  if (!running) throw notRunning(dataDir);
  const send: Client['send'] = (message) => exchange(running.url, message, dataDir);
  return {
    url: running.url,
    pid: running.pid,
    send,
    async call(method, path, { query = {}, body } = {}) {
      const set = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
      const search = new URLSearchParams(set).toString();
      const answer = await send({
        method,
        path: `/api/v1${path}${search ? `?${search}` : ''}`,
        headers: {
          authorization: `Bearer ${running.token}`,
          ...(body ? { 'content-type': 'application/json' } : {}),
        },
        body: Buffer.from(body ? JSON.stringify(body) : ''),
      });
      const json = toJson(answer.body);
      if (answer.status >= 200 && answer.status < 300) return json;
      throw toCommandError(answer.status, json);
    },
  };
}

export function readRunning(dataDir: string): Running | undefined {
  try {
    return Running.safeParse(JSON.parse(readFileSync(join(dataDir, 'gateway.json'), 'utf8'))).data;
  } catch {
    // Not there, or not readable: either way nobody to talk to.
    return undefined;
  }
}

function notRunning(dataDir: string, cause?: unknown): CommandError {
  return new CommandError(`no gateway runs on the data folder ${dataDir}`, {
    cause,
    code: UNHEALTHY,
    remedy: 'Start it in another terminal: npm start (DATA_DIR chooses the folder).',
  });
}

function exchange(
  url: string,
  message: { method: string; path: string; headers: Record<string, string>; body: Buffer },
  dataDir: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const outgoing = request({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port || 80,
      method: message.method,
      path: message.path,
      headers: { ...message.headers, 'content-length': message.body.length },
      timeout: TIMEOUT_MS,
      agent: false,
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer for a minute')));
    outgoing.on('error', (error) => {
      const refused = 'code' in error && error.code === 'ECONNREFUSED';
      reject(
        refused
          ? notRunning(dataDir, error)
          : new CommandError(`the gateway at ${url}: ${textOf(error)}`, { cause: error }),
      );
    });
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MOST_BYTES) response.destroy(new Error('the answer is larger than 64 MB'));
        else chunks.push(chunk);
      });
      response.on('error', (error) =>
        reject(new CommandError(`the gateway at ${url}: ${textOf(error)}`, { cause: error })),
      );
      response.on('end', () => {
        const headers = Object.fromEntries(
          Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
        );
        resolve({ status: response.statusCode ?? 0, headers, body: Buffer.concat(chunks) });
      });
    });
    outgoing.end(message.body);
  });
}

function toJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

const Refusal = z.object({
  title: z.string().default(''),
  detail: z.string().optional(),
  hint: z.string().optional(),
  errors: z.array(z.object({ pointer: z.string(), message: z.string() })).default([]),
});

function toCommandError(status: number, json: unknown): CommandError {
  const { title, detail, hint, errors } = Refusal.catch({ title: 'no reason given', errors: [] }).parse(json);
  const fields = errors.map(({ pointer, message }) => `${pointer} ${message}`).join('; ');
  const text = [clean(detail ?? title), clean(fields)].filter(Boolean).join(': ');
  return new CommandError(`the gateway refused (${status}): ${text}`, { remedy: hint });
}
