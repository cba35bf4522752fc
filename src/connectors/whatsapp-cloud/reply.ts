import type { Reply } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { splitText } from '../../core/split-text.ts';
import type { Message } from '../../core/ticket.ts';
import { MAX_FILE } from './graph.ts';
import type { Graph } from './graph.ts';
import { addressOf } from './people.ts';
import type { Templates } from './templates.ts';

/** https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/text-messages */
const MAX_TEXT = 4096;
const MB = 1024 * 1024;

type File = Message['attachments'][number];
/** What a part adds to the message; called once, when its turn has come. */
type Part = () => Promise<object>;

/** Sends an answer: a template, or its text, in parts where it is too long, then its files one by one. */
export async function sendReply(
  deps: { readonly graph: Graph; readonly templates: Templates | undefined },
  reply: Reply,
): Promise<void> {
  if (reply.thread === undefined) {
    throw new PermanentError('this conversation has no WhatsApp chat', {
      hint: 'Somebody has to write on WhatsApp before he can be answered there.',
    });
  }
  const address = addressOf(reply.thread, reply.answers?.author.identifiers ?? []);
  const parts = partsOf(deps, reply);
  for (const [index, part] of parts.entries()) {
    if (index < reply.sent.length) continue;
    // Between two people it is clear what is answered; in a group it isn't.
    const answered = address.recipient_type === 'group' && index === 0 ? reply.answers?.externalId : undefined;
    const context = answered && { context: { message_id: answered } };
    const id = await deps.graph.send({ messaging_product: 'whatsapp', ...address, ...context, ...(await part()) });
    await reply.partSent(id);
  }
}

function partsOf({ graph, templates }: Parameters<typeof sendReply>[0], reply: Reply): Part[] {
  const { template, text, attachments } = reply.message;
  if (template) {
    if (!templates)
      throw new PermanentError('templates need `accountId`', { hint: 'Set the id of the WhatsApp account.' });
    return [() => templates.messageOf(template)];
  }
  const large = attachments.find(({ size }) => (size ?? 0) > MAX_FILE);
  if (large) {
    throw new PermanentError(`${large.name} has more than the ${MAX_FILE / MB} MB that WhatsApp takes`, {
      hint: 'Send a link to it instead.',
    });
  }
  const words = splitText(text, MAX_TEXT).map((body) => async () => ({ type: 'text', text: { body } }));
  const files = attachments.map((file) => async () => toFile(graph, reply, file));
  if (words.length + files.length === 0) {
    throw new PermanentError('the answer is empty: WhatsApp sends nothing without text or file');
  }
  return [...words, ...files];
}

/** What WhatsApp shows and plays itself, up to which size; anything else is a document. */
const SHOWN: readonly (readonly [kind: string, types: RegExp, max: number])[] = [
  ['image', /^image\/(jpeg|png)$/, 5 * MB],
  ['video', /^video\/(mp4|3gpp)$/, 16 * MB],
  ['audio', /^audio\/(aac|amr|mpeg|mp4|ogg)$/, 16 * MB],
];

async function toFile(graph: Graph, reply: Reply, { id, name, mediaType, size }: File): Promise<object> {
  // Without its parameters; it is written into the upload.
  const type = /^[\w.+-]+\/[\w.+-]+/.exec(mediaType.toLowerCase())?.[0] ?? 'application/octet-stream';
  const shown = SHOWN.find(([, types, max]) => types.test(type) && (size ?? 0) <= max);
  const kind = shown?.[0] ?? 'document';
  const chunks: Buffer[] = [];
  for await (const chunk of (await reply.open(id)) as AsyncIterable<Buffer>) chunks.push(chunk);
  const media = { id: await graph.upload({ name, mediaType: type, bytes: Buffer.concat(chunks) }) };
  return { type: kind, [kind]: kind === 'document' ? { ...media, filename: name } : media };
}
