import { createHash, timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';
import { z } from 'zod';

/** A value that can't be printed: logs, JSON, templates and `inspect` show `[secret]`. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Call it where it is used, and keep the result in no object. */
  reveal(): string {
    return this.#value;
  }

  /** What the console and the API show instead: dots and, where enough stays hidden, the last four characters. */
  mask(): string {
    return MASK + (this.#value.length >= 16 ? this.#value.slice(-4) : '');
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}

const MASK = '••••';

/** Whether a string is a mask as `Secret.mask` makes them: an update that contains one keeps the old value. */
export function isMask(value: unknown): boolean {
  return typeof value === 'string' && value.startsWith(MASK);
}

/** A secret in a config schema: written as a string, read as a `Secret`, shown by the console as a password field. */
export function secret(description = 'Secret') {
  return z
    .string()
    .min(1)
    .max(4096)
    .transform((value) => new Secret(value))
    .meta({ description, format: 'password', writeOnly: true });
}

/** A secret that has a known form: whoever pastes something else hears of it before the vendor says so. `error`: what it is not. */
export function shapedSecret(description: string, shape: RegExp, error: string) {
  return secret(description)
    .refine((value) => shape.test(value.reveal()), { error })
    .meta({ description, format: 'password', writeOnly: true });
}

/** Compares in constant time, whatever the lengths: both sides are hashed first. */
export function equalSecrets(a: string | Buffer, b: string | Buffer): boolean {
  const digest = (value: string | Buffer) => createHash('sha256').update(value).digest();
  return timingSafeEqual(digest(a), digest(b));
}
