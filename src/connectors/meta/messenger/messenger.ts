import { z } from 'zod';
import { defineConnector } from '../../../core/connector.ts';
import type { Channel, Reply } from '../../../core/connector.ts';
import { AuthExpiredError, PermanentError } from '../../../core/errors.ts';
import { challengeHub, verifyHub } from '../../../core/hub.ts';
import { parseJson } from '../../../core/json.ts';
import { secret } from '../../../core/secret.ts';
import { splitText } from '../../../core/split-text.ts';
import { createGraph, read } from '../graph.ts';
import type { Graph } from '../graph.ts';
import { toItems } from '../items.ts';
import { download } from '../media.ts';
import { COMMENT } from '../payload.ts';
import { sendComments, sendMessages } from '../reply.ts';
import type { Answering } from '../reply.ts';
import { accountId, common } from '../settings.ts';
import { canReply } from '../window.ts';
import { filesInFeed, fromFeed, POST, postOf } from './comments.ts';

const FACEBOOK = 'https://graph.facebook.com';
/** https://developers.facebook.com/docs/messenger-platform/reference/send-api */
const MAX_TEXT = 2000;
/** What Facebook takes of a comment. */
const MAX_COMMENT = 8000;
/** Meta sends up to a thousand events at once. */
const MAX_BODY = 4 * 1024 * 1024;

/** What the Page's app is told of. */
const FIELDS: readonly string[] = [
  'messages',
  'message_echoes',
  'message_edits',
  'message_reactions',
  'message_deliveries',
  'message_reads',
  'messaging_postbacks',
  'messaging_referrals',
  'standby',
];

const Config = z.strictObject({
  pageId: accountId('Id of the Page: its page About, Page transparency'),
  pageAccessToken: secret('Of the Page, with pages_messaging and pages_manage_metadata; it does not end by itself'),
  ...common,
  comments: z.boolean().default(false).meta({
    description:
      'Take comments on the Page and posts to it as well; needs pages_read_user_content and pages_manage_engagement',
  }),
});
type Config = z.output<typeof Config>;

export const messenger = defineConnector({
  type: 'messenger',
  title: 'Facebook Messenger',
  summary: 'Takes what people write to a Facebook Page, in Messenger and in comments, and answers.',
  docs: 'channels/messenger.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook'],
    reply: true,
    idempotent: false,
    attachments: { in: true, out: true },
    localhost: false,
    threads: 'person',
    proven: ['144 collected payloads', 'signature vectors', 'prose'],
  },
  config: Config,
  open(config, context) {
    const { id, clock, http } = context;
    const { pageId, pageAccessToken: token, apiRoot = FACEBOOK, apiVersion: version, humanAgent } = config;
    const graph = createGraph({ token, apiRoot, usualRoot: FACEBOOK, version, node: pageId, http });
    const mark = context.key('answers').toString('hex', 0, 16);
    const answering: Answering = {
      graph,
      node: pageId,
      humanAgent,
      now: () => clock.now(),
      split: (text) => splitText(text, MAX_TEXT),
      extra: { request: { messaging_type: 'RESPONSE' }, message: { metadata: mark }, upload: {} },
    };
    return {
      webhook: {
        maxBytes: MAX_BODY,
        verify: (request) => verifyHub(config.appSecret, request),
        challenge: (request) => challengeHub(config.verifyToken, request),
      },
      normalize: ({ body, receivedAt }) =>
        toItems(parseJson(body), {
          object: 'page',
          idKind: `messenger:${id}`,
          account: pageId,
          changes: { feed: fromFeed },
          receivedAt,
          mark,
        }),
      connect: async (signal) => {
        const fields = [...FIELDS, ...(config.comments ? ['feed'] : [])].join(',');
        await graph.post('the subscription', `${pageId}/subscribed_apps`, { subscribed_fields: fields }, signal);
      },
      reply: (reply) => sendReply(answering, reply),
      canReply: ({ lastInboundAt, answers }) =>
        isPublic(answers?.externalId) ? { allowed: true } : canReply(answering, lastInboundAt),
      download: (attachment, { body }) =>
        download(graph, attachment, { payload: parseJson(body), filesOf: filesInFeed }),
      profile: (identifier) => profile(graph, identifier.value),
      test: () => test(graph, config),
    };
  },
});

function isPublic(externalId: string | null | undefined): boolean {
  return externalId?.startsWith(COMMENT) === true || externalId?.startsWith(POST) === true;
}

async function sendReply(deps: Answering, reply: Reply): Promise<void> {
  if (reply.thread === undefined) {
    throw new PermanentError('this conversation has no chat in Messenger', {
      hint: 'Somebody has to write to the Page before he can be answered there.',
    });
  }
  const post = postOf(reply.thread);
  if (post === undefined) return sendMessages(deps, reply, reply.thread);
  const { externalId } = reply.answers ?? {};
  const answered = externalId?.startsWith(COMMENT) ? externalId.slice(COMMENT.length) : post;
  return sendComments(deps.graph, reply, { edge: `${encodeURIComponent(answered)}/comments`, maxText: MAX_COMMENT });
}

const Person = z.object({ first_name: z.string().optional(), last_name: z.string().optional() });

/** Facebook tells of those who have written in Messenger, to apps that may ask. */
async function profile(graph: Graph, psid: string): ReturnType<NonNullable<Channel['profile']>> {
  try {
    const person = read(
      Person,
      await graph.get(`${encodeURIComponent(psid)}?fields=first_name,last_name`),
      'the profile',
    );
    return { name: [person.first_name, person.last_name].filter(Boolean).join(' ') };
  } catch (error) {
    // Of one person, or of all: answers go out all the same.
    if (error instanceof PermanentError || error instanceof AuthExpiredError) return undefined;
    throw error;
  }
}

const Page = z.object({ name: z.string() });
const Subscribed = z.object({
  data: z.array(z.object({ subscribed_fields: z.array(z.string()).default([]) })),
});

/** Whose token it is, and whether the app is told of what is written to the Page. */
async function test(graph: Graph, { pageId, comments }: Config): Promise<string> {
  const { name } = read(Page, await graph.get(`${pageId}?fields=name`), 'the Page');
  const { data } = read(Subscribed, await graph.get(`${pageId}/subscribed_apps`), 'the subscriptions');
  const told = data.flatMap(({ subscribed_fields }) => subscribed_fields);
  const missing = ['messages', ...(comments ? ['feed'] : [])].filter((field) => !told.includes(field));
  if (missing.length === 0) return `${name} answers`;
  throw new PermanentError(`${name} answers, but no app is told of its ${missing.join(' and ')}`, {
    hint: 'Restart the gateway: it subscribes the app when it opens the channel.',
  });
}
