import { isUtf8 } from 'node:buffer';
import { BadPayloadError } from './errors.ts';

/** Deepest nesting: what lies deeper overflows the stack of whatever walks it later. */
export const MAX_DEPTH = 64;
/** Most keys of one object: more only serve to make hash tables slow. */
export const MAX_KEYS = 1000;

/** Keys that reach into prototypes; no vendor sends them. */
const DROPPED: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Reads JSON that a stranger wrote. Throws `BadPayloadError` (400) for what isn't UTF-8 (a BOM neither)
 * or JSON, is nested deeper than 64, has more than 1,000 keys in one object, a key twice in one object,
 * or a number that no double can hold.
 *
 * Otherwise as `JSON.parse`, but for four things that go wrong silently there: integers beyond 2^53
 * come as strings with all their digits, -0 is 0, lone surrogates are U+FFFD, and keys named
 * `__proto__`, `constructor` or `prototype` are left out.
 */
export function parseJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw refuse('the body is not UTF-8');
  const text = bytes.toString('utf8');
  const { keys, numbers } = scan(text);
  const value = parse(text);
  // Numbers are only rewritten in what has just proved to be JSON: in anything else they could be keys.
  const exact = numbers.length > 0 ? parse(rewrite(text, numbers)) : value;
  return tidy(exact, keys, text);
}

/** The same, and undefined for what can't be read. */
export function jsonOf(bytes: Buffer): unknown {
  try {
    return parseJson(bytes);
  } catch {
    return undefined;
  }
}

function refuse(text: string): BadPayloadError {
  return new BadPayloadError(text, { status: 400 });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // The engine's message quotes the body, which belongs into no log.
    const at = error instanceof Error ? /position (\d+)/.exec(error.message)?.[1] : undefined;
    throw refuse(at ? `the body is not JSON (at character ${at})` : 'the body is not JSON');
  }
}

/** A number that has to be written differently, and where it stands. */
interface Rewrite {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** One pass, before anything is built: depth, keys per object, and numbers that `JSON.parse` would change. */
function scan(text: string): { keys: number; numbers: Rewrite[] } {
  const counts: number[] = [];
  const numbers: Rewrite[] = [];
  let depth = 0;
  let keys = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      i = endOfString(text, i);
    } else if (isNumeric(code)) {
      const end = endOfNumber(text, i);
      const written = numberOf(text, i, end);
      if (written !== undefined) numbers.push({ start: i, end, text: written });
      i = end - 1;
    } else if (code === 0x3a /* : */) {
      keys++;
      const count = (counts[depth] ?? 0) + 1;
      counts[depth] = count;
      if (count > MAX_KEYS) throw refuse(`the JSON has an object with more than ${MAX_KEYS} keys`);
    } else if ((code | 0x20) === 0x7b /* [ { */) {
      if (++depth > MAX_DEPTH) throw refuse(`the JSON is nested deeper than ${MAX_DEPTH}`);
      counts[depth] = 0;
    } else if ((code | 0x20) === 0x7d /* ] } */) {
      if (--depth < 0) throw refuse('the body is not JSON');
    }
  }
  return { keys, numbers };
}

/** Where the string that starts at `start` ends: the next quote with an even number of backslashes before it. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slashes = end;
    while (text.charCodeAt(slashes - 1) === BACKSLASH) slashes--;
    if ((end - slashes) % 2 === 0) return end;
  }
  return text.length;
}

function endOfNumber(text: string, start: number): number {
  let end = start + 1;
  while (isNumeric(text.charCodeAt(end))) end++;
  return end;
}

/** What numbers are written with. The `e` of `true` and `false` comes along and means nothing. */
function isNumeric(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || code === 0x2d || code === 0x2e || code === 0x2b || (code | 0x20) === 0x65;
}

/** How a number has to be written instead, or undefined when `JSON.parse` reads it as it is meant. */
function numberOf(text: string, start: number, end: number): string | undefined {
  const negative = text.charCodeAt(start) === 0x2d;
  if (!negative && end - start < 4) return undefined;
  const token = text.slice(start, end);
  const value = Number(token);
  if (value === Infinity || value === -Infinity) throw refuse('the JSON has a number that is too large');
  if (Object.is(value, -0)) return '0';
  return /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(value) ? `"${token}"` : undefined;
}

function rewrite(text: string, numbers: readonly Rewrite[]): string {
  const parts: string[] = [];
  let from = 0;
  for (const number of numbers) {
    parts.push(text.slice(from, number.start), number.text);
    from = number.end;
  }
  parts.push(text.slice(from));
  return parts.join('');
}

/** Takes out what prototypes are reached by, mends surrogates, and counts the keys: fewer than written means one came twice. */
function tidy(root: unknown, written: number, text: string): unknown {
  // Decoded UTF-8 has no lone surrogates, so they can only come from escapes.
  const mend = /\\u[dD][89a-fA-F]/.test(text) ? (value: string) => value.toWellFormed() : undefined;
  let found = 0;
  const visit = (value: unknown): unknown => {
    if (typeof value === 'string') return mend ? mend(value) : value;
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) value[i] = visit(value[i]);
      return value;
    }
    return visitObject(value as Record<string, unknown>);
  };
  const visitObject = (object: Record<string, unknown>): Record<string, unknown> => {
    const names = Object.keys(object);
    found += names.length;
    const result: Record<string, unknown> = mend ? {} : object;
    for (const name of names) {
      const inner = visit(object[name]);
      if (DROPPED.has(name)) delete result[name];
      else if (mend) adopt(result, mend(name), inner);
    }
    return result;
  };
  const result = visit(root);
  if (found !== written) throw refuse('the JSON has a key twice in one object');
  return result;
}

function adopt(object: Record<string, unknown>, name: string, value: unknown): void {
  if (Object.hasOwn(object, name)) throw refuse('the JSON has a key twice in one object');
  object[name] = value;
}
