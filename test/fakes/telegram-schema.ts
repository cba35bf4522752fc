import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ValidateFunction } from 'ajv/dist/2020.js';

const FILE = join(import.meta.dirname, '../../../shared/specs/telegram/bot-api.schema.json');

/** Telegram's description of its Bot API, where it is beside the repository. */
export interface BotApiSchema {
  /** What is wrong with the parameters of a method. */
  request(method: string, parameters: object): string[];
  /** What is wrong with the result of a method. */
  result(method: string, result: unknown): string[];
  update(update: object): string[];
  /** Fields of an upload are text: read as the method's parameters are meant. */
  fieldsOf(method: string, fields: Readonly<Record<string, string>>): Record<string, unknown>;
}

interface Method {
  readonly properties: Readonly<Record<string, { readonly type?: string; readonly anyOf?: unknown }>>;
  readonly 'x-returns': readonly string[];
}

export const schemaExists = (): boolean => existsSync(FILE);

/** Reads the description; without the file everything counts as right. */
export function readSchema(): BotApiSchema {
  const root = schemaExists()
    ? (JSON.parse(readFileSync(FILE, 'utf8')) as { methods: Record<string, Method> })
    : { methods: {} };
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  ajv.addSchema(root, 'bot-api');
  const compiled = new Map<string, ValidateFunction>();

  function problems(what: string, schema: object, value: unknown): string[] {
    if (!schemaExists()) return [];
    const validate = compiled.get(what) ?? ajv.compile(schema);
    compiled.set(what, validate);
    if (validate(value)) return [];
    return (validate.errors ?? []).slice(0, 5).map((error) => `${what}${error.instancePath}: ${error.message}`);
  }
  const definition = (name: string) =>
    name === 'Boolean' ? { type: 'boolean' } : { $ref: `bot-api#/$defs/${name.replace(/^Array of /, '')}` };
  const returned = (name: string) =>
    name.startsWith('Array of ') ? { type: 'array', items: definition(name) } : definition(name);

  return {
    request(method, parameters) {
      if (schemaExists() && !root.methods[method]) return [`there is no method ${method}`];
      return problems(method, { $ref: `bot-api#/methods/${method}` }, parameters);
    },
    result(method, result) {
      const names = root.methods[method]?.['x-returns'] ?? [];
      return problems(`result of ${method}`, { anyOf: names.map(returned) }, result);
    },
    update: (update) => problems('update', definition('Update'), update),
    fieldsOf(method, fields) {
      const properties = root.methods[method]?.properties ?? {};
      const read = ([name, value]: [string, string]) =>
        properties[name]?.type === 'string' || properties[name]?.anyOf ? value : JSON.parse(value);
      return Object.fromEntries(Object.entries(fields).map((entry) => [entry[0], read(entry)] as const));
    },
  };
}
