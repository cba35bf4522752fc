import type { Part } from './parts.ts';

/** What a mail says about another one: bounces, complaints, read receipts; as servers write it, or as plain text. */
export interface Report {
  /** Message-ID of the mail that it is about, without brackets; empty when it doesn't say. */
  readonly about: string;
  readonly recipient: string;
  /** RFC 3464: `failed`, `delayed`, `delivered`, `relayed`, `expanded`; empty when it doesn't say. */
  readonly action: string;
  /** RFC 3463: `5.1.1`; empty when it doesn't say. */
  readonly status: string;
  /** The server's words. */
  readonly reason: string;
  /** RFC 8098: `displayed`, `deleted` …; empty when it is no read receipt. */
  readonly disposition: string;
}

/** Of a part so much is looked at. */
const MOST = 64 * 1024;

type Fields = ReadonlyMap<string, string>;

/** Reads what a mail (`root`: its outermost part) and its whole text report. */
export function reportOf(root: Part, text: string): Report {
  const parts = [...partsOf(root)];
  const groups = parts.filter(({ mediaType }) => STATUS.test(mediaType)).flatMap((part) => groupsIn(headOf(part)));
  const seen = text.slice(0, MOST);
  const group = recipientIn(groups);
  const first = (name: string) => groups.map((each) => each.get(name)).find((value) => value !== undefined) ?? '';
  // The far server's own word says more than what ours made of it.
  const said = [group.get('diagnostic-code'), group.get('status'), lineIn(seen, SAID), seen];
  const codes = said.map((value = '') => STATUS_CODE.exec(value)?.[0] ?? '');
  return {
    about: idIn(first('original-message-id')) || aboutOf(parts) || idIn(lineIn(seen, NAMED)),
    recipient: addressIn(group) || (ADDRESS.exec(seen.slice(0, 4000))?.[0] ?? ''),
    action: wordIn(group.get('action')),
    status: codes.find((each) => each !== '') ?? '',
    reason: withoutType(group.get('diagnostic-code') ?? '') || lineIn(seen, SAID).trim(),
    disposition: /;\s*([a-z]+)/.exec(first('disposition').toLowerCase())?.[1] ?? '',
  };
}

function* partsOf(part: Part): Generator<Part> {
  yield part;
  for (const child of part.children) yield* partsOf(child);
}

const STATUS = /^message\/((global-)?delivery-status|(global-)?disposition-notification|feedback-report)$/;
const RETURNED = /^(message\/(rfc822|global|global-headers|rfc822-headers|partial)|text\/rfc822-headers)$/;
const STATUS_CODE = /(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])/;
/** Of a returned mail that stands in the text. */
const NAMED = /^[>| \t]{0,20}message-id:[ \t]*<[^<>\n]{1,500}>/i;
const ADDRESS = /[^\s<>():;,"']{1,64}@[^\s<>():;,"']{1,253}/;
/** A reply of a mail server. */
const SAID = /(?<![\d.])[45]\d\d[ -](?=\S)/;

function headOf(part: Part): string {
  return part.bytes().toString('utf8', 0, MOST);
}

/** Groups of fields, with blank lines between them. */
function groupsIn(text: string): Map<string, string>[] {
  const unfolded = text.replace(/\r\n?/g, '\n').replace(/\n[ \t]+/g, ' ');
  return unfolded.split(/\n{2,}/, 100).map((group) => {
    const fields = new Map<string, string>();
    for (const line of group.split('\n', 100)) {
      const colon = line.indexOf(':');
      const name = line.slice(0, Math.max(0, colon)).trim().toLowerCase();
      if (name !== '' && !fields.has(name)) fields.set(name, line.slice(colon + 1).trim());
    }
    return fields;
  });
}

/** The mail that came back, whole or its head. */
function aboutOf(parts: readonly Part[]): string {
  const returned = parts.filter(({ mediaType }) => RETURNED.test(mediaType));
  const ids = returned.map((part) => idIn(groupsIn(headOf(part).trimStart())[0]?.get('message-id') ?? ''));
  return ids.find((id) => id !== '') ?? '';
}

/** What is said of one recipient: of one who didn't get it, if there is one. */
function recipientIn(groups: readonly Fields[]): Fields {
  const all = groups.filter((group) => group.has('action') || group.has('final-recipient'));
  return all.find((group) => wordIn(group.get('action')) === 'failed') ?? all[0] ?? new Map<string, string>();
}

function addressIn(group: Fields): string {
  return withoutType(group.get('final-recipient') ?? group.get('original-recipient') ?? '');
}

/** `rfc822; olena@example.com` → the address. */
function withoutType(value: string): string {
  return value.replace(/^[\w.-]{1,40};/, '').trim();
}

function wordIn(value = ''): string {
  return /[a-z]+/.exec(value.toLowerCase())?.[0] ?? '';
}

function idIn(value: string): string {
  return /<([^<>\s]{1,500})>/.exec(value)?.[1] ?? '';
}

function lineIn(text: string, pattern: RegExp): string {
  return text.split('\n').find((line) => pattern.test(line)) ?? '';
}
