import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { bytesOf, sendRaw } from './fakes/raw-http.ts';
import { until } from './fakes/until.ts';
import { sign, signedWebhook, startWebhookServer, type WebhookServer } from './fakes/webhook-server.ts';

describe('bodies that nobody has verified yet', () => {
  let web: WebhookServer;
  before(async () => {
    const limits = { refused: { burst: 1000, perSecond: 200 }, waiting: 1000, bodies: 150_000 };
    web = await startWebhookServer({ limits });
    web.add({ id: 'large', webhook: signedWebhook({ maxBytes: 1_000_000 }) });
  });
  after(() => web.close());

  it('take no more memory together than they may, and make room when their senders have gone', async () => {
    const begun = Buffer.concat([
      bytesOf({ path: '/webhooks/large', headers: { 'content-length': '900000' } }),
      Buffer.alloc(60_000, 'x'),
    ]);
    const slow = [connect(web.port, '127.0.0.1'), connect(web.port, '127.0.0.1')];
    for (const socket of slow) socket.write(begun);
    const answer = await until(async () => {
      const refused = await sendRaw(web.port, begun, { giveUpMs: 1000 });
      return refused.status !== 0 && refused;
    }, 'there is no room');
    assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '1']);
    assert.equal((await send('x')).status, 200, 'a small one still finds room');
    for (const socket of slow) socket.destroy();
    await until(async () => (await send('x'.repeat(120_000))).status === 200, 'there is room again');
  });

  const send = (body: string) =>
    sendRaw(web.port, bytesOf({ path: '/webhooks/large', headers: { 'x-signature': sign(body) }, body }));
});
