import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { CanReply } from '../../core/connector.ts';
import { PermanentError, textOf } from '../../core/errors.ts';
import { challengeHub, verifyHub } from '../../core/hub.ts';
import { parseJson } from '../../core/json.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';
import { createGraph, META, read } from './graph.ts';
import type { Graph } from './graph.ts';
import { toItems } from './items.ts';
import { sendReply } from './reply.ts';
import { createTemplates } from './templates.ts';
import type { Templates } from './templates.ts';

const HOUR = 60 * 60_000;
/** How long after the customer's last message anything may be written to him. */
const WINDOW_MS = 24 * HOUR;
/** Meta sends notifications of up to 3 MB. */
const MAX_BODY = 4 * 1024 * 1024;

const id = (description: string) =>
  z
    .string({ error: 'is a number in quotes: it has more digits than YAML keeps' })
    .regex(/^\d{1,32}$/, { error: 'has other characters than digits' })
    .meta({ description });

const Config = z.strictObject({
  phoneNumberId: id('Id of the number (not the number itself), from the app’s page WhatsApp, API setup'),
  accountId: id('Id of the WhatsApp Business account, on the same page: for templates').optional(),
  accessToken: secret(
    'Of a system user, with whatsapp_business_messaging; for templates whatsapp_business_management too',
  ),
  appSecret: secret('From the app’s page Settings, Basic: Meta signs with it'),
  verifyToken: secret('Any words: the same as in the app’s page WhatsApp, Configuration'),
  apiVersion: z
    .string()
    .regex(/^v\d{1,3}\.\d$/)
    .default('v23.0')
    .meta({ description: 'Version of the Graph API' }),
  apiRoot: rootAddress
    .default(META)
    .meta({ description: 'Address of a stand-in or proxy, instead of https://graph.facebook.com' }),
});
type Config = z.output<typeof Config>;

export const whatsappCloud = defineConnector({
  type: 'whatsapp_cloud',
  title: 'WhatsApp',
  summary: 'Takes what people write to a WhatsApp number of the business (Cloud API), and answers.',
  docs: 'channels/whatsapp-cloud.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook'],
    reply: true,
    idempotent: false,
    attachments: { in: true, out: true },
    localhost: false,
    threads: 'person',
    proven: ['98 collected payloads', 'vendor description', 'signature vectors'],
  },
  config: Config,
  open(config, { clock, http }) {
    const { phoneNumberId, accountId, accessToken: token, apiRoot, apiVersion: version } = config;
    const graph = createGraph({ token, apiRoot, version, phoneNumberId, http });
    const templates = accountId === undefined ? undefined : createTemplates({ graph, accountId, clock });
    return {
      webhook: {
        maxBytes: MAX_BODY,
        verify: (request) => verifyHub(config.appSecret, request),
        challenge: (request) => challengeHub(config.verifyToken, request),
      },
      normalize: (payload) => toItems(parseJson(payload.body), phoneNumberId, payload.receivedAt),
      reply: (reply) => sendReply({ graph, templates }, reply),
      canReply: ({ lastInboundAt }) => canReply(templates, clock.now(), lastInboundAt),
      download: (attachment) => graph.download(attachment.id),
      test: () => test(graph, config),
    };
  },
});

async function canReply(templates: Templates | undefined, now: number, lastInboundAt = 0): Promise<CanReply> {
  const until = lastInboundAt + WINDOW_MS;
  if (now < until) return { allowed: true, until };
  const reason = 'more than 24 hours have passed since the customer wrote';
  if (!templates) return { allowed: false, reason: `${reason}; templates need \`accountId\`` };
  try {
    return { allowed: false, reason: `${reason}: only a template may go out`, templates: await templates.list() };
  } catch (error) {
    return { allowed: false, reason: `${reason}, and the templates can't be had: ${textOf(error)}` };
  }
}

const PhoneNumber = z.object({ display_phone_number: z.string(), verified_name: z.string().default('') });
const Subscribed = z.object({ data: z.array(z.unknown()) });

/** Whose number it is, and whether an app is told of what comes to it. */
async function test(graph: Graph, { phoneNumberId, accountId }: Config): Promise<string> {
  const number = read(PhoneNumber, await graph.get(phoneNumberId), 'the number');
  const name = [number.display_phone_number, number.verified_name && `(${number.verified_name})`]
    .filter(Boolean)
    .join(' ');
  if (accountId !== undefined) {
    const { data } = read(Subscribed, await graph.get(`${accountId}/subscribed_apps`), 'the subscriptions');
    if (data.length === 0) {
      throw new PermanentError(`${name} answers, but no app is told of its messages`, {
        hint: 'POST to /<accountId>/subscribed_apps once, with the token: see docs/channels/whatsapp-cloud.md.',
      });
    }
  }
  return `${name} answers`;
}
