import { createPublicKey } from 'node:crypto';
import { z } from 'zod';
import { secret } from '../../../core/secret.ts';

/** Who pushes mail to us, and how he proves it. */

const login = {
  user: z
    .string()
    .min(1)
    .max(200)
    .regex(/^[^:]*$/, { error: 'must not contain a colon' })
    .meta({ description: 'Stands before the host in the address that you give them: https://user:password@…' }),
  password: secret('The password in that address')
    .refine((value) => value.reveal().length >= 16, {
      error: 'is shorter than 16 characters: `openssl rand -hex 16` makes one',
    })
    .meta({ description: 'The password in that address', format: 'password', writeOnly: true }),
};

const Mailgun = z.strictObject({
  provider: z.literal('mailgun'),
  signingKey: secret('HTTP webhook signing key, in the settings of the account'),
});

const SendGrid = z
  .strictObject({
    provider: z.literal('sendgrid'),
    publicKey: z
      .string()
      .max(1000)
      .refine(isKey, { error: 'is not the public key of a security policy: base64 that begins with MFkw' })
      .optional()
      .meta({ description: 'Public key of the security policy that signs what is posted' }),
    user: login.user.optional(),
    password: login.password.optional(),
  })
  .refine(({ user, password }) => (user === undefined) === (password === undefined), {
    path: ['user'],
    error: 'goes together with password',
  })
  .refine(({ publicKey, password }) => (publicKey === undefined) !== (password === undefined), {
    path: ['publicKey'],
    error: 'give either publicKey, or user and password',
  });

const Postmark = z.strictObject({ provider: z.literal('postmark'), ...login });

const Ses = z.strictObject({
  provider: z.literal('ses'),
  topicArn: z
    .string()
    .regex(/^arn:(aws|aws-cn|aws-us-gov):sns:[a-z0-9-]{5,30}:\d{12}:[\w-]{1,256}$/, {
      error: 'is not the ARN of an SNS topic: arn:aws:sns:eu-west-1:123456789012:mail',
    })
    .meta({ description: 'The SNS topic that the receipt rule publishes to; no other one is believed' }),
});

export const Webhook = z.discriminatedUnion('provider', [Mailgun, SendGrid, Postmark, Ses]);
export type Webhook = z.output<typeof Webhook>;
export type Provider = Webhook['provider'];

type Of<P extends Provider> = Extract<Webhook, { readonly provider: P }>;
export type Mailgun = Of<'mailgun'>;
export type SendGrid = Of<'sendgrid'>;
export type Postmark = Of<'postmark'>;
export type Ses = Of<'ses'>;

function isKey(text: string): boolean {
  try {
    return toPublicKey(text).asymmetricKeyType === 'ec';
  } catch {
    return false;
  }
}

/** A key in base64 of its DER, as SendGrid shows it. */
export function toPublicKey(text: string) {
  return createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' });
}
