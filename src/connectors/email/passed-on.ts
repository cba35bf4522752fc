import { isMailbox, isOwnAddress } from '../../core/mail-address.ts';
import { isAuthentic } from './authentication.ts';
import type { Mail, MailAddress } from './mail.ts';
import { headerOf } from './mail.ts';
import { isOneOf } from './rules.ts';
import type { Known } from './sender.ts';
import type { Forward } from './text/forward.ts';

/** The mail that a colleague passes on: who wrote it first is the customer. */
export interface PassedOn extends Forward {
  readonly from: MailAddress;
  /** The colleague. */
  readonly by: MailAddress;
}

/** Undefined also where somebody passes on what a colleague or nobody wrote: then he is the one who asks. */
export function passedOnIn(mail: Mail, known: Known): PassedOn | undefined {
  const forward = forwardOf(mail);
  const [by, another] = mail.from;
  if (!forward?.from || !isMailbox(forward.from.address) || !by || another) return undefined;
  if (!isColleague(by.address, known) || isColleague(forward.from.address, known)) return undefined;
  // Where our server says who wrote what, a colleague's address alone proves nothing.
  if (known.authServer !== undefined && !isAuthentic(mail, known.authServer)) return undefined;
  return { ...forward, from: forward.from, by };
}

/** What a mail passes on, whoever wrote that; a mail that hangs on an answer is only a file of it. */
export function forwardOf(mail: Mail): Forward | undefined {
  return mail.forward ?? (headerOf(mail, 'in-reply-to') === undefined ? mail.attached : undefined);
}

function isColleague(address: string, { addresses, agents }: Known): boolean {
  return isOwnAddress(address, addresses) || isOneOf(address, agents);
}
