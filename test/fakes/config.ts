import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { z } from 'zod';
import { loadConfig } from '../../src/config.ts';
import type { Config, ConfigProblem } from '../../src/config.ts';
import { secret } from '../../src/core/secret.ts';

export const form = {
  type: 'form',
  docs: 'channels/form.md',
  config: z.strictObject({ title: z.string().optional(), maxFiles: z.int().min(1).max(20).default(5) }),
};
const webhook = {
  type: 'webhook',
  docs: 'channels/webhook.md',
  config: z.strictObject({
    auth: z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('standard_webhooks'), secret: secret() }),
      z.strictObject({ type: z.literal('basic'), user: z.string(), password: secret() }),
    ]),
    secure: z.boolean().default(true),
    imap: z.strictObject({ host: z.string(), port: z.int().optional() }).optional(),
    listen: z.strictObject({ host: z.string(), port: z.int().optional() }).optional(),
    apiRoot: z.url().optional(),
  }),
};
const crm = {
  type: 'webhook',
  docs: 'destinations/webhook.md',
  config: z.strictObject({ url: z.url(), secret: secret() }),
};

export const FILE = 'config/tributary.yaml';
export const GOOD = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

export interface Setting {
  readonly env?: Record<string, string>;
  readonly files?: Record<string, string>;
}

function load(yaml: string | undefined, { env = {}, files = {} }: Setting = {}) {
  const all: Record<string, string> = {
    ...(yaml === undefined ? {} : { [`/app/${FILE}`]: yaml }),
    ...Object.fromEntries(
      Object.entries(files).map(([name, text]) => [name.startsWith('/') ? name : `/app/${name}`, text]),
    ),
  };
  return loadConfig({
    env,
    cwd: '/app',
    connectors: [form, webhook],
    destinationTypes: [crm],
    readFile: (path) => (path in all ? all[path] : undefined),
  });
}

export function config(yaml: string | undefined, setting?: Setting): Config {
  const loaded = load(yaml, setting);
  if ('problems' in loaded) assert.fail(inspect(loaded.problems));
  return loaded.config;
}

export function problems(yaml: string | undefined, setting?: Setting): readonly ConfigProblem[] {
  const loaded = load(yaml, setting);
  return 'problems' in loaded ? loaded.problems : [];
}

export const short = ({ file, line, path, message, remedy, didYouMean }: ConfigProblem) =>
  `${file}:${line ?? '-'} ${path}: ${message} | ${remedy}${didYouMean ? ` | ${didYouMean}` : ''}`;
