import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { Webhook as Oracle } from 'standardwebhooks';
import { authenticate } from '../src/connectors/webhook/auth.ts';
import type { Auth } from '../src/connectors/webhook/auth.ts';
import { BadPayloadError } from '../src/core/errors.ts';
import { equalSecrets, Secret } from '../src/core/secret.ts';
import {
  hmac,
  matchesBasic,
  matchesBearer,
  matchesSignature,
  signStandardWebhook,
  verifyStandardWebhook,
} from '../src/core/signature.ts';
import { samplePayload } from './fakes/samples.ts';
import { skipUnless } from './skip.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const SHARED = join(ROOT, '../shared');
const SECRET = 'whsec_c2FtcGxlLXNlY3JldC1mb3ItdGhlLWludGFrZQ==';
const NOW = Date.parse('2026-11-22T10:00:00Z');

interface Vector {
  readonly name?: string;
  readonly vendor?: string;
  readonly secret: string;
  readonly signing_secret: string;
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly signature: string;
  readonly timestamp?: string;
  readonly now?: number;
  readonly valid?: boolean;
}

/** The vectors of a file below the collected data, or a visible skip. */
function vectorsOf(context: Mocha.Context, path: string): Vector[] {
  const file = join(SHARED, path, 'vectors.json');
  skipUnless(context, existsSync(file), 'the collected fixtures are not beside the repository');
  const read = JSON.parse(readFileSync(file, 'utf8')) as { vectors: Vector[] } | Vector[];
  return Array.isArray(read) ? read : read.vectors;
}

function accepts(check: () => void): boolean {
  try {
    check();
    return true;
  } catch (error) {
    assert.ok(error instanceof BadPayloadError, String(error));
    return false;
  }
}

const hmacAuth = (secret: string, more: Partial<Extract<Auth, { type: 'hmac' }>>): Auth => ({
  type: 'hmac',
  secret: new Secret(secret),
  header: 'x-signature',
  algorithm: 'sha256',
  encoding: 'hex',
  prefix: '',
  template: '{body}',
  ...more,
});

describe('A signature', () => {
  it('is checked as the Standard Webhooks vectors say', function () {
    const vectors = vectorsOf(this, 'fixtures/signatures/standard-webhooks');
    assert.ok(vectors.length >= 7);
    for (const { name, secret, headers, body, now, valid } of vectors) {
      const request = { headers, body: Buffer.from(body) };
      assert.equal(
        accepts(() => verifyStandardWebhook([secret], request, now! * 1000)),
        valid,
        name,
      );
    }
  });

  const families: Record<string, { settings: Parameters<typeof hmacAuth>[1]; matches?: RegExp }> = {
    'fixtures/signatures/x-hub-signature-256': { settings: { prefix: 'sha256=' } },
    'fixtures/signatures/line-bot-sdk-python': { settings: { encoding: 'base64' } },
    'fixtures/signatures/viber-bot-python': { settings: {} },
    'fixtures/signatures/slack-python-sdk': {
      settings: { prefix: 'v0=', template: 'v0:{timestamp}:{body}', timestampHeader: 'x-time' },
    },
  };
  for (const [path, { settings }] of Object.entries(families)) {
    it(`is checked as the vectors of ${path.split('/').at(-1)} say, by settings alone`, function () {
      for (const vector of vectorsOf(this, path)) {
        const headers = { 'x-signature': vector.signature, 'x-time': vector.timestamp ?? '' };
        const request = samplePayload(vector.body, headers);
        const auth = hmacAuth(vector.secret ?? vector.signing_secret, settings);
        const now = (vector.now ?? 0) * 1000;
        assert.equal(
          accepts(() => authenticate(auth, request, now, '')),
          vector.valid,
          JSON.stringify(vector),
        );
      }
    });
  }

  it('is checked as the examples on the vendors’ pages say, by settings alone', function () {
    const bodyOnly: Record<string, Parameters<typeof hmacAuth>[1]> = {
      websub: { prefix: 'sha256=' },
      GitHub: { prefix: 'sha256=' },
      LINE: { encoding: 'base64' },
    };
    let seen = 0;
    for (const vector of vectorsOf(this, 'specs/webhook-vectors')) {
      const known = Object.entries(bodyOnly).find(([vendor]) => vector.vendor?.startsWith(vendor));
      if (!known) continue;
      seen += 1;
      const auth = hmacAuth(vector.secret, known[1]);
      authenticate(auth, samplePayload(vector.body, { 'x-signature': vector.signature }), NOW, '');
    }
    assert.equal(seen, 3);
  });

  it('of ours is understood by the Standard Webhooks library, and its own by us', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 24, maxLength: 64 }),
        fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
        fc.string({ unit: 'binary', maxLength: 200 }).filter((body) => body.isWellFormed()),
        fc.integer({ min: -299, max: 299 }),
        (key, id, body, off) => {
          const secret = `whsec_${Buffer.from(key).toString('base64')}`;
          const at = new Date(NOW + off * 1000);
          const ours = signStandardWebhook([secret], { id, timestampSec: at.getTime() / 1000, body });
          const theirs = new Oracle(secret).sign(id, at, body);
          assert.equal(ours['webhook-signature'], theirs);
          verifyStandardWebhook([secret], { headers: { ...ours }, body: Buffer.from(body) }, NOW);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('by two secrets is understood with either, as the library does', () => {
    const [a, b] = [SECRET, 'whsec_YW5vdGhlci1zYW1wbGUtc2VjcmV0LWZvci1yZXBseQ=='];
    const now = Math.floor(Date.now() / 1000);
    const headers = { ...signStandardWebhook([a, b], { id: 'msg_1', timestampSec: now, body: '{"a":1}' }) };
    for (const secret of [a, b]) assert.deepEqual(new Oracle(secret).verify('{"a":1}', headers), { a: 1 });
  });

  it('of another encoding, length or prefix is refused, never an accident', () => {
    const expected = hmac('sha256', 'key', 'body');
    for (const encoding of ['hex', 'base64'] as const) {
      const right = expected.toString(encoding);
      assert.ok(matchesSignature(expected, right, encoding));
      const other = expected.toString(encoding === 'hex' ? 'base64' : 'hex');
      const wrong = [other, right.toUpperCase(), `${right}\n`, ` ${right}`, right.slice(0, -1), `sha256=${right}`];
      for (const given of [...wrong, '', `${right}, ${right}`, right.repeat(20_000)]) {
        assert.equal(matchesSignature(expected, given, encoding), false, given.slice(0, 100));
      }
    }
  });

  it('can be anything at all without breaking the check', () => {
    const auths: Auth[] = [
      { type: 'standard_webhooks', secret: new Secret(SECRET) },
      hmacAuth('key', { timestampHeader: 'x-time', template: '{timestamp}{body}' }),
      hmacAuth('key', { encoding: 'base64', prefix: 'sha256=' }),
      { type: 'basic', user: 'u', password: new Secret('p') },
      { type: 'bearer', token: new Secret('t') },
      { type: 'api_key', header: 'x-signature', key: new Secret('k') },
    ];
    const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature', 'x-signature', 'x-time', 'authorization'];
    const anything = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 100 }),
      fc.constantFrom(
        '',
        ',',
        'v1,',
        'v1,, v1,',
        'Basic ',
        'Basic =',
        'Bearer',
        '1795341600',
        '1e308',
        '-1',
        'sha256=',
      ),
      fc.constant('v1,'.repeat(2000)),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), anything), (headers) => {
        for (const auth of auths)
          assert.equal(
            accepts(() => authenticate(auth, samplePayload('{}', headers), NOW, '')),
            false,
          );
      }),
    );
  });

  it('doesn’t survive the change of any byte of id, time or body', () => {
    const body = Buffer.from('{"id":"m-1"}');
    const headers = signStandardWebhook([SECRET], { id: 'msg_1', timestampSec: NOW / 1000, body });
    verifyStandardWebhook([SECRET], { headers: { ...headers }, body }, NOW);
    fc.assert(
      fc.property(fc.nat(body.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(body);
        changed.writeUInt8(changed.readUInt8(at) ^ flip, at);
        assert.ok(!accepts(() => verifyStandardWebhook([SECRET], { headers: { ...headers }, body: changed }, NOW)));
      }),
    );
    for (const change of [{ 'webhook-id': 'msg_2' }, { 'webhook-timestamp': String(NOW / 1000 + 1) }]) {
      assert.ok(!accepts(() => verifyStandardWebhook([SECRET], { headers: { ...headers, ...change }, body }, NOW)));
    }
  });

  it('is refused when its time is more than five minutes off, or no time', () => {
    const at = (timestampSec: number) => {
      const headers = signStandardWebhook([SECRET], { id: 'msg_1', timestampSec, body: '{}' });
      return accepts(() => verifyStandardWebhook([SECRET], { headers: { ...headers }, body: Buffer.from('{}') }, NOW));
    };
    fc.assert(
      fc.property(fc.integer({ min: -100_000, max: 100_000 }), (off) => {
        assert.equal(at(NOW / 1000 + off), Math.abs(off) <= 300);
      }),
    );
    for (const time of [-1, 0.5, 1e308, Number.NaN, Number.POSITIVE_INFINITY, 0]) assert.equal(at(time), false);
  });
});

describe('A password or token', () => {
  it('is the one it should be, to the last character', () => {
    const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
    assert.ok(matchesBasic(basic('user:pässword:with colon'), 'user', 'pässword:with colon'));
    for (const header of [undefined, '', 'Basic', basic(''), basic('user:'), basic('user:pässword'), basic('User:p')]) {
      assert.equal(matchesBasic(header, 'user', 'pässword:with colon'), false);
    }
    assert.ok(matchesBearer('bearer token', 'token'));
    for (const header of [undefined, '', 'token', 'Bearer ', 'Bearer token x', 'Bearer Token', 'Bearer  token ']) {
      assert.equal(matchesBearer(header, 'token'), false);
    }
  });

  it('is compared whatever its length', () => {
    assert.ok(equalSecrets('', ''));
    assert.ok(equalSecrets('ключ', Buffer.from('ключ')));
    fc.assert(fc.property(fc.string(), fc.string(), (a, b) => equalSecrets(a, b) === (a === b)));
  });

  it('is nowhere in the code compared with ===, which tells its beginning by the time it takes', () => {
    // The linter finds variables named like secrets; this finds those that are taken out of a Secret.
    const compares = (code: string) => /reveal\(\)\s*[!=]==?|[!=]==?\s*[\w.?!]+\.reveal\(\)/.test(code);
    assert.ok(
      compares('if (given === config.token.reveal()) return;') &&
        compares('a.reveal() !== b') &&
        compares('a == this.b?.reveal()'),
    );
    const folder = join(ROOT, 'src');
    const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    assert.ok(sources.length > 10);
    assert.deepEqual(
      sources.filter((name) => compares(readFileSync(join(folder, name), 'utf8'))),
      [],
    );
  });
});
