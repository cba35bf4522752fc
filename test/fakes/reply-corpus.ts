import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Forward } from '../../src/connectors/email/text/forward.ts';
import type { Named } from '../../src/connectors/email/text/people.ts';

/** Texts of mails of other projects, with what their authors say a person wrote. Not part of the repository. */
const HOME = join(import.meta.dirname, '../../../shared/fixtures');
const REPLIES = join(HOME, 'email-reply');
const FORWARDS = join(HOME, 'email-forward/crisp-email-forward-parser');
const ORDINARY = join(HOME, 'texts/banking77-train/messages.jsonl');
export const hasReplies = existsSync(REPLIES) && existsSync(FORWARDS) && existsSync(ORDINARY);

export interface ReplyCase {
  readonly source: string;
  /** `<source>/<file>` */
  readonly id: string;
  readonly text: string;
  /** What the person wrote, where that is stated. */
  readonly expected?: string;
  /** Pieces that must be in it, and that mustn't. */
  readonly present: readonly string[];
  readonly absent: readonly string[];
}

const strings = z.array(z.string()).default([]);
const Github = z.record(
  z.string(),
  z.object({
    visible: z.string().optional(),
    whole: z.boolean().optional(),
    starts: z.string().optional(),
    contains: strings,
    absent: strings,
  }),
);
const Probe = z.object({ reply: z.number(), field: z.string(), op: z.string(), text: z.string() });
const MailParserReply = z.record(z.string(), z.object({ probes: z.array(Probe).default([]) }));

export function replyCases(): ReplyCase[] {
  return [...discourse(), ...github(), ...mailParserReply()];
}

function discourse(): ReplyCase[] {
  const source = 'discourse-email_reply_trimmer';
  const at = (...path: string[]) => join(REPLIES, source, ...path);
  return readdirSync(at('emails')).map((name) => ({
    source,
    id: `${source}/${name}`,
    text: read(at('emails', name)),
    expected: read(at('trimmed', name)),
    present: [],
    absent: [],
  }));
}

function github(): ReplyCase[] {
  const source = 'github-email_reply_parser';
  const cases = Github.parse(JSON.parse(read(join(REPLIES, source, 'expected.json'))));
  return Object.entries(cases).map(([name, { visible, whole, starts, contains, absent }]) => {
    const text = read(join(REPLIES, source, name));
    const expected = whole ? text : visible;
    const present = starts === undefined ? contains : [starts, ...contains];
    return { source, id: `${source}/${name}`, text, ...(expected !== undefined && { expected }), present, absent };
  });
}

function mailParserReply(): ReplyCase[] {
  const source = 'mail-parser-reply';
  const cases = MailParserReply.parse(JSON.parse(read(join(REPLIES, source, 'expected.json'))));
  return Object.entries(cases).map(([name, { probes }]) => {
    // The newest mail of the conversation, without headers, quotes and signatures.
    const newest = probes.filter(({ reply, field }) => reply === 0 && field === 'body');
    const texts = (op: string) => newest.filter((probe) => probe.op === op).map((probe) => probe.text);
    const [expected] = texts('equals');
    return {
      source,
      id: `${source}/${name}`,
      text: read(join(REPLIES, source, name)),
      ...(expected !== undefined && { expected }),
      present: texts('contains'),
      absent: texts('absent'),
    };
  });
}

/** Line ends, and blanks that nobody sees, don't count. */
export function plain(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
    .trim();
}

/** Lines that the person wrote and that aren't there. */
export function lostOf(found: string, expected: string): string[] {
  const lines = new Set(plain(found).split('\n'));
  return plain(expected)
    .split('\n')
    .filter((line) => line !== '' && !lines.has(line));
}

const Person = z.object({ name: z.string().nullable(), address: z.string() });
const Forwards = z.array(
  z.object({
    body: z.string(),
    subject: z.string().nullable(),
    forwarded: z.boolean(),
    expect: z
      .object({
        subject: z.string(),
        from: Person,
        to: z.array(Person),
        toAddresses: z.array(z.string()),
        cc: z.array(Person),
        body: z.string(),
        message: z.string().nullable(),
      })
      .partial()
      .nullish(),
  }),
);

export type Person = z.output<typeof Person>;

/** What a reader finds; undefined when it takes the mail for no forward. */
export interface Found {
  readonly subject: string;
  readonly from: Person | undefined;
  readonly to: readonly Person[];
  readonly cc: readonly Person[];
  readonly body: string;
  readonly message: string;
}

/** What ours finds. */
export function foundIn(forward: Forward | undefined): Found | undefined {
  const toPerson = ({ name, address }: Named): Person => ({ name: name || null, address });
  return (
    forward && {
      subject: forward.subject,
      from: forward.from && toPerson(forward.from),
      to: forward.to.map(toPerson),
      cc: forward.cc.map(toPerson),
      body: forward.text,
      message: forward.note,
    }
  );
}

export interface ForwardCase {
  readonly id: string;
  readonly text: string;
  readonly subject: string | undefined;
  /** What is wrong with what was found; empty when everything stated is so. */
  wrongIn(found: Found | undefined): string[];
}

export function forwardCases(): ForwardCase[] {
  return Forwards.parse(JSON.parse(read(join(FORWARDS, 'expected.json')))).map(
    ({ body, subject, forwarded, expect }) => ({
      id: body,
      text: plain(read(join(FORWARDS, body))),
      subject: subject === null ? undefined : read(join(FORWARDS, subject)).trim(),
      wrongIn: (found) => {
        if ((found !== undefined) !== forwarded) return ['forwarded'];
        const { toAddresses, message, ...stated } = expect ?? {};
        const wanted = {
          ...stated,
          ...(toAddresses && { toAddresses }),
          ...(message !== undefined && { message: message ?? '' }),
        };
        const has = { ...found, toAddresses: found?.to.map(({ address }) => address) };
        return Object.entries(wanted)
          .filter(([name, value]) => asText(has[name as keyof typeof has]) !== asText(value))
          .map(([name]) => name);
      },
    }),
  );
}

function asText(value: unknown): string {
  return typeof value === 'string' ? plain(value) : JSON.stringify(value);
}

/** What people asked a bank, one question each: nothing of it is a quote or a signature. */
export function ordinaryTexts(): string[] {
  const Message = z.object({ text: z.string() });
  return read(ORDINARY)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Message.parse(JSON.parse(line)).text);
}

function read(path: string): string {
  return readFileSync(path, 'utf8');
}
