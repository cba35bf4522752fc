import type { EnvelopeInput } from '../../core/envelope.ts';
import { ticketOf } from '../../core/mail-address.ts';
import type { Mail } from './mail.ts';
import { headerOf, headersOf } from './mail.ts';
import { isOneOf, type SubjectKey } from './rules.ts';
import { withoutPrefixes } from './text/subject.ts';

/** Which conversation a mail says that it belongs to. */

type Thread = NonNullable<EnvelopeInput['thread']>;
type Trust = EnvelopeInput['sender']['identifiers'][number]['trust'];

export interface ThreadRules {
  readonly subjectKeys: readonly SubjectKey[];
  readonly newSubject: 'same_ticket' | 'new_ticket';
  readonly sameMailAs: readonly string[];
}

const MOST_REFERENCES = 100;
/** Of ids, as the envelope takes them. */
const LONGEST_ID = 512;

/** `references` as `referencesOf` finds them; `sender`: what identifies him, and how sure that is; `recipients`: all addresses it went to. */
export function threadOf(
  mail: Mail,
  found: {
    readonly externalId: string;
    readonly references: readonly string[];
    readonly sender: string;
    readonly trust: Trust;
    readonly recipients: readonly string[];
  },
  rules: ThreadRules,
): Thread {
  const { references, recipients } = found;
  const ticket = ticketOf(recipients, references);
  const { subject, isReply } = withoutPrefixes(mail.subject);
  const isNew = rules.newSubject === 'new_ticket' && references.length > 0 && subject !== '';
  const isGuess = references.length === 0 && isReply && subject !== '';
  const rule = isNew ? 'only' : 'guess';
  return {
    externalId: nameOf(mail, { ...found, subject: isNew ? subject : '' }, rules),
    references: [...references],
    ...(ticket && { ticket }),
    ...((isNew || isGuess) && { about: { subject, rule } }),
    ...(rules.sameMailAs.length > 0 && { siblings: [...rules.sameMailAs] }),
  };
}

/** The conversation about what a portal tells of. What `nameOf` gives has no capitals, so no other mail gets into it. */
export function portalThread(externalId: string): string {
  return `PORTAL ${externalId}`.slice(0, LONGEST_ID).toWellFormed();
}

/**
 * The conversation, as this sender carries it on: anybody can write the Message-IDs of somebody else's mail into his
 * own, and mustn't get into that conversation by it.
 */
function nameOf(
  mail: Mail,
  {
    externalId,
    references,
    sender,
    trust,
    subject,
  }: {
    readonly externalId: string;
    readonly references: readonly string[];
    readonly sender: string;
    readonly trust: Trust;
    readonly subject: string;
  },
  { subjectKeys }: ThreadRules,
): string {
  const key = keyOf(mail.subject, { sender, trust }, subjectKeys);
  const root = outlookRootOf(mail) ?? references[0] ?? externalId;
  // The sender first: what is too long is cut at the end, and he must stay.
  const name = key ?? `${sender} ${root} ${subject}`.trim();
  return name.toLowerCase().slice(0, LONGEST_ID).toWellFormed();
}

/** A key of another help desk, for the one who sends it or all of his domain: not for whom anybody may have named. */
function keyOf(
  subject: string,
  { sender, trust }: { readonly sender: string; readonly trust: Trust },
  keys: readonly SubjectKey[],
): string | undefined {
  for (const { pattern, from } of keys) {
    if (from !== undefined && (trust === 'claimed' || !isOneOf(sender, [from]))) continue;
    const number = numberIn(subject, pattern);
    if (number !== undefined) return `${from ?? sender} key ${pattern.replace('{number}', number)}`;
  }
  return undefined;
}

function numberIn(subject: string, pattern: string): string | undefined {
  const [before = '', after = ''] = pattern.toLowerCase().split('{number}');
  const whole = subject.toLowerCase();
  for (let at = whole.indexOf(before); at >= 0; at = whole.indexOf(before, at + 1)) {
    const rest = whole.slice(at + before.length);
    const digits = /^\d{1,30}/.exec(rest)?.[0] ?? '';
    const isWhole = !/[\p{L}\p{N}]$/u.test(whole.slice(0, at)) || !/^[\p{L}\p{N}]/u.test(before);
    if (digits !== '' && isWhole && rest.slice(digits.length).startsWith(after)) return digits;
  }
  return undefined;
}

/** Outlook and Exchange name a conversation by the first 22 bytes of Thread-Index, also where References are lost. */
function outlookRootOf(mail: Mail): string | undefined {
  const index = Buffer.from((headerOf(mail, 'thread-index') ?? '').slice(0, 4000), 'base64');
  const isOne = index.length >= 22 && (index.length - 22) % 5 === 0 && index[0] === 1;
  return isOne ? `index ${index.toString('hex', 0, 22)}` : undefined;
}

/** Message-IDs in a header, without brackets and in their order; what is none is left out. */
export function idsIn(header: string): string[] {
  const bracketed = header.match(/<[^<>]{1,2000}>/g)?.map((id) => id.slice(1, -1)) ?? header.split(/[\s,]+/);
  return bracketed.map((id) => id.replace(/\s+/g, '')).filter((id) => id !== '' && id.length <= LONGEST_ID);
}

/** What a mail answers, the newest last; `about`: what it reports on. */
export function referencesOf(mail: Mail, about: string): string[] {
  const answered = [...headersOf(mail, 'in-reply-to').flatMap(idsIn), ...(about === '' ? [] : [about])];
  const all = [
    ...headersOf(mail, 'references')
      .flatMap(idsIn)
      .filter((id) => !answered.includes(id)),
    ...answered,
  ];
  const unique = [...new Set(all)];
  // The first one is where the conversation began.
  const [first] = unique;
  if (first === undefined || unique.length <= MOST_REFERENCES) return unique;
  return [first, ...unique.slice(1 - MOST_REFERENCES)];
}
