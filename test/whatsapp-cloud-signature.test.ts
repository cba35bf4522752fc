import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { whatsappCloud } from '../src/connectors/whatsapp-cloud/whatsapp-cloud.ts';
import { BadPayloadError } from '../src/core/errors.ts';
import type { WebhookRequest } from '../src/core/payload.ts';
import { fakeContext } from './fakes/context.ts';
import { APP_SECRET, signed, VERIFY_TOKEN } from './fakes/whatsapp.ts';
import { skipUnless } from './skip.ts';

const SHARED = join(import.meta.dirname, '../../shared/fixtures');

describe("WhatsApp's signature", () => {
  const open = (appSecret = APP_SECRET) =>
    whatsappCloud.open(
      whatsappCloud.config.parse({ phoneNumberId: '1', accessToken: 'a', appSecret, verifyToken: VERIFY_TOKEN }),
      fakeContext(),
    );
  const request = (headers: Record<string, string>, body: string | Buffer, url = ''): WebhookRequest => ({
    endpointId: 'whatsapp',
    receivedAt: 0,
    method: 'POST',
    url,
    headers,
    body: Buffer.from(body),
  });
  const verify = async (headers: Record<string, string>, body: string | Buffer, secret?: string) =>
    (await open(secret)).webhook!.verify(request(headers, body));

  it('has the verdict that others state for it, and is refused with a byte changed', async function () {
    const file = join(SHARED, 'signatures/x-hub-signature-256/vectors.json');
    skipUnless(this, existsSync(file), 'the collected signatures are not beside the repository');
    const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as {
      vectors: { secret: string; body: string; signature: string; valid: boolean }[];
    };
    assert.equal(vectors.length, 2);
    for (const { secret, body, signature, valid } of vectors) {
      const headers = { 'x-hub-signature-256': signature };
      if (!valid) {
        await assert.rejects(verify(headers, body, secret), BadPayloadError);
        continue;
      }
      await verify(headers, body, secret);
      for (let at = 0; at < body.length; at++) {
        const changed = Buffer.from(body);
        changed[at]! ^= 1;
        await assert.rejects(verify(headers, changed, secret), BadPayloadError);
      }
    }
  });

  it('is refused in any other spelling', async () => {
    const body = '{"object":"whatsapp_business_account"}';
    const { 'x-hub-signature-256': right = '' } = signed(body);
    await verify({ 'x-hub-signature-256': right }, body);
    const spellings = [
      '',
      'sha256=',
      right.slice(7),
      right.replace('sha256', 'sha1'),
      right.replace('sha256', 'sha512'),
      right.toUpperCase(),
      `sha256=${right.slice(7).toUpperCase()}`,
      `${right}\n`,
      `${right}, ${right}`,
      right.slice(0, -1),
      `${right}00`,
      `sha256=${Buffer.from(right.slice(7), 'hex').toString('base64')}`,
      `sha256=${'0'.repeat(1_000_000)}`,
      'sha256=ü',
    ];
    for (const spelling of spellings) {
      await assert.rejects(verify({ 'x-hub-signature-256': spelling }, body), BadPayloadError, spelling.slice(0, 80));
    }
    await assert.rejects(verify(signed(body, 'of another app'), body), BadPayloadError);
    await assert.rejects(verify({}, body), BadPayloadError);
  });

  it("answers Meta's question when the address is entered, and nobody else's", async () => {
    const { challenge } = (await open()).webhook!;
    const ask = async (query: string) => challenge!(request({}, '', `/webhooks/whatsapp?${query}`));
    const right = `hub.mode=subscribe&hub.verify_token=${VERIFY_TOKEN}&hub.challenge=1158201444`;
    assert.deepEqual(await ask(right), {
      status: 200,
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: '1158201444',
    });
    for (const wrong of [
      '',
      right.replace('subscribe', 'unsubscribe'),
      right.replace(VERIFY_TOKEN, 'other-words'),
      right.replace('hub.challenge', 'hub.challenge[]'),
      right.replace('1158201444', '%3Cscript%3E'),
      right.replace('1158201444', '1'.repeat(257)),
      `${right}&hub.challenge=2`,
      `${right}&hub.verify_token=2`,
    ]) {
      assert.deepEqual(await ask(wrong), { status: 403 }, wrong);
    }
  });

  it('says in its settings what is wrong with them', () => {
    const settings = { phoneNumberId: '1', accessToken: 'a', appSecret: 'b', verifyToken: 'c' };
    assert.ok(whatsappCloud.config.safeParse(settings).success);
    const problem = (given: object) =>
      whatsappCloud.config.safeParse({ ...settings, ...given }).error?.issues[0]?.message;
    assert.match(problem({ phoneNumberId: 106540352240001 }) ?? '', /in quotes/);
    assert.match(problem({ phoneNumberId: '+1 202 555 0100' }) ?? '', /other characters than digits/);
    assert.ok(problem({ apiVersion: '23' }));
  });
});
