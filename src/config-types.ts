import type { AutoReply } from './core/auto-reply.ts';
import type { Route } from './core/gateway.ts';
import type { Secret } from './core/secret.ts';
import type { StatusPages } from './core/status-page.ts';

/** Everything an installation is set up with: defaults, then the YAML file, then `.env`, then the environment. */
export interface Config {
  readonly server: {
    /** 0 lets the system choose one (tests). */
    readonly port: number;
    readonly host: string;
    /** Origin without a slash at the end; undefined: where it listens, `http://HOST:PORT`. */
    readonly publicUrl: string | undefined;
    /** Addresses or CIDRs of proxies whose `X-Forwarded-For` counts. */
    readonly trustProxy: readonly string[];
  };
  /** Absolute. */
  readonly dataDir: string;
  /** The file of SQLite, absolute, or the URL of PostgreSQL. */
  readonly store:
    { readonly path: string; readonly url?: undefined } | { readonly path?: undefined; readonly url: Secret };
  /** The URL of Redis; undefined: the queue is built in. */
  readonly queue: Secret | undefined;
  readonly egress: { readonly allow: readonly string[] };
  /** From SECRET_KEY or SECRET_KEY_FILE; undefined: `secret.key` in the data folder, made on first start. */
  readonly secretKey: Secret | undefined;
  /** From ADMIN_API_KEY or ADMIN_API_KEY_FILE. */
  readonly adminApiKey: Secret | undefined;
  /** `auto`: pretty on a terminal, else json. */
  readonly log: { readonly level: LogLevel; readonly format: 'auto' | 'pretty' | 'json' };
  /** Where phone numbers without a country code are from: ISO 3166, two capital letters. */
  readonly country: string | undefined;
  /** Milliseconds: how long a customer's open ticket takes new messages, how long a closed one reopens. And which calls open one. */
  readonly tickets: { readonly joinWithinMs: number; readonly reopenWithinMs: number; readonly calls: CallRule };
  /** Milliseconds that the bytes of payloads, tasks that are done and recordings of calls are kept. */
  readonly retention: { readonly payloadsMs: number; readonly tasksMs: number; readonly recordingsMs: number };
  /** What writes recordings of calls down; undefined: nobody but their vendors. */
  readonly transcripts: Transcripts | undefined;
  /** What customers see of their requests. */
  readonly statusPage: Pick<StatusPages, 'shows' | 'closedForMs'>;
  readonly channels: readonly EndpointDefinition[];
  readonly destinations: readonly EndpointDefinition[];
  readonly routes: readonly Route[];
  /** The file that was read, relative to the working folder where it lies below; undefined without one. */
  readonly file: string | undefined;
}

/** An endpoint that speaks as OpenAI's, and what it may cost. */
export interface Transcripts {
  /** Up to the version, without a slash at the end. */
  readonly url: string;
  /** `host:port` of it. */
  readonly host: string;
  readonly apiKey: Secret | undefined;
  readonly model: string;
  readonly chatModel: string | undefined;
  readonly language: string | undefined;
  readonly timeoutMs: number;
  readonly maxMinutes: number;
  readonly maxMinutesPerDay: number;
}

export const callRules = ['missed', 'inbound', 'all'] as const;
export type CallRule = (typeof callRules)[number];

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/** A channel or destination from the file. */
export interface EndpointDefinition {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly autoReply?: AutoReply;
  /** Output of the type's schema: what `open` takes, with every secret a `Secret`. */
  readonly config: unknown;
  /** As written, placeholders filled in: holds secrets in clear, so never show it. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** `config/tributary.yaml:14`; null for what exists without a file. */
  readonly source: string | null;
  /** `host` or `host:port` of every address in the settings: the operator named them, so they may be private. */
  readonly trustedHosts: readonly string[];
}

/** One thing that is wrong with the configuration. Never holds the value of a secret. */
export interface ConfigProblem {
  /** The file, `.env`, or `environment`. */
  readonly file: string;
  /** Counted from 1; undefined where there is no line (environment). */
  readonly line: number | undefined;
  /** `channels[2].auth.secret`, or the name of a variable. */
  readonly path: string;
  readonly message: string;
  /** What to do about it. */
  readonly remedy: string;
  readonly didYouMean?: string;
}
