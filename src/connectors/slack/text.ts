/** Slack's markup (https://docs.slack.dev/messaging/formatting-message-text) and plain text. */

interface Plain {
  readonly text: string;
  /** Addresses behind words: the text alone doesn't show them. */
  readonly links: readonly string[];
}

/** The text as people read it. `emoji` are the characters behind `:names:`; a name that isn't there stays. */
export function toPlain(markup: string, emoji: ReadonlyMap<string, string> = new Map()): Plain {
  const links: string[] = [];
  const text = markup
    .replace(/<([^<>]{1,4000})>/g, (whole, inner: string) => readControl(inner, links) ?? whole)
    .replace(/:[\w+'-]{1,100}:(?::skin-tone-[2-6]:)?/g, (name) => emoji.get(name.slice(1, -1)) ?? name);
  return { text: unescape(text), links: links.map(unescape) };
}

/** What agents write: none of it is markup. Without this anybody could be called with `<!channel>`. */
export function toMarkup(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function unescape(text: string): string {
  // In one pass: what `&amp;lt;` stands for is `&lt;`.
  return text.replace(/&(amp|lt|gt);/g, (_whole, name: string) => (name === 'amp' ? '&' : name === 'lt' ? '<' : '>'));
}

/** What stands between angle brackets: somebody, a channel, a command of Slack's, an address. */
function readControl(inner: string, links: string[]): string | undefined {
  const bar = inner.indexOf('|');
  const target = bar < 0 ? inner : inner.slice(0, bar);
  const label = bar < 0 ? '' : inner.slice(bar + 1);
  if (/^[@#]/.test(target)) return `${target.charAt(0)}${label.replace(/^[@#]/, '') || target.slice(1)}`;
  if (target.startsWith('!')) return label || `@${target.slice(1).split('^')[0]}`;
  if (!/^[a-z][a-z0-9+.-]{0,20}:/i.test(target)) return undefined;
  if (label === '' || !isAnother(target, label)) return label || target;
  links.push(target);
  return label;
}

/** Slack labels what people type with itself, without `http://` or `mailto:`. */
function isAnother(address: string, label: string): boolean {
  return address !== label && address.replace(/^(https?:\/\/|mailto:|tel:)/, '').replace(/\/$/, '') !== label;
}

/** The characters behind the names of emoji, as the blocks beside the text tell them. */
export function emojiIn(blocks: unknown, found = new Map<string, string>()): Map<string, string> {
  if (Array.isArray(blocks)) {
    for (const block of blocks) emojiIn(block, found);
  } else if (typeof blocks === 'object' && blocks !== null) {
    const { type, name, unicode, skin_tone, elements } = blocks as Readonly<Record<string, unknown>>;
    if (type === 'emoji' && typeof name === 'string' && typeof unicode === 'string') {
      const tone = typeof skin_tone === 'number' ? `::skin-tone-${skin_tone}` : '';
      const character = characterOf(unicode);
      if (character !== undefined) found.set(`${name}${tone}`, character);
    }
    emojiIn(elements, found);
  }
  return found;
}

/** `1f44b-1f3fc` */
function characterOf(codes: string): string | undefined {
  if (!/^[0-9a-f]{2,5}(-[0-9a-f]{2,5}){0,9}$/i.test(codes)) return undefined;
  return String.fromCodePoint(...codes.split('-').map((code) => parseInt(code, 16)));
}

/** Keys of blocks that hold words, or blocks with words in them. */
const SPOKEN = ['title', 'text', 'fields', 'elements', 'alt_text'];

/** The words of a message that has blocks instead of a text, a line for each. */
export function wordsIn(value: unknown): string {
  if (typeof value === 'string') return toPlain(value).text;
  if (Array.isArray(value)) return value.map(wordsIn).filter(Boolean).join('\n');
  if (typeof value !== 'object' || value === null) return '';
  const block = value as Readonly<Record<string, unknown>>;
  return SPOKEN.map((key) => wordsIn(block[key]))
    .filter(Boolean)
    .join('\n');
}
