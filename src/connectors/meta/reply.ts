import { z } from 'zod';
import type { Reply } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { splitText } from '../../core/split-text.ts';
import type { Message } from '../../core/ticket.ts';
import { MAX_FILE } from './graph.ts';
import type { Graph } from './graph.ts';
import { COMMENT, id } from './payload.ts';
import { needsTag } from './window.ts';
import type { Window } from './window.ts';

const MB = 1024 * 1024;
/** Pictures that are larger go as files. */
const MAX_IMAGE = 8 * MB;

export interface Answering extends Window {
  readonly graph: Graph;
  /** The account in addresses. */
  readonly node: string;
  /** A text in the parts that the platform takes. */
  readonly split: (text: string) => string[];
  /** What the platform wants besides: in each request, in each message, with each file. */
  readonly extra: { readonly request: object; readonly message: object; readonly upload: object };
}

const Sent = z.object({ message_id: id });

/** Sends an answer into a chat: its text, in parts where it is too long, then its files one by one. */
export async function sendMessages(deps: Answering, reply: Reply, recipient: string): Promise<void> {
  const { graph, node, extra } = deps;
  const { text, attachments, automatic } = reply.message;
  refuseLarge(attachments);
  const words = deps.split(text).map((part) => async () => ({ text: part }));
  const files = attachments.map((file) => async () => ({ attachment: await toAttachment(deps, reply, file) }));
  const parts = [...words, ...files];
  if (parts.length === 0) throw new PermanentError('the answer is empty: Meta sends nothing without text or file');
  // What a machine answers may not say that a person did.
  const isTagged =
    automatic === null && needsTag(deps, Date.parse(reply.answers?.occurredAt ?? reply.ticket.createdAt));
  const kind = isTagged ? { messaging_type: 'MESSAGE_TAG', tag: 'HUMAN_AGENT' } : extra.request;
  for (const [index, part] of parts.entries()) {
    if (index < reply.sent.length) continue;
    const message = { ...(await part()), ...extra.message };
    const body = { recipient: { id: recipient }, ...kind, message };
    await reply.partSent((await graph.say(`${node}/messages`, body, Sent)).message_id);
  }
}

type File = Message['attachments'][number];

function refuseLarge(files: readonly File[]): void {
  const large = files.find(({ size }) => (size ?? 0) > MAX_FILE);
  if (!large) return;
  throw new PermanentError(`${large.name} has more than the ${MAX_FILE / MB} MB that Meta takes`, {
    hint: 'Send a link to it instead.',
  });
}

/** What Meta shows and plays itself, up to which size; anything else is a file. */
const SHOWN: readonly (readonly [kind: string, types: RegExp, max: number])[] = [
  ['image', /^image\/(jpeg|png|gif)\b/, MAX_IMAGE],
  ['video', /^video\/(mp4|ogg|avi|quicktime|webm)\b/, MAX_FILE],
  ['audio', /^audio\/(aac|mp4|x-m4a|mpeg|wav)\b/, MAX_FILE],
];

async function toAttachment({ graph, extra }: Answering, reply: Reply, { id: fileId, name, mediaType, size }: File) {
  const type = SHOWN.find(([, types, max]) => types.test(mediaType.toLowerCase()) && (size ?? 0) <= max)?.[0] ?? 'file';
  const chunks: Buffer[] = [];
  for await (const chunk of (await reply.open(fileId)) as AsyncIterable<Buffer>) chunks.push(chunk);
  // Meta hands out only what may be used again.
  const message = { attachment: { type, payload: { is_reusable: true } } };
  const attachment_id = await graph.upload(
    { ...extra.upload, message },
    { name, mediaType, bytes: Buffer.concat(chunks) },
  );
  return { type, payload: { attachment_id } };
}

const Created = z.object({ id });

/** Answers a comment in public, in parts; `edge` is where the platform takes answers to it. */
export async function sendComments(
  graph: Graph,
  reply: Reply,
  { edge, maxText }: { readonly edge: string; readonly maxText: number },
): Promise<void> {
  if (reply.message.attachments.length > 0) {
    throw new PermanentError('answers to comments carry no files', { hint: 'Put a link into the text instead.' });
  }
  const parts = splitText(reply.message.text, maxText);
  if (parts.length === 0) throw new PermanentError('the answer is empty: Meta takes no comment without text');
  for (const [index, message] of parts.entries()) {
    if (index < reply.sent.length) continue;
    const { id: comment } = await graph.say(edge, { message }, Created);
    await reply.partSent(`${COMMENT}${comment}`);
  }
}
