import assert from 'node:assert/strict';
import { twilio } from '../src/connectors/twilio/twilio/twilio.ts';
import type { Channel } from '../src/core/connector.ts';
import { PermanentError, RateLimitedError, RetryableError } from '../src/core/errors.ts';
import { createHttp } from '../src/http/http.ts';
import { fakeContext } from './fakes/context.ts';
import { startReceiver } from './fakes/receiver.ts';
import type { Receiver } from './fakes/receiver.ts';
import { ACCOUNT, AUTH_TOKEN, listed, refusal, sid } from './fakes/twilio.ts';

const PATH = `/2010-04-01/Accounts/${ACCOUNT}/Messages/${sid('MM', 5)}/Media/${sid('ME', 1)}`;
const FILE = { id: `https://api.twilio.com${PATH}`, name: 'image.jpg', mediaType: 'image/jpeg' };
const NOW = Date.parse('2026-11-22T12:00:00Z');
const PAYLOAD = { endpointId: 'sms', receivedAt: 0, method: 'POST', url: '', headers: {}, body: Buffer.alloc(0) };

describe('What Twilio refuses, and where its files lie', () => {
  let far: Receiver;
  let channel: Channel;
  /** Hosts that were looked for, besides the stand-in. */
  const looked: string[] = [];
  const egress = createHttp({
    allow: ['127.0.0.1'],
    async resolve(host) {
      looked.push(host);
      throw Object.assign(new Error('no such host'), { code: 'ENOTFOUND' });
    },
  });
  before(async () => {
    far = await startReceiver();
    const settings = { accountSid: ACCOUNT, authToken: AUTH_TOKEN, numbers: ['+14155550100'], apiRoot: far.origin };
    const clock = { ...fakeContext().clock, now: () => NOW };
    const context = { ...fakeContext({ id: 'sms', http: egress.for({ hosts: [] }) }), clock };
    channel = await twilio.open(twilio.config.parse(settings), context);
  });
  after(async () => {
    egress.close();
    await far.close();
  });

  it('fetches a file also from the store of accounts that do not protect their media, and from nobody else there', async () => {
    const store = 'https://s3-external-1.amazonaws.com';
    for (const [location, hosts] of [
      [`${store}/media.twiliocdn.com/${ACCOUNT}/0a1b`, ['s3-external-1.amazonaws.com']],
      [`${store}/media.twiliocdn.com.example/0a1b`, []],
      [`${store}/else/../media.twiliocdn.com/../else/0a1b`, []],
      [`http://s3-external-1.amazonaws.com/media.twiliocdn.com/0a1b`, []],
      ['https://s3.amazonaws.com/media.twiliocdn.com/0a1b', []],
    ] as const) {
      looked.length = 0;
      far.behave({ status: 307, headers: { location } });
      await assert.rejects(channel.download!(FILE, PAYLOAD));
      assert.deepEqual(looked, hosts, location);
    }
  });

  it('takes a file that is gone for nothing about the channel', async () => {
    for (const status of [404, 410]) {
      far.behave({ status });
      await assert.rejects(
        channel.download!(FILE, PAYLOAD),
        (error) => error instanceof PermanentError && !error.gone && error.response?.status === status,
      );
    }
  });

  it('asks again for a file that is not there yet', async () => {
    far.behave({ status: 404 });
    const ask = (receivedAt: number) => channel.download!(FILE, { ...PAYLOAD, receivedAt });
    await assert.rejects(ask(NOW - 60_000), RetryableError);
    await assert.rejects(ask(NOW - 16 * 60_000), PermanentError);
  });

  it('takes no message without its files from the list while these may still come', async () => {
    const lists = async (date_created: string, media_list: object[]) => {
      const message = listed({ sid: sid('MM', 1), num_media: '1', date_created });
      far.behave(({ url }) => {
        const messages = url.includes('To=') ? [message] : [];
        const body = JSON.stringify(url.includes('/Media.json') ? { media_list } : { messages });
        return { status: 200, headers: { 'content-type': 'application/json' }, body };
      });
      let count = 0;
      for await (const raw of channel.reconcile!(0, new AbortController().signal)) count += raw.body.length > 0 ? 1 : 0;
      return count;
    };
    assert.equal(await lists('Sun, 22 Nov 2026 11:59:30 +0000', []), 0);
    assert.equal(await lists('Sun, 22 Nov 2026 11:59:30 +0000', [{ uri: `${PATH}.json` }]), 1);
    assert.equal(await lists('Sun, 22 Nov 2026 11:50:00 +0000', []), 1);
  });

  it('says in words which limit is reached', async () => {
    far.behave(refusal(429, 63038, 'Account exceeded the daily messages limit'));
    await assert.rejects(
      channel.test!(),
      (error) => error instanceof RateLimitedError && /63038: Account exceeded the daily/.test(error.message),
    );
  });
});
