import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BadPayloadError } from '../src/core/errors.ts';
import { MAX_DEPTH, MAX_KEYS, parseJson } from '../src/core/json.ts';

describe('reading JSON from strangers', () => {
  it('reads what JSON.parse reads', () => {
    for (const text of [
      'null',
      ' true ',
      'false',
      '"x"',
      '0',
      '-7',
      '1.5e3',
      '[]',
      '{}',
      '[1,[2,{"a":{}}]]',
      '"\\"\\\\"',
    ]) {
      assert.deepEqual(parse(text), JSON.parse(text), text);
    }
    const text = '{"a":[1,2.5,-3e2,true,null],"":"ё 😀 \\u0041 \\n","b:c,{[":{"d":"}]\\\\"}}';
    assert.deepEqual(parse(text), JSON.parse(text));
  });

  it('gives back whatever JSON.stringify wrote, but for what it changes on purpose', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        if (/__proto__|constructor|prototype|\\ud/.test(text)) return;
        const result = parse(text);
        // Doubles beyond 2^53 that are whole come as strings.
        if (!/\d{16}/.test(text)) assert.deepEqual(result, JSON.parse(text));
      }),
    );
  });

  it('refuses with 400 and quotes nothing of the body', () => {
    for (const text of [
      '',
      'hello secret',
      '{',
      '{"a":secret}',
      '[1,]',
      '{"a"}',
      '"secret',
      '}{',
      ']'.repeat(1e5),
      '\u0000',
    ]) {
      const error = refusal(text);
      assert.equal(error.status, 400);
      assert.match(error.message, /is not JSON/);
      assert.doesNotMatch(error.message, /secret/);
      assert.equal(error.cause, undefined);
    }
  });

  it('stops reading where more is closed than was opened', () => {
    // Read on, it would be the engine that refuses it, and says where.
    assert.equal(refusal('{}}').message, 'the body is not JSON');
  });

  it('stops at 64 levels, however deep it goes', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const nested = (depth: number) => `${open.repeat(depth)}1${close.repeat(depth)}`;
      assert.ok(parse(nested(MAX_DEPTH)));
      for (const depth of [MAX_DEPTH + 1, 1000, 5000, 1_000_000]) {
        assert.match(refusal(nested(depth)).message, /nested deeper than 64/);
      }
    }
    assert.match(refusal('['.repeat(1_000_000)).message, /nested deeper/);
  });

  it('takes brackets inside strings for text', () => {
    const text = '['.repeat(200);
    assert.deepEqual(parse(JSON.stringify({ text, escaped: `\\"${text}` })), { text, escaped: `\\"${text}` });
  });

  it('refuses bytes that are not UTF-8, and a BOM', () => {
    const bad = {
      overlong: [0xc0, 0xaf],
      'lone continuation': [0x80],
      'CESU surrogate': [0xed, 0xa0, 0x80],
      'cut off': [0xe2, 0x82],
      'beyond Unicode': [0xf5, 0x80, 0x80, 0x80],
    };
    for (const [name, bytes] of Object.entries(bad)) {
      const body = Buffer.concat([Buffer.from('{"a":"'), Buffer.from(bytes), Buffer.from('"}')]);
      assert.throws(() => parseJson(body), { message: 'the body is not UTF-8', status: 400 }, name);
    }
    assert.throws(() => parseJson(Buffer.from('\ufeff{}')), BadPayloadError);
    assert.throws(() => parseJson(Buffer.from('{}', 'utf16le')), BadPayloadError);
  });

  it('mends lone surrogates in values and keys, and leaves pairs alone', () => {
    assert.deepEqual(parse('{"a":"x\\ud800y","\\uDFFFk":["\\ud83d\\ude00","\\uD83D"]}'), {
      a: 'x\ufffdy',
      '\ufffdk': ['😀', '\ufffd'],
    });
    assert.equal(parse('"\\\\ud800"'), '\\ud800');
    assert.match(refusal('{"\\ud800":1,"\\ud801":2}').message, /twice/);
  });

  it('refuses a key that comes twice in one object, however it is written', () => {
    for (const text of [
      '{"from":"a","from":"b"}',
      '{"from":"a","\\u0066rom":"b"}',
      '[{"x":{"a":1,"b":2,"a":1}}]',
      '{"":1,"":2}',
      '{"__proto__":1,"__proto__":2}',
    ]) {
      assert.match(refusal(text).message, /twice/, text);
    }
    assert.deepEqual(parse('[{"a":1},{"a":{"a":2}}]'), [{ a: 1 }, { a: { a: 2 } }]);
  });

  it('leaves out keys that reach into prototypes, at every level', () => {
    for (const key of ['__proto__', 'constructor', 'prototype', '__pr\\u006fto__']) {
      const text = `{"${key}":{"polluted":1},"a":[{"${key}":{"prototype":{"polluted":1}},"b":1}],"toString":"x"}`;
      const result = parse(text) as Record<string, unknown>;
      assert.deepEqual(Object.keys(result), ['a', 'toString']);
      assert.deepEqual(result.a, [{ b: 1 }]);
      assert.equal(Object.getPrototypeOf(result), Object.prototype);
      assert.equal(({} as Record<string, unknown>).polluted, undefined);
    }
    assert.deepEqual(parse('{"__proto__":1,"s":"\\ud800"}'), { s: '\ufffd' });
  });

  it('keeps every digit of integers beyond 2^53, as strings', () => {
    assert.deepEqual(
      parse('[9007199254740991,9007199254740992,9007199254740993,-9007199254740993,12345678901234567890]'),
      [9007199254740991, '9007199254740992', '9007199254740993', '-9007199254740993', '12345678901234567890'],
    );
    assert.deepEqual(parse('{"id": 9007199254740993 ,"text":"9007199254740993"}'), {
      id: '9007199254740993',
      text: '9007199254740993',
    });
    assert.equal(parse('9007199254740993'), '9007199254740993');
    assert.equal(parse('0.1234567890123456789'), 0.12345678901234568);
  });

  it('does not turn broken JSON into JSON by writing numbers as strings', () => {
    for (const text of [
      '{9007199254740993:1}',
      '{"a":1,9007199254740993:2}',
      '[09007199254740993]',
      '[+9007199254740993]',
      '[-]',
      '[1-2]',
      '[0x10]',
    ]) {
      assert.match(refusal(text).message, /is not JSON/, text);
    }
  });

  it('refuses numbers that no double can hold, and knows one zero', () => {
    for (const text of ['1e400', '[-1e400]', '{"a":1E+999}', `[${'9'.repeat(400)}]`]) {
      assert.match(refusal(text).message, /too large/, text);
    }
    for (const text of ['NaN', '[Infinity]']) assert.match(refusal(text).message, /is not JSON/);
    for (const text of ['-0', '-0.0', '-0e5', '-1e-400', '1e-400']) assert.ok(Object.is(parse(text), 0), text);
    assert.equal(parse('1e308'), 1e308);
  });

  it('refuses objects with more than 1,000 keys, also ones crafted to be slow', () => {
    const object = (count: number, key: (i: number) => string | number = (i) => `k${i}`) =>
      `{${Array.from({ length: count }, (_, i) => `"${key(i)}":${i}`).join(',')}}`;
    assert.equal(Object.keys(parse(object(MAX_KEYS)) as object).length, MAX_KEYS);
    assert.match(refusal(object(MAX_KEYS + 1)).message, /more than 1000 keys/);
    assert.match(refusal(object(50_000, (i) => i * 0x10000)).message, /more than 1000 keys/);
    const wide = `[${Array.from({ length: 5 }, () => object(900)).join(',')}]`;
    assert.equal((parse(wide) as unknown[]).length, 5, 'the limit is per object');
    assert.match(refusal(`{"a":{},${object(1000).slice(1)}`).message, /more than 1000 keys/);
  });
});

function parse(text: string): unknown {
  return parseJson(Buffer.from(text));
}

function refusal(text: string): BadPayloadError {
  try {
    parse(text);
  } catch (error) {
    assert.ok(error instanceof BadPayloadError, String(error));
    return error;
  }
  return assert.fail(`accepted: ${text.slice(0, 80)}`);
}
