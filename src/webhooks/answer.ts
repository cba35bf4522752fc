import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpAnswer } from '../core/payload.ts';

const TITLES = {
  400: ['Bad Request', 'bad_request'],
  401: ['Unauthorized', 'not_verified'],
  403: ['Forbidden', 'forbidden'],
  404: ['Not Found', 'not_found'],
  405: ['Method Not Allowed', 'method_not_allowed'],
  409: ['Conflict', 'conflict'],
  413: ['Content Too Large', 'too_large'],
  415: ['Unsupported Media Type', 'unsupported_media_type'],
  422: ['Unprocessable Content', 'unprocessable'],
  429: ['Too Many Requests', 'too_many_requests'],
  431: ['Request Header Fields Too Large', 'too_many_headers'],
  503: ['Service Unavailable', 'unavailable'],
} as const;

const REFUSALS: ReadonlyMap<number, HttpAnswer> = new Map(
  Object.entries(TITLES).map(([status, [title, code]]) => [
    Number(status),
    {
      status: Number(status),
      headers: { 'content-type': 'application/problem+json' },
      body: Buffer.from(JSON.stringify({ type: 'about:blank', title, status: Number(status), code })),
    },
  ]),
);

/** Statuses that a refusal may have. */
export function isRefusal(status: number): boolean {
  return REFUSALS.has(status);
}

/** The constant answer to a refused request: nothing of the request is in it. */
export function problem(status: number, headers: Readonly<Record<string, string>> = {}): HttpAnswer {
  const answer = REFUSALS.get(status) ?? { status };
  return { ...answer, headers: { ...answer.headers, ...headers } };
}

export const STORED: HttpAnswer = { status: 200 };

/** Bytes of a refused body that may still come before the connection isn't worth keeping. */
const WORTH_READING = 65_536;

/** How long a sender whose body isn't read has to read our answer, milliseconds. */
const LINGER_MS = 1000;

/** Sends an answer. A throw (a header that can't be sent) leaves the response untouched. */
export function send(request: IncomingMessage, response: ServerResponse, answer: HttpAnswer): void {
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body;
  const headers: Record<string, string | number> = { 'x-content-type-options': 'nosniff', ...answer.headers };
  if (answer.status !== 204) headers['content-length'] = body?.length ?? 0;
  if (request.complete || isShort(request)) {
    response.writeHead(answer.status, headers).end(body);
    return;
  }
  // Closing at once would reset the connection while the sender still writes, and he would see no answer.
  // So he gets it complete, nothing more is read, and a second later the connection ends.
  headers['connection'] = 'close';
  response.writeHead(answer.status, headers);
  if (body === undefined || request.method === 'HEAD') response.flushHeaders();
  else response.write(body);
  request.socket.setTimeout(LINGER_MS, () => request.socket.destroy());
}

/** Whether the rest of the request is so small that reading it away is cheaper than a new connection. */
function isShort(request: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': transfer } = request.headers;
  return transfer === undefined && Number(length ?? 0) <= WORTH_READING;
}
