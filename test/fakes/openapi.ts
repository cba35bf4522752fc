import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ValidateFunction } from 'ajv/dist/2020.js';
import { resolveRef, toClosed, toOpen } from './openapi-schema.ts';
import type { Json } from './openapi-schema.ts';

const SPECS = join(import.meta.dirname, '../../../shared/specs');

/** A call as it arrived at a stand-in. */
export interface Asked {
  readonly method: string;
  /** Below the server's address, with its query: `/v23.0/1/messages?limit=2`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** What the body says: the parsed JSON, or the fields of a form by name; files of an upload as any text. */
  readonly body?: unknown;
}

/** A vendor's OpenAPI description (3.0 or 3.1), as a closed world: what it doesn't name is wrong. */
export interface Description {
  /** What is wrong with a request; nothing where it fits. */
  request(asked: Asked): string[];
  /** What is wrong with an answer: what a stand-in should keep to as well. */
  response(asked: Pick<Asked, 'method' | 'path'>, status: number, body: unknown): string[];
  /** What is wrong with a value that a component describes, such as what the vendor pushes. */
  value(component: string, value: unknown): string[];
}

/** Whether the description is beside the repository. */
export const isDescribed = (file: string): boolean => existsSync(join(SPECS, file));

/**
 * Reads `../shared/specs/<file>`, or takes a description that was parsed. `amend` replaces what is wrong in it, by RFC
 * 6901 pointer (the last step may be new): say at each why the vendor means it so.
 */
export function readDescription(source: string | Json, amend: Readonly<Record<string, unknown>> = {}): Description {
  const root =
    typeof source === 'string'
      ? (JSON.parse(readFileSync(join(SPECS, source), 'utf8')) as Json)
      : structuredClone(source);
  for (const [pointer, value] of Object.entries(amend)) put(root, pointer, value);
  const check = createCheck(root);
  const operations = operationsOf(root);

  /** The one with the fewest problems: some descriptions have several operations under one shape of path. */
  function best(asked: Pick<Asked, 'method' | 'path'>, judge: (found: Found) => string[]): string[] {
    const found = find(operations, asked);
    const what = `${asked.method} ${asked.path}`;
    if (found.length === 0) return [`${what}: not described`];
    const [least] = found.map(judge).sort((a, b) => a.length - b.length);
    return least!.map((problem) => `${what}: ${problem}`);
  }

  return {
    request(asked) {
      const problems = best(asked, (found) => [
        ...parameterProblems(root, found, asked, check),
        ...bodyProblems(root, found, asked, check),
      ]);
      record({ description: nameOf(root, source), asked, problems });
      return problems;
    },
    response: (asked, status, body) =>
      best(asked, ({ operation }) => {
        const responses = (operation.responses ?? {}) as Record<string, unknown>;
        const response = responses[status] ?? responses[`${Math.floor(status / 100)}XX`] ?? responses['default'];
        if (response === undefined) return [`an answer with ${status} is not described`];
        const content = contentOf(root, response)['application/json'];
        return content ? check(content.schema ?? {}, body, { path: `answer ${status}` }) : [];
      }),
    value: (component, value) => check({ $ref: `#/components/schemas/${component}` }, value, { path: component }),
  };
}

/** A request that a test made, and what is wrong with it by our reading. */
export interface Recorded {
  /** The file that describes it, below `../shared/specs`. */
  readonly description: string;
  readonly asked: Asked;
  readonly problems: readonly string[];
}

/** Where a file is named, every request is written down there, one to a line: see `independent-mock.test.ts`. */
function record(recorded: Recorded): void {
  const file = process.env.RECORD_REQUESTS;
  if (file) appendFileSync(file, `${JSON.stringify(recorded)}\n`);
}

function nameOf(root: Json, source: string | Json): string {
  const { title = '' } = (root.info ?? {}) as { title?: string };
  return typeof source === 'string' ? source : title;
}

interface Operation {
  readonly method: string;
  readonly segments: readonly string[];
  readonly operation: Json;
  /** Of the path and of the operation. */
  readonly parameters: readonly Parameter[];
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema?: unknown;
}

interface Found extends Operation {
  readonly path: Readonly<Record<string, string>>;
}

type Check = (schema: unknown, value: unknown, at: { path: string; isText?: true }) => string[];

function createCheck(root: Json): Check {
  const options = {
    strict: false,
    allErrors: true,
    validateFormats: false,
    unicodeRegExp: false,
    logger: false,
  } as const;
  const schemas = ((root.components as Json | undefined)?.schemas ?? {}) as Json;
  const open = Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, toOpen(root, schema)]));
  const document = { $id: 'api', components: { schemas: open } };
  // Paths, queries and forms are text: `"5"` is a number there.
  const ajvs = { text: new Ajv2020({ ...options, coerceTypes: 'array' }), json: new Ajv2020(options) };
  ajvs.text.addSchema(document);
  ajvs.json.addSchema(document);
  const compiled = { text: new Map<unknown, ValidateFunction>(), json: new Map<unknown, ValidateFunction>() };

  return (schema, value, { path, isText }) => {
    const kind = isText ? 'text' : 'json';
    const key = JSON.stringify(schema);
    const validate = compiled[kind].get(key) ?? ajvs[kind].compile(toClosed(root, schema) as object);
    compiled[kind].set(key, validate);
    // Coercion writes into what it is given.
    if (validate(structuredClone({ value }).value)) return [];
    // That a `then` doesn't fit says nothing beside why.
    const errors = (validate.errors ?? []).filter(({ keyword }) => keyword !== 'if');
    const problems = errors.map(({ instancePath, message, params }) => {
      const { unevaluatedProperty } = params as { unevaluatedProperty?: string };
      return `${path}${instancePath} ${message}${unevaluatedProperty === undefined ? '' : `: ${unevaluatedProperty}`}`;
    });
    return [...new Set(problems)].slice(0, 10);
  };
}

function operationsOf(root: Json): Operation[] {
  return Object.entries((root.paths ?? {}) as Record<string, Json>).flatMap(([path, item]) =>
    ['get', 'post', 'put', 'patch', 'delete'].flatMap((method) => {
      const operation = item[method] as Json | undefined;
      if (!operation) return [];
      const given = [...((item.parameters as unknown[]) ?? []), ...((operation.parameters as unknown[]) ?? [])];
      const parameters = given.map((parameter) => resolveRef(root, parameter) as unknown as Parameter);
      return { method: method.toUpperCase(), segments: path.split('/'), operation, parameters };
    }),
  );
}

/** Those whose path has the shape, and among them only those that name most of it themselves. */
function find(operations: readonly Operation[], { method, path }: Pick<Asked, 'method' | 'path'>): Found[] {
  const given = path.split('?')[0]!.split('/');
  const found = operations.flatMap((one) => {
    if (one.method !== method || one.segments.length !== given.length) return [];
    const values: Record<string, string> = {};
    for (const [index, segment] of one.segments.entries()) {
      const pattern = segment.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]*\}/g, '([^/]+)');
      const match = new RegExp(`^${pattern}$`).exec(given[index]!);
      if (!match) return [];
      for (const [at, name] of [...segment.matchAll(/\{([^}]*)\}/g)].entries())
        values[name[1]!] = decodeURIComponent(match[at + 1]!);
    }
    return { ...one, path: values };
  });
  const fewest = Math.min(...found.map((one) => Object.keys(one.path).length));
  return found.filter((one) => Object.keys(one.path).length === fewest);
}

function parameterProblems(root: Json, found: Found, asked: Asked, check: Check): string[] {
  const query: Record<string, string | string[]> = {};
  const search = new URLSearchParams(asked.path.split('?')[1] ?? '');
  for (const name of new Set(search.keys())) {
    const values = search.getAll(name);
    query[name] = values.length === 1 ? values[0]! : values;
  }
  const headers = Object.fromEntries(
    Object.entries(asked.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const known = new Set(found.parameters.filter((one) => one.in === 'query').map(({ name }) => name));
  const unknown = Object.keys(query).filter((name) => !known.has(name));
  const problems = found.parameters.flatMap((one) => {
    const values: Readonly<Record<string, unknown>> =
      one.in === 'header' ? headers : one.in === 'path' ? found.path : query;
    const value = values[one.in === 'header' ? one.name.toLowerCase() : one.name];
    const what = `${one.in} ${one.name}`;
    if (value === undefined) return one.required && one.in !== 'cookie' ? [`${what} is missing`] : [];
    // The boundary of an upload and the charset of a text belong to the value, not to the type.
    const plain = typeof value === 'string' && one.name.toLowerCase() === 'content-type' ? value.split(';')[0] : value;
    return check(one.schema ?? {}, plain, { path: what, isText: true });
  });
  return [...unknown.map((name) => `query ${name} is not described`), ...problems];
}

function bodyProblems(root: Json, { operation }: Found, { body, headers = {} }: Asked, check: Check): string[] {
  const described = resolveRef(root, operation.requestBody ?? {});
  if (body === undefined) return described.required ? ['the body is missing'] : [];
  const type =
    Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? 'application/json';
  const mediaType = type.split(';')[0]!.trim().toLowerCase();
  const content = contentOf(root, described)[mediaType];
  if (!content) return [`a body of ${mediaType} is not described`];
  const isForm = mediaType === 'application/x-www-form-urlencoded' || mediaType === 'multipart/form-data';
  return check(content.schema ?? {}, body, { path: 'body', ...(isForm && { isText: true }) });
}

function contentOf(root: Json, holder: unknown): Record<string, { schema?: unknown } | undefined> {
  const { content = {} } = resolveRef(root, holder) as { content?: Record<string, { schema?: unknown }> };
  const entries = Object.entries(content).map(([type, value]) => [type.split(';')[0]!.trim().toLowerCase(), value]);
  return Object.fromEntries(entries) as Record<string, { schema?: unknown }>;
}

function put(root: Json, pointer: string, value: unknown): void {
  const steps = pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const parent = steps.slice(0, -1).reduce<unknown>((at, step) => (at as Json | undefined)?.[step], root);
  if (typeof parent !== 'object' || parent === null) throw new Error(`the description has no ${pointer}`);
  (parent as Json)[steps.at(-1)!] = value;
}
