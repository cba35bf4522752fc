import { z } from 'zod';

const words = z
  .string()
  .nullish()
  .transform((value) => value?.trim() || undefined);
const number = z
  .union([z.number(), z.string()])
  .nullish()
  .transform((value) => (value === null || value === undefined || value === 0 ? undefined : String(value)));
const id = z.union([z.string().min(1).max(200), z.number().transform(String)]);
export const moment = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));

/** What of it we read; the rest is left alone. https://dev.wildberries.ru/openapi/user-communication */
const Product = z
  .object({
    nmId: number,
    productName: words,
    supplierArticle: words,
    supplierName: words,
    brandName: words,
    size: words,
  })
  .catch({
    nmId: undefined,
    productName: undefined,
    supplierArticle: undefined,
    supplierName: undefined,
    brandName: undefined,
    size: undefined,
  });
export type Product = z.output<typeof Product>;

const Answer = z
  .object({
    text: z.string(),
    state: words,
    editable: z.boolean().nullish(),
    createDate: moment.nullish().catch(undefined),
  })
  .nullish();

export const Feedback = z.object({
  id,
  text: words,
  pros: words,
  cons: words,
  productValuation: z.number(),
  createdDate: moment,
  answer: Answer,
  productDetails: Product,
  photoLinks: z
    .array(z.object({ fullSize: z.string() }))
    .nullish()
    .transform((all) => all ?? []),
  video: z.object({ link: words }).nullish(),
  userName: words,
  matchingSize: words,
  bables: z.array(z.string()).nullish(),
  lastOrderShkId: number,
  lastOrderCreatedAt: words,
  color: words,
  parentFeedbackId: words,
});
export type Feedback = z.output<typeof Feedback>;

export const Question = z.object({
  id,
  text: z.string(),
  createdDate: moment,
  answer: Answer,
  productDetails: Product,
});
export type Question = z.output<typeof Question>;

const Card = z.object({ date: words, nmID: number, price: number, priceCurrency: words, rid: words, size: words });
const File = z.object({ downloadID: words, name: words, contentType: words, url: words, size: z.number().nullish() });

export const Event = z.object({
  chatID: id,
  eventID: id,
  eventType: z.string(),
  message: z
    .object({
      text: z
        .string()
        .nullish()
        .transform((text) => text ?? ''),
      attachments: z
        .object({ goodCard: Card.nullish(), files: z.array(File).nullish(), images: z.array(File).nullish() })
        .nullish(),
    })
    .nullish(),
  source: words,
  addTimestamp: z.number(),
  sender: z.string(),
  clientID: number,
  clientName: words,
});
export type Event = z.output<typeof Event>;
