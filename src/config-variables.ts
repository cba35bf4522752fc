import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { isGroup, isPlaceholder } from './config-endpoints.ts';
import type { ConfigProblem } from './config-types.ts';
import { codeOf, toPathText } from './config-file.ts';
import type { Path } from './config-file.ts';
import { Secret } from './core/secret.ts';

/** Variables that stand for settings of the file. */
const SETTINGS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  PORT: ['server', 'port'],
  HOST: ['server', 'host'],
  PUBLIC_URL: ['server', 'publicUrl'],
  DATA_DIR: ['dataDir'],
  DATABASE_URL: ['store'],
  REDIS_URL: ['queue'],
  LOG_LEVEL: ['log', 'level'],
  LOG_FORMAT: ['log', 'format'],
};

/** The environment over `.env`. */
export interface Variables {
  readonly all: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly readFile: (path: string) => string | undefined;
  /** Puts the variables that stand for settings over what the file says. */
  overlay(value: Record<string, unknown>): Record<string, unknown>;
  /** The variable that a setting was taken from. */
  nameOf(path: Path): string | undefined;
  /** Where a variable was set. */
  locate(name: string): Pick<ConfigProblem, 'file' | 'line' | 'path'>;
  /** A secret from NAME or from the file that NAME_FILE names. */
  secret(name: string): Secret | undefined;
  /** What was wrong with the secrets asked for so far, and with values copied from `.env.example`. */
  problems(): readonly ConfigProblem[];
}

export function readTextFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export function readVariables(
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
  read: (path: string) => string | undefined,
): Variables {
  const problems: ConfigProblem[] = [];
  const readFile = (path: string) => read(resolve(cwd, path));
  const readBeside = (name: string) => {
    try {
      return readFile(name) ?? '';
    } catch (error) {
      const message = `can't be read (${codeOf(error)})`;
      problems.push({
        file: name,
        line: undefined,
        path: '',
        message,
        remedy: `Let the gateway read it: chmod u+r ${name}`,
      });
      return '';
    }
  };
  const dotenv = readBeside('.env');
  // Set but empty counts as not set: Compose passes `NAME=` on for variables that nobody gave.
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const all = { ...parseEnv(dotenv), ...set };

  const locate = (name: string) =>
    set[name] === undefined
      ? { file: '.env', line: lineOfName(dotenv, name), path: name }
      : { file: 'environment', line: undefined, path: name };

  const used = Object.entries(SETTINGS).filter(([name]) => all[name]);
  const names = new Map(used.map(([name, path]) => [toPathText(path), name]));

  for (const [name, value] of secretsOf(readBeside('.env.example'))) {
    if (all[name] !== value) continue;
    const remedy = 'Make one of your own: openssl rand -base64 32';
    problems.push({ ...locate(name), message: 'is the value of .env.example, which everybody knows', remedy });
  }

  return {
    all,
    cwd,
    readFile,
    locate,
    nameOf: (path) => names.get(toPathText(path)),
    overlay: (value) => used.reduce((node, [name, path]) => putAt(node, path, all[name]), value),
    secret(name) {
      const result = readSecret(name, all, readFile);
      if (!('problem' in result)) return result.value;
      problems.push({ ...locate(result.name), ...result.problem });
      return undefined;
    },
    problems: () => problems,
  };
}

/** Names and values of the secrets in an example, commented out or not. */
function secretsOf(example: string): (readonly [string, string])[] {
  return [...example.matchAll(/^#? ?([A-Z_]*(?:KEY|SECRET|PASSWORD|TOKEN))=(\S+)$/gm)].map(
    ([, name = '', value = '']) => [name, value],
  );
}

function lineOfName(dotenv: string, name: string): number | undefined {
  const index = dotenv.split('\n').findIndex(
    (line) =>
      line
        .replace(/^\s*(export\s+)?/, '')
        .split('=')[0]
        ?.trim() === name,
  );
  return index < 0 ? undefined : index + 1;
}

/** A copy with a value at a path; what is no group on the way stays, and is found by the schema. */
function putAt(node: Record<string, unknown>, path: readonly string[], value: unknown): Record<string, unknown> {
  const [part, ...rest] = path;
  if (part === undefined) return node;
  if (rest.length === 0) return { ...node, [part]: value };
  const below = node[part] ?? {};
  return isGroup(below) ? { ...node, [part]: putAt(below, rest, value) } : node;
}

type SecretResult =
  | { readonly value: Secret | undefined }
  | { readonly name: string; readonly problem: Pick<ConfigProblem, 'message' | 'remedy'> };

function readSecret(
  name: string,
  all: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string | undefined,
): SecretResult {
  const fileName = `${name}_FILE`;
  const path = all[fileName];
  if (path && all[name]) {
    return { name, problem: { message: `is set, and ${fileName} too`, remedy: 'Keep one of them.' } };
  }
  if (!path) return all[name] ? judge(name, all[name]) : { value: undefined };
  try {
    const text = readFile(path);
    if (text !== undefined) return judge(fileName, text.trim());
    const problem = { message: `names ${path}, which is not there`, remedy: 'Create the file, or correct the path.' };
    return { name: fileName, problem };
  } catch (error) {
    const message = `names ${path}, which can't be read (${codeOf(error)})`;
    return { name: fileName, problem: { message, remedy: `Let the gateway read it: chmod u+r ${path}` } };
  }
}

function judge(name: string, value: string): SecretResult {
  const remedy = 'Make a strong one: openssl rand -base64 32';
  if (isPlaceholder(value)) return { name, problem: { message: 'is a value copied from an example', remedy } };
  if (value.length < 32) return { name, problem: { message: 'is shorter than 32 characters', remedy } };
  return { value: new Secret(value) };
}
