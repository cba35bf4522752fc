import type { z } from 'zod';
import type { ConfigProblem } from './config-types.ts';
import type { Path } from './config-file.ts';

type Issue = z.core.$ZodIssue;
type JsonSchema = z.core.JSONSchema.BaseSchema;

/** What surrounds the value that was checked. */
export interface Checked {
  readonly value: unknown;
  readonly json: JsonSchema;
  /** Where a path of the value stands: file, line, and its name for people. */
  locate(path: Path): Pick<ConfigProblem, 'file' | 'line' | 'path'>;
  /** The remedy where nothing better is known. */
  readonly fallback: string;
}

/** Every finding of a schema as a problem with its place and its remedy. Values are never repeated: they may be secrets. */
export function toProblems(issues: readonly Issue[], checked: Checked): ConfigProblem[] {
  return issues.flatMap((issue) => flatten(issue)).flatMap((issue) => toProblem(issue, checked));
}

/** Of a union without discriminator, the alternative that fits best speaks. */
export function flatten(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue];
  const best = [...issue.errors].sort((a, b) => score(a) - score(b))[0] ?? [];
  return best.flatMap((inner) => flatten({ ...inner, path: [...issue.path, ...inner.path] }));
}

/** An alternative whose outermost type is wrong was not the one that was meant. */
function score(issues: readonly Issue[]): number {
  return issues.length + (issues.some((issue) => issue.code === 'invalid_type' && issue.path.length === 0) ? 1000 : 0);
}

function toProblem(issue: Issue, checked: Checked): ConfigProblem[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(checked.json, path, checked.value);
    return issue.keys.map((key) => ({ ...checked.locate([...path, key]), ...unknownName('key', key, known) }));
  }
  return [{ ...checked.locate(path), ...describe(issue, valueAt(checked.value, path), checked.fallback) }];
}

type Finding = Pick<ConfigProblem, 'message' | 'remedy' | 'didYouMean'>;

/** A name that isn't among the known ones. */
export function unknownName(what: string, name: string, known: readonly string[]): Finding {
  const near = nearest(name, known);
  const message = `unknown ${what} "${name.slice(0, 80)}"`;
  const list = known.length > 0 ? `Known: ${known.join(', ')}.` : 'None are known here: remove it.';
  return near ? { message, remedy: `Write ${near}. ${list}`, didYouMean: near } : { message, remedy: list };
}

function describe(issue: Issue, value: unknown, fallback: string): Finding {
  switch (issue.code) {
    case 'invalid_type':
      return describeType(issue.expected, value);
    case 'invalid_value':
      return describeChoice(issue.values.map(String), value);
    case 'invalid_union':
      return describeChoice(('options' in issue ? (issue.options as unknown[]) : []).map(String), value);
    case 'too_small':
      return {
        message: `is too ${sizeWord(issue.origin, 'small')}`,
        remedy: `${limitOf(issue.origin, 'At least', issue.minimum)}.`,
      };
    case 'too_big':
      return {
        message: `is too ${sizeWord(issue.origin, 'big')}`,
        remedy: `${limitOf(issue.origin, 'At most', issue.maximum)}.`,
      };
    case 'custom': {
      const remedy: unknown = issue.params?.['remedy'];
      return { message: issue.message, remedy: typeof remedy === 'string' ? remedy : fallback };
    }
    default:
      return { message: issue.message, remedy: fallback };
  }
}

const SIZES: Readonly<Record<string, { small: string; big: string; unit: string }>> = {
  string: { small: 'short', big: 'long', unit: ' characters' },
  array: { small: 'short', big: 'long', unit: ' entries' },
};

const sizeWord = (origin: string, which: 'small' | 'big') => SIZES[origin]?.[which] ?? which;
const limitOf = (origin: string, word: string, limit: number | bigint) =>
  `${word} ${String(limit)}${SIZES[origin]?.unit ?? ''}`;

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a group of keys',
  record: 'a group of keys',
};

const REMEDIES: Readonly<Record<string, string>> = {
  string: 'Put the value in quotes.',
  number: 'Write a plain number, without quotes and units.',
  int: 'Write a plain whole number, without quotes and units.',
  boolean: 'Write true or false, without quotes.',
  array: 'Write a list: [a, b], or one entry per line with a dash.',
  object: 'Write keys below it, indented, one per line.',
  record: 'Write keys below it, indented, one per line.',
};

function describeType(expected: string, value: unknown): Finding {
  if (value === undefined) return { message: 'is missing', remedy: `Add it: ${KINDS[expected] ?? expected}.` };
  if (value === null) return { message: 'is empty', remedy: 'Write a value, or remove the key.' };
  const remedy = REMEDIES[expected === 'string' && typeof value === 'object' ? '' : expected];
  return {
    message: `must be ${KINDS[expected] ?? expected}, is ${kindOf(value)}`,
    remedy: remedy ?? `Write ${KINDS[expected] ?? expected}.`,
  };
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number' && !Number.isFinite(value)) return 'not a finite number';
  return KINDS[typeof value] ?? typeof value;
}

function describeChoice(choices: readonly string[], value: unknown): Finding {
  const near = typeof value === 'string' ? nearest(value, choices) : undefined;
  const remedy = `Write one of: ${choices.join(', ')}.`;
  const message = value === undefined ? 'is missing' : 'is none of the values it may have';
  return near ? { message, remedy, didYouMean: near } : { message, remedy };
}

/** The known name that a mistyped one most likely means: at most a third of its letters differ. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > 80) return undefined;
  const lower = name.toLowerCase();
  const ranked = known
    .map((each) => ({ each, distance: distanceOf(lower, each.toLowerCase()) }))
    .filter(({ each, distance }) => distance <= Math.max(1, Math.floor(Math.max(each.length, name.length) / 3)))
    .sort((a, b) => a.distance - b.distance);
  return ranked[0]?.each;
}

/** Letters to insert, remove, replace, or swap with their neighbour. */
function distanceOf(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  const at = (i: number, j: number) => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(
        Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, replaced, isSwap(a, b, i, j) ? at(i - 2, j - 2) + 1 : replaced),
      );
    }
  }
  return at(a.length, b.length);
}

function isSwap(a: string, b: string, i: number, j: number): boolean {
  return i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
}

/** The keys that a schema knows at a path; of alternatives, those whose constants agree with what is written. */
function keysAt(schema: JsonSchema, path: Path, value: unknown): string[] {
  const options = [schema, ...(schema.oneOf ?? []), ...(schema.anyOf ?? []), ...(schema.allOf ?? [])]
    .filter((each) => typeof each === 'object')
    .filter((each) => agrees(each, value));
  const [part, ...rest] = path;
  if (part === undefined) return [...new Set(options.flatMap((each) => Object.keys(each.properties ?? {})))];
  const inner = options.flatMap((each) => {
    const below = typeof part === 'number' ? each.items : (each.properties?.[part] ?? each.additionalProperties);
    return typeof below === 'object' && !Array.isArray(below) ? [below] : [];
  });
  return [...new Set(inner.flatMap((each) => keysAt(each, rest, valueAt(value, [part]))))];
}

function agrees(schema: JsonSchema, value: unknown): boolean {
  return Object.entries(schema.properties ?? {}).every(([key, property]) => {
    const constant = typeof property === 'object' ? property.const : undefined;
    return constant === undefined || valueAt(value, [key]) === constant;
  });
}

/** The value at a path of plain data. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (node, part) =>
      typeof node === 'object' && node !== null && Object.hasOwn(node, part)
        ? (node as Record<string | number, unknown>)[part]
        : undefined,
    value,
  );
}
