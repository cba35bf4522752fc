import { z } from 'zod';
import { find, pick, Pointer, Source } from '../../core/source.ts';
import type { Place } from '../../core/source.ts';
import { toText, valuesOf } from './value.ts';
import type { FileLink } from './value.ts';

/** What an answer of a form is, besides a field: `field` is no question (a campaign), `nothing` is the vendor's own. */
const roles = ['email', 'phone', 'name', 'firstName', 'lastName', 'subject', 'text', 'field', 'nothing'] as const;
type Role = (typeof roles)[number];

/** The answers of a form, whatever was asked: each becomes a field, those that say who it is his claims. */
export const Answers = z.strictObject({
  items: Pointer.optional().meta({ description: 'A list, or an object of question → answer; all of it when left out' }),
  name: Source.optional().meta({ description: 'What was asked; in an object its key, when left out' }),
  questions: z
    .strictObject({ items: Pointer, id: Pointer, name: Pointer, of: Pointer })
    .optional()
    .meta({ description: 'Where the questions stand apart: the one whose id is what the answer has at `of`' }),
  prefix: z.string().max(20).optional().meta({ description: 'What stands before each name; # is a number' }),
  value: z.array(Pointer).min(1).max(20).optional().meta({ description: 'All that are there; else the answer itself' }),
  options: z
    .strictObject({ items: Pointer, id: Pointer, name: Pointer })
    .optional()
    .meta({ description: 'What ids among the values are called' }),
  type: Source.optional(),
  roles: z
    .partialRecord(z.enum(roles), z.array(z.string().min(1).max(200)).max(200))
    .default({})
    .meta({ description: 'Types or names of those that are more than a field; * at the end is anything' }),
});
type Answers = z.output<typeof Answers>;

interface Answer {
  readonly name: string;
  readonly role: Role | undefined;
  readonly text: string;
  readonly files: readonly FileLink[];
}

export interface Form {
  readonly from: { readonly name?: string; readonly email?: string; readonly phone?: string };
  readonly subject?: string;
  readonly text?: string;
  readonly fields: Record<string, string>;
  readonly files: readonly FileLink[];
}

/** Longest text of a message. */
const LONGEST = 1_000_000;

/** `hosts`: who keeps this form's files; links to others stay links. Throws when there is no form. */
export function readForm(answers: Answers, place: Place, hosts: readonly string[]): Form {
  const all = entriesOf(answers, place)
    .map(([key, element]) => readAnswer(answers, key, { ...place, element }, hosts))
    .filter(({ text, role }) => text !== '' && role !== 'nothing');
  const person = personIn(all);
  const subject = all.find(({ role }) => role === 'subject');
  const asked = all.filter(({ role }) => role !== 'field');
  const said = asked.filter(({ role }) => role === 'text');
  const shown = new Set<Answer>([...person.known, ...(subject ? [subject] : []), ...said]);
  const only = said.length === 1 ? said[0]?.text : undefined;
  const lines = (said.length > 1 ? said : asked).map(lineOf).join('\n');
  return {
    from: person.from,
    ...(subject && { subject: subject.text }),
    text: (only ?? lines).slice(0, LONGEST).toWellFormed(),
    fields: fieldsOf(all.filter((answer) => !shown.has(answer))),
    files: all.flatMap(({ files }) => files),
  };
}

function lineOf({ name, text }: Answer): string {
  return `${name}${/[?:!.]$/.test(name) ? '' : ':'} ${text}`;
}

function entriesOf({ items }: Answers, place: Place): [string, unknown][] {
  const found = items === undefined ? place.element : find(items, place);
  if (typeof found === 'object' && found !== null) return Object.entries(found);
  throw new Error(`answers.items: ${items ?? 'it'} is neither a list nor an object`);
}

function readAnswer(answers: Answers, key: string, place: Place, hosts: readonly string[]): Answer {
  const name = nameOf(answers, key, place);
  const type = answers.type === undefined ? undefined : pick(answers.type, place);
  const role = roleOf(answers, typeof type === 'string' ? type : undefined, name);
  const values = valuesOf(answers.value?.map((pointer) => find(pointer, place)) ?? [place.element]);
  // The page that he wrote from is often on the host that keeps the files.
  const { text, files } = toText(namedBy(answers, values, place), role === 'field' ? [] : hosts);
  return { name, role, text, files };
}

function nameOf({ questions, name, prefix }: Answers, key: string, place: Place): string {
  const title = questions && titleOf(questions, place);
  const given = title || (name === undefined ? undefined : toText(valuesOf([pick(name, place)]), []).text);
  return (given || withoutPrefix(key, prefix)).replace(/\s+/g, ' ').trim() || key;
}

function titleOf({ items, id, name, of }: NonNullable<Answers['questions']>, place: Place): string | undefined {
  const wanted = textAt(place.element, of);
  const question = listAt(items, place).find((one) => textAt(one, id) === wanted);
  return question === undefined ? undefined : textAt(question, name);
}

/** Choices are often sent as ids, with a list of what each is called. */
function namedBy({ options }: Answers, values: readonly unknown[], place: Place): readonly unknown[] {
  if (!options) return values;
  const names = new Map(
    listAt(options.items, place).map((one) => [textAt(one, options.id), textAt(one, options.name)]),
  );
  return values.map((value) => (typeof value === 'string' ? (names.get(value) ?? value) : value));
}

function listAt(pointer: Pointer, place: Place): readonly unknown[] {
  const list = find(pointer, place);
  return Array.isArray(list) ? list : [];
}

function textAt(element: unknown, pointer: Pointer): string | undefined {
  const value = find(pointer, { root: element, element, keyed: {} });
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

/** `q12_fullName` behind `q#_` is `fullName`. */
function withoutPrefix(key: string, prefix: string | undefined): string {
  const [before, after] = prefix?.split('#') ?? [];
  if (before === undefined || after === undefined || !key.startsWith(before)) return key;
  const rest = key.slice(before.length);
  const end = /^\d{1,6}/.exec(rest)?.[0].length ?? 0;
  return end > 0 && rest.startsWith(after, end) ? rest.slice(end + after.length) || key : key;
}

function roleOf({ roles: given }: Answers, type: string | undefined, name: string): Role | undefined {
  const has = (wanted: string | undefined) => (role: Role) =>
    wanted !== undefined && (given[role] ?? []).some((pattern) => matches(bare(wanted), pattern));
  return roles.find(has(type)) ?? roles.find(has(name));
}

function matches(name: string, pattern: string): boolean {
  const wanted = bare(pattern);
  return wanted !== '' && (pattern.endsWith('*') ? name.startsWith(wanted) : name === wanted);
}

/** As people write it: `E-mail *`, `your_email` and `Your email` are the same question. */
function bare(name: string): string {
  return name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '');
}

/** Who he says he is, of the first answers that can be it; the others stay fields. */
function personIn(all: readonly Answer[]): { from: Form['from']; known: readonly Answer[] } {
  const of = (role: Role) => all.find((answer) => answer.role === role);
  const addresses = all.filter(({ text }) => isAddress(text));
  // An address that nobody asked for by name, if there is only one, can hardly be another's.
  const email = addresses.find(({ role }) => role === 'email') ?? (addresses.length === 1 ? addresses[0] : undefined);
  const phone = all.find(({ role, text }) => role === 'phone' && isPhone(text));
  const names = [of('name') ?? [of('firstName'), of('lastName')]].flat().filter((answer) => answer !== undefined);
  const name = names.map(({ text }) => text).join(' ');
  return {
    from: { ...(name && { name }), ...(email && { email: email.text }), ...(phone && { phone: phone.text }) },
    known: [...names, email, phone].filter((answer) => answer !== undefined),
  };
}

function isAddress(text: string): boolean {
  return text.length <= 254 && /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(text);
}

function isPhone(text: string): boolean {
  return text.length <= 50 && text.replace(/\D/g, '').length >= 5;
}

/** Two questions of one name are two fields. */
function fieldsOf(answers: readonly Answer[]): Record<string, string> {
  const fields = new Map<string, string>();
  for (const { name, text } of answers) {
    const short = name.slice(0, 190).toWellFormed();
    let free = short;
    for (let nth = 2; fields.has(free); nth++) free = `${short} (${nth})`;
    fields.set(free, text);
  }
  return Object.fromEntries(fields);
}
