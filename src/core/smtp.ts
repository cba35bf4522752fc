import { Readable } from 'node:stream';
import type { AccessTokens } from './access-tokens.ts';
import type { SmtpServer } from './mail-server.ts';

/** A mail on its way out, and the envelope that it travels in. */
export interface OutgoingMail {
  readonly from: MailboxName;
  /** The one recipient, whatever else stands in its headers. */
  readonly to: string;
  readonly replyTo?: string | undefined;
  readonly subject: string;
  readonly date: Date;
  /** Without brackets; the same at every try. */
  readonly messageId: string;
  /** In brackets. */
  readonly inReplyTo?: string | undefined;
  /** In brackets, the newest last. */
  readonly references?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly text: string;
  readonly html: string;
  readonly files: readonly OutgoingFile[];
}

interface MailboxName {
  readonly name: string;
  readonly address: string;
}

interface OutgoingFile {
  readonly name: string;
  readonly mediaType: string;
  /** Bytes, as far as they are known. */
  readonly size: number;
  readonly content: Readable;
}

/** A mail server to send through, and how to sign in there. */
export interface MailRoute {
  readonly server: SmtpServer;
  /** What it is greeted with: a domain. */
  readonly name: string;
  /** For a login with OAuth2. */
  readonly tokens?: AccessTokens | undefined;
}

/**
 * The guarded way out for mail: over a connection of its own, to an address that may be reached, with TLS. What goes wrong
 * is thrown as one of the five error classes; `PermanentError` with status 552 where the mail is too large.
 */
export interface Smtp {
  send(route: MailRoute, mail: OutgoingMail): Promise<void>;
  /** Signs in; resolves with what the server allowed. */
  test(route: MailRoute): Promise<string>;
}

/** One line without control characters, whatever strangers put into names and subjects. */
export function headerLine(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

/** Bytes that are opened when they are read: a mail that fails before leaves nothing open. */
export function openLater(open: () => Promise<Readable>): Readable {
  async function* bytes() {
    yield* await open();
  }
  return Readable.from(bytes(), { objectMode: false });
}
