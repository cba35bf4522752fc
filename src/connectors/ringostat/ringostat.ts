import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { Raw } from '../../core/connector.ts';
import { isTimeZone } from '../../core/local-time.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';
import { createApi, RINGOSTAT } from './api.ts';
import type { RingostatApi } from './api.ts';
import { toItems } from './items.ts';
import { download } from './recording.ts';

const MAX_BYTES = 64 * 1024;

const Config = z.strictObject({
  token: secret('Secret part of the address: Ringostat calls <PUBLIC_URL>/webhooks/<id>/<token>?event=…').refine(
    (value) => /^[A-Za-z0-9_-]{22,200}$/.test(value.reveal()),
    { error: 'is none of 22 to 200 letters, digits, _ and -: `openssl rand -hex 24` makes one' },
  ),
  authKey: secret('Auth-key of the project: Integration, Ringostat API in its cabinet'),
  timeZone: z
    .string()
    .max(100)
    .refine(isTimeZone, { error: 'is no time zone: Europe/Kyiv is one' })
    .meta({ description: 'Time zone of the project, such as Europe/Kyiv: its webhooks write times without an offset' }),
  apiRoot: rootAddress
    .default(RINGOSTAT)
    .meta({ description: `Address of a proxy or stand-in, instead of ${RINGOSTAT}` }),
});

export const ringostat = defineConnector({
  type: 'ringostat',
  title: 'Ringostat',
  summary: 'Takes calls from Ringostat: missed ones become tickets, recordings are kept.',
  docs: 'channels/ringostat.md',
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
    const { token, timeZone, apiRoot } = config;
    const api = createApi({ ...config, http: context.http });
    return {
      webhook: {
        maxBytes: MAX_BYTES,
        token,
        // The host has compared the token; Ringostat signs nothing.
        verify: () => undefined,
      },
      normalize: (payload) => toItems(payload, timeZone),
      async callBack(wish, signal) {
        await api.callBack(wish, signal);
        return {};
      },
      reconcile: (since, signal) => reconcile(api, since, context.clock.now(), signal),
      download: (attachment, payload) => download({ api, apiRoot, now: context.clock.now() }, attachment, payload),
      async test() {
        const now = context.clock.now();
        const calls: Raw[] = [];
        for await (const call of reconcile(api, now, now, AbortSignal.timeout(30_000))) calls.push(call);
        return `the Auth-key is right; calls of the last four hours: ${calls.length}`;
      },
    };
  },
});

/** A call is found by when it began, and only once it is over: so a long one may lie before what was asked for last time. */
const LONGEST_MS = 4 * 3_600_000;

/** The call log. A webhook that failed never comes again: https://help.ringostat.com/en/articles/6313229 */
async function* reconcile(api: RingostatApi, since: number, now: number, signal: AbortSignal): AsyncIterable<Raw> {
  for await (const line of api.calls(since - LONGEST_MS, now, signal))
    yield { body: Buffer.from(JSON.stringify(line)) };
}
