import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { twilioVoice } from '../src/connectors/twilio/twilio-voice/twilio-voice.ts';
import type { Channel, Raw } from '../src/core/connector.ts';
import { AuthExpiredError, PermanentError, RetryableError, UncertainError } from '../src/core/errors.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import type { Description } from './fakes/openapi.ts';
import {
  ACCOUNT,
  AUTH_TOKEN,
  describedTwilio,
  listedCall,
  listedRecording,
  refusal,
  sid,
  startTwilio,
} from './fakes/twilio.ts';
import type { FakeTwilio } from './fakes/twilio.ts';
import { skipUnless } from './skip.ts';

const AGENT = '+14155550111';
const PAYLOAD = { endpointId: 'calls', receivedAt: 0, method: 'POST', url: '', headers: {}, body: Buffer.alloc(0) };
const signal = new AbortController().signal;

describe("Twilio's calls, against a stand-in that is checked against Twilio's own description", () => {
  let api: FakeTwilio;
  let egress: Egress;
  const clock = fakeClock();
  let description: Description | undefined;
  before(() => {
    description = describedTwilio();
  });
  beforeEach(async () => {
    api = await startTwilio(description);
    egress = createHttp({ allow: ['127.0.0.1'], clock });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  async function open(given: object = {}, publicUrl = 'https://desk.example.com'): Promise<Channel> {
    const context = fakeContext({ id: 'calls', clock, publicUrl, http: egress.for({ hosts: [] }) });
    const settings = {
      accountSid: ACCOUNT,
      authToken: AUTH_TOKEN,
      numbers: ['+14155550100'],
      apiRoot: api.root,
      forward: { numbers: [AGENT] },
      voicemail: { text: 'Leave a message.', transcribe: true },
      ...given,
    };
    return twilioVoice.open(twilioVoice.config.parse(settings), context);
  }

  const failure = (work: Promise<unknown>) =>
    work.then(
      () => assert.fail('it went through'),
      (error: unknown) => error as Error & { hint?: string },
    );

  describe('a recording', () => {
    const file = { id: sid('RE', 1), name: 'recording.mp3', mediaType: 'audio/mpeg' };
    const path = `/2010-04-01/Accounts/${ACCOUNT}/Recordings/${file.id}.mp3`;

    it('is fetched from our account, with the credentials', async () => {
      api.files.set(path, { bytes: Buffer.from('sound') });
      const bytes = await buffer(await (await open()).download!(file, PAYLOAD));
      assert.equal(bytes.toString(), 'sound');
      assert.deepEqual(api.asked, [`GET ${path}`]);
    });

    it('is nothing but the id of one: no address is followed, and no other path', async () => {
      const channel = await open();
      for (const id of [
        `https://example.com/Recordings/${file.id}`,
        `../Messages/${file.id}`,
        `${file.id}/..`,
        '',
        'RE1',
      ]) {
        assert.ok((await failure(channel.download!({ ...file, id }, PAYLOAD))) instanceof PermanentError, id);
      }
      assert.deepEqual(api.asked, []);
    });

    it('is asked for again while it may still be on its way, and no longer', async () => {
      const channel = await open();
      const ask = (ageMs: number) => failure(channel.download!(file, { ...PAYLOAD, receivedAt: clock.now() - ageMs }));
      assert.ok((await ask(60_000)) instanceof RetryableError);
      assert.ok((await ask(16 * 60_000)) instanceof PermanentError);
    });
  });

  describe('a call-back', () => {
    const wish = { id: 'cb_1', to: '+380671234567', agent: AGENT };

    it('rings at the agent, who presses a key, and then at the customer', async () => {
      const channel = await open();
      assert.deepEqual(await channel.callBack!(wish, signal), { externalId: sid('CA', 900) });
      const address = 'https://desk.example.com/webhooks/calls';
      const customer = 'customer=%2B380671234567';
      assert.deepEqual(api.sent, [
        {
          To: AGENT,
          From: '+14155550100',
          Url: `${address}?step=agent&${customer}`,
          StatusCallback: `${address}?step=callback&${customer}`,
        },
      ]);
      const told = (url: string, fields: object) => {
        const body = Buffer.from(new URLSearchParams({ ...fields }).toString());
        return String(channel.webhook!.respond!({ ...PAYLOAD, receivedAt: 5, url, body }, { items: [] }).body);
      };
      const leg = { CallSid: sid('CA', 900), From: '+14155550100', To: AGENT, Direction: 'outbound-api' };
      const asks = told(`/webhooks/calls?step=agent&${customer}`, leg);
      const connect = `step=connect&call=${leg.CallSid}&at=5&${customer}`;
      assert.match(asks, /<Gather [^>]*><Say [^>]*>Press any key to take the call\.<\/Say><\/Gather><Hangup>/);
      assert.ok(asks.includes(`action="${address}?${connect.replaceAll('&', '&amp;')}"`), asks);
      const dials = told(`/webhooks/calls?${connect}`, { ...leg, Digits: '1' });
      assert.match(dials, /<Dial [^>]*callerId="\+14155550100"[^>]*><Number>\+380671234567<\/Number><\/Dial>/);
      assert.match(dials, /action="[^"]*step=connected&amp;/);
      assert.doesNotMatch(told(`/webhooks/calls?${connect}`, leg), /Dial/, 'nobody pressed a key');
    });

    it('is refused where nobody could be rung at, or Twilio could not ask us', async () => {
      for (const agent of ['alice', '101', 'sip:alice@example.com', '']) {
        const error = await failure((await open()).callBack!({ ...wish, agent }, signal));
        assert.ok(error instanceof PermanentError && /\+14155550123/.test(error.hint ?? ''), agent);
      }
      const local = await open({}, 'http://localhost:8080');
      assert.match((await failure(local.callBack!(wish, signal))).hint ?? '', /PUBLIC_URL/);
      assert.deepEqual(api.sent, []);
    });

    it('says why Twilio refuses it, and leaves it to a person where it may ring all the same', async () => {
      api.end(refusal(400, 21215, 'Account not authorized to call +380671234567'));
      const error = await failure((await open()).callBack!(wish, signal));
      assert.ok(error instanceof PermanentError && /21215: calls to this country/.test(error.message), error.message);
      assert.match(error.hint ?? '', /Geo permissions/);
      for (const end of [refusal(500, 20500), 'drop'] as const) {
        api.end(end);
        assert.ok((await failure((await open()).callBack!(wish, signal))) instanceof UncertainError);
      }
    });

    it('fits the description of Twilio, which notices a field that does not', function () {
      skipUnless(this, description, 'the descriptions of vendors are not beside the repository');
      const path = `/2010-04-01/Accounts/${ACCOUNT}/Calls.json`;
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      const check = (body: object) => description!.request({ method: 'POST', path, headers, body });
      assert.deepEqual(check({ To: '+1', From: '+2', Url: 'https://desk.example.com' }), []);
      assert.notDeepEqual(check({ To: '+1', From: '+2', Address: 'https://desk.example.com' }), []);
      assert.notDeepEqual(check({ To: '+1', Url: 'https://desk.example.com' }), []);
    });
  });

  describe('what was missed', () => {
    const since = Date.parse('2026-11-22T08:30:00Z');
    const times = (time: string, end = time) => ({
      start_time: `Sun, 22 Nov 2026 ${time} +0000`,
      end_time: `Sun, 22 Nov 2026 ${end} +0000`,
    });
    const legOf = (parent: string, given: Readonly<Record<string, unknown>> & { readonly sid: string }) =>
      listedCall({ parent_call_sid: parent, to: AGENT, direction: 'outbound-dial', ...given });

    async function missed(channel: Channel, from = since): Promise<Raw[]> {
      const raws: Raw[] = [];
      for await (const raw of channel.reconcile!(from, signal)) raws.push(raw);
      return raws;
    }
    async function told(channel: Channel, from = since) {
      const raws = await missed(channel, from);
      const items = await Promise.all(
        raws.map(async ({ body, headers = {} }) =>
          channel.normalize({ ...PAYLOAD, method: 'RECONCILE', headers, body }),
        ),
      );
      return items.flat().map((item) => {
        assert.equal(item.kind, 'call', JSON.stringify(item));
        const { outcome, agent, recording, transcript } = item.call;
        const facts = Object.entries({ agent, recording, transcript }).filter(([, value]) => value !== undefined);
        return [item.externalId, outcome, Object.fromEntries(facts)];
      });
    }

    it('is asked of Twilio, page by page, and comes oldest first: answered, with a message, or neither', async () => {
      const [answered, message, nobody] = [sid('CA', 1), sid('CA', 2), sid('CA', 3)];
      api.calls = [
        legOf(answered, { sid: sid('CA', 11) }),
        legOf(nobody, { sid: sid('CA', 13), status: 'no-answer' }),
        legOf(sid('CA', 9), { sid: sid('CA', 19), to: '+14155550100' }),
        listedCall({ sid: nobody, ...times('08:50:00') }),
        listedCall({ sid: message, ...times('08:45:00') }),
        listedCall({ sid: answered, ...times('08:40:00') }),
        listedCall({ sid: sid('CA', 4), ...times('08:20:00') }),
      ];
      api.recordings.set(answered, [listedRecording({ sid: sid('RE', 1), source: 'DialVerb' })]);
      api.recordings.set(message, [listedRecording({ sid: sid('RE', 2) })]);
      api.transcriptions.set(sid('RE', 2), [
        { sid: sid('TR', 2), status: 'completed', transcription_text: 'Call me.' },
      ]);
      assert.deepEqual(await told(await open()), [
        [answered, 'answered', { agent: AGENT, recording: sid('RE', 1) }],
        [message, 'voicemail', { recording: sid('RE', 2), transcript: 'Call me.' }],
        [nobody, 'missed', {}],
      ]);
    });

    it('includes a long call that began before, and none that goes on', async () => {
      api.calls = [
        listedCall({ sid: sid('CA', 2), ...times('08:40:00'), end_time: null, status: 'in-progress' }),
        listedCall({ sid: sid('CA', 1), ...times('06:00:00', '08:40:00') }),
      ];
      assert.deepEqual(
        (await told(await open())).map(([id]) => id),
        [sid('CA', 1)],
      );
    });

    it('includes call-backs to our agents, and no other call of the account', async () => {
      const out = { from: '+14155550100', direction: 'outbound-api' };
      const [ours, theirs] = [sid('CA', 1), sid('CA', 2)];
      api.calls = [
        legOf(ours, { sid: sid('CA', 11), from: '+14155550100', to: '+380671234567' }),
        legOf(sid('CA', 9), { sid: sid('CA', 19), from: '+14155550100' }),
        listedCall({ sid: theirs, ...out, to: '+380501234567' }),
        listedCall({ sid: ours, ...out, to: AGENT }),
      ];
      assert.deepEqual(await told(await open()), [[ours, 'answered', { agent: AGENT }]]);
      api.asked.length = 0;
      assert.deepEqual(await told(await open({ forward: undefined })), []);
      assert.equal(api.asked.length, 1, 'without agents there is nothing to tell them by');
    });

    it('is asked of Twilio alone, whatever address the next page has', async () => {
      for (const next_page_uri of ['https://example.com/next', '//example.com/next', '/elsewhere']) {
        const page = { calls: [], next_page_uri };
        api.end({ status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(page) });
        assert.deepEqual(await missed(await open({ forward: undefined })), []);
      }
      assert.equal(api.asked.length, 3);
    });

    it('fails when Twilio does not say it, so that it is asked again', async () => {
      api.end(refusal(401, 20003, 'Authenticate'));
      assert.ok((await failure(missed(await open()))) instanceof AuthExpiredError);
      api.end(refusal(503, 20503));
      assert.ok((await failure(missed(await open()))) instanceof RetryableError);
    });
  });

  describe('the test of the channel', () => {
    it('says of each number whom Twilio asks, and whom it tells of the end', async () => {
      const ours = 'https://desk.example.com/webhooks/calls';
      api.numbers = {
        '+14155550100': { voice_url: `${ours}#rc=2`, status_callback: ours },
        '+14155550101': { voice_url: 'https://other.example.com/', status_callback: '' },
      };
      assert.equal(
        await (
          await open({ numbers: Object.keys(api.numbers) })
        ).test!(),
        '+14155550100 asks us what to do, and tells us of the end; +14155550101 asks https://other.example.com/ what to do, and tells nobody of the end',
      );
    });

    it('refuses a number that is not of the account, and credentials that are wrong', async () => {
      assert.match((await failure((await open()).test!())).message, /\+14155550100 is none of the numbers/);
      const locked = await open({ authToken: '0'.repeat(32) });
      assert.ok((await failure(locked.test!())) instanceof AuthExpiredError);
    });
  });
});
