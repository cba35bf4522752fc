import { z } from 'zod';

const Claims = z.object({ exp: z.number().positive() });

/** When a token ends, milliseconds since the epoch: it is a JWT. Undefined for one that says nothing that we can read. */
export function expiryOf(token: string): number | undefined {
  const [, claims = ''] = token.split('.');
  try {
    const { exp } = Claims.parse(JSON.parse(Buffer.from(claims, 'base64url').toString()));
    return exp * 1000;
  } catch {
    return undefined;
  }
}
