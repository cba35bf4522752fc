import { z } from 'zod';
import type { Attachment } from '../../core/envelope.ts';
import type { Attached, Message } from './payload.ts';

/** A file of a message, with the address it lies at for a while. */
export interface MetaFile extends Attachment {
  readonly url: string;
}

export interface Content {
  readonly text: string;
  readonly files: readonly MetaFile[];
  readonly fields: Readonly<Record<string, string | undefined>>;
}

type Fields = Readonly<Record<string, string | undefined>>;
/** What one attachment adds: a line of text, a file, fields. */
interface Part {
  readonly line?: string;
  readonly file?: { readonly url: string; readonly name: string; readonly mediaType: string };
  readonly fields?: Fields;
}

const text = z.string().optional().catch(undefined);
const number = z.number().optional().catch(undefined);
const Element = z.object({ title: text, subtitle: text });
const elements = z.array(Element).default([]).catch([]);
/** Every key that one of the kinds has; a payload may also be text, or nothing. */
const Details = z
  .object({
    url: text,
    title: text,
    text,
    story_media_url: text,
    template_type: text,
    intro_message: text,
    elements,
    product: z.object({ elements }).optional().catch(undefined),
    coordinates: z.object({ lat: number, long: number }).optional().catch(undefined),
  })
  .catch({ elements: [] });
type Details = z.output<typeof Details>;

const KINDS: Readonly<Record<string, (attached: z.output<typeof Attached>, details: Details) => Part>> = {
  image: (_, { url }) => file(url, 'image', 'image/jpeg'),
  sticker: (_, { url }) => file(url, 'sticker', 'image/png'),
  audio: (_, { url }) => file(url, 'audio', 'audio/mp4'),
  video: (_, { url }) => file(url, 'video', 'video/mp4'),
  file: (_, { url }) => file(url, 'file', 'application/octet-stream'),
  location: ({ title, url }, { coordinates }) => {
    const { lat, long } = coordinates ?? {};
    const spot = lat === undefined || long === undefined ? '' : `${lat}, ${long}`;
    return {
      line: ['📍', title || spot].join(' ').trim(),
      fields: { latitude: lat?.toString(), longitude: long?.toString(), link: url },
    };
  },
  // A link that the customer wrote: its address stands in his words already.
  fallback: ({ title, url }) => ({ line: linkLine(title, url), fields: { link: url } }),
  template: (_, { template_type, text: words, intro_message, elements: own, product }) => {
    const shown = [...own, ...(product?.elements ?? [])].map(({ title, subtitle }) => joined(title, subtitle, ', '));
    const lines = [words, intro_message, ...shown].filter(Boolean);
    return { line: lines.join('\n') || `⚠️ ${template_type ?? 'template'}`, fields: { template: template_type } };
  },
  share: shared,
  post: shared,
  ig_post: shared,
  reel: shared,
  ig_reel: shared,
  // Meta forbids keeping what stands in a story: only its address goes along.
  story_mention: (_, { url }) => ({ line: '⚠️ story_mention', fields: { story_url: url } }),
  ig_story: (_, { story_media_url, url }) => ({ line: '⚠️ ig_story', fields: { story_url: story_media_url ?? url } }),
};

function shared({ title: name }: z.output<typeof Attached>, { title, url }: Details): Part {
  return { line: linkLine(title ?? name, url), fields: { link: url } };
}

/** What a message holds; what Meta doesn't pass on, or what is newer than this version, is named instead. */
export function contentOf({
  mid,
  text: words,
  attachments,
  quick_reply,
  reply_to,
  is_unsupported,
  referral,
}: Message): Content {
  const parts = attachments.map(partOf);
  const files = parts.flatMap(({ file: found }, index) => (found ? [{ ...found, id: `${mid}/${index}` }] : []));
  const isLinkOnly = attachments.every(({ type }) => type === 'fallback');
  const lines = words && isLinkOnly ? [words] : [words, ...parts.map(({ line }) => line)];
  const said = lines.filter(Boolean).join('\n');
  const unsupported = is_unsupported === true || (said === '' && files.length === 0);
  const story = reply_to?.story;
  return {
    text: said || (unsupported ? '⚠️ unsupported' : ''),
    files,
    fields: {
      ...referralOf(referral),
      story: story?.id,
      story_url: story?.url,
      ...joinFields(parts),
      button: quick_reply?.payload,
      ...(unsupported && { unsupported: 'yes' }),
    },
  };
}

function partOf(attached: z.output<typeof Attached>): Part {
  const { type } = attached;
  const read = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  return read?.(attached, Details.parse(attached.payload)) ?? { line: `⚠️ ${type}`, fields: { unsupported: type } };
}

/** The first one of a name: a message with several of a kind is rare. */
function joinFields(parts: readonly Part[]): Fields {
  const found = parts.flatMap(({ fields = {} }) => Object.entries(fields).filter(([, value]) => value));
  return Object.fromEntries(found.toReversed());
}

const AD = z.object({ ref: text, source: text, type: text, ad_id: z.coerce.string().optional().catch(undefined) });
const Referral = AD.extend({
  referer_uri: text,
  ads_context_data: z.object({ ad_title: text, post_id: text, photo_url: text }).optional().catch(undefined),
  product: z
    .object({ id: z.coerce.string().optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

/** Where somebody came from: a link, an ad, a product. */
export function referralOf(referral: unknown): Fields {
  const { data } = Referral.safeParse(referral);
  if (!data) return {};
  const { ref, source, ad_id, referer_uri, ads_context_data, product } = data;
  return {
    ref,
    ref_source: source,
    ref_url: referer_uri,
    ad: ad_id,
    ad_title: ads_context_data?.ad_title,
    product: product?.id,
  };
}

const TYPES: ReadonlyMap<string, string> = new Map([
  ['jpg', 'image/jpeg'],
  ['jpeg', 'image/jpeg'],
  ['png', 'image/png'],
  ['gif', 'image/gif'],
  ['webp', 'image/webp'],
  ['mp4', 'video/mp4'],
  ['mov', 'video/quicktime'],
  ['webm', 'video/webm'],
  ['aac', 'audio/aac'],
  ['m4a', 'audio/mp4'],
  ['mp3', 'audio/mpeg'],
  ['ogg', 'audio/ogg'],
  ['wav', 'audio/wav'],
  ['pdf', 'application/pdf'],
  ['txt', 'text/plain'],
  ['zip', 'application/zip'],
]);

/** The address ends in the name that the file had, or in one of Meta's own. */
function file(url: string | undefined, kind: string, mediaType: string): Part {
  if (url === undefined) return { line: `⚠️ ${kind}`, fields: { unsupported: kind } };
  const last = lastStepOf(url);
  const ending = /\.([a-z0-9]{2,5})$/i.exec(last)?.[1]?.toLowerCase() ?? '';
  const told = TYPES.get(ending);
  const name = kind === 'file' ? last || kind : ending ? `${kind}.${ending}` : kind;
  // A voice message is an mp4, too.
  const isTold = told !== undefined && !(kind === 'audio' && told.startsWith('video/'));
  return { file: { url, name: name.slice(0, 255), mediaType: isTold ? told : mediaType } };
}

function lastStepOf(url: string): string {
  const path = URL.canParse(url) ? new URL(url).pathname : '';
  const last = path.slice(path.lastIndexOf('/') + 1);
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

/** A file that came with a comment, by its address alone. */
export function fileAt(url: string, kind: 'image' | 'video', id: string): MetaFile {
  const { file: found } = file(url, kind, kind === 'image' ? 'image/jpeg' : 'video/mp4');
  return { url, name: found?.name ?? kind, mediaType: found?.mediaType ?? '', id };
}

function linkLine(title: string | undefined, url: string | undefined): string {
  return `🔗 ${joined(title, url, ' ')}`.trim();
}

function joined(one: string | undefined, other: string | undefined, between: string): string {
  return [one, other].filter(Boolean).join(between);
}
