import { z } from 'zod';

const words = z
  .string()
  .nullish()
  .transform((value) => value?.trim() || undefined)
  .catch(undefined);
export const id = z.union([z.string().min(1).max(200), z.number().transform(String)]);
const maybeId = id.nullish().catch(undefined);
const moment = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));
const links = z
  .array(z.string())
  .nullish()
  .transform((all) => all ?? []);
const author = z.object({ type: words, name: words }).nullish().catch(undefined);

/** https://yandex.ru/dev/market/partner-api/doc/ru/reference/goods-feedback/getGoodsFeedbacks */
export const Feedback = z.object({
  feedbackId: id,
  createdAt: moment,
  needReaction: z.boolean().catch(false),
  identifiers: z.object({ orderId: maybeId, offerId: words }).nullish(),
  author: words,
  description: z.object({ advantages: words, disadvantages: words, comment: words }).nullish(),
  media: z.object({ photos: links, videos: links }).nullish(),
  statistics: z.object({
    rating: z.number(),
    commentsCount: z.number().catch(0),
    recommended: z.boolean().nullish().catch(undefined),
  }),
});
export type Feedback = z.output<typeof Feedback>;

/** Comments below reviews; it says of none when it was written. */
export const Comment = z.object({
  id,
  text: z.string(),
  status: words,
  author,
  parentId: maybeId,
});
export type Comment = z.output<typeof Comment>;
export const Commented = z.object({ feedback: Feedback, comments: z.array(Comment) });

/** https://yandex.ru/dev/market/partner-api/doc/ru/reference/goods-questions/getGoodsQuestions */
export const Question = z.object({
  questionIdentifiers: z.object({ id, offerId: words }),
  text: z.string(),
  createdAt: moment,
  author,
});
export type Question = z.output<typeof Question>;
export const Answer = z.object({
  id,
  text: z.string(),
  status: words,
  author,
  createdAt: moment.nullish().catch(undefined),
});
export type Answer = z.output<typeof Answer>;
export const Asked = z.object({ question: Question, answers: z.array(Answer).default([]) });

/** https://yandex.ru/dev/market/partner-api/doc/ru/reference/chats/getChats */
export const Chat = z.object({
  chatId: id,
  updatedAt: moment.nullish().catch(undefined),
  context: z.object({ orderId: maybeId, returnId: maybeId }).nullish().catch(undefined),
});
export type Chat = z.output<typeof Chat>;
export const Message = z.object({
  messageId: id,
  createdAt: moment,
  sender: z.string(),
  message: words,
  payload: z
    .array(z.object({ name: z.string(), url: z.string(), size: z.number().int().min(0).catch(0) }))
    .nullish()
    .transform((all) => all ?? []),
});
export type Message = z.output<typeof Message>;
export const Said = z.object({ chat: Chat.pick({ chatId: true, context: true }), message: Message });

export const Paging = z
  .object({ nextPageToken: words })
  .nullish()
  .transform((paging) => paging?.nextPageToken);
