import { pluralOf } from '../../plural.ts';
import type { Language } from '../../texts.ts';

/** A number with the word that it counts. */
export const count = (
  language: Language,
  number: number,
  forms: { readonly one: string; readonly few?: string; readonly other: string },
) => `${number} ${pluralOf(language, number, forms)}`;
