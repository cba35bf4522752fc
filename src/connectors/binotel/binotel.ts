import { BlockList, isIP } from 'node:net';
import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import { BadPayloadError } from '../../core/errors.ts';
import type { WebhookRequest } from '../../core/payload.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';
import { BINOTEL, createApi } from './api.ts';
import { toItems } from './items.ts';
import { readForm } from './form.ts';
import { isCountry, toLocal } from './phone.ts';
import { download } from './recording.ts';
import { reconcile } from './reconcile.ts';

const MAX_BYTES = 256 * 1024;

/** Binotel's servers as it lists them: https://developers.binotel.ua/#api-call-settings */
const SOURCES = [
  ...['194.88.218.114', '194.88.218.116', '194.88.218.117', '194.88.218.118', '194.88.218.119', '194.88.218.120'],
  ...['194.88.219.67', '194.88.219.70', '194.88.219.71', '194.88.219.72', '194.88.219.78', '194.88.219.79'],
  ...['194.88.219.80', '194.88.219.81', '194.88.219.82', '194.88.219.83', '194.88.219.84', '194.88.219.85'],
  ...['194.88.219.86', '194.88.219.87', '194.88.219.88', '194.88.219.89', '194.88.219.92'],
  ...['185.100.66.145', '185.100.66.146', '185.100.66.147'],
];

const Source = z
  .string()
  .max(100)
  .refine((text) => rangeOf(text) !== undefined, {
    error: 'is neither an IP address nor a network such as 10.0.0.0/8',
  });

const Config = z.strictObject({
  token: secret('Secret part of the address: Binotel calls <PUBLIC_URL>/webhooks/<id>/<token>').refine(
    (value) => /^[A-Za-z0-9_-]{22,200}$/.test(value.reveal()),
    { error: 'is none of 22 to 200 letters, digits, _ and -: `openssl rand -hex 24` makes one' },
  ),
  key: secret('Key of the REST API, from support@binotel.ua'),
  secret: secret('Secret of the same key'),
  sources: z.array(Source).min(1).max(200).default(SOURCES).meta({
    description: 'Addresses and networks that webhooks may come from; those that Binotel lists when left out',
  }),
  country: z
    .string()
    .refine(isCountry, { error: 'is no country code of two capital letters, such as UA' })
    .default('UA')
    .meta({ description: 'Where numbers without a country code are from (ISO 3166)' }),
  apiRoot: rootAddress
    .default(BINOTEL)
    .meta({ description: `Address of the API, for other countries or a stand-in; ${BINOTEL} when left out` }),
});

export const binotel = defineConnector({
  type: 'binotel',
  title: 'Binotel',
  summary: 'Takes calls from Binotel: missed ones become tickets, recordings are kept.',
  docs: 'channels/binotel.md',
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
    const { token, sources, country } = config;
    const { clock } = context;
    const api = createApi({ ...config, http: context.http });
    return {
      webhook: { maxBytes: MAX_BYTES, token, verify: createVerify(sources), respond: answerOf },
      normalize: (payload) => toItems(payload, country),
      reconcile: (since, signal) => reconcile(api, clock, since, signal),
      download: (attachment, payload) => download(api, attachment, clock.now() - payload.receivedAt),
      callBack: (wish, signal) => api.callBack({ ...wish, to: toLocal(wish.to, country) }, signal),
      async test() {
        const now = clock.now();
        const calls = await api.calls(now - 3_600_000, now, AbortSignal.timeout(30_000));
        return `the key is right; calls of the last hour: ${calls.length}`;
      },
    };
  },
});

/** The address is the core's word: the peer's, or what a proxy that the operator trusts says of it. */
function createVerify(sources: readonly string[]): (request: WebhookRequest) => void {
  const allowed = new BlockList();
  for (const source of sources) {
    const range = rangeOf(source);
    if (range) allowed.addSubnet(range.address, range.prefix, range.family);
  }
  return ({ remoteAddress = '' }) => {
    const family = familyOf(remoteAddress);
    if (family && allowed.check(remoteAddress, family)) return;
    throw new BadPayloadError(`${remoteAddress || 'a sender without an address'} is none of Binotel's addresses`, {
      hint: 'Behind a proxy, name it in server.trustProxy; if Binotel has moved, add its address to sources.',
    });
  };
}

function rangeOf(text: string) {
  const [address = '', bits, ...others] = text.split('/');
  const family = familyOf(address);
  if (!family || others.length > 0) return undefined;
  const most = family === 'ipv4' ? 32 : 128;
  if (bits === undefined) return { address, family, prefix: most };
  return /^\d{1,3}$/.test(bits) && Number(bits) <= most ? { address, family, prefix: Number(bits) } : undefined;
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  return ({ 4: 'ipv4', 6: 'ipv6' } as const)[isIP(address)];
}

/** Byte for byte: at anything else Binotel sends it again, seven times within 38 hours. */
const TAKEN = '{"status":"success"}';
/** Who calls, for the screen of the employee: whoever he is, he is looked up here only once the call is filed. */
const NOBODY_KNOWN = '{}';

function answerOf({ body }: WebhookRequest) {
  const asks = readForm(body)['requestType'] === 'apiCallSettings';
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: asks ? NOBODY_KNOWN : TAKEN,
  };
}
