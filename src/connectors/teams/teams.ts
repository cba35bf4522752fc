import type { Readable } from 'node:stream';
import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { Attachment } from '../../core/envelope.ts';
import { PermanentError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';
import { createAccess } from './access.ts';
import { Message } from './activity.ts';
import { createApi } from './api.ts';
import type { TeamsApi } from './api.ts';
import { addressOf } from './content.ts';
import { toItems } from './items.ts';
import { createSigningKeys } from './keys.ts';
import { createReadMarkup } from './markup.ts';
import { sendReply } from './reply.ts';
import { createVerify } from './token.ts';

const Config = z.strictObject({
  appId: z
    .guid({ error: 'is not an id such as 3f1c2d4e-5a6b-4c7d-8e9f-0a1b2c3d4e5f' })
    .toLowerCase()
    .meta({ description: 'Microsoft App ID of the Azure Bot: what it is sent must be meant for it' }),
  appPassword: secret('Client secret of that app: its value, not its id'),
  tenantId: z
    .string()
    .regex(/^[\w.-]{1,100}$/, { error: 'is neither the id nor the domain of a tenant' })
    .default('botframework.com')
    .meta({ description: 'Tenant of the app; left out only for an old bot of several tenants' }),
  apiRoot: rootAddress
    .optional()
    .meta({ description: 'Address of a stand-in, instead of all of Microsoft’s; its keys are believed' }),
});

export const teams = defineConnector({
  type: 'teams',
  title: 'Microsoft Teams',
  summary: 'Takes what people write to a bot in Microsoft Teams, in chats, groups and channels, and answers.',
  docs: 'channels/teams.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook'],
    reply: true,
    idempotent: false,
    attachments: { in: true, out: true },
    localhost: false,
    threads: 'person',
    proven: ['21 collected payloads', 'prose'],
  },
  config: Config,
  async open({ appId, appPassword, tenantId, apiRoot }, { id: channel, http, clock }) {
    const keys = createSigningKeys({ http, clock, apiRoot });
    const access = createAccess({ appId, appPassword, tenantId, apiRoot, http, clock });
    const api = createApi({ access, apiRoot, http });
    const readMarkup = await createReadMarkup();
    return {
      webhook: { verify: createVerify({ appId, keys, clock }) },
      normalize: ({ body, receivedAt }) => toItems(parseJson(body), { channel, receivedAt, readMarkup }),
      reply: (reply) => sendReply({ api, appId }, reply),
      download: (attachment, payload) => download(api, attachment, payload),
      async test() {
        await access.token();
        await keys.load();
        return `the bot ${appId} gets tokens of Microsoft, and the keys that it signs with can be had`;
      },
    };
  },
});

async function download(api: TeamsApi, file: Attachment, { body }: Payload): Promise<Readable> {
  const url = addressOf(file, Message.parse(parseJson(body)).attachments);
  if (url === undefined || !URL.canParse(url)) throw new PermanentError(`Teams tells no address of ${file.name}`);
  return api.download(url);
}
