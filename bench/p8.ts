import { setTimeout as sleep } from 'node:timers/promises';
import { table, type Section } from './report.ts';
import { SECRET } from './requests.ts';
import { seedSqlite } from './seed.ts';
import { settled, startGateway, type Options } from './servers.ts';

/** Nine kinds beside `intake` that call nobody when they start: without PUBLIC_URL none registers a webhook. */
const CHANNELS = `  - { id: form, type: form }
  - { id: chat, type: web_chat, allowedOrigins: ['https://shop.example.com'] }
  - { id: mail, type: email, address: support@example.com, listen: { host: 127.0.0.1, port: 0 } }
  - { id: sms, type: sms_gateway, token: 0f8c6b1f4c6c9f3a2f3f2b6f1d576d0f, fields: { id: id, from: from, text: text } }
  - { id: line, type: line, channelSecret: 0f1e2d3c4b5a69788796a5b4c3d2e1f0, channelAccessToken: an-example-of-a-channel-access-token }
  - { id: teams, type: teams, appId: 3f1c2d4e-5a6b-4c7d-8e9f-0a1b2c3d4e5f, appPassword: an-example-of-a-secret-0123456789, tenantId: 7b1e0f52-3c4d-4e5f-8a6b-9c0d1e2f3a4b }
  - { id: viber, type: viber, token: 5f0c9d2e7b1a4c38-0123456789abcdef-an-example000000, senderName: Example Desk }
  - { id: instagram, type: instagram, accountId: '17841400000000001', pageId: '102290129340011', accessToken: EAAG-an-example-token-of-a-page, appSecret: 0f1e2d3c4b5a69788796a5b4c3d2e1f0, verifyToken: words-that-you-choose }
  - { id: whatsapp, type: whatsapp_cloud, phoneNumberId: '106540352240001', accountId: '102290129340001', accessToken: EAAG-an-example-token-of-a-user, appSecret: 0f1e2d3c4b5a69788796a5b4c3d2e1f0, verifyToken: words-that-you-choose }
`;

/** Nobody listens there, so that what waits goes on waiting. */
export const NOBODY = `destinations:\n  - { id: crm, type: webhook, url: "http://127.0.0.1:9/hooks", secret: "${SECRET}" }\nroutes:\n  - { to: [crm] }\n`;

/** P8: memory of a gateway that has nothing to do, and of one with deliveries that wait for somebody who isn't there. */
export async function p8(options: Options): Promise<Section> {
  await seedSqlite(`${options.folder}/p8-waiting`, { messages: options.waiting, waitingFor: 'crm' });
  const [one, ten, waiting] = [
    await memoryOf(options, { name: 'one channel', data: 'p8-one' }),
    await memoryOf(options, { name: 'ten channels of ten kinds', data: 'p8-ten', yaml: CHANNELS }),
    await memoryOf(options, { name: `${options.waiting} deliveries wait`, data: 'p8-waiting', yaml: NOBODY }),
  ];
  return {
    text: `SQLite; the resident memory of the whole process, now and at most since it started.\n\n${table(
      ['gateway', 'now', 'at most'],
      [one, ten, waiting].map(({ name, now, most }) => [name, `${now.toFixed(0)} MB`, `${most.toFixed(0)} MB`]),
    )}`,
    goals: [
      { what: 'P8: idle with ten channels', value: ten.now, unit: ' MB', wanted: ['at most', 120] },
      { what: `P8: ${options.waiting} waiting`, value: waiting.most, unit: ' MB', wanted: ['at most', 400] },
    ],
  };
}

async function memoryOf(
  options: Options,
  given: { readonly name: string; readonly data: string; readonly yaml?: string },
) {
  const gateway = await startGateway(options, given);
  await sleep(options.seconds * 1000);
  await settled(gateway);
  const { rss, peak } = await gateway.usage();
  await gateway.stop();
  return { name: given.name, now: rss / 1e6, most: peak / 1e6 };
}
