import { randomBytes } from 'node:crypto';
import type { Payload } from '../../core/payload.ts';
import { equalSecrets } from '../../core/secret.ts';
import { hmac } from '../../core/signature.ts';
import { HONEYPOT } from './config.ts';
import type { FormConfig } from './config.ts';
import type { Entries } from './entries.ts';

/** Where the page writes what only it can know. */
export const TOKEN = '_token';

/** A page as it was handed out. */
export interface Page {
  readonly madeAt: number;
  /** Different on every page: what is sent twice from one page is one message. */
  readonly nonce: string;
}

/** Signs the moment a page is handed out, so that we need not remember pages. */
export function makeToken(key: Buffer, now: number): string {
  const head = `${now.toString(36)}.${randomBytes(12).toString('base64url')}`;
  return `${head}.${signatureOf(key, head)}`;
}

/** The page that a token was made for, or undefined unless it is one of ours. */
export function readToken(key: Buffer, token: string | undefined): Page | undefined {
  const match = /^(([0-9a-z]{1,11})\.([A-Za-z0-9_-]{16}))\.([A-Za-z0-9_-]{43})$/.exec(token ?? '');
  const [, head, time, nonce, signature] = match ?? [];
  if (!head || !time || !nonce || !signature) return undefined;
  return equalSecrets(signature, signatureOf(key, head)) ? { madeAt: parseInt(time, 36), nonce } : undefined;
}

function signatureOf(key: Buffer, head: string): string {
  return hmac('sha256', key, head).toString('base64url');
}

/**
 * Which site a browser says the post comes from; `none` when it wasn't a browser. Scripts of other
 * sites can't change these headers; programs can, and gain nothing by it.
 */
export function originOf(
  payload: Payload,
  publicUrl: string,
  allowed: readonly string[],
): 'none' | 'own' | 'allowed' | 'foreign' {
  const { origin, host, 'sec-fetch-site': site } = payload.headers;
  if (site === 'same-origin') return 'own';
  if (origin === undefined) return site === 'cross-site' ? 'foreign' : 'none';
  if (origin === new URL(publicUrl).origin) return 'own';
  if (allowed.includes(origin)) return 'allowed';
  // Reached by another name than the configured one (localhost for 127.0.0.1): still our own page.
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host ? 'own' : 'foreign';
}

/** Why a post is taken for spam, for the operator, or undefined. Looks at the post alone, so that a replay decides the same. */
export function spamReason(
  entries: Entries,
  payload: Payload,
  page: Page | undefined,
  options: { readonly config: FormConfig; readonly publicUrl: string },
): string | undefined {
  return automatonReason(entries, payload, page, options) ?? textReason(entries, options.config.spam);
}

/** Signs that no person filled it in. */
function automatonReason(
  entries: Entries,
  payload: Payload,
  page: Page | undefined,
  { config, publicUrl }: { readonly config: FormConfig; readonly publicUrl: string },
): string | undefined {
  const isForm = entries.format === 'form';
  if (isForm && entries.values.has(HONEYPOT)) return 'the hidden field was filled in';
  if (page) {
    const { minSeconds } = config.spam;
    const seconds = (payload.receivedAt - page.madeAt) / 1000;
    return seconds < minSeconds
      ? `sent ${seconds.toFixed(1)} s after the page was made (minSeconds: ${minSeconds})`
      : undefined;
  }
  if (entries.values.has(TOKEN)) return 'the page token is not ours';
  // Programs and forms of allowed sites have none; our own page always has.
  return isForm && originOf(payload, publicUrl, config.allowedOrigins) === 'own'
    ? 'says it comes from our page, but has no page token'
    : undefined;
}

function textReason(entries: Entries, spam: FormConfig['spam']): string | undefined {
  const text = [...entries.values]
    .flatMap(([name, value]) => (isTracking(name) || name.startsWith('_') ? [] : [value]))
    .join('\n');
  const links = text.match(/https?:\/\/|\bwww\./gi)?.length ?? 0;
  if (links > spam.maxLinks) return `${links} links (maxLinks: ${spam.maxLinks})`;
  const words = toWords(text);
  const blocked = spam.blockedWords.find((word) => words.includes(toWords(word)));
  return blocked === undefined ? undefined : `contains a blocked word: ${blocked}`;
}

/** What the page adds by itself about where the visitor came from. */
export function isTracking(name: string): boolean {
  return name === 'page' || name === 'referrer' || name.startsWith('utm_');
}

/** Words with a space on both sides, so that a blocked word is found whole and never inside another. */
function toWords(text: string): string {
  return ` ${text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, ' ')
    .trim()} `;
}
