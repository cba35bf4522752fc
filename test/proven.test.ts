import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectors } from '../src/connectors/index.ts';
import { skipUnless } from './skip.ts';

const SHARED = join(import.meta.dirname, '../../shared/fixtures');
const read = (path: string): unknown => JSON.parse(readFileSync(join(SHARED, path), 'utf8'));
const list = (path: string) => read(path) as readonly { readonly from?: string; readonly payload: object }[];
const filesIn = (path: string, shape = /\.json$/) =>
  readdirSync(join(SHARED, path), { recursive: true, encoding: 'utf8' }).filter((name) => shape.test(name));

/** Where each messenger's own tests take them from, and send all of them through the real route. */
const COLLECTED: Readonly<Record<string, () => number>> = {
  whatsapp_cloud: () =>
    filesIn('whatsapp-cloud/pywa')
      .map((name) => Object.keys(read(`whatsapp-cloud/pywa/${name}`) as object).length)
      .reduce((sum, count) => sum + count, list('whatsapp-cloud/chatwoot/payloads.json').length),
  twilio: () => list('twilio-sms-voice/chatwoot/payloads.json').length,
  vk: () =>
    (read('vk/vksdk-callback/cases.json') as readonly object[]).length + list('vk/vkbottle/payloads.json').length,
  messenger: () => filesIn('messenger-instagram/restfb/webhooks').length + fromChatwoot(true),
  instagram: () => fromChatwoot(false),
  facebook_leads: () => filesIn('messenger-instagram/restfb/webhooks', /^leadgen/).length,
  slack: () => filesIn('slack/java-slack-sdk').length + list('slack/chatwoot/payloads.json').length,
  // Two of its documentation are activities of a status, which nobody is ever told.
  discord: () =>
    list('discord/discord-api-docs/payloads.json').length -
    2 +
    list('discord/discord-interactions-js/payloads.json').length,
  // The other one is in no list.
  viber: () => list('viber/viber-bot-node/payloads.json').length + 1,
  line: () => filesIn('line/line-bot-sdk-java').length + list('line/chatwoot/payloads.json').length,
  teams: () => list('teams/botbuilder-js/payloads.json').length,
  trustpilot: () => filesIn('reviews/trustpilot').length,
  sms_gateway: () =>
    filesIn('vonage/vonage-php-sdk-core/SMS/requests', /./).length +
    list('sms-other/chatwoot-bandwidth/payloads.json').length,
};

function fromChatwoot(isMessenger: boolean): number {
  return list('messenger-instagram/chatwoot/payloads.json').filter(
    ({ from = '' }) => from.includes('facebook_message') === isMessenger,
  ).length;
}

describe('What the catalogue says that a channel was proven against', () => {
  before(function () {
    skipUnless(this, existsSync(SHARED), 'the collected fixtures are not beside the repository');
  });

  for (const [type, count] of Object.entries(COLLECTED)) {
    it(`is as many payloads as were collected of ${type}`, () => {
      const proven = connectors.find((one) => one.type === type)?.capabilities.proven ?? [];
      assert.ok(proven.includes(`${count()} collected payloads`), `${proven.join(', ')} should say ${count()}`);
    });
  }
});
