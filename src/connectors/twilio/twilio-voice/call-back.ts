import type { CallBack } from '../../../core/connector.ts';
import { PermanentError } from '../../../core/errors.ts';
import type { Account } from '../account.ts';
import { isPublic } from '../signature.ts';
import type { Settings } from './settings.ts';
import { addressOf } from './steps.ts';

/**
 * Rings at the agent; once he has picked up and pressed a key, Twilio asks us what next, and is told to call the customer.
 * https://www.twilio.com/docs/voice/api/call-resource#create-a-call-resource
 */
export async function callBack(
  account: Account,
  { numbers }: Settings,
  webhookUrl: string,
  { to: customer, agent }: CallBack,
): Promise<{ readonly externalId: string }> {
  if (!/^\+\d{5,15}$/.test(agent)) {
    throw new PermanentError(`"${agent}" is not a number that Twilio can ring at`, {
      hint: "Give the agent's phone as +14155550123.",
    });
  }
  if (!isPublic(webhookUrl)) {
    throw new PermanentError('Twilio has to ask us what to do when the agent picks up, and cannot reach this machine', {
      hint: 'Set PUBLIC_URL to an address that Twilio reaches.',
    });
  }
  const externalId = await account.create('/Calls.json', {
    To: agent,
    From: numbers[0] ?? '',
    Url: addressOf(webhookUrl, { step: 'agent', customer }),
    StatusCallback: addressOf(webhookUrl, { step: 'callback', customer }),
  });
  return { externalId };
}
