import assert from 'node:assert/strict';
import { Secret } from '../src/core/secret.ts';
import { call } from './fakes/raw-http.ts';
import { page, sign, signedWebhook, startWebhookServer } from './fakes/webhook-server.ts';
import type { WebhookServer } from './fakes/webhook-server.ts';

describe('An address behind which a vendor puts names of his own', () => {
  let web: WebhookServer;
  beforeEach(async () => {
    web = await startWebhookServer();
  });
  afterEach(() => web.close());

  const post = async (path: string) =>
    (await call(web.port, { path, body: 'x', headers: { 'x-signature': sign('x') } })).status;

  it('takes what is sent to any of them, verifies it all the same, and says which it was', async () => {
    web.add({ id: 'names', webhook: signedWebhook({ below: true }) });
    const paths = ['', '/', '/ping', '/events/call', '/events/record/added?a=1', '//', '/%', '/..%2f'];
    for (const path of paths) assert.equal(await post(`/webhooks/names${path}`), 200, path);
    assert.deepEqual(
      web.stored.map(({ url }) => url),
      paths.map((path) => `/webhooks/names${path}`),
    );
    const forged = { path: '/webhooks/names/events/call', body: 'x', headers: { 'x-signature': sign('y') } };
    assert.equal((await call(web.port, forged)).status, 401);
    assert.equal(web.stored.length, paths.length);
  });

  it('is one only where the channel asks for it', async () => {
    web.add({ id: 'plain', webhook: signedWebhook({}) });
    web.add({ id: 'secret', webhook: signedWebhook({ token: new Secret('events') }) });
    web.add({ id: 'off', enabled: false, webhook: signedWebhook({ below: true }) });
    web.add({ id: 'form', type: 'form', webhook: signedWebhook({ below: true, challenge: () => page(200, 'form') }) });
    for (const path of [
      '/webhooks/plain/events/call',
      '/webhooks/secret/events/call',
      '/webhooks/off/events/call',
      '/forms/form/events/call',
    ]) {
      assert.equal(await post(path), 404, path);
    }
    assert.deepEqual(web.stored, []);
  });
});
