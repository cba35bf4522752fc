import type { Clock } from '../core/clock.ts';
import { systemClock } from '../core/clock.ts';
import type { Http } from '../core/connector.ts';
import type { Agents, Resolve } from './agents.ts';
import { createAgents, systemResolve } from './agents.ts';
import { lentFetch, stream } from './fetch.ts';
import { createGuard } from './guard.ts';
import type { Limits, Outlet } from './request.ts';
import { bare } from './request.ts';
import { send } from './send.ts';

const LIMITS: Limits = {
  connectMs: 5000,
  firstByteMs: 15_000,
  totalMs: 30_000,
  fetchMs: 90_000,
  fetchBytes: 32 * 1024 * 1024,
};

export interface HttpOptions {
  /** `egress.allow`: what may be private, for every endpoint: hosts, addresses, CIDRs; all ports, or the one behind `:`. */
  readonly allow: readonly string[];
  /** Ports of hosts that nobody named; 80 and 443 when left out. */
  readonly webPorts?: readonly number[];
  readonly userAgent?: string;
  /** How names are resolved; the system's way when left out. */
  readonly resolve?: Resolve;
  /** What a date in `Retry-After` is counted from. */
  readonly clock?: Clock;
  readonly limits?: Partial<Limits>;
}

/** The guarded way out, for every endpoint its own. */
export interface Egress {
  /** `hosts` (`host` for its web ports, or `host:port`) were named for this endpoint by the operator in the YAML: they may be private. */
  for(trust: { readonly hosts: readonly string[] }): Http;
  /** Ends every connection. */
  close(): void;
}

export function createHttp(options: HttpOptions): Egress {
  const {
    allow,
    webPorts = [80, 443],
    resolve = systemResolve,
    userAgent = 'Tributary',
    clock = systemClock,
  } = options;
  const limits = { ...LIMITS, ...options.limits };
  const opened: Agents[] = [];
  return {
    for({ hosts }) {
      const guard = createGuard({ allow, hosts, webPorts });
      const agents = createAgents({ guard, resolve, connectMs: limits.connectMs });
      opened.push(agents);
      const outlet: Outlet = { agents, limits, userAgent, clock };
      return {
        agents,
        // Only what the caller wrote himself: what is left out must not be found on Object.prototype.
        send: (request) => send(outlet, bare(request)),
        stream: (request) => stream(outlet, bare(request)),
        // Its Response has a Node stream as body where the built-in one has a web stream; SDKs that take a fetch take both.
        fetch: ((...given) => lentFetch(outlet, ...given)) as (...given: Parameters<typeof fetch>) => Promise<never>,
      };
    },
    close() {
      for (const agents of opened.splice(0)) {
        agents.http.destroy();
        agents.https.destroy();
      }
    },
  };
}
