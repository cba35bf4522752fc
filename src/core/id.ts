import { randomBytes } from 'node:crypto';
import type { Now } from './clock.ts';

/** Makes ids such as `tkt_01K9…`: sorted by time, unique even when the clock jumps back. */
export type NewId = (prefix: IdPrefix) => string;

export type IdPrefix = 'pay' | 'evt' | 'cus' | 'tkt' | 'msg' | 'att' | 'tsk' | 'mrg' | 'key' | 'rte' | 'usr' | 'job';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** Ids of one millisecond are told apart and kept in order by a counter of 20 bits. */
const MOST = 2 ** 20 - 1;
/** Random characters behind it, five bits each. */
const RANDOM = 12;
const POOL = 4096;

/**
 * 48 bits of milliseconds, a counter of 20 bits, and 60 random bits, in Crockford's base 32. Each id is
 * greater than the one before it: time never runs backwards here. `after` carries that over a restart.
 */
export function createIds(clock: Now, after = 0): NewId {
  let last = after;
  let head = toBase32(last, 10);
  let count = 0;
  let pool = randomBytes(POOL);
  let used = 0;

  function randomText(): string {
    if (used + RANDOM > POOL) {
      pool = randomBytes(POOL);
      used = 0;
    }
    let text = '';
    for (let i = 0; i < RANDOM; i++) text += ALPHABET[pool.readUInt8(used++) & 31];
    return text;
  }

  return (prefix) => {
    const now = clock.now();
    if (now > last || count === MOST) {
      last = Math.max(now, last + 1);
      head = toBase32(last, 10);
      count = 0;
    }
    return `${prefix}_${head}${toBase32(++count, 4)}${randomText()}`;
  };
}

/** No id that is made at `ms` or later sorts before it: bounds a range of ids by time. */
export function firstId(prefix: IdPrefix, ms: number): string {
  return `${prefix}_${toBase32(Math.max(0, Math.trunc(ms)), 10)}`;
}

/** When an id was made, milliseconds since the epoch. */
export function timeOf(id: string): number {
  return [...id.slice(4, 14)].reduce((sum, letter) => sum * 32 + ALPHABET.indexOf(letter), 0);
}

function toBase32(value: number, length: number): string {
  let text = '';
  for (let rest = value; text.length < length; rest = Math.floor(rest / 32)) text = ALPHABET.charAt(rest % 32) + text;
  return text;
}
