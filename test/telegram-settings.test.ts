import assert from 'node:assert/strict';
import { z } from 'zod';
import { telegram } from '../src/connectors/telegram/telegram.ts';
import { TOKEN } from './fakes/telegram.ts';

type Shown = { readonly format?: string };

describe("Telegram's channel", () => {
  describe('the settings', () => {
    const problems = (settings: object) =>
      telegram.config.safeParse({ token: TOKEN, ...settings }).error?.issues.map(({ path }) => path.join('.')) ?? [];

    it('are shown as passwords where they are secrets', () => {
      const { properties } = z.toJSONSchema(telegram.config, { io: 'input' });
      const formats = Object.entries(properties ?? {}).map(([name, schema]) => [name, (schema as Shown).format]);
      assert.deepEqual(Object.fromEntries(formats), {
        token: 'password',
        mode: undefined,
        webhookSecret: 'password',
        apiRoot: 'uri',
      });
    });

    it('need a secret for the webhook that Telegram accepts, and a token that is one', () => {
      assert.deepEqual(problems({}), []);
      assert.deepEqual(problems({ mode: 'webhook', webhookSecret: 's3cret' }), []);
      assert.deepEqual(problems({ mode: 'webhook' }), ['webhookSecret']);
      assert.deepEqual(problems({ mode: 'webhook', webhookSecret: 'with space' }), ['webhookSecret']);
      assert.deepEqual(problems({ token: 'bot123:abc' }), ['token']);
      assert.deepEqual(problems({ apiRoot: 'ftp://example.com' }), ['apiRoot']);
    });
  });
});
