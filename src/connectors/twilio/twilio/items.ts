import { z } from 'zod';
import type { EnvelopeInput, Identifier, ItemInput } from '../../../core/envelope.ts';
import { parseJson } from '../../../core/json.ts';
import type { Payload } from '../../../core/payload.ts';
import { addressOf, identifierOf, isName, isPhone, threadOf } from './address.ts';
import { codeText } from '../codes.ts';
import { fieldsOf } from '../form.ts';
import type { Fields } from '../form.ts';
import { readListed } from './list.ts';
import { attachmentsOf } from './media.ts';

interface About {
  readonly channel: string;
  readonly at: number;
}

/** What Twilio pushed, or one message of its list, as items. */
export function toItems({ method, headers, body, endpointId: channel, receivedAt }: Payload): ItemInput[] {
  if (method === 'RECONCILE') {
    const { fields, at } = readListed(parseJson(body));
    return [toItem(fields, { channel, at: at ?? receivedAt })];
  }
  if ((headers['content-type'] ?? '').startsWith('application/json')) return [notMessaging('json')];
  return [toItem(fieldsOf(body), { channel, at: receivedAt })];
}

function toItem(fields: Fields, about: About): ItemInput {
  const id = fields.MessageSid ?? fields.SmsMessageSid ?? fields.SmsSid;
  // Conversations number messages of their own.
  if (id === undefined || id.startsWith('IM'))
    return notMessaging(fields.EventType ?? (fields.CallSid === undefined ? 'no_message' : 'call'));
  const status = fields.MessageStatus ?? fields.SmsStatus ?? 'received';
  if (status === 'received' || status === 'receiving') return fromCustomer(id, fields, about);
  return fromStatus(id, status, fields, about);
}

function notMessaging(name: string): ItemInput {
  const reason = 'not about a message: another product of Twilio calls this address';
  return { kind: 'ignored', name: name.slice(0, 1000), reason };
}

/** https://www.twilio.com/docs/messaging/api/message-resource#message-status-values */
const STATES: ReadonlyMap<string, 'sent' | 'delivered' | 'read' | 'failed'> = new Map([
  ['sent', 'sent'],
  ['delivered', 'delivered'],
  ['read', 'read'],
  ['undelivered', 'failed'],
  ['failed', 'failed'],
  ['canceled', 'failed'],
]);

function fromStatus(externalId: string, status: string, fields: Fields, { at }: About): ItemInput {
  const state = STATES.get(status);
  if (state === undefined)
    return { kind: 'ignored', name: `status_${status}`.slice(0, 1000), reason: 'neither sent nor failed' };
  const code = Number(fields.ErrorCode ?? 0);
  const reason = code > 0 ? codeText(code, fields.ErrorMessage) : fields.ErrorMessage;
  const failure = state === 'failed' && { reason: (reason ?? status).slice(0, 1000) };
  return { kind: 'receipt', externalId, state, occurredAt: at, ...failure };
}

/** https://www.twilio.com/docs/messaging/guides/webhook-request */
const Incoming = z.object({
  From: z.string().max(200),
  /** Our number; where a service of numbers is known only, that. */
  To: z.string().max(200),
});

/**
 * Words by which Twilio stops sending to somebody, and begins again. Told by the text, since the list of messages has
 * nothing else to tell them by: https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out
 */
const KEYWORD = /^\s*(stop|stopall|unsubscribe|end|quit|revoke|optout|cancel|start|unstop)\s*$/i;

function fromCustomer(externalId: string, fields: Fields, { channel, at }: About): ItemInput {
  const { From, To } = Incoming.parse({ From: fields.From, To: fields.To ?? fields.MessagingServiceSid });
  const { ProfileName: name, OriginalRepliedMessageSid: answered } = fields;
  const address = addressOf(From);
  const isKeyword = address.network === 'sms' && KEYWORD.test(fields.Body ?? '');
  // What Twilio answers itself, and senders who are no person.
  const isAutomatic = isKeyword || fields.OptOutType !== undefined || isName(address);
  return {
    kind: 'message',
    externalId,
    occurredAt: at,
    sender: {
      ...(name !== undefined && { name: name.slice(0, 1000) }),
      identifiers: identifiersOf(From, fields, channel),
    },
    thread: { externalId: threadOf(From, To), references: answered === undefined ? [] : [answered] },
    text: textOf(fields),
    attachments: attachmentsOf(fields),
    fields: extrasOf(fields),
    ...(isAutomatic && { automatic: 'notification' as const }),
    ...(isKeyword && { quiet: true }),
  };
}

/**
 * Who wrote: the number, and for WhatsApp the ids that stay when he hides it (`ExternalUserId`, the parent one where
 * several businesses of one owner share it).
 */
function identifiersOf(from: string, fields: Fields, channel: string): Identifier[] {
  const address = addressOf(from);
  const others = [fields.ExternalUserId, fields.ParentExternalUserId].filter((id) => id !== undefined);
  const found = [from, ...others].map((text) => identifierOf(addressOf(text), channel));
  const { WaId } = fields;
  if (address.network === 'whatsapp' && !isPhone(address) && /^\d{5,15}$/.test(WaId ?? '')) {
    found.push({ kind: 'phone', value: `+${WaId}`, trust: 'verified' });
  }
  return found.filter(
    ({ kind, value }, index) => index === found.findIndex((one) => one.kind === kind && one.value === value),
  );
}

function textOf({ Body, ButtonText, Label, Address, Latitude, Longitude }: Fields): string {
  if (Latitude === undefined || Longitude === undefined) return Body ?? ButtonText ?? '';
  const place = [Label, Address].filter((part) => part !== undefined).join(', ');
  const spot = `📍 ${place || `${Latitude}, ${Longitude}`}`;
  return Body === undefined ? spot : `${Body}\n${spot}`;
}

/** Parameters with something to say besides text and files. Where and through whom an SMS came says nothing of it. */
const EXTRAS =
  /^(Latitude|Longitude|Label|Address|ButtonText|ButtonPayload|ListId|ListTitle|InteractiveData|FlowData|Forwarded|FrequentlyForwarded|Referral(?!Num).+)$/;

/** By their names in the way of ours: `ReferralSourceUrl` is `referral_source_url`. */
function extrasOf(fields: Fields): NonNullable<EnvelopeInput['fields']> {
  // An empty message is of a kind that Twilio can't hand over: it is named at least.
  const isEmpty = textOf(fields) === '' && fields.MediaUrl0 === undefined;
  const extras: Record<string, string> = {};
  for (const [name, value = ''] of Object.entries(fields)) {
    const isExtra = EXTRAS.test(name) || (isEmpty && name === 'MessageType');
    if (isExtra && value !== 'false') extras[snake(name).slice(0, 200)] = value.slice(0, 10_000);
  }
  return extras;
}

function snake(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toLowerCase();
}
