import { AuthExpiredError, RateLimitedError, RetryableError, TributaryError } from '../../core/errors.ts';
import { portOf, withoutPassword } from '../../core/mail-server.ts';
import type { Imap } from './config.ts';

/** What the client tells us of an error; all of it may be missing. */
interface Details {
  readonly code?: unknown;
  readonly authenticationFailed?: unknown;
  readonly serverResponseCode?: unknown;
  readonly responseText?: unknown;
  readonly response?: unknown;
  readonly reason?: unknown;
  readonly throttleReset?: unknown;
}

/** A login that was refused for now only (RFC 5530, and the words of servers that have no codes). */
const FOR_NOW_CODES = new Set(['UNAVAILABLE', 'INUSE', 'LIMIT', 'SERVERBUG', 'THROTTLED', 'CONTACTADMIN', 'OVERQUOTA']);
const FOR_NOW_WORDS = /too many|try again|temporar|unavailable|rate|limit|throttl|simultaneous|internal/i;

/** The error that an exception of the IMAP client means, with the server's own words and without our credentials. */
export function toImapError(imap: Imap, error: unknown, bye?: string): TributaryError {
  if (error instanceof TributaryError) return error;
  const details: Details = error instanceof Error ? { ...error, reason: bye } : {};
  const text = `${imap.host}:${portOf(imap, 'imap')}: ${wordsOf(imap, error, details)}`;
  if (details.authenticationFailed === true && !isForNow(text, details)) return refusedLogin(imap, text);
  if (details.code === 'ETHROTTLE') {
    return new RateLimitedError(text, typeof details.throttleReset === 'number' ? details.throttleReset : undefined);
  }
  const hint = hintOf(typeof details.code === 'string' ? details.code : '', text);
  return new RetryableError(text, hint === undefined ? {} : { hint });
}

function isForNow(text: string, { serverResponseCode }: Details): boolean {
  if (typeof serverResponseCode !== 'string') return FOR_NOW_WORDS.test(text);
  if (serverResponseCode === 'ALERT') return FOR_NOW_WORDS.test(text);
  return isForNowCode(serverResponseCode);
}

/** Response codes of a server that asks for patience. */
export function isForNowCode(code: string): boolean {
  return FOR_NOW_CODES.has(code);
}

function refusedLogin(imap: Imap, text: string): AuthExpiredError {
  const hint = imap.oauth2
    ? 'Check imap.user and the scope, and that IMAP is allowed for this mailbox; then enter a new oauth2.refreshToken.'
    : 'Check imap.user and imap.password; Gmail, Yandex, Mail.ru, iCloud and ukr.net want an app password and IMAP switched on.';
  return new AuthExpiredError(`${text} (signing in as ${imap.user})`, { hint });
}

/** Folders that were renamed, deleted or misspelt: the others are read all the same. */
export function missingFolders(imap: Imap, missing: readonly string[], names: readonly string[]): RetryableError {
  return new RetryableError(`${imap.user} at ${imap.host} has no folder ${missing.join(', ')}`, {
    hint: `Correct imap.folders; there are: ${listed(names)}.`,
  });
}

const MAX_LISTED = 40;

export function listed(names: readonly string[]): string {
  return names.length > MAX_LISTED ? `${names.slice(0, MAX_LISTED).join(', ')} …` : names.join(', ');
}

function hintOf(code: string, text: string): string | undefined {
  if (/CERT|SELF_SIGNED|^ERR_TLS|^ERR_SSL|^UNABLE_TO|^EPROTO$/.test(code)) {
    return 'Check host and port, and the certificate; one of your own authority is named in imap.tls.ca.';
  }
  if (/STARTTLS/i.test(text)) return 'This port offers no TLS: use the one that does (usually 993, with secure: true).';
  if (/TIMEOUT|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH/.test(code)) {
    return 'Check host and port, and that a firewall lets this machine out.';
  }
  if (code === 'LiteralTooLarge') return 'The server announced more than imap.maxBytes for one mail; raise it.';
  return undefined;
}

const MAX_WORDS = 400;

/** What the server said, else what the client says. */
function wordsOf(imap: Imap, error: unknown, { responseText, response, reason, code }: Details): string {
  const said = [responseText, response, reason].find((each) => typeof each === 'string' && each !== '');
  const own = error instanceof Error ? error.message : String(error);
  const words = typeof said === 'string' ? said : `${own}${typeof code === 'string' ? ` (${code})` : ''}`;
  return withoutPassword(imap, words).replaceAll(/\s+/g, ' ').slice(0, MAX_WORDS);
}
