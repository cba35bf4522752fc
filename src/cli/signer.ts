import { randomBytes, randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../core/clock.ts';
import { Secret } from '../core/secret.ts';
import { hmac, signStandardWebhook } from '../core/signature.ts';
import { CommandError } from './cli.ts';
import type { EndpointSettings } from './cli.ts';

const secret = z.instanceof(Secret);

/** How a webhook channel wants its senders to prove who they are, as its own schema reads it. */
const Auth = z.discriminatedUnion('type', [
  z.object({ type: z.literal('standard_webhooks'), secret }),
  z.object({
    type: z.literal('hmac'),
    secret,
    header: z.string(),
    algorithm: z.enum(['sha1', 'sha256', 'sha512']),
    encoding: z.enum(['hex', 'base64']),
    prefix: z.string(),
    template: z.string(),
    timestampHeader: z.string().optional(),
  }),
  z.object({ type: z.literal('basic'), user: z.string(), password: secret }),
  z.object({ type: z.literal('bearer'), token: secret }),
  z.object({ type: z.literal('api_key'), header: z.string(), key: secret }),
]);
type Auth = z.output<typeof Auth>;

/** Gives the headers that prove the sender of a body; forged ones are made with another secret. */
export type Signer = (body: Buffer) => Record<string, string>;

export function createSigner(
  channel: EndpointSettings,
  options: { readonly forged: boolean; readonly publicUrl: string; readonly clock: Clock },
): Signer {
  if (channel.type === 'form') return () => ({});
  const auth = z.object({ auth: Auth }).safeParse(channel.config).data?.auth;
  if (!auth) throw new CommandError(`the way ${channel.id} authenticates its senders is not known here`);
  const url = `${options.publicUrl}/webhooks/${channel.id}`;
  const reveal = (value: Secret) => (options.forged ? `whsec_${randomBytes(32).toString('base64')}` : value.reveal());
  return (body) => prove(auth, body, { url, reveal, seconds: Math.floor(options.clock.now() / 1000) });
}

function prove(
  auth: Auth,
  body: Buffer,
  { url, reveal, seconds }: { url: string; reveal: (value: Secret) => string; seconds: number },
): Record<string, string> {
  switch (auth.type) {
    case 'standard_webhooks':
      return {
        ...signStandardWebhook([reveal(auth.secret)], { id: `msg_${randomUUID()}`, timestampSec: seconds, body }),
      };
    case 'hmac': {
      const fill = (part = '') => part.replaceAll('{timestamp}', String(seconds)).replaceAll('{url}', () => url);
      const [before, after] = auth.template.split('{body}');
      const mac = hmac(auth.algorithm, reveal(auth.secret), fill(before), body, fill(after));
      const time = auth.timestampHeader ? { [auth.timestampHeader]: String(seconds) } : {};
      return { ...time, [auth.header]: auth.prefix + mac.toString(auth.encoding) };
    }
    case 'basic': {
      const pair = Buffer.from(`${auth.user}:${reveal(auth.password)}`).toString('base64');
      return { authorization: `Basic ${pair}` };
    }
    case 'bearer':
      return { authorization: `Bearer ${reveal(auth.token)}` };
    case 'api_key':
      return { [auth.header]: reveal(auth.key) };
  }
}
