import { z } from 'zod';
import type { Identifier, ItemInput } from '../../core/envelope.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import { mediaTypeOf } from './files.ts';
import { readSession } from './session.ts';
import type { Session } from './session.ts';

/** Most characters of a message. */
const LONGEST = 20_000;
/** Answers that one post may say something about. */
const MOST_RECEIPTS = 50;

/** Made by the visitor's page: the same one again is the same message. */
const key = z.string().regex(/^[A-Za-z0-9_-]{8,64}$/);

const File = z.object({
  name: z.string().max(1000),
  // zod's own pattern for base64 runs out of stack where a file is large.
  content: z.string().refine((text) => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text), 'is not base64'),
});

/** What a page sends. */
const Post = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('message'),
    session: z.string().max(4000),
    id: key,
    text: z.string().max(LONGEST).default(''),
    files: z.array(File).max(100).default([]),
    name: z.string().max(200).optional(),
    email: z.string().max(320).optional(),
    phone: z.string().max(50).optional(),
    language: z.string().max(35).optional(),
    /** Where he is, as far as it may be known. */
    page: z.string().max(2000).optional(),
  }),
  z.object({
    type: z.literal('receipt'),
    session: z.string().max(4000),
    state: z.enum(['delivered', 'read']),
    ids: z.array(key).min(1).max(MOST_RECEIPTS),
  }),
]);
export type Post = z.output<typeof Post>;
type Message = Extract<Post, { type: 'message' }>;

/** What a body says. Throws a ZodError or `BadPayloadError` when it isn't what our script sends. */
export function readPost(body: Buffer): Post {
  return Post.parse(parseJson(body));
}

/** Bytes of the files, in order. */
export function filesOf(post: Post): readonly Buffer[] {
  return post.type === 'message' ? post.files.map((file) => Buffer.from(file.content, 'base64')) : [];
}

/** What was posted, as items. The session was checked when it came. */
export function toItems(payload: Payload): ItemInput[] {
  const post = readPost(payload.body);
  const session = readSession(post.session);
  if (!session) throw new Error('the session is not one of ours');
  // The thread stands before each id, so nobody can name what is another's.
  const idOf = (own: string) => `${session.thread}/${own}`;
  if (post.type === 'receipt') {
    const { state } = post;
    return post.ids.map((own) => ({
      kind: 'receipt',
      externalId: idOf(own),
      state,
      occurredAt: payload.receivedAt,
    }));
  }
  const files = filesOf(post);
  return [
    {
      kind: 'message',
      externalId: idOf(post.id),
      occurredAt: payload.receivedAt,
      sender: {
        name: session.identity?.name ?? post.name?.trim(),
        identifiers: identifiersOf(session, post, payload.endpointId),
        locale: post.language,
      },
      thread: { externalId: session.thread },
      text: post.text,
      attachments: post.files.map((file, index) => ({
        id: String(index),
        name: file.name,
        mediaType: mediaTypeOf(file.name, files[index] ?? Buffer.alloc(0)),
        size: files[index]?.length,
      })),
      fields: fieldsOf(post, payload),
    },
  ];
}

/** The session proves the visitor, the shop's signature proves what it says of him; what he types proves nothing. */
function identifiersOf({ thread, identity }: Session, post: Message, channel: string): Identifier[] {
  const of = (kind: string, value: string | undefined, trust: Identifier['trust']): Identifier[] =>
    value?.trim() ? [{ kind, value: value.trim(), trust }] : [];
  return [
    ...of(`web_chat:${channel}`, thread, 'verified'),
    ...of(`web_chat_user:${channel}`, identity?.sub, 'verified'),
    ...of('telegram', identity?.telegram, 'verified'),
    ...of('email', identity?.email, 'verified'),
    ...of('phone', identity?.phone, 'verified'),
    ...of('email', post.email, 'claimed'),
    ...of('phone', post.phone, 'claimed'),
  ];
}

function fieldsOf({ page }: Message, { remoteAddress, headers }: Payload): Record<string, string> {
  const { 'user-agent': userAgent } = headers;
  return {
    // Behind the question mark stand sessions and tokens of the site.
    ...(page && { page: page.split(/[?#]/)[0] ?? '' }),
    ...(remoteAddress && { ip: remoteAddress }),
    ...(userAgent && { userAgent: userAgent.slice(0, 500) }),
  };
}
