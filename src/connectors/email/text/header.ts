import { labelled } from './lines.ts';
import type { Line } from './lines.ts';
import type { Label } from './vocabulary.ts';

/** The lines of another mail's header as programs write them into a text. */
export interface Header {
  /** Behind its last line. */
  readonly end: number;
  readonly values: Readonly<Partial<Record<Label, string>>>;
}

/** More lines no program writes there. */
const MOST_LINES = 30;

/** The header that begins in line `at`, or undefined. */
export function headerAt(lines: readonly Line[], at: number): Header | undefined {
  const values: Values = {};
  let open: Label | undefined;
  let end = at;
  for (; end < Math.min(lines.length, at + MOST_LINES) && lines[end]?.depth === lines[at]?.depth; end++) {
    open = noteLine(lines, end, { values, open });
    if (open === undefined) break;
  }
  return end > at ? { end, values } : undefined;
}

type Values = Partial<Record<Label, string>>;

/** Adds what a line says to `values`; returns which value it belongs to, or undefined when it isn't of the header. */
function noteLine(
  lines: readonly Line[],
  at: number,
  { values, open }: { readonly values: Values; readonly open: Label | undefined },
): Label | undefined {
  const bare = lines[at]?.bare ?? '';
  const found = labelled(bare);
  if (found) {
    if (found.label !== 'other' && values[found.label] !== undefined) return undefined;
    values[found.label] = found.value;
    return found.label;
  }
  const value = open && values[open];
  if (!open || value === undefined || !goesOn(bare, value, lines.slice(at + 1, at + 4))) return undefined;
  values[open] = `${value} ${bare}`.trim();
  return open;
}

/** Long lists of people and long subjects are broken into lines; then more of the header follows. */
function goesOn(bare: string, value: string, next: readonly Line[]): boolean {
  if (bare === '') return false;
  if (value === '' || /[,;<]$/.test(value) || /^[<,;]/.test(bare)) return true;
  return next.some((line) => labelled(line.bare));
}

/** The header of another mail that begins in line `at`, with nothing announcing it. */
export function quotedHeaderAt(lines: readonly Line[], at: number): Header | undefined {
  // Lines of other labels may repeat: were each of them a beginning, reading them would take long.
  const first = labelled(lines[at]?.bare ?? '')?.label;
  const header = first === undefined || first === 'other' ? undefined : headerAt(lines, at);
  return header && isHeader(header) ? header : undefined;
}

/**
 * Whether it is one: people write `From: Kyiv` and `Date: Monday` themselves, and forms of web sites have such lines,
 * so it needs an address or a subject, and a third line.
 */
function isHeader({ values }: Header): boolean {
  const { from, to, date, subject } = values;
  if (from === undefined || (date === undefined && to === undefined)) return false;
  return subject !== undefined || (from.includes('@') && date !== undefined);
}
