import { z } from 'zod';
import type { Context } from '../../core/connector.ts';
import type { Delivery } from '../../core/destination.ts';
import { markOf } from '../../core/mark.ts';
import type { Message } from '../../core/ticket.ts';
import { toPlainText } from '../../core/words.ts';
import { Id } from './api.ts';
import type { Config } from './config.ts';

/** Comments in the timeline: https://apidocs.bitrix24.com/api-reference/crm/timeline/comments/ */

/** How much a comment holds isn't documented; a bracket that is made harmless takes three bytes more. */
const COMMENT_BYTES = 24_000;

/** What stands at the end of each comment of ours: which delivery it was, so that it is found, and never taken for an agent's. */
const MARK = 'tributary:';
const OURS = /^tributary:msg_[\w-]{1,60}\.-?\d{1,16}(?:\.failed|\.deleted)?$/;

const File = z.object({
  id: Id,
  name: z.string(),
  size: z.coerce.number().int().min(0).nullish().catch(undefined),
  urlDownload: z.string().nullish(),
});

export const Comment = z.object({
  ID: Id,
  CREATED: z.string(),
  AUTHOR_ID: Id.nullish(),
  COMMENT: z
    .string()
    .nullish()
    .transform((text) => text ?? ''),
  /** A map by id, and a list where there are none. */
  FILES: z
    .union([z.record(z.string(), File), z.array(File)])
    .nullish()
    .transform((files) => Object.values(files ?? {}).map(toFile)),
});
export type Comment = z.output<typeof Comment>;

/** The addresses that come with it are good only for who is signed in, or for a while: the number in them is the file's. */
function toFile({ id, name, size, urlDownload }: z.output<typeof File>) {
  const number = /\/downloadFile\/(\d{1,20})\//.exec(urlDownload?.slice(0, 2000) ?? '')?.[1];
  return { id: number ?? id, name, ...(size != null && { size }) };
}

/** The mark that a comment of ours ends with. One that a colleague quotes at the end of his own words is none. */
export function markIn(
  { author, text }: { readonly author: string | null | undefined; readonly text: string },
  { userId }: Pick<Config, 'userId'>,
): string | undefined {
  if (author !== String(userId)) return undefined;
  const plain = text.trim();
  const last = plain.slice(plain.search(/\S{1,100}$/));
  return OURS.test(last) ? last : undefined;
}

/** The last line of a comment of ours. */
export function signatureOf(message: Message): string {
  return `${MARK}${markOf(message)}`;
}

export function toComment(
  { publicUrl }: Pick<Context, 'publicUrl'>,
  delivery: Delivery,
  unsent: ReadonlyMap<string, string>,
): string {
  const text = toPlainText(delivery, { publicUrl, max: COMMENT_BYTES, unsent });
  return `${withoutTags(text)}\n\n${signatureOf(delivery.message)}`;
}

/** What somebody wrote makes no link of its own there, and mentions no colleague: a tag with a space of no width is none. */
function withoutTags(text: string): string {
  return text.replaceAll(/\[(?=[a-z/*])/gi, '[\u200b');
}

const LINE_TAGS: ReadonlySet<string> = new Set(['br', '/p', '/list', '/quote', '/code', '/tr', '/table', '/left']);
const TAGS: ReadonlySet<string> = new Set(
  'b i u s p url user img list quote code color size font left center right justify table tr td th disk video spoiler br project department chat call attach icon'.split(
    ' ',
  ),
);

/** Whether they come isn't documented. */
const ENTITIES: Readonly<Record<string, string>> = { '&gt;': '>', '&lt;': '<', '&quot;': '"', '&amp;': '&' };

/** What an agent wrote, as text: https://apidocs.bitrix24.com/api-reference/chats/messages/ has the tags of its editor. */
export function toText(comment: string): string {
  return comment
    .replaceAll(/\[url=([^\]\s]{1,2000})\]([^[]{0,2000})\[\/url\]/gi, (_all, url: string, text: string) =>
      text.trim() === '' || text === url ? url : `${text} (${url})`,
    )
    .replaceAll('[*]', '- ')
    .replaceAll(/\[(\/?[a-z]{1,20})(?:[= ][^\]\n]{0,500})?\]/gi, (all, name: string) => {
      const tag = name.toLowerCase();
      if (!TAGS.has(tag.replace('/', ''))) return all;
      return LINE_TAGS.has(tag) ? '\n' : '';
    })
    .replaceAll(/&(?:gt|lt|quot|amp);/g, (entity) => ENTITIES[entity] ?? entity)
    .replaceAll(/[\u200b\r]/g, '')
    .trim();
}

/** What of a comment goes to the customer, if it was written for him; otherwise it is a note. */
export function answerIn(text: string, mark: string): string | undefined {
  if (text.slice(0, mark.length).toLowerCase() !== mark.toLowerCase()) return undefined;
  const rest = text.slice(mark.length);
  // A mark that is a word isn't the beginning of another one.
  return /[\p{L}\p{N}]$/u.test(mark) && /^[\p{L}\p{N}]/u.test(rest) ? undefined : rest.trim();
}
