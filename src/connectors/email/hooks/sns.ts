import { verify, X509Certificate, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { Context, Webhook } from '../../../core/connector.ts';
import { BadPayloadError, RateLimitedError, RetryableError, textOf } from '../../../core/errors.ts';
import { parseJson } from '../../../core/json.ts';
import type { WebhookRequest } from '../../../core/payload.ts';
import { bytesOfBase64 } from './base64.ts';
import type { Ses } from './config.ts';

/** Amazon SNS: proves what it publishes by a certificate that lies at its own host, and asks before it begins. */

const Signed = z.object({
  Type: z.enum(['Notification', 'SubscriptionConfirmation', 'UnsubscribeConfirmation']),
  MessageId: z.string(),
  TopicArn: z.string(),
  Message: z.string(),
  Timestamp: z.string(),
  SignatureVersion: z.enum(['1', '2']),
  Signature: z.string(),
  SigningCertURL: z.string(),
  Subject: z.string().nullish(),
  SubscribeURL: z.string().optional(),
  Token: z.string().optional(),
});
type Signed = z.output<typeof Signed>;

/** Verifies what is pushed, and confirms the subscription to the topic of the settings. */
export function createSns({ topicArn }: Ses, { http, log }: Pick<Context, 'http' | 'log'>): Pick<Webhook, 'verify'> {
  const host = hostOf(topicArn);
  /** The one that is in use; it changes about once a year. */
  let known: { readonly url: string; readonly key: KeyObject } | undefined;

  async function keyAt(url: string): Promise<KeyObject> {
    if (known?.url === url) return known.key;
    const key = await fetchKey(url);
    known = { url, key };
    return key;
  }

  async function fetchKey(url: string): Promise<KeyObject> {
    try {
      const { text } = await http.send({ url });
      return new X509Certificate(text).publicKey;
    } catch (cause) {
      if (cause instanceof RetryableError || cause instanceof RateLimitedError) {
        throw new RetryableError(`the certificate of SNS can't be fetched: ${textOf(cause)}`, { cause });
      }
      throw new BadPayloadError(`there is no certificate at its address: ${textOf(cause)}`, { cause });
    }
  }

  /** At an address that we make ourselves, so that none of a stranger's is called. */
  async function confirm(token: string): Promise<void> {
    const query = new URLSearchParams({ Action: 'ConfirmSubscription', TopicArn: topicArn, Token: token });
    await http.send({ url: `https://${host}/?${query.toString()}` });
    log.info({ topic: topicArn }, 'the subscription to the topic is confirmed');
  }

  return {
    async verify(request) {
      const message = messageIn(request);
      if (message.TopicArn !== topicArn) {
        throw new BadPayloadError('it was published to another topic', {
          hint: 'Set topicArn to the ARN of the topic.',
        });
      }
      if (!isCertificate(message.SigningCertURL, host)) {
        throw new BadPayloadError('its certificate lies elsewhere than with SNS');
      }
      const key = await keyAt(message.SigningCertURL);
      const signature = bytesOfBase64(message.Signature);
      const algorithm = message.SignatureVersion === '1' ? 'sha1' : 'sha256';
      if (!signature || !verify(algorithm, Buffer.from(signedPart(message)), key, signature)) {
        throw new BadPayloadError('the signature does not match the message');
      }
      if (message.Type === 'SubscriptionConfirmation') await confirm(message.Token ?? '');
    },
  };
}

function messageIn({ headers, body }: WebhookRequest): Signed {
  const { data } = Signed.safeParse(jsonIn(body));
  if (!data) {
    throw new BadPayloadError('not a signed message of SNS', {
      hint: 'Leave raw message delivery off in the subscription.',
    });
  }
  // Who believes the headers must not be told another thing than who reads the body.
  if (headers['x-amz-sns-message-type'] !== data.Type || headers['x-amz-sns-message-id'] !== data.MessageId) {
    throw new BadPayloadError('its headers name another message than its body');
  }
  return data;
}

/** Nobody has proven yet who sent it: it is refused in one way, whatever is wrong with it. */
function jsonIn(body: Buffer): unknown {
  try {
    return parseJson(body);
  } catch {
    return undefined;
  }
}

/** `arn:aws:sns:eu-west-1:…`: the host of SNS in that region. */
function hostOf(topicArn: string): string {
  const [, partition, , region] = topicArn.split(':');
  return `sns.${region}.amazonaws.com${partition === 'aws-cn' ? '.cn' : ''}`;
}

/** Anybody may put files on hosts of Amazon; on this one only SNS does. */
function isCertificate(address: string, host: string): boolean {
  return (
    address.startsWith(`https://${host}/`) &&
    /^\/SimpleNotificationService-[\da-f]{1,100}\.pem$/.test(address.slice(`https://${host}`.length))
  );
}

/** Name and value on a line each, in this order. */
function signedPart(message: Signed): string {
  const names =
    message.Type === 'Notification'
      ? (['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type'] as const)
      : (['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'] as const);
  return names.map((name) => (message[name] == null ? '' : `${name}\n${message[name]}\n`)).join('');
}
