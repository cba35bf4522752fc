import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';

const FOLDER = join(import.meta.dirname, '../../../shared/specs/vk');

/** VK's own description of its API, where it is beside the repository: what it doesn't name is wrong. */
export interface VkSchema {
  /** What is wrong with the parameters of a call. */
  request(method: string, parameters: Readonly<Record<string, string>>): string[];
  /** What is wrong with the answer to a call, where it is described. */
  response(method: string, body: unknown): string[];
  /** What is wrong with the object of an event, where it is described. */
  event(type: string, object: unknown): string[];
}

interface Parameter {
  readonly name: string;
  readonly type: string | readonly string[];
  readonly required?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly enum?: readonly (string | number)[];
  readonly items?: Omit<Parameter, 'name'>;
  readonly $ref?: string;
}

interface Method {
  readonly name: string;
  readonly parameters?: readonly Parameter[];
  readonly responses?: Readonly<Record<string, { readonly $ref?: string }>>;
}

type Json = Record<string, unknown>;

const integer = (name: string, required = false): Parameter => ({ name, type: 'integer', required });
const string = (name: string, required = false): Parameter => ({ name, type: 'string', required });
const comment = (item: string): Parameter[] => [
  integer('owner_id'),
  integer(item, true),
  string('message'),
  string('attachments'),
  integer('from_group'),
  integer('reply_to_comment'),
  integer('sticker_id'),
  string('guid'),
];

/** Methods of which only the objects are beside the repository, from https://dev.vk.com/ru/method */
const DOCUMENTED: readonly Method[] = [
  { name: 'groups.getLongPollServer', parameters: [integer('group_id', true)] },
  { name: 'groups.getCallbackServers', parameters: [integer('group_id', true), string('server_ids')] },
  { name: 'groups.getById', parameters: [string('group_ids'), string('group_id'), string('fields')] },
  { name: 'photos.getMessagesUploadServer', parameters: [integer('peer_id'), integer('group_id')] },
  { name: 'photos.saveMessagesPhoto', parameters: [string('photo', true), integer('server'), string('hash')] },
  { name: 'wall.createComment', parameters: comment('post_id') },
  { name: 'photos.createComment', parameters: comment('photo_id') },
  { name: 'video.createComment', parameters: comment('video_id') },
  { name: 'market.createComment', parameters: comment('item_id') },
];

/** Objects of events by type, where they are not named after it. */
const OBJECTS: Readonly<Record<string, string>> = {
  message_reply: 'callback_message',
  message_edit: 'callback_message',
  message_reaction_event: 'callback_message_reaction_event',
};

export const vkIsDescribed = (): boolean => existsSync(FOLDER);

/** Reads the description; without it everything counts as right. */
export function readVkSchema(): VkSchema {
  if (!vkIsDescribed()) return { request: () => [], response: () => [], event: () => [] };
  const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'));
  const read = (name: string) => JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Json;
  const methods = new Map<string, Method>(DOCUMENTED.map((method) => [method.name, method]));
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  for (const name of files) {
    const content = read(name);
    if (Array.isArray(content.methods))
      for (const method of content.methods as Method[]) methods.set(method.name, method);
    if (content.definitions) ajv.addSchema({ ...(toSchema(content, name, files) as Json), $id: `vk:/${name}` });
  }
  const events = propertiesOf(read('groups/objects.json'), 'groups_long_poll_events');
  methods.set('groups.setLongPollSettings', {
    name: 'groups.setLongPollSettings',
    // The description doesn't name the pressed button, which the page of the method does.
    parameters: [
      integer('group_id', true),
      integer('enabled'),
      string('api_version'),
      ...[...events, 'message_event'].map((name) => ({ name, type: 'boolean' })),
    ],
  });

  function problems(what: string, $ref: string, value: unknown): string[] {
    const validate = ajv.getSchema($ref) ?? ajv.compile({ $ref });
    if (validate(value)) return [];
    return (validate.errors ?? []).slice(0, 5).map((error) => `${what}${error.instancePath}: ${error.message}`);
  }
  const absolute = ($ref: string) => $ref.replace(/^\.\.\//, 'vk:/');

  return {
    request(name, parameters) {
      const method = methods.get(name);
      if (!method) return [`there is no method ${name}`];
      const known = new Map((method.parameters ?? []).map((parameter) => [parameter.name, parameter]));
      const wrong = Object.entries(parameters).flatMap(([key, value]) => {
        const parameter = known.get(key);
        if (!parameter) return [`${name} takes no ${key}`];
        if (parameter.$ref?.endsWith('messages_forward')) {
          return problems(`${name} ${key}`, absolute(parameter.$ref), JSON.parse(value));
        }
        return fits(parameter, value) ? [] : [`${name}: ${key} can't be ${value.slice(0, 100)}`];
      });
      const missing = [...known.values()].filter(
        ({ name: key, required }) => required && parameters[key] === undefined,
      );
      return [...wrong, ...missing.map(({ name: key }) => `${name} needs ${key}`)];
    },
    response(name, body) {
      const refs = Object.values(methods.get(name)?.responses ?? {}).flatMap(({ $ref }) => $ref ?? []);
      const found = refs.map(($ref) => problems(`answer to ${name}`, absolute($ref), body));
      return found.some((wrong) => wrong.length === 0) ? [] : (found.at(-1) ?? []);
    },
    event(type, object) {
      const name = OBJECTS[type] ?? `callback_${type}`;
      const known = propertiesOf(read('callback/objects.json'), undefined).includes(name);
      return known ? problems(type, `vk:/callback/objects.json#/definitions/${name}`, object) : [];
    },
  };
}

function propertiesOf(file: Json, definition: string | undefined): string[] {
  const definitions = file.definitions as Record<string, { properties?: object }>;
  return Object.keys(definition === undefined ? definitions : (definitions[definition]?.properties ?? {}));
}

function fits(parameter: Omit<Parameter, 'name'>, value: string): boolean {
  const { minimum = -Infinity, maximum = Infinity, maxLength = Infinity, maxItems = Infinity } = parameter;
  if (parameter.enum && !parameter.enum.map(String).includes(value)) return false;
  switch (parameter.type) {
    case 'integer':
      return /^-?\d+$/.test(value) && Number(value) >= minimum && Number(value) <= maximum;
    case 'number':
      return Number.isFinite(Number(value));
    case 'boolean':
      return value === '0' || value === '1';
    case 'array': {
      const items = value.split(',');
      return items.length <= maxItems && items.every((item) => !parameter.items || fits(parameter.items, item));
    }
    default:
      return value.length <= maxLength;
  }
}

/** VK writes `required: true` at the property itself, and refers to files that are not here. */
function toSchema(value: unknown, file: string, files: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((inner) => toSchema(inner, file, files));
  if (typeof value !== 'object' || value === null) return value;
  const { required: _required, $schema: _schema, ...given } = value as Json;
  if (typeof given.$ref === 'string') {
    const [target = ''] = given.$ref.replace(/^\.\.\//, '').split('#');
    if (!files.includes(target)) return {};
    return { $ref: given.$ref.replace(/^\.\.\//, 'vk:/') };
  }
  const result = Object.fromEntries(Object.entries(given).map(([key, inner]) => [key, toSchema(inner, file, files)]));
  if (typeof given.properties === 'object' && given.properties !== null) {
    const needed = Object.entries(given.properties as Record<string, Json>).filter(
      ([, inner]) => inner.required === true,
    );
    if (needed.length > 0) result.required = needed.map(([key]) => key);
  }
  return result;
}
