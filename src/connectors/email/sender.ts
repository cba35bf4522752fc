import type { EnvelopeInput } from '../../core/envelope.ts';
import { isOwnAddress } from '../../core/mail-address.ts';
import { isAuthentic } from './authentication.ts';
import type { Mail, MailAddress } from './mail.ts';
import { headerOf } from './mail.ts';
import { isOneOf, type Form } from './rules.ts';

type Party = EnvelopeInput['sender'];

/** Whom the settings know. */
export interface Known {
  /** The channel's own addresses, in lower case. */
  readonly addresses: readonly string[];
  readonly agents: readonly string[];
  readonly authServer: string | undefined;
  readonly forms: readonly Form[];
}

export interface Sender {
  readonly party: Party;
  /**
   * `own`: one of our own addresses, and nobody else is named. `agent`: a colleague, proven. `form`: a program, for the
   * person who is named.
   */
  readonly role: 'customer' | 'own' | 'agent' | 'form';
  /** What people should know of it. */
  readonly remarks: readonly string[];
}

/** Of ids, as the envelope takes them. */
const LONGEST_ID = 512;

/** Who wrote it: From, which anybody may write there, unless our server proves it. */
export function senderOf(mail: Mail, known: Known): Sender {
  const author = mail.from.find(({ address }) => address !== '') ?? mail.sender[0] ?? mail.from[0];
  if (!author) return { party: nobody(mail), role: 'customer', remarks: [] };
  const form = known.forms.find((each) => isFrom(each, author, mail));
  if (form) return personOf(form, author, mail);
  if (isOwnAddress(author.address, known.addresses)) return writtenForUs(author, mail, known);
  const isProven = isAuthentic(mail, known.authServer);
  const isAgent = isOneOf(author.address, known.agents);
  const remarks = [...oddities(author), ...(isAgent && !isProven ? ['nothing proves that a colleague wrote it'] : [])];
  const party = toParty(author, isProven ? 'verified' : 'observed', mail);
  return { party, role: isAgent && isProven ? 'agent' : 'customer', remarks };
}

/** Of a mail that a colleague passes on: as its text says, which anybody could have typed. */
export function firstSender(passedOn: { readonly from: MailAddress }, mail: Mail): Sender {
  return { party: toParty(passedOn.from, 'claimed', mail), role: 'customer', remarks: oddities(passedOn.from) };
}

/** Our own address as the author: of forms of a web site, and of groups that put theirs in the place of the writer's. */
function writtenForUs(author: MailAddress, mail: Mail, { addresses }: Known): Sender {
  const original = headerOf(mail, 'x-original-from') ?? headerOf(mail, 'x-original-sender') ?? '';
  const named = [...mail.replyTo, { name: '', address: addressIn(original) }];
  const other = named.find(({ address }) => address !== '' && !isOwnAddress(address, addresses));
  if (other) return { party: toParty(other, 'claimed', mail), role: 'customer', remarks: oddities(other) };
  return { party: toParty(author, 'observed', mail), role: 'own', remarks: [] };
}

function isFrom({ from, subject }: Form, { address }: MailAddress, mail: Mail): boolean {
  return (
    isOneOf(address, [from]) && (subject === undefined || mail.subject.toLowerCase().includes(subject.toLowerCase()))
  );
}

/** The person in whose name a program writes. Whatever it says, somebody only typed it. */
function personOf(form: Form, program: MailAddress, mail: Mail): Sender {
  const lines = mail.text.slice(0, 100_000).split('\n');
  const value = (label: string | undefined) => (label === undefined ? '' : valueOf(lines, label));
  const email = form.email === undefined ? (mail.replyTo[0]?.address ?? '') : addressIn(value(form.email));
  const phone = value(form.phone).slice(0, 100);
  const identifiers = [
    ...(email === '' ? [] : [{ kind: 'email', value: email, trust: 'claimed' as const }]),
    ...(phone === '' ? [] : [{ kind: 'phone', value: phone, trust: 'claimed' as const }]),
  ];
  if (identifiers.length === 0) {
    const remarks = ['a form whose rule finds no person in it'];
    return { party: toParty(program, 'observed', mail), role: 'customer', remarks };
  }
  const name = nameOf({ name: value(form.name) || (mail.replyTo[0]?.name ?? ''), address: email });
  return { party: { ...(name !== '' && { name }), identifiers }, role: 'form', remarks: [] };
}

/** What stands behind a label at the beginning of a line, or on the next line. */
function valueOf(lines: readonly string[], label: string): string {
  const at = lines.findIndex((line) => bare(line).toLowerCase().startsWith(label.toLowerCase()));
  if (at < 0) return '';
  const rest = bare(
    (lines[at] ?? '')
      .trim()
      .replace(/^[*_> ]+/, '')
      .slice(label.length),
  );
  return rest === '' ? bare(lines.slice(at + 1).find((line) => line.trim() !== '') ?? '') : rest;
}

function bare(text: string): string {
  return text.replace(/^[\s*_:>|=-]+/, '').trim();
}

function addressIn(text: string): string {
  return /[^\s@<>()[\]\\,;:"]{1,64}@[^\s@<>()[\]\\,;:"]{1,253}/.exec(text.slice(0, 10_000))?.[0] ?? '';
}

function toParty({ name, address }: MailAddress, trust: 'verified' | 'observed' | 'claimed', mail: Mail): Party {
  const value = address.trim().slice(0, LONGEST_ID).toWellFormed();
  const shown = nameOf({ name, address });
  const named = shown === '' ? {} : { name: shown };
  return value === '' ? { ...nobody(mail), ...named } : { ...named, identifiers: [{ kind: 'email', value, trust }] };
}

/** A name as people have one: without quotes around it, and none that only repeats the address. */
function nameOf({ name, address }: MailAddress): string {
  const plain = name
    .trim()
    .replace(/^["'«“]{1,4}|["'»”]{1,4}$/g, '')
    .trim();
  return plain.toLowerCase() === address.trim().toLowerCase() ? '' : plain.slice(0, 1000).toWellFormed();
}

function oddities({ name, address }: MailAddress): string[] {
  const shown = addressIn(name).toLowerCase();
  return shown === '' || shown === address.trim().toLowerCase() ? [] : ['the name contains another address'];
}

/** Mail from nobody is from nobody else: each of them is a customer of its own. */
function nobody(mail: Mail): Party {
  return { identifiers: [{ kind: 'email_unclear', value: `nobody ${mail.digest.slice(0, 32)}`, trust: 'observed' }] };
}
