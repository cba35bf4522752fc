import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { z } from 'zod';
import * as binotel from '../src/connectors/binotel/api.ts';
import * as google from '../src/connectors/google-business/grant.ts';
import * as max from '../src/connectors/max/api.ts';
import { subscribe } from '../src/connectors/max/webhook.ts';
import * as trustpilot from '../src/connectors/trustpilot/grant.ts';
import * as vk from '../src/connectors/vk/api.ts';
import { TributaryError } from '../src/core/errors.ts';
import type { Http } from '../src/core/http.ts';
import { Secret } from '../src/core/secret.ts';
import { createHttp } from '../src/http/http.ts';
import { fakeClock } from './fakes/clock.ts';
import { startReceiver, type Receiver } from './fakes/receiver.ts';

const [ONE, OTHER] = ['not-a-real-secret', 'not-a-real-one-either'];

/** Vendors that want their credentials in the body of a call. */
describe('What a vendor quotes of a call', () => {
  let far: Receiver;
  let http: Http;
  const egress = createHttp({ allow: ['127.0.0.1'] });
  const clock = fakeClock();
  const [one, other] = [new Secret(ONE), new Secret(OTHER)];
  before(async () => {
    far = await startReceiver();
    http = egress.for({ hosts: [] });
  });
  after(async () => {
    egress.close();
    await far.close();
  });

  const vendors: Readonly<Record<string, () => Promise<unknown>>> = {
    Google: () =>
      google
        .createAccessTokens({
          grant: { clientId: 'client', clientSecret: one, refreshToken: other },
          tokenUrl: `${far.origin}/token`,
          ...{ http, clock },
        })
        .current(),
    Trustpilot: () =>
      trustpilot
        .createAccessTokens({
          grant: { apiKey: one, apiSecret: one, user: { email: 'a@example.com', password: other } },
          apiRoot: far.origin,
          ...{ http, clock },
        })
        .current(),
    VK: () => vk.createCall({ token: one, apiRoot: far.origin, http })('groups.getById', {}, z.unknown()),
    Binotel: () =>
      binotel
        .createApi({ http, apiRoot: far.origin, key: one, secret: other })
        .calls(0, 1, AbortSignal.timeout(10_000)),
    MAX: () => {
      const api = max.createApi({ token: other, apiRoot: far.origin, http });
      const context = { webhookUrl: 'https://desk.example.com/webhooks/max' } as Parameters<typeof subscribe>[2];
      return subscribe(api, one, context, AbortSignal.timeout(10_000));
    },
  };

  for (const [vendor, call] of Object.entries(vendors)) {
    it(`shows nothing that it is told by: ${vendor}`, async () => {
      far.behave(({ body }) => ({ status: 500, body: `sorry, ${body.toString()} is too much` }));
      const error: unknown = await call().catch((thrown: unknown) => thrown);
      assert.ok(error instanceof TributaryError);
      const shown = inspect(error, { depth: 8, showHidden: true });
      assert.match(shown, /sorry, /);
      assert.ok(![ONE, OTHER].some((secret) => shown.includes(secret)), shown);
    });
  }
});
