import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { PermanentError } from '../../core/errors.ts';

/** Where systems put it. */
const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome-stable',
  '/usr/bin/google-chrome',
  '/snap/bin/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

export const LIBRARY = 'whatsapp-web.js';

/** The browser that is used; throws `PermanentError` where there is none. */
export function findChromium(configured: string | undefined): string {
  const found = (configured === undefined ? PLACES : [configured]).find((place) => existsSync(place));
  if (found !== undefined) return found;
  throw new PermanentError(
    configured === undefined ? 'no Chromium is installed' : `there is no browser at ${configured}`,
    {
      hint: 'Install Chromium or Chrome (Debian: apt-get install chromium), or name it in the setting browser.',
    },
  );
}

/** Throws `PermanentError` where the library isn't installed; it is optional. */
export function requireLibrary(library: string): void {
  try {
    createRequire(import.meta.url).resolve(library);
  } catch (cause) {
    throw notInstalled(cause);
  }
}

function notInstalled(cause: unknown): PermanentError {
  return new PermanentError(`${LIBRARY} is not installed, or not as a whole`, {
    cause,
    hint: 'Install the optional packages too (npm ci --include=optional), then start the gateway again.',
  });
}
