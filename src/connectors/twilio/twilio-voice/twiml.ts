import { escapeHtml } from '../../../core/escape-html.ts';
import type { WebhookRequest } from '../../../core/payload.ts';
import { fieldsOf } from '../form.ts';
import type { Fields } from '../form.ts';
import { isWithheld } from './callers.ts';
import { wasAnswered } from './progress.ts';
import type { Settings } from './settings.ts';
import { addressOf, placeOf } from './steps.ts';
import type { Place, Step } from './steps.ts';

/** How long an agent has to press a key, seconds. */
const PRESSES_SEC = 10;

const NUMBER = /^\+\d{5,15}$/;

interface Asked {
  readonly settings: Settings;
  readonly webhookUrl: string;
  readonly fields: Fields;
  /** The whole call and when it began, as the following addresses carry it. */
  readonly call: Pick<Place, 'call' | 'at' | 'customer'>;
}

/**
 * What Twilio shall do next with a call, as TwiML: https://www.twilio.com/docs/voice/twiml. The same for the same
 * request, so that it may ask twice.
 */
export function twimlOf(request: WebhookRequest, settings: Settings, webhookUrl: string): string {
  const place = placeOf(request);
  // What can't be read was signed and kept; all that is left to do is to hang up.
  const fields = readOf(request);
  const { step } = place;
  const call = { call: place.call ?? fields.CallSid, at: place.at ?? request.receivedAt, customer: place.customer };
  const asked: Asked = { settings, webhookUrl, fields, call };
  const next = step === undefined ? begin(asked) : (NEXT[step]?.(asked) ?? '');
  return `<?xml version="1.0" encoding="UTF-8"?><Response>${next}</Response>`;
}

function readOf({ body }: WebhookRequest): Fields {
  try {
    return fieldsOf(body);
  } catch {
    return {};
  }
}

const NEXT: Partial<Record<Step, (asked: Asked) => string>> = {
  accept: (asked) => press(asked, 'accepted'),
  // Nothing more to do on the agent's leg: he is put through.
  dialed: (asked) => (wasAnswered(asked.fields) ? '' : voicemail(asked)),
  agent: (asked) => press(asked, 'connect'),
  connect: callCustomer,
};

/** A call comes in; in the middle of one, our address is the one to fall back to: what came first is not done again. */
function begin(asked: Asked): string {
  const { settings, fields } = asked;
  if (fields.Direction !== 'inbound' || fields.CallSid === undefined) return '';
  if (fields.CallStatus === 'in-progress') return voicemail(asked);
  if (fields.CallStatus !== 'ringing') return '';
  const greeting = settings.greeting === undefined ? '' : say(settings, settings.greeting);
  return `${greeting}${settings.forward ? ringAgents(asked, settings.forward) : voicemail(asked)}`;
}

function ringAgents(asked: Asked, { numbers, ringSec }: NonNullable<Settings['forward']>): string {
  const { From = '', To = '' } = asked.fields;
  const own = NUMBER.test(To) ? To : (asked.settings.numbers[0] ?? '');
  const dial = {
    action: address(asked, 'dialed'),
    timeout: String(ringSec),
    // Without a number to show, the agents' network would refuse the call: https://www.twilio.com/docs/api/errors/13214
    ...((isWithheld(From) || !NUMBER.test(From)) && { callerId: own }),
    ...recording(asked),
  };
  const agents = numbers.map((number) => element('Number', { url: address(asked, 'accept') }, escapeHtml(number)));
  return element('Dial', dial, agents.join(''));
}

function voicemail(asked: Asked): string {
  const { settings } = asked;
  if (!settings.voicemail) return '';
  const { text, maxSec, transcribe } = settings.voicemail;
  const record = {
    action: address(asked, 'recorded'),
    maxLength: String(maxSec),
    recordingStatusCallback: address(asked, 'message'),
    ...(transcribe && { transcribe: 'true', transcribeCallback: address(asked, 'words') }),
  };
  return `${say(settings, text)}${element('Record', record)}`;
}

function recording(asked: Asked): Readonly<Record<string, string>> {
  if (!asked.settings.recordCalls) return {};
  return { record: 'record-from-answer-dual', recordingStatusCallback: address(asked, 'talk') };
}

/** Who presses a key is a person: an answering machine is hung up on. */
function press(asked: Asked, step: Step): string {
  const gather = { numDigits: '1', timeout: String(PRESSES_SEC), action: address(asked, step) };
  return `${element('Gather', gather, say(asked.settings, asked.settings.pressKey))}${element('Hangup', {})}`;
}

function callCustomer(asked: Asked): string {
  const { fields, call } = asked;
  if (call.customer === undefined || (fields.Digits ?? '') === '') return '';
  const dial = { action: address(asked, 'connected'), callerId: fields.From ?? '', ...recording(asked) };
  return element('Dial', dial, element('Number', {}, escapeHtml(call.customer)));
}

function say({ language, voice }: Settings, text: string): string {
  return element('Say', { language, ...(voice !== undefined && { voice }) }, escapeHtml(text));
}

function address({ webhookUrl, call }: Asked, step: Step): string {
  return addressOf(webhookUrl, { ...call, step });
}

function element(name: string, attributes: Readonly<Record<string, string>>, content = ''): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeHtml(value)}"`);
  return `<${name}${written.join('')}>${content}</${name}>`;
}
