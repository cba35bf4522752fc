import { randomBytes } from 'node:crypto';
import type { Clock } from './clock.ts';

/** Makes ids such as `tkt_01K9…`: sorted by time, unique even when the clock jumps back. */
export type NewId = (prefix: IdPrefix) => string;

export type IdPrefix = 'pay' | 'evt' | 'cus' | 'tkt' | 'msg' | 'att' | 'tsk' | 'mrg' | 'key' | 'rte' | 'usr' | 'job';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/**
 * 48 bits of milliseconds and 80 random bits in Crockford's base 32. Within one process each id is
 * greater than the one before it: time never runs backwards here, and within a millisecond the random
 * part is counted up.
 */
export function createIds(clock: Clock): NewId {
  let last = 0;
  let random = 0n;
  return (prefix) => {
    const now = clock.now();
    if (now > last) {
      last = now;
      // The top bit stays free, so that counting up never overflows in practice.
      random = BigInt(`0x${randomBytes(10).toString('hex')}`) >> 1n;
    } else {
      random += 1n + BigInt(randomBytes(2).readUInt16BE());
    }
    return `${prefix}_${toBase32(BigInt(last), 10)}${toBase32(random, 16)}`;
  };
}

/** No id that is made at `ms` or later sorts before it: bounds a range of ids by time. */
export function firstId(prefix: IdPrefix, ms: number): string {
  return `${prefix}_${toBase32(BigInt(Math.max(0, Math.trunc(ms))), 10)}`;
}

function toBase32(value: bigint, length: number): string {
  let text = '';
  for (let rest = value; text.length < length; rest >>= 5n) text = ALPHABET.charAt(Number(rest & 31n)) + text;
  return text;
}
