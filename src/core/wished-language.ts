/** Languages that pages for customers are in. */
export const languages = ['uk', 'ru', 'en'] as const;
export type Language = (typeof languages)[number];

/** The first language we have among the wishes, each written as in Accept-Language; English when there is none. */
export function wishedLanguage(...wishes: readonly (string | undefined)[]): Language {
  for (const wish of wishes) {
    const found = tagsOf(wish)
      .map((tag) => languages.find((language) => language === tag.toLowerCase().split('-')[0]))
      .find((language) => language !== undefined);
    if (found) return found;
  }
  return 'en';
}

/** Language tags of an Accept-Language header, the most wanted first. */
export function tagsOf(header: string | undefined): string[] {
  return (header ?? '')
    .slice(0, 500)
    .split(',')
    .map((part) => /^\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,3})\s*(?:;\s*q=([01](?:\.\d{1,3})?)\s*)?$/.exec(part))
    .flatMap((match) => (match?.[1] ? [{ tag: match[1], weight: Number(match[2] ?? 1) }] : []))
    .filter((wish) => wish.weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .map((wish) => wish.tag);
}
