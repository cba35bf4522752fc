import type { Problem } from '../../core/errors.ts';
import { longestOf } from './config.ts';
import type { Field, FormConfig } from './config.ts';
import type { Entries } from './entries.ts';
import { labelOf } from './texts.ts';
import type { Texts } from './texts.ts';

/** What a person has to change before it can be sent, in his language; at most one problem a field. */
export function problemsOf(entries: Entries, config: FormConfig, texts: Texts): Problem[] {
  const problems: Problem[] = [];
  for (const field of config.fields) {
    const message = problemOf(field, entries, texts);
    if (message) problems.push({ pointer: pointerOf(field.name), message });
  }
  const choice = config.fields.filter((field) => field.required === 'either');
  if (choice[0] && !choice.some((field) => isFilled(field, entries))) {
    const message = texts.either(choice.map((field) => labelOf(field, texts)));
    problems.push({ pointer: pointerOf(choice[0].name), message });
  }
  for (const [name, value] of entries.values) {
    const most = longestOf(config, name);
    if (value.length > most) problems.push({ pointer: pointerOf(name), message: texts.tooLong(most) });
  }
  return problems;
}

function problemOf(field: Field, entries: Entries, texts: Texts): string | undefined {
  if (!isFilled(field, entries)) return field.required === true ? texts.required : undefined;
  const value = entries.values.get(field.name) ?? '';
  if (field.type === 'email' && !isEmail(value)) return texts.email;
  if (field.type === 'phone' && !isPhone(value)) return texts.phone;
  if (field.type === 'select' && !field.options?.includes(value)) return texts.option;
  return undefined;
}

function isFilled(field: Field, entries: Entries): boolean {
  if (field.type === 'file') return entries.files.some((file) => file.field === field.name);
  if (field.type === 'checkbox') return isTicked(entries.values.get(field.name));
  return entries.values.has(field.name);
}

/** Programs say `false` where browsers say nothing. */
export function isTicked(value: string | undefined): boolean {
  return value !== undefined && value !== 'false';
}

function isEmail(value: string): boolean {
  return value.length <= 254 && /^[^\s@,;<>"()]{1,64}@[^\s@,;<>"().]+(?:\.[^\s@,;<>"().]+)+$/.test(value);
}

function isPhone(value: string): boolean {
  const digits = value.replace(/\D/g, '').length;
  return digits >= 5 && digits <= 20 && value.length <= 50;
}

/** RFC 6901. */
function pointerOf(name: string): string {
  return `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
