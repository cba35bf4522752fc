import { z } from 'zod';
import { defineConnector } from '../../../core/connector.ts';
import { PermanentError } from '../../../core/errors.ts';
import { challengeHub, verifyHub } from '../../../core/hub.ts';
import { parseJson } from '../../../core/json.ts';
import { secret } from '../../../core/secret.ts';
import { createGraph, read } from '../graph.ts';
import type { Graph } from '../graph.ts';
import { accountId, common } from '../settings.ts';
import { fromHanded, fromNotification } from './lead.ts';
import { createPoll, formsOf } from './poll.ts';

const FACEBOOK = 'https://graph.facebook.com';
/** Meta sends up to a thousand changes at once. */
const MAX_BODY = 4 * 1024 * 1024;
/** Between the beginnings of two passes over all forms, where Meta tells nothing. */
const POLL_EVERY_MS = 5 * 60_000;

const { appSecret, verifyToken, apiVersion, apiRoot } = common;

const Config = z.strictObject({
  pageId: accountId('Id of the Page: its page About, Page transparency'),
  pageAccessToken: secret('Of the Page, with leads_retrieval, pages_manage_ads and ads_management'),
  webhook: z
    .strictObject({ appSecret, verifyToken })
    .optional()
    .meta({ description: 'Meta tells at once that somebody filled in a form; needs an app of its own' }),
  apiVersion,
  apiRoot,
});
type Config = z.output<typeof Config>;

export const facebookLeads = defineConnector({
  type: 'facebook_leads',
  title: 'Facebook lead forms',
  summary: 'Takes what people enter into the lead forms of a Facebook Page, in ads on Facebook and Instagram.',
  docs: 'channels/facebook-leads.md',
  stability: 'beta',
  capabilities: {
    receive: ['poll', 'webhook'],
    reply: false,
    idempotent: false,
    attachments: { in: false, out: false },
    localhost: true,
    threads: 'topic',
    proven: ['1 collected payloads', 'signature vectors', 'prose'],
  },
  config: Config,
  open(config, { id, clock, http }) {
    const { pageId, pageAccessToken: token, webhook, apiVersion: version } = config;
    const graph = createGraph({
      token,
      apiRoot: config.apiRoot ?? FACEBOOK,
      usualRoot: FACEBOOK,
      version,
      node: pageId,
      http,
    });
    return {
      ...(webhook && {
        webhook: {
          maxBytes: MAX_BODY,
          verify: (request) => verifyHub(webhook.appSecret, request),
          challenge: (request) => challengeHub(webhook.verifyToken, request),
        },
        connect: async (signal) => {
          await graph.post('the subscription', `${pageId}/subscribed_apps`, { subscribed_fields: 'leadgen' }, signal);
        },
      }),
      poll: createPoll({ graph, pageId, clock }),
      pollEveryMs: POLL_EVERY_MS,
      normalize: ({ method, body, receivedAt }) =>
        method === 'POLL'
          ? [fromHanded(parseJson(body), { idKind: `facebook_leads:${id}`, receivedAt })]
          : fromNotification(parseJson(body), pageId),
      test: () => test(graph, config),
    };
  },
});

const Page = z.object({ name: z.string() });
const Subscribed = z.object({
  data: z.array(z.object({ subscribed_fields: z.array(z.string()).default([]) })),
});
const ASK_MS = 30_000;

/** Whose token it is, whether it may read leads, and whether the app is told of them. */
async function test(graph: Graph, { pageId, webhook }: Config): Promise<string> {
  const { name } = read(Page, await graph.get(`${pageId}?fields=name`), 'the Page');
  const forms = await formsOf(graph, pageId, AbortSignal.timeout(ASK_MS));
  const [first] = forms.keys();
  if (first !== undefined) await graph.get(`${first}/leads?fields=id&limit=1`);
  if (webhook) {
    const { data } = read(Subscribed, await graph.get(`${pageId}/subscribed_apps`), 'the subscriptions');
    if (!data.some(({ subscribed_fields: fields }) => fields.includes('leadgen'))) {
      throw new PermanentError(`${name} answers, but no app is told of its leads`, {
        hint: 'Restart the gateway: it subscribes the app when it opens the channel.',
      });
    }
  }
  return `${name} answers, with ${forms.size} ${forms.size === 1 ? 'form' : 'forms'}`;
}
