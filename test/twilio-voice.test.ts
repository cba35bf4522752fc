import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { twilioVoice } from '../src/connectors/twilio/twilio-voice/twilio-voice.ts';
import type { Channel } from '../src/core/connector.ts';
import type { ItemInput } from '../src/core/envelope.ts';
import { BadPayloadError } from '../src/core/errors.ts';
import type { WebhookRequest } from '../src/core/payload.ts';
import { fakeContext } from './fakes/context.ts';
import { ACCOUNT, AUTH_TOKEN, sid, signForm } from './fakes/twilio.ts';
import { skipUnless } from './skip.ts';

const SHARED = join(import.meta.dirname, '../../shared/fixtures');
const ADDRESS = 'https://desk.example.com/webhooks/calls';
const NOW = Date.parse('2026-11-22T08:35:30Z');
const SETTINGS = { accountSid: ACCOUNT, authToken: AUTH_TOKEN, numbers: ['+14155550100'] };
const FORWARD = { numbers: ['+14155550111', '+14155550112'] };
const VOICEMAIL = { text: 'Leave a message.' };

type Fields = Readonly<Record<string, string>>;

async function open(given: object = { forward: FORWARD, voicemail: VOICEMAIL }, address = ADDRESS): Promise<Channel> {
  const context = { ...fakeContext({ id: 'calls' }), webhookUrl: address };
  return twilioVoice.open(twilioVoice.config.parse({ ...SETTINGS, ...given }), context);
}

function requestOf(fields: Fields, address = ADDRESS): WebhookRequest {
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    'x-twilio-signature': signForm(address, fields),
  };
  const url = address.replace('https://desk.example.com', '');
  const body = Buffer.from(new URLSearchParams(fields).toString());
  return { endpointId: 'calls', receivedAt: NOW, method: 'POST', url, headers, body };
}

const CALL = sid('CA', 1);
const caller = { CallSid: CALL, From: '+380671234567', To: '+14155550100', Direction: 'inbound' };
const ringing = { ...caller, CallStatus: 'ringing' };
const leg = { CallSid: sid('CA', 2), From: '+380671234567', To: '+14155550111', Direction: 'outbound-dial' };

/** What Twilio is told to do. */
function twimlOf(channel: Channel, fields: Fields, address = ADDRESS): string {
  const answer = channel.webhook!.respond!(requestOf(fields, address), { items: [] });
  assert.deepEqual([answer.status, answer.headers], [200, { 'content-type': 'text/xml' }]);
  const [, inside = ''] = /^<\?xml version="1\.0" encoding="UTF-8"\?><Response>(.*)<\/Response>$/s.exec(
    String(answer.body),
  )!;
  return inside;
}

/** The address that an attribute names. */
function addressIn(twiml: string, attribute: string): string {
  const [, written] = new RegExp(` ${attribute}="([^"]*)"`).exec(twiml) ?? [];
  assert.ok(written, `no ${attribute} in ${twiml}`);
  return written.replaceAll('&amp;', '&');
}

/** A request to an address that we gave, as Twilio signs it: accepted, and what it says. */
async function push(channel: Channel, fields: Fields, address = ADDRESS): Promise<ItemInput> {
  const request = requestOf(fields, address);
  await channel.webhook!.verify(request);
  const items = await channel.normalize(request);
  assert.equal(items.length, 1);
  return items[0]!;
}

function callOf(item: ItemInput) {
  assert.equal(item.kind, 'call', JSON.stringify(item));
  return item;
}

describe('The signature of what Twilio asks about calls', () => {
  it('covers the step that it is asked at, and every field', async () => {
    const channel = await open();
    const address = addressIn(twimlOf(channel, ringing), 'action');
    const dialed = { ...caller, DialCallStatus: 'no-answer' };
    await channel.webhook!.verify(requestOf(dialed, address));
    const good = requestOf(dialed, address);
    for (const wrong of [
      { ...good, url: good.url.replace('step=dialed', 'step=accepted') },
      { ...good, url: good.url.replace(CALL, sid('CA', 9)) },
      { ...good, url: '/webhooks/calls' },
      { ...good, body: Buffer.from(good.body.toString().replace('no-answer', 'completed')) },
      { ...good, headers: {} },
    ]) {
      assert.throws(() => channel.webhook!.verify(wrong), BadPayloadError);
    }
  });

  it('is accepted and refused as in the tests of its own library', async function () {
    const file = join(SHARED, 'signatures/twilio-node/vectors.json');
    skipUnless(this, existsSync(file), 'the collected fixtures are not beside the repository');
    const { authToken, vectors } = JSON.parse(readFileSync(file, 'utf8')) as {
      authToken: string;
      vectors: {
        name: string;
        url: string;
        params?: Record<string, string | string[]>;
        body?: string;
        signature: string;
        valid: boolean;
      }[];
    };
    assert.equal(vectors.length, 16);
    for (const { name, url, params = {}, body, signature, valid } of vectors) {
      const [address = '', query = ''] = url.split(/(?=\?)/);
      const channel = await open({ authToken, voicemail: VOICEMAIL }, address);
      const pairs = Object.entries(params).flatMap(([key, values]) =>
        [values].flat().map((value): [string, string] => [key, value]),
      );
      const bytes = Buffer.from(body ?? new URLSearchParams(pairs).toString());
      const headers = { 'x-twilio-signature': signature };
      const request = { ...requestOf({}), url: `/webhooks/calls${query}`, headers, body: bytes };
      const verify = () => channel.webhook!.verify(request);
      if (valid) assert.doesNotThrow(verify, name);
      else assert.throws(verify, BadPayloadError, name);
    }
  });
});

describe("The settings of Twilio's calls", () => {
  const problems = (given: object) =>
    twilioVoice.config.safeParse({ ...SETTINGS, ...given }).error?.issues.map(({ path }) => path.join('.')) ?? [];

  it('name what is no number, no language, and a channel that would do nothing', () => {
    assert.deepEqual(problems({ forward: FORWARD }), []);
    assert.deepEqual(problems({ voicemail: VOICEMAIL }), []);
    assert.deepEqual(problems({ greeting: 'Hello' }), ['voicemail']);
    assert.deepEqual(problems({ forward: { numbers: [] } }), ['forward.numbers']);
    assert.deepEqual(problems({ forward: { numbers: ['4155550111'] } }), ['forward.numbers.0']);
    assert.deepEqual(problems({ voicemail: VOICEMAIL, numbers: ['72345'] }), ['numbers.0']);
    assert.deepEqual(problems({ voicemail: VOICEMAIL, language: 'Ukrainian!' }), ['language']);
    assert.deepEqual(problems({ voicemail: { text: ' ' } }), ['voicemail.text']);
  });
});

describe('What Twilio is told to do with a call', () => {
  it('is to greet, ring at all agents at once, and to ask again afterwards', async () => {
    const channel = await open({
      greeting: 'Hello & <welcome>',
      forward: { ...FORWARD, ringSec: 20 },
      language: 'uk-UA',
      voice: 'Google.uk-UA-Standard-A',
    });
    const twiml = twimlOf(channel, ringing);
    assert.match(
      twiml,
      /^<Say language="uk-UA" voice="Google\.uk-UA-Standard-A">Hello &amp; &lt;welcome&gt;<\/Say><Dial /,
    );
    assert.equal(addressIn(twiml, 'action'), `${ADDRESS}?step=dialed&call=${CALL}&at=${NOW}`);
    assert.match(twiml, / timeout="20"/);
    assert.deepEqual(
      [...twiml.matchAll(/>([^<]+)<\/Number>/g)].map(([, number]) => number),
      FORWARD.numbers,
    );
    assert.doesNotMatch(twiml, /callerId|record/);
  });

  it('is to show our number to agents where the caller shows none', async () => {
    const channel = await open();
    for (const From of ['+266696687', '+7378742833', 'anonymous', 'Restricted', 'unavailable', 'client:olena']) {
      assert.match(twimlOf(channel, { ...ringing, From }), / callerId="\+14155550100"/, From);
    }
  });

  it('is to ask the agent for a key, and to hang up on whoever presses none', async () => {
    const channel = await open({ forward: FORWARD, pressKey: 'Натисніть будь-яку клавішу.' });
    const twiml = twimlOf(channel, { ...leg, CallStatus: 'in-progress' }, addressIn(twimlOf(channel, ringing), 'url'));
    assert.match(twiml, /^<Gather numDigits="1" .*>Натисніть будь-яку клавішу\.<\/Say><\/Gather><Hangup><\/Hangup>$/);
    assert.equal(addressIn(twiml, 'action'), `${ADDRESS}?step=accepted&call=${CALL}&at=${NOW}`);
    assert.equal(twimlOf(channel, { ...leg, Digits: '5' }, addressIn(twiml, 'action')), '');
  });

  it('is to take a message where nobody answered, and nothing more where somebody did', async () => {
    const channel = await open({ forward: FORWARD, voicemail: { ...VOICEMAIL, maxSec: 60, transcribe: true } });
    const address = addressIn(twimlOf(channel, ringing), 'action');
    const after = (given: Fields) => twimlOf(channel, { ...caller, CallStatus: 'in-progress', ...given }, address);
    for (const DialCallStatus of ['no-answer', 'busy', 'failed', 'canceled']) {
      assert.match(
        after({ DialCallStatus }),
        /^<Say language="en-US">Leave a message\.<\/Say><Record /,
        DialCallStatus,
      );
    }
    const machine = after({ DialCallStatus: 'completed', DialBridged: 'false' });
    assert.match(machine, / maxLength="60".* transcribe="true"/);
    for (const [attribute, step] of [
      ['action', 'recorded'],
      ['recordingStatusCallback', 'message'],
      ['transcribeCallback', 'words'],
    ] as const) {
      assert.equal(addressIn(machine, attribute), `${ADDRESS}?step=${step}&call=${CALL}&at=${NOW}`);
    }
    assert.equal(after({ DialCallStatus: 'completed', DialBridged: 'true' }), '');
    assert.equal(twimlOf(channel, { ...caller, CallStatus: 'in-progress' }, addressIn(machine, 'action')), '');
    const silent = await open({ forward: FORWARD });
    assert.equal(twimlOf(silent, { ...caller, DialCallStatus: 'no-answer' }, address), '');
  });

  it('is to take a message at once where nobody is to be rung at', async () => {
    assert.match(twimlOf(await open({ voicemail: VOICEMAIL }), ringing), /^<Say .*<Record [^>]*><\/Record>$/);
  });

  it('is to call back whom the address names, and whatever stands there is no command', async () => {
    const agent = { CallSid: CALL, From: '+14155550100', To: '+14155550111', Digits: '1' };
    const address = (customer: string) => `${ADDRESS}?step=connect&customer=${encodeURIComponent(customer)}`;
    const channel = await open();
    assert.match(twimlOf(channel, agent, address('+380671234567')), /<Number>\+380671234567<\/Number>/);
    assert.match(twimlOf(channel, agent, address('<Sip>')), /<Number>&lt;Sip&gt;<\/Number>/);
  });

  it('is to record talks only where that is wished', async () => {
    const channel = await open({ forward: FORWARD, recordCalls: true });
    const twiml = twimlOf(channel, ringing);
    assert.match(twiml, / record="record-from-answer-dual"/);
    assert.equal(addressIn(twiml, 'recordingStatusCallback'), `${ADDRESS}?step=talk&call=${CALL}&at=${NOW}`);
  });

  it('is not to begin again in the middle of a call, nor with what is over, another leg, or cannot be read', async () => {
    const channel = await open();
    assert.match(twimlOf(channel, { ...caller, CallStatus: 'in-progress' }), /^<Say .*<Record /);
    const others: Fields[] = [
      { ...caller, CallStatus: 'completed' },
      { ...leg, CallStatus: 'ringing' },
      { MessageSid: sid('SM', 1) },
    ];
    for (const fields of others) {
      assert.equal(twimlOf(channel, fields), '');
    }
    const torn = { ...requestOf(ringing), body: Buffer.from('CallStatus=ringing&CallStatus=completed') };
    assert.match(String(channel.webhook!.respond!(torn, { items: [] }).body), /<Response><\/Response>$/);
  });
});

describe('Who calls', () => {
  const identifiersOf = async (From: string) =>
    callOf(await push(await open(), { ...ringing, From })).sender.identifiers;

  it('is nobody where the number is withheld, whichever way that is written', async () => {
    for (const From of [
      'anonymous',
      'Anonymous',
      'Restricted',
      'unavailable',
      'Unknown',
      'BLOCKED',
      '+266696687',
      '+7378742833',
      '+86282452253',
      '+8656696',
      '+2562533',
      '+7748283',
    ]) {
      assert.deepEqual(await identifiersOf(From), [], From);
    }
    const { From: _, ...without } = ringing;
    assert.deepEqual(callOf(await push(await open(), without)).sender.identifiers, []);
  });

  it('is a number that anybody could show, or one that WhatsApp vouches for', async () => {
    const phone = { kind: 'phone', value: '+380671234567', trust: 'observed' };
    assert.deepEqual(await identifiersOf('+380671234567'), [phone]);
    assert.deepEqual(await identifiersOf('0671234567'), [{ ...phone, value: '0671234567' }]);
    assert.deepEqual(await identifiersOf('whatsapp:+380671234567'), [{ ...phone, trust: 'verified' }]);
    const olena = { value: 'olena@example.com', trust: 'observed' };
    assert.deepEqual(await identifiersOf('sip:olena@example.com'), [{ kind: 'sip:calls', ...olena }]);
    assert.deepEqual(await identifiersOf('client:olena@example.com'), [{ kind: 'client:calls', ...olena }]);
  });
});
