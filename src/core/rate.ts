import { isIPv6 } from 'node:net';
import type { Clock } from './clock.ts';

/** Most names remembered; beyond it the ones seen longest ago are forgotten. */
const MOST_NAMES = 10_000;
const MINUTE = 60_000;

/** Counts what strangers send per name (an address, a visitor) and minute, in this process. */
export function createRate(perMinute: number, clock: Clock): { allows(name: string): boolean } {
  const seen = new Map<string, { readonly since: number; count: number }>();
  return {
    allows(name) {
      const now = clock.now();
      const entry = seen.get(name);
      if (entry && now >= entry.since && now - entry.since < MINUTE) return ++entry.count <= perMinute;
      seen.delete(name);
      seen.set(name, { since: now, count: 1 });
      const oldest = seen.size > MOST_NAMES ? seen.keys().next().value : undefined;
      if (oldest !== undefined) seen.delete(oldest);
      return true;
    },
  };
}

/** An IPv4 address, or the /64 of an IPv6 one: one subscriber has that many addresses. */
export function networkOf(address = 'unknown'): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d[\d.]+)$/i.exec(address)?.[1];
  if (mapped) return mapped;
  const [front = [], back = []] = address.split('::').map((side) => (side === '' ? [] : side.split(':')));
  const zeros = Array.from({ length: Math.max(0, 8 - front.length - back.length) }, () => '0');
  const groups = [...front, ...zeros, ...back].slice(0, 4);
  return groups.map((group) => parseInt(group, 16)).join(':');
}
