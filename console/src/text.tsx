import type { ComponentChildren } from 'preact';

const ADDRESS = /https?:\/\/[^\s<>"'`]+/g;

/** What a person wrote: as text, addresses as links. */
export function Text({ text }: { readonly text: string }) {
  const parts: ComponentChildren[] = [];
  let from = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = withoutTail(match[0]);
    if (!isPlain(address)) continue;
    parts.push(text.slice(from, match.index));
    parts.push(
      <a href={address} target="_blank" rel="noopener noreferrer nofollow">
        {address}
      </a>,
    );
    from = match.index + address.length;
  }
  parts.push(text.slice(from));
  return (
    <div class="text" dir="auto">
      {parts}
    </div>
  );
}

/** The full stop behind an address ends the sentence. */
function withoutTail(address: string): string {
  return address.replace(/[.,;:!?)\]}»”’]{1,20}$/, '');
}

/** Whether a link goes where it seems to: no name before an @, no letters that look like others. */
function isPlain(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const url = new URL(address);
  const host = /^https?:\/\/([^/?#]+)/.exec(address)?.[1]?.toLowerCase();
  return !url.hostname.includes('xn--') && host === url.host;
}
