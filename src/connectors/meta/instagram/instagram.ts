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
import { fromComment, isPublic } from './comments.ts';

const FACEBOOK = 'https://graph.facebook.com';
const INSTAGRAM = 'https://graph.instagram.com';
/** Bytes: https://developers.facebook.com/documentation/business-messaging/instagram-messaging/features/send-message */
const MAX_TEXT = 1000;
const MAX_COMMENT = 2200;
const MAX_BODY = 4 * 1024 * 1024;

/** What the app is told of. */
const FIELDS =
  'messages,messaging_postbacks,messaging_seen,message_reactions,messaging_referral,comments,live_comments';

const Config = z.strictObject({
  accountId: accountId(
    'Id of the Instagram account, 17 digits that begin with 17841: in `entry[].id` of what Meta pushes',
  ),
  pageId: accountId(
    'Id of the Facebook Page that the account is linked to; leave it out with Instagram Login',
  ).optional(),
  accessToken: secret('Of the Page, or with Instagram Login that of the account, which ends after 60 days'),
  ...common,
});
type Config = z.output<typeof Config>;

export const instagram = defineConnector({
  type: 'instagram',
  title: 'Instagram',
  summary: 'Takes what people write to an Instagram account, in messages, to stories and in comments, and answers.',
  docs: 'channels/instagram.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook'],
    reply: true,
    idempotent: false,
    attachments: { in: true, out: true },
    localhost: false,
    threads: 'person',
    proven: ['16 collected payloads', 'signature vectors', 'prose'],
  },
  config: Config,
  open(config, { id, clock, http }) {
    const { accountId: account, pageId, accessToken: token, apiVersion: version, humanAgent } = config;
    const usualRoot = pageId === undefined ? INSTAGRAM : FACEBOOK;
    const node = pageId ?? account;
    const graph = createGraph({ token, apiRoot: config.apiRoot ?? usualRoot, usualRoot, version, node, http });
    const answering: Answering = {
      graph,
      node,
      humanAgent,
      now: () => clock.now(),
      split: splitBytes,
      extra: { request: {}, message: {}, upload: { platform: 'instagram' } },
    };
    return {
      webhook: {
        maxBytes: MAX_BODY,
        verify: (request) => verifyHub(config.appSecret, request),
        challenge: (request) => challengeHub(config.verifyToken, request),
      },
      normalize: ({ body, receivedAt }) =>
        toItems(parseJson(body), {
          object: 'instagram',
          idKind: `instagram:${id}`,
          account,
          changes: { comments: fromComment, live_comments: fromComment },
          receivedAt,
        }),
      // A Page's subscriptions may be those of another channel, whose fields would be replaced.
      ...(pageId === undefined && {
        connect: async (signal) => {
          await graph.post('the subscription', `${account}/subscribed_apps`, { subscribed_fields: FIELDS }, signal);
        },
      }),
      reply: (reply) => sendReply(answering, reply, config),
      canReply: ({ lastInboundAt, answers }) =>
        answers?.externalId?.startsWith(COMMENT) ? { allowed: true } : canReply(answering, lastInboundAt),
      download: (attachment, { body }) => download(graph, attachment, { payload: parseJson(body), filesOf: () => [] }),
      profile: (identifier) => profile(graph, identifier.value),
      test: () => test(graph, account),
    };
  },
});

async function sendReply(deps: Answering, reply: Reply, { pageId }: Config): Promise<void> {
  const { thread, answers, message } = reply;
  if (thread === undefined) {
    throw new PermanentError('this conversation has no chat on Instagram', {
      hint: 'Somebody has to write to the account before he can be answered there.',
    });
  }
  if (isPublic(thread)) {
    const { externalId } = answers ?? {};
    if (!externalId?.startsWith(COMMENT)) throw new PermanentError('there is no comment that this answers');
    const edge = `${encodeURIComponent(externalId.slice(COMMENT.length))}/replies`;
    return sendComments(deps.graph, reply, { edge, maxText: MAX_COMMENT });
  }
  if (pageId === undefined && message.attachments.length > 0) {
    throw new PermanentError('Instagram takes no files of accounts that are linked to no Page', {
      hint: 'Send a link instead, or set `pageId` and the token of the Page.',
    });
  }
  return sendMessages(deps, reply, thread);
}

/** Parts of at most so many bytes: of letters that have more than one, fewer go into a part. */
function splitBytes(text: string): string[] {
  const fits = (parts: readonly string[]) => parts.every((part) => Buffer.byteLength(part) <= MAX_TEXT);
  const sizes = [MAX_TEXT, MAX_TEXT / 2, Math.floor(MAX_TEXT / 3)];
  return sizes.map((size) => splitText(text, size)).find(fits) ?? [];
}

const Person = z.object({ name: z.string().nullish(), username: z.string().nullish() });

/** Instagram tells of those who have written to the account. */
async function profile(graph: Graph, igsid: string): ReturnType<NonNullable<Channel['profile']>> {
  try {
    const { name, username } = read(
      Person,
      await graph.get(`${encodeURIComponent(igsid)}?fields=name,username`),
      'the profile',
    );
    return { name: name || (username ? `@${username}` : '') };
  } catch (error) {
    // Of one person, or of all: answers go out all the same.
    if (error instanceof PermanentError || error instanceof AuthExpiredError) return undefined;
    throw error;
  }
}

const Account = z.object({ username: z.string() });

/** Whose token it is. */
async function test(graph: Graph, account: string): Promise<string> {
  const { username } = read(Account, await graph.get(`${account}?fields=username`), 'the account');
  return `@${username} answers`;
}
