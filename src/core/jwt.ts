import { sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/**
 * A token that we sign for a vendor who knows our public key (RFC 7519, in the compact form of RFC 7515).
 * Times in claims are seconds.
 */
export function signJwt(
  { alg, ...header }: { readonly alg: 'RS256' | 'ES256'; readonly kid?: string },
  claims: Readonly<Record<string, string | number>>,
  key: KeyObject,
): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg, ...header, typ: 'JWT' })}.${part(claims)}`;
  // RFC 7518, section 3.4: both numbers of an ECDSA signature, one after the other, not in DER.
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}
