import type { z, ZodType } from 'zod';
import type { ConfigProblem, EndpointDefinition } from './config-types.ts';
import type { Path } from './config-file.ts';
import { flatten, nearest, toProblems, unknownName, valueAt } from './config-problems.ts';
import { RouteInFile } from './config-route.ts';
import { ChannelHead, EndpointHead, toJsonSchema } from './config-schema.ts';
import type { Route } from './core/gateway.ts';
import { Secret } from './core/secret.ts';

/** A type of channel or destination, as far as the configuration needs it. */
export interface EndpointType {
  readonly type: string;
  readonly docs: string;
  readonly config: ZodType;
  readonly capabilities?: object;
}

/** What a check knows about the place of a value in the file. */
export interface Place {
  /** Whether the value came as text from a placeholder or the environment. */
  isFilled(path: Path): boolean;
  locate(path: Path): Pick<ConfigProblem, 'file' | 'line' | 'path'>;
}

export type Result<T> = { readonly data: T } | { readonly problems: readonly ConfigProblem[] };

/**
 * Checks a value. What came as text from the environment is read as the number or switch that the
 * schema asks for.
 */
export function check<T>(
  schema: ZodType<T>,
  value: unknown,
  base: Path,
  place: Place,
  extras: { readonly fallback?: string; readonly json?: ReturnType<typeof toJsonSchema> } = {},
): Result<T> & { readonly value: unknown } {
  let current = value;
  for (;;) {
    const result = schema.safeParse(current);
    if (result.success) return { data: result.data, value: current };
    const issues = result.error.issues.flatMap((issue) => flatten(issue));
    const converted = issues.reduce<unknown>((node, issue) => {
      const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
      const to = issue.code === 'invalid_type' && place.isFilled([...base, ...path]) ? issue.expected : '';
      const read = readText(valueAt(node, path), to);
      return read === undefined ? node : replaceAt(node, path, read);
    }, current);
    if (converted === current) {
      const problems = toProblems(result.error.issues, {
        value: current,
        json: extras.json ?? toJsonSchema(schema),
        locate: (path) => place.locate([...base, ...path]),
        fallback: extras.fallback ?? 'Correct the value: docs/configuration.md says what it may be.',
      });
      return { problems, value: current };
    }
    current = converted;
  }
}

function readText(value: unknown, expected: string): number | boolean | undefined {
  if (typeof value !== 'string') return undefined;
  if (expected === 'boolean') return value === 'true' ? true : value === 'false' ? false : undefined;
  if (expected !== 'number' && expected !== 'int') return undefined;
  return /^-?\d{1,15}(\.\d{1,6})?$/.test(value) ? Number(value) : undefined;
}

/** A copy with another value at an existing path. */
function replaceAt(node: unknown, path: Path, value: unknown): unknown {
  const [part, ...rest] = path;
  if (part === undefined) return value;
  if (Array.isArray(node))
    return node.map((each: unknown, index) => (index === part ? replaceAt(each, rest, value) : each));
  return { ...(node as object), [part]: replaceAt(valueAt(node, [part]), rest, value) };
}

export function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Checks a list of channels or destinations. */
export function readEndpoints(
  list: readonly unknown[],
  what: 'channels' | 'destinations',
  types: readonly EndpointType[],
  place: Place,
): { readonly endpoints: readonly EndpointDefinition[]; readonly problems: readonly ConfigProblem[] } {
  const endpoints: EndpointDefinition[] = [];
  const problems: ConfigProblem[] = [];
  list.forEach((item, index) => {
    const result = readEndpoint(item, [what, index], types, place);
    if ('data' in result) endpoints.push(result.data);
    else problems.push(...result.problems);
  });
  return { endpoints, problems };
}

function readEndpoint(
  item: unknown,
  base: Path,
  types: readonly EndpointType[],
  place: Place,
): Result<EndpointDefinition> {
  const head = check(headOf(base), item, base, place);
  if (!isGroup(item)) return 'problems' in head ? head : { problems: [] };
  const problems = 'problems' in head ? [...head.problems] : [];
  const found = typeOf(item, base, types, place);
  if (!found.type) return { problems: [...problems, ...found.problems] };
  const settings = Object.fromEntries(Object.entries(item).filter(([key]) => !Object.hasOwn(headOf(base).shape, key)));
  const body = readSettings(settings, found.type, base, place);
  if ('problems' in body) problems.push(...body.problems);
  problems.push(...unanswerable(item, base, found.type, place));
  if (!('data' in head) || !('data' in body) || problems.length > 0) return { problems };
  const { file, line } = place.locate(base);
  const { id, name, enabled, autoReply }: z.output<typeof ChannelHead> = head.data;
  return {
    data: {
      id,
      type: found.type.type,
      name: name ?? id,
      enabled,
      ...(autoReply !== undefined && { autoReply }),
      config: body.data,
      settings: body.value as Readonly<Record<string, unknown>>,
      source: line === undefined ? null : `${file}:${line}`,
      trustedHosts: [...new Set(hostsIn(body.value))],
    },
  };
}

/** Whether a channel of a type that can answer has a way back set up shows when it is opened. */
function unanswerable(
  item: Record<string, unknown>,
  base: Path,
  { type, capabilities = {} }: EndpointType,
  place: Place,
): ConfigProblem[] {
  const able = !('reply' in capabilities) || capabilities.reply === true;
  if (able || item['autoReply'] === undefined || !isChannel(base)) return [];
  const message = `needs a way to answer, which a channel of type ${type} has not`;
  return [{ ...place.locate([...base, 'autoReply']), message, remedy: 'Take it out.' }];
}

const isChannel = (base: Path) => base[0] === 'channels';

const headOf = (base: Path) => (isChannel(base) ? ChannelHead : EndpointHead);

function typeOf(item: Record<string, unknown>, base: Path, types: readonly EndpointType[], place: Place) {
  const name = item['type'];
  const type = types.find((each) => each.type === name);
  if (type || typeof name !== 'string') return { type, problems: [] };
  const word = isChannel(base) ? 'connector type' : 'destination type';
  const known = types.map((each) => each.type);
  return { type, problems: [{ ...place.locate([...base, 'type']), ...unknownName(word, name, known) }] };
}

function readSettings(settings: unknown, type: EndpointType, base: Path, place: Place) {
  const own = toJsonSchema(type.config);
  const json = { ...own, properties: { ...toJsonSchema(headOf(base)).properties, ...own.properties } };
  const body = check(type.config, settings, base, place, { json, fallback: `See docs/${type.docs}.` });
  if ('problems' in body) return body;
  const problems = placeholdersIn(body.data, base, place);
  return problems.length > 0 ? { ...body, problems } : body;
}

/** Secrets that nobody has replaced since he copied them out of an example. */
const PLACEHOLDER = /change[-_ ]?me|^<.*>$|^your[-_ ]|^todo$|…|\.\.\.$/i;

export const isPlaceholder = (value: string) => PLACEHOLDER.test(value);

export function placeholdersIn(value: unknown, path: Path, place: Place): ConfigProblem[] {
  if (value instanceof Secret) {
    if (!isPlaceholder(value.reveal())) return [];
    const remedy = 'Put in the real one; for a signing secret `npx tributary sign --new-secret` makes one.';
    return [{ ...place.locate(path), message: 'is a secret copied from an example', remedy }];
  }
  if (Array.isArray(value)) return value.flatMap((each, index) => placeholdersIn(each, [...path, index], place));
  if (!isGroup(value)) return [];
  return Object.entries(value).flatMap(([key, each]) => placeholdersIn(each, [...path, key], place));
}

/** Hosts that the settings name: of addresses, and of `host` with the `port` beside it. Where we `listen` we don't call. */
function hostsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap((each) => hostsIn(each));
  if (typeof value === 'string') {
    if (!/^https?:\/\//i.test(value) || !URL.canParse(value)) return [];
    const url = new URL(value);
    return [`${url.hostname}:${url.port || (url.protocol === 'https:' ? 443 : 80)}`];
  }
  if (!isGroup(value)) return [];
  const { host, port, listen: _listen, ...rest } = value;
  const named = typeof host === 'string' && !host.includes('/') ? [host.toLowerCase()] : [];
  const withPort = named.map((name) => (typeof port === 'number' ? `${name}:${port}` : name));
  return [...withPort, ...hostsIn(Object.values(rest))];
}

/** Ids name addresses (`/webhooks/<id>`), so channels and destinations share them. */
export function findDuplicates(lists: Readonly<Record<string, readonly unknown[]>>, place: Place): ConfigProblem[] {
  const seen = new Map<string, Path>();
  return Object.entries(lists).flatMap(([what, list]) =>
    list.flatMap((item, index) => {
      const id = valueAt(item, ['id']);
      if (typeof id !== 'string') return [];
      const first = seen.get(id);
      seen.set(id, first ?? [what, index, 'id']);
      if (!first) return [];
      const at = place.locate(first);
      const message = `the id "${id.slice(0, 80)}" is taken by ${at.path.replace(/\.id$/, '')} in line ${at.line ?? '?'}`;
      return [{ ...place.locate([what, index, 'id']), message, remedy: 'Give one of them another id.' }];
    }),
  );
}

/** Checks the routes, and that what they name exists. */
export function readRoutes(
  list: readonly unknown[],
  known: { readonly destinations: readonly string[]; readonly channelTypes: readonly string[] },
  place: Place,
): { readonly routes: readonly Route[]; readonly problems: readonly ConfigProblem[] } {
  const routes: Route[] = [];
  const problems: ConfigProblem[] = [];
  list.forEach((item, index) => {
    const base: Path = ['routes', index];
    const result = check(RouteInFile, item, base, place);
    if ('problems' in result) return problems.push(...result.problems);
    const { when, to, stop } = result.data;
    for (const id of to.filter((each) => !known.destinations.includes(each))) {
      problems.push({ ...place.locate([...base, 'to']), ...unknownDestination(id, known.destinations) });
    }
    for (const type of (when.channelType ?? []).filter((each) => !known.channelTypes.includes(each))) {
      const at = place.locate([...base, 'when', 'channelType']);
      problems.push({ ...at, ...unknownName('connector type', type, known.channelTypes) });
    }
    const { file, line } = place.locate(base);
    return routes.push({ id: `route-${index + 1}`, source: `${file}:${line ?? 1}`, when, to, stop });
  });
  return { routes, problems };
}

function unknownDestination(
  id: string,
  known: readonly string[],
): Pick<ConfigProblem, 'message' | 'remedy' | 'didYouMean'> {
  const near = nearest(id, known);
  return {
    message: `leads to the destination "${id.slice(0, 80)}", which this file does not define`,
    remedy: near
      ? `Write ${near}.`
      : `Add it below \`destinations:\`${known.length > 0 ? `; defined: ${known.join(', ')}` : ''}.`,
    ...(near ? { didYouMean: near } : {}),
  };
}
