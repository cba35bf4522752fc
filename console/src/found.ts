/** Those whose title has every word that is looked for; those that begin with it come first. */
export function found<T extends { readonly title: string }>(all: readonly T[], wanted: string): readonly T[] {
  const words = folded(wanted).split(' ').filter(Boolean);
  const start = words.join(' ');
  const titles = new Map(all.map((one) => [one, folded(one.title)]));
  const hits = all.filter((one) => words.every((word) => titles.get(one)?.includes(word)));
  const isFirst = (one: T) => titles.get(one)?.startsWith(start) ?? false;
  return [...hits.filter(isFirst), ...hits.filter((one) => !isFirst(one))];
}

/** As people type it: small letters, no accents, ё as е and ї as і. */
function folded(text: string): string {
  return text
    .toLowerCase()
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .replace(/[\s:·’']+/g, ' ')
    .trim();
}
