import type { Report } from './report.ts';
import type { Posted } from './hooks/posted.ts';
import type { Forward } from './text/forward.ts';

/** A mail as the reading thread hands it over: plain data, everything bounded. */

export interface Mail {
  /** In their order, at most `MOST_HEADERS`. */
  readonly headers: readonly MailHeader[];
  readonly subject: string;
  readonly from: readonly MailAddress[];
  readonly sender: readonly MailAddress[];
  readonly replyTo: readonly MailAddress[];
  readonly to: readonly MailAddress[];
  readonly cc: readonly MailAddress[];
  /** Of the whole mail: `multipart/report` … */
  readonly mediaType: string;
  readonly reportType: string;
  /** What a person reads, all of it. */
  readonly text: string;
  /** What of the text is new; empty when everything is quoted. */
  readonly reply: string;
  /** The mail that is passed on in its text. */
  readonly forward?: Forward;
  /** The mail that hangs on it. */
  readonly attached?: Forward;
  /** What its invitation says, in lines; empty when there is none. */
  readonly event: string;
  /** As received; empty when there is none. */
  readonly html: string;
  readonly files: readonly MailFile[];
  /** What it says about another mail; empty throughout for most. */
  readonly report: Report;
  /** What was odd, or had to be left out, for people. */
  readonly remarks: readonly string[];
  /** SHA-256 of the bytes with line ends as `\n`, hex. */
  readonly digest: string;
}

export interface MailHeader {
  /** In lower case. */
  readonly name: string;
  /** On one line, encoded words as they stand. */
  readonly value: string;
}

export interface MailAddress {
  readonly name: string;
  readonly address: string;
}

/** A part that is a file. */
export interface MailFile {
  /** Its position among all parts of the mail, from 1: the same at every reading; in winmail.dat, `5.1`. */
  readonly id: string;
  readonly name: string;
  readonly mediaType: string;
  /** `method` of a calendar part: `request`, `reply`, `cancel`. */
  readonly method: string;
  readonly size: number;
  readonly inline: boolean;
  /** Content-ID without brackets. */
  readonly cid: string;
}

/** What the reading thread is asked for: the mail, or the bytes of one of its files. */
export interface ReadRequest {
  readonly bytes: Uint8Array;
  /** They are what a provider posted, with the mail in it. */
  readonly posted?: Posted;
  readonly file?: string;
  /** These bytes are only the beginning of it: what stands last is not whole. */
  readonly isCut?: boolean;
}

export const MOST_TEXT = 1_000_000;
export const MOST_HTML = 2_000_000;
export const MOST_FILES = 200;
export const MOST_HEADERS = 1000;
export const MOST_ADDRESSES = 500;

/** The values of a header, in their order. */
export function headersOf(mail: Pick<Mail, 'headers'>, name: string): string[] {
  return mail.headers.filter((header) => header.name === name).map(({ value }) => value);
}

export function headerOf(mail: Pick<Mail, 'headers'>, name: string): string | undefined {
  return mail.headers.find((header) => header.name === name)?.value;
}
