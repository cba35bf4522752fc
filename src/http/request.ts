import type { Clock } from '../core/clock.ts';
import type { HttpRequest } from '../core/connector.ts';
import type { Agents } from './agents.ts';
import type { Deadlines } from './call.ts';
import { codes, withCode } from './failure.ts';
import { normalHost } from './guard.ts';

/** Times in milliseconds. */
export interface Limits extends Deadlines {
  /** Until the connection is up, TLS included. */
  readonly connectMs: number;
  /** Of a whole call through the lent `fetch`: SDKs hold long polls with it. */
  readonly fetchMs: number;
  /** Of an answer to the lent `fetch`. */
  readonly fetchBytes: number;
}

/** What every call of one endpoint needs. */
export interface Outlet {
  readonly agents: Agents;
  readonly limits: Limits;
  readonly userAgent: string;
  readonly clock: Clock;
}

export function deadlinesOf({ limits }: Outlet, { timeoutMs }: HttpRequest): Deadlines {
  return { firstByteMs: timeoutMs ?? limits.firstByteMs, totalMs: timeoutMs ?? limits.totalMs };
}

/** The address in the one spelling that guard, TLS and pool all see. */
export function addressOf(text: string): string {
  const url = new URL(text);
  if (!['http:', 'https:'].includes(url.protocol)) throw withCode('ERR_INVALID_PROTOCOL', 'not http or https');
  if (url.username || url.password) throw withCode(codes.refused, 'user and password in an address');
  if (!url.hostname.startsWith('[')) url.hostname = normalHost(url.hostname);
  url.hash = '';
  return url.href;
}

export function bodyOf({ body }: HttpRequest): Buffer | undefined {
  if (body === undefined || Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body), 'utf8');
}

export function requestHeaders({ userAgent }: Outlet, { headers = {}, body }: HttpRequest): Record<string, string> {
  const result: Record<string, string> = bare({ 'user-agent': userAgent, accept: '*/*' });
  if (body !== undefined) result['content-type'] = typeOf(body);
  for (const [name, value] of Object.entries(headers)) result[name.toLowerCase()] = value;
  result['accept-encoding'] = 'identity';
  return result;
}

function typeOf(body: object | string): string {
  if (Buffer.isBuffer(body)) return 'application/octet-stream';
  return typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json';
}

/** Headers of an answer: names in lower case, without a prototype. */
export function headersOf(entries: Iterable<readonly [string, unknown]>): Record<string, string> {
  const result: Record<string, string> = bare({});
  for (const [name, value] of entries) result[name.toLowerCase()] = String(value);
  return result;
}

/** The same without a prototype: nothing that somebody put on `Object.prototype` is read from it. */
export function bare<T extends object>(object: T): T {
  return Object.assign(Object.create(null) as T, object);
}
