import type { Readable } from 'node:stream';
import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { Context } from '../../core/connector.ts';
import type { Attachment } from '../../core/envelope.ts';
import { AuthExpiredError, PermanentError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import { createPartsPoll } from '../../core/parts.ts';
import type { Payload } from '../../core/payload.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';
import { CHATS, createApi, FEEDBACKS } from './api.ts';
import type { WildberriesApi } from './api.ts';
import { toItems } from './items.ts';
import { chatsPart, listPart, search } from './lists.ts';
import { PART, photoName } from './names.ts';
import { canReply, createChats, sendReply } from './reply.ts';
import { Feedback } from './seen.ts';
import { expiryOf } from './token.ts';

const PARTS = ['feedbacks', 'questions', 'chats'] as const;
const DAY_MS = 86_400_000;
/** How long before a token ends it is said. */
const NOTICE_MS = 14 * DAY_MS;

const root = (address: string, what: string) =>
  rootAddress
    .default(address)
    .meta({ description: `Address of a stand-in, proxy or sandbox instead of ${address}: ${what}` });

const Config = z.strictObject({
  token: secret('API token of the seller, with the categories Questions and reviews and Chat with buyers'),
  parts: z
    .array(z.enum(PARTS))
    .min(1)
    .default([...PARTS])
    .meta({ description: 'What is read: reviews, questions, chats; the token needs the category of each' }),
  feedbacksRoot: root(FEEDBACKS, 'reviews and questions'),
  chatsRoot: root(CHATS, 'chats'),
});
type Config = z.output<typeof Config>;

export const wildberries = defineConnector({
  type: 'wildberries',
  title: 'Wildberries',
  summary: 'Takes reviews, questions and chats of buyers from a seller’s account at Wildberries, and answers them.',
  docs: 'channels/wildberries.md',
  stability: 'beta',
  capabilities: {
    receive: ['poll'],
    reply: true,
    idempotent: false,
    attachments: { in: true, out: true },
    localhost: true,
    threads: 'topic',
    proven: ['vendor description'],
  },
  config: Config,
  open(config, context) {
    const { id, clock, http } = context;
    const { token, feedbacksRoot, chatsRoot } = config;
    const api = createApi({ http, token, feedbacksRoot, chatsRoot });
    const chats = createChats(api);
    const parts = {
      feedbacks: () => listPart('feedback', { api, clock }),
      questions: () => listPart('question', { api, clock }),
      chats: () => chatsPart({ api, clock }),
    };
    return {
      normalize: (payload) => toItems(payload, id),
      poll: createPartsPoll({
        clock,
        parts: PARTS.filter((part) => config.parts.includes(part)).map((p) => parts[p]()),
      }),
      pollEveryMs: 1000,
      connect: async () => noticeExpiry(config, context),
      reply: (reply) => sendReply({ api, chats }, reply),
      canReply: ({ answers }) => canReply(answers),
      download: (attachment, payload) => download(api, attachment, payload),
      test: () => test(config, context, api),
    };
  },
});

/** Says that the token ends before it does, since nothing comes in afterwards. */
function noticeExpiry({ token }: Config, { clock, log }: Context): void {
  const until = expiryOf(token.reveal());
  if (until === undefined || until - clock.now() > NOTICE_MS) return;
  const hint = 'Make a new one in time: Profile, Integrations, API.';
  if (until > clock.now()) return void log.warn({ until: dayOf(until), hint }, 'the token of Wildberries ends soon');
  throw new AuthExpiredError(`the token has ended on ${dayOf(until)}`, { hint });
}

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);

async function download(api: WildberriesApi, { id, name }: Attachment, { body, headers }: Payload): Promise<Readable> {
  if (headers[PART] !== 'feedback') return api.chatFile(id);
  const { photoLinks } = Feedback.parse(parseJson(body));
  const url = photoLinks.map(({ fullSize }) => fullSize).find((address) => photoName(address) === id);
  if (url === undefined) throw new PermanentError(`the review has no ${name} any more`);
  return api.photo(url);
}

const Count = z.object({ countUnanswered: z.number() });

/** One question to each part. */
async function test({ parts, token }: Config, { clock }: Context, api: WildberriesApi): Promise<string> {
  const said: string[] = [];
  for (const part of PARTS.filter((each) => parts.includes(each))) {
    if (part === 'chats') {
      await api.chats(`/api/v1/seller/events?${search({ next: clock.now() - 60_000 })}`, z.unknown());
      said.push('chats can be read');
    } else {
      const { countUnanswered } = await api.feedbacks(`/api/v1/${part}/count-unanswered`, Count);
      said.push(`${countUnanswered} ${part === 'feedbacks' ? 'reviews' : 'questions'} wait for an answer`);
    }
  }
  const until = expiryOf(token.reveal());
  return [...said, ...(until === undefined ? [] : [`the token ends on ${dayOf(until)}`])].join('; ');
}
