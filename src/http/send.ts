import http from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import axios from 'axios';
import type { HttpRequest, HttpResponse } from '../core/connector.ts';
import { jsonOf } from '../core/json.ts';
import type { Answer } from './body.ts';
import { KEPT_BYTES, readStart, refusalOf, refuseEncoded } from './body.ts';
import type { Call } from './call.ts';
import { beginCall } from './call.ts';
import { failureOf } from './failure.ts';
import type { Outlet } from './request.ts';
import { addressOf, bare, bodyOf, deadlinesOf, headersOf, requestHeaders } from './request.ts';

/** A call whose answer is small, through axios. */
export async function send(outlet: Outlet, request: HttpRequest): Promise<HttpResponse> {
  const call = beginCall(deadlinesOf(outlet, request), request.signal);
  try {
    const { status, headers, data: body } = await axios.request<Readable>(axiosConfig(outlet, request, call));
    call.answered();
    const answer = { status, headers: headersOf(Object.entries(headers)), body };
    if (status < 200 || status > 299) throw await refusalOf(request, answer, outlet.clock.now());
    return await readAnswer(request, answer);
  } catch (error) {
    throw failureOf(request, error, call);
  } finally {
    call.end();
  }
}

async function readAnswer(request: HttpRequest, answer: Answer): Promise<HttpResponse> {
  refuseEncoded(request, answer);
  const { bytes, isWhole } = await readStart(answer.body, request.maxBytes ?? KEPT_BYTES);
  const { status, headers } = answer;
  return { status, headers, text: bytes.toString('utf8'), json: isWhole ? jsonOf(bytes) : undefined };
}

/** Without a prototype, and with everything said that axios would otherwise take from the environment. */
function axiosConfig(outlet: Outlet, request: HttpRequest, call: Call): object {
  return bare({
    adapter: 'http',
    url: addressOf(request.url),
    method: request.method ?? 'GET',
    headers: requestHeaders(outlet, request),
    data: bodyOf(request),
    signal: call.signal,
    httpAgent: outlet.agents.http,
    httpsAgent: outlet.agents.https,
    proxy: false,
    maxRedirects: 0,
    decompress: false,
    responseType: 'stream',
    maxContentLength: -1,
    maxBodyLength: -1,
    validateStatus: () => true,
    transformRequest: [(data: unknown) => data],
    transformResponse: [(data: unknown) => data],
    // Node's own, with a look at the request on its way: nothing else tells how far it got.
    transport: {
      request(options: http.RequestOptions, onAnswer: (answer: http.IncomingMessage) => void) {
        const sent = (options.protocol === 'https:' ? https : http).request(options, onAnswer);
        call.watch(sent);
        return sent;
      },
    },
  });
}
