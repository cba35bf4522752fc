import type { Attachment } from '../../core/envelope.ts';
import type { Content, File, Message } from './event.ts';
import { fileOf } from './files.ts';
import { toPlain, withoutMention, wordsIn } from './text.ts';

/** What a message holds. `self`: who is addressed when we are. */
export function contentOf(message: Message, self: string | undefined): { text: string; attachments: Attachment[] } {
  const passed = message.message_snapshots.map((snapshot) => snapshot.message);
  const isProgram = message.author.bot || message.webhook_id !== undefined;
  const told = [
    toPlain(withoutMention(message.content, self), message),
    ...wordsOfPoll(message.poll),
    ...stickersOf(message),
    // What people add below is what Discord shows of their links.
    ...(isProgram ? wordsOfProgram(message) : []),
    ...passed.flatMap((each) => [toPlain(each.content, each), ...stickersOf(each), ...wordsOfProgram(each)]),
  ];
  const files = [message, ...passed].flatMap(({ attachments }) => attachments);
  return {
    text: told.filter(Boolean).join('\n'),
    attachments: files.slice(0, 200).map((file) => toAttachment(message, file)),
  };
}

function stickersOf({ sticker_items }: Content): string[] {
  return sticker_items.map(({ name }) => `[sticker: ${name}]`);
}

function wordsOfPoll(poll: Message['poll']): string[] {
  if (!poll) return [];
  return [poll.question.text, ...poll.answers.map(({ poll_media }) => `- ${poll_media.text}`)];
}

/** Programs put their words into cards and components. */
function wordsOfProgram(content: Content): string[] {
  const cards = content.embeds.flatMap(({ title, description, fields }) => [
    title,
    description,
    ...fields.map(({ name, value }) => `${name}: ${value}`),
  ]);
  return [...cards, ...wordsIn(content.components)].map((words) => toPlain(words, content));
}

/** Fetched by where it stands: the address that comes along lasts for a day. */
function toAttachment({ channel_id, id }: Message, { id: file, filename, content_type, size }: File): Attachment {
  return {
    id: fileOf({ channel: channel_id, message: id, file }),
    name: (filename ?? 'file').slice(0, 255),
    mediaType: content_type ?? 'application/octet-stream',
    ...(size !== undefined && { size }),
  };
}
