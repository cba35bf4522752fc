import type { Seat } from '../core/connector.ts';
import { normalHost } from './guard.ts';

/** The connections that all endpoints hold to each host, counted. */
export interface Seats {
  readonly take: (host: string, most: number, signal: AbortSignal) => Promise<Seat>;
}

interface Waiter {
  readonly most: number;
  readonly sit: () => void;
}

interface Host {
  taken: number;
  readonly waiters: Waiter[];
}

/**
 * Servers limit how many connections one address may hold, and refuse or block whoever exceeds it. Seats are
 * given in the order in which they were asked for.
 */
export function createSeats(): Seats {
  const hosts = new Map<string, Host>();

  /** Only the first in line: else one with few seats would wait for ever behind others with many. */
  function seatWhoMay(host: Host): void {
    const [first] = host.waiters;
    if (!first || host.taken >= first.most) return;
    host.waiters.shift();
    host.taken += 1;
    first.sit();
    seatWhoMay(host);
  }

  function seatAt(name: string, host: Host): Seat {
    let isHeld = true;
    return {
      isWanted: () => host.waiters.length > 0,
      release() {
        if (!isHeld) return;
        isHeld = false;
        host.taken -= 1;
        seatWhoMay(host);
        if (host.taken === 0 && host.waiters.length === 0) hosts.delete(name);
      },
    };
  }

  return {
    take(address, most, signal) {
      const name = normalHost(address);
      const host = hosts.get(name) ?? { taken: 0, waiters: [] };
      hosts.set(name, host);
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error);
        const waiter: Waiter = {
          most,
          sit() {
            signal.removeEventListener('abort', leave);
            resolve(seatAt(name, host));
          },
        };
        function leave(): void {
          host.waiters.splice(host.waiters.indexOf(waiter), 1);
          reject(signal.reason as Error);
          seatWhoMay(host);
        }
        signal.addEventListener('abort', leave, { once: true });
        host.waiters.push(waiter);
        seatWhoMay(host);
      });
    },
  };
}
