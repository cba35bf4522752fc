/** A text made to hold up a pattern: `pump` repeated, between a head that gets there and a tail that fails. */
export interface Attack {
  readonly head: string;
  readonly pump: string;
  readonly tail: string;
}

/** Letters that classes are asked for. */
const LETTERS = [...'a1 x\n-_.,:;@/\\"\'<>()[]{}=+*#&?!%$~|^`AZяΩ\t\r\u0000\u200b\ufffd'];
const TAIL = '\u0001';
const MOST = 150;

/**
 * Texts for a pattern, from its own parts: up to each part of it a text that matches so far, then that
 * part's letters, or two parts' letters in turn, very often, then what nothing matches.
 */
export function attacksOn(source: string, flags: string): Attack[] {
  const parts = partsOf(source, flags);
  const attacks: Attack[] = [];
  let head = '';
  for (const [i, part] of parts.entries()) {
    const next = parts[i + 1]?.[0] ?? '';
    for (const letter of part.slice(0, 3)) {
      attacks.push({ head, pump: letter, tail: TAIL });
      if (next !== '' && next !== letter) attacks.push({ head, pump: letter + next, tail: TAIL });
    }
    head += part[0] ?? '';
  }
  if (head !== '') attacks.push({ head: '', pump: head, tail: TAIL });
  for (const letter of [' ', 'a', '\n']) attacks.push({ head: '', pump: letter, tail: TAIL });
  const distinct = [...new Map(attacks.map((attack) => [`${attack.head}\u0002${attack.pump}`, attack])).values()];
  // Of a long pattern, some from everywhere.
  const step = Math.ceil(distinct.length / MOST);
  return distinct.filter((_, i) => i % step === 0);
}

/** What one letter of the pattern may be, part for part: classes, escapes, the dot, plain letters. */
function partsOf(source: string, flags: string): string[][] {
  const token =
    /\\[pP]\{[^}]*\}|\\u\{[^}]*\}|\\u[\da-fA-F]{4}|\\x[\da-fA-F]{2}|\\k<[^>]*>|\\.|\[\^?(?:\\.|[^\]\\])*\]|\(\?<?[=!]|\(\?(?:<\w+>|[-a-z]*:)|\{\d+(?:,\d*)?\}|[\s\S]/gu;
  return (source.match(token) ?? []).flatMap((text) => {
    if (/^(?:\\[bB1-9]|\\k|\(|\{\d)/.test(text) || '()|*+?^$'.includes(text)) return [];
    const one = new RegExp(`^(?:${text})$`, flags.replace(/[gy]/g, ''));
    const letters = [...(text.length === 1 ? [text] : []), ...text.replace(/^\[\^?|\]$/g, ''), ...LETTERS];
    const matching = [...new Set(letters)].filter((letter) => one.test(letter));
    return matching.length > 0 ? [matching] : [];
  });
}
