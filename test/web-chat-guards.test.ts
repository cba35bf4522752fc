import assert from 'node:assert/strict';
import { webChat } from '../src/connectors/web-chat/web-chat.ts';
import type { Channel } from '../src/core/connector.ts';
import { BadPayloadError, PermanentError } from '../src/core/errors.ts';
import type { WebhookRequest } from '../src/core/payload.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import { IDENTITY_SECRET, identityOf } from './fakes/chat.ts';
import { samplePayload } from './fakes/samples.ts';

const NOW = 1_795_341_600_000;
const CLAIMS = { sub: 'u-1', exp: NOW / 1000 + 300 };

describe('A web chat, alone', () => {
  async function open(given: object = {}): Promise<Channel> {
    const config = webChat.config.parse({ identitySecret: IDENTITY_SECRET, ...given });
    const publicUrl = 'https://desk.example.com';
    return webChat.open(config, fakeContext({ id: 'site', clock: fakeClock(NOW), publicUrl }));
  }
  async function tokenFor(headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const { webhook } = await open();
    const request = { method: 'GET', url: '/chat/site/session', headers, body: Buffer.alloc(0) };
    const answer = await webhook!.challenge!(request as unknown as WebhookRequest);
    return (JSON.parse(String(answer!.body)) as { token: string }).token;
  }
  async function post(body: object, headers: Readonly<Record<string, string>> = {}) {
    const token = await tokenFor(headers);
    const whole = { type: 'message', id: 'key-0001', text: 'Hello', session: token.split('.')[0], ...body };
    const payload = samplePayload(whole, { 'content-type': 'application/json', authorization: `Bearer ${token}` });
    return { channel: await open(), payload };
  }

  it('is shown by sites that are named as browsers name them', () => {
    const isTaken = (origin: string) => webChat.config.safeParse({ allowedOrigins: [origin] }).success;
    assert.ok(isTaken('https://shop.example.com') && isTaken('http://localhost:3000'));
    for (const wrong of ['shop.example.com', '*', 'null', 'https://shop.example.com/', 'https://shop.example.com/a']) {
      assert.equal(isTaken(wrong), false, wrong);
    }
    for (const wrong of ['ftp://shop.example.com', 'https://SHOP.example.com', 'https://shop.example.com:443']) {
      assert.equal(isTaken(wrong), false, wrong);
    }
  });

  it('is its own page by its public address and by the name that it is reached by, and by neither alone elsewhere', async () => {
    const isOpen = (origin: string, host: string) =>
      tokenFor({ origin, host }).then(
        () => true,
        (error: unknown) => {
          assert.ok(error instanceof BadPayloadError);
          return false;
        },
      );
    assert.equal(await isOpen('https://desk.example.com', '10.0.0.7:3000'), true);
    assert.equal(await isOpen('http://localhost:3000', 'localhost:3000'), true);
    assert.equal(await isOpen('https://evil.example.com', 'desk.example.com'), false);
    assert.equal(await isOpen('null', 'desk.example.com'), false);
  });

  it('trusts no address and no number that the shop itself has not verified', async () => {
    const sure = async (more: object) => {
      const identity = identityOf({ ...CLAIMS, email: 'a@example.com', phone_number: '+380501112233', ...more });
      const { channel, payload } = await post({}, { 'tributary-identity': identity });
      const [item] = await channel.normalize(payload);
      assert.ok(item?.kind === 'message');
      return item.sender.identifiers.flatMap(({ kind }) => (kind === 'email' || kind === 'phone' ? kind : []));
    };
    assert.deepEqual(await sure({}), ['email', 'phone']);
    assert.deepEqual(await sure({ email_verified: true, phone_number_verified: true }), ['email', 'phone']);
    assert.deepEqual(await sure({ email_verified: false }), ['phone']);
    assert.deepEqual(await sure({ phone_number_verified: false }), ['email']);
  });

  it('takes files whose bytes can be read only, and hands out those that a message has', async () => {
    const taken = async (content: string) => {
      const { channel, payload } = await post({ files: [{ name: 'a.txt', content }] });
      try {
        await channel.webhook!.verify(payload);
        return true;
      } catch (error) {
        assert.ok(error instanceof BadPayloadError);
        return false;
      }
    };
    assert.equal(await taken('aGVsbG8='), true);
    for (const wrong of ['aGVsbG8', 'aGVsbG8%', 'aGVs====']) assert.equal(await taken(wrong), false, wrong);
    const { channel, payload } = await post({ files: [{ name: 'a.txt', content: 'aGVsbG8=' }] });
    const file = (id: string) => ({ id, name: 'a.txt', mediaType: 'text/plain' });
    assert.ok(await channel.download!(file('0'), payload));
    for (const id of ['1', '-1', 'x']) await assert.rejects(channel.download!(file(id), payload), PermanentError, id);
  });
});
