import { domainOf } from '../../core/mail-address.ts';
import type { Mail } from './mail.ts';
import { headerOf, headersOf } from './mail.ts';

/** Longer ones are nobody's. */
const LONGEST = 10_000;
/**
 * Comments and quoted values hold what senders chose, such as their address in SMTP: nothing in them may look as if it
 * ended there.
 */
const UNMISTAKABLE = /^(?:\([^()"\\]*\)|"[^()"\\;]*"|[^()"\\])*$/;

/**
 * Whether our own mail server says that the domain of From sent it (DMARC, RFC 7489; RFC 8601). Only its topmost word
 * counts: servers write above what they received, so what stands below may be the sender's. `authServer` is the name
 * that it signs with; `none` for one that writes none.
 */
export function isAuthentic(mail: Mail, authServer: string | undefined): boolean {
  const [author, another] = mail.from;
  // With two of them nobody knows whom it is about.
  if (author === undefined || another !== undefined || headersOf(mail, 'from').length > 1) return false;
  const header = headerOf(mail, 'authentication-results') ?? '';
  return authServer !== undefined && isPassOf(resultsOf(header, authServer), domainOf(author.address));
}

/** What a server of that name found, one statement each; nothing in the name of another one. */
function resultsOf(header: string, authServer: string): string[] {
  if (header.length > LONGEST || !UNMISTAKABLE.test(header)) return [];
  const plain = header.replace(/\([^()]*\)/g, ' ').toLowerCase();
  const statements = plain.split(';').map((statement) => statement.replace(/\s+/g, ' ').replace(/ ?= ?/g, '=').trim());
  const [first = '', ...others] = statements;
  if (first.includes('=')) return authServer === 'none' ? statements : [];
  // A version may stand behind the name.
  return first.split(' ', 1)[0] === authServer.toLowerCase() ? others : [];
}

function isPassOf(results: readonly string[], domain: string): boolean {
  const [result = '', another] = results.filter((each) => each.startsWith('dmarc='));
  const [verdict, ...words] = result.split(' ');
  const from = words.find((word) => word.startsWith('header.from='))?.slice('header.from='.length);
  return another === undefined && verdict === 'dmarc=pass' && from !== undefined && asciiOf(from) === asciiOf(domain);
}

function asciiOf(domain: string): string {
  return URL.canParse(`http://${domain}`) ? new URL(`http://${domain}`).hostname : domain;
}
