/** Messages are Markdown there; those that go out from there are a template (Liquid) besides. */

/**
 * Words as they are, whatever Chatwoot would make of them: nobody else's links, pictures, emphasis or variables.
 * https://www.chatwoot.com/docs/product/features/canned-responses (variables)
 */
export function toMarkdown(text: string): string {
  return text.replaceAll(/\S+/g, (word) => {
    const plain = word.replaceAll(/[\\`*[\]<{]/g, String.raw`\$&`);
    // An address is made a link only where nothing in it is escaped.
    return word.includes('://') ? plain : plain.replaceAll('_', String.raw`\_`);
  });
}

/** Where escaped characters are kept while the others are looked at: at the end of the last range for private use. */
const ASIDE = 0x10fe00;

/** What an agent wrote in the editor, as plain text: without escapes, and with links as addresses. */
export function fromMarkdown(markdown: string): string {
  const aside = markdown
    .replaceAll('\\\n', '\n')
    .replaceAll(/\\([!-/:-@[-`{-~])/g, (_, sign: string) => String.fromCodePoint(ASIDE + sign.charCodeAt(0)));
  return withoutLinks(aside)
    .replaceAll(/[\u{10fe21}-\u{10fe7e}]/gu, (sign) => String.fromCodePoint((sign.codePointAt(0) ?? 0) - ASIDE))
    .trim();
}

/** `[label](address)` as `label (address)`; of what leads to no page, such as a colleague who is mentioned, the label. */
function withoutLinks(text: string): string {
  const [first = '', ...rest] = text.split('](');
  let shown = first;
  for (const piece of rest) {
    const [begin, end] = [shown.lastIndexOf('['), piece.indexOf(')')];
    const address = end < 0 ? '' : piece.slice(0, end);
    const isLink = begin >= 0 && /^[a-z]+:[^\s]+$/.test(address) && !shown.slice(begin).includes('\n');
    if (!isLink) {
      shown += `](${piece}`;
      continue;
    }
    const label = shown.slice(begin + 1);
    const isPage = /^https?:/.test(address) && address !== label;
    shown = `${shown.slice(0, begin)}${label}${isPage ? ` (${address})` : ''}${piece.slice(end + 1)}`;
  }
  return shown;
}
