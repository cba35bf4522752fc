import { parsePhoneNumberFromString, type CountryCode } from 'libphonenumber-js';
import type { Action } from '../core/action.ts';
import type { Attachment, Envelope, Identifier, Item, Party } from '../core/envelope.ts';
import { isEnvelope, UNCLEAR } from '../core/envelope.ts';

/**
 * One form for what people write in many: text without what can't be seen, e-mail addresses and phones
 * so that the same one is recognised again.
 */

/** C0 and C1 controls but for tab and line feed, byte order mark, and the signs that turn text around. */
const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\ufeff\u202a-\u202e\u2066-\u2069]/g;
const NOT_IN_A_LINE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff\u202a-\u202e\u2066-\u2069]+/g;

/** Sorting the accents of one letter takes time with the square of their number: more than any script uses are cut. */
const PILES = /(\p{M}{30})\p{M}+/gu;

/** Up to here it takes a millisecond at worst, less than looking for them. */
const SHORT = 1000;

function toNfc(text: string): string {
  const whole = text.toWellFormed();
  return (whole.length > SHORT ? whole.replace(PILES, '$1') : whole).normalize('NFC');
}

/** Text of several lines: well-formed, NFC, line ends as `\n`, nothing invisible. */
export function cleanText(text: string): string {
  return toNfc(text).replace(/\r\n?/g, '\n').replace(INVISIBLE, '');
}

/** Text of one line: a name, a subject. */
export function cleanLine(text: string): string {
  return toNfc(text).replace(NOT_IN_A_LINE, ' ').trim();
}

/** An id of the vendor's: kept as it is but for what no database keeps unchanged. */
function cleanId(id: string): string {
  return id.toWellFormed().replaceAll('\u0000', '\ufffd');
}

/** Puts items into canonical form. `country`: where phones without a country code are from. */
export function createCanonical(country: string | undefined): (item: Item) => Item {
  // The same people write again and again, and reading a phone number costs more than all the rest.
  const known = new Map<string, Identifier>();

  function identifier(given: Identifier): Identifier {
    const key = `${given.kind} ${given.trust} ${given.value}`;
    let canonical = known.get(key);
    if (!canonical) {
      if (known.size >= KNOWN) known.clear();
      known.set(key, (canonical = canonicalIdentifier(given, country)));
    }
    return canonical;
  }

  function party(given: Party): Party {
    const name = given.name === undefined ? undefined : cleanLine(given.name);
    return { ...given, name: name === '' ? undefined : name, identifiers: given.identifiers.map(identifier) };
  }

  const envelope = (given: Envelope) => canonicalEnvelope(given, party(given.sender));

  return (item) => {
    if (isEnvelope(item)) return envelope(item);
    switch (item.kind) {
      case 'rejected':
        return { ...item, envelope: item.envelope && envelope(item.envelope) };
      case 'reaction':
        return { ...item, externalId: cleanId(item.externalId), sender: party(item.sender) };
      case 'receipt':
      case 'deletion':
        return { ...item, externalId: cleanId(item.externalId) };
      default:
        return item;
    }
  };
}

/** Identifiers remembered at most. */
const KNOWN = 5000;

function canonicalEnvelope(envelope: Envelope, sender: Party): Envelope {
  return {
    ...envelope,
    externalId: cleanId(envelope.externalId),
    sender,
    thread: {
      ...envelope.thread,
      externalId: envelope.thread.externalId && cleanId(envelope.thread.externalId),
      references: envelope.thread.references.map(cleanId),
    },
    subject: envelope.subject === undefined ? undefined : cleanLine(envelope.subject),
    text: cleanText(envelope.text),
    textFull: envelope.textFull === undefined ? undefined : cleanText(envelope.textFull),
    html: envelope.html === undefined ? undefined : cleanText(envelope.html),
    fields: Object.fromEntries(
      Object.entries(envelope.fields).map(([name, value]) => [cleanLine(name), cleanText(value)]),
    ),
    attachments: envelope.attachments.map(canonicalAttachment),
  };
}

function canonicalAttachment(attachment: Attachment): Attachment {
  return {
    ...attachment,
    name: fileName(attachment.name),
    mediaType: cleanLine(attachment.mediaType).toLowerCase() || 'application/octet-stream',
  };
}

/** What an agent did, in canonical form. */
export function canonicalAction(action: Action): Action {
  if (!('at' in action) || action.kind === 'broken') return action;
  const known = { ...action, id: cleanId(action.id), ticket: cleanId(action.ticket), agent: cleanLine(action.agent) };
  if (known.kind === 'status') return known;
  const { text, html, attachments } = known;
  return {
    ...known,
    text: cleanText(text),
    html: html === undefined ? undefined : cleanText(html),
    attachments: attachments.map(canonicalAttachment),
  };
}

/**
 * An address or phone that isn't one stays as it was written, under a kind of its own. Nobody vouches for it: two who
 * have none (`anonymous`, an empty number) are not proven to be one.
 */
function canonicalIdentifier(identifier: Identifier, country: string | undefined): Identifier {
  const value = cleanLine(identifier.value);
  if (identifier.kind === 'email') {
    const email = toEmail(value);
    return email ? { ...identifier, value: email } : unclear(identifier, value);
  }
  if (identifier.kind === 'phone') {
    const phone = toPhone(value, country);
    return phone ? { ...identifier, value: phone } : unclear(identifier, value);
  }
  return { ...identifier, value: cleanId(identifier.value) };
}

function unclear({ kind, trust }: Identifier, value: string): Identifier {
  return { kind: `${kind}${UNCLEAR}`, value, trust: trust === 'verified' ? 'observed' : trust };
}

/**
 * An e-mail address in canonical form: lower case, domain in ASCII (IDNA), no dot at its end. Undefined
 * unless it has one `@`, at most 254 characters and a plain local part (RFC 5321; quoted local parts
 * are refused because they can look like another address).
 */
export function toEmail(text: string): string | undefined {
  const value = text.trim();
  const at = value.indexOf('@');
  if (at < 0 || value.length > 254) return undefined;
  const local = value.slice(0, at).toLowerCase();
  if (local.length > 64 || !/^[\p{L}\p{N}!#$%&'*+/=?^_`{|}~.-]+$/u.test(local)) return undefined;
  // One more `@` is in no domain.
  const domain = toDomain(value.slice(at + 1));
  return domain && `${local}@${domain}`;
}

function toDomain(text: string): string | undefined {
  try {
    const host = new URL(`http://${text.replace(/\.$/, '')}`).hostname;
    // What the URL parser changed beyond case and IDNA was no domain: a port, a path, an address.
    return /^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(host) && !/^[\d.]+$/.test(host) && !/[/:?#[\]\\@]/.test(text)
      ? host
      : undefined;
  } catch {
    return undefined;
  }
}

/** A phone number as E.164, or undefined: `anonymous`, short codes and SIP addresses are nobody's number. */
export function toPhone(text: string, country: string | undefined): string | undefined {
  if (text.length > 40) return undefined;
  // In Russia and Kazakhstan a long-distance call starts with 8, and people write their numbers so.
  const dialled = text.replace(/^\s*00/, '+');
  const number = parsePhoneNumberFromString(dialled, {
    defaultCountry: country as CountryCode | undefined,
    extract: false,
  });
  if (number?.isPossible()) return number.number;
  const digits = dialled.replace(/\D/g, '');
  if (!dialled.trim().startsWith('+') && digits.length >= 11) {
    const international = parsePhoneNumberFromString(`+${/^8\d{10}$/.test(digits) ? `7${digits.slice(1)}` : digits}`);
    if (international?.isValid()) return international.number;
  }
  return undefined;
}

/** Names that Windows keeps for devices, with any ending. */
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/** A file name to show: no folders, nothing invisible, no device, at most 200 characters, never empty. */
export function fileName(name: string): string {
  const visible = cleanLine(name).replace(/\p{Cf}/gu, '');
  const last = visible.replace(/\\/g, '/').split('/').pop() ?? '';
  let end = last.length;
  while (end > 0 && ' .'.includes(last.charAt(end - 1))) end--;
  const plain = last
    .slice(0, end)
    .replace(/^[\s.-]+/, '')
    .replace(/[<>:"|?*]/g, '_');
  if (RESERVED.test(plain)) return `_${plain.slice(0, 199)}`;
  if (plain.length <= 200) return plain || 'file';
  const dot = plain.lastIndexOf('.');
  const ending = dot > 0 && plain.length - dot <= 20 ? plain.slice(dot) : '';
  return plain.slice(0, 200 - ending.length).toWellFormed() + ending;
}

/** Ukrainian and Russian told apart by the letters that only one of them has; undefined when neither shows. */
export function languageOf(text: string): 'uk' | 'ru' | undefined {
  const sample = text.slice(0, 2000);
  const ukrainian = /[іїєґ]/i.test(sample);
  const russian = /[ыэъё]/i.test(sample);
  if (ukrainian === russian) return undefined;
  return ukrainian ? 'uk' : 'ru';
}
