import { createRequire } from 'node:module';
import EmailForwardParser from 'email-forward-parser';
import EmailReplyParser from 'email-reply-parser';
import PostalMime from 'postal-mime';
import type { Found } from './reply-corpus.ts';
import type { Reading } from './mail-corpus.ts';

/** The libraries that others read mail with, each behind the question that we ask ours. */

/** Two that come without types: of each only what is called. */
interface Planer {
  extractFrom(text: string, type: string): string;
}
interface Address {
  readonly name: string;
  readonly address?: string;
}
interface Parsed {
  readonly subject?: string;
  readonly from?: { readonly value: readonly Address[] };
  readonly to?: { readonly value: readonly Address[] } | readonly { readonly value: readonly Address[] }[];
  readonly cc?: { readonly value: readonly Address[] } | readonly { readonly value: readonly Address[] }[];
  readonly text?: string;
  readonly html?: string | false;
  readonly attachments: readonly { readonly content: Uint8Array }[];
}
interface MailParser {
  simpleParser(bytes: Buffer): Promise<Parsed>;
}

const require = createRequire(import.meta.url);

export const replyReaders: Readonly<Record<string, (text: string) => string>> = {
  'email-reply-parser': (text) => new EmailReplyParser().read(text).getVisibleText(),
  planer: (text) => (require('planer') as Planer).extractFrom(text, 'text/plain'),
};

type Mailboxes = { address: string | null; name: string | null }[] | { address: string | null; name: string | null };

export const forwardReaders: Readonly<
  Record<string, (text: string, subject: string | undefined) => Found | undefined>
> = {
  'email-forward-parser': (text, subject) => {
    const { forwarded, message, email } = new EmailForwardParser().read(text, subject);
    if (!forwarded) return undefined;
    const all = (boxes: Mailboxes | null | undefined) =>
      [boxes ?? []].flat().map(({ name, address }) => ({ name, address: address ?? '' }));
    return {
      subject: email.subject ?? '',
      from: all(email.from)[0],
      to: all(email.to),
      cc: all(email.cc),
      body: email.body ?? '',
      message: message ?? '',
    };
  },
};

export const mimeReaders: Readonly<Record<string, (bytes: Uint8Array) => Promise<Reading>>> = {
  mailparser: async (bytes) => {
    const mail = await (require('mailparser') as MailParser).simpleParser(Buffer.from(bytes));
    const all = (lists: Parsed['to']) =>
      [lists ?? []].flat().flatMap(({ value }) => value.map(({ name, address = '' }) => ({ name, address })));
    return {
      subject: mail.subject ?? '',
      from: all(mail.from),
      to: all(mail.to),
      cc: all(mail.cc),
      text: mail.text ?? '',
      html: mail.html || '',
      files: mail.attachments.map(({ content }) => content),
    };
  },
  'postal-mime': async (bytes) => {
    const mail = await PostalMime.parse(bytes);
    const all = (people: typeof mail.to) =>
      (people ?? []).flatMap((each) => each.group ?? [each]).map(({ name, address = '' }) => ({ name, address }));
    return {
      subject: mail.subject ?? '',
      from: all(mail.from && [mail.from]),
      to: all(mail.to),
      cc: all(mail.cc),
      text: mail.text ?? '',
      html: mail.html ?? '',
      files: mail.attachments.map(({ content }) =>
        typeof content === 'string' ? Buffer.from(content) : new Uint8Array(content),
      ),
    };
  },
};
