import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';
import { createApi, MANGO } from './api.ts';
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
    .regex(/^\S+$/, 'has a space in it')
    .meta({ description: 'Unique code of the PBX (vpbx_api_key), from Integrations, API connector' }),
  salt: secret('Key for signatures (vpbx_api_salt), from the same page: it signs both ways'),
  apiRoot: rootAddress.default(MANGO).meta({ description: `Address of a proxy or stand-in, instead of ${MANGO}` }),
});

export const mango = defineConnector({
  type: 'mango',
  title: 'Mango Office',
  summary: 'Takes calls from Mango Office: missed ones become tickets, recordings are kept.',
  docs: 'channels/mango.md',
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
    const { clock, http } = context;
    const account = { key: config.key, salt: config.salt };
    const api = createApi({ http, clock, apiRoot: config.apiRoot, account });
    return {
      webhook: { maxBytes: MAX_BYTES, below: true, verify: (request) => verifyNotification(request, account) },
      normalize: toItems,
      reconcile: (since, signal) => reconcile(api, clock, since, signal),
      download: (attachment, payload) => download(api, attachment, clock.now() - payload.receivedAt),
      async callBack(wish, signal) {
        // Its events name the call by an id that isn't told here.
        await api.callBack(wish, signal);
        return {};
      },
      async test() {
        await api.balance(AbortSignal.timeout(30_000));
        return 'key and salt are right';
      },
    };
  },
});
