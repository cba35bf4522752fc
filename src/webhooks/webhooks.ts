import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../core/clock.ts';
import type { Log, Receipt, Webhook } from '../core/connector.ts';
import { BadPayloadError, RateLimitedError, RetryableError, textOf, TributaryError } from '../core/errors.ts';
import type { Endpoint, Intake, Refusals } from '../core/gateway.ts';
import type { HttpAnswer, WebhookRequest } from '../core/payload.ts';
import { equalSecrets } from '../core/secret.ts';
import { addressOf, counterOf, createIsTrusted } from './address.ts';
import { createAllowance } from './allowance.ts';
import type { AllowanceLimits } from './allowance.ts';
import { isRefusal, problem, send, STORED } from './answer.ts';
import { checkHead, HungUpError, NOTHING, readBody } from './body.ts';
import { routeOf } from './route.ts';
import type { Route } from './route.ts';
import { MAX_HEADERS } from './server.ts';

export interface WebhookLimits {
  /**
   * What refused requests of one address (IPv6: one /64) may cost: one for each, and one for each 64 KB of
   * its body. Whoever has spent it hears 429 before anything of his next body is read. Requests that are
   * stored cost nothing, so a vendor is never slowed down, however much he sends.
   */
  readonly refused: AllowanceLimits;
  /**
   * Requests of one endpoint that may wait for the store at the same time; more hear 503: that it is too much is
   * ours, and some vendors (SendGrid) send again after 5xx only. A bound on what waits, unlike a rate, fits slow and fast
   * machines alike, and leaves room for the other endpoints.
   */
  readonly waiting: number;
  /** Bytes of bodies, all requests together, that are held until they are filed or refused; more hear 503. */
  readonly bodies: number;
}

const LIMITS: WebhookLimits = { refused: { burst: 1000, perSecond: 200 }, waiting: 1000, bodies: 128 * 1024 * 1024 };

const MAX_BYTES = 1_048_576;
const UNAVAILABLE = problem(503, { 'retry-after': '5' });

/** What may carry a payload when the connector says so, and what may ask something. */
const CARRYING: ReadonlySet<string> = new Set(['GET', 'POST', 'PUT', 'DELETE']);
const ASKING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const POST: readonly string[] = ['POST'];

interface WebhooksDeps {
  readonly endpoints: { get(id: string): Endpoint | undefined };
  readonly intake: Pick<Intake, 'receive'>;
  readonly refusals: Refusals;
  readonly clock: Clock;
  readonly log: Log;
  /** Proxies whose X-Forwarded-For is believed: addresses and CIDRs. */
  readonly trustProxy: readonly string[];
  readonly limits?: WebhookLimits;
}

/**
 * What vendors push, over plain `node:http`. Returns false when the address isn't one of ours, so that
 * somebody else answers. An answer of 2xx means stored; what can't be stored hears 503 and comes again.
 */
export function createWebhooks(deps: WebhooksDeps): (request: IncomingMessage, response: ServerResponse) => boolean {
  const limits = deps.limits ?? LIMITS;
  const isTrusted = createIsTrusted(deps.trustProxy);
  const refused = createAllowance(limits.refused, deps.clock);
  const waiting = new Map<string, number>();
  let bodies = 0;

  function headOf(webhook: Webhook, route: Route, request: IncomingMessage): WebhookRequest {
    const remoteAddress = addressOf(request, isTrusted);
    return {
      endpointId: route.endpointId,
      receivedAt: deps.clock.now(),
      method: request.method ?? '',
      url: webhook.below ? (request.url ?? '') : route.url,
      headers: headersOf(request),
      body: NOTHING,
      ...(remoteAddress === undefined ? {} : { remoteAddress }),
      ...(route.token === undefined ? {} : { token: route.token }),
    };
  }

  /** Everything that can be refused before a byte of the body is read. */
  function admit(webhook: Webhook, head: WebhookRequest): void {
    const wait = refused.waitOf(counterOf(head.remoteAddress));
    if (wait > 0) throw new TooOftenRefusedError('too many refused requests from this address', wait);
    checkHead(head.headers, webhook.maxBytes ?? MAX_BYTES);
    checkToken(webhook, head);
    if ((waiting.get(head.endpointId) ?? 0) >= limits.waiting) {
      throw new RateLimitedError('too many requests of this endpoint wait already', 1000);
    }
  }

  /** Verified and stored; throws otherwise. */
  async function file(webhook: Webhook, request: WebhookRequest): Promise<HttpAnswer> {
    const id = request.endpointId;
    waiting.set(id, (waiting.get(id) ?? 0) + 1);
    try {
      await webhook.verify(request);
      const receipt = await store(request);
      return respond(webhook, request, receipt);
    } finally {
      const left = (waiting.get(id) ?? 1) - 1;
      if (left > 0) waiting.set(id, left);
      else waiting.delete(id);
    }
  }

  async function store({ token: _token, ...payload }: WebhookRequest): Promise<Receipt> {
    try {
      return await deps.intake.receive(payload);
    } catch (error) {
      // Whatever it was, the vendor must send it again: it was his, and it isn't stored.
      throw new RetryableError(`not stored: ${textOf(error)}`, { cause: error });
    }
  }

  function respond(webhook: Webhook, request: WebhookRequest, receipt: Receipt): HttpAnswer {
    try {
      return webhook.respond?.(request, receipt) ?? STORED;
    } catch (error) {
      deps.log.error({ endpoint: request.endpointId, error: textOf(error) }, 'stored, but the answer failed');
      return STORED;
    }
  }

  async function challenge(webhook: Webhook, route: Route, head: WebhookRequest): Promise<HttpAnswer> {
    const answer = ASKING.has(head.method) ? await webhook.challenge?.(head) : undefined;
    if (answer) return answer;
    deps.refusals.note(head, 405, 'this method carries no payload here');
    return problem(405, { allow: allowOf(webhook, route) });
  }

  function refusalOf(webhook: Webhook, request: WebhookRequest, error: unknown, bytes: number): HttpAnswer {
    const { endpointId: endpoint, remoteAddress } = request;
    if (error instanceof BadPayloadError) {
      const status = isRefusal(error.status) ? error.status : 401;
      deps.refusals.note(request, status, error.message);
      refused.spend(counterOf(remoteAddress), 1 + bytes / 65_536);
      return readable(webhook, request, error, problem(status));
    }
    if (error instanceof RateLimitedError) {
      const seconds = Math.min(Math.max(Math.ceil((error.retryAfterMs ?? 0) / 1000), 1), 3600);
      const status = error instanceof TooOftenRefusedError ? 429 : 503;
      deps.refusals.note(request, status, error.message);
      const refusal = problem(status, { 'retry-after': `${seconds}` });
      return readable(webhook, request, new RetryableError('not now'), refusal);
    }
    const hint = error instanceof TributaryError ? error.hint : undefined;
    deps.log.error({ endpoint, error: textOf(error), ...(hint ? { hint } : {}) }, 'answered 503, to be sent again');
    // What is wrong inside is not for strangers.
    return readable(webhook, request, new RetryableError('not stored'), UNAVAILABLE);
  }

  /** The refusal for people where the connector has one; status and `Retry-After` stay ours. */
  function readable(webhook: Webhook, request: WebhookRequest, error: Error, refusal: HttpAnswer): HttpAnswer {
    try {
      const answer = webhook.refuse?.(request, Object.assign(error, { status: refusal.status }));
      return answer
        ? { ...answer, status: refusal.status, headers: { ...answer.headers, ...retryAfterOf(refusal) } }
        : refusal;
    } catch (failure) {
      deps.log.error({ endpoint: request.endpointId, error: textOf(failure) }, 'the refusal for people failed');
      return refusal;
    }
  }

  async function handle(webhook: Webhook, route: Route, request: IncomingMessage, response: ServerResponse) {
    let asked = headOf(webhook, route, request);
    let answer: HttpAnswer;
    let fallback = UNAVAILABLE;
    let bytes = 0;
    let held = 0;
    const hold = (more: number): boolean => {
      if (bodies + more > limits.bodies) return false;
      bodies += more;
      held += more;
      return true;
    };
    try {
      if (request.rawHeaders.length > 2 * MAX_HEADERS) throw new BadPayloadError('too many headers', { status: 431 });
      admit(webhook, asked);
      if (carries(webhook, route, asked.method)) {
        // Until it is known: what is refused while it is read costs as much as the largest.
        bytes = webhook.maxBytes ?? MAX_BYTES;
        const body = await readBody(request, bytes, hold);
        bytes = body.length;
        asked = { ...asked, body, receivedAt: deps.clock.now() };
        answer = await file(webhook, asked);
        fallback = STORED;
      } else {
        answer = await challenge(webhook, route, asked);
      }
    } catch (error) {
      if (error instanceof HungUpError) return;
      answer = refusalOf(webhook, asked, error, bytes);
      fallback = problem(answer.status, retryAfterOf(answer));
    } finally {
      bodies -= held;
    }
    try {
      send(request, response, answer);
    } catch (error) {
      deps.log.error({ endpoint: asked.endpointId, error: textOf(error) }, 'the answer can not be sent as it is');
      send(request, response, fallback);
    }
  }

  return (request, response) => {
    const route = routeOf(request.url ?? '');
    if (route === undefined) return false;
    const found = route === 'unknown' ? undefined : openingOf(route, deps.endpoints.get(route.endpointId));
    if (route === 'unknown' || found === undefined) {
      send(request, response, problem(404));
    } else if (found === 'closed') {
      send(request, response, UNAVAILABLE);
    } else {
      handle(found, route, request, response).catch((error: unknown) => {
        deps.log.error({ endpoint: route.endpointId, error: textOf(error) }, 'no answer could be sent');
        response.destroy();
      });
    }
    return true;
  };
}

/** One address has been refused too often and is to slow down. Every other `RateLimitedError` is ours, and 503. */
class TooOftenRefusedError extends RateLimitedError {}

function retryAfterOf(answer: HttpAnswer): Record<string, string> {
  const after = answer.headers?.['retry-after'];
  return after === undefined ? {} : { 'retry-after': after };
}

/** How an endpoint takes what is pushed at this place; `closed` while it couldn't be opened, which is ours to repair. */
function openingOf(route: Route, endpoint: Endpoint | undefined): Webhook | 'closed' | undefined {
  if (!endpoint?.enabled) return undefined;
  if (route.type !== undefined && endpoint.type !== route.type) return undefined;
  if (route.below && endpoint.webhook && !endpoint.webhook.below) return undefined;
  return endpoint.webhook ?? (endpoint.problem === null ? undefined : 'closed');
}

/** Without a prototype, in lower case; what comes twice is joined, so that it can't be read two ways. */
function headersOf(request: IncomingMessage): Record<string, string> {
  const headers = Object.create(null) as Record<string, string>;
  const raw = request.rawHeaders;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = String(raw[i]).toLowerCase();
    const value = String(raw[i + 1]);
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  return headers;
}

function checkToken(webhook: Webhook, head: WebhookRequest): void {
  if (webhook.token === undefined) return;
  if (head.token === undefined || !equalSecrets(head.token, webhook.token.reveal())) {
    throw new BadPayloadError('the token in the address is missing or another one', {
      hint: 'Copy the address from the console again.',
    });
  }
}

function carries(webhook: Webhook, route: Route, method: string): boolean {
  return route.place !== 'aside' && CARRYING.has(method) && (webhook.methods ?? POST).includes(method);
}

function allowOf(webhook: Webhook, route: Route): string {
  const carrying = [...CARRYING].filter((method) => carries(webhook, route, method));
  return [...new Set([...carrying, ...(webhook.challenge ? ASKING : [])])].join(', ');
}
