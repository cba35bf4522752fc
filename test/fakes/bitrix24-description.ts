import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const METHODS = join(import.meta.dirname, '../../../shared/specs/bitrix24/methods');

interface Param {
  readonly name: string;
  readonly base: string;
  readonly required: boolean | 'unknown';
  readonly ref?: string;
}
interface Method {
  readonly params: readonly Param[];
  readonly defs?: Readonly<Record<string, { readonly fields: readonly Param[] }>>;
  readonly entityFields?: readonly string[];
}

const optional = (name: string, base = 'string'): Param => ({ name, base, required: false });

/** What the description leaves out or gets wrong, each with where its own pages say so. */
const AMENDED: Readonly<Record<string, readonly Param[]>> = {
  // A filter in all of its page's examples, and "string" in the table.
  'user.get': [optional('FILTER', 'object')],
};
/** Fields of other kinds than leads, which the description leaves at (crm-item-add.md has a tab for each kind). */
const FIELDS: Readonly<Record<string, readonly Param[]>> = {
  '2': [optional('categoryId', 'integer'), optional('typeId'), optional('leadId', 'integer'), optional('closedate')],
};
/** System fields that every item has (object-fields.md), besides those that can be written. */
const SYSTEM = 'id stageId stageSemanticId movedTime movedBy updatedTime lastActivityTime leadId categoryId'.split(' ');

/** Bitrix24's description of its methods, as a closed world: what it doesn't name is wrong. */
export interface Bitrix24Description {
  /** What is wrong with a call; nothing where it fits. */
  call(method: string, params: Readonly<Record<string, unknown>>): string[];
}

export const isBitrix24Described = (): boolean => existsSync(METHODS);

export function readBitrix24(): Bitrix24Description | undefined {
  if (!isBitrix24Described()) return undefined;
  const known = new Map<string, Method>();
  const methodOf = (name: string): Method | undefined => {
    const file = join(METHODS, `${name}.json`);
    if (!known.has(name) && existsSync(file)) known.set(name, JSON.parse(readFileSync(file, 'utf8')) as Method);
    return known.get(name);
  };
  return {
    call(name, params) {
      const method = methodOf(name);
      if (!method) return [`${name}: not described`];
      const amended = [...(AMENDED[name] ?? []), ...method.params];
      const problems = [
        ...membersProblems('', params, amended),
        ...amended.flatMap(({ name: param, ref }) => {
          const def = ref === undefined ? undefined : method.defs?.[ref.split('/').at(-1)!];
          const value = params[param];
          if (!def || typeof value !== 'object' || value === null) return [];
          const own = FIELDS[String(params['entityTypeId'])] ?? [];
          return membersProblems(`${param}.`, value as Record<string, unknown>, [...def.fields, ...own]);
        }),
        ...listProblems(params, method.entityFields),
      ];
      return problems.map((problem) => `${name}: ${problem}`);
    },
  };
}

function membersProblems(at: string, given: Readonly<Record<string, unknown>>, params: readonly Param[]): string[] {
  const of = (name: string) => params.find((param) => param.name === name || isFamily(param.name, name));
  const missing = params.filter(({ name, required }) => required === true && given[name] === undefined);
  return [
    ...missing.map(({ name }) => `${at}${name} is missing`),
    ...Object.entries(given).flatMap(([name, value]) => {
      const param = of(name);
      if (!param) return [`${at}${name} is not described`];
      return isFamily(param.name, name) || isOf(param.base, value)
        ? []
        : [`${at}${name} is no ${param.base}: ${JSON.stringify(value)}`];
    }),
  ];
}

/** `ufCrm...` stands for every field of one's own, in either spelling. */
function isFamily(param: string, name: string): boolean {
  return param.endsWith('...') && (name.startsWith(param.slice(0, -3)) || (param === 'ufCrm...' && /^UF_/.test(name)));
}

/** Queries and forms are text: `5` may be either. */
function isOf(base: string, value: unknown): boolean {
  if (base === 'integer') return /^-?\d+$/.test(String(value));
  if (base === 'string') return typeof value === 'string' || typeof value === 'number';
  if (base === 'boolean') return [true, false, 'Y', 'N', 0, 1].includes(value as never);
  if (base === 'array') return typeof value === 'object' && value !== null;
  if (base === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return true;
}

/** What a list is filtered and ordered by, and what is asked of it. */
function listProblems(params: Readonly<Record<string, unknown>>, fields: readonly string[] | undefined): string[] {
  if (!fields || typeof params['filter'] !== 'object') return [];
  const names = new Set([...fields, ...SYSTEM]);
  const filtered = (filter: object): string[] =>
    Object.entries(filter).flatMap(([key, value]) => {
      if (/^\d+$/.test(key)) return filtered(value as object);
      return key === 'logic' ? [] : [key.replace(/^[<>=@%!]+/, '')];
    });
  const used = [
    ...filtered(params['filter'] as object),
    ...Object.keys((params['order'] as object | undefined) ?? {}),
    ...Object.values((params['select'] as object | undefined) ?? {}).map(String),
  ];
  return used.filter((name) => !names.has(name)).map((name) => `${name} is no field`);
}
