import type { Readable } from 'node:stream';
import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { Attachment } from '../../core/envelope.ts';
import { PermanentError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import { createPartsPoll } from '../../core/parts.ts';
import type { Payload } from '../../core/payload.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';
import { createAccess } from './access.ts';
import { AVITO, createApi, search } from './api.ts';
import type { AvitoApi } from './api.ts';
import { chatsPart } from './chats.ts';
import { photoName, toItems } from './items.ts';
import { PART } from './names.ts';
import { canReply, sendReply } from './reply.ts';
import { reviewsPart } from './reviews.ts';
import { largestOf, Review, Said } from './seen.ts';
import { addressToken, subscribe } from './webhook.ts';

const PARTS = ['chats', 'reviews'] as const;
type PartName = (typeof PARTS)[number];
/** A webhook has the chats read at once. */
const POLL_EVERY_MS = 15_000;
/** A notification has some hundred bytes, and a message at most a thousand characters. */
const MAX_PUSH = 64 * 1024;

const Config = z.strictObject({
  clientId: z
    .string()
    .regex(/^[\x21-\x7e]{1,200}$/)
    .meta({ description: 'Client_id of the account: avito.ru, For professionals, Avito API' }),
  clientSecret: secret('Client_secret beside it'),
  parts: z
    .array(z.enum(PARTS))
    .min(1)
    .default([...PARTS])
    .meta({ description: 'What is read: chats (a subscription of Avito opens them to programs), reviews' }),
  apiRoot: rootAddress.default(AVITO).meta({ description: `Address of a proxy or stand-in, instead of ${AVITO}` }),
});

export const avito = defineConnector({
  type: 'avito',
  title: 'Avito',
  summary: 'Takes chats and reviews of an account at Avito, and answers them.',
  docs: 'channels/avito.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook', 'poll'],
    reply: true,
    idempotent: false,
    attachments: { in: true, out: true },
    localhost: true,
    threads: 'topic',
    proven: ['prose'],
  },
  config: Config,
  open(config, context) {
    const { id, clock, http, log } = context;
    const { apiRoot } = config;
    const access = createAccess({ ...config, http, clock });
    const api = createApi({ http, access, apiRoot });
    const parts = {
      chats: () => chatsPart({ api, clock, log }),
      reviews: () => reviewsPart({ api, clock }),
    };
    const chosen = PARTS.filter((part) => config.parts.includes(part));
    return {
      normalize: (payload) => toItems(payload, id),
      // The host compares the token; nothing else proves who calls.
      webhook: { registered: true, maxBytes: MAX_PUSH, token: addressToken(context), verify: () => undefined },
      poll: createPartsPoll({ clock, parts: chosen.map((part) => parts[part]()) }),
      pollEveryMs: POLL_EVERY_MS,
      async connect(signal) {
        if (chosen.includes('chats')) await subscribe(api, context, signal);
      },
      reply: (reply) => sendReply({ api, log }, reply),
      canReply: ({ answers }) => canReply(answers),
      download: (attachment, payload) => download(api, attachment, payload),
      test: () => test(api, chosen),
    };
  },
});

const Voices = z.object({ voices_urls: z.record(z.string(), z.string()) });

async function download(api: AvitoApi, attachment: Attachment, payload: Payload): Promise<Readable> {
  const { id, name } = attachment;
  const url =
    payload.headers[PART] === 'review' ? photoIn(payload, id) : (imageIn(payload) ?? (await voiceOf(api, id)));
  if (url === undefined) throw new PermanentError(`Avito gives no address of ${name}`);
  return api.file(url);
}

function photoIn({ body }: Payload, attachment: string): string | undefined {
  const { id, images } = Review.parse(parseJson(body));
  return largestOf(images.find(({ number }) => photoName(id, number) === attachment)?.sizes ?? []);
}

function imageIn({ body }: Payload): string | undefined {
  const { image } = Said.parse(parseJson(body)).message.content ?? {};
  return largestOf(Object.entries(image?.sizes ?? {}).map(([size, url]) => ({ size, url })));
}

/** Its address is good for an hour. */
async function voiceOf(api: AvitoApi, id: string): Promise<string | undefined> {
  const path = `/messenger/v1/accounts/{user}/getVoiceFiles?${search({ voice_ids: id })}`;
  const { voices_urls: urls } = await api.ask({ path }, Voices);
  return Object.hasOwn(urls, id) ? urls[id] : undefined;
}

const Count = z.object({ total: z.number() });

/** One question to each part. */
async function test(api: AvitoApi, parts: readonly PartName[]): Promise<string> {
  const said = [`account ${await api.user()}`];
  for (const part of parts) {
    if (part === 'chats') {
      await api.ask({ path: `/messenger/v2/accounts/{user}/chats?${search({ limit: 1, offset: 0 })}` }, z.unknown());
      said.push('chats can be read');
    } else {
      const { total } = await api.ask({ path: `/ratings/v1/reviews?${search({ limit: 1, offset: 0 })}` }, Count);
      said.push(`${total} reviews`);
    }
  }
  return said.join('; ');
}
