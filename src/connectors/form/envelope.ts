import { createHash } from 'node:crypto';
import type { EnvelopeInput } from '../../core/envelope.ts';
import type { Payload } from '../../core/payload.ts';
import { tagsOf, wishedLanguage } from '../../core/wished-language.ts';
import { isTicked } from './check.ts';
import { HONEYPOT } from './config.ts';
import type { Field, FormConfig } from './config.ts';
import type { Entries } from './entries.ts';
import { TOKEN } from './guards.ts';
import type { Page } from './guards.ts';
import { labelOf, textsOf } from './texts.ts';

/** Where the page says in which language it was. */
export const LANGUAGE = '_lang';

/** A post as an envelope. All that says who wrote it was typed, so it is claimed. */
export function toEnvelope(
  entries: Entries,
  payload: Payload,
  page: Page | undefined,
  config: FormConfig,
): EnvelopeInput {
  const rest = new Map(entries.values);
  for (const name of [TOKEN, LANGUAGE, HONEYPOT]) rest.delete(name);
  const take = (name: string | undefined): string | undefined => {
    const value = name === undefined ? undefined : rest.get(name);
    if (name !== undefined) rest.delete(name);
    return value;
  };
  if (entries.format === 'json') take('id');
  const externalId = idOf(entries, payload, page);
  const email = take(firstOf(config, 'email'));
  const phone = take(firstOf(config, 'phone'));
  const name = take('name');
  const subject = take('subject');
  const text = take(rest.has('message') ? 'message' : firstOf(config, 'textarea'));
  const identifiers = [
    ...(email ? [{ kind: 'email', value: email, trust: 'claimed' as const }] : []),
    ...(phone ? [{ kind: 'phone', value: phone, trust: 'claimed' as const }] : []),
  ];
  const locale = tagsOf(entries.values.get(LANGUAGE) ?? payload.headers['accept-language'])[0];
  return {
    kind: 'form',
    externalId,
    occurredAt: payload.receivedAt,
    sender: {
      ...(name && { name: oneLine(name) }),
      // Nobody said who he is: a person of his own.
      identifiers: identifiers.length > 0 ? identifiers : [{ kind: 'form', value: externalId, trust: 'claimed' }],
      ...(locale && { locale }),
    },
    ...(subject && { subject: oneLine(subject) }),
    text: text ?? summaryOf(rest, config),
    attachments: entries.files.map(({ id, name, mediaType, bytes }) => ({ id, name, mediaType, size: bytes.length })),
    fields: fieldsOf(rest, payload, page, config),
  };
}

/**
 * One id for what is one message: the same content from the same page, or under the same key of the
 * sender. Without either nobody can tell a repeated request from a repeated thought: both are kept.
 */
function idOf(entries: Entries, payload: Payload, page: Page | undefined): string {
  const given =
    payload.headers['idempotency-key'] ?? (entries.format === 'json' ? entries.values.get('id') : undefined);
  const key = page ? `page ${page.nonce}` : given ? `key ${given}` : `at ${payload.receivedAt}`;
  const own = [TOKEN, LANGUAGE];
  const content = [
    [...entries.values].filter(([name]) => !own.includes(name)),
    entries.files.map((file) => [file.field, file.name, createHash('sha256').update(file.bytes).digest('hex')]),
  ];
  // The content is part of it: whoever guesses a key, or writes twice from one page, must not make a message vanish.
  return createHash('sha256')
    .update(JSON.stringify([key, content]))
    .digest('base64url');
}

function firstOf(config: FormConfig, type: Field['type']): string | undefined {
  return config.fields.find((field) => field.type === type)?.name;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, 1000);
}

/** A form without a text, such as a request to be called back, still says something. */
function summaryOf(values: ReadonlyMap<string, string>, config: FormConfig): string {
  const texts = textsOf(wishedLanguage(config.language));
  return config.fields
    .flatMap((field) => {
      const value = values.get(field.name);
      if (value === undefined) return [];
      const shown = field.type === 'checkbox' ? (isTicked(value) ? '✓' : '–') : value;
      return [`${labelOf(field, texts)}: ${shown}`];
    })
    .join('\n');
}

/** All the rest, and what the request itself says; that stands last, so that nobody can type it. */
function fieldsOf(
  rest: ReadonlyMap<string, string>,
  payload: Payload,
  page: Page | undefined,
  config: FormConfig,
): Record<string, string> {
  const boxes = new Set(config.fields.filter((field) => field.type === 'checkbox').map((field) => field.name));
  const values = [...rest].map(([name, value]) => [name, boxes.has(name) ? (isTicked(value) ? 'yes' : 'no') : value]);
  const { referer, 'user-agent': userAgent } = payload.headers;
  return {
    // A site's own script may leave out its page; the browser doesn't. Of our page it would only say that it is ours.
    ...(referer && !page && { page: withoutQuery(referer) }),
    ...(Object.fromEntries(values) as Record<string, string>),
    ...(payload.remoteAddress && { ip: payload.remoteAddress }),
    ...(userAgent && { userAgent: userAgent.slice(0, 500) }),
  };
}

/** Addresses of pages carry sessions and tokens behind the question mark. */
export function withoutQuery(address: string): string {
  return address.slice(0, 2000).split(/[?#]/)[0] ?? '';
}
