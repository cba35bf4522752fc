import { isAbsolute, join, relative, resolve } from 'node:path';
import type { z } from 'zod';
import { check, findDuplicates, isGroup, placeholdersIn, readEndpoints, readRoutes } from './config-endpoints.ts';
import type { EndpointType, Place } from './config-endpoints.ts';
import { codeOf, readConfigFile, toPathText } from './config-file.ts';
import type { ConfigFile } from './config-file.ts';
import { ConfigInFile, isPostgres } from './config-schema.ts';
import { readTextFile, readVariables } from './config-variables.ts';
import type { Variables } from './config-variables.ts';
import type { Config, ConfigProblem } from './config-types.ts';
import { Secret } from './core/secret.ts';

export type { Config, ConfigProblem, EndpointDefinition, LogLevel } from './config-types.ts';

export interface ConfigRequest {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly connectors: readonly EndpointType[];
  readonly destinationTypes: readonly EndpointType[];
  /** The text of a file by its absolute path; undefined when it isn't there. */
  readonly readFile?: (path: string) => string | undefined;
}

/**
 * Reads the configuration: defaults, `TRIBUTARY_CONFIG` or `config/tributary.yaml`, `.env`, environment,
 * the later ones winning. Returns it, or every problem at once. Changes nothing, not even `process.env`.
 */
export function loadConfig(request: ConfigRequest): { config: Config } | { problems: readonly ConfigProblem[] } {
  const variables = readVariables(request.env, request.cwd, request.readFile ?? readTextFile);
  const file = readFile(variables);
  const raw = isGroup(file.value) ? withoutEmpty(file.value) : file.value;
  const value = isGroup(raw) ? variables.overlay(raw) : raw;
  const place: Place = {
    isFilled: (path) => file.filled.has(toPathText(path)) || variables.nameOf(path) !== undefined,
    locate(path) {
      const name = variables.nameOf(path);
      if (name) return variables.locate(name);
      return { file: file.label, line: file.lineOf(path), path: toPathText(path) };
    },
  };
  const main = check(ConfigInFile, value, [], place);
  const listOf = (key: string): readonly unknown[] => {
    const list = isGroup(value) ? value[key] : undefined;
    return Array.isArray(list) ? list : [];
  };
  const ownChannels = isGroup(value) && value['channels'] !== undefined;
  // Without channels of one's own there is a form, so that the first ticket needs no set-up.
  const channelList = ownChannels ? listOf('channels') : [{ id: 'contact', type: 'form' }];
  const channels = readEndpoints(channelList, 'channels', request.connectors, place);
  const destinations = readEndpoints(listOf('destinations'), 'destinations', request.destinationTypes, place);
  const known = {
    destinations: listOf('destinations').flatMap((each) => (isGroup(each) ? [String(each['id'])] : [])),
    channelTypes: request.connectors.map((connector) => connector.type),
  };
  const routes = readRoutes(listOf('routes'), known, place);
  const secretKey = variables.secret('SECRET_KEY');
  const adminApiKey = variables.secret('ADMIN_API_KEY');
  const problems = [
    ...file.problems,
    ...('problems' in main ? main.problems : placeholdersIn(main.data.transcripts, ['transcripts'], place)),
    ...channels.problems,
    ...destinations.problems,
    ...findDuplicates({ channels: listOf('channels'), destinations: listOf('destinations') }, place),
    ...routes.problems,
    ...variables.problems(),
  ];
  // A value that a placeholder couldn't fill is named once, not again for being too short.
  if (problems.length > 0 || 'problems' in main) return { problems: inOrder(withoutRepeats(problems)) };
  const { server, dataDir, store, queue, egress, log, country, tickets, retention, transcripts, statusPage } =
    main.data;
  const data = resolve(request.cwd, dataDir);
  return {
    config: {
      server: { ...server, publicUrl: server.publicUrl && new URL(server.publicUrl).origin },
      dataDir: data,
      store: storeOf(store, request.cwd, data),
      queue: queue === 'embedded' ? undefined : new Secret(queue),
      egress,
      secretKey,
      adminApiKey,
      log,
      country,
      tickets: { joinWithinMs: tickets.joinWithin, reopenWithinMs: tickets.reopenWithin, calls: tickets.calls },
      retention: { payloadsMs: retention.payloads, tasksMs: retention.tasks, recordingsMs: retention.recordings },
      transcripts: transcriptsOf(transcripts),
      statusPage: { shows: statusPage.shows, closedForMs: statusPage.closedFor },
      channels: channels.endpoints.map((each) => (ownChannels ? each : { ...each, source: null })),
      destinations: destinations.endpoints,
      routes: routes.routes,
      file: file.found ? file.label : undefined,
    },
  };
}

function storeOf(store: string | undefined, cwd: string, data: string): Config['store'] {
  if (store === undefined) return { path: join(data, 'tributary.db') };
  return isPostgres(store) ? { url: new Secret(store) } : { path: resolve(cwd, store.slice('sqlite:'.length)) };
}

function transcriptsOf(given: z.output<typeof ConfigInFile>['transcripts']): Config['transcripts'] {
  if (!given) return undefined;
  const { timeout, apiKey, chatModel, language, ...rest } = given;
  const { protocol, hostname, port } = new URL(rest.url);
  const host = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
  return { ...rest, host, apiKey, chatModel, language, timeoutMs: timeout };
}

const DEFAULT_FILE = 'config/tributary.yaml';

/** The YAML file, or an empty one; `label` is its name for people. */
function readFile(variables: Variables): ConfigFile & { readonly label: string; readonly found: boolean } {
  const named = variables.all['TRIBUTARY_CONFIG'];
  const path = resolve(variables.cwd, named ?? DEFAULT_FILE);
  const below = relative(variables.cwd, path);
  const label = below.startsWith('..') || isAbsolute(below) ? path : below;
  const nothing = { value: {}, filled: new Set<string>(), lineOf: () => undefined, label, found: false };
  try {
    const text = variables.readFile(path);
    if (text !== undefined) {
      const file = readConfigFile(text, label, { variables: variables.all, readFile: variables.readFile });
      return { ...file, value: file.value ?? {}, label, found: true };
    }
    if (!named) return { ...nothing, problems: [] };
    const message = `names ${label}, which is not there`;
    const remedy = 'Correct the path, or remove the variable to start with the defaults.';
    return { ...nothing, problems: [{ ...variables.locate('TRIBUTARY_CONFIG'), message, remedy }] };
  } catch (error) {
    const message = `can't be read (${codeOf(error)})`;
    const remedy = `Let the gateway read it: chmod u+r ${label}`;
    return { ...nothing, problems: [{ file: label, line: undefined, path: '', message, remedy }] };
  }
}

/** Sections with nothing below them (all lines commented out) count as left out. */
function withoutEmpty(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== null));
}

function withoutRepeats(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const places = new Set<string>();
  return problems.filter(({ file, line, path, message }) => {
    const place =
      path === '' || message.startsWith('unknown ') ? `${file} ${line} ${path} ${message}` : `${file} ${path}`;
    const first = !places.has(place);
    places.add(place);
    return first;
  });
}

function inOrder(problems: readonly ConfigProblem[]): ConfigProblem[] {
  return problems.toSorted((a, b) => a.file.localeCompare(b.file) || (a.line ?? 0) - (b.line ?? 0));
}
