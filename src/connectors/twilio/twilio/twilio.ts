import { z } from 'zod';
import { defineConnector } from '../../../core/connector.ts';
import type { CanReply, Context } from '../../../core/connector.ts';
import { PermanentError } from '../../../core/errors.ts';
import { openAccount } from '../account.ts';
import type { Account } from '../account.ts';
import { account, apiRoot } from '../settings.ts';
import { isPublic, openVerify } from '../signature.ts';
import { addressOf, isPhone } from './address.ts';
import { toItems } from './items.ts';
import { messages } from './list.ts';
import { download } from './media.ts';
import { reconcile } from './reconcile.ts';
import { sendReply } from './reply.ts';

/** Far more than 1,600 characters and ten addresses take. */
const MAX_BYTES = 256 * 1024;
/** How long WhatsApp lets a business write freely after a customer's message. */
const WINDOW_MS = 24 * 3_600_000;

const Template = z.strictObject({
  id: z
    .string()
    .regex(/^HX[0-9a-fA-F]{32}$/, 'is not a Content SID: it begins with HX and has 34 characters')
    .meta({ description: 'Content SID, from the Content Template Builder of the Twilio Console' }),
  name: z.string().min(1).max(200).meta({ description: 'What agents know it by' }),
  language: z.string().min(2).max(35).meta({ description: 'Language of the text, such as uk' }),
  text: z.string().min(1).max(1600).meta({ description: 'What the customer reads, with {{1}} where a value goes' }),
  parameters: z
    .array(z.string().min(1).max(200))
    .max(50)
    .default([])
    .meta({ description: 'Names of its values: 1, 2 …' }),
});

const Config = z.strictObject({
  ...account,
  numbers: z
    .array(
      z
        .string()
        .max(100)
        .regex(
          /^(\+\d{5,15}|\d{3,8}|[a-z]{1,20}:[^\s/]+)$/,
          'is none of: a number such as +14155550123, a short code, whatsapp:+14155550123',
        ),
    )
    .min(1)
    .max(50)
    .meta({
      description: 'Your numbers at Twilio that belong to this channel: +14155550123, 72345, whatsapp:+14155550123',
    }),
  templates: z
    .array(Template)
    .max(200)
    .default([])
    .meta({ description: 'Templates of WhatsApp that agents may send when the customer wrote more than 24 hours ago' }),
  apiRoot,
});
type Config = z.output<typeof Config>;

export const twilio = defineConnector({
  type: 'twilio',
  title: 'Twilio: SMS, MMS, WhatsApp',
  summary: 'Takes what people write to your numbers at Twilio by SMS, MMS and WhatsApp, and answers.',
  docs: 'channels/twilio.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook'],
    reply: true,
    idempotent: false,
    attachments: { in: true, out: false },
    localhost: false,
    threads: 'person',
    proven: ['34 collected payloads', 'vendor description', 'signature vectors'],
  },
  config: Config,
  async open(config, context) {
    const { authToken, numbers, templates } = config;
    const api = openAccount({ ...config, http: context.http });
    return {
      webhook: {
        maxBytes: MAX_BYTES,
        verify: await openVerify(authToken, context.webhookUrl),
        respond: () => ({ status: 200, headers: { 'content-type': 'text/xml' }, body: NO_ANSWER }),
      },
      normalize: toItems,
      reply: (reply) => sendReply(api, callbackOf(context), reply),
      reconcile: (since, signal) => reconcile(api, numbers, { since, now: context.clock.now() }, signal),
      download: (attachment, { receivedAt }) => download(api, attachment, context.clock.now() - receivedAt),
      test: () => test(api, config, context),
      // A ticket doesn't say through which of several networks it came: then Twilio decides.
      ...(numbers.every((number) => addressOf(number).network === 'whatsapp') && {
        canReply: ({ lastInboundAt = 0 }) => ({
          ...withinWindow(lastInboundAt + WINDOW_MS, context.clock.now()),
          templates,
        }),
      }),
    };
  },
});

/** TwiML that says nothing: anything else would be sent to the customer, or be noted as an error. */
const NO_ANSWER = '<?xml version="1.0" encoding="UTF-8"?><Response/>';

/** Where Twilio tells what became of an answer. It refuses to send at all with an address that it can't call. */
function callbackOf({ webhookUrl }: Context): string | undefined {
  return isPublic(webhookUrl) ? webhookUrl : undefined;
}

function withinWindow(until: number, now: number): CanReply {
  if (now < until) return { allowed: true, until };
  return {
    allowed: false,
    reason: 'WhatsApp lets a business answer for 24 hours after the last message of a customer',
  };
}

/** Whether the credentials are right, and where Twilio pushes what comes to our numbers. */
async function test(api: Account, { numbers }: Config, { webhookUrl }: Context): Promise<string> {
  const phones = numbers.filter((number) => isPhone(addressOf(number)) && number.startsWith('+'));
  const found: string[] = [];
  for (const phone of phones) {
    const own = await api.number(phone);
    if (!own) {
      throw new PermanentError(`${phone} is none of the numbers of this account`, {
        hint: 'Compare it with Phone Numbers, Manage, Active numbers in the Twilio Console.',
      });
    }
    const [webhook] = (own.sms_url ?? '').split('#');
    found.push(`${phone} pushes ${webhook === webhookUrl ? 'to us' : `elsewhere (${webhook || 'nowhere'})`}`);
  }
  if (found.length > 0) return found.join('; ');
  await messages(api, { To: numbers[0] ?? '' }, AbortSignal.timeout(30_000))
    [Symbol.asyncIterator]()
    .next();
  return 'the credentials are right';
}
