import type { Field, Shape, Variant } from './fields.ts';

/** What stands in the controls of a form. */
export type Entered = undefined | string | boolean | readonly Entered[] | EnteredGroup;
export interface EnteredGroup {
  readonly [name: string]: Entered;
}
/** A group with the name of the variant that was chosen. */
export interface EnteredVariant extends EnteredGroup {
  readonly chosen: string;
  readonly of: EnteredGroup;
}
/** What is wrong with a field before anybody was asked. */
export type Fault = 'missing' | 'number' | 'json';
export interface Faulty {
  /** RFC 6901. */
  readonly pointer: string;
  readonly fault: Fault;
}

const MASK = '••••';

/** Whether a secret is one that the gateway has and doesn't show: sent back, it stays. */
export function isMask(value: unknown): value is string {
  return typeof value === 'string' && value.startsWith(MASK);
}

export function asGroup(entered: Entered): EnteredGroup {
  return typeof entered === 'object' && !Array.isArray(entered) ? (entered as EnteredGroup) : {};
}

export function asList(entered: Entered): readonly Entered[] {
  return Array.isArray(entered) ? (entered as readonly Entered[]) : [];
}

export function asText(entered: Entered): string {
  return typeof entered === 'string' ? entered : '';
}

/** `{ chosen, of }` as it stands; a variant that must be there begins with none. */
export function asVariant(entered: Entered): EnteredVariant | undefined {
  const { chosen, of } = asGroup(entered);
  return typeof chosen === 'string' ? { chosen, of: asGroup(of) } : undefined;
}

/** The pointer of what is below another one. */
export function below(pointer: string, name: string | number): string {
  return `${pointer}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** What the form holds for settings that are there already, secrets as masks. */
export function enteredOf(fields: readonly Field[], settings: unknown): EnteredGroup {
  const values = isRecord(settings) ? settings : {};
  return Object.fromEntries(
    fields
      .filter(({ name }) => values[name] !== undefined)
      .map(({ name, shape }) => [name, enteredIn(shape, values[name])]),
  );
}

/** The same for one setting. */
export function enteredIn(shape: Shape, value: unknown): Entered {
  switch (shape.kind) {
    case 'switch':
      return value === true;
    case 'group':
      return enteredOf(shape.fields, value);
    case 'variant':
      return enteredVariant(shape.by, shape.variants, value);
    case 'pairs':
      return Object.entries(isRecord(value) ? value : {}).map(([name, one]) => ({ name, value: String(one) }));
    case 'choices':
    case 'texts':
    case 'list':
      return Array.isArray(value) ? enteredList(shape, value) : undefined;
    case 'json':
      return jsonText(value, shape.words);
    default:
      return String(value);
  }
}

function jsonText(value: unknown, words: 'taken' | 'refused'): string {
  return words === 'taken' && typeof value === 'string' ? value : JSON.stringify(value, null, 2);
}

function enteredList(
  shape: Extract<Shape, { kind: 'choices' | 'texts' | 'list' }>,
  value: readonly unknown[],
): Entered {
  if (shape.kind === 'texts') return value.join('\n');
  return shape.kind === 'choices' ? value.map(String) : value.map((one) => enteredOf(shape.fields, one));
}

function enteredVariant(by: string | undefined, variants: readonly Variant[], value: unknown): Entered {
  const values = isRecord(value) ? value : {};
  const fits = ({ name, fields }: Variant) =>
    by === undefined ? fields.every((field) => !field.isRequired || field.name in values) : values[by] === name;
  const variant = variants.find(fits);
  return variant && { chosen: variant.name, of: enteredOf(variant.fields, values) };
}

/** The settings that were entered, or what is wrong with them. What was left alone is left out. */
export function settingsOf(
  fields: readonly Field[],
  group: EnteredGroup,
  pointer = '',
): { readonly settings: Record<string, unknown>; readonly faulty: readonly Faulty[] } {
  const faulty: Faulty[] = [];
  const settings = groupSettings(fields, group, pointer, faulty);
  return { settings, faulty };
}

function groupSettings(
  fields: readonly Field[],
  group: EnteredGroup,
  pointer: string,
  faulty: Faulty[],
): Record<string, unknown> {
  const pairs = fields.map((field): [string, unknown] => {
    const at = below(pointer, field.name);
    const value = settingOf(field, group[field.name], at, faulty);
    if (value === undefined && field.isRequired && !faulty.some((one) => one.pointer === at)) {
      faulty.push({ pointer: at, fault: 'missing' });
    }
    return [field.name, value];
  });
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined));
}

function settingOf(field: Field, value: Entered, at: string, faulty: Faulty[]): unknown {
  const { shape, isRequired } = field;
  switch (shape.kind) {
    case 'choices':
      return listed(field, value && asList(value).filter((one) => shape.options.includes(asText(one))), (one) => one);
    case 'list':
      return listed(field, value, (one, index) => groupSettings(shape.fields, asGroup(one), below(at, index), faulty));
    case 'group':
      return groupSetting(shape, isRequired, value, { at, faulty });
    case 'variant':
      return variantSetting(shape.by, shape.variants, asVariant(value), { at, faulty });
    case 'pairs':
      return pairsSetting(asList(value));
    default:
      return leafSetting(shape, value, at, faulty);
  }
}

type Leaf = Exclude<Shape, { kind: 'choices' | 'list' | 'group' | 'variant' | 'pairs' }>;

function leafSetting(shape: Leaf, value: Entered, at: string, faulty: Faulty[]): unknown {
  const text = asText(value);
  switch (shape.kind) {
    case 'text':
      // That it is empty says something where it was set so: what somebody empties here is left out.
      return value === '' ? '' : text.trim() || undefined;
    case 'secret':
      return text || undefined;
    case 'number':
      return numberOf(text.trim(), at, faulty);
    case 'switch':
      return value;
    case 'choice':
      return shape.options.find((option) => String(option) === value);
    case 'texts':
      return filled(linesOf(text));
    case 'json':
      return jsonOf(text.trim(), shape.words, at, faulty);
  }
}

/** An empty list says something only where another one holds when it is left out. */
function listed(
  { fallback }: Field,
  value: Entered,
  toSetting: (one: Entered, index: number) => unknown,
): readonly unknown[] | undefined {
  const list = asList(value).map(toSetting);
  return value !== undefined && fallback !== undefined ? list : filled(list);
}

function filled<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length > 0 ? list : undefined;
}

function linesOf(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
}

interface Where {
  readonly at: string;
  readonly faulty: Faulty[];
}

function groupSetting(
  { fields, presence }: Extract<Shape, { kind: 'group' }>,
  isRequired: boolean,
  value: Entered,
  { at, faulty }: Where,
): unknown {
  if (presence === 'chosen' && value === undefined) return undefined;
  const settings = groupSettings(fields, asGroup(value), at, faulty);
  // Nothing was changed of what holds anyway.
  const isLeft = presence === 'always' && !isRequired && Object.keys(settings).length === 0;
  return isLeft ? undefined : settings;
}

function variantSetting(
  by: string | undefined,
  variants: readonly Variant[],
  value: EnteredVariant | undefined,
  { at, faulty }: Where,
): unknown {
  const variant = variants.find(({ name }) => name === value?.chosen);
  if (!value || !variant) return undefined;
  const settings = groupSettings(variant.fields, value.of, at, faulty);
  return by === undefined ? settings : { [by]: variant.name, ...settings };
}

function pairsSetting(pairs: readonly Entered[]): unknown {
  const named = pairs
    .map((pair) => asGroup(pair))
    .map(({ name, value }): [string, string] => [asText(name).trim(), asText(value)])
    .filter(([name, value]) => name !== '' && value !== '');
  return named.length > 0 ? Object.fromEntries(named) : undefined;
}

function numberOf(text: string, at: string, faulty: Faulty[]): number | undefined {
  if (text === '') return undefined;
  const number = Number(text.replace(',', '.'));
  if (Number.isFinite(number)) return number;
  faulty.push({ pointer: at, fault: 'number' });
  return undefined;
}

function jsonOf(text: string, words: 'taken' | 'refused', at: string, faulty: Faulty[]): unknown {
  if (text === '') return undefined;
  const isWords = words === 'taken' && !'{["'.includes(text.charAt(0));
  if (isWords) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    faulty.push({ pointer: at, fault: 'json' });
    return undefined;
  }
}

/** What of a form may be kept in the tab: no secret is. */
export function draftOf(fields: readonly Field[], group: EnteredGroup): EnteredGroup {
  return Object.fromEntries(
    fields
      .map(({ name, shape }): [string, Entered] => [name, kept(shape, group[name])])
      .filter(([, value]) => value !== undefined),
  );
}

function kept(shape: Shape, value: Entered): Entered {
  if (value === undefined) return undefined;
  switch (shape.kind) {
    case 'secret':
      return undefined;
    case 'json':
      return shape.isSecret ? undefined : value;
    case 'group':
      return draftOf(shape.fields, asGroup(value));
    case 'list':
      return asList(value).map((one) => draftOf(shape.fields, asGroup(one)));
    case 'variant':
      return keptVariant(shape.variants, asVariant(value));
    case 'pairs':
      return shape.of === 'secret' ? asList(value).map((pair) => ({ ...asGroup(pair), value: '' })) : value;
    default:
      return value;
  }
}

function keptVariant(variants: readonly Variant[], value: EnteredVariant | undefined): Entered {
  const variant = variants.find(({ name }) => name === value?.chosen);
  return value && variant && { chosen: variant.name, of: draftOf(variant.fields, value.of) };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
