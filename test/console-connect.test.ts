import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { clockOf, isOfThisMachine } from '../console/src/sections/connect/elapsed.ts';
import { draftOf, enteredIn, enteredOf, settingsOf } from '../console/src/sections/connect/entered.ts';
import type { Entered } from '../console/src/sections/connect/entered.ts';
import { fieldOf, fieldsOf, labelOf } from '../console/src/sections/connect/fields.ts';
import type { Field, Schema, Shape } from '../console/src/sections/connect/fields.ts';
import { enteredFor, frameOf, freeId, patchOf } from '../console/src/sections/connect/frame.ts';
import { connectTexts } from '../console/src/sections/connect/texts.ts';
import { languages } from '../console/src/texts.ts';
import type { Language } from '../console/src/texts.ts';
import type { EndpointView, TypeEntry } from '../console/src/views.ts';
import { connectors } from '../src/connectors/index.ts';
import { destinationTypes } from '../src/dispatch/index.ts';
import { connectorHomes } from './fakes/connector-homes.ts';

const ROOT = join(import.meta.dirname, '..');
const schemaOf = (config: z.ZodType) => z.toJSONSchema(config, { io: 'input', unrepresentable: 'any' }) as Schema;

const types: readonly (readonly [string, Schema])[] = [...connectors, ...destinationTypes].map(({ type, config }) => [
  type,
  schemaOf(config),
]);

/** Every field, also those inside of others. */
function allOf(fields: readonly Field[]): Field[] {
  return fields.flatMap((field) => [field, ...allOf(insideOf(field.shape))]);
}

function insideOf(shape: Shape): readonly Field[] {
  if (shape.kind === 'group' || shape.kind === 'list') return shape.fields;
  return shape.kind === 'variant' ? shape.variants.flatMap(({ fields }) => fields) : [];
}

const shapeIn = (schema: Schema, isRequired = false) => fieldOf('one', schema, isRequired).shape;

describe('what a channel or destination is connected with', () => {
  it('makes a form of the settings of every type, first what must be there', () => {
    for (const [type, schema] of types) {
      const fields = fieldsOf(schema);
      assert.equal(fields.length, Object.keys(schema.properties ?? {}).length, type);
      const firstOptional = fields.findIndex(({ isRequired }) => !isRequired);
      const lastRequired = fields.findLastIndex(({ isRequired }) => isRequired);
      assert.ok(firstOptional < 0 || lastRequired < firstOptional, type);
      assert.ok(
        fields.every(({ isRequired, isAdvanced }) => !(isRequired && isAdvanced)),
        `${type} hides what it needs`,
      );
    }
  });

  it('shows no secret of any type as plain text, and keeps none by its place in a list', () => {
    for (const [type, schema] of types) {
      for (const { name, shape } of allOf(fieldsOf(schema))) {
        assert.ok(shape.kind !== 'json' || !shape.isSecret, `${type}: ${name} is written as JSON and holds a secret`);
        // A mask stands for the value at its place: what moves up would get that of another.
        const inList = shape.kind === 'list' ? allOf(shape.fields) : [];
        assert.ok(!inList.some((field) => field.shape.kind === 'secret'), `${type}: ${name} lists secrets`);
      }
    }
  });

  it('sends what every example has, as it was', () => {
    const examples = [
      ...connectorHomes(ROOT).map((folder) => [connectors, join('src/connectors', folder)] as const),
      ...destinationTypes.map(
        ({ type }) => [destinationTypes, join('src/dispatch', type.replaceAll('_', '-'))] as const,
      ),
    ];
    for (const [known, folder] of examples) {
      const file = parse(readFileSync(join(ROOT, folder, 'example.yaml'), 'utf8')) as Record<string, object[]>;
      const all = Object.values(file).flat() as Record<string, unknown>[];
      for (const { id, type, name, ...settings } of all) {
        const config = known.find((one) => one.type === type)?.config;
        assert.ok(config, `${folder}: ${String(type)}`);
        const fields = fieldsOf(schemaOf(config));
        const sent = settingsOf(fields, enteredOf(fields, settings));
        assert.deepEqual(sent.faulty, [], `${folder} ${String(id)} ${String(name)}`);
        // A number that may be written as a text is sent as one.
        const wanted = Object.entries(settings).map(([field, value]) => {
          const isText = fields.find((one) => one.name === field)?.shape.kind === 'text';
          return [field, isText ? String(value) : value];
        });
        assert.deepEqual(JSON.parse(JSON.stringify(sent.settings)), Object.fromEntries(wanted), folder);
      }
    }
  });

  it('keeps no secret of any type in a draft', () => {
    const fill = (shape: Shape): Entered => {
      if (shape.kind === 'group') return Object.fromEntries(shape.fields.map((one) => [one.name, fill(one.shape)]));
      if (shape.kind === 'list') return [Object.fromEntries(shape.fields.map((one) => [one.name, fill(one.shape)]))];
      if (shape.kind === 'variant') {
        const [{ name, fields }] = shape.variants.slice(-1) as [{ name: string; fields: readonly Field[] }];
        return { chosen: name, of: Object.fromEntries(fields.map((one) => [one.name, fill(one.shape)])) };
      }
      if (shape.kind === 'pairs') return [{ name: 'authorization', value: shape.of === 'secret' ? 's3cret' : 'plain' }];
      return shape.kind === 'secret' ? 's3cret' : 'plain';
    };
    let secrets = 0;
    for (const [type, schema] of types) {
      const fields = fieldsOf(schema);
      const entered = Object.fromEntries(fields.map((one) => [one.name, fill(one.shape)]));
      secrets += JSON.stringify(entered).split('s3cret').length - 1;
      assert.doesNotMatch(JSON.stringify(draftOf(fields, entered)), /s3cret/, type);
      assert.equal(
        JSON.stringify(draftOf(fields, entered)).includes('plain'),
        JSON.stringify(entered).includes('plain'),
      );
    }
    assert.ok(secrets > 50, 'it found nothing to hide');
    const odd = fieldsOf({ properties: { odd: { type: 'array', items: { type: 'string', writeOnly: true } } } });
    assert.deepEqual(draftOf(odd, { odd: '["s3cret"]' }), {});
    const key: Schema = { type: 'string', writeOnly: true };
    const listed = fieldsOf({ properties: { all: { type: 'array', items: { properties: { key } } } } });
    assert.deepEqual(draftOf(listed, { all: [{ key: 's3cret' }] }), { all: [{}] });
  });

  it('gives each kind of setting what it is best entered with', () => {
    const text = { type: 'string' };
    const cases: [Schema, Shape][] = [
      [text, { kind: 'text', lines: 'one' }],
      [
        { type: 'string', maxLength: 100_000 },
        { kind: 'text', lines: 'many' },
      ],
      [
        { type: 'string', maxLength: 2000 },
        { kind: 'text', lines: 'one' },
      ],
      [{ type: 'string', writeOnly: true }, { kind: 'secret' }],
      [{ type: 'integer' }, { kind: 'number' }],
      [{ type: 'boolean' }, { kind: 'switch' }],
      [
        { type: 'string', enum: ['a', 'b'] },
        { kind: 'choice', options: ['a', 'b'] },
      ],
      [
        { type: 'boolean', const: false },
        { kind: 'choice', options: [false] },
      ],
      [{ anyOf: [{ type: 'boolean' }, { const: 'either' }] }, { kind: 'choice', options: [true, false, 'either'] }],
      [{ anyOf: [text, { type: 'integer' }] }, { kind: 'text', lines: 'one' }],
      [{ anyOf: [text, { type: 'object' }] }, { kind: 'json', words: 'taken', isSecret: false }],
      [{ anyOf: [{ type: 'integer' }, { type: 'array' }] }, { kind: 'json', words: 'refused', isSecret: false }],
      [{ type: 'array', items: text }, { kind: 'texts' }],
      [
        { type: 'array', items: { type: 'string', enum: ['a'] } },
        { kind: 'choices', options: ['a'] },
      ],
      [
        { type: 'array', items: { type: 'string', writeOnly: true } },
        { kind: 'json', words: 'refused', isSecret: true },
      ],
      [
        { type: 'object', additionalProperties: text },
        { kind: 'pairs', of: 'text' },
      ],
      [
        { type: 'object', additionalProperties: { type: 'string', writeOnly: true } },
        { kind: 'pairs', of: 'secret' },
      ],
      [
        { type: 'object', additionalProperties: { type: 'array' } },
        { kind: 'json', words: 'refused', isSecret: false },
      ],
      [{ type: ['string', 'number'] }, { kind: 'json', words: 'refused', isSecret: false }],
    ];
    for (const [schema, shape] of cases) assert.deepEqual(shapeIn(schema), shape, JSON.stringify(schema));
    const group: Schema = { type: 'object', properties: { host: text } };
    const presence = (schema: Schema, isRequired: boolean) => {
      const shape = shapeIn(schema, isRequired);
      return shape.kind === 'group' ? shape.presence : shape.kind;
    };
    assert.deepEqual(
      [presence(group, false), presence(group, true), presence({ ...group, default: {} }, false)],
      ['chosen', 'always', 'always'],
    );
    assert.deepEqual(['token', 'phoneNumberId', 'api_root', 'smtp'].map(labelOf), [
      'Token',
      'Phone number id',
      'Api root',
      'Smtp',
    ]);
  });

  const tools: Schema = {
    required: ['token', 'auth'],
    properties: {
      token: { type: 'string', writeOnly: true },
      name: { type: 'string' },
      port: { type: 'integer' },
      tls: { type: 'object', properties: { ca: { type: 'string' } } },
      spam: { type: 'object', default: {}, properties: { links: { type: 'integer' } } },
      parts: { type: 'array', default: ['chats'], items: { type: 'string', enum: ['chats', 'reviews'] } },
      folders: { type: 'array', items: { type: 'string' } },
      rules: {
        type: 'array',
        items: { type: 'object', required: ['from'], properties: { from: { type: 'string' } } },
      },
      map: { type: 'object', additionalProperties: { type: 'array' } },
      reply: { anyOf: [{ type: 'string' }, { type: 'object' }] },
      headers: { type: 'object', additionalProperties: { type: 'string' } },
      auth: {
        oneOf: [
          {
            type: 'object',
            required: ['type', 'key'],
            properties: { type: { const: 'key' }, key: { type: 'string', writeOnly: true } },
          },
          { type: 'object', required: ['type'], properties: { type: { const: 'none' } } },
        ],
      },
    },
  };
  const fields = fieldsOf(tools);
  const fine = { token: 't', auth: { chosen: 'none', of: {} } };
  const send = (entered: Record<string, Entered>) => settingsOf(fields, { ...fine, ...entered });

  it('leaves out what was left alone, and says nothing of it', () => {
    assert.deepEqual(send({}), { settings: { token: 't', auth: { type: 'none' } }, faulty: [] });
    const emptied = { port: ' ', spam: {}, folders: ' \n', rules: [], map: '', headers: [{ name: '', value: '' }] };
    assert.deepEqual(send(emptied), send({}));
    assert.equal(send({ name: '' }).settings['name'], '', 'it was set so');
    assert.deepEqual(send({ tls: {} }).settings['tls'], {}, 'that it is there says something');
    assert.deepEqual(send({ parts: [] }).settings['parts'], [], 'else the usual ones would hold');
  });

  it('reads what was typed as the type needs it', () => {
    const { settings } = send({
      port: ' 993 ',
      folders: 'INBOX\n\n Help ',
      parts: ['reviews', 'gone'],
      map: '{"new": ["open"]}',
      headers: [
        { name: ' x-key ', value: 'k' },
        { name: '', value: 'nobody' },
      ],
      rules: [{ from: 'a@example.com' }],
      auth: { chosen: 'key', of: { key: 'k' } },
    });
    const { token, ...rest } = settings;
    assert.equal(token, 't');
    assert.deepEqual(rest, {
      ...{ port: 993, folders: ['INBOX', 'Help'], parts: ['reviews'], map: { new: ['open'] } },
      ...{ headers: { 'x-key': 'k' }, rules: [{ from: 'a@example.com' }], auth: { type: 'key', key: 'k' } },
    });
    assert.equal(send({ reply: 'Thank you' }).settings['reply'], 'Thank you');
    assert.deepEqual(send({ reply: '{"en": "Thank you"}' }).settings['reply'], { en: 'Thank you' });
  });

  it('names each field that is missing or can’t be read, before anything is sent', () => {
    const told = (entered: Record<string, Entered>) =>
      send(entered).faulty.map(({ pointer, fault }) => `${pointer} ${fault}`);
    assert.deepEqual(told({ token: '', auth: undefined }), ['/token missing', '/auth missing']);
    assert.deepEqual(told({ port: 'many', map: '{', reply: '{' }), ['/port number', '/map json', '/reply json']);
    assert.deepEqual(told({ rules: [{ from: 'a' }, {}] }), ['/rules/1/from missing']);
    assert.deepEqual(told({ auth: { chosen: 'key', of: {} } }), ['/auth/key missing']);
  });

  it('sends a mask back where nobody has typed another secret', () => {
    const settings = { token: '••••4f2a', auth: { type: 'key', key: '••••' } };
    const entered = enteredOf(fields, settings);
    assert.deepEqual(settingsOf(fields, entered).settings, settings);
    assert.equal(settingsOf(fields, { ...entered, token: 'new' }).settings['token'], 'new');
  });

  it('tells groups without a name apart by what they must have', () => {
    const ways: Schema = {
      anyOf: [
        { properties: { file: {} }, required: ['file'] },
        { properties: { url: {} }, required: ['url'] },
      ],
    };
    const shape = shapeIn(ways);
    assert.deepEqual(enteredIn(shape, { url: 'https://example.com' }), {
      chosen: 'url',
      of: { url: '"https://example.com"' },
    });
  });

  it('has a name, an id that is free, and a way to answer by itself where there is one', () => {
    const words = { ...connectTexts('en').frame, settings: 'Settings' };
    const entry: TypeEntry = {
      ...{ role: 'channel', type: 'telegram', title: 'Telegram', summary: '', stability: 'beta' },
      ...{ capabilities: { reply: true }, config: tools },
    };
    const names = (given: TypeEntry, when: 'new' | 'known') => frameOf(given, words, when).map(({ name }) => name);
    assert.deepEqual(names(entry, 'new'), ['settings', 'name', 'id', 'autoReply']);
    assert.deepEqual(names({ ...entry, capabilities: {}, config: {} }, 'known'), ['name', 'enabled']);
    assert.equal(freeId('telegram', []), 'telegram');
    assert.equal(freeId('twilio_voice', ['twilio-voice', 'twilio-voice-2']), 'twilio-voice-3');

    const known = { id: 'bot', name: 'Help', enabled: false, autoReply: { en: 'Hi' }, settings: { token: '••••' } };
    const all = frameOf(entry, words, 'known');
    const body = settingsOf(all, {
      ...enteredFor(all, known as unknown as EndpointView),
    });
    assert.deepEqual(body.faulty, [{ pointer: '/settings/auth', fault: 'missing' }]);
    assert.deepEqual(body.settings, {
      name: 'Help',
      enabled: false,
      autoReply: { en: 'Hi' },
      settings: { token: '••••' },
    });
    assert.deepEqual(patchOf('bot', { enabled: true }, 'channel'), {
      ...{ name: 'bot', enabled: true, settings: {}, autoReply: null },
    });
    assert.deepEqual(patchOf('crm', { name: 'CRM' }, 'destination'), { name: 'CRM', settings: {} });
  });

  it('says how long it waits, and where an address leads nowhere', () => {
    assert.deepEqual([-5, 0, 42_900, 3_607_000].map(clockOf), ['00:00', '00:00', '00:42', '1:00:07']);
    const addresses = [
      'http://127.0.0.1:8080/w',
      'http://localhost/w',
      'http://[::1]:1/w',
      'https://desk.example.com/w',
    ];
    assert.deepEqual(addresses.map(isOfThisMachine), [true, true, true, false]);
  });

  it('speaks every language', () => {
    const shape = (value: unknown): unknown => {
      if (typeof value !== 'object' || value === null) return typeof value;
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shape(inner)]));
    };
    for (const tag of Object.keys(languages) as Language[]) {
      assert.deepEqual(shape(connectTexts(tag)), shape(connectTexts('en')), tag);
      assert.doesNotMatch(JSON.stringify(connectTexts(tag)), /""/, tag);
    }
    assert.equal(connectTexts('uk').faulty(3), '3 поля треба виправити.');
    assert.equal(connectTexts('ru').waiting.refused(5), '5 запросов отклонены');
  });
});
