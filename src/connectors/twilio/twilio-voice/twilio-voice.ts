import type { Readable } from 'node:stream';
import { defineConnector } from '../../../core/connector.ts';
import type { Context } from '../../../core/connector.ts';
import type { Attachment } from '../../../core/envelope.ts';
import { PermanentError } from '../../../core/errors.ts';
import { openAccount } from '../account.ts';
import type { Account } from '../account.ts';
import { fileOf } from '../files.ts';
import { openVerify } from '../signature.ts';
import { callBack } from './call-back.ts';
import { isRecording } from './call.ts';
import { toItems } from './items.ts';
import { reconcile } from './reconcile.ts';
import { Config } from './settings.ts';
import type { Settings } from './settings.ts';
import { twimlOf } from './twiml.ts';

/** Far more than Twilio says of a call; what is written down of a message is two minutes long at most. */
const MAX_BYTES = 256 * 1024;

export const twilioVoice = defineConnector({
  type: 'twilio_voice',
  title: 'Twilio Voice: calls',
  summary: 'Greets who calls your numbers at Twilio, rings at agents, takes messages, and files every call.',
  docs: 'channels/twilio-voice.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook'],
    reply: false,
    idempotent: false,
    attachments: { in: true, out: false },
    callBack: true,
    localhost: false,
    threads: 'person',
    proven: ['vendor description', 'signature vectors', 'prose'],
  },
  config: Config,
  async open(config, context) {
    const { clock, http, webhookUrl } = context;
    const account = openAccount({ ...config, http });
    return {
      webhook: {
        maxBytes: MAX_BYTES,
        verify: await openVerify(config.authToken, webhookUrl),
        respond: (request) => ({
          status: 200,
          headers: { 'content-type': 'text/xml' },
          body: twimlOf(request, config, webhookUrl),
        }),
      },
      normalize: toItems,
      reconcile: (since, signal) => reconcile(account, config, since, signal),
      download: (attachment, { receivedAt }) => download(account, config, attachment, clock.now() - receivedAt),
      callBack: (wish) => callBack(account, config, webhookUrl, wish),
      test: () => test(account, config, context),
    };
  },
});

/** By its id, in our account: an address that a request names is never followed. */
async function download(
  account: Account,
  { accountSid }: Settings,
  { id, name }: Attachment,
  ageMs: number,
): Promise<Readable> {
  if (!isRecording(id)) throw new PermanentError(`"${id}" is not a recording of Twilio, so it is not fetched`);
  return fileOf(account, `/2010-04-01/Accounts/${accountSid}/Recordings/${id}.mp3`, name, ageMs);
}

/** Whether the credentials are right, and whom Twilio asks what to do with calls to our numbers. */
async function test(account: Account, { numbers }: Settings, { webhookUrl }: Context): Promise<string> {
  const found: string[] = [];
  for (const number of numbers) {
    const own = await account.number(number);
    if (!own) {
      throw new PermanentError(`${number} is none of the numbers of this account`, {
        hint: 'Compare it with Phone Numbers, Manage, Active numbers in the Twilio Console.',
      });
    }
    const asks = placeOf(own.voice_url, webhookUrl);
    found.push(`${number} asks ${asks} what to do, and tells ${placeOf(own.status_callback, webhookUrl)} of the end`);
  }
  return found.join('; ');
}

function placeOf(address: string | null | undefined, webhookUrl: string): string {
  const [place] = (address ?? '').split('#');
  return place === webhookUrl ? 'us' : place || 'nobody';
}
