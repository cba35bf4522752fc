const LINES: ReadonlySet<string> = new Set([
  'br',
  'br/',
  '/p',
  '/div',
  '/li',
  '/tr',
  '/h1',
  '/h2',
  '/h3',
  '/blockquote',
  '/pre',
]);
const UNSEEN: ReadonlySet<string> = new Set(['style', 'script', 'head', 'title']);
const ENTITIES: Readonly<Record<string, string>> = {
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&apos;': "'",
  '&nbsp;': ' ',
  '&amp;': '&',
};

/** What somebody wrote in the editor of a help desk, as text: one pass, no pattern that could be held up. */
export function htmlToText(html: string): string {
  let text = '';
  let unseen: string | undefined;
  const [first = '', ...rest] = html.split('<');
  text += collapse(first);
  for (const piece of rest) {
    const end = piece.indexOf('>');
    const tag = (end < 0 ? piece : piece.slice(0, end)).split(/[\s]/, 1)[0]?.toLowerCase() ?? '';
    if (unseen !== undefined) {
      if (tag === `/${unseen}`) unseen = undefined;
      else continue;
    } else if (UNSEEN.has(tag)) {
      unseen = tag;
      continue;
    }
    if (LINES.has(tag)) text += '\n';
    if (end >= 0) text += collapse(piece.slice(end + 1));
  }
  const decoded = text.replace(/&(?:lt|gt|quot|apos|nbsp|amp|#\d{1,7}|#[xX][\da-fA-F]{1,6});/g, decode);
  return decoded
    .split('\n')
    .map((line) => line.trim())
    .join('\n')
    .trim();
}

function decode(entity: string): string {
  if (!entity.startsWith('&#')) return ENTITIES[entity] ?? entity;
  const isHex = entity[2] === 'x' || entity[2] === 'X';
  const code = Number.parseInt(entity.slice(isHex ? 3 : 2), isHex ? 16 : 10);
  const isCharacter = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return isCharacter ? String.fromCodePoint(code).replace('\u00a0', ' ') : entity;
}

function collapse(text: string): string {
  return text.replaceAll(/\s+/g, ' ');
}
