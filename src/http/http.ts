import type { Clock } from '../core/clock.ts';
import { systemClock } from '../core/clock.ts';
import type { Http } from '../core/connector.ts';
import type { Agents, Resolve } from './agents.ts';
import { createAgents, systemResolve } from './agents.ts';
import { lentFetch, stream } from './fetch.ts';
import { createGuard } from './guard.ts';
import type { Limits, Outlet } from './request.ts';
import { bare } from './request.ts';
import { resolveAddress } from './resolve.ts';
import { createSeats } from './seats.ts';
import { send } from './send.ts';
import { openSocket } from './socket.ts';

const LIMITS: Limits = {
  connectMs: 5000,
  firstByteMs: 15_000,
  totalMs: 30_000,
  fetchMs: 90_000,
  fetchBytes: 32 * 1024 * 1024,
};

/** Ports that a public host may be reached at for other protocols than HTTP: SMTP, IMAP and their TLS twins. */
const MAIL_PORTS = [25, 143, 465, 587, 993];

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
  /** `hosts` (`host` for its ports of web and mail, or `host:port`) were named for this endpoint by the operator in the YAML: they may be private. */
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
  const seats = createSeats();
  return {
    for({ hosts }) {
      const guard = createGuard({ allow, hosts, ports: webPorts });
      const mailGuard = createGuard({ allow, hosts, ports: MAIL_PORTS });
      const agents = createAgents({ guard, resolve, connectMs: limits.connectMs });
      opened.push(agents);
      const outlet: Outlet = { agents, limits, userAgent, clock };
      return {
        agents,
        // Only what the caller wrote himself: what is left out must not be found on Object.prototype.
        send: (request) => send(outlet, bare(request)),
        stream: (request) => stream(outlet, bare(request)),
        socket: (request) => openSocket(outlet, bare(request)),
        // Its Response has a Node stream as body where the built-in one has a web stream; SDKs that take a fetch take both.
        fetch: ((...given) => lentFetch(outlet, ...given)) as (...given: Parameters<typeof fetch>) => Promise<never>,
        resolve: (host, port) =>
          resolveAddress({ guard: mailGuard, resolve, deadlineMs: limits.connectMs }, host, port),
        seat: seats.take,
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
