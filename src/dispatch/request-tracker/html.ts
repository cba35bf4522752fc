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
  '&#39;': "'",
  '&nbsp;': ' ',
  '&amp;': '&',
};

/** What an agent wrote in the editor of Request Tracker, as text: one pass, no pattern that could be held up. */
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
  const decoded = text.replace(/&(?:lt|gt|quot|#39|nbsp|amp);/g, (entity) => ENTITIES[entity] ?? entity);
  return decoded
    .split('\n')
    .map((line) => line.trim())
    .join('\n')
    .trim();
}

function collapse(text: string): string {
  return text.replaceAll(/\s+/g, ' ');
}

/** Without the quote that RT puts before an answer: a line that ends in "wrote:" and lines with `>`. */
export function withoutQuote(text: string): string {
  const lines = text.trim().split('\n');
  const isQuote = (line: string | undefined) => line?.startsWith('>') ?? false;
  const kept = lines.filter((line, index) => {
    if (isQuote(line)) return false;
    const next = lines.slice(index + 1, index + 3).find((each) => each.trim() !== '');
    return !(line.trimEnd().endsWith(' wrote:') && isQuote(next));
  });
  const rest = kept.join('\n').trim();
  return rest === '' ? text.trim() : rest;
}
