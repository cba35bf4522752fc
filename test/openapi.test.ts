import assert from 'node:assert/strict';
import { readDescription } from './fakes/openapi.ts';

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const json = (schema: object) => ({ content: { 'application/json; charset=utf-8': { schema } } });
const text = { type: 'string' };

/** Small, with everything that real descriptions do. */
const DESCRIPTION = {
  openapi: '3.0.3',
  paths: {
    '/v1/{chat}/messages': {
      parameters: [{ name: 'chat', in: 'path', required: true, schema: { type: 'integer' } }],
      post: {
        parameters: [
          { $ref: '#/components/parameters/Agent' },
          { name: 'silent', in: 'query', schema: { type: 'boolean' } },
        ],
        requestBody: { required: true, ...json(ref('Message')) },
        responses: { 200: json(ref('Sent')), '4XX': json(ref('Problem')), default: { description: 'whatever' } },
      },
      get: { responses: {} },
    },
    '/v1/{chat}/form': {
      post: {
        requestBody: {
          content: {
            'application/x-www-form-urlencoded': {
              schema: {
                type: 'object',
                properties: { count: { type: 'integer' }, url: { type: 'array', items: text } },
              },
            },
          },
        },
        responses: {},
      },
    },
    '/v1/{file}': { get: { parameters: [{ name: 'of', in: 'query', schema: text }], responses: {} } },
    '/v1/{user}': { get: { parameters: [{ name: 'fields', in: 'query', schema: text }], responses: {} } },
    '/v1/me': { get: { responses: {} } },
  },
  components: {
    parameters: {
      Agent: { name: 'User-Agent', in: 'header', required: true, schema: { ...text, pattern: '^[a-z]+/1' } },
    },
    schemas: {
      Base: {
        type: 'object',
        required: ['to'],
        properties: { to: text, kind: text, note: { ...text, nullable: true } },
      },
      Message: {
        discriminator: { propertyName: 'kind', mapping: { text: ref('Text').$ref, photo: ref('Photo').$ref } },
        oneOf: [ref('Text'), ref('Photo')],
      },
      Text: {
        // Taken by the letter, this forbids what `Base` demands.
        allOf: [ref('Base'), { type: 'object', required: ['text'], additionalProperties: false, properties: { text } }],
      },
      Photo: {
        allOf: [ref('Base'), { properties: { photo: { properties: { id: text } }, extra: { type: 'object' } } }],
      },
      Sent: { type: 'object', properties: { id: text, size: { type: 'integer', minimum: 0, exclusiveMinimum: true } } },
      Problem: { type: 'object', required: ['error'], properties: { error: text } },
    },
  },
};

describe("A vendor's description", () => {
  const vendor = readDescription(DESCRIPTION);
  const headers = { 'user-agent': 'tributary/1', 'content-type': 'application/json' };
  const ask = (body: unknown, path = '/v1/5/messages', given: Record<string, string> = headers) =>
    vendor.request({ method: 'POST', path, headers: given, body });
  const problems = (found: readonly string[]) => found.map((problem) => problem.replace(/^\S+ \S+: /, ''));

  it('is kept to by what it describes', () => {
    assert.deepEqual(ask({ kind: 'text', to: 'a', text: 'b', note: null }), []);
    assert.deepEqual(
      ask({ kind: 'photo', to: 'a', photo: { id: 'b' }, extra: { any: 1 } }, '/v1/5/messages?silent=true'),
      [],
    );
    assert.deepEqual(vendor.response({ method: 'POST', path: '/v1/5/messages' }, 200, { id: 'a', size: 1 }), []);
    assert.deepEqual(vendor.response({ method: 'POST', path: '/v1/5/messages' }, 503, undefined), []);
    assert.deepEqual(vendor.value('Photo', { to: 'a', photo: { id: 'b' } }), []);
  });

  it('knows no other keys, however deep, than those that it names', () => {
    assert.match(ask({ kind: 'text', to: 'a', text: 'b', txt: 'c' }).join(), /body must NOT have .*: txt$/);
    assert.match(
      ask({ kind: 'photo', to: 'a', photo: { id: 'b', url: 'c' } }).join(),
      /body\/photo must NOT have .*: url/,
    );
    assert.match(ask({ kind: 'text', to: 'a', text: 'b', photo: { id: 'b' } }).join(), /: photo/);
    const answered = (status: number, body: unknown) =>
      vendor.response({ method: 'POST', path: '/v1/5/messages' }, status, body).join();
    assert.match(answered(200, { id: 'a', ids: 'b' }), /answer 200 must NOT have .*: ids/);
    assert.match(answered(200, { id: 'a', size: 0 }), /size must be > 0/);
    assert.match(answered(404, { error: 'a', code: 5 }), /answer 404 must NOT have .*: code/);
    assert.match(vendor.value('Photo', { to: 'a', image: 1 }).join(), /: image/);
  });

  it('wants what it requires, in the types that it says', () => {
    assert.deepEqual(problems(ask(undefined)), ['the body is missing']);
    assert.match(ask({ kind: 'text', to: 'a' }).join(), /must have required property 'text'/);
    assert.match(ask({ kind: 'text', to: 5, text: 'b' }).join(), /body\/to must be string/);
    assert.match(ask({ kind: 'sound', to: 'a' }).join(), /body\/kind must be equal to one of/);
    assert.match(ask({ to: 'a', text: 'b' }).join(), /must have required property 'kind'/);
    assert.match(ask({}, '/v1/5/messages', { 'content-type': 'text/plain' }).join(), /a body of text\/plain is not/);
  });

  it('knows its paths, queries and headers', () => {
    const good = { kind: 'text', to: 'a', text: 'b' };
    assert.deepEqual(ask(good, '/v2/5/messages'), ['POST /v2/5/messages: not described']);
    assert.deepEqual(problems(ask(good, '/v1/five/messages')), ['path chat must be integer']);
    assert.deepEqual(problems(ask(good, '/v1/5/messages?silent=yes&loud=1')), [
      'query loud is not described',
      'query silent must be boolean',
    ]);
    assert.deepEqual(problems(ask(good, '/v1/5/messages', {})), ['header User-Agent is missing']);
    assert.match(ask(good, '/v1/5/messages', { 'User-Agent': '?' }).join(), /header User-Agent must match pattern/);
  });

  it('tells operations under one shape of path apart by what fits, and prefers the one that names more of it', () => {
    const get = (path: string) => problems(vendor.request({ method: 'GET', path }));
    assert.deepEqual(get('/v1/7?of=a'), []);
    assert.deepEqual(get('/v1/7?fields=a'), []);
    assert.deepEqual(get('/v1/7?other=a'), ['query other is not described']);
    assert.deepEqual(get('/v1/me?fields=a'), ['query fields is not described']);
  });

  it('reads the fields of forms as text, one or several of a name', () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    assert.deepEqual(ask({ count: '5', url: 'a' }, '/v1/5/form', form), []);
    assert.deepEqual(ask({ count: '5', url: ['a', 'b'] }, '/v1/5/form', form), []);
    assert.match(ask({ count: 'five', urls: 'a' }, '/v1/5/form', form).join(), /count must be integer.*: urls/);
  });

  it('is corrected where it is wrong, and only where there is something to correct', () => {
    const amended = readDescription(DESCRIPTION, { '/components/schemas/Photo/allOf/1/properties/caption': text });
    assert.deepEqual(amended.value('Photo', { to: 'a', caption: 'b' }), []);
    assert.notDeepEqual(vendor.value('Photo', { to: 'a', caption: 'b' }), []);
    assert.throws(() => readDescription(DESCRIPTION, { '/components/schemas/Foto/caption': text }), /has no/);
  });
});
