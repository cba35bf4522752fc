import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';

/** How gateways write text; what a form or an address encodes is bytes of it. */
export const charsets = ['utf-8', 'windows-1251', 'koi8-r', 'koi8-u'] as const;
export type Charset = (typeof charsets)[number];

/** Finds a value by the name that the settings give it. */
export type Lookup = (name: string) => string | undefined;

/** More than any gateway sends. */
const MAX_PARAMETERS = 500;

/**
 * What a request says, one lookup for each message in it: the JSON of its body (a list has several), else its form and
 * the parameters of its address.
 */
export function lookupsOf({ headers, body, url }: Payload, charset: Charset): Lookup[] {
  const first = body.find((byte) => byte > 0x20);
  if (first === 0x7b || first === 0x5b || (headers['content-type'] ?? '').startsWith('application/json')) {
    const root = parseJson(charset === 'utf-8' ? body : Buffer.from(decode(body, charset), 'utf8'));
    return (Array.isArray(root) ? root : [root]).map((value: unknown) => (name) => textAt(value, name));
  }
  const start = url.indexOf('?');
  const query = Buffer.from(start < 0 ? '' : url.slice(start + 1), 'latin1');
  const form = new Map([...parametersOf(query, charset), ...parametersOf(body, charset)]);
  return [(name) => form.get(name) || undefined];
}

/** A name of a form, or a path into JSON: `text`, `/message/text`. Numbers and truth values count as their text. */
function textAt(value: unknown, name: string): string | undefined {
  const path = name.startsWith('/') ? name.slice(1).split('/') : [name];
  let found = value;
  for (const step of path) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
    found = typeof found === 'object' && found !== null ? (found as Own)[key] : undefined;
  }
  if (typeof found === 'string') return found === '' ? undefined : found;
  return typeof found === 'number' || typeof found === 'boolean' ? String(found) : undefined;
}

type Own = Readonly<Record<string, unknown>>;

/** Throws where a name has several values that differ: nobody knows which is meant. */
function parametersOf(bytes: Buffer, charset: Charset): Map<string, string> {
  const found = new Map<string, string>();
  const pairs = bytes.toString('latin1').split('&', MAX_PARAMETERS + 1);
  if (pairs.length > MAX_PARAMETERS) throw new Error(`more than ${MAX_PARAMETERS} parameters`);
  for (const pair of pairs) {
    const [, name = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(pair) ?? [];
    const key = unescape(name, charset);
    const text = unescape(value, charset);
    if ((found.get(key) ?? text) !== text) throw new Error(`${key} is there more than once, with different values`);
    found.set(key, text);
  }
  return found;
}

/** `%D0` and `+` are bytes of the charset, and so is what stands there as it is. */
function unescape(text: string, charset: Charset): string {
  const bytes = text
    .replaceAll('+', ' ')
    .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return decode(Buffer.from(bytes, 'latin1'), charset);
}

function decode(bytes: Buffer, charset: Charset): string {
  return new TextDecoder(charset, { ignoreBOM: true }).decode(bytes);
}
