import type { FetchMessageObject } from 'imapflow';
import type { Raw } from '../../core/connector.ts';

/** What is filed of a mailbox: its mails, and what is to be told of itself. */

export type WithSource = FetchMessageObject & { readonly source: Buffer };

export function hasSource(mail: FetchMessageObject): mail is WithSource {
  return mail.source !== undefined;
}

export function receivedAt(mail: FetchMessageObject): number {
  const time = new Date(mail.internalDate ?? Number.NaN).getTime();
  // Without a time it might be new.
  return Number.isNaN(time) ? Infinity : time;
}

/** `wholeSize`: bytes of a mail of which only the beginning was fetched. */
export function toRaw(
  mail: WithSource,
  from: { readonly folder: string; readonly validity: string; readonly wholeSize: number | undefined },
): Raw {
  const { folder, validity, wholeSize } = from;
  const time = receivedAt(mail);
  return {
    body: mail.source,
    headers: {
      'x-imap-folder': folder,
      'x-imap-uid': String(mail.uid),
      'x-imap-uidvalidity': validity,
      ...(Number.isFinite(time) && { 'x-imap-internaldate': String(time) }),
      ...(mail.labels && { 'x-gm-labels': JSON.stringify([...mail.labels]) }),
      ...(wholeSize !== undefined && { 'x-imap-size': String(wholeSize) }),
    },
  };
}

/** Something that the ledger should tell of the mailbox itself. */
export function noteOf(name: string, text: string): Raw {
  return { body: Buffer.from(text), headers: { 'x-imap-note': name } };
}
