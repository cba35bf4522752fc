import type { EnvelopeInput } from '../../core/envelope.ts';
import { isOwnAddress } from '../../core/mail-address.ts';
import type { Mail } from './mail.ts';
import { headerOf, headersOf } from './mail.ts';
import { isAnswerSubject, isBounceSubject, isBounceText, mayBeAnswer } from './phrases.ts';

export type Automatic = NonNullable<EnvelopeInput['automatic']>;

/**
 * Which machine wrote a mail; undefined for a person. Headers say it first; words only count where nothing but a
 * machine uses them, or together with a second sign.
 */
export function automaticOf(
  mail: Mail,
  envelopeFrom: string | undefined,
  own: readonly string[],
): Automatic | undefined {
  return (
    reportOf(mail) ??
    bounceOf(mail, envelopeFrom) ??
    answerOf(mail, envelopeFrom) ??
    crowdOf(mail, own) ??
    calendarOf(mail)
  );
}

/** Reports of mail servers and programs (RFC 6522). */
function reportOf(mail: Mail): Automatic | undefined {
  const has = (mediaType: RegExp) => mail.files.some((file) => mediaType.test(file.mediaType));
  const isReport = mail.mediaType === 'multipart/report';
  if ((isReport && mail.reportType === 'feedback-report') || has(/^message\/feedback-report$/)) return 'complaint';
  // Microsoft's reports have no such part, but its own header in the mail that they return.
  if (/^complaint about message from \d/i.test(mail.subject) && has(/^message\/rfc822$/)) return 'complaint';
  if (has(/^message\/(global-)?disposition-notification$/)) return 'receipt';
  if (isReport && mail.reportType === 'disposition-notification') return 'receipt';
  return isReport || has(/^message\/(global-)?delivery-status$/) ? 'bounce' : undefined;
}

/** Servers that write no report. */
function bounceOf(mail: Mail, envelopeFrom: string | undefined): Automatic | undefined {
  const failed = ['x-failed-recipients', 'x-ms-embedded-report'].some((name) => headerOf(mail, name) !== undefined);
  if (failed) return 'bounce';
  const author = mail.from.find(({ name, address }) => name !== '' || address !== '');
  const who = `${author?.name ?? ''} <${author?.address ?? ''}>`.toLowerCase();
  if (who.includes('mailer-daemon')) return 'bounce';
  // Who brings parcels has such a name, too.
  const isServer = /<postmaster@|^mail delivery s/.test(who) || isFromNobody(mail, envelopeFrom);
  return isServer && (isBounceSubject(mail.subject) || isBounceText(mail.text)) ? 'bounce' : undefined;
}

/** What says of itself that nobody wrote it (RFC 3834, and what programs did before). */
function answerOf(mail: Mail, envelopeFrom: string | undefined): Automatic | undefined {
  const is = (name: string, pattern: RegExp) => headersOf(mail, name).some((value) => pattern.test(value));
  const isNobody = isFromNobody(mail, envelopeFrom);
  const answers = ['in-reply-to', 'references'].some((name) => (headerOf(mail, name) ?? '') !== '');
  const says =
    ANSWERS.some(([name, pattern]) => is(name, pattern)) ||
    (isNobody && headerOf(mail, 'in-reply-to') !== undefined) ||
    isAnswerSubject(mail.subject) ||
    (answers && mayBeAnswer(mail.subject, mail.text));
  if (says) return 'auto_reply';
  return isNobody || NOTIFICATIONS.some(([name, pattern]) => is(name, pattern)) ? 'notification' : undefined;
}

const ANSWERS = [
  ['auto-submitted', /^auto-replied/i],
  ['x-autoreply', /./],
  ['x-autorespond', /./],
  ['x-autoresponse', /./],
  ['x-auto-reply-from', /./],
  ['x-apple-action', /^vacation/i],
  ['precedence', /auto[-_]?reply/i],
  ['x-precedence', /auto[-_]?reply/i],
] as const;

const NOTIFICATIONS = [
  ['auto-submitted', /^(?!no\b)\S/i],
  ['x-auto-response-suppress', /\b(all|autoreply|oof)\b/i],
] as const;

/** An empty sender is for what must not be answered. */
function isFromNobody(mail: Mail, envelopeFrom: string | undefined): boolean {
  const path = envelopeFrom ?? headerOf(mail, 'return-path');
  return path !== undefined && path.replace(/[<>\s]/g, '') === '';
}

/** To many at once. */
function crowdOf(mail: Mail, own: readonly string[]): Automatic | undefined {
  // Our own address may be a group, whose members we are: what customers write to it is no list's.
  const posts = headersOf(mail, 'list-post').flatMap((value) => value.match(/[^<>:\s,]{1,64}@[^<>\s,?]{1,253}/g) ?? []);
  if (posts.some((address) => isOwnAddress(address, own))) return undefined;
  const precedence = (headerOf(mail, 'precedence') ?? '').trim().toLowerCase();
  if (headerOf(mail, 'list-id') !== undefined || precedence === 'list') return 'list';
  const isBulk = precedence === 'bulk' || precedence === 'junk';
  const canLeave = headerOf(mail, 'list-unsubscribe') !== undefined;
  if (isBulk && canLeave) return 'list';
  // Other help desks send what their people write so, too.
  return isBulk || canLeave ? 'notification' : undefined;
}

function calendarOf(mail: Mail): Automatic | undefined {
  const isInvitation = ({ mediaType, method }: Mail['files'][number]) =>
    mediaType === 'text/calendar' && method !== '' && method !== 'publish';
  return mail.files.some(isInvitation) ? 'calendar' : undefined;
}
