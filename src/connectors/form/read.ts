import { z } from 'zod';
import { BadPayloadError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import { badRequest, tooLarge } from './entries.ts';
import type { Draft, Entries, Limits, Upload } from './entries.ts';
import { readMultipart } from './multipart.ts';
import { filesAllowed } from './config.ts';
import type { FormConfig } from './config.ts';

const MOST_NAMES = 200;
const LONGEST_NAME = 200;
/** For what was accepted once: it stays readable when the operator lowers a limit later. */
export const NO_LIMITS: Limits = { files: Infinity, fileBytes: Infinity };
/** Text alone is never larger; decoding more would only cost time. */
const LONGEST_URLENCODED = 1024 * 1024;
/** Keys that reach into prototypes: left out, as `parseJson` leaves them out. */
const DROPPED: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Reads JSON, urlencoded or multipart. Throws `BadPayloadError`: 415 another content type or charset, 413 more
 * names, files or bytes than allowed, 400 anything that can't be read or could be read two ways.
 */
export async function readEntries(
  payload: Payload,
  config: FormConfig,
  limits: Limits = { files: filesAllowed(config), fileBytes: config.maxFileBytes },
): Promise<Entries> {
  const kind = kindOf(payload);
  const draft =
    kind === 'multipart'
      ? await readMultipart(payload, { ...limits, names: MOST_NAMES })
      : kind === 'json'
        ? readJson(payload.body, config)
        : { values: readUrlencoded(payload.body), files: [] };
  if (draft.values.length > MOST_NAMES) throw tooLarge(`more than ${MOST_NAMES} fields`);
  if (draft.files.length > limits.files) throw tooLarge(`more than ${limits.files} files`);
  if (draft.files.some((file) => file.bytes.length > limits.fileBytes)) {
    throw tooLarge(`a file is larger than ${limits.fileBytes} bytes`);
  }
  return {
    format: kind === 'json' ? 'json' : 'form',
    values: toValues(draft.values),
    files: draft.files.map((file, index) => ({ ...file, id: `f${index}`, ...cleanFile(file) })),
  };
}

/** Which of the three it is written in, by its content type. */
function kindOf(payload: Payload): 'json' | 'urlencoded' | 'multipart' {
  const [type = '', ...parameters] = (payload.headers['content-type'] ?? '').split(';').map((part) => part.trim());
  const charset = parameters.find((part) => /^charset=/i.test(part))?.slice('charset='.length);
  const kind = type.toLowerCase();
  const readable = charset === undefined || /^"?utf-?8"?$/i.test(charset);
  if (readable && kind === 'application/json') return 'json';
  if (readable && kind === 'application/x-www-form-urlencoded') return 'urlencoded';
  if (kind === 'multipart/form-data') return 'multipart';
  throw new BadPayloadError('the content type is none of JSON, urlencoded and multipart in UTF-8', {
    status: 415,
    hint: 'Send application/json, application/x-www-form-urlencoded or multipart/form-data, in UTF-8.',
  });
}

function toValues(pairs: Draft['values']): Map<string, string> {
  const values = new Map<string, string>();
  const seen = new Set<string>();
  for (const [name, value] of pairs) {
    if (DROPPED.has(name)) continue;
    if (name === '' || name.length > LONGEST_NAME) throw badRequest('a field has no name, or one that is too long');
    if (name.includes('\0') || value.includes('\0')) throw badRequest('a field contains a NUL character');
    // Which of the two was meant is anybody's guess.
    if (seen.has(name)) throw badRequest('a field comes twice');
    seen.add(name);
    const text = value.replace(/\r\n?/g, '\n').trim();
    if (text !== '') values.set(name, text);
  }
  return values;
}

/** Flat: brackets in names mean nothing. */
function readUrlencoded(body: Buffer): [string, string][] {
  if (body.length > LONGEST_URLENCODED) throw tooLarge(`more than ${LONGEST_URLENCODED} bytes of text`);
  const pairs = body.toString('latin1').split('&', MOST_NAMES + 1);
  if (pairs.length > MOST_NAMES) throw tooLarge(`more than ${MOST_NAMES} fields`);
  return pairs
    .filter((pair) => pair !== '')
    .map((pair) => {
      const at = pair.indexOf('=');
      return at < 0 ? [decode(pair), ''] : [decode(pair.slice(0, at)), decode(pair.slice(at + 1))];
    });
}

function decode(text: string): string {
  const bytes = text
    .replaceAll('+', ' ')
    .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(bytes, 'latin1'));
  } catch {
    throw badRequest('the body is not UTF-8');
  }
}

const JsonFile = z.object({
  name: z.string().max(1000),
  mediaType: z.string().max(255).default(''),
  content: z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/),
});

/** One object. Files stand as `{ name, mediaType, content }`, content in base64, in `attachments` or in a file field. */
function readJson(body: Buffer, config: FormConfig): Draft {
  const parsed = parseJson(body);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw badRequest('the body is not a JSON object');
  }
  const fileFields = new Set(config.fields.filter((field) => field.type === 'file').map((field) => field.name));
  const values: [string, string][] = [];
  const files: Omit<Upload, 'id'>[] = [];
  for (const [name, value] of Object.entries(parsed)) {
    if (name === 'attachments' || fileFields.has(name)) files.push(...toFiles(name, value));
    else if (value !== null) values.push([name, typeof value === 'string' ? value : JSON.stringify(value)]);
  }
  return { values, files };
}

function toFiles(field: string, value: unknown): Omit<Upload, 'id'>[] {
  const read = z.array(JsonFile).safeParse(Array.isArray(value) ? value : value === null ? [] : [value]);
  if (!read.success) throw badRequest('a file is not an object of name, mediaType and content in base64');
  return read.data.map((file) => ({
    field,
    name: file.name,
    mediaType: file.mediaType,
    bytes: Buffer.from(file.content, 'base64'),
  }));
}

/** A name without a path and without characters that lie about it, and a media type that is one. */
function cleanFile(file: Omit<Upload, 'id'>): { name: string; mediaType: string } {
  const name = file.name
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '')
    .split(/[/\\]/)
    .at(-1)
    ?.trim();
  return {
    name: Array.from(name || 'file')
      .slice(0, 200)
      .join(''),
    mediaType: /^[a-z0-9.+-]{1,100}\/[a-z0-9.+-]{1,100}$/i.test(file.mediaType)
      ? file.mediaType.toLowerCase()
      : 'application/octet-stream',
  };
}
