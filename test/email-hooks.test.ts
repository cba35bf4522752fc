import assert from 'node:assert/strict';
import { createSign, generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { email } from '../src/connectors/email/email.ts';
import type { Channel } from '../src/core/connector.ts';
import { BadPayloadError, PermanentError, RetryableError } from '../src/core/errors.ts';
import { hmac } from '../src/core/signature.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext, sealedHttp, type FakeContext } from './fakes/context.ts';
import { CERTIFICATE, openSns, pack, publish, received, TOPIC, type Published } from './fakes/sns.ts';
import { skipUnless } from './skip.ts';

const SHARED = join(import.meta.dirname, '../../shared/fixtures');
const NOW = Date.parse('2026-01-31T09:01:00Z');
const HOUR = 3_600_000;

async function open(webhook: object, given: Partial<FakeContext> & { readonly now?: number } = {}): Promise<Channel> {
  const context = fakeContext({ clock: fakeClock(given.now ?? NOW), ...given });
  return email.open(email.config.parse({ address: 'support@example.com', webhook }), context);
}

type Headers = Readonly<Record<string, string>>;

async function verify(channel: Channel, headers: Headers, body: Buffer | string): Promise<void> {
  const request = { endpointId: 'mail', receivedAt: NOW, method: 'POST', url: '/webhooks/mail', headers };
  await channel.webhook!.verify({ ...request, body: Buffer.from(body) });
}

const refused = (channel: Channel, headers: Headers, body: Buffer | string, text?: RegExp, said?: string) =>
  assert.rejects(
    verify(channel, headers, body),
    (error) => error instanceof BadPayloadError && error.status === 401 && (text ?? /./).test(error.message),
    said,
  );

/** With one letter changed, in the middle and at the end. */
function* altered(text: string): Generator<string> {
  for (const at of [text.length >> 1, text.length - 1]) {
    yield `${text.slice(0, at)}${text[at] === 'b' ? 'c' : 'b'}${text.slice(at + 1)}`;
  }
}

function vectorsOf<T>(name: string): readonly T[] {
  return (JSON.parse(readFileSync(join(SHARED, `signatures/${name}/vectors.json`), 'utf8')) as { vectors: T[] })
    .vectors;
}

describe('Mail that Mailgun pushes', () => {
  const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
  const form = (timestamp: string, token: string, signature: string) =>
    new URLSearchParams({
      recipient: 'support@example.com',
      'body-plain': 'hi',
      timestamp,
      token,
      signature,
    }).toString();
  const TOKEN = '0f1e2d3c4b5a69788796a5b4c3d2e1f00123456789abcdef01';
  const signed = (at: number, token = TOKEN) => {
    const timestamp = String(Math.floor(at / 1000));
    return form(timestamp, token, hmac('sha256', 'key', timestamp, token).toString('hex'));
  };
  const channel = (now = NOW) => open({ provider: 'mailgun', signingKey: 'key' }, { now });

  it('is believed when the account’s key has signed it, as form and as multipart', async () => {
    await verify(await channel(), FORM, signed(NOW));
    const fields = [...new URLSearchParams(signed(NOW))].map(
      ([name, value]) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
    );
    await verify(await channel(), { 'content-type': 'multipart/form-data; boundary=b' }, `${fields.join('')}--b--\r\n`);
  });

  it('is refused when another key has, nobody, or somebody in other letters', async () => {
    const right = new URLSearchParams(signed(NOW));
    for (const name of ['timestamp', 'token', 'signature']) {
      for (const value of ['', `${right.get(name)} `, ...altered(right.get(name)!)]) {
        const form = new URLSearchParams(right);
        form.set(name, value);
        await refused(await channel(), FORM, form.toString(), undefined, `${name}=${value}`);
      }
    }
    const upper = form(right.get('timestamp')!, TOKEN, right.get('signature')!.toUpperCase());
    await refused(await channel(), FORM, upper, /another key/);
    await refused(await channel(), FORM, signed(NOW, 'a'.repeat(101)), /not as Mailgun makes them/);
    await refused(await open({ provider: 'mailgun', signingKey: 'kez' }), FORM, signed(NOW), /another key/);
  });

  it('is believed for as long as Mailgun repeats a post, and not much longer', async () => {
    await verify(await channel(), FORM, signed(NOW - 9 * HOUR));
    await refused(await channel(), FORM, signed(NOW - 13 * HOUR), /twelve hours/);
    // The first letters of the token as the end of the time: the same is signed, and the time is none any more.
    const old = new URLSearchParams(signed(NOW - 13 * HOUR, `a${TOKEN}`));
    old.set('timestamp', `${old.get('timestamp')!}a`);
    old.set('token', TOKEN);
    await refused(await channel(), FORM, old.toString(), /not as Mailgun makes them/);
    await verify(await channel(), FORM, signed(NOW + HOUR / 15));
    await refused(await channel(), FORM, signed(NOW + HOUR / 10), /twelve hours/);
  });

  it('is refused when its form can’t be read, has no end or a thousand parts and more', async () => {
    await refused(await channel(), { 'content-type': 'application/json' }, signed(NOW), /form can't be read/);
    await refused(await channel(), {}, signed(NOW), /form can't be read/);
    const multipart = { 'content-type': 'multipart/form-data; boundary=b' };
    const part = '--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n';
    await refused(await channel(), multipart, part, /form can't be read/);
    const cut = '--b\r\nContent-Disposition: form-data; name=a; filename=a\r\n\r\n1';
    await refused(await channel(), multipart, cut, /form can't be read/);
    await refused(await channel(), multipart, `${part.repeat(1001)}--b--\r\n`, /more than 1000 parts/);
    await refused(await channel(), FORM, `${'a=1&'.repeat(1001)}${signed(NOW)}`, /more than 1000 parts/);
  });

  it('gets the verdict that each collected signature has', async function () {
    skipUnless(this, existsSync(SHARED), 'the collected fixtures are not beside the repository');
    interface Vector {
      readonly [name: string]: string | boolean;
    }
    const counted = { right: 0, wrong: 0 };
    for (const { key, timestamp, token, signature, valid } of vectorsOf<Vector>('mailgun-rails')) {
      const strict = await open({ provider: 'mailgun', signingKey: key }, { now: Number(timestamp) * 1000 });
      const body = (parts: Vector) => form(String(parts.timestamp), String(parts.token), String(parts.signature));
      const given = { timestamp: timestamp!, token: token!, signature: signature! };
      if (valid) await verify(strict, FORM, body(given));
      else await refused(strict, FORM, body(given));
      counted[valid ? 'right' : 'wrong']++;
      for (const name of valid ? (['timestamp', 'token', 'signature'] as const) : []) {
        for (const other of altered(String(given[name]))) {
          await refused(strict, FORM, body({ ...given, [name]: other }));
        }
      }
    }
    assert.deepEqual(counted, { right: 1, wrong: 1 });
  });
});

describe('Mail that SendGrid pushes', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const shown = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  const BODY = '--xYzZY\r\nContent-Disposition: form-data; name="email"\r\n\r\nhi\r\n--xYzZY--\r\n';
  const headers = (timestamp: string, signature: string) => ({
    'x-twilio-email-event-webhook-timestamp': timestamp,
    'x-twilio-email-event-webhook-signature': signature,
  });
  const sign = (timestamp: string, body = BODY) =>
    createSign('sha256').update(timestamp).update(body).sign(privateKey, 'base64');

  it('is believed when its policy’s key has signed it, also days later', async () => {
    const channel = await open({ provider: 'sendgrid', publicKey: shown }, { now: NOW + 72 * HOUR });
    await verify(channel, headers('1769850000', sign('1769850000')), BODY);
  });

  it('is refused unsigned, altered, signed in other letters, or with a time that is none', async () => {
    const channel = await open({ provider: 'sendgrid', publicKey: shown });
    const right = sign('1769850000');
    await refused(channel, {}, BODY, /not signed/);
    await refused(channel, headers('', right), BODY, /not signed/);
    await refused(channel, headers('1769850001', right), BODY, /does not match/);
    await refused(channel, headers('1769850000', right), `${BODY} `, /does not match/);
    await refused(channel, headers('1769850000', `${right}\n`), BODY, /does not match/);
    await refused(channel, headers('1769850000', `${right}=`), BODY, /does not match/);
    await refused(channel, headers('1769850000', 'x'.repeat(8000)), BODY, /does not match/);
    // The first letters of the body as the end of the time: the same bytes are signed.
    await refused(channel, headers('1769850000--', sign('1769850000')), BODY.slice(2), /does not match/);
    const other = await open({ provider: 'sendgrid', user: 'parse', password: 'sample-parse-password' });
    await refused(other, headers('1769850000', right), BODY, /user or password/);
  });

  it('gets the verdict that each collected signature has', async function () {
    skipUnless(this, existsSync(SHARED), 'the collected fixtures are not beside the repository');
    interface Vector {
      readonly publicKey: string;
      readonly signature: string;
      readonly timestamp: string;
      readonly body: string;
      readonly valid: boolean;
    }
    const counted = { right: 0, wrong: 0 };
    for (const { publicKey: key, signature, timestamp, body, valid } of vectorsOf<Vector>('sendgrid-nodejs')) {
      const channel = await open({ provider: 'sendgrid', publicKey: key });
      if (valid) await verify(channel, headers(timestamp, signature), body);
      else await refused(channel, headers(timestamp, signature), body);
      counted[valid ? 'right' : 'wrong']++;
      if (!valid) continue;
      for (const other of altered(signature)) await refused(channel, headers(timestamp, other), body);
      for (const other of altered(timestamp)) await refused(channel, headers(other, signature), body);
      for (const other of altered(body)) await refused(channel, headers(timestamp, signature), other);
    }
    assert.deepEqual(counted, { right: 2, wrong: 4 });
  });

  it('needs a key or a password, and one of them only', () => {
    const parse = (webhook: object) => email.config.safeParse({ address: 'support@example.com', webhook }).success;
    const login = { user: 'parse', password: 'sample-parse-password' };
    assert.equal(parse({ provider: 'sendgrid', ...login }), true);
    assert.equal(parse({ provider: 'sendgrid', publicKey: shown }), true);
    for (const wrong of [
      {},
      { ...login, publicKey: shown },
      { publicKey: shown.slice(8) },
      { user: 'parse' },
      { ...login, user: 'a:b' },
      { ...login, password: 'short' },
    ]) {
      assert.equal(parse({ provider: 'sendgrid', ...wrong }), false, JSON.stringify(wrong));
    }
    assert.equal(parse({ provider: 'postmark' }), false);
    assert.equal(parse({ provider: 'mailgun' }), false);
    for (const topicArn of ['mail', TOPIC.replace('eu-west-1', 'example.test/'), TOPIC.replace(':sns:', ':sqs:')]) {
      assert.equal(parse({ provider: 'ses', topicArn }), false, topicArn);
    }
  });
});

describe('Mail that Postmark pushes', () => {
  it('is believed with the user and password of the address, and refused with any other', async () => {
    const channel = await open({ provider: 'postmark', user: 'inbound', password: 'sample-inbound-password' });
    const basic = (pair: string) => ({ authorization: `Basic ${Buffer.from(pair).toString('base64')}` });
    await verify(channel, basic('inbound:sample-inbound-password'), '{}');
    await refused(channel, {}, '{}');
    for (const pair of ['inbound:', 'inbound:sample-inbound-passwore', 'Inbound:sample-inbound-password', ':']) {
      await refused(channel, basic(pair), '{}', undefined, pair);
    }
  });
});

describe('Mail that Amazon SES pushes through SNS', () => {
  const MESSAGE = received(Buffer.from('From: olena@example.test\r\n\r\nhi').toString('base64'));
  const channelOn = async (sns = openSns()) => open({ provider: 'ses', topicArn: TOPIC }, { http: sns.http });
  const refusedBy = (channel: Channel, { headers, body }: Published, text?: RegExp, said?: string) =>
    refused(channel, headers, body, text, said);

  it('is believed when SNS has signed it, in either version, with one look at the certificate', async () => {
    const sns = openSns();
    const channel = await channelOn(sns);
    for (const version of ['1', '2', '2']) {
      const { headers, body } = publish(MESSAGE, { SignatureVersion: version });
      await verify(channel, headers, body);
    }
    const { headers, body } = publish(MESSAGE, { Subject: 'Amazon SES Email Receipt Notification' });
    await verify(channel, headers, body);
    assert.deepEqual(sns.asked, [CERTIFICATE]);
  });

  it('is refused with any field altered', async () => {
    const channel = await channelOn();
    const fields = JSON.parse(publish(MESSAGE, { Subject: 'b' }).body.toString()) as Record<string, string>;
    for (const name of ['Message', 'MessageId', 'Subject', 'Timestamp', 'Signature']) {
      for (const value of altered(fields[name]!)) {
        await refusedBy(channel, pack({ ...fields, [name]: value }), /does not match/, name);
      }
    }
    const { Subject: _left, ...rest } = fields;
    await refusedBy(channel, pack(rest), /does not match/);
    await refusedBy(channel, pack({ ...fields, Signature: `${fields.Signature!}\n` }), /does not match/);
    await refusedBy(channel, pack({ ...fields, SignatureVersion: '1' }), /does not match/);
    await refusedBy(channel, pack({ ...fields, SignatureVersion: '3' }), /not a signed message/);
  });

  it('is refused from another topic, though SNS has signed it', async () => {
    const channel = await channelOn();
    await refusedBy(channel, publish(MESSAGE, { TopicArn: TOPIC.replace('1234', '9999') }), /another topic/);
  });

  it('is refused when its headers name another type or id than its body', async () => {
    const channel = await channelOn();
    const { headers, body } = publish(MESSAGE);
    for (const name of ['x-amz-sns-message-type', 'x-amz-sns-message-id']) {
      await refused(channel, { ...headers, [name]: 'SubscriptionConfirmation' }, body, /another message/);
      await refused(channel, { ...headers, [name]: '' }, body, /another message/);
    }
  });

  it('is refused with a certificate from anywhere but SNS of that region, and nothing is called there', async () => {
    const sns = openSns();
    const channel = await channelOn(sns);
    for (const address of [
      'https://example.test/SimpleNotificationService-01.pem',
      'http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem',
      'https://sns.us-east-1.amazonaws.com/SimpleNotificationService-01.pem',
      'https://sns.eu-west-1.amazonaws.com.example.test/SimpleNotificationService-01.pem',
      'https://sns.eu-west-1.amazonaws.com@example.test/SimpleNotificationService-01.pem',
      'https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-01.pem',
      'https://bucket.s3.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem',
      'https://sns.eu-west-1.amazonaws.com/?Action=GetTopicAttributes#SimpleNotificationService-01.pem',
      'https://sns.eu-west-1.amazonaws.com/../SimpleNotificationService-01.pem',
      'https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem\n',
    ]) {
      await refusedBy(channel, publish(MESSAGE, { SigningCertURL: address }), /lies elsewhere/, address);
    }
    assert.deepEqual(sns.asked, []);
  });

  it('has its certificate in China where the topic is there', async () => {
    const topicArn = TOPIC.replace('aws:', 'aws-cn:').replace('eu-west-1', 'cn-north-1');
    const channel = await open({ provider: 'ses', topicArn }, { http: openSns().http });
    const inChina = 'https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-01.pem';
    const elsewhere = publish(MESSAGE, { TopicArn: topicArn, SigningCertURL: inChina.replace('.com.cn', '.com') });
    await refusedBy(channel, elsewhere, /lies elsewhere/);
    // Where it is looked for; in this test there is none.
    await refusedBy(channel, publish(MESSAGE, { TopicArn: topicArn, SigningCertURL: inChina }), /no certificate/);
  });

  it('comes again when the certificate can’t be fetched, and is refused when there is none', async () => {
    const { headers, body } = publish(MESSAGE);
    const failing = Object.assign(sealedHttp(), { send: () => Promise.reject(new RetryableError('no connection')) });
    await assert.rejects(verify(await channelOn({ http: failing, asked: [] }), headers, body), RetryableError);
    const missing = publish(MESSAGE, { SigningCertURL: CERTIFICATE.replace('0123', '3210') });
    await refusedBy(await channelOn(), missing, /no certificate/);
  });

  it('is refused unsigned, as what is no JSON or written twice over', async () => {
    const channel = await channelOn();
    const { headers, body } = publish(MESSAGE);
    for (const wrong of ['', 'hi', '{}', body.toString().replace('{', '{"Type":"Notification",')]) {
      await refused(channel, headers, wrong, /not a signed message/, wrong);
    }
  });

  it('has its subscription confirmed, at an address of ours and only once it is proven', async () => {
    const sns = openSns();
    const channel = await channelOn(sns);
    const asking = publish(
      'You have chosen to subscribe',
      { SubscribeURL: 'https://example.test/' },
      'SubscriptionConfirmation',
    );
    const fields = JSON.parse(asking.body.toString()) as Record<string, string>;
    for (const name of ['Token', 'SubscribeURL', 'Signature']) {
      const [other = ''] = altered(fields[name]!);
      await refusedBy(channel, pack({ ...fields, [name]: other }), /does not match/, name);
    }
    assert.deepEqual(sns.asked, [CERTIFICATE]);
    await verify(channel, asking.headers, asking.body);
    const url = new URL(sns.asked[1]!);
    assert.equal(`${url.origin}${url.pathname}`, 'https://sns.eu-west-1.amazonaws.com/');
    const query = { Action: 'ConfirmSubscription', TopicArn: TOPIC, Token: fields.Token };
    assert.deepEqual(Object.fromEntries(url.searchParams), query);
  });

  it('asks again for its subscription when that can’t be confirmed', async () => {
    const sns = openSns();
    const failing = async (request: Parameters<typeof sns.http.send>[0]) => {
      if (request.url.includes('ConfirmSubscription')) throw new PermanentError('403 Forbidden');
      return sns.http.send(request);
    };
    const channel = await channelOn({ http: Object.assign(sealedHttp(), { send: failing }), asked: [] });
    const { headers, body } = publish('You have chosen', {}, 'SubscriptionConfirmation');
    // Whatever isn't a BadPayloadError is answered with 503.
    await assert.rejects(verify(channel, headers, body), PermanentError);
  });
});
