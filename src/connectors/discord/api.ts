import type { Readable } from 'node:stream';
import type { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { Http, HttpRequest } from '../../core/connector.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';
import { toUploadForm } from '../../core/upload-form.ts';
import { failureOf } from './failures.ts';
import { createPace, routeOf } from './pace.ts';

/** Where bots without a stand-in or proxy call. */
export const DISCORD = 'https://discord.com/api/v10';

const MB = 1024 * 1024;
/** A page of a hundred messages, or all channels of a server. */
const MAX_ANSWER = 16 * MB;
/** The most that is kept of a file. */
const MAX_FILE = 100 * MB;
/** A large file over a slow line. */
const FILE_MS = 10 * 60_000;

export interface Upload {
  readonly name: string;
  readonly bytes: Buffer;
}

/** Discord's REST API with the bot's token; throws one of the five errors, in Discord's words. */
export interface DiscordApi {
  ask<T>(path: string, answer: z.ZodType<T>, signal?: AbortSignal): Promise<T>;
  tell<T>(path: string, answer: z.ZodType<T>, body: object, file?: Upload): Promise<T>;
  /** The bytes at an address of Discord's, which tells nothing of us. */
  fetch(url: string): Promise<Readable>;
  /** Whether an address in an answer is Discord's, and nobody else's. */
  isDiscord(url: string): boolean;
}

export function createApi(deps: {
  readonly token: Secret;
  /** Without a slash at the end. */
  readonly apiRoot: string;
  readonly http: Http;
  readonly clock: Clock;
  /** The installation's address, which Discord wants to know of every program. */
  readonly publicUrl: string;
}): DiscordApi {
  const { token, apiRoot, http, publicUrl } = deps;
  const pace = createPace(deps.clock);

  async function call<T>(path: string, schema: z.ZodType<T>, request: Omit<HttpRequest, 'url'>): Promise<T> {
    const { method = 'GET', headers, signal } = request;
    const what = `${method} ${path.split('?')[0]}`;
    const route = routeOf(method, path);
    await pace.turn(route, signal);
    const asked = {
      ...request,
      url: `${apiRoot}${path}`,
      headers: {
        ...headers,
        authorization: `Bot ${token.reveal()}`,
        // https://discord.com/developers/docs/reference#user-agent
        'user-agent': `DiscordBot (${publicUrl}, 1.0)`,
      },
      maxBytes: MAX_ANSWER,
    };
    const answer = await http.send(asked).catch((error: unknown) => {
      throw failureOf(what, error);
    });
    pace.note(route, answer.headers);
    const { data, success } = schema.safeParse(answer.json);
    if (success) return data;
    throw new RetryableError(`${what}: Discord's answer can't be read`, { outcomeUnknown: method !== 'GET' });
  }

  /** The same host as the stand-in's, or one of Discord's own, which are named also behind a proxy. */
  function isDiscord(url: string): boolean {
    if (!URL.canParse(url)) return false;
    const { protocol, hostname, host } = new URL(url);
    const isSecure = protocol === 'https:' || protocol === 'wss:';
    if (isSecure && /(^|\.)(discord\.(com|gg)|discordapp\.(com|net))$/.test(hostname)) return true;
    const root = new URL(apiRoot);
    return host === root.host && (isSecure || root.protocol === 'http:');
  }

  return {
    isDiscord,
    ask: (path, schema, signal) => call(path, schema, { ...(signal && { signal }) }),
    tell(path, schema, body, file) {
      if (!file) return call(path, schema, { method: 'POST', body });
      // https://discord.com/developers/docs/reference#uploading-files
      const upload = { field: 'files[0]', mediaType: 'application/octet-stream', ...file };
      const form = toUploadForm({ payload_json: JSON.stringify(body) }, upload);
      const headers = { 'content-type': form.type };
      return call(path, schema, { method: 'POST', headers, body: form.body, timeoutMs: FILE_MS });
    },
    async fetch(url) {
      if (!isDiscord(url)) {
        throw new PermanentError(`Discord names an address at ${hostOf(url)}, which is no host of Discord's`);
      }
      const { body } = await http.stream({ url, maxBytes: MAX_FILE, timeoutMs: FILE_MS }).catch((error: unknown) => {
        throw ofFile(error);
      });
      return body;
    },
  };
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'no address at all';
}

/** What is wrong with one file says nothing about the channel. */
function ofFile(error: unknown): unknown {
  const response =
    error instanceof Error && 'response' in error ? (error.response as PermanentError['response']) : undefined;
  const isOfFile = response !== undefined && response.status >= 400 && response.status < 500 && response.status !== 429;
  return isOfFile ? new PermanentError((error as Error).message, { response }) : error;
}
