import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Mail, ReadRequest } from '../../src/connectors/email/mail.ts';

/** Mails of other projects, and what an independent reader takes from each. Not part of the repository. */
const HOME = join(import.meta.dirname, '../../../shared/fixtures/email-mime');
export const hasCorpus = existsSync(HOME);

const People = z.array(z.object({ name: z.string(), address: z.string() })).default([]);
const Reference = z.object({
  subject: z.string().default(''),
  from: People,
  to: People,
  cc: People,
  text: z.object({ head: z.string() }).default({ head: '' }),
  nonTextParts: z.array(z.object({ sha256: z.string() })).default([]),
});
type Reference = z.output<typeof Reference>;

export interface CorpusMail {
  /** `<source>/<file>` */
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly reference: Reference;
}

export function corpus(): CorpusMail[] {
  return readdirSync(HOME).flatMap((source) => {
    const references = z
      .record(z.string(), Reference)
      .parse(JSON.parse(readFileSync(join(HOME, source, 'reference.json'), 'utf8')));
    return Object.entries(references).map(([name, reference]) => ({
      id: `${source}/${name}`,
      bytes: new Uint8Array(readFileSync(join(HOME, source, name))),
      reference,
    }));
  });
}

/** What is compared, and each side's version of it. */
export interface Difference {
  readonly id: string;
  readonly what: What;
  readonly ours: string;
  readonly theirs: string;
}
export const whats = ['subject', 'from', 'to', 'cc', 'text', 'files'] as const;
type What = (typeof whats)[number];

/** What a reader takes from a mail. */
export interface Reading extends Pick<Mail, 'subject' | 'from' | 'to' | 'cc' | 'text' | 'html'> {
  readonly files: readonly Uint8Array[];
}

type Read = <T>(request: ReadRequest) => Promise<T>;

/** Our reading of a mail, its files included. */
export async function readWhole(bytes: Uint8Array, read: Read): Promise<Reading> {
  const mail = await read<Mail>({ bytes });
  const files: Uint8Array[] = [];
  for (const file of mail.files) files.push(await read<Uint8Array>({ bytes, file: file.id }));
  return { ...mail, files };
}

/** Compares a reading with the reference; how much white space there is doesn't count. */
export function differencesOf({ id, reference }: CorpusMail, mail: Reading): Difference[] {
  const theirText = folded(reference.text.head).slice(0, 150);
  const sides: Record<What, readonly [string, string]> = {
    subject: [folded(mail.subject), folded(reference.subject)],
    from: [people(mail.from), people(reference.from)],
    to: [people(mail.to), people(reference.to)],
    cc: [people(mail.cc), people(reference.cc)],
    // The reference has no text of mails that are HTML only.
    text: [theirText === '' && mail.html !== '' ? '' : folded(mail.text).slice(0, 150), theirText],
    files: [
      mail.files.map(sha256).sort().join(),
      reference.nonTextParts
        .map((part) => part.sha256)
        .sort()
        .join(),
    ],
  };
  return whats
    .map((what) => ({ id, what, ours: sides[what][0], theirs: sides[what][1] }))
    .filter(({ ours, theirs }) => ours !== theirs);
}

/** A name that only repeats the address is none; whoever has no address isn't compared. */
function people(list: readonly { readonly name: string; readonly address: string }[]): string {
  return list
    .filter(({ address }) => address.includes('@'))
    .map(({ name, address }) => (name === address ? address : `${folded(name)} <${address}>`).trim())
    .map((text) => text.replace(/^<(.*)>$/, '$1'))
    .join(', ');
}

function folded(text: string): string {
  return text.normalize('NFC').replace(/\s+/g, ' ').trim();
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
