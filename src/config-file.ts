import { isMap, isNode, isPair, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { Document, Node, Pair, Scalar } from 'yaml';
import { textOf } from './core/errors.ts';
import type { ConfigProblem } from './config-types.ts';

export type Path = readonly (string | number)[];

/** `channels[2].auth.secret` */
export function toPathText(path: Path): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text ? `${text}.${part}` : part),
    '',
  );
}

/** Where placeholders find their values. `readFile` answers undefined for a file that isn't there. */
export interface Sources {
  readonly variables: Readonly<Record<string, string | undefined>>;
  readFile(path: string): string | undefined;
}

export interface ConfigFile {
  /** The file as plain values, placeholders filled in. */
  readonly value: unknown;
  readonly problems: readonly ConfigProblem[];
  /** Paths (as text) whose values came out of placeholders: text, whatever the setting wants. */
  readonly filled: ReadonlySet<string>;
  /** The line of a key or list entry, else of the nearest thing around it. */
  lineOf(path: Path): number | undefined;
}

/** Reads YAML; what can't be read is a problem with its line. */
export function readConfigFile(text: string, file: string, sources: Sources): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(protect(text), { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number) => lines.linePos(offset).line;
  const syntax = [...document.errors, ...document.warnings].map((error): ConfigProblem => {
    const message = error.code === 'DUPLICATE_KEY' ? 'the same key stands here twice' : plain(error.message);
    const remedy =
      error.code === 'DUPLICATE_KEY' ? 'Keep one of them.' : 'Check indentation, quotes and brackets on this line.';
    return { file, line: lineAt(error.pos[0]), path: '', message, remedy };
  });
  if (document.errors.length > 0)
    return { value: undefined, problems: syntax, filled: new Set(), lineOf: () => undefined };

  const filled = new Set<string>();
  const unfilled: ConfigProblem[] = [];
  visit(document, {
    Scalar(key, node, ancestors) {
      if (typeof node.value !== 'string') return;
      const written = unprotect(node.value);
      node.value = written;
      if (key === 'key' || !written.includes('${')) return;
      const path = pathOf(node, ancestors);
      const result = fill(written, sources);
      if ('value' in result) node.value = result.value;
      else unfilled.push({ file, line: lineAt(node.range?.[0] ?? 0), path: toPathText(path), ...result });
      filled.add(toPathText(path));
    },
  });
  const { value, problem } = toValue(document);
  return {
    value,
    problems: [...syntax, ...unfilled, ...(problem ? [{ file, line: undefined, path: '', ...problem }] : [])],
    filled,
    lineOf(path) {
      const offset = offsetOf(document, path);
      return offset === undefined ? undefined : lineAt(offset);
    },
  };
}

/** Aliases are resolved here: too many of them, or one of nothing, is refused. */
function toValue(document: Document.Parsed): { value?: unknown; problem?: { message: string; remedy: string } } {
  try {
    return { value: document.toJS() as unknown };
  } catch (error) {
    return { problem: { message: plain(textOf(error)), remedy: 'Write the values out instead of using aliases.' } };
  }
}

/** The library quotes what stands in the file, which may be a secret: only its own words are kept. */
function plain(message: string): string {
  return (/^[^"'`%\\\n]*?(?=: |["'`%\\\n]|$)/.exec(message)?.[0] ?? '').trim().slice(0, 200) || 'is no YAML';
}

/**
 * Braces and colons inside an unquoted placeholder would end the value within `{ … }`, where YAML reads
 * them itself. They pass through it as characters that nobody writes, one for one, so that places stay right.
 */
function protect(text: string): string {
  return text.replace(/\$\{[^{}"'\\\n]*\}/g, (placeholder) => shift(placeholder, /[ -~]/g, SHIFT));
}

function unprotect(text: string): string {
  return text.replace(/\uf724\uf77b[^\uf77d]*\uf77d/g, (placeholder) => shift(placeholder, /[\uf720-\uf77e]/g, -SHIFT));
}

const shift = (text: string, letters: RegExp, by: number) =>
  text.replace(letters, (letter) => String.fromCharCode(letter.charCodeAt(0) + by));

/** From ASCII into the private use area. */
const SHIFT = 0xf700;

/** Turns the way from the root to a value into its path. */
function pathOf(node: Node, ancestors: readonly (Document | Node | Pair)[]): Path {
  const path: (string | number)[] = [];
  [...ancestors, node].forEach((each, index, all) => {
    const parent = all[index - 1];
    if (isPair(each)) path.push(String(isScalar(each.key) ? each.key.value : each.key));
    else if (isSeq(parent)) path.push(parent.items.indexOf(each));
  });
  return path;
}

/** Where a path begins: its key, or the list entry; where it isn't there, what is around it. */
function offsetOf(document: Document.Parsed, path: Path): number | undefined {
  let node: unknown = document.contents;
  let offset = isNode(node) ? node.range?.[0] : undefined;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find((each) => isScalar(each.key) && String(each.key.value) === String(part));
      if (!pair) return offset;
      offset = (pair.key as Scalar).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(part)];
      offset = (isNode(node) ? node.range?.[0] : undefined) ?? offset;
    } else return offset;
  }
  return offset;
}

type Filled = { readonly value: string } | { readonly message: string; readonly remedy: string };

const PLACEHOLDER = /\$\$\{|\$\{(?:file:([^}]+)|([A-Za-z_][A-Za-z0-9_]*)(?:(:-|:\?)([^}]*))?)\}|\$\{/g;

/** Fills `${NAME}`, `${NAME:-default}`, `${NAME:?message}` and `${file:/path}`; `$${` stands for `${`. */
function fill(text: string, sources: Sources): Filled {
  let problem: { message: string; remedy: string } | undefined;
  const value = text.replace(
    PLACEHOLDER,
    (whole, path?: string, name?: string, operator?: string, argument?: string) => {
      if (whole === '$${') return '${';
      const found = path
        ? fromFile(path, sources)
        : name
          ? fromVariable(name, operator, argument ?? '', sources)
          : malformed();
      if ('value' in found) return found.value;
      problem ??= found;
      return '';
    },
  );
  return problem ?? { value };
}

function malformed(): Filled {
  return {
    message: 'holds a ${ that is no placeholder',
    remedy: 'Write ${NAME}, ${NAME:-default} or ${file:/path}; for the characters themselves $${.',
  };
}

function fromVariable(name: string, operator: string | undefined, argument: string, sources: Sources): Filled {
  const value = sources.variables[name];
  if (value) return { value };
  if (operator === ':-') return { value: argument };
  return {
    message: `needs the variable ${name}, which is ${value === undefined ? 'not set' : 'empty'}`,
    remedy: operator === ':?' && argument ? argument : `Add a line ${name}=… to .env, or set it in the environment.`,
  };
}

function fromFile(path: string, sources: Sources): Filled {
  const remedy = 'Create the file, or let the gateway read it (one value, nothing else in it).';
  try {
    const text = sources.readFile(path);
    if (text === undefined) return { message: `needs the file ${path}, which is not there`, remedy };
    // Editors and `echo` end files with a line break that isn't part of the value.
    return { value: text.replace(/\r?\n$/, '') };
  } catch (error) {
    return { message: `needs the file ${path}, which can't be read (${codeOf(error)})`, remedy };
  }
}

/** `EACCES` and the like. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
