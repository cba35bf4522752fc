import type { Clock } from '../core/clock.ts';
import type { Refusal, Refusals } from '../core/gateway.ts';
import { toTime } from '../core/ticket.ts';

const KEPT_MS = 24 * 3_600_000;
const MOST_PER_ENDPOINT = 50;
const MOST_ENDPOINTS = 1000;

interface Ring {
  count: number;
  /** Oldest first. */
  readonly list: { readonly at: number; readonly refusal: Refusal }[];
}

/**
 * What was refused lately, for the operator who asks why nothing arrives: the last 50 of each endpoint,
 * a day long, in memory. Names of headers but no values, no body, no address with its token.
 */
export function createRefusals(clock: Clock): Refusals & {
  /** How many requests of an endpoint were refused since the start. */
  countOf(endpointId: string): number;
} {
  const rings = new Map<string, Ring>();
  const fresh = (ring: Ring | undefined) => ring?.list.filter(({ at }) => clock.now() - at < KEPT_MS) ?? [];
  return {
    note(request, status, reason) {
      const ring = rings.get(request.endpointId) ?? { count: 0, list: [] };
      // Put at the end again: when there are too many endpoints, the one refused longest ago goes.
      rings.delete(request.endpointId);
      rings.set(request.endpointId, ring);
      if (rings.size > MOST_ENDPOINTS) rings.delete(rings.keys().next().value ?? '');
      ring.count++;
      ring.list.push({
        at: request.receivedAt,
        refusal: {
          at: toTime(request.receivedAt),
          status,
          reason: clean(reason, 200),
          method: request.method,
          remoteAddress: request.remoteAddress ?? null,
          headers: Object.keys(request.headers).map((name) => clean(name, 100)),
          size: request.body.length > 0 ? request.body.length : Number(request.headers['content-length'] ?? 0),
        },
      });
      if (ring.list.length > MOST_PER_ENDPOINT) ring.list.shift();
    },
    of: (endpointId) =>
      fresh(rings.get(endpointId))
        .map(({ refusal }) => refusal)
        .reverse(),
    countOf: (endpointId) => rings.get(endpointId)?.count ?? 0,
  };
}

function clean(text: string, length: number): string {
  return text
    .toWellFormed()
    .slice(0, length)
    .replace(/\p{Cc}/gu, ' ');
}
