import { z } from 'zod';

const words = z
  .string()
  .nullish()
  .transform((text) => text?.trim() || undefined);
const id = z.union([z.string().min(1).max(200), z.number().transform(String)]);
/** Numbers of 64 bits come as texts in one place and as numbers in another; 0 is none. */
const number = z
  .union([z.string(), z.number()])
  .nullish()
  .catch(undefined)
  .transform((value) => (value === null || value === undefined || String(value) === '0' ? undefined : String(value)));
const amount = z.coerce.number().int().min(0).catch(0);
export const moment = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));

/** What we read of Ozon's lists; the rest is left alone. https://docs.ozon.ru/api/seller/ */
export const Review = z.object({
  id,
  sku: number,
  text: words,
  published_at: moment,
  rating: z.coerce.number(),
  status: words,
  order_status: words,
  comments_amount: amount,
  photos_amount: amount,
  videos_amount: amount,
});
export type Review = z.output<typeof Review>;

export const Comment = z.object({
  review: id,
  comment: z.object({
    id,
    text: words,
    published_at: moment,
    is_owner: z.boolean().nullish(),
    is_official: z.boolean().nullish(),
    parent_comment_id: words,
  }),
});
export type Comment = z.output<typeof Comment>;

export const Question = z.object({
  id,
  sku: number,
  text: words,
  published_at: moment,
  status: words,
  author_name: words,
  product_url: words,
  question_link: words,
  answers_count: amount,
});
export type Question = z.output<typeof Question>;

export const Answer = z.object({
  question: id,
  answer: z.object({ id, text: words, published_at: moment, author_name: words }),
});
export type Answer = z.output<typeof Answer>;

export const Said = z.object({
  chat: id,
  message: z.object({
    message_id: id,
    created_at: moment,
    data: z.array(z.string()).catch([]),
    user: z.object({ id: number, type: z.string().catch('') }),
    context: z.object({ order_number: words, sku: number }).nullish().catch(undefined),
  }),
});
export type Said = z.output<typeof Said>;
