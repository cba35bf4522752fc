import { z } from 'zod';
import type { ItemInput } from '../../../core/envelope.ts';
import { BadPayloadError } from '../../../core/errors.ts';
import { parseJson } from '../../../core/json.ts';
import { delivered } from './assemble.ts';

/** Amazon SES: what a receipt rule publishes to SNS, the mail in it where the rule's action is SNS. */

const Published = z.object({ Type: z.string(), Message: z.string() });

const Received = z.object({
  notificationType: z.literal('Received'),
  content: z.string().optional(),
  mail: z.object({ source: z.string().optional() }).optional(),
  receipt: z.object({
    recipients: z.array(z.string()).default([]),
    action: z.object({
      type: z.string(),
      encoding: z.string().optional(),
      bucketName: z.string().optional(),
      objectKey: z.string().optional(),
    }),
  }),
});

/** What is no mail, by name; undefined for a mail. */
export function noteFromSes(body: Buffer): ItemInput[] | undefined {
  const { Type, Message } = publishedIn(body);
  if (Type === 'SubscriptionConfirmation') {
    return [{ kind: 'ignored', name: 'topic_subscribed', reason: 'the topic sends its mail here from now on' }];
  }
  if (Type === 'UnsubscribeConfirmation') {
    return [
      { kind: 'broken', at: '', error: 'somebody has ended the subscription: the topic sends no more mail here' },
    ];
  }
  const received = receivedIn(Message);
  if (!received) {
    return [
      { kind: 'ignored', name: 'no_mail', reason: `published, but no mail: ${Message}`.slice(0, 1000).toWellFormed() },
    ];
  }
  const { content, receipt } = received;
  if (content !== undefined) return undefined;
  const { type, bucketName, objectKey } = receipt.action;
  const place = objectKey === undefined ? '' : `; it lies in the bucket ${bucketName ?? ''} as ${objectKey}`;
  const error = `the action ${type} publishes no mail, only the action SNS does${place}`;
  return [{ kind: 'broken', at: '/Message', error: error.slice(0, 4000).toWellFormed() }];
}

/** The mail that was published. Throws `BadPayloadError` where there is none. */
export function mailFromSes(body: Buffer): Buffer {
  const received = receivedIn(publishedIn(body).Message);
  if (received?.content === undefined) throw new BadPayloadError('published without a mail');
  const { content, mail, receipt } = received;
  const isBase64 = receipt.action.encoding?.toUpperCase() === 'BASE64';
  return delivered(Buffer.from(content, isBase64 ? 'base64' : 'utf8'), { from: mail?.source, to: receipt.recipients });
}

function publishedIn(body: Buffer): z.output<typeof Published> {
  const { data } = Published.safeParse(parseJson(body));
  if (!data) throw new BadPayloadError('not a message of SNS');
  return data;
}

function receivedIn(message: string): z.output<typeof Received> | undefined {
  try {
    return Received.safeParse(parseJson(Buffer.from(message))).data;
  } catch {
    return undefined;
  }
}
