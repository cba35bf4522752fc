/**
 * A long text in pieces of at most `max` UTF-16 units, cut at the end of a line or a word where there is one near
 * enough, else between two characters. The same every time, so that an answer can go on behind what went out.
 */
export function splitText(text: string, max: number): string[] {
  const pieces: string[] = [];
  let rest = text.trim();
  while (rest.length > max) {
    const end = cutOf(rest, max);
    pieces.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end).trimStart();
  }
  return [...pieces, rest].filter((piece) => piece !== '');
}

function cutOf(text: string, max: number): number {
  const head = text.slice(0, max + 1);
  // A line that ends in the first half would leave many short pieces.
  for (const mark of ['\n', ' ']) {
    const at = head.lastIndexOf(mark);
    if (at > max / 2) return at;
  }
  const code = text.charCodeAt(max - 1);
  const isHalf = code >= 0xd800 && code <= 0xdbff;
  return isHalf ? max - 1 : max;
}
