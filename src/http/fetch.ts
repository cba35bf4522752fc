import type { Agent, ClientRequest } from 'node:http';
import { Readable } from 'node:stream';
import nodeFetch, { Response } from 'node-fetch';
import type { RequestInit } from 'node-fetch';
import type { Http, HttpRequest } from '../core/connector.ts';
import { AuthExpiredError, PermanentError } from '../core/errors.ts';
import type { TributaryError } from '../core/errors.ts';
import type { Answer } from './body.ts';
import { capBody, refusalOf, refuseEncoded, tooLarge } from './body.ts';
import type { Call } from './call.ts';
import { beginCall } from './call.ts';
import { failureOf } from './failure.ts';
import type { Outlet } from './request.ts';
import { addressOf, bare, bodyOf, deadlinesOf, headersOf, requestHeaders } from './request.ts';

type FetchArguments = Parameters<typeof globalThis.fetch>;

type Download = Parameters<Http['stream']>[0];

/** A download, through node-fetch. */
export async function stream(
  outlet: Outlet,
  request: Download,
): Promise<{ headers: Readonly<Record<string, string>>; body: Readable }> {
  const call = beginCall(deadlinesOf(outlet, request), request.signal);
  let asked: HttpRequest = request;
  try {
    let answer = await fetchOnce(outlet, asked, call, bodyOf(request));
    const to = redirectOf(request, answer);
    if (to) {
      answer.body.destroy();
      asked = bare({ url: to.href });
      answer = await fetchOnce(outlet, asked, call, undefined);
    }
    const { status, headers, body } = answer;
    if (status < 200 || status > 299) {
      const refusal = await refusalOf(asked, answer, outlet.clock.now());
      throw to ? ofFileOnly(refusal) : refusal;
    }
    refuseEncoded(asked, answer);
    if (Number(headers['content-length']) > request.maxBytes) {
      body.destroy();
      throw tooLarge(asked, request.maxBytes);
    }
    return { headers, body: capBody(body, request.maxBytes, asked, call) };
  } catch (error) {
    call.end();
    throw failureOf(asked, error, call);
  }
}

/** The address that a redirect names, where the caller allows it. */
function redirectOf({ url, mayFollow }: Download, { status, headers: { location } }: Answer): URL | undefined {
  if (status < 300 || status > 399 || !mayFollow || !location || !URL.canParse(location, url)) return undefined;
  const to = new URL(location, url);
  return mayFollow(to) ? to : undefined;
}

/** Where a redirect led got no credentials of ours, and is no endpoint: whatever it refuses is the file. */
function ofFileOnly(refusal: TributaryError): TributaryError {
  const isOfEndpoint = refusal instanceof AuthExpiredError || (refusal instanceof PermanentError && refusal.gone);
  if (!isOfEndpoint || !refusal.response) return refusal;
  return new PermanentError(refusal.message, { response: refusal.response });
}

/** For SDKs. Any status but a redirect is theirs to read; failures are the five errors, their own abort is theirs. */
export async function lentFetch(outlet: Outlet, ...given: FetchArguments): Promise<Response> {
  const { request, body: payload, signal } = requestOf(...given);
  const { fetchMs, fetchBytes } = outlet.limits;
  const call = beginCall({ firstByteMs: fetchMs, totalMs: fetchMs }, signal);
  try {
    const answer = await fetchOnce(outlet, request, call, payload);
    const { status, headers } = answer;
    if (status >= 300 && status < 400) throw await refusalOf(request, answer, outlet.clock.now());
    if (request.method !== ('HEAD' as string)) refuseEncoded(request, answer);
    return new Response(capBody(answer.body, fetchBytes, request, call), bare({ status, headers, url: request.url }));
  } catch (error) {
    call.end();
    if (signal?.aborted)
      throw signal.reason instanceof Error ? signal.reason : new DOMException('aborted', 'AbortError');
    throw failureOf(request, error, call);
  }
}

function requestOf(...[input, init = {}]: FetchArguments): {
  request: HttpRequest;
  body: unknown;
  signal: AbortSignal | undefined;
} {
  const source = input instanceof Request ? new Request(input, init) : bare(init);
  const headers = new Headers(source.headers);
  const { body } = source;
  return {
    request: bare({
      method: (source.method ?? 'GET').toUpperCase() as NonNullable<HttpRequest['method']>,
      url: input instanceof Request ? input.url : String(input),
      headers: Object.fromEntries(headers),
    }),
    // node-fetch knows Node's streams only.
    body: body instanceof globalThis.ReadableStream ? Readable.fromWeb(body) : body,
    signal: source.signal ?? undefined,
  };
}

/** One request, with nothing followed, decoded or inherited. */
async function fetchOnce(outlet: Outlet, request: HttpRequest, call: Call, payload: unknown): Promise<Answer> {
  const url = addressOf(request.url);
  const agent = url.startsWith('https:') ? outlet.agents.https : outlet.agents.http;
  const options = {
    method: request.method ?? 'GET',
    headers: requestHeaders(outlet, request),
    body: payload ?? null,
    redirect: 'manual',
    compress: false,
    follow: 0,
    size: 0,
    signal: call.signal,
    agent: watched(agent, call),
  };
  const answer = await nodeFetch(url, bare(options) as RequestInit);
  call.answered();
  const body = answer.body as Readable;
  // Nobody may be reading yet when a deadline ends the call.
  body.on('error', () => undefined);
  return { status: answer.status, headers: headersOf(answer.headers), body };
}

/** The same agent (and pool), telling the call which request is its own. */
function watched(agent: Agent, call: Call): Agent {
  const own = Object.create(agent) as WithAddRequest;
  own.addRequest = (request, options) => {
    call.watch(request);
    (agent as WithAddRequest).addRequest(request, options);
  };
  return own;
}

/** What Node calls on an agent for each request; missing in the types. */
type WithAddRequest = Agent & { addRequest(request: ClientRequest, options: object): void };
