/** A JSON object. */
export type Json = Record<string, unknown>;

/**
 * Schemas of OpenAPI as JSON Schema 2020-12, in which an object has no other keys than those that are described.
 *
 * What is described stays open where it is only a part of something (`allOf`, `oneOf`, `anyOf`), and is closed where it
 * stands for a whole value: by `unevaluatedProperties`, which sees through the parts. So components are kept open and
 * closed where they are used.
 */

const MAPS = ['properties', 'patternProperties'];
const PARTS = ['allOf', 'anyOf', 'oneOf'];

/** A part of a value. */
export function toOpen(root: Json, schema: unknown): unknown {
  if (!isObject(schema)) return schema;
  const { nullable, discriminator: _discriminator, additionalProperties, ...rest } = schema;
  const result: Json = { ...rest };
  if (typeof rest.$ref === 'string') result.$ref = rest.$ref.replace(/^#/, 'api#');
  for (const key of MAPS) {
    if (isObject(rest[key])) result[key] = mapped(rest[key], (inner) => toClosed(root, inner));
  }
  for (const key of PARTS) {
    if (Array.isArray(rest[key])) result[key] = rest[key].map((part) => toOpen(root, part));
  }
  for (const key of ['items', 'not']) if (isObject(rest[key])) result[key] = toClosed(root, rest[key]);
  // A list of what else may come is part of the description; that nothing else may is said where the whole is closed.
  if (isObject(additionalProperties)) result.additionalProperties = toClosed(root, additionalProperties);
  if (additionalProperties === true || isFree(schema)) result.additionalProperties = true;
  bound(result, 'exclusiveMinimum', 'minimum');
  bound(result, 'exclusiveMaximum', 'maximum');
  return nullable === true ? { anyOf: [result, { type: 'null' }] } : result;
}

/** A whole value. */
export function toClosed(root: Json, schema: unknown): unknown {
  if (!isObject(schema)) return schema;
  const target = resolveRef(root, schema);
  const open = dispatched(root, target) ?? toOpen(root, schema);
  return hasKeys(root, schema, new Set()) ? { allOf: [open], unevaluatedProperties: false } : open;
}

/** `{ $ref }` followed as far as it goes. */
export function resolveRef(root: Json, value: unknown): Json {
  let found = value;
  while (isObject(found) && typeof found.$ref === 'string') {
    const steps = found.$ref.split('/').slice(1);
    found = steps.reduce<unknown>((at, step) => {
      const name = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
      return isObject(at) ? at[name] : undefined;
    }, root);
    if (found === undefined) throw new Error(`the description refers to nothing: ${steps.join('/')}`);
  }
  return isObject(found) ? found : {};
}

/** Where a key says which schema holds, that one and no other: its errors are then the only ones. */
function dispatched(root: Json, { discriminator }: Json): unknown {
  if (!isObject(discriminator) || !isObject(discriminator.mapping)) return undefined;
  const key = String(discriminator.propertyName);
  const kinds = Object.entries(discriminator.mapping);
  return {
    type: 'object',
    required: [key],
    properties: { [key]: { enum: kinds.map(([name]) => name) } },
    allOf: kinds.map(([name, $ref]) => ({
      if: { required: [key], properties: { [key]: { const: name } } },
      then: toOpen(root, { $ref }),
    })),
  };
}

/** Whether it describes an object by its keys, itself or in a part. */
function hasKeys(root: Json, schema: unknown, seen: Set<unknown>): boolean {
  const target = resolveRef(root, schema);
  if (seen.has(target)) return false;
  seen.add(target);
  if (isObject(target.properties) || target.additionalProperties === false || isObject(target.discriminator))
    return true;
  return PARTS.some((key) => Array.isArray(target[key]) && target[key].some((part) => hasKeys(root, part, seen)));
}

/** An object of which nothing is said: anything may be in it. */
function isFree(schema: Json): boolean {
  const says = [...MAPS, ...PARTS, 'required', 'additionalProperties', '$ref'];
  return schema.type === 'object' && says.every((key) => schema[key] === undefined);
}

/** OpenAPI 3.0 says with `true` that a limit itself is out. */
function bound(schema: Json, exclusive: string, limit: string): void {
  if (typeof schema[exclusive] !== 'boolean') return;
  const isOut = schema[exclusive];
  delete schema[exclusive];
  if (!isOut) return;
  schema[exclusive] = schema[limit];
  delete schema[limit];
}

function mapped(map: Json, change: (value: unknown) => unknown): Json {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]));
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
