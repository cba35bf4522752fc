import { readDescription } from './openapi.ts';
import type { Description } from './openapi.ts';

/**
 * What Avito says of the calls that we make, written down by us: https://developers.avito.ru/api-catalog/messenger,
 * /ratings and /auth. Where it contradicts programs that are used, they are followed, and that is said.
 */

const integer = { type: 'integer' };
const text = { type: 'string' };
const of = (properties: object, required: readonly string[] = Object.keys(properties)) => ({
  type: 'object',
  properties,
  required,
});
const list = (items: object) => ({ type: 'array', items });
const orNull = (schema: object) => ({ ...schema, nullable: true });
const sizes = { type: 'object', additionalProperties: text };
const inPath = (name: string, schema: object = text) => ({ name, in: 'path', required: true, schema });
const inQuery = (name: string, schema: object, required = false) => ({ name, in: 'query', required, schema });
const bearer = { name: 'Authorization', in: 'header', required: true, schema: { type: 'string', pattern: '^Bearer ' } };
const json = (schema: object) => ({ content: { 'application/json': { schema } } });

const user = inPath('user_id', integer);
const chat = inPath('chat_id');
const limit = inQuery('limit', { type: 'integer', minimum: 1, maximum: 100 });
const offset = inQuery('offset', { type: 'integer', minimum: 0, maximum: 1000 });

const content = of(
  {
    call: orNull(of({ status: text, target_user_id: integer }, [])),
    flow_id: orNull(text),
    image: orNull(of({ sizes })),
    item: orNull(of({ image_url: text, item_url: text, price_string: orNull(text), title: text }, [])),
    link: orNull(of({ preview: orNull({ type: 'object' }), text, url: text }, [])),
    location: orNull(of({ kind: text, lat: { type: 'number' }, lon: { type: 'number' }, text, title: text }, [])),
    text: orNull(text),
    voice: orNull(of({ voice_id: text })),
  },
  [],
);
const TYPES = ['text', 'image', 'link', 'item', 'location', 'call', 'deleted', 'voice', 'system'];
const message = {
  author_id: integer,
  content,
  created: integer,
  direction: { enum: ['in', 'out'] },
  id: text,
  type: { enum: [...TYPES, 'file', 'video', 'appCall'] },
};
const messages = list(
  of({ ...message, is_read: { type: 'boolean' }, read: orNull(integer), quote: of(message, []) }, Object.keys(message)),
);
const oneChat = of(
  {
    context: of({
      type: text,
      value: of(
        { ...{ id: integer, images: { type: 'object' }, price_string: text }, status_id: integer, title: text },
        ['id'],
      ),
    }),
    created: integer,
    id: text,
    last_message: of(message),
    updated: integer,
    users: list(of({ id: integer, name: text, public_user_profile: { type: 'object' } }, ['id', 'name'])),
  },
  ['id', 'created', 'updated', 'users'],
);
const review = of(
  {
    ...{ id: integer, score: integer, text, usedInScore: { type: 'boolean' }, canAnswer: { type: 'boolean' } },
    createdAt: integer,
    stage: { enum: ['done', 'fell_through', 'not_agree', 'not_communicate'] },
    extraParams: of({ vin: text }, []),
    images: list(of({ number: integer, sizes: list(of({ size: text, url: text })) })),
    item: orNull(of({ id: integer, title: text }, [])),
    sender: orNull(of({ name: text })),
    answer: orNull(
      of(
        {
          ...{ id: integer, text, createdAt: integer, status: { enum: ['moderation', 'published', 'rejected'] } },
          reject_reasons: list(of({ id: integer, title: text })),
        },
        ['id', 'text', 'status', 'createdAt'],
      ),
    ),
  },
  ['id', 'score', 'stage', 'text', 'usedInScore', 'canAnswer', 'createdAt'],
);
const ok = of({ ok: { type: 'boolean' } });
const url = json(of({ url: text }));

function operation(answer: object, more: { parameters?: readonly object[]; requestBody?: object } = {}) {
  const parameters = [bearer, ...(more.parameters ?? [])];
  return { ...more, parameters, responses: { 200: { description: 'carried out', ...json(answer) } } };
}

const root = {
  openapi: '3.0.0',
  info: { title: 'Avito, as written down by us', version: '1' },
  paths: {
    // No page describes its answer; programs read `id`.
    '/core/v1/accounts/self': { get: operation(of({ id: integer, name: text }, ['id'])) },
    '/messenger/v2/accounts/{user_id}/chats': {
      get: operation(of({ chats: list(oneChat) }), {
        parameters: [
          user,
          limit,
          offset,
          inQuery('chat_types', { type: 'string', pattern: '^(u2i|u2u)(,(u2i|u2u))*$' }),
        ],
      }),
    },
    '/messenger/v3/accounts/{user_id}/chats/{chat_id}/messages/': {
      // The description has a bare list; programs read `messages`.
      get: operation({ anyOf: [messages, of({ messages })] }, { parameters: [user, chat, limit, offset] }),
    },
    '/messenger/v1/accounts/{user_id}/chats/{chat_id}/messages': {
      post: operation(of({ content, created: integer, direction: text, id: text, type: text }), {
        parameters: [user, chat],
        requestBody: json(of({ type: { enum: ['text'] }, message: of({ text: { type: 'string', maxLength: 1000 } }) })),
      }),
    },
    '/messenger/v1/accounts/{user_id}/chats/{chat_id}/messages/image': {
      post: operation(of({ author_id: integer, content, created: integer, direction: text, id: text, type: text }), {
        parameters: [user, chat],
        requestBody: json(of({ image_id: text })),
      }),
    },
    '/messenger/v1/accounts/{user_id}/chats/{chat_id}/read': { post: operation(ok, { parameters: [user, chat] }) },
    '/messenger/v1/accounts/{user_id}/uploadImages': {
      post: operation(
        { type: 'object', additionalProperties: sizes },
        {
          parameters: [user],
          requestBody: { content: { 'multipart/form-data': { schema: of({ 'uploadfile[]': text }) } } },
        },
      ),
    },
    '/messenger/v1/accounts/{user_id}/getVoiceFiles': {
      get: operation(of({ voices_urls: { type: 'object', additionalProperties: text } }), {
        parameters: [user, inQuery('voice_ids', text, true)],
      }),
    },
    '/messenger/v1/subscriptions': { post: operation(of({ subscriptions: list(of({ url: text, version: text })) })) },
    '/messenger/v1/webhook/unsubscribe': { post: operation(ok, { requestBody: url }) },
    '/messenger/v3/webhook': { post: operation(ok, { requestBody: url }) },
    '/ratings/v1/reviews': {
      get: operation(of({ total: integer, reviews: list(review) }), {
        parameters: [
          inQuery('offset', { type: 'integer', minimum: 0 }, true),
          inQuery('limit', { type: 'integer', minimum: 1, maximum: 50 }, true),
        ],
      }),
    },
    '/ratings/v1/answers': {
      post: operation(of({ id: integer, createdAt: integer }), {
        requestBody: json(of({ reviewId: integer, message: text })),
      }),
    },
    '/ratings/v1/answers/{answer_id}': {
      delete: operation(of({ success: { type: 'boolean' } }), { parameters: [inPath('answer_id', integer)] }),
    },
  },
};

/** As a closed world: what it doesn't name is wrong. */
export const readAvito = (): Description => readDescription(root);
