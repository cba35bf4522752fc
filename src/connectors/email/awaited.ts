import type { EnvelopeInput } from '../../core/envelope.ts';
import { awaitedAt, type QuotedTicket } from '../../core/mail-address.ts';
import { ANSWER_ABOVE } from '../../core/mark.ts';
import type { Mail, MailAddress } from './mail.ts';
import { replyIn } from './text/reply.ts';

/** Mail to the addresses at which a destination awaits what colleagues answer. */

type Awaited = NonNullable<EnvelopeInput['awaited']>;

/**
 * `isColleague`: proven, and no machine. Only what stands in To and Cc counts: what a mail went through on its way is not
 * its author's word.
 */
export function awaitedIn(mail: Mail, { isColleague }: { readonly isColleague: boolean }): Awaited | undefined {
  const asked = quotedIn(mail.replyTo);
  if (asked) return { ...asked, as: 'echo' };
  const to = quotedIn(mail.to);
  const quoted = to ?? quotedIn(mail.cc);
  if (!quoted) return undefined;
  if (!isColleague || (answerIn(mail) === '' && !hasFiles(mail))) return { ...quoted, as: 'unproven' };
  // What he writes to somebody else, with the customer's ticket in copy, isn't for the customer.
  return { ...quoted, as: to ? 'reply' : 'note' };
}

/** What he wrote himself: nothing of what he was sent may go to the customer, notes of others above all. */
export function answerIn({ reply }: Mail): string {
  const own = reply.split('\n').filter((line) => !line.trimStart().startsWith('>'));
  const end = own.findIndex((line) => line.includes(ANSWER_ABOVE));
  return (end < 0 ? own.join('\n') : replyIn(own.slice(0, end).join('\n'))).trim();
}

function hasFiles({ files }: Mail): boolean {
  return files.some(({ inline }) => !inline);
}

function quotedIn(addresses: readonly MailAddress[]): QuotedTicket | undefined {
  for (const { address } of addresses) {
    const quoted = awaitedAt(address);
    if (quoted) return quoted;
  }
  return undefined;
}
