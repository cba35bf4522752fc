/** The form of a word for a number, by the rules of its language. */
export function pluralOf(
  language: string,
  count: number,
  forms: { readonly one: string; readonly few?: string; readonly other: string },
): string {
  const rule = new Intl.PluralRules(language).select(count);
  if (rule === 'one') return forms.one;
  return rule === 'few' ? (forms.few ?? forms.other) : forms.other;
}
