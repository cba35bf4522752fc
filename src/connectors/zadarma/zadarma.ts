import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { isTimeZone, momentOf } from '../../core/local-time.ts';
import { queryOf } from '../../core/payload.ts';
import type { HttpAnswer, WebhookRequest } from '../../core/payload.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';
import { createApi, ZADARMA } from './api.ts';
import type { ZadarmaApi } from './api.ts';
import { toItems } from './items.ts';
import { verifyNotification } from './notification.ts';
import { reconcile } from './reconcile.ts';
import { download } from './recording.ts';

/** Far more than a notification takes. */
const MAX_BYTES = 64 * 1024;

const Config = z.strictObject({
  key: z
    .string()
    .min(1)
    .max(200)
    .regex(/^[^\s:]+$/, 'has a space or a colon in it: it is the key alone, without the secret')
    .meta({ description: 'Key of the API, from Settings, Integrations and API, Keys' }),
  secret: secret('Secret of the same key: it signs the notifications'),
  timezone: z.string().max(100).refine(isTimeZone, { error: 'is no time zone such as Europe/Kyiv or UTC+3' }).meta({
    description: 'Time zone of the account, such as Europe/Kyiv or UTC+3: its times say no offset. Settings, Profile',
  }),
  apiRoot: rootAddress
    .default(ZADARMA)
    .meta({ description: `Address of the API: https://api.novofon.com for Novofon; ${ZADARMA} when left out` }),
});
type Config = z.output<typeof Config>;

export const zadarma = defineConnector({
  type: 'zadarma',
  title: 'Zadarma, Novofon',
  summary: 'Takes calls from Zadarma and Novofon: missed ones become tickets, recordings are kept.',
  docs: 'channels/zadarma.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook'],
    reply: false,
    idempotent: false,
    attachments: { in: true, out: false },
    callBack: true,
    localhost: false,
    threads: 'person',
    proven: ['vendor description', 'prose'],
  },
  config: Config,
  open(config, context) {
    const { clock } = context;
    const { timezone: timeZone } = config;
    const api = createApi({ ...config, http: context.http });
    return {
      webhook: {
        maxBytes: MAX_BYTES,
        verify: (request) => verifyNotification(request, config.secret),
        challenge: echo,
      },
      normalize: (payload) => toItems(payload, timeZone),
      reconcile: (since, signal) => reconcile(api, { clock, timeZone }, since, signal),
      download: (attachment, payload) => download(api, attachment, clock.now() - payload.receivedAt),
      async callBack(wish, signal) {
        // Its events name the call by an id that isn't told here.
        await api.callBack(wish, signal);
        return {};
      },
      test: () => test(api, timeZone),
    };
  },
});

/** What is asked when the address is set up, and must be said again. As plain text: a stranger chooses the words. */
function echo(request: WebhookRequest): HttpAnswer | undefined {
  const word = queryOf(request).get('zd_echo');
  if (word === null || word.length > 200) return undefined;
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' };
  return { status: 200, headers, body: word };
}

/** How far the account's clocks may be from the zone of the settings: zones are a quarter of an hour apart at least. */
const NEAR_MS = 5 * 60_000;

/** Whether the key is right, and calls are put at the hour when they were. */
async function test(api: ZadarmaApi, timeZone: string): Promise<string> {
  const { unixtime, datetime, timezone } = await api.clocks();
  const read = momentOf(datetime, timeZone);
  if (read === undefined || Math.abs(read - unixtime * 1000) > NEAR_MS) {
    throw new PermanentError(`the account is in ${timezone}, where it is ${datetime}; timezone says ${timeZone}`, {
      hint: "Set timezone to the account's: calls would be shown at another hour.",
    });
  }
  return `the key is right; the account is in ${timezone}`;
}
