import { createHash } from 'node:crypto';
import type { Problem } from '../../core/errors.ts';
import type { HttpAnswer, WebhookRequest } from '../../core/payload.ts';
import { filesAllowed } from './config.ts';
import type { FormConfig } from './config.ts';
import { SCRIPT, STYLE } from './look.ts';
import { megabytesOf } from './texts.ts';
import type { Texts } from './texts.ts';

const sha256 = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Only our own style and script run, and only allowed sites may show the page in a frame. */
function policyOf(config: FormConfig): string {
  const target = config.redirectTo ? ` ${new URL(config.redirectTo).origin}` : '';
  return [
    "default-src 'none'",
    `style-src ${sha256(STYLE)}`,
    `script-src ${sha256(SCRIPT)}`,
    // Browsers hold a redirect after sending to the same rule.
    `form-action 'self'${target}`,
    `frame-ancestors ${["'self'", ...config.allowedOrigins].join(' ')}`,
    "base-uri 'none'",
  ].join('; ');
}

export function pageAnswer(config: FormConfig, status: number, body: string): HttpAnswer {
  return {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policyOf(config),
      'cache-control': 'no-store',
      // Not no-referrer: browsers would then hide from us that the post comes from our own page.
      'referrer-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      ...(status === 429 || status === 503 ? { 'retry-after': '60' } : {}),
    },
    body,
  };
}

export function jsonAnswer(status: number, body: object, cors: Readonly<Record<string, string>>): HttpAnswer {
  return {
    status,
    headers: {
      'content-type': status < 400 ? 'application/json' : 'application/problem+json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(status === 429 || status === 503 ? { 'retry-after': '60' } : {}),
      ...cors,
    },
    body: JSON.stringify(body),
  };
}

/** RFC 9457. Says nothing that the sender wrote. */
export function problemAnswer(
  status: number,
  detail: string,
  problems: readonly Problem[],
  cors: Readonly<Record<string, string>>,
): HttpAnswer {
  const code = CODES[status] ?? (status < 500 ? 'bad_request' : 'unavailable');
  return jsonAnswer(status, { type: 'about:blank', title: detail, status, code, errors: problems }, cors);
}

const CODES: Readonly<Record<number, string>> = {
  403: 'origin_not_allowed',
  413: 'too_large',
  415: 'unsupported_media_type',
  422: 'invalid',
  429: 'rate_limited',
};

/** What a person is told about a refusal, in his language. */
export function troubleOf(status: number, config: FormConfig, texts: Texts): string {
  if (status === 403) return texts.foreign;
  if (status === 413) return texts.tooLarge(filesAllowed(config), megabytesOf(config.maxFileBytes));
  if (status === 415) return texts.wrongType;
  if (status === 422) return texts.problems;
  if (status === 429) return texts.tooFast;
  return status < 500 ? texts.refused : texts.later;
}

/** Lets a script of an allowed site read the answer. */
export function corsOf(request: WebhookRequest, config: FormConfig): Readonly<Record<string, string>> {
  const { origin } = request.headers;
  const allowed = origin !== undefined && config.allowedOrigins.includes(origin);
  return { vary: 'origin', ...(allowed && { 'access-control-allow-origin': origin }) };
}

/** The answer to a browser that asks whether a script may post. */
export function preflightAnswer(request: WebhookRequest, config: FormConfig): HttpAnswer {
  return {
    status: 204,
    headers: {
      ...corsOf(request, config),
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'content-type, idempotency-key',
      'access-control-max-age': '600',
    },
  };
}

/** Whether a program asks, which reads JSON, rather than a person, who reads pages. */
export function wantsJson(request: WebhookRequest): boolean {
  const { accept = '', 'content-type': type = '' } = request.headers;
  return /^application\/json\b/i.test(type) || (accept.includes('application/json') && !accept.includes('text/html'));
}
