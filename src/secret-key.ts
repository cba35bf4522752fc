import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PermanentError, textOf } from './core/errors.ts';
import { Secret } from './core/secret.ts';

/** The key that encrypts stored secrets: the operator's, else `secret.key` in the data folder, made on the first start. */
export function loadSecretKey(configured: Secret | undefined, dataDir: string): Secret {
  if (configured) return configured;
  const file = join(dataDir, 'secret.key');
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    try {
      // Fails when it exists: an existing key is never written over.
      writeFileSync(file, `${randomBytes(32).toString('base64url')}\n`, { flag: 'wx', mode: 0o600 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    chmodSync(file, 0o600);
    const text = readFileSync(file, 'utf8').trim();
    if (text.length < 32) throw new Error('it is too short to be a key');
    return new Secret(text);
  } catch (cause) {
    throw new PermanentError(`${file} can't be used: ${textOf(cause)}`, {
      cause,
      hint: 'Check the permissions of the data folder, or set SECRET_KEY.',
    });
  }
}
