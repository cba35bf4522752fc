import type { Reply } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { splitText } from '../../core/split-text.ts';
import type { Message } from '../../core/ticket.ts';
import type { TeamsApi } from './api.ts';
import { externalIdOf } from './items.ts';

/**
 * UTF-16 units of one message: half of the smallest limit that Microsoft has written down (40 KB, as UTF-16).
 * https://learn.microsoft.com/microsoftteams/platform/bots/how-to/format-your-bot-messages
 */
const MAX_TEXT = 10_000;
/** What is shown inside a message; every other file would have to be asked for leave and put into OneDrive. */
const PICTURES: readonly string[] = ['image/png', 'image/jpeg', 'image/gif'];
const MAX_PICTURE = 1024 * 1024;

type File = Message['attachments'][number];
/** What a part adds to the message; called once, when its turn has come. */
type Part = () => object | Promise<object>;

/** Sends an answer: its text, in parts where it is too long, then its pictures one by one. */
export async function sendReply(deps: { readonly api: TeamsApi; readonly appId: string }, reply: Reply): Promise<void> {
  const { thread: chat, answers } = reply;
  if (chat === undefined) {
    throw new PermanentError('this conversation has no chat in Teams', {
      hint: 'Somebody has to write to the bot before he can be answered there.',
    });
  }
  const frame = { type: 'message', from: { id: `28:${deps.appId}` }, conversation: { id: chat } };
  for (const [index, part] of partsOf(reply).entries()) {
    if (index < reply.sent.length) continue;
    const id = await deps.api.send(chat, answers?.fields['service_url'], { ...frame, ...(await part()) });
    // It is out, whatever it is called: without an id of its own it would go out again.
    await reply.partSent(id === undefined ? `${reply.id}:${index}` : externalIdOf(chat, id));
  }
}

function partsOf(reply: Reply): Part[] {
  const { text, attachments } = reply.message;
  for (const { name, mediaType, size } of attachments) {
    if (PICTURES.includes(mediaType) && (size ?? 0) <= MAX_PICTURE) continue;
    throw new PermanentError(`${name} can't be sent: bots show PNG, JPEG and GIF of up to 1 MB in Teams`, {
      hint: 'Put a link to it into the text.',
    });
  }
  const words = splitText(text, MAX_TEXT).map((piece) => () => ({ textFormat: 'plain', text: piece }));
  const pictures = attachments.map((file) => () => toPicture(reply, file));
  if (words.length + pictures.length === 0) {
    throw new PermanentError('the answer is empty: Teams sends nothing without text or picture');
  }
  return [...words, ...pictures];
}

async function toPicture(reply: Reply, { id, name, mediaType }: File): Promise<object> {
  const chunks: Buffer[] = [];
  for await (const chunk of (await reply.open(id)) as AsyncIterable<Buffer>) chunks.push(chunk);
  const contentUrl = `data:${mediaType};base64,${Buffer.concat(chunks).toString('base64')}`;
  return { attachments: [{ contentType: mediaType, contentUrl, name }] };
}
