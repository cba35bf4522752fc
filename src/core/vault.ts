import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { PermanentError } from './errors.ts';
import type { Secret } from './secret.ts';

/** Encrypts what must not lie in the database in clear, and derives keys for single purposes. */
export interface Vault {
  /** `place` (table, row, column) is authenticated: what was sealed for one place opens nowhere else. */
  seal(text: string, place: string): Buffer;
  /** Throws `PermanentError` when the key is another one or the bytes were touched. */
  open(sealed: Buffer, place: string): string;
  /** 32 bytes that only this installation knows, the same for ever for one purpose. */
  key(purpose: string): Buffer;
}

const VERSION = 1;
const NONCE = 12;
const TAG = 16;

/** AES-256-GCM under a key derived from the master key: version byte, nonce, tag, ciphertext. */
export function createVault(master: Secret): Vault {
  const derive = (purpose: string) => Buffer.from(hkdfSync('sha256', master.reveal(), 'tributary', purpose, 32));
  const sealing = derive('seal v1');
  return {
    seal(text, place) {
      const nonce = randomBytes(NONCE);
      const cipher = createCipheriv('aes-256-gcm', sealing, nonce);
      cipher.setAAD(Buffer.from(place));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([Buffer.of(VERSION), nonce, cipher.getAuthTag(), body]);
    },
    open(sealed, place) {
      try {
        if (sealed[0] !== VERSION) throw new Error('unknown version');
        const decipher = createDecipheriv('aes-256-gcm', sealing, sealed.subarray(1, 1 + NONCE), {
          authTagLength: TAG,
        });
        decipher.setAAD(Buffer.from(place));
        decipher.setAuthTag(sealed.subarray(1 + NONCE, 1 + NONCE + TAG));
        return decipher.update(sealed.subarray(1 + NONCE + TAG), undefined, 'utf8') + decipher.final('utf8');
      } catch (cause) {
        throw new PermanentError('stored secrets cannot be read', {
          cause,
          hint: 'Put back the SECRET_KEY (or secret.key in the data folder) that they were stored with, or enter them again.',
        });
      }
    },
    key: (purpose) => derive(`key ${purpose}`),
  };
}

/** The key of an endpoint for a purpose: what `Context.key` gives it. */
export function endpointKey(vault: Pick<Vault, 'key'>, id: string, purpose: string): Buffer {
  return vault.key(`endpoint ${id} ${purpose}`);
}
