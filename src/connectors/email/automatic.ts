import type { EnvelopeInput } from '../../core/envelope.ts';
import type { Mail } from './mail.ts';
import { headerOf, headersOf } from './mail.ts';

type Automatic = EnvelopeInput['automatic'];

/** Which machine wrote a mail, by its headers alone; undefined for a person. */
export function automaticOf(mail: Mail, envelopeFrom: string | undefined): Automatic {
  return reportOf(mail) ?? answerOf(mail) ?? bounceOf(mail, envelopeFrom) ?? crowdOf(mail) ?? calendarOf(mail);
}

/** Reports of mail servers and programs (RFC 6522). */
function reportOf(mail: Mail): Automatic {
  if (mail.mediaType === 'multipart/report') {
    if (mail.reportType === 'feedback-report') return 'complaint';
    if (mail.reportType === 'disposition-notification') return 'receipt';
    return 'bounce';
  }
  const has = (mediaType: string) => mail.files.some((file) => file.mediaType === mediaType);
  if (headerOf(mail, 'x-failed-recipients') !== undefined || has('message/delivery-status')) return 'bounce';
  return has('message/disposition-notification') ? 'receipt' : undefined;
}

/** What says of itself that nobody wrote it (RFC 3834, and what programs did before). */
function answerOf(mail: Mail): Automatic {
  const [submitted = ''] = (headerOf(mail, 'auto-submitted') ?? '').toLowerCase().split(/[;\s]/, 1);
  if (submitted === 'auto-replied') return 'auto_reply';
  if (submitted !== '' && submitted !== 'no') return 'notification';
  const is = (name: string, pattern: RegExp) => headersOf(mail, name).some((value) => pattern.test(value));
  if (ANSWERS.some((name) => is(name, /./))) return 'auto_reply';
  if (is('precedence', /auto[-_]?reply/i) || is('x-precedence', /auto[-_]?reply/i)) return 'auto_reply';
  return is('x-auto-response-suppress', /\b(all|autoreply|oof)\b/i) ? 'notification' : undefined;
}

const ANSWERS = ['x-autoreply', 'x-autorespond', 'x-autoresponse', 'x-auto-reply-from'];
const SERVERS = /^(mailer-daemon|postmaster)@/i;

/** Servers that write no report; a sender of nobody is for what must not be answered. */
function bounceOf(mail: Mail, envelopeFrom: string | undefined): Automatic {
  const path = envelopeFrom ?? headerOf(mail, 'return-path');
  if (path === undefined || path.replace(/[<>\s]/g, '') !== '') return undefined;
  return mail.from.some(({ address }) => SERVERS.test(address) || address === '') ? 'bounce' : 'auto_reply';
}

/** To many at once. */
function crowdOf(mail: Mail): Automatic {
  const precedence = (headerOf(mail, 'precedence') ?? '').trim().toLowerCase();
  return headerOf(mail, 'list-id') !== undefined || ['bulk', 'list', 'junk'].includes(precedence) ? 'list' : undefined;
}

function calendarOf(mail: Mail): Automatic {
  return mail.files.some(({ mediaType, method }) => mediaType === 'text/calendar' && method !== '')
    ? 'calendar'
    : undefined;
}
