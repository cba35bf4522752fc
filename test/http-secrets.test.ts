import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { TributaryError } from '../src/core/errors.ts';
import type { HttpRequest } from '../src/core/http.ts';
import { createHttp } from '../src/http/http.ts';
import { startReceiver, type Receiver } from './fakes/receiver.ts';
import { formsOf } from './fakes/secret-forms.ts';

const PLAIN = 'not-a-real-secret';
/** Written in another way in an address, in a form, in JSON and in base64. */
const ODD = 'not a+real/"secret"?ü';

describe('What an answer quotes of a request', () => {
  let far: Receiver;
  const egress = createHttp({ allow: ['127.0.0.1'] });
  before(async () => {
    far = await startReceiver();
  });
  after(async () => {
    egress.close();
    await far.close();
  });

  /** The error after an answer with that text. */
  async function told(text: string, request: Partial<HttpRequest>): Promise<string> {
    far.behave({ status: 403, body: text });
    const error: unknown = await egress
      .for({ hosts: [] })
      .send({ url: `${far.origin}/token`, ...request })
      .catch((thrown: unknown) => thrown);
    assert.ok(error instanceof TributaryError);
    return inspect(error, { depth: 8, showHidden: true });
  }

  it('is no login, as it was sent or as it was read', async () => {
    const login = Buffer.from(`user-of-the-desk:${PLAIN}`).toString('base64');
    const headers = { authorization: `Basic ${login}` };
    const shown = await told(`Basic ${login} is user-of-the-desk:${PLAIN}; no user has ${PLAIN}, sorry`, { headers });
    assert.ok(![PLAIN, login, 'user-of-the-desk'].some((each) => shown.includes(each)), shown);
    assert.match(shown, /sorry/);
  });

  it('is none of several credentials in its body, however it is spelled', async () => {
    const spelled = [PLAIN, ODD, encodeURIComponent(ODD), new URLSearchParams({ ODD }).toString(), JSON.stringify(ODD)];
    for (const each of spelled) {
      const shown = await told(`sorry, ${each} is wrong`, { method: 'POST', body: 'x', hidden: [PLAIN, ODD] });
      assert.match(shown, /sorry, .{0,5}\[secret\].{0,2} is wrong/);
    }
  });

  it('is no credential in the address, as it was written there', async () => {
    const query = new URLSearchParams({ key: ODD }).toString();
    const shown = await told(`sorry, nothing at /token?${query}`, { url: `${far.origin}/token?${query}` });
    assert.match(shown, /sorry, nothing at \/token\?key=\[secret\]/);
  });
});

describe('A secret in base64', () => {
  it('is found wherever it begins in what was encoded', () => {
    for (const secret of [PLAIN, ODD]) {
      for (const before of ['', 'a', 'ab', 'abc:', 'user@example.com:']) {
        for (const after of ['', 'x', 'xy']) {
          for (const encoding of ['base64', 'base64url'] as const) {
            const text = Buffer.from(`${before}${secret}${after}`).toString(encoding);
            assert.ok(
              formsOf(secret).some((form) => text.includes(form)),
              `${before}…${after}`,
            );
          }
        }
      }
      assert.ok(!formsOf(secret).some((form) => 'bm90IGEgc2VjcmV0IGF0IGFsbA=='.includes(form)));
    }
  });
});
