import type { IncomingHttpHeaders } from 'node:http';

/** First and last byte, counted from 0. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * The part of a file that a GET asks for; undefined: all of it. What is no range of bytes, several ranges at once, and one
 * of another version of the file count as none; `none`: it lies behind the end. RFC 9110 §13.1.5, §14.1.2, §14.2.
 */
export function rangeOf(
  { range = '', 'if-range': ifRange }: IncomingHttpHeaders,
  { size, etag }: { readonly size: number; readonly etag: string },
): Range | 'none' | undefined {
  // A date can't tell one version from another: we send none.
  if (ifRange !== undefined && ifRange !== etag) return undefined;
  const [, first = '', last = ''] = /^bytes=[ \t]?(\d*)-(\d*)$/i.exec(range) ?? [];
  if (first === '') return last === '' ? undefined : lastBytes(Number(last), size);
  const end = last === '' ? Infinity : Number(last);
  if (Number(first) > end) return undefined;
  return Number(first) < size ? { start: Number(first), end: Math.min(end, size - 1) } : 'none';
}

function lastBytes(count: number, size: number): Range | 'none' | undefined {
  if (count === 0) return 'none';
  return size === 0 ? undefined : { start: Math.max(0, size - count), end: size - 1 };
}
