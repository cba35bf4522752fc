import type { Readable } from 'node:stream';
import type { z } from 'zod';
import type { Http, HttpRequest } from '../../core/connector.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';
import { Refusal, refusalOf } from './failures.ts';

/** Where apps without a stand-in or proxy call. */
export const SLACK = 'https://slack.com/api';

const MB = 1024 * 1024;
/** A page of two hundred messages with their blocks. */
const MAX_ANSWER = 16 * MB;
/** The most that is kept of a file. */
const MAX_FILE = 100 * MB;
/** A large file over a slow line. */
const FILE_MS = 10 * 60_000;

/** Slack's methods with one token; throws one of the five errors, in Slack's words. */
export interface SlackApi {
  /** Methods that read: arguments go into the address. */
  ask<T>(
    method: string,
    answer: z.ZodType<T>,
    query?: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<T>;
  /** Methods that write: arguments go as JSON. */
  tell<T>(method: string, answer: z.ZodType<T>, body: object, signal?: AbortSignal): Promise<T>;
  /** What the token may do. */
  scopes(): Promise<readonly string[]>;
  /** The bytes at an address of Slack's, which gets the token. */
  fetch(url: string, isExpected: (mediaType: string) => boolean): Promise<Readable>;
  /** Puts bytes where Slack wants them. */
  upload(url: string, bytes: Buffer): Promise<void>;
  /** Whether an address in an answer is Slack's, and nobody else's. */
  isSlack(url: string): boolean;
}

export function createApi(deps: {
  readonly token: Secret;
  /** Without a slash at the end. */
  readonly apiRoot: string;
  readonly http: Http;
}): SlackApi {
  const { token, apiRoot, http } = deps;
  const authorized = () => ({ authorization: `Bearer ${token.reveal()}` });

  async function call(method: string, request: Omit<HttpRequest, 'url'> & { readonly query?: string }) {
    const { query, headers, ...rest } = request;
    const url = `${apiRoot}/${method}${query ? `?${query}` : ''}`;
    const answer = await http.send({ ...rest, url, headers: { ...headers, ...authorized() }, maxBytes: MAX_ANSWER });
    const refusal = Refusal.safeParse(answer.json).data;
    if (refusal) throw refusalOf(method, refusal);
    return answer;
  }

  function read<T>(method: string, schema: z.ZodType<T>, answer: unknown): T {
    const { data, success } = schema.safeParse(answer);
    if (success) return data;
    throw new RetryableError(`${method}: Slack's answer can't be read`, { outcomeUnknown: true });
  }

  /** The same host as the stand-in's, or one of Slack's own, which are named also behind a proxy. */
  function isSlack(url: string): boolean {
    if (!URL.canParse(url)) return false;
    const { protocol, hostname, host } = new URL(url);
    const isSecure = protocol === 'https:' || protocol === 'wss:';
    if (isSecure && /(^|\.)slack(-gov)?\.com$/.test(hostname)) return true;
    const root = new URL(apiRoot);
    return host === root.host && (isSecure || root.protocol === 'http:');
  }

  function refuseOthers(url: string): void {
    if (isSlack(url)) return;
    throw new PermanentError(`Slack names an address at ${hostOf(url)}, which is no host of Slack's`);
  }

  return {
    isSlack,
    async ask(method, schema, query = {}, signal) {
      const search = new URLSearchParams(query).toString();
      const { json } = await call(method, { query: search, ...(signal && { signal }) });
      return read(method, schema, json);
    },
    async tell(method, schema, body, signal) {
      const headers = { 'content-type': 'application/json; charset=utf-8' };
      const { json } = await call(method, { method: 'POST', headers, body, ...(signal && { signal }) });
      return read(method, schema, json);
    },
    async scopes() {
      const { headers } = await call('auth.test', {});
      return (headers['x-oauth-scopes'] ?? '').split(',').filter(Boolean);
    },
    async fetch(url, isExpected) {
      refuseOthers(url);
      const request = { url, headers: authorized(), maxBytes: MAX_FILE, timeoutMs: FILE_MS };
      const { headers, body } = await http.stream(request).catch((error: unknown) => {
        throw ofFile(error);
      });
      if (isExpected(headers['content-type'] ?? '')) return body;
      body.destroy();
      throw signIn();
    },
    async upload(url, bytes) {
      refuseOthers(url);
      const headers = { 'content-type': 'application/octet-stream' };
      // No token: the address is the permission.
      await http.send({ method: 'POST', url, headers, body: bytes, timeoutMs: FILE_MS });
    },
  };
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'no address at all';
}

/** Whoever may not read a file is sent to a page to sign in, or gets that page instead. */
function signIn(): PermanentError {
  return new PermanentError('Slack asks to sign in instead of handing out the file', {
    hint: 'Add the scope files:read in the app’s page OAuth & Permissions, and install the app again.',
  });
}

/** What is wrong with one file says nothing about the channel. */
function ofFile(error: unknown): unknown {
  if (error instanceof RetryableError && String(error.response?.status).startsWith('3')) return signIn();
  if (!(error instanceof PermanentError) || !error.response) return error;
  return new PermanentError(error.message, { response: error.response });
}
