import { z } from 'zod';

const words = z
  .string()
  .nullish()
  .transform((value) => value?.trim() || undefined)
  .catch(undefined);
export const id = z.union([z.string().min(1).max(400), z.number().transform(String)]);
const maybeId = id.nullish().catch(undefined);
/** Seconds since the epoch. */
const moment = z
  .number()
  .positive()
  .transform((seconds) => Math.round(seconds * 1000));

/** What of a chat goes with each of its messages: what changes by itself (price, state) stays out. */
export const Chat = z.object({
  id,
  updated: moment.nullish().catch(undefined),
  last_message: z.object({ id: maybeId, type: words }).nullish().catch(undefined),
  context: z
    .object({ value: z.object({ id: maybeId, title: words, url: words }).nullish() })
    .nullish()
    .catch(undefined),
  users: z
    .array(z.object({ id, name: words }))
    .nullish()
    .catch(undefined),
});
export type Chat = z.output<typeof Chat>;

const Content = z
  .object({
    text: words,
    link: z.object({ text: words, url: words }).nullish().catch(undefined),
    item: z.object({ title: words, item_url: words }).nullish().catch(undefined),
    image: z
      .object({ sizes: z.record(z.string(), z.string()) })
      .nullish()
      .catch(undefined),
    voice: z.object({ voice_id: words }).nullish().catch(undefined),
    location: z.object({ lat: z.number(), lon: z.number(), text: words, title: words }).nullish().catch(undefined),
    call: z.object({ status: words }).nullish().catch(undefined),
    flow_id: words,
  })
  .nullish()
  .transform((content) => content ?? undefined);

/** https://developers.avito.ru/api-catalog/messenger */
export const Message = z.object({
  id,
  author_id: maybeId,
  created: moment,
  direction: z.enum(['in', 'out']),
  type: z.string(),
  content: Content,
  read: moment.nullish().catch(undefined),
  quote: z.object({ id: maybeId }).nullish().catch(undefined),
});
export type Message = z.output<typeof Message>;

/** A message as we hand it over: with what its chat says of who writes and of what. */
export const Said = z.object({
  chat: z.object({ id, name: words, item: z.object({ id: maybeId, title: words, url: words }).nullish() }),
  message: Message,
});

const Image = z.object({
  number: z.number().int(),
  sizes: z.array(z.object({ size: z.string(), url: z.string() })),
});

/** https://developers.avito.ru/api-catalog/ratings */
export const Review = z.object({
  id,
  score: z.number(),
  text: words,
  stage: words,
  createdAt: moment,
  canAnswer: z.boolean().nullish(),
  sender: z.object({ name: words }).nullish(),
  item: z.object({ id: maybeId, title: words }).nullish(),
  extraParams: z.object({ vin: words }).nullish().catch(undefined),
  images: z
    .array(Image)
    .nullish()
    .transform((all) => all ?? []),
  answer: z
    .object({
      id,
      text: z.string(),
      status: words,
      createdAt: moment,
      reject_reasons: z
        .array(z.object({ title: words }))
        .nullish()
        .catch(undefined),
    })
    .nullish(),
});
export type Review = z.output<typeof Review>;

/** The largest of the sizes that an image is kept in: `1280x960`. */
export function largestOf(sizes: readonly { readonly size: string; readonly url: string }[]): string | undefined {
  const pixels = (size: string) => size.split('x').reduce((all, side) => all * (Number(side) || 0), 1);
  return [...sizes].sort((a, b) => pixels(b.size) - pixels(a.size))[0]?.url;
}
