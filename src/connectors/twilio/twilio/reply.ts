import type { Reply } from '../../../core/connector.ts';
import { PermanentError } from '../../../core/errors.ts';
import { splitText } from '../../../core/split-text.ts';
import type { Account } from '../account.ts';
import { addressOf, isName, readThread } from './address.ts';
import type { Address } from './address.ts';

/** Of a body, whatever it is sent through: https://www.twilio.com/docs/api/errors/21617 */
const MAX_BODY = 1600;

/** The alphabet of GSM 03.38 (3GPP TS 23.038, section 6.2.1), and what that writes with two septets. */
const GSM = /^[@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&'()*+,\-./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà]*$/;
const DOUBLE = /[\f^{}\\[~\]|€]/g;

/**
 * An SMS travels in segments, and networks lose or refuse messages of more than ten. One has room for 153 letters of the
 * GSM alphabet; with any other letter the message goes as UCS-2, 67 units a segment, a pair never torn.
 */
function longestSms(text: string): number {
  if (GSM.test(text)) return 10 * 153;
  return GSM.test(text.replace(DOUBLE, '')) ? 10 * 76 : 10 * 66;
}

/** Sends an answer from the number that the customer wrote to, in parts where it is too long. */
export async function sendReply(api: Account, statusCallback: string | undefined, reply: Reply): Promise<void> {
  const ends = readThread(reply.thread);
  if (!ends) {
    throw new PermanentError('this conversation has no number at Twilio', {
      hint: 'Answers go to people who have written to a number of this channel.',
    });
  }
  const { theirs, ours } = ends;
  const address = addressOf(theirs);
  if (isName(address)) {
    throw new PermanentError(`"${theirs}" is a name in place of a number: nothing can be sent to it`, {
      hint: 'Answer through another channel.',
    });
  }
  if (reply.message.attachments.length > 0) {
    throw new PermanentError('Twilio fetches files from public addresses, and ours are not public', {
      hint: 'Send the text, with a link to the file.',
    });
  }
  const constant = {
    To: theirs,
    ...(ours.startsWith('MG') ? { MessagingServiceSid: ours } : { From: ours }),
    ...(statusCallback !== undefined && { StatusCallback: statusCallback }),
  };
  for (const part of partsOf(reply, address).slice(reply.sent.length)) {
    await reply.partSent(await api.create('/Messages.json', { ...constant, ...part }));
  }
}

/** What differs between the messages that an answer is sent in. */
function partsOf({ message: { text, template } }: Reply, { network }: Address): Readonly<Record<string, string>>[] {
  if (template) return [{ ContentSid: template.id, ContentVariables: JSON.stringify(template.values) }];
  const parts = splitText(text, network === 'sms' ? longestSms(text) : MAX_BODY);
  if (parts.length === 0) throw new PermanentError('the answer is empty: Twilio sends nothing without text');
  return parts.map((Body) => ({ Body }));
}
