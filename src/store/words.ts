/** Words as search compares them: both what is searched for and what is searched is folded in the same way. */

/** Longest word that is told apart from others. */
const WORD = 64;
/** Most words of a query that count. */
const WORDS = 12;

/**
 * Compatibility forms, case, apostrophes (`п’ять` is `пять`), `ё` and `ґ`, stress marks, and accents on Latin letters
 * make no difference; `й` and `ї` stay letters of their own.
 */
export function fold(text: string): string {
  return plain(text)
    .toLowerCase()
    .replace(/['’‘ʼʹ′`\u00ad\u200b-\u200d\ufeff]/g, '')
    .replace(/[\u00df-\u024f\u1e00-\u1eff]/g, (letter) => letter.normalize('NFD').charAt(0))
    .replace(/[\u0300-\u036f]/g, '')
    .replaceAll('ё', 'е')
    .replaceAll('ґ', 'г');
}

/** Compatibility forms of letters and digits; signs only separate words, since `№` would become `No`. */
function plain(text: string): string {
  return text.replace(/\p{So}/gu, ' ').normalize('NFKC');
}

export function wordsIn(text: string): string[] {
  return (fold(text).match(/[\p{L}\p{M}\p{N}]+/gu) ?? []).map((word) => word.slice(0, WORD));
}

/** A run of digits as phone numbers are written: at least 7 of them, not over the end of a line. */
const RUN = /\d[\d \t\u00a0().\-/]{5,28}\d/g;
const FEWEST = 7;
/** E.164 allows 15. */
const MOST = 15;

/** The digits of each run that could be one number; the words of longer runs for themselves. */
function numbersIn(run: string): string[] {
  const digits = run.replace(/\D/g, '');
  const numbers = digits.length > MOST ? run.split(/\D+/) : [digits];
  return numbers.filter((number) => number.length >= FEWEST && number.length <= MOST);
}

/**
 * The digits of phone numbers in a text, in every format that one may look for: whole, and without what stands at the
 * front, since `+380 67 …` is written `067 …` at home.
 */
export function digitsIn(text: string): string[] {
  const numbers = (plain(text).match(RUN) ?? []).flatMap(numbersIn);
  return numbers.flatMap((number) =>
    Array.from({ length: number.length - FEWEST + 1 }, (_, start) => number.slice(start)),
  );
}

/** How an index writes what it is asked. Words consist of letters, marks and digits. */
export interface Syntax {
  readonly and: string;
  readonly or: string;
  readonly word: (word: string) => string;
  readonly beginning: (word: string) => string;
}

/**
 * A query as an expression of an index, or undefined when it has no words. All words must occur, each at least as a
 * beginning. Every word is quoted, so that nothing a person types is syntax.
 */
export function matchOf(q: string, { and, or, word, beginning }: Syntax): string | undefined {
  // A single letter begins half of all words, so it stands for itself.
  const term = (text: string) => (text.length === 1 ? word(text) : beginning(text));
  const all = (words: readonly string[]) => `(${words.map(term).join(and)})`;
  const phones: string[] = [];
  const rest = plain(q).replace(RUN, (run) => {
    const [number, ...others] = numbersIn(run);
    if (number === undefined || others.length > 0) return run;
    // At home, a number starts with 0 or 8 where the country code would stand.
    const forms = new Set([
      number,
      number.replace(/^(00?|8(?=\d{10}$))/, ''),
      ...(number.length > 9 ? [number.slice(-9)] : []),
    ]);
    phones.push(`(${[...[...forms].map(term), all(wordsIn(run))].join(or)})`);
    return ' ';
  });
  const terms = [...phones, ...wordsIn(rest).map(term)].slice(0, WORDS);
  return terms.length === 0 ? undefined : terms.join(and);
}
