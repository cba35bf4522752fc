import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Channel } from '../src/core/connector.ts';
import type { ItemInput } from '../src/core/envelope.ts';
import { BadPayloadError } from '../src/core/errors.ts';
import type { Payload } from '../src/core/payload.ts';
import { hmac, signStandardWebhook } from '../src/core/signature.ts';
import { webhook } from '../src/connectors/webhook/webhook.ts';
import { fakeContext } from './fakes/context.ts';
import { samplePayload } from './fakes/samples.ts';

const SECRET = 'whsec_c2FtcGxlLXNlY3JldC1mb3ItdGhlLWludGFrZQ==';
const OTHER = 'whsec_YW5vdGhlci1zYW1wbGUtc2VjcmV0LWZvci1yZXBseQ==';
const KEY = '3f1c5b0a9d7e42c8b6a1f0e9d8c7b6a5';
const STANDARD = { type: 'standard_webhooks', secret: SECRET };
const NOW_SEC = Date.parse('2026-11-22T10:00:00Z') / 1000;
const HELLO = { id: 'm-1', from: { id: 'u-7' }, text: 'Hello' };

async function open(settings: object): Promise<Channel> {
  return webhook.open(webhook.config.parse({ auth: STANDARD, ...settings }), fakeContext());
}

async function verify(auth: object, request: Payload): Promise<void> {
  await (await open({ auth })).webhook!.verify(request);
}

function signed(body: unknown, { secret = SECRET, id = 'msg_1', timestampSec = NOW_SEC } = {}): Payload {
  const plain = samplePayload(body);
  return samplePayload(plain.body, { ...signStandardWebhook([secret], { id, timestampSec, body: plain.body }) });
}

async function read(body: unknown, settings: object = {}): Promise<ItemInput[]> {
  return (await open(settings)).normalize(signed(body));
}

/** The only item, as a message. */
async function message(body: unknown, settings: object = {}) {
  const items = await read(body, settings);
  assert.equal(items.length, 1);
  const item = items[0]!;
  assert.ok(item.kind === 'message', JSON.stringify(item));
  return item;
}

const refused = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof BadPayloadError, String(error));
  assert.equal(error.status, 401);
  assert.match(error.message, pattern);
  return true;
};

function problemOf(settings: object): string {
  const { success, error } = webhook.config.safeParse(settings);
  assert.equal(success, false, 'the settings were accepted');
  return error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('\n');
}

describe('The settings of a webhook channel', () => {
  const without: Record<string, object> = {
    'an auth': {},
    'a signing secret': { auth: { type: 'standard_webhooks' } },
    'an HMAC secret': { auth: { type: 'hmac', header: 'x-signature' } },
    'a password': { auth: { type: 'basic', user: 'shop' } },
    'a bearer token': { auth: { type: 'bearer' } },
    'a key': { auth: { type: 'api_key', header: 'x-key' } },
    'a secret for answers': { auth: STANDARD, reply: { url: 'https://shop.example.com/' } },
  };
  for (const [what, settings] of Object.entries(without)) {
    it(`are refused without ${what}`, () => assert.match(problemOf(settings), /./));
  }

  it('are refused with a kind of auth that nobody knows, also with none', () => {
    assert.match(problemOf({ auth: { type: 'none' } }), /auth/);
    assert.match(problemOf({ auth: STANDARD, insecure: true }), /insecure/);
  });

  const weak: Record<string, object> = {
    short: { type: 'bearer', token: 'fifteen-letters' },
    'a placeholder': { type: 'basic', user: 'shop', password: 'please-change-me-soon' },
    'a copied example': { type: 'hmac', header: 'x-signature', secret: 'your_secret_goes_here' },
    'cut off': { type: 'standard_webhooks', secret: 'whsec_abcdefghijklmnopqrstuvwxyz…' },
    'no base64': { type: 'standard_webhooks', secret: 'whsec_this is not base64 at all' },
    'a short key in base64': { type: 'standard_webhooks', secret: 'whsec_c2hvcnQgc2VjcmV0' },
  };
  for (const [what, auth] of Object.entries(weak)) {
    it(`are refused with a secret that is ${what}, naming the remedy and not the secret`, () => {
      const problem = problemOf({ auth });
      assert.match(problem, /tributary sign --new-secret/);
      for (const value of Object.values(auth).slice(1)) assert.ok(!problem.includes(value as string));
    });
  }

  it('are refused with a template that signs no body, or a time that is not signed', () => {
    const auth = { type: 'hmac', secret: KEY, header: 'x-signature' };
    assert.match(problemOf({ auth: { ...auth, template: '{timestamp}' } }), /template.*\{body\}/);
    assert.match(problemOf({ auth: { ...auth, timestampHeader: 'x-time' } }), /timestampHeader/);
    assert.match(problemOf({ auth: { ...auth, template: '{timestamp}.{body}' } }), /timestampHeader/);
  });

  it('are refused with a pointer that is none, or a mapping of something unknown', () => {
    assert.match(
      problemOf({ auth: STANDARD, mapping: { from: { id: 'user.id' } } }),
      /mapping\.from\.id.*JSON pointer/,
    );
    assert.match(problemOf({ auth: STANDARD, mapping: { from: { id: '/a' }, body: '/b' } }), /body/);
  });

  it('are refused when they call a customer by another channel’s kind of identifier', () => {
    assert.match(problemOf({ auth: STANDARD, identity: { kind: 'email' } }), /identity\.kind/);
  });
});

describe('A webhook channel knows its sender', () => {
  it('by a Standard Webhooks signature', () => verify(STANDARD, signed(HELLO)));

  it('and refuses a request without any header, whatever the auth', async () => {
    const all = [
      STANDARD,
      { type: 'hmac', secret: KEY, header: 'x-signature' },
      { type: 'basic', user: 'shop', password: KEY },
      { type: 'bearer', token: KEY },
      { type: 'api_key', header: 'x-key', key: KEY },
    ];
    for (const auth of all) await assert.rejects(verify(auth, samplePayload(HELLO)), refused(/missing/));
  });

  it('and refuses the same JSON in other bytes', async () => {
    const request = signed('{"id":"m-1","text":"Hello"}');
    for (const body of [
      '{"id": "m-1","text":"Hello"}',
      '{"text":"Hello","id":"m-1"}',
      '\ufeff{"id":"m-1","text":"Hello"}',
    ]) {
      await assert.rejects(verify(STANDARD, { ...request, body: Buffer.from(body) }), refused(/does not match/));
    }
  });

  it('and refuses what was signed for another channel', async () => {
    await assert.rejects(verify(STANDARD, signed(HELLO, { secret: OTHER })), refused(/does not match/));
  });

  it('by the secret before the last one too, until it is taken out', async () => {
    const old = signed(HELLO, { secret: OTHER });
    await verify({ ...STANDARD, previousSecret: OTHER }, old);
    await assert.rejects(verify(STANDARD, old), refused(/does not match/));
  });

  it('and refuses what was signed more than five minutes ago or ahead', async () => {
    for (const off of [-360, 360]) {
      await assert.rejects(verify(STANDARD, signed(HELLO, { timestampSec: NOW_SEC + off })), refused(/five minutes/));
    }
    for (const off of [-299, 299]) await verify(STANDARD, signed(HELLO, { timestampSec: NOW_SEC + off }));
  });

  it('and refuses a time that is none', async () => {
    for (const timestampSec of [1.5, -1, 1e308, Number.NaN]) {
      await assert.rejects(verify(STANDARD, signed(HELLO, { timestampSec })), refused(/whole number/));
    }
  });

  it('and refuses a signed id that could be read in two ways', async () => {
    await assert.rejects(verify(STANDARD, signed(HELLO, { id: 'msg_1.2' })), refused(/dot/));
  });

  it('by user and password, a bearer token, or a key in a header', async () => {
    const basic = { type: 'basic', user: 'shop', password: KEY };
    const credentials = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
    await verify(basic, samplePayload(HELLO, credentials(`shop:${KEY}`)));
    await assert.rejects(verify(basic, samplePayload(HELLO, credentials(`shop:${KEY}x`))), refused(/wrong/));
    await assert.rejects(verify(basic, samplePayload(HELLO, credentials(`pos:${KEY}`))), refused(/wrong/));

    const bearer = { type: 'bearer', token: KEY };
    await verify(bearer, samplePayload(HELLO, { authorization: `Bearer ${KEY}` }));
    await assert.rejects(
      verify(bearer, samplePayload(HELLO, { authorization: `Bearer ${KEY}, ${KEY}` })),
      refused(/wrong/),
    );

    const key = { type: 'api_key', header: 'X-Key', key: KEY };
    await verify(key, samplePayload(HELLO, { 'x-key': KEY }));
    await assert.rejects(verify(key, samplePayload(HELLO, { 'x-key': KEY.toUpperCase() })), refused(/wrong/));
  });
});

describe('A webhook channel with a vendor’s own HMAC', () => {
  const body = Buffer.from(JSON.stringify(HELLO));
  const mac = hmac('sha256', KEY, body);
  const hub = { type: 'hmac', secret: KEY, header: 'X-Hub-Signature-256', prefix: 'sha256=' };
  const from = (signature: string, headers = {}) =>
    samplePayload(body, { 'x-hub-signature-256': signature, ...headers });

  it('takes hex behind a prefix', () => verify(hub, from(`sha256=${mac.toString('hex')}`)));

  it('takes base64', () => verify({ ...hub, prefix: '', encoding: 'base64' }, from(mac.toString('base64'))));

  const wrong: Record<string, string> = {
    'in upper case': `sha256=${mac.toString('hex').toUpperCase()}`,
    'in base64 instead of hex': `sha256=${mac.toString('base64')}`,
    'behind another prefix': `sha1=${mac.toString('hex')}`,
    'behind another prefix of the same length': `sha512=${mac.toString('hex')}`,
    'without its prefix': mac.toString('hex'),
    'with a line feed behind it': `sha256=${mac.toString('hex')}\n`,
    'by another algorithm': `sha256=${hmac('sha1', KEY, body).toString('hex')}`,
    'cut short': `sha256=${mac.toString('hex').slice(0, -1)}`,
    'given twice': `sha256=${mac.toString('hex')}, sha256=${mac.toString('hex')}`,
    'of a megabyte': `sha256=${'a'.repeat(1_000_000)}`,
    'of letters beyond ASCII': `sha256=${'ї'.repeat(64)}`,
    'that is only the prefix': 'sha256=',
  };
  for (const [what, signature] of Object.entries(wrong)) {
    it(`refuses a signature ${what}`, () => assert.rejects(verify(hub, from(signature)), refused(/match|begin/)));
  }

  it('refuses base64 without its padding', async () => {
    const auth = { ...hub, prefix: '', encoding: 'base64' };
    await assert.rejects(verify(auth, from(mac.toString('base64').replace('=', ''))), refused(/match/));
  });

  it('takes the secret before the last one too', async () => {
    const auth = { ...hub, secret: `${KEY}new`, previousSecret: KEY };
    await verify(auth, from(`sha256=${mac.toString('hex')}`));
  });

  it('signs the time with the body, and refuses it when it is old, changed or missing', async () => {
    const auth = { ...hub, timestampHeader: 'X-Time', template: 'v0:{timestamp}:{body}' };
    const at = (time: string, shown: string | null = time) => {
      const signature = `sha256=${hmac('sha256', KEY, `v0:${time}:`, body).toString('hex')}`;
      return from(signature, shown === null ? {} : { 'x-time': shown });
    };
    for (const time of [String(NOW_SEC), `${NOW_SEC}000`, '2026-11-22T10:00:00Z', '2026-11-22T12:04:59+02:00']) {
      await verify(auth, at(time));
    }
    await assert.rejects(verify(auth, at(String(NOW_SEC - 360))), refused(/five minutes/));
    await assert.rejects(verify(auth, at(String(NOW_SEC + 360))), refused(/five minutes/));
    await assert.rejects(verify(auth, at(String(NOW_SEC - 360), String(NOW_SEC))), refused(/does not match/));
    await assert.rejects(verify(auth, at(String(NOW_SEC), null)), refused(/missing/));
    for (const time of ['soon', '-1', '1e308', `${NOW_SEC}, ${NOW_SEC}`]) {
      await assert.rejects(verify(auth, at(time)), refused(/not a time/));
    }
  });

  it('takes its own address from the configuration, never from the request', async () => {
    const auth = { ...hub, template: '{url}{body}' };
    const forUrl = (url: string, headers = {}) =>
      from(`sha256=${hmac('sha256', KEY, url, body).toString('hex')}`, headers);
    await verify(auth, forUrl('https://desk.example.com/webhooks/sample', { host: 'elsewhere.example.com' }));
    const forged = forUrl('https://evil.test/webhooks/sample', {
      host: 'evil.test',
      'x-forwarded-host': 'evil.test',
      'x-forwarded-proto': 'https',
    });
    await assert.rejects(verify(auth, forged), refused(/does not match/));
  });
});

describe('A webhook channel reads', () => {
  it('the same request as the same message, under whatever delivery id it comes again', async () => {
    const channel = await open({});
    const [a, b] = [await channel.normalize(signed(HELLO)), await channel.normalize(signed(HELLO, { id: 'msg_2' }))];
    assert.deepEqual(a, b);
    assert.equal((a[0] as { externalId: string }).externalId, 'm-1');
  });

  it('a delivery id as the message’s only where it is signed', async () => {
    const body = { from: { id: 'u-7' }, text: 'Hello' };
    assert.equal((await message(body)).externalId, 'msg_1');
    const bearer = { auth: { type: 'bearer', token: KEY } };
    const first = await message(body, bearer);
    assert.match(first.externalId, /^sha256:[0-9a-f]{64}$/);
    assert.equal((await message({ ...body, text: 'Hello!' }, bearer)).externalId === first.externalId, false);
  });

  it('nothing from a signed body that can’t be read, so that its bytes are set aside', async () => {
    const bodies: Record<string, Buffer | string> = {
      'no JSON': 'text=Hello',
      empty: '',
      'a byte-order mark': '\ufeff{"id":"m-1"}',
      'no UTF-8': Buffer.from([0x22, 0xc0, 0xaf, 0x22]),
      'too deep': '['.repeat(1000) + ']'.repeat(1000),
      'a key twice': '{"from":{"id":"a"},"from":{"id":"b"},"text":"?"}',
      'an infinite number': '{"id":1e400,"from":{"id":"a"},"text":"?"}',
      'too many elements': JSON.stringify(Array.from({ length: 1001 }, () => HELLO)),
    };
    for (const [what, body] of Object.entries(bodies)) await assert.rejects(read(body), Error, what);
  });

  it('keys that reach into prototypes as nothing', async () => {
    const item = await message(
      '{"id":"m-1","from":{"id":"u-7","__proto__":{"polluted":1}},"text":"Hello","__proto__":{"polluted":1},' +
        '"constructor":{"prototype":{"polluted":1}},"fields":{"__proto__":"x","toString":"kept"}}',
    );
    assert.equal(({} as { polluted?: number }).polluted, undefined);
    assert.deepEqual(Object.keys(item.fields!), ['toString']);
  });

  it('an empty list as nothing, and says so', async () => {
    assert.deepEqual(await read([]), [{ kind: 'ignored', name: 'empty', reason: 'the list has no elements' }]);
  });

  it('what is neither object nor list as broken', async () => {
    for (const body of ['5', 'null', '"Hello"']) assert.equal((await read(body))[0]!.kind, 'broken', body);
  });

  it('a subject that is too long, cut, and never through a letter', async () => {
    const { subject } = await message({ ...HELLO, subject: `${'s'.repeat(998)}😀😀` });
    assert.ok(subject!.length <= 1000 && subject!.isWellFormed() && subject!.endsWith('…'));
  });

  it('an e-mail address and a phone with the trust that the operator gave them', async () => {
    const body = { ...HELLO, from: { email: 'o@example.com', phone: '+380671234567' } };
    const trusts = async (settings: object) =>
      (await message(body, settings)).sender.identifiers.map(({ kind, trust }) => `${kind} ${trust}`);
    assert.deepEqual(await trusts({}), ['email observed', 'phone observed']);
    const identity = { email: 'verified', phone: 'claimed' };
    assert.deepEqual(await trusts({ identity }), ['email verified', 'phone claimed']);
  });

  it('a sender’s id in a kind of its own, which no payload can choose', async () => {
    const { sender } = await message({
      ...HELLO,
      from: { id: 'u-7', kind: 'telegram' },
      identity: { kind: 'telegram' },
    });
    assert.deepEqual(sender.identifiers, [{ kind: 'webhook:sample', value: 'u-7', trust: 'verified' }]);
  });

  it('no time without its offset', async () => {
    for (const occurredAt of ['2026-11-22T10:00:00', '22.11.2026', 'now', '2026-13-22T10:00:00Z', -5]) {
      const [item] = await read({ ...HELLO, occurredAt });
      assert.ok(item?.kind === 'broken' && item.error.includes('/occurredAt'), String(occurredAt));
    }
  });
});

describe('A mapping', () => {
  const from = { id: '/user' };

  it('is documented word for word as it is tested', () => {
    const page = readFileSync(new URL('../docs/channels/webhook.md', import.meta.url), 'utf8');
    for (const name of ['shop-order', 'survey', 'crm-event']) {
      const config = new URL(`../src/connectors/webhook/fixtures/${name}/config.yaml`, import.meta.url);
      assert.ok(page.includes(readFileSync(config, 'utf8').trim()), `docs/channels/webhook.md differs from ${name}`);
    }
  });

  it('ignores what it should, also where there is no list', async () => {
    const mapping = { items: '/events', ignoreUnless: { '#/type': ['events'] }, from, text: '/text' };
    assert.deepEqual(await read({ type: 'ping' }, { mapping }), [
      { kind: 'ignored', name: 'ping', reason: '#/type is none of events' },
    ]);
    await assert.rejects(read({ type: 'events' }, { mapping }), /no list at \/events/);
  });

  it('names element and pointer of what it can’t read, and reads the rest', async () => {
    const mapping = { items: '/events', from, text: '/text' };
    const events = [
      { user: 'u', text: { html: '?' } },
      { user: ['u'], text: 'Hello' },
      { user: 'u', text: 'Hello' },
    ];
    const items = await read({ events }, { mapping });
    assert.deepEqual(items.slice(0, 2), [
      { kind: 'broken', at: '/events/0', error: 'text: /text is an object, not a text or number' },
      { kind: 'broken', at: '/events/1', error: 'from.id: /user is a list, not a text or number' },
    ]);
    assert.equal(items[2]!.kind, 'message');
  });

  it('finds only what was sent, nothing that every object has', async () => {
    const item = await message('{"user":"u","text":"Hello"}', {
      mapping: {
        from,
        text: ['/toString', '/hasOwnProperty', '/text'],
        fields: { a: '/toString', b: '/text/length', c: '/constructor/name', d: '/hasOwnProperty' },
      },
    });
    assert.equal(item.text, 'Hello');
    assert.deepEqual(item.fields, {});
  });

  it('reads escaped names, positions, and the empty text as missing', async () => {
    const item = await message(
      { user: 'u', 'a/b': { 'c~d': 'Hello' }, list: ['zero', 'one'], none: '' },
      {
        mapping: {
          from,
          text: ['/none', '/a~1b/c~0d'],
          fields: { one: '/list/1', minus: '/list/-1', far: '/list/01' },
        },
      },
    );
    assert.equal(item.text, 'Hello');
    assert.deepEqual(item.fields, { one: 'one' });
  });

  it('fills templates with what it finds, once', async () => {
    const item = await message(
      { user: 'u', text: 'see {/secret}', secret: 'x' },
      { mapping: { from, text: { template: '{/text} {literal} {/missing}' }, subject: { template: '{/missing}' } } },
    );
    assert.equal(item.text, 'see {/secret} {literal} ');
    assert.equal(item.subject, undefined);
  });
});
