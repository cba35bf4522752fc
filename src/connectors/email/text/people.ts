/** People as programs write them into a text: `Ann Smith <ann@example.com>`. */
export interface Named {
  readonly name: string;
  readonly address: string;
}

const ADDRESS = /[^\s<>()[\],;:"']{1,64}@[^\s<>()[\],;:"']{1,253}/g;

/** Everybody in a list, also where names have commas in them; `[mailto:…]` and `<mailto:…>` only repeat an address. */
export function peopleIn(list: string): Named[] {
  const plain = list
    .slice(0, 10_000)
    .replace(/[<[]mailto:[^<>[\]\s]{1,320}[>\]]/gi, (repeated, at: number, whole: string) =>
      isAfterAddress(whole.slice(Math.max(0, at - 254), at)) || /<[^<>]*@/.test(whole.slice(at + repeated.length))
        ? ''
        : repeated,
    );
  const people: Named[] = [];
  let end = 0;
  for (const { 0: address, index } of plain.matchAll(ADDRESS)) {
    const before = plain.slice(end, index);
    end = index + address.length;
    const isRepeated = people.at(-1)?.address === address.toLowerCase() && /^['"\s]*[<(]?$/.test(before);
    if (isRepeated) continue;
    people.push({ name: nameIn(before), address: address.toLowerCase() });
  }
  return people;
}

function isAfterAddress(text: string): boolean {
  return /@[^\s<>@]{1,253}$/.test(text);
}

function nameIn(before: string): string {
  return before
    .replace(/mailto:$/i, '')
    .replace(/^[\s>)\]'",;]{1,50}/, '')
    .replace(/[\s<([]{1,50}$/, '')
    .replace(/^["'\s]{1,10}/, '')
    .replace(/["'\s]{1,10}$/, '')
    .slice(0, 200);
}
