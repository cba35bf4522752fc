import type { Label } from './vocabulary.ts';
import { FORWARDED, LABELS, ORIGINAL } from './vocabulary.ts';

/** A text, line by line, as mail programs quote. */
export interface Line {
  /** As written, without blanks at its end. */
  readonly raw: string;
  /** How many quote marks it begins with. */
  readonly depth: number;
  /** Without quote marks, blanks at both ends, and signs that nobody sees. */
  readonly bare: string;
}

/** Longer lines are text that somebody wrote: no program writes such ones around a quote. */
const LONGEST = 1000;

/** Beyond it is no conversation: it stays together as one line. */
const MOST_LINES = 20_000;

export function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  const written = text.replaceAll('\r\n', '\n').replaceAll('\r', '\n').split('\n');
  const rest = written.splice(MOST_LINES).join('\n');
  for (const whole of rest === '' ? written : [...written, rest]) {
    const raw = whole.trimEnd();
    const { depth, rest } = unquote(raw);
    const bare = rest.slice(0, LONGEST).replace(INVISIBLE, '').trim();
    lines.push(depth === 1 && closesBracket(bare, lines) ? { raw, depth: 0, bare: `>${bare}` } : { raw, depth, bare });
  }
  return withInitials(lines);
}

/** Some programs quote with the author's initials; a single such line is somebody's command prompt. */
function withInitials(lines: readonly Line[]): Line[] {
  const initials = lines.map(({ depth, bare }) => (depth === 0 ? /^[A-Z]{1,3}>/.exec(bare)?.[0] : undefined));
  return lines.map((line, at) => {
    const own = initials[at];
    if (own === undefined) return line;
    const around = [at - 2, at - 1, at + 1, at + 2].map((other) => initials[other] === own);
    const isRun = (around[0] && around[1]) || (around[1] && around[2]) || (around[2] && around[3]);
    return isRun ? { ...line, depth: 1, bare: line.bare.slice(own.length).trim() } : line;
  });
}

const INVISIBLE = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/g;

function unquote(raw: string): { depth: number; rest: string } {
  let [depth, at] = [0, 0];
  for (;;) {
    let next = at;
    while (raw[next] === ' ' && next - at < 4) next++;
    if (raw[next] !== '>') break;
    at = next + 1;
    depth++;
  }
  return { depth, rest: raw[at] === ' ' ? raw.slice(at + 1) : raw.slice(at) };
}

/** `> wrote:` is the end of an address that was broken at its bracket. */
function closesBracket(bare: string, before: readonly Line[]): boolean {
  if (bare.length > 20 || !bare.endsWith(':')) return false;
  const above = before.slice(-3).map((line) => (line.depth === 0 ? line.raw : ''));
  return above.some((raw) => raw.lastIndexOf('<') > raw.lastIndexOf('>'));
}

/** A line of nothing but signs that separate: `-----`, `***`, `____`, and the sign that a reader counter leaves. */
export function isRule(bare: string): boolean {
  return bare.length > 1 ? /^[-*#~=_+–—]+$/.test(bare) : bare === '—' || bare === 'ᐧ' || bare === '-';
}

/** Lines that announce another mail: `-----Original Message-----`, `Begin forwarded message:`. */
export function announces(bare: string): 'original' | 'forwarded' | undefined {
  if (bare.length > 100) return undefined;
  let end = bare.length;
  while (end > 0 && '-*_=: '.includes(bare.charAt(end - 1))) end--;
  const phrase = bare
    .slice(0, end)
    .toLowerCase()
    .replace(/^[-*_= ]+/, '');
  if (FORWARDED.includes(phrase)) return 'forwarded';
  // In the middle of a text it may be anything: mail programs draw lines around it.
  return ORIGINAL.includes(phrase) && /^[-*_=]/.test(bare) ? 'original' : undefined;
}

/** `*From:* Ann` → from, Ann. */
export function labelled(bare: string): { readonly label: Label; readonly value: string } | undefined {
  const plain = bare.replace(/^[*_]{1,3}/, '');
  const [, name = '', rest = ''] = /^([^:：<>@]{1,30})[:：](.*)$/.exec(plain) ?? [];
  const label = LABELS.get(name.replaceAll('*', '').trim().toLowerCase());
  return label && { label, value: rest.replace(/^[*_]{1,3}/, '').trim() };
}
