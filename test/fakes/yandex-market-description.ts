import { readDescription } from './openapi.ts';
import type { Description } from './openapi.ts';

/**
 * What Yandex Market says of the calls that we make, written down by us:
 * https://yandex.ru/dev/market/partner-api/doc/ru/reference/goods-feedback, /goods-questions and /chats.
 */

const integer = { type: 'integer' };
const text = { type: 'string' };
const time = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT' };
const day = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\d$' };
const bool = { type: 'boolean' };
const of = (properties: object, required: readonly string[] = Object.keys(properties)) => ({
  type: 'object',
  properties,
  required,
});
const list = (items: object) => ({ type: 'array', items });
const orNull = (schema: object) => ({ ...schema, nullable: true });
const ids = { ...list(integer), minItems: 1, maxItems: 50 };
const words = (maxLength: number) => ({ type: 'string', minLength: 1, maxLength });
const inQuery = (name: string, schema: object, required = false) => ({ name, in: 'query', required, schema });
const json = (schema: object) => ({ content: { 'application/json': { schema } } });
const paging = of({ nextPageToken: text }, []);
const status = { enum: ['PUBLISHED', 'UNMODERATED', 'BANNED', 'DELETED'] };
const author = of({ type: { enum: ['USER', 'BUSINESS'] }, name: text }, []);

const cabinet = { name: 'businessId', in: 'path', required: true, schema: { type: 'integer', minimum: 1 } };
const key = { name: 'Api-Key', in: 'header', required: true, schema: text };
// Editions of the documentation name it one way or the other.
const pages = (maximum: number) => [
  inQuery('limit', { type: 'integer', minimum: 1, maximum }),
  inQuery('page_token', text),
  inQuery('pageToken', text),
];
const chatId = inQuery('chatId', { type: 'integer', minimum: 1 }, true);

const feedback = of(
  {
    ...{ feedbackId: integer, createdAt: time, needReaction: bool, author: text },
    identifiers: of({ orderId: integer, offerId: text, modelId: integer }, []),
    description: of({ advantages: text, disadvantages: text, comment: text }, []),
    media: of({ photos: orNull(list(text)), videos: orNull(list(text)) }, []),
    statistics: of({ rating: integer, commentsCount: integer, recommended: bool, paidAmount: integer }, [
      'rating',
      'commentsCount',
    ]),
  },
  ['feedbackId', 'createdAt', 'needReaction', 'identifiers', 'statistics'],
);
const comment = of({ id: integer, text, canModify: bool, parentId: integer, author, status, feedbackId: integer }, [
  'id',
  'text',
  'status',
  'feedbackId',
]);
const votes = of({ likes: integer, dislikes: integer }, []);
const question = of({
  questionIdentifiers: of({ id: integer, categoryId: integer, offerId: text }, ['id', 'offerId']),
  ...{ businessId: integer, text, createdAt: time, votes, author },
});
const answer = of(
  {
    id: integer,
    text,
    canModify: bool,
    author,
    status,
    questionId: integer,
    createdAt: time,
    votes,
    comments: list({}),
  },
  ['id', 'text', 'author', 'status', 'questionId', 'createdAt'],
);
const context = of({ type: { enum: ['ORDER', 'RETURN', 'DIRECT'] }, orderId: integer, returnId: integer }, ['type']);
const chat = of({ chatId: integer, context, createdAt: time, updatedAt: time, status: text, type: text });
const message = of(
  {
    ...{ messageId: integer, createdAt: time, message: text },
    sender: { enum: ['PARTNER', 'CUSTOMER', 'MARKET', 'SUPPORT'] },
    payload: list(of({ name: text, url: text, size: integer })),
  },
  ['messageId', 'createdAt', 'sender'],
);

function operation(parameters: readonly object[], body: object, result?: object) {
  const requestBody = 'content' in body ? body : json(body);
  const answered = of({ status: { enum: ['OK'] }, ...(result && { result }) });
  return { post: { parameters: [cabinet, key, ...parameters], requestBody, responses: { 200: json(answered) } } };
}
const entity = of({ id: integer, type: { enum: ['QUESTION', 'ANSWER', 'COMMENT'] } });

const root = {
  openapi: '3.0.3',
  info: { title: 'Yandex Market, as written down by us', version: '1' },
  paths: {
    '/v2/businesses/{businessId}/goods-feedback': operation(
      pages(50),
      of(
        {
          ...{ feedbackIds: ids, dateTimeFrom: time, dateTimeTo: time },
          reactionStatus: { enum: ['ALL', 'NEED_REACTION'] },
        },
        [],
      ),
      of({ feedbacks: list(feedback), paging }, ['feedbacks']),
    ),
    '/v2/businesses/{businessId}/goods-feedback/comments': operation(
      pages(50),
      of({ feedbackId: integer, commentIds: ids }, []),
      of({ comments: list(comment), paging }, ['comments']),
    ),
    '/v2/businesses/{businessId}/goods-feedback/comments/update': operation(
      [],
      of({ feedbackId: integer, comment: of({ id: integer, parentId: integer, text: words(4096) }, ['text']) }),
      comment,
    ),
    '/v1/businesses/{businessId}/goods-questions': operation(
      pages(50),
      of(
        {
          ...{ questionIds: ids, dateFrom: day, dateTo: day, needAnswer: bool },
          sort: { enum: ['CREATED_AT_ASC', 'CREATED_AT_DESC'] },
        },
        [],
      ),
      of({ questions: list(question), paging, totalCount: integer }, ['questions', 'totalCount']),
    ),
    '/v1/businesses/{businessId}/goods-questions/answers': operation(
      pages(50),
      of({ questionId: integer }),
      of({ answers: list(answer), paging }, ['answers']),
    ),
    '/v1/businesses/{businessId}/goods-questions/update': operation(
      [],
      of(
        {
          operationType: { enum: ['CREATE', 'UPDATE', 'DELETE'] },
          entityId: entity,
          parentEntityId: entity,
          text: words(5000),
        },
        ['operationType'],
      ),
      of({ entity }),
    ),
    '/v2/businesses/{businessId}/chats': operation(
      pages(20),
      of({ types: list({ enum: ['CHAT', 'ARBITRAGE'] }), statuses: list(text) }, []),
      of({ chats: list(chat), paging }, ['chats']),
    ),
    '/v2/businesses/{businessId}/chats/history': operation(
      [...pages(50), chatId],
      of({ messageIdFrom: integer }, []),
      of({ context, messages: list(message), paging }, ['context', 'messages']),
    ),
    '/v2/businesses/{businessId}/chats/message': operation([chatId], of({ message: words(4096) })),
    '/v2/businesses/{businessId}/chats/file/send': operation([chatId], {
      content: { 'multipart/form-data': { schema: of({ file: text }) } },
    }),
  },
};

/** As a closed world: what it doesn't name is wrong. */
export const readYandexMarket = (): Description => readDescription(root);
