import busboy from 'busboy';
import { BadPayloadError, textOf } from '../../core/errors.ts';
import { jsonOf, MAX_KEYS, parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';

/** Names that reach into prototypes: left out, as `parseJson` leaves them out. */
const DROPPED: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * What a body says, as JSON. `form`: written as browsers write forms (urlencoded or multipart), unless it calls itself
 * JSON: an object of name → value, flat, a list where a name comes more than once. Files in it are left out. Throws
 * `BadPayloadError` for what can't be read.
 */
export async function readBody(payload: Payload, format: 'json' | 'form'): Promise<unknown> {
  const type = (payload.headers['content-type'] ?? '').toLowerCase();
  if (format === 'json' || type.startsWith('application/json')) return parseJson(payload.body);
  return toObject(type.startsWith('multipart/form-data') ? await readMultipart(payload) : readUrlencoded(payload.body));
}

/** The same with the texts at these names, which are JSON again, as what they say. */
export function unwrapped(root: unknown, names: readonly string[]): unknown {
  if (typeof root !== 'object' || root === null || Array.isArray(root)) return root;
  return Object.fromEntries(
    Object.entries(root).map(([name, value]: [string, unknown]) => {
      const inner = names.includes(name) && typeof value === 'string' ? jsonOf(Buffer.from(value)) : undefined;
      return [name, inner ?? value];
    }),
  );
}

type Pair = readonly [name: string, value: string];

function toObject(pairs: readonly Pair[]): Record<string, string | string[]> {
  const values = new Map<string, string[]>();
  for (const [name, value] of pairs) {
    // A list, as PHP wants it written.
    const key = name.replace(/\[\]$/, '');
    if (!DROPPED.has(key)) values.set(key, [...(values.get(key) ?? []), value]);
  }
  return Object.fromEntries([...values].map(([name, all]) => [name, all.length > 1 ? all : (all[0] ?? '')]));
}

function readUrlencoded(body: Buffer): Pair[] {
  const text = body.toString('latin1');
  if (text.split('&', MAX_KEYS + 1).length > MAX_KEYS) throw tooMany();
  const pairs = [...new URLSearchParams(body.toString('utf8'))];
  // It replaces what isn't UTF-8 and says nothing.
  if (pairs.flat().join('').includes('\ufffd') && !/%EF%BF%BD/i.test(text) && !body.includes('\ufffd')) {
    throw new BadPayloadError('the body is not UTF-8', { status: 400 });
  }
  return pairs;
}

async function readMultipart({ headers, body }: Payload): Promise<Pair[]> {
  const pairs: Pair[] = [];
  await new Promise<void>((resolve, reject) => {
    const parser = createParser(headers['content-type'] ?? '', body.length);
    parser.on('field', (name: string | undefined, value) => pairs.push([name ?? '', value]));
    parser.on('file', (_name, stream) => stream.resume());
    for (const event of ['partsLimit', 'fieldsLimit'] as const) parser.on(event, () => reject(tooMany()));
    parser.on('error', (error) => reject(unreadable(error)));
    parser.on('close', resolve);
    parser.end(body);
  });
  return pairs;
}

function createParser(type: string, bytes: number): busboy.Busboy {
  const limits = { fields: MAX_KEYS, parts: MAX_KEYS, fieldSize: bytes, fieldNameSize: 1000, files: MAX_KEYS };
  try {
    return busboy({ headers: { 'content-type': type }, defParamCharset: 'utf8', limits });
  } catch (error) {
    throw unreadable(error);
  }
}

function tooMany(): BadPayloadError {
  return new BadPayloadError(`more than ${MAX_KEYS} names`, { status: 413 });
}

function unreadable(error: unknown): BadPayloadError {
  return new BadPayloadError(`the multipart body can't be read: ${textOf(error)}`, { status: 400 });
}
