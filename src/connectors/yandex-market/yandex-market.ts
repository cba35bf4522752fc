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
import { createApi, MARKET } from './api.ts';
import type { MarketApi } from './api.ts';
import { chatsPart } from './chats.ts';
import { feedbacksPart, questionsPart } from './goods.ts';
import { toItems } from './items.ts';
import { messageName, PART, photoName } from './names.ts';
import { canReply, sendReply } from './reply.ts';
import { Commented, Said } from './seen.ts';

const PARTS = ['feedbacks', 'questions', 'chats'] as const;
type PartName = (typeof PARTS)[number];

const Config = z.strictObject({
  apiKey: secret('Api-Key of the cabinet, with the right Communication with buyers'),
  businessId: z
    .union([z.string(), z.number().transform(String)])
    .refine((value) => /^[1-9]\d{0,18}$/.test(value), { error: 'is no number of a cabinet: Settings, API and modules' })
    .meta({ description: 'Number of the cabinet: Settings, API and modules' }),
  parts: z
    .array(z.enum(PARTS))
    .min(1)
    .default([...PARTS])
    .meta({ description: 'What is read: reviews, questions, chats' }),
  apiRoot: rootAddress.default(MARKET).meta({ description: `Address of a proxy or stand-in, instead of ${MARKET}` }),
});

export const yandexMarket = defineConnector({
  type: 'yandex_market',
  title: 'Yandex Market',
  summary: 'Takes reviews, questions and chats of buyers from a seller’s cabinet at Yandex Market, and answers them.',
  docs: 'channels/yandex-market.md',
  stability: 'beta',
  capabilities: {
    receive: ['poll'],
    reply: true,
    idempotent: false,
    attachments: { in: true, out: true },
    localhost: true,
    threads: 'topic',
    proven: ['prose'],
  },
  config: Config,
  open(config, { id, clock, http, log }) {
    const api = createApi({ ...config, http });
    const parts = {
      feedbacks: () => feedbacksPart({ api, clock, log }),
      questions: () => questionsPart({ api, clock, log }),
      chats: () => chatsPart({ api, clock, log }),
    };
    const chosen = PARTS.filter((part) => config.parts.includes(part));
    return {
      normalize: (payload) => toItems(payload, id),
      poll: createPartsPoll({ clock, parts: chosen.map((part) => parts[part]()) }),
      pollEveryMs: 1000,
      reply: (reply) => sendReply(api, reply),
      canReply: ({ answers }) => canReply(answers),
      download: (attachment, payload) => download(api, attachment, payload),
      test: () => test(api, chosen),
    };
  },
});

async function download(api: MarketApi, { id, name }: Attachment, { body, headers }: Payload): Promise<Readable> {
  const value = parseJson(body);
  const url = headers[PART] === 'feedback' ? photoIn(value, id) : fileIn(value, id);
  if (url === undefined) throw new PermanentError(`Yandex Market gives no address of ${name}`);
  return api.file(url);
}

const photoIn = (value: unknown, id: string): string | undefined =>
  Commented.parse(value).feedback.media?.photos.find((url) => photoName(url) === id);

function fileIn(value: unknown, id: string): string | undefined {
  const { chat, message } = Said.parse(value);
  const name = messageName(chat.chatId, message.messageId);
  return message.payload.find((_, index) => `${name}:${index}` === id)?.url;
}

const TESTS: Readonly<Record<PartName, { readonly path: string; readonly body: object; readonly said: string }>> = {
  feedbacks: { path: 'v2/goods-feedback', body: { reactionStatus: 'NEED_REACTION' }, said: 'reviews can be read' },
  questions: { path: 'v1/goods-questions', body: { needAnswer: true }, said: 'questions can be read' },
  chats: { path: 'v2/chats', body: { types: ['CHAT'] }, said: 'chats can be read' },
};

/** One question to each part. */
async function test(api: MarketApi, parts: readonly PartName[]): Promise<string> {
  for (const { path, body } of parts.map((part) => TESTS[part])) {
    await api.ask({ path, query: { limit: 1 }, body }, z.looseObject({}));
  }
  return parts.map((part) => TESTS[part].said).join('; ');
}
