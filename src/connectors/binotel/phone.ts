import { isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js';
import type { CountryCode } from 'libphonenumber-js';

export function isCountry(text: string): boolean {
  return isSupportedCountry(text);
}

/**
 * `+380971234567` for `0971234567`: Binotel leaves the country out. Undefined for what is no number of anybody: an
 * extension, a hidden caller.
 */
export function toE164(text: string | undefined, country: string): string | undefined {
  if (!/^\+?[\d\s()-]{7,25}$/.test(text ?? '')) return undefined;
  const parsed = parsePhoneNumberFromString(text ?? '', country as CountryCode);
  return parsed?.isPossible() ? parsed.number : text;
}

/** The other way round, for a call to be made: the form that Binotel has for its own country, digits for others. */
export function toLocal(number: string, country: string): string {
  const parsed = parsePhoneNumberFromString(number, country as CountryCode);
  const local = parsed && parsed.country === country ? parsed.formatNational() : number;
  return local.replace(/\D/g, '');
}
