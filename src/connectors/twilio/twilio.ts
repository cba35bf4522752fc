import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { CanReply, Context } from '../../core/connector.ts';
import { BadPayloadError, PermanentError } from '../../core/errors.ts';
import { queryOf } from '../../core/payload.ts';
import type { WebhookRequest } from '../../core/payload.ts';
import { secret } from '../../core/secret.ts';
import type { Secret } from '../../core/secret.ts';
import { addressOf, isPhone } from './address.ts';
import { createApi, TWILIO } from './api.ts';
import type { TwilioApi } from './api.ts';
import { parametersOf } from './form.ts';
import { toItems } from './items.ts';
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
  accountSid: z
    .string()
    .regex(/^AC[0-9a-fA-F]{32}$/, 'is not an Account SID: it begins with AC and has 34 characters')
    .meta({ description: 'Account SID, from the first page of the Twilio Console' }),
  authToken: secret('Auth Token of the same account: it signs what Twilio sends'),
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
  apiRoot: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .transform((url) => url.replace(/\/$/, ''))
    .default(TWILIO)
    .meta({ description: `Address of the API, for accounts of another region; ${TWILIO} when left out` }),
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
    proven: ['real payloads', 'vendor description', 'signature vectors'],
  },
  config: Config,
  async open(config, context) {
    const { authToken, numbers, templates } = config;
    const api = createApi({ ...config, http: context.http });
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

/**
 * Twilio's own check, over the address that the operator configured: what a request says of its host is a stranger's
 * word. https://www.twilio.com/docs/usage/webhooks/webhooks-security
 */
async function openVerify(authToken: Secret, webhookUrl: string): Promise<(request: WebhookRequest) => void> {
  // The rest of the package is 8 MB of calls that we don't make.
  const { validateRequest, validateRequestWithBody } = await import('twilio/lib/webhooks/webhooks.js');
  return (request) => {
    const signature = request.headers['x-twilio-signature'];
    if (signature === undefined) throw new BadPayloadError('not signed: X-Twilio-Signature is missing');
    const start = request.url.indexOf('?');
    const url = start < 0 ? webhookUrl : `${webhookUrl}${request.url.slice(start)}`;
    // A body that is no form is signed by its hash, which stands in the address.
    const isValid = queryOf(request).has('bodySHA256')
      ? validateRequestWithBody(authToken.reveal(), signature, url, request.body.toString('utf8'))
      : validateRequest(authToken.reveal(), signature, url, parametersOf(request.body));
    if (isValid) return;
    throw new BadPayloadError('X-Twilio-Signature does not match', {
      hint: `The Auth Token differs, or Twilio calls another address than ${webhookUrl}: set PUBLIC_URL to what it calls.`,
    });
  };
}

/** Where Twilio tells what became of an answer. It refuses to send at all with an address that it can't call. */
function callbackOf({ webhookUrl }: Context): string | undefined {
  const { hostname } = new URL(webhookUrl);
  return /^(localhost|127\.|\[|0\.0\.0\.0$)/.test(hostname) ? undefined : webhookUrl;
}

function withinWindow(until: number, now: number): CanReply {
  if (now < until) return { allowed: true, until };
  return {
    allowed: false,
    reason: 'WhatsApp lets a business answer for 24 hours after the last message of a customer',
  };
}

/** Whether the credentials are right, and where Twilio pushes what comes to our numbers. */
async function test(api: TwilioApi, { numbers }: Config, { webhookUrl }: Context): Promise<string> {
  const phones = numbers.filter((number) => isPhone(addressOf(number)) && number.startsWith('+'));
  const found: string[] = [];
  for (const phone of phones) {
    const own = await api.number(phone);
    if (!own) {
      throw new PermanentError(`${phone} is none of the numbers of this account`, {
        hint: 'Compare it with Phone Numbers, Manage, Active numbers in the Twilio Console.',
      });
    }
    const [webhook] = own.webhook.split('#');
    found.push(`${phone} pushes ${webhook === webhookUrl ? 'to us' : `elsewhere (${webhook || 'nowhere'})`}`);
  }
  if (found.length > 0) return found.join('; ');
  await api
    .messages({ To: numbers[0] ?? '' }, AbortSignal.timeout(30_000))
    [Symbol.asyncIterator]()
    .next();
  return 'the credentials are right';
}
