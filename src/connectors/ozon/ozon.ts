import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import { createPartsPoll } from '../../core/parts.ts';
import type { Payload } from '../../core/payload.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';
import { createApi, OZON } from './api.ts';
import type { OzonApi } from './api.ts';
import { chatsPart } from './chats.ts';
import { linkIn, toItems } from './items.ts';
import { listPart } from './lists.ts';
import { fileName } from './names.ts';
import { canReply, sendReply } from './reply.ts';
import { Said } from './seen.ts';

const PARTS = ['reviews', 'questions', 'chats'] as const;
type PartName = (typeof PARTS)[number];

const Config = z.strictObject({
  clientId: z
    .string()
    .regex(/^\d{1,20}$/, 'is no number')
    .meta({ description: 'Client ID of the seller: Settings, Seller API' }),
  apiKey: secret('API key beside it, with the roles for reviews, questions and chats'),
  parts: z
    .array(z.enum(PARTS))
    .min(1)
    .default([...PARTS])
    .meta({ description: 'What is read: reviews, questions, chats; each needs a subscription of Ozon' }),
  apiRoot: rootAddress.default(OZON).meta({ description: `Address of a proxy or stand-in, instead of ${OZON}` }),
});

export const ozon = defineConnector({
  type: 'ozon',
  title: 'Ozon',
  summary: 'Takes reviews, questions and chats of buyers from a seller’s account at Ozon, and answers them.',
  docs: 'channels/ozon.md',
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
    const api = createApi({ http, ...config });
    const parts = {
      reviews: () => listPart('review', { api, clock, log }),
      questions: () => listPart('question', { api, clock, log }),
      chats: () => chatsPart({ api, clock, log }),
    };
    const chosen = PARTS.filter((part) => config.parts.includes(part));
    return {
      normalize: (payload) => toItems(payload, id),
      poll: createPartsPoll({ clock, parts: chosen.map((part) => parts[part]()) }),
      pollEveryMs: 1000,
      reply: (reply) => sendReply(api, reply),
      canReply: ({ answers }) => canReply(answers),
      download: (attachment, payload) => api.chatFile(addressOf(attachment.id, payload)),
      test: () => test(api, chosen),
    };
  },
});

function addressOf(id: string, { body }: Payload): string {
  const { data } = Said.parse(parseJson(body)).message;
  const url = data
    .map((entry) => linkIn(entry)?.url)
    .find((address) => address !== undefined && fileName(address) === id);
  if (url === undefined) throw new PermanentError('the message has no such file');
  return url;
}

const Count = z.object({ new: z.coerce.number() });

/** One question to each part. */
async function test(api: OzonApi, chosen: readonly PartName[]): Promise<string> {
  const said: string[] = [];
  for (const part of chosen) {
    if (part === 'chats') {
      await api.ask('/v3/chat/list', { limit: 1 }, z.unknown());
      said.push('chats can be read');
    } else {
      const path = part === 'reviews' ? '/v2/review/count' : '/v1/question/count';
      said.push(`new ${part}: ${(await api.ask(path, {}, Count)).new}`);
    }
  }
  return said.join('; ');
}
