/** What we read of a type's JSON Schema. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly writeOnly?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
}

/** What a setting is entered with. */
export type Shape =
  | { readonly kind: 'text'; readonly lines: 'one' | 'many' }
  /** Never shown, never kept in a draft. */
  | { readonly kind: 'secret' }
  | { readonly kind: 'number' }
  | { readonly kind: 'switch' }
  /** One of them; the values as JSON has them. */
  | { readonly kind: 'choice'; readonly options: readonly unknown[] }
  | { readonly kind: 'choices'; readonly options: readonly string[] }
  /** Texts, one a line. */
  | { readonly kind: 'texts' }
  /** `presence`: whether it is there at all is a choice of its own. */
  | { readonly kind: 'group'; readonly fields: readonly Field[]; readonly presence: 'chosen' | 'always' }
  | { readonly kind: 'list'; readonly fields: readonly Field[] }
  /** One of several groups; `by` names the field that tells them apart, where there is one. */
  | { readonly kind: 'variant'; readonly by: string | undefined; readonly variants: readonly Variant[] }
  /** Names that the operator chooses, each with a value. */
  | { readonly kind: 'pairs'; readonly of: 'text' | 'secret' }
  /** Whatever else there is, written as JSON; `words`: what is no JSON is a text. */
  | { readonly kind: 'json'; readonly words: 'taken' | 'refused'; readonly isSecret: boolean };

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly hint: string;
  readonly isRequired: boolean;
  /** Folded away: it goes without. */
  readonly isAdvanced: boolean;
  /** What holds when it is left out. */
  readonly fallback: unknown;
  readonly shape: Shape;
}

export interface Variant {
  readonly name: string;
  readonly fields: readonly Field[];
}

/** What the settings of a type are entered with: first what must be there. */
export function fieldsOf({ properties = {}, required = [] }: Schema): readonly Field[] {
  const all = Object.entries(properties)
    .filter(([name]) => !isOwn(name))
    .map(([name, schema]) => fieldOf(name, schema, required.includes(name)));
  return [...all.filter(({ isRequired }) => isRequired), ...all.filter(({ isRequired }) => !isRequired)];
}

/** A name that every object has would be found where nobody wrote it. */
function isOwn(name: string): boolean {
  return name === '__proto__';
}

export function fieldOf(name: string, schema: Schema, isRequired: boolean): Field {
  const shape = shapeOf(schema, isRequired);
  return {
    name,
    label: labelOf(name),
    hint: schema.description ?? '',
    isRequired,
    isAdvanced: !isRequired && isAdvanced(shape),
    fallback: schema.default,
    shape,
  };
}

/** What says who we are, and which way is taken, is seen at once; limits, lists and texts of one's own are not. */
function isAdvanced(shape: Shape): boolean {
  if (shape.kind === 'group') return shape.presence === 'always';
  return !['secret', 'choice', 'variant'].includes(shape.kind);
}

/** A name as code writes it, as people read it: `phoneNumberId` is “Phone number id”. */
export function labelOf(name: string): string {
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').replace(/[_-]/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1).toLowerCase();
}

function shapeOf(schema: Schema, isRequired: boolean): Shape {
  const options = optionsOf(schema);
  if (options) return { kind: 'choice', options };
  const ways = schema.oneOf ?? schema.anyOf;
  if (ways) return ofWays(ways, schema);
  switch (schema.type) {
    case 'string':
      return ofText(schema);
    case 'boolean':
      return { kind: 'switch' };
    case 'number':
    case 'integer':
      return { kind: 'number' };
    case 'array':
      return ofArray(schema);
    case 'object':
      return ofObject(schema, isRequired);
    default:
      return json(schema);
  }
}

/** All values that there can be, where they are counted. */
function optionsOf(schema: Schema): readonly unknown[] | undefined {
  if (schema.enum) return schema.enum;
  if ('const' in schema) return [schema.const];
  if (!schema.anyOf) return undefined;
  const each = schema.anyOf.map((one) =>
    one.type === 'boolean' && !('const' in one) ? [true, false] : optionsOf(one),
  );
  return each.every((options) => options !== undefined) ? each.flat() : undefined;
}

const LONG = 1000;

function ofText({ writeOnly, maxLength = 0 }: Schema): Shape {
  if (writeOnly) return { kind: 'secret' };
  return { kind: 'text', lines: maxLength > LONG && maxLength !== ADDRESS ? 'many' : 'one' };
}

/** Most characters of an address (`core/root-address.ts`), which has one line. */
const ADDRESS = 2000;

function ofWays(ways: readonly Schema[], schema: Schema): Shape {
  if (ways.every(({ properties }) => properties)) return variantOf(ways);
  const isText = (way: Schema) => way.type === 'string' && !way.writeOnly;
  const isPlain = (way: Schema) => isText(way) || way.type === 'number' || way.type === 'integer';
  // A number that may be written as a text is one.
  if (ways.some(isText) && ways.every(isPlain)) return { kind: 'text', lines: 'one' };
  return json(schema);
}

function variantOf(ways: readonly Schema[]): Shape {
  const names = Object.keys(ways[0]?.properties ?? {});
  const by = names.find((name) => ways.every(({ properties }) => typeof properties?.[name]?.const === 'string'));
  return {
    kind: 'variant',
    by,
    variants: ways.map((way) => {
      const fields = fieldsOf(way);
      const [first] = fields;
      const name = by === undefined ? (first?.name ?? '') : String(way.properties?.[by]?.const);
      return { name, fields: fields.filter((field) => field.name !== by) };
    }),
  };
}

function ofArray(schema: Schema): Shape {
  const { items = {} } = schema;
  if (items.properties) return { kind: 'list', fields: fieldsOf(items) };
  if (items.enum?.every((option) => typeof option === 'string')) return { kind: 'choices', options: items.enum };
  return items.type === 'string' && !items.writeOnly ? { kind: 'texts' } : json(schema);
}

function ofObject(schema: Schema, isRequired: boolean): Shape {
  if (schema.properties) {
    const presence = isRequired || schema.default !== undefined ? 'always' : 'chosen';
    return { kind: 'group', fields: fieldsOf(schema), presence };
  }
  const value = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : {};
  if (value.type !== 'string' || value.enum) return json(schema);
  return { kind: 'pairs', of: value.writeOnly ? 'secret' : 'text' };
}

function json(schema: Schema): Shape {
  const words = (schema.anyOf ?? []).some(({ type }) => type === 'string') ? 'taken' : 'refused';
  return { kind: 'json', words, isSecret: holdsSecret(schema) };
}

function holdsSecret(schema: Schema): boolean {
  const { writeOnly, properties = {}, items, additionalProperties, anyOf = [], oneOf = [] } = schema;
  const below = [...Object.values(properties), ...anyOf, ...oneOf, items, additionalProperties];
  return writeOnly === true || below.some((one) => typeof one === 'object' && holdsSecret(one));
}
