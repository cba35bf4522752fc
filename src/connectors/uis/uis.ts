import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { Raw } from '../../core/connector.ts';
import { each } from '../../core/each.ts';
import { isTimeZone } from '../../core/local-time.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret, shapedSecret } from '../../core/secret.ts';
import { createApi } from './api.ts';
import { fromListed } from './listed.ts';
import { fromNotification } from './notification.ts';
import { placesOf, PLATFORMS } from './platform.ts';
import { reconcile } from './reconcile.ts';
import { download } from './recording.ts';

/** Far more than a notification takes. */
const MAX_BYTES = 64 * 1024;

const Config = z.strictObject({
  token: shapedSecret(
    'Secret part of the address: UIS calls <PUBLIC_URL>/webhooks/<id>/<token>',
    /^[A-Za-z0-9_-]{22,200}$/,
    'is none of 22 to 200 letters, digits, _ and -: `openssl rand -hex 24` makes one',
  ),
  accessToken: secret('API key of a user with access to Data API, and to Call API for call-backs'),
  timeZone: z
    .string()
    .max(100)
    .refine(isTimeZone, { error: 'is no time zone: Europe/Moscow is one' })
    .meta({ description: 'Time zone of the account, such as Europe/Moscow: times come without an offset' }),
  platform: z.enum(PLATFORMS).default('uiscom').meta({ description: 'Whose cabinet it is' }),
  virtualNumber: z
    .string()
    .regex(/^\+?\d{7,15}$/, 'is no number: 74950000000 is one')
    .transform((number) => number.replace('+', ''))
    .optional()
    .meta({ description: "The vendor's number that customers see when they are called back; none: no call-backs" }),
  apiRoot: rootAddress
    .optional()
    .meta({ description: "Address of a proxy or stand-in, instead of the vendor's; recordings may lie there, too" }),
});

export const uis = defineConnector({
  type: 'uis',
  title: 'UIS, CoMagic, CallGear',
  summary: 'Takes calls from UIS, CoMagic, CallGear or Novofon: missed ones become tickets, recordings are kept.',
  docs: 'channels/uis.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook'],
    reply: false,
    idempotent: false,
    attachments: { in: true, out: false },
    callBack: true,
    localhost: false,
    threads: 'person',
    proven: ['prose'],
  },
  config: Config,
  open(config, context) {
    const { token, timeZone, accessToken, virtualNumber } = config;
    const { clock, http } = context;
    const places = placesOf(config.platform, config.apiRoot);
    const api = createApi({ http, places, accessToken, timeZone, virtualNumber });
    const missed = { api, clock, timeZone };
    return {
      webhook: {
        maxBytes: MAX_BYTES,
        token,
        // The host has compared the token; UIS signs nothing.
        verify: () => undefined,
      },
      normalize: (payload) =>
        each([payload], (one) => (one.method === 'RECONCILE' ? fromListed : fromNotification)(one, timeZone)),
      reconcile: (since, signal) => reconcile(missed, since, signal),
      download: (attachment, payload) => download({ api, places, now: clock.now() }, attachment, payload),
      async callBack(wish, signal) {
        return { externalId: await api.callBack(wish, signal) };
      },
      async test() {
        const calls: Raw[] = [];
        for await (const call of reconcile(missed, clock.now(), AbortSignal.timeout(30_000))) calls.push(call);
        return `the API key is right; calls of the last four hours: ${calls.length}`;
      },
    };
  },
});
