import type { Attachment } from '../../core/envelope.ts';
import type { File, Message } from './event.ts';
import { emojiIn, toPlain, wordsIn } from './text.ts';

export interface Content {
  readonly text: string;
  readonly links: readonly string[];
  readonly attachments: Attachment[];
}

/** What a message holds. `self`: who is addressed when we are. */
export function contentOf(message: Message, self: readonly string[]): Content {
  const { attachments: additions, blocks } = message;
  const own = toPlain(withoutMention(message.text, self), emojiIn(blocks));
  const shared = additions.filter(({ is_share }) => is_share);
  const passed = shared.map(({ author_name, text }) => [author_name, toPlain(text).text].filter(Boolean).join(': '));
  const files = [...message.files, ...shared.flatMap((addition) => addition.files)];
  const told = [own.text, ...passed, ...files.flatMap(wordsFor)].filter(Boolean).join('\n');
  const attachments = files.filter(isKept).map(toAttachment);
  const isSilent = told === '' && attachments.length === 0;
  return { text: isSilent ? wordsOfProgram(message) : told, links: own.links, attachments };
}

/** `@us my printer is broken`: that it was said to us is no part of what was said. */
function withoutMention(text: string, self: readonly string[]): string {
  const [mention, user = ''] = /^<@([A-Z0-9]{1,40})(?:\|[^<>]{0,200})?>[\s,:]*/.exec(text) ?? [];
  return mention !== undefined && self.includes(user) && mention.length < text.length
    ? text.slice(mention.length)
    : text;
}

/** Programs put their words into blocks or below the message. */
function wordsOfProgram({ blocks, attachments }: Message): string {
  const below = attachments.flatMap(({ pretext, title, text, fallback }) => {
    const words = [pretext, title, text].filter(Boolean);
    return words.length > 0 ? words : fallback;
  });
  return [wordsIn(blocks), ...below.map((words) => toPlain(words).text)].filter(Boolean).join('\n');
}

/** Files elsewhere are links; those that were deleted are nothing any more. */
function isKept({ id, mode, is_external }: File): boolean {
  return id !== '' && mode !== 'tombstone' && !is_external;
}

function wordsFor(file: File): string[] {
  if (isKept(file)) return [];
  const name = file.title ?? file.name ?? 'file';
  return [file.is_external && file.url_private ? `${name}: ${file.url_private}` : `[${name}]`];
}

/** Fetched by its id: in shared channels that is all that Slack tells. */
function toAttachment({ id, name, title, mimetype, size }: File): Attachment {
  return {
    id,
    name: (name ?? title ?? 'file').slice(0, 255),
    mediaType: mimetype ?? 'application/octet-stream',
    ...(size !== undefined && { size }),
  };
}
