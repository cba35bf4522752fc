import dns from 'node:dns/promises';
import http from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import type { LookupFunction, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { codes, withCode } from './failure.ts';
import type { Guard } from './guard.ts';
import { normalHost } from './guard.ts';

/** Finds every address of a host. Injected by tests; the system's resolver otherwise. */
export type Resolve = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

export const systemResolve: Resolve = (host) => dns.lookup(host, { all: true });

/** How long an idle connection is kept: less than the five seconds after which many servers close it. */
const IDLE_MS = 4000;

export interface Agents {
  readonly http: http.Agent;
  readonly https: https.Agent;
}

/**
 * Agents that connect only where the guard lets them: it sees the very address that the socket is then
 * connected to, so a name that resolves differently a moment later makes no difference. A connection that
 * isn't up (TLS included) within `connectMs` fails. Connections are kept for calls to the same origin.
 */
export function createAgents(deps: { guard: Guard; resolve: Resolve; connectMs: number }): Agents {
  // autoSelectFamily gives up on an address after 250 ms otherwise, which is short for another continent.
  const options = { keepAlive: true, autoSelectFamilyAttemptTimeout: 2000 };
  return {
    http: guarded(new http.Agent(options), 'connect', deps),
    https: guarded(new https.Agent(options), 'secureConnect', deps),
  };
}

function guarded<A extends http.Agent>(
  agent: A,
  ready: 'connect' | 'secureConnect',
  { guard, resolve, connectMs }: { guard: Guard; resolve: Resolve; connectMs: number },
): A {
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, done) => {
    const target = { host: normalHost(options.host ?? ''), port: Number(options.port) };
    const isRefused = isIP(target.host) === 0 ? !isName(target.host) : !guard(target, target.host);
    if (isRefused) {
      done?.(refusal(), undefined as never);
      return undefined;
    }
    // What Node would otherwise take from the caller: a way round the resolver, a path of a Unix socket.
    const lookup = guardedLookup((address) => guard(target, address), resolve);
    const socket = connect({ ...options, host: target.host, path: null, lookup });
    if (socket) limitConnecting(socket as Socket, ready, connectMs);
    return socket;
  };
  const keep: (socket: Duplex) => unknown = agent.keepSocketAlive.bind(agent);
  agent.keepSocketAlive = (socket) => {
    const isKept = keep(socket);
    const { timeout } = socket as Socket;
    if (isKept && (!timeout || timeout > IDLE_MS)) (socket as Socket).setTimeout(IDLE_MS);
    return isKept as never;
  };
  return agent;
}

/** Letters, digits, hyphen and underscore between dots: anything else no two resolvers read alike. */
export function isName(host: string): boolean {
  return host.length <= 253 && /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(host);
}

function guardedLookup(passes: (address: string) => boolean, resolve: Resolve): LookupFunction {
  return (host, options, done) => {
    resolve(host).then(
      (found) => {
        const [first] = found;
        // One bad address among good ones is how rebinding works: then none is used.
        if (!first || !found.every(({ address }) => passes(address))) done(refusal(), '');
        else if (options.all) done(null, [...found]);
        else done(null, first.address, first.family);
      },
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error)), ''),
    );
  };
}

function limitConnecting(socket: Socket, ready: string, connectMs: number): void {
  const timer = setTimeout(() => {
    socket.destroy(withCode(codes.connectDeadline, `no connection within ${connectMs} ms`));
  }, connectMs);
  const stop = () => clearTimeout(timer);
  socket.once(ready, stop).once('close', stop);
}

function refusal(): Error {
  return withCode(codes.refused, 'this address may not be called');
}
