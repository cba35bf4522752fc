import { z } from 'zod';

/** Discord's ids: 64 bits, the time in the upper ones, unique everywhere. https://discord.com/developers/docs/reference#snowflakes */
export const Snowflake = z.string().regex(/^\d{1,20}$/);

/** The first millisecond that an id can name. */
const EPOCH = 1_420_070_400_000;
const TIME_BITS = 22n;

/** The smallest id of something that came to be at this time (milliseconds). */
export function idAt(ms: number): string {
  return String(BigInt(Math.max(0, Math.floor(ms) - EPOCH)) << TIME_BITS);
}

/** Whether `id` came to be at or after the time that `since` names. */
export function isSince(id: string, since: string): boolean {
  return BigInt(id) >= BigInt(since);
}

/** Oldest first. */
export function byAge(a: { readonly id: string }, b: { readonly id: string }): number {
  return BigInt(a.id) < BigInt(b.id) ? -1 : 1;
}
