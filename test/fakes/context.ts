import { createHash } from 'node:crypto';
import type { Context, Http, Log, Secrets } from '../../src/core/connector.ts';
import { fakeClock } from './clock.ts';
import type { FakeClock } from './clock.ts';

export interface LogEntry {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: object;
  readonly text: string;
}

export interface FakeLog extends Log {
  /** Everything logged so far, in order. */
  readonly entries: readonly LogEntry[];
}

/** A log that collects. */
export function fakeLog(): FakeLog {
  const entries: LogEntry[] = [];
  const at = (level: LogEntry['level']) => (fields: object, text: string) => {
    entries.push({ level, fields, text });
  };
  return { entries, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

export interface SealedHttp extends Http {
  /** What was tried all the same; a plugin may swallow the error. */
  readonly touched: readonly string[];
}

/** No way out: every use fails and is remembered. */
export function sealedHttp(): SealedHttp {
  const touched: string[] = [];
  const fail = (what: string): never => {
    touched.push(what);
    throw new Error(`touched the network: ${what}`);
  };
  return {
    touched,
    send: async (request) => fail(`${request.method ?? 'GET'} ${request.url}`),
    stream: async (request) => fail(`${request.method ?? 'GET'} ${request.url}`),
    fetch: async (input) => fail(`fetch ${input instanceof Request ? input.url : String(input)}`),
    socket: async ({ url }) => fail(`socket ${url}`),
    get agents(): Http['agents'] {
      return fail('agents');
    },
    resolve: async (host, port) => fail(`resolve ${host}:${port}`),
    seat: async (host) => fail(`seat ${host}`),
  };
}

/** No mail goes out. */
function sealedSmtp(): Context['smtp'] {
  const fail = async (): Promise<never> => {
    throw new Error('touched the network: a mail');
  };
  return { send: fail, test: fail };
}

export interface FakeContext extends Context {
  readonly clock: FakeClock;
  readonly log: FakeLog;
}

/** Secrets in memory. */
export function fakeSecrets(): Secrets {
  const kept = new Map<string, string>();
  return {
    load: async (name) => kept.get(name),
    save: async (name, value) => {
      kept.set(name, value);
    },
  };
}

/** Runs the work in this thread, without a deadline; input and result are cloned, as between threads. */
const offloadHere: Context['offload'] = async <T>({ worker, input }: Parameters<Context['offload']>[0]) => {
  const work = (await import(worker.href)) as { default: (input: unknown) => unknown };
  return structuredClone(await work.default(structuredClone(input))) as T;
};

/**
 * What the host lends to a plugin, without a host: time stands still, the network is sealed, the log collects. Pass
 * `http: sealedHttp()` to see afterwards what was touched.
 */
export function fakeContext(given: Partial<Omit<FakeContext, 'webhookUrl'>> = {}): FakeContext {
  const id = given.id ?? 'sample';
  const publicUrl = given.publicUrl ?? 'https://desk.example.com';
  return {
    id,
    publicUrl,
    webhookUrl: `${publicUrl}/webhooks/${id}`,
    clock: given.clock ?? fakeClock(),
    log: given.log ?? fakeLog(),
    http: given.http ?? sealedHttp(),
    smtp: given.smtp ?? sealedSmtp(),
    folder: given.folder ?? '/nowhere',
    secrets: given.secrets ?? fakeSecrets(),
    threads: given.threads ?? (async () => []),
    offload: given.offload ?? offloadHere,
    key: given.key ?? ((purpose) => createHash('sha256').update(`${id}\n${purpose}`).digest()),
  };
}
