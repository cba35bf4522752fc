import { createPublicKey, verify } from 'node:crypto';
import { z } from 'zod';
import { BadPayloadError } from '../../core/errors.ts';
import type { WebhookRequest } from '../../core/payload.ts';
import { secret } from '../../core/secret.ts';
import { hmac, matchesSignature } from '../../core/signature.ts';

/** As sipgate's own library has it: https://github.com/sipgate-io/sipgateio-node, lib/webhook. */
const SIPGATE_KEY = `-----BEGIN PUBLIC KEY-----
MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAvFdlnqRfO5TmqzjtsFVC
qPz+oW+poi3lXQFvMJJMEAtlU4MbX+yuIkgnC+Qt3AQWIK+oWSEQiybg+p39wEMl
16PZxEzf9gONQvTg1XhyHnwqYUFQj/AoxPKGYC3jmdjZ224SrESiTN3CdxoOc3vk
cXiQstYE7SxnksPtzfk0aIOkicim5/tAP9izNQ18/zmX3ChjK2k72gf5dDlq+qZ8
pRiHAPZ64TySH6cLQDhaoh6Nbq8FEG3usXXPClbUMh2DZaTMPafpd+LNuTngJ/y+
KoZasVuFfXAeBqGA6l5d4Uedfr99Z6qjwDrJ8sU4z2Do9bJrbuqP+mOXEebhSI1K
vi8trEfrIt8hnDBGsBaB9NEO3kYxvDT2/PhC9fNYFocjEpZNd7/mUqTJDYlpa4UC
NDQaU+ATdXG8/P5sGAegks6MQTu+qe9XTO0CV48eswDkz6g3UbLOwmrJK59SjD3J
yAZ52sluwyDKRWw/PPTt8BTQLjvkdbiLUlc4ehJ4b1X7D7diYWHDPeFL47cAvaXh
dXVrZDeBJYibvD1jRx4ES0KlfhwzNXBYUoM/Movg9zMM2PzyHHKS//xIjwUC/FJ6
/6eykno0Hy2B1ev6s3hdY6VkN2zd7Wf+EK4DxRliwsg1U99szFE3ewLfexF+Uag5
M+TfPtOUumI/NHMTvsRW9+ECAwEAAQ==
-----END PUBLIC KEY-----`;

const publicKey = z
  .string()
  .max(10_000)
  .prefault(SIPGATE_KEY)
  .transform((pem, context) => {
    try {
      return createPublicKey(pem);
    } catch {
      context.addIssue({ code: 'custom', message: 'is no public key in PEM' });
      return z.NEVER;
    }
  });

/** What the telephone system signs with, beside the secret address. */
export const Signature = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('sipgate'),
    publicKey: publicKey.meta({ description: 'PEM, should sipgate change its key; the known one when left out' }),
  }),
  z.strictObject({ type: z.literal('placetel'), secret: secret('The shared secret of its external API') }),
]);
type Signature = z.output<typeof Signature>;

/**
 * sipgate: RSA with SHA-256 over the body, base64 (https://github.com/sipgate-io/sipgateio-node). Placetel: HMAC with
 * SHA-256 over the body, hex (https://github.com/Placetel/call-control-notify-api). Throws unless it is right.
 */
export function checkSignature(signature: Signature, { headers, body }: WebhookRequest): void {
  const given = headers[`x-${signature.type}-signature`] ?? '';
  const right =
    signature.type === 'sipgate'
      ? /^[A-Za-z0-9+/]{1,2000}={0,2}$/.test(given) &&
        verify('RSA-SHA256', body, signature.publicKey, Buffer.from(given, 'base64'))
      : matchesSignature(hmac('sha256', signature.secret.reveal(), body), given, 'hex');
  if (right) return;
  throw new BadPayloadError(`x-${signature.type}-signature is missing or does not match the body`, {
    hint: `Take signature out if the telephone system is not ${signature.type}, or doesn't sign.`,
  });
}
