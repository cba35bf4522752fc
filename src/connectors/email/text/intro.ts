import type { Line } from './lines.ts';
import { ON, WROTE } from './vocabulary.ts';

/** `On Mon, 3 May 2027 at 10:00, Ann <ann@example.com> wrote:`, in one line or several. */
export interface Intro {
  /** Its first line. */
  readonly start: number;
  /** Behind its last one. */
  readonly end: number;
  /** Nobody would write it himself: so what follows is quoted even without quote marks. */
  readonly isSure: boolean;
}

const MOST_LINES = 5;
const LONGEST = 400;

/** The introduction that ends in line `last`, or undefined. */
export function introEndingIn(lines: readonly Line[], last: number): Intro | undefined {
  if (!mayEnd(lines[last]?.bare ?? '')) return undefined;
  let [text, nearest]: [string, Intro | undefined] = ['', undefined];
  for (let start = last; start >= Math.max(0, last - MOST_LINES); start--) {
    const line = lines[start];
    if (!line || !belongs(line, text, lines[last])) break;
    text = `${line.bare} ${text}`.trim();
    if (!isIntro(text)) continue;
    const found = { start, end: last + 1, isSure: isSure(text) };
    if (begins(line.bare)) return found;
    nearest ??= found;
  }
  return nearest;
}

/** Whether a line may stand before the `text` of an introduction; a blank one only before a broken address. */
function belongs({ bare, depth }: Line, text: string, last: Line | undefined): boolean {
  if (depth !== last?.depth || bare.length + text.length >= LONGEST) return false;
  return bare !== '' || text.startsWith('<');
}

function mayEnd(bare: string): boolean {
  return /[:：>-]$/.test(bare) || WROTE.has(bare.split(/\s/).at(-1)?.toLowerCase() ?? '') || STAMP.test(bare);
}

/** A date in figures and a time, as old Gmail wrote it without a verb. */
const STAMP = /^\d{4}[-/]\d{1,2}[-/]\d{1,2} (?:\d{1,2}:\d{2} GMT[+-]\d|\S.{0,200}<[^<>@]{1,64}@[^<>@]{1,200}>$)/;

function isIntro(text: string): boolean {
  if (STAMP.test(text)) return true;
  const plain = text.replace(/^-{2,10} /, '').replace(/ -{2,10}$/, '');
  const isClosed = /[:：]$/.test(plain);
  const tells = saysWrote(plain);
  if (!isClosed && !(tells && plain !== text)) return false;
  if (tells) return true;
  return isClosed && hasAddress(plain) && hasDate(plain) && hasTime(plain);
}

function isSure(text: string): boolean {
  // Without commas people tell so when somebody wrote to them, and go on below.
  return STAMP.test(text) || hasAddress(text) || (text.includes(',') && hasTime(text) && hasDate(text) && begins(text));
}

function saysWrote(text: string): boolean {
  const words = text.toLowerCase().split(/[\s,:：>"»]+/);
  // In some languages the verb isn't parted from the name before it.
  return words.some((word) => WROTE.has(word)) || /(?:写道|寫道|のメール|wrote)[:：]$/.test(text);
}

function hasAddress(text: string): boolean {
  return /[^\s<>@]@[^\s<>@]{1,64}\.[a-z]{2}/i.test(text);
}

function hasTime(text: string): boolean {
  return /\d{1,2}[:.]\d{2}/.test(text);
}

/** A year, or a day and a month in figures. */
function hasDate(text: string): boolean {
  return /(?:^|\D)(?:19|20)\d{2}(?!\d)/.test(text) || /\d{1,2}[./-]\d{1,2}[./-]\d{2}/.test(text);
}

/** Whether it may be the first line: `On`, a date, or somebody's name with his address. */
function begins(bare: string): boolean {
  const plain = bare.replace(/^-{2,10} /, '');
  const [first = ''] = plain.toLowerCase().split(/[\s,]/, 1);
  if (/^\d{1,4}[\s./-]?\S/.test(plain)) return true;
  if (ON.has(first)) return /\d/.test(plain);
  return /^[^<>@:]{1,100}<[^<>\s@]{1,64}@[^<>\s]{1,200}>/.test(plain);
}
