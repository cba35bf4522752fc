import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Reply } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { splitText } from '../../core/split-text.ts';
import { commentOf, isGroupChat, messageOf, nameOf, numberIn, readThread } from './address.ts';
import type { Spot, Surface } from './address.ts';
import { refusalOf } from './api.ts';
import type { Call, Parameters } from './api.ts';
import { refuseLarge, uploadFile } from './upload.ts';
import type { File, Uploading } from './upload.ts';

/** What VK's own clients send at once; the API takes 9,000. */
const MAX_TEXT = 4096;
/** https://dev.vk.com/ru/method/messages.send */
const MAX_FILES = 10;

export interface Answering extends Uploading {
  readonly group: string;
  readonly mark: string;
  /** For what VK lets only people do. */
  readonly callAsUser: Call | undefined;
}

/** Sends an answer: in the customer's chat, or below his comment. */
export async function sendReply(deps: Answering, reply: Reply): Promise<void> {
  const conversation = reply.thread === undefined ? undefined : readThread(reply.thread);
  if (!conversation) {
    throw new PermanentError('this conversation has no chat in VK', {
      hint: 'A community may only write to people who wrote to it first.',
    });
  }
  if ('peer' in conversation) return sendMessages(deps, reply, conversation.peer);
  return sendComments(deps, reply, conversation.spot);
}

interface Part {
  readonly text: string;
  readonly files: readonly File[];
}

/** Texts, the files with the last one, ten with each. */
function partsOf({ message }: Reply): Part[] {
  const texts = splitText(message.text, MAX_TEXT);
  const { attachments } = message;
  refuseLarge(attachments);
  const last = { text: texts.at(-1) ?? '', files: attachments.slice(0, MAX_FILES) };
  const parts: Part[] = [...texts.slice(0, -1).map((text) => ({ text, files: [] })), last];
  for (let from = MAX_FILES; from < attachments.length; from += MAX_FILES) {
    parts.push({ text: '', files: attachments.slice(from, from + MAX_FILES) });
  }
  return parts.filter(({ text, files }) => text !== '' || files.length > 0);
}

const id = z.union([z.number(), z.string()]).transform(String);
const Sent = z.tuple([
  z.union([
    z.object({ error: z.object({ code: z.number(), description: z.string().catch('') }) }),
    z.object({ conversation_message_id: id }),
  ]),
]);

async function sendMessages(deps: Answering, reply: Reply, peer: string): Promise<void> {
  const parts = partsOf(reply);
  if (parts.length === 0) throw new PermanentError('the answer is empty: VK sends nothing without text or file');
  for (const [index, { text, files }] of parts.entries()) {
    if (index < reply.sent.length) continue;
    const attachments: string[] = [];
    for (const file of files) attachments.push(await uploadFile(deps, reply, file, peer));
    const number = await sendMessage(deps.call, {
      // Asked so, VK says under which number the message stands in the conversation.
      peer_ids: peer,
      random_id: numberOf(`${reply.id} ${index}`),
      message: text || undefined,
      attachment: attachments.join(',') || undefined,
      payload: deps.mark,
      ...(index === 0 && quoting(reply, peer)),
    });
    await reply.partSent(messageOf(peer, number));
  }
}

async function sendMessage(call: Call, message: Parameters): Promise<string> {
  const [sent] = await call('messages.send', message, Sent);
  if ('error' in sent) throw refusalOf('messages.send', sent.error.code, sent.error.description);
  return sent.conversation_message_id;
}

/** Between two people it is clear what is answered; in a chat of several it isn't. */
function quoting({ answers }: Reply, peer: string): Parameters {
  const number = isGroupChat(peer) ? numberIn(peer, answers?.externalId) : undefined;
  if (number === undefined) return {};
  const forward = { peer_id: Number(peer), conversation_message_ids: [Number(number)], is_reply: true };
  return { forward: JSON.stringify(forward) };
}

/** VK's key against doubles: 32 bits with a sign, and 0 is none. The same for every try of a part. */
function numberOf(part: string): number {
  return 1 + (createHash('sha256').update(part).digest().readUInt32BE(0) % 0x7fffffff);
}

interface Method {
  readonly name: string;
  readonly spot: (spot: Spot) => Parameters;
  readonly maxText: number;
  /** VK lets communities do it themselves. */
  readonly asGroup?: true;
}

/** How comments are answered: https://dev.vk.com/ru/method */
const METHODS: Readonly<Record<Surface, Method>> = {
  wall: {
    name: 'wall.createComment',
    spot: ({ owner, item }) => ({ owner_id: owner, post_id: item }),
    maxText: MAX_TEXT,
    asGroup: true,
  },
  photo: {
    name: 'photos.createComment',
    spot: ({ owner, item }) => ({ owner_id: owner, photo_id: item }),
    maxText: 2048,
  },
  video: {
    name: 'video.createComment',
    spot: ({ owner, item }) => ({ owner_id: owner, video_id: item }),
    maxText: MAX_TEXT,
  },
  market: {
    name: 'market.createComment',
    spot: ({ owner, item }) => ({ owner_id: owner, item_id: item }),
    maxText: 2048,
  },
  topic: {
    name: 'board.createComment',
    spot: ({ owner, item }) => ({ group_id: owner.replace('-', ''), topic_id: item }),
    maxText: MAX_TEXT,
  },
};

const Created = z.union([id, z.object({ comment_id: id }).transform(({ comment_id }) => comment_id)]);

async function sendComments(deps: Answering, reply: Reply, spot: Spot): Promise<void> {
  const method = METHODS[spot.on];
  const call = method.asGroup ? deps.call : deps.callAsUser;
  if (!call) {
    throw new PermanentError(`VK lets no community answer below a ${spot.on} with its own access key`, {
      hint: 'Set userToken, the access key of an administrator, or answer in VK itself.',
    });
  }
  if (reply.message.attachments.length > 0) {
    throw new PermanentError('answers to comments carry no files', { hint: 'Put a link into the text instead.' });
  }
  const texts = splitText(reply.message.text, method.maxText);
  if (texts.length === 0) throw new PermanentError('the answer is empty: VK takes no comment without text');
  const answered = spot.on === 'topic' ? undefined : numberIn(nameOf(spot), reply.answers?.externalId);
  for (const [index, message] of texts.entries()) {
    if (index < reply.sent.length) continue;
    const from = method.asGroup ? deps.group : 1;
    const asked = { ...method.spot(spot), from_group: from, message, guid: `${reply.id}-${index}` };
    const number = await call(method.name, { ...asked, reply_to_comment: answered }, Created);
    await reply.partSent(commentOf(spot, number));
  }
}
