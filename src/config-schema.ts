import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { ZodType } from 'zod';
import { RouteInFile } from './config-route.ts';
import { callRules, logLevels } from './config-types.ts';
import { AutoReply } from './core/auto-reply.ts';
import { secret } from './core/secret.ts';
import { shownNames } from './core/status-page.ts';

/** What the YAML file may say. Times are written as `30 s`, `24h`, `7d` and read as milliseconds. */

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const LONGEST_MS = 10 * 365 * 86_400_000;

const duration = (description: string) =>
  z
    .string()
    .transform((text, context) => {
      const [, amount = '', unit = ''] = /^(\d{1,12}) ?(ms|s|m|h|d)$/.exec(text.trim()) ?? [];
      const ms = Number(amount) * (UNITS[unit] ?? 0);
      if (ms > 0 && ms <= LONGEST_MS) return ms;
      context.addIssue({
        code: 'custom',
        message: 'is not a time from 1ms to 3650d',
        params: { remedy: 'Write a whole number and a unit: 90s, 30m, 24h, 7d.' },
      });
      return z.NEVER;
    })
    .meta({ description });

const refuse = (message: string, remedy: string) => ({ error: message, params: { remedy } });

/** An origin: http or https, host, perhaps a port. */
const origin = z.string().superRefine((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const problem =
    !url || !['http:', 'https:'].includes(url.protocol)
      ? 'is not an http or https address'
      : url.username || url.password
        ? 'holds a user name or password'
        : text !== url.origin && text.toLowerCase() !== url.origin
          ? 'has a path, a slash at the end, or a port that goes without saying'
          : undefined;
  if (problem) {
    const params = { remedy: 'Write scheme, host and at most a port: https://desk.example.com' };
    context.addIssue({ code: 'custom', message: problem, params });
  }
});

const isNetwork = (text: string) => ipaddr.isValid(text) || ipaddr.isValidCIDR(text);

const network = z.string().refine(isNetwork, refuse('is not an IP address or CIDR', 'Write 10.0.0.2 or 10.0.0.0/8.'));

const hostOrNetwork = z
  .string()
  .refine(
    (text) => isNetwork(text) || /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?(:\d{1,5})?$/.test(text),
    refuse('is not a host, IP address or CIDR', 'Write crm.internal, 10.0.0.2 or 10.0.0.0/8, without http://.'),
  );

const listenHost = z
  .string()
  .refine(
    (text) => ipaddr.isValid(text) || /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(text),
    refuse('is not a host or IP address', 'Write 127.0.0.1 (this machine only) or 0.0.0.0 (every network).'),
  );

/** Whether a store is on PostgreSQL. */
export const isPostgres = (store: string) => /^postgres(ql)?:\/\//i.test(store);

const store = z
  .string()
  .refine(
    (text) => /^sqlite:(?!:)\S/i.test(text) || (isPostgres(text) && URL.canParse(text)),
    refuse(
      'is not a store',
      'Write sqlite:./data/tributary.db or postgres://user:password@host/database, or leave it out.',
    ),
  )
  .meta({
    description: 'The database: `sqlite:` and a file, or `postgres://…`. Default: tributary.db in the data folder.',
  });

const queue = z
  .string()
  .refine(
    (text) => text === 'embedded' || (/^rediss?:\/\/./i.test(text) && URL.canParse(text)),
    refuse('is not a queue', 'Write redis://user:password@host:6379, or leave it out: the queue is built in.'),
  )
  .meta({ description: 'What spreads the work: `embedded`, or `redis://…`.' });

const id = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, {
    error: 'is not an id: small letters, digits, - and _, at most 63, a letter or digit first',
  })
  .meta({ description: 'Its name in addresses and in the console. Never change it: messages are recognised by it.' });

/** What every channel and destination has; the rest is its type's. */
export const EndpointHead = z.object({
  id,
  type: z.string().min(1),
  name: z.string().min(1).max(200).optional().meta({ description: 'What people see. Default: the id.' }),
  enabled: z.boolean().default(true).meta({ description: 'false: nothing is accepted, fetched or sent.' }),
});

/** What every channel has. */
export const ChannelHead = EndpointHead.extend({
  autoReply: AutoReply.optional().meta({
    description:
      'What a customer hears by itself when he opens a ticket: a text, or one per language (uk, ru, en …). {{number}}, {{name}} and {{statusUrl}} are filled in.',
  }),
});

const model = z.string().min(1).max(200);

/** The file, but for what the types of channels and destinations define. */
export const ConfigInFile = z.strictObject({
  server: z
    .strictObject({
      port: z.int().min(0).max(65_535).default(8080).meta({ description: 'TCP port. 0: any free one.' }),
      host: listenHost.default('127.0.0.1').meta({ description: 'Where it listens. 0.0.0.0: on every network.' }),
      publicUrl: origin.optional().meta({
        description: 'The address vendors call; signatures are checked against it. Default: where it listens.',
      }),
      trustProxy: z
        .array(network)
        .max(100)
        .default([])
        .meta({ description: 'Addresses or CIDRs of your proxies: their X-Forwarded-For counts.' }),
    })
    .prefault({}),
  dataDir: z.string().min(1).default('./data').meta({ description: 'Folder of database, blobs and secret.key.' }),
  store: store.optional(),
  queue: queue.default('embedded'),
  egress: z
    .strictObject({
      allow: z.array(hostOrNetwork).max(1000).default([]).meta({
        description: 'Private hosts or CIDRs that may be reached besides those named in this file.',
      }),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z.enum(logLevels).default('info').meta({ description: 'The least that is logged.' }),
      format: z
        .enum(['auto', 'pretty', 'json'])
        .default('auto')
        .meta({ description: 'auto: pretty on a terminal, else JSON.' }),
    })
    .prefault({}),
  country: z
    .string()
    .regex(/^[A-Z]{2}$/, 'is a country code of two capital letters, such as UA')
    .optional()
    .meta({ description: 'Where phone numbers without a country code are from (ISO 3166), such as UA.' }),
  tickets: z
    .strictObject({
      joinWithin: duration("How long after its last message a customer's open ticket takes new ones.").prefault('24h'),
      calls: z.enum(callRules).default('missed').meta({
        description: 'Calls that open a ticket: missed ones; answered ones of customers as well (inbound); all.',
      }),
      reopenWithin: duration('How long a closed ticket reopens when its customer writes.').prefault('7d'),
    })
    .prefault({}),
  retention: z
    .strictObject({
      payloads: duration('How long the bytes that were received are kept.').prefault('30d'),
      tasks: duration('How long deliveries that are done are kept.').prefault('14d'),
      recordings: duration('How long recordings of calls are kept.').prefault('90d'),
    })
    .prefault({}),
  transcripts: z
    .strictObject({
      url: z
        .url({ protocol: /^https?$/, error: 'is not an http or https address' })
        .refine(
          (text) => !/[?#@]|\/$/.test(text),
          refuse('has a query, a user or a slash at the end', 'Write https://api.openai.com/v1'),
        )
        .meta({ description: 'An endpoint that speaks as OpenAI’s, up to the version: https://api.openai.com/v1' }),
      apiKey: secret('Sent as `Authorization: Bearer …`. Left out: none is sent.').optional(),
      model: model.meta({ description: 'Writes recordings down, such as whisper-1.' }),
      chatModel: model.optional().meta({ description: 'Sums up what was said. Left out: no summary, and no mood.' }),
      language: z
        .string()
        .regex(/^[a-z]{2}$/, 'is no language of two letters, such as uk')
        .optional()
        .meta({ description: 'Spoken in the calls (ISO 639-1), such as uk. Left out: it is recognised.' }),
      timeout: duration('How long writing down one recording may take, 3m at most.')
        .refine(
          (ms) => typeof ms === 'number' && ms <= 180_000,
          refuse('is longer than 3m', 'Write a shorter time: 2m'),
        )
        .prefault('2m'),
      maxMinutes: z
        .number()
        .min(1)
        .max(600)
        .default(30)
        .meta({ description: 'Longer recordings are not written down.' }),
      maxMinutesPerDay: z
        .number()
        .min(1)
        .max(100_000)
        .default(300)
        .meta({ description: 'Minutes of recordings that are sent in a day (UTC), repeats included.' }),
    })
    .optional()
    .meta({ description: 'What writes recordings of calls down and sums them up. Left out: only what vendors tell.' }),
  statusPage: z
    .strictObject({
      shows: z
        .array(z.enum(shownNames))
        .max(shownNames.length)
        .default([...shownNames])
        .meta({ description: 'Names that a customer reads on the page of his request: who works on it, which team.' }),
      closedFor: duration('How long the page of a request is there once it is closed.').prefault('90d'),
    })
    .prefault({}),
  channels: z.array(z.unknown()).max(1000).optional(),
  destinations: z.array(z.unknown()).max(1000).default([]),
  routes: z.array(z.unknown()).max(1000).default([]),
});

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** A schema as JSON Schema, for editors and for naming the keys that are known at a place. */
export function toJsonSchema(schema: ZodType): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

interface EndpointType {
  readonly type: string;
  readonly summary: string;
  readonly config: ZodType;
}

/** The JSON Schema of the whole file, with every type of channel and destination. For editors. */
export function toConfigJsonSchema(types: {
  readonly connectors: readonly EndpointType[];
  readonly destinationTypes: readonly EndpointType[];
}): object {
  const file = toJsonSchema(ConfigInFile);
  const endpoints = (list: readonly EndpointType[], head: ZodType) => ({
    type: 'array',
    items: { oneOf: list.map((type) => toEndpointSchema(type, head)) },
  });
  return allowPlaceholders({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Tributary configuration',
    ...file,
    properties: {
      ...file.properties,
      channels: endpoints(types.connectors, ChannelHead),
      destinations: endpoints(types.destinationTypes, EndpointHead),
      routes: { type: 'array', items: toJsonSchema(RouteInFile) },
    },
  });
}

function toEndpointSchema({ type, summary, config }: EndpointType, every: ZodType): JsonSchema {
  const head = toJsonSchema(every);
  const own = toJsonSchema(config);
  return {
    ...own,
    description: summary,
    properties: { ...head.properties, type: { const: type }, ...own.properties },
    required: ['id', 'type', ...(own.required ?? [])],
  };
}

/** Numbers and switches may be placeholders, too: they are text to an editor. */
function allowPlaceholders<T>(node: T): T {
  if (Array.isArray(node)) return node.map((each: unknown) => allowPlaceholders(each)) as T;
  if (typeof node !== 'object' || node === null) return node;
  const copy = Object.fromEntries(
    Object.entries(node).map(([key, value]) => [key, allowPlaceholders(value as unknown)]),
  );
  if (!['number', 'integer', 'boolean'].includes(String(copy['type']))) return copy as T;
  const { description, default: preset, ...rest } = copy;
  return {
    ...(description === undefined ? {} : { description }),
    ...(preset === undefined ? {} : { default: preset }),
    anyOf: [rest, { type: 'string', pattern: '\\$\\{' }],
  } as T;
}
