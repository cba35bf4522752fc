import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config.ts';
import { connectors } from '../../src/connectors/index.ts';
import type { Clock } from '../../src/core/clock.ts';
import type { Log } from '../../src/core/connector.ts';
import { signStandardWebhook } from '../../src/core/signature.ts';
import { destinationTypes } from '../../src/dispatch/index.ts';
import { startGateway, type GatewayOptions, type RunningGateway } from '../../src/tributary.ts';

export const INTAKE_SECRET = `whsec_${Buffer.alloc(24, 5).toString('base64')}`;

/** A whole gateway in this process, on a folder of its own, reached over real HTTP. */
export interface Whole {
  readonly running: RunningGateway;
  readonly folder: string;
  /** Sends a body to the channel `intake`, signed; answers with the status. */
  send(body: unknown, options?: { readonly channel?: string; readonly at?: number }): Promise<number>;
  /** A call to the API with every scope. */
  api<T = unknown>(
    path: string,
    options?: {
      readonly method?: string;
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    },
  ): Promise<T>;
  /** Stops it and starts it again on the same folder. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** `yaml` is added to a configuration with the channel `intake` (Standard Webhooks). */
export async function startWhole(
  options: {
    readonly yaml?: string;
    readonly clock?: Clock;
    readonly log?: Log;
    readonly env?: Readonly<Record<string, string>>;
    readonly roles?: GatewayOptions['roles'];
    readonly lookMs?: number;
  } = {},
): Promise<Whole> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-whole-'));
  const file = join(folder, 'tributary.yaml');
  const channels = `channels:\n  - { id: contact, type: form }\n  - { id: intake, type: webhook, auth: { type: standard_webhooks, secret: "${INTAKE_SECRET}" } }\n`;
  writeFileSync(file, `${channels}${options.yaml ?? ''}`);
  const env = { PORT: '0', TRIBUTARY_CONFIG: file, DATA_DIR: join(folder, 'data'), ...options.env };
  const start = () => {
    const loaded = loadConfig({ env, cwd: folder, connectors, destinationTypes });
    if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems, null, 2));
    const { clock, log = silent, roles, lookMs } = options;
    return startGateway({ config: loaded.config, clock, log, roles, lookMs });
  };
  let running = await start();

  return {
    get running() {
      return running;
    },
    folder,
    async send(body, { channel = 'intake', at } = {}) {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const now = at ?? options.clock?.now() ?? Date.now();
      const signed = signStandardWebhook([INTAKE_SECRET], {
        id: `d${Math.random()}`.replace('.', ''),
        timestampSec: Math.floor(now / 1000),
        body: text,
      });
      const answer = await fetch(`${running.url}/webhooks/${channel}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...signed },
        body: text,
      });
      await answer.arrayBuffer();
      return answer.status;
    },
    async api<T>(path: string, { method = 'GET', body, headers }: Parameters<Whole['api']>[1] = {}) {
      const answer = await fetch(`${running.url}/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${running.token}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return (text === '' ? undefined : JSON.parse(text)) as T;
    },
    async restart() {
      await running.close();
      running = await start();
    },
    async close() {
      await running.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
