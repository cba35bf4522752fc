import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { createApi, SLACK } from '../src/connectors/slack/api.ts';
import { SCOPES, slack } from '../src/connectors/slack/slack.ts';
import type { Channel, Reply } from '../src/core/connector.ts';
import {
  AuthExpiredError,
  BadPayloadError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
  UncertainError,
} from '../src/core/errors.ts';
import { Secret } from '../src/core/secret.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext, sealedHttp } from './fakes/context.ts';
import { sampleMessage, samplePayload, sampleTicket } from './fakes/samples.ts';
import type { Description } from './fakes/openapi.ts';
import { readSlack } from './fakes/slack-description.ts';
import { APP_TOKEN, AT, BOT_TOKEN, SIGNING_SECRET, startSlack } from './fakes/slack.ts';
import type { FakeSlack } from './fakes/slack.ts';
import { skipUnless } from './skip.ts';

const ROOT = join(import.meta.dirname, '..');
const VECTORS = join(ROOT, '../shared/fixtures/signatures/slack-python-sdk/vectors.json');
const PAYLOAD = samplePayload('');
const ROOT_TS = `${AT}.000100`;
const THREAD = `C0123456789:${ROOT_TS}`;

describe("Slack's channel, against a stand-in that keeps to Slack's description", () => {
  let api: FakeSlack;
  let egress: Egress;
  let description: Description | undefined;
  before(() => {
    description = readSlack();
  });
  beforeEach(async () => {
    api = await startSlack(description);
    api.said.set('C0123456789', [{ ts: ROOT_TS, text: 'Where is my order?', user: 'U1' }]);
    egress = createHttp({ allow: ['127.0.0.1'] });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  const settings = (given: object = {}) => ({
    botToken: BOT_TOKEN,
    mode: 'webhook',
    signingSecret: SIGNING_SECRET,
    apiRoot: api.root,
    ...given,
  });
  async function open(given: object = {}, now = (AT + 1000) * 1000): Promise<Channel> {
    const context = fakeContext({ id: 'slack', http: egress.for({ hosts: [] }), clock: fakeClock(now) });
    return slack.open(slack.config.parse(settings(given)), context);
  }

  function replyWith(given: Partial<Reply> & { readonly text?: string; readonly files?: readonly string[] } = {}) {
    const sent: string[] = [];
    const attachments = (given.files ?? []).map((name) => ({
      ...{ id: name, name, mediaType: 'text/plain', size: 5, state: 'stored' as const },
      ...{ error: null, inline: false, url: '' },
    }));
    const reply: Reply = {
      id: 'tsk_1',
      ticket: sampleTicket(),
      message: sampleMessage({ text: given.text ?? 'It comes tomorrow.', attachments }),
      thread: THREAD,
      answers: undefined,
      references: [],
      proof: '',
      sent: [],
      partSent: async (id) => void sent.push(id),
      open: async (id) => Readable.from([Buffer.from(`bytes of ${id}`)]),
      ...given,
    };
    return { reply, sent };
  }
  const answer = async (given: Parameters<typeof replyWith>[0] = {}, config: object = {}) => {
    const { reply, sent } = replyWith(given);
    await (
      await open(config)
    ).reply!(reply);
    return sent;
  };

  async function failure(work: Promise<unknown>): Promise<TributaryError> {
    const error: unknown = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof TributaryError, `threw ${String(error)}`);
    const all = JSON.stringify([error, error.message, error.hint, error.stack, error.response, String(error.cause)]);
    for (const token of [BOT_TOKEN, APP_TOKEN]) assert.ok(!all.includes(token), 'a token is in the error');
    return error;
  }
  const textsIn = (channel: string) => (api.said.get(channel) ?? []).map(({ text }) => text);

  describe('an answer', () => {
    it('goes out into its thread, as it was written', async () => {
      const sent = await answer({ text: 'Tom & <!channel> *Jerry* <b>' });
      const [posted] = api.callsOf('chat.postMessage');
      const { metadata, ...body } = posted!.body;
      assert.deepEqual(body, {
        channel: 'C0123456789',
        thread_ts: ROOT_TS,
        text: 'Tom &amp; &lt;!channel&gt; *Jerry* &lt;b&gt;',
        mrkdwn: false,
      });
      assert.deepEqual(metadata, { event_type: 'tributary_answer', event_payload: { part: 'tsk_1:0' } });
      assert.deepEqual(sent, [`C0123456789:${api.said.get('C0123456789')!.at(-1)!.ts}`]);
    });

    it('goes out below the last word of a direct message, where it belongs to no thread', async () => {
      await answer({ thread: 'D0123456789' });
      const { body } = api.callsOf('chat.postMessage')[0]!;
      assert.deepEqual([body.channel, 'thread_ts' in body], ['D0123456789', false]);
    });

    it('goes out in parts where it is too long, and goes on behind those that went out', async () => {
      const text = Array.from({ length: 2000 }, (_, index) => `word${index}`).join(' ');
      await answer({ text });
      const parts = textsIn('C0123456789').slice(1) as string[];
      assert.equal(parts.join(' '), text);
      assert.ok(parts.length > 1 && parts.every((part) => part.length <= 4000));
      const before = api.callsOf('chat.postMessage').length;
      await answer({ text, sent: parts.slice(1).map((_, index) => ({ externalId: String(index) })) });
      assert.equal(api.callsOf('chat.postMessage').length, before + 1);
    });

    it('brings its files behind its text, into the same thread', async () => {
      const sent = await answer({ text: 'Both:', files: ['a.txt', 'b "é".txt'] });
      assert.deepEqual(
        api.uploads.map(({ bytes }) => bytes.toString()),
        ['bytes of a.txt', 'bytes of b "é".txt'],
      );
      assert.ok(api.uploads.every(({ headers }) => headers.authorization === undefined));
      assert.deepEqual(
        api.callsOf('files.getUploadURLExternal').map(({ query }) => query.length),
        ['14', '19'],
      );
      const shared = api.callsOf('files.completeUploadExternal').map(({ body }) => body);
      assert.deepEqual(shared[1], {
        files: [{ id: sent[2]!.slice('file:'.length), title: 'b "é".txt' }],
        channel_id: 'C0123456789',
        thread_ts: ROOT_TS,
      });
      assert.equal(sent.length, 3);
    });

    it('is not sent again when only its confirmation was lost: Slack is asked', async () => {
      for (const thread of [THREAD, 'D0123456789']) {
        api.said.set('D0123456789', [{ ts: ROOT_TS, text: 'Hello', user: 'U1' }]);
        api.end('chat.postMessage', { fate: 'lost' });
        const sent = await answer({ thread });
        assert.deepEqual(sent, [`${thread.split(':')[0]}:${api.said.get(thread.split(':')[0]!)!.at(-1)!.ts}`]);
      }
      assert.equal(api.callsOf('chat.postMessage').length, 2);
    });

    it('waits for a person where Slack cannot tell whether it is there', async () => {
      const other = { event_type: 'tributary_answer', event_payload: { part: 'tsk_9:0' } };
      const ends = [
        () => api.end('chat.postMessage', { fate: 'cut' }),
        () => api.end('chat.postMessage', 'internal_error'),
        () => {
          api.end('chat.postMessage', { fate: 'lost' });
          api.end('conversations.replies', 'ratelimited');
        },
        () => {
          api.said.get('C0123456789')!.push({ ts: `${AT + 999}.000100`, thread_ts: ROOT_TS, metadata: other });
          api.end('chat.postMessage', 'fatal_error');
        },
      ];
      for (const [index, end] of ends.entries()) {
        end();
        const error = await failure(answer({ id: `tsk_${index}` }));
        assert.ok(error instanceof UncertainError, error.name);
        assert.match(error.hint ?? '', /replay the delivery/);
      }
      api.end('files.completeUploadExternal', { fate: 'lost' });
      assert.ok((await failure(answer({ text: '', files: ['a.txt'] }))) instanceof UncertainError);
    });

    it('is simply tried again where nobody can have seen it', async () => {
      api.end('files.getUploadURLExternal', { fate: 'cut' });
      const error = await failure(answer({ text: '', files: ['a.txt'] }));
      assert.ok(error instanceof RetryableError && !error.outcomeUnknown, String(error));
    });

    it('is refused before anything goes out when it has no words or no place', async () => {
      for (const [given, words] of [
        [{ text: ' ' }, /is empty/],
        [{ thread: undefined }, /no place in Slack/],
        [{ thread: 'C0123456789/../x' }, /no place in Slack/],
        [{ thread: 'C0123456789:1:2' }, /no place in Slack/],
      ] as const) {
        const error = await failure(answer(given));
        assert.ok(error instanceof PermanentError);
        assert.match(error.message, words);
      }
      assert.deepEqual(api.calls, []);
      const empty = { open: async () => Readable.from([]) };
      assert.match((await failure(answer({ text: '', files: ['a.txt'], ...empty }))).message, /a\.txt is empty/);
    });

    it('takes its files to no host but Slack’s', async () => {
      for (const uploadsTo of [
        'https://files.slack.com.example.com/upload',
        'https://slack.com@example.com/upload',
        'http://files.slack.com/upload',
        'https://notslack.com/upload',
        api.root.replace('127.0.0.1', 'localhost'),
      ]) {
        api.uploadsTo = uploadsTo;
        const error = await failure(answer({ text: '', files: ['a.txt'] }));
        assert.ok(error instanceof PermanentError, uploadsTo);
        assert.match(error.message, /no host of Slack's/);
      }
      assert.deepEqual(api.uploads, []);
    });

    for (const [ending, kind, words, hint] of [
      ['token_revoked', AuthExpiredError, /chat\.postMessage: token_revoked/, /Install the app again/],
      ['account_inactive', AuthExpiredError, /account_inactive/, /Install the app again/],
      ['ratelimited', RateLimitedError, /ratelimited/, undefined],
      ['service_unavailable', RetryableError, /service_unavailable/, undefined],
      ['not_in_channel', PermanentError, /not_in_channel/, /invite/],
      ['dreaming', PermanentError, /dreaming/, undefined],
      ['constructor', PermanentError, /constructor/, undefined],
      [{ http: 429, headers: { 'retry-after': '7' } }, RateLimitedError, /429/, undefined],
      [{ http: 503 }, UncertainError, /503/, /replay/],
    ] as const) {
      it(`says what ${JSON.stringify(ending)} means`, async () => {
        api.end('chat.postMessage', ending);
        const error = await failure(answer());
        assert.ok(error instanceof kind, error.name);
        assert.match(error.message, words);
        if (hint) assert.match(error.hint ?? '', hint);
        else assert.equal(error.hint, undefined);
        if (typeof ending === 'object' && ending.http === 429) {
          assert.equal(error instanceof RateLimitedError && error.retryAfterMs, 7000);
        }
      });
    }
  });

  describe('a file', () => {
    const download = async (mediaType = 'image/png') =>
      (await open()).download!({ id: 'F1', name: 'a.png', mediaType }, PAYLOAD);
    const bytes = Buffer.from('a picture');

    it('is fetched by its id, with the token', async () => {
      api.files.set('F1', { bytes, mimetype: 'image/png' });
      assert.equal(await textOf(await download()), 'a picture');
      assert.deepEqual(api.callsOf('files.info')[0]?.query, { file: 'F1' });
    });

    it('is no page to sign in', async () => {
      for (const page of [
        { bytes, mimetype: 'image/png', type: 'text/html; charset=utf-8' },
        { bytes, mimetype: 'image/png', status: 302 },
      ]) {
        api.files.set('F1', page);
        const error = await failure(download());
        assert.ok(error instanceof PermanentError);
        assert.match(error.hint ?? '', /files:read/);
      }
      api.files.set('F1', { bytes, mimetype: 'text/html' });
      assert.equal(await textOf(await download('text/html')), 'a picture');
    });

    it('is fetched from Slack’s hosts only, and takes the token nowhere else', async () => {
      for (const url of ['https://example.com/F1', 'https://slack.com.example.com/F1', 'file:///etc/passwd', 'F1']) {
        api.files.set('F1', { bytes, url });
        assert.match((await failure(download())).message, /no host of Slack's/, url);
      }
    });

    it('that is gone says nothing about the channel', async () => {
      assert.match((await failure(download())).message, /files\.info: file_not_found/);
      for (const status of [404, 410]) {
        api.files.set('F1', { bytes, status });
        const error = await failure(download());
        assert.ok(error instanceof PermanentError && !error.gone, String(status));
      }
      api.files.set('F1', { bytes, status: 503 });
      assert.ok((await failure(download())) instanceof RetryableError);
    });
  });

  it('knows which addresses are Slack’s, or the proxy’s', () => {
    const isSlack = (apiRoot: string, url: string) =>
      createApi({ token: new Secret(BOT_TOKEN), apiRoot, http: sealedHttp() }).isSlack(url);
    const proxy = 'https://slack-proxy.example.com:8443/api';
    for (const url of [
      'https://files.slack.com/a',
      'wss://wss-primary.slack.com/link',
      'https://files.slack-gov.com/a',
    ]) {
      for (const root of [SLACK, proxy]) assert.equal(isSlack(root, url), true, url);
    }
    for (const url of ['http://files.slack.com/a', 'ws://slack.com/', 'https://slack.com.evil.test/', 'slack.com']) {
      for (const root of [SLACK, proxy]) assert.equal(isSlack(root, url), false, url);
    }
    assert.equal(isSlack(proxy, 'https://slack-proxy.example.com:8443/files/a'), true);
    assert.equal(isSlack(proxy, 'wss://slack-proxy.example.com:8443/link'), true);
    assert.equal(isSlack(proxy, 'http://slack-proxy.example.com:8443/files/a'), false, 'in clear');
    assert.equal(isSlack(proxy, 'https://slack-proxy.example.com/files/a'), false, 'another port');
    assert.equal(isSlack(SLACK, 'https://slack-proxy.example.com:8443/files/a'), false);
  });

  it('tells the name and language of a member, and nothing of programs', async () => {
    api.users.set('U1', {
      name: 'olena',
      real_name: 'O. E.',
      locale: 'uk-UA',
      profile: { real_name: 'Olena Example' },
    });
    api.users.set('U2', { name: 'bob', profile: { real_name: '', display_name: '' } });
    const channel = await open();
    const ask = (value: string, kind = 'slack:slack') => channel.profile!({ kind, value, trust: 'verified' });
    assert.deepEqual(await ask('U1'), { name: 'Olena Example', locale: 'uk-UA' });
    assert.deepEqual(await ask('U2'), { name: 'bob' });
    assert.equal(await ask('U3'), undefined);
    assert.equal(await ask('B1'), undefined);
    assert.equal(await ask('U1', 'telegram'), undefined);
    assert.equal(api.callsOf('users.info').length, 3);
    api.end('users.info', 'missing_scope');
    assert.match((await failure(ask('U1'))).hint ?? '', /install the app again/);
  });

  describe('the test', () => {
    it('says who the app is, and which scopes it lacks', async () => {
      const channel = await open();
      assert.equal(await channel.test!(), '@help-desk of Example answers');
      api.scopes = SCOPES;
      assert.equal(await channel.test!(), '@help-desk of Example answers');
      api.scopes = SCOPES.filter((scope) => scope !== 'files:read');
      assert.match((await failure(channel.test!())).message, /lacks files:read$/);
      const other = await open({ botToken: 'xoxb-of-another-workspace' });
      assert.ok((await failure(other.test!())) instanceof AuthExpiredError);
    });

    it('tries the app token too, where it is needed', async () => {
      const channel = await open({ mode: 'socket', appToken: APP_TOKEN, signingSecret: undefined });
      assert.equal(await channel.test!(), '@help-desk of Example answers, and opens connections');
      api.end('apps.connections.open', 'not_allowed_token_type');
      assert.ok((await failure(channel.test!())) instanceof AuthExpiredError);
    });
  });

  it('asks for the scopes that its page names, and no others', () => {
    const page = readFileSync(join(ROOT, 'docs/channels/slack.md'), 'utf8');
    const named = [...page.matchAll(/^ +- ([a-z.]+:[a-z]+)$/gm)].map(([, scope]) => scope);
    assert.deepEqual(named, SCOPES);
  });

  it("gives each of Slack's signatures the verdict that is stated, and none with a byte changed", async function () {
    skipUnless(this, existsSync(VECTORS), 'the collected signatures are not beside the repository');
    interface Vector {
      readonly signing_secret: string;
      readonly timestamp: string;
      readonly body: string;
      readonly signature: string;
      readonly now: number;
      readonly valid: boolean;
    }
    const { vectors } = JSON.parse(readFileSync(VECTORS, 'utf8')) as { vectors: Vector[] };
    const verdict = async ({ signing_secret, timestamp, body, signature, now }: Vector) => {
      const channel = await open({ signingSecret: signing_secret }, now * 1000);
      const headers = { 'x-slack-request-timestamp': timestamp, 'x-slack-signature': signature };
      try {
        await channel.webhook!.verify(samplePayload(body, headers));
        return true;
      } catch (error) {
        assert.ok(error instanceof BadPayloadError);
        return false;
      }
    };
    assert.equal(vectors.length, 3);
    for (const vector of vectors) {
      assert.equal(await verdict(vector), vector.valid);
      if (!vector.valid) continue;
      assert.equal(await verdict({ ...vector, now: vector.now - 301 }), false, 'from the future');
      assert.equal(await verdict({ ...vector, now: vector.now + 300 }), true);
      for (const changed of [
        { body: vector.body.replace('T1', 'T2') },
        { timestamp: String(Number(vector.timestamp) + 1) },
        { timestamp: `0${vector.timestamp}` },
        { signature: vector.signature.replace('a2', 'a3') },
        { signature: vector.signature.toUpperCase() },
        { signature: vector.signature.slice(3) },
        { signature: vector.signature.replace('v0=', 'v1=') },
        { signature: '' },
        { signing_secret: `${vector.signing_secret}5` },
      ]) {
        assert.equal(await verdict({ ...vector, ...changed }), false, JSON.stringify(changed));
      }
    }
  });

  it('is checked against a description that finds mistakes', function () {
    skipUnless(this, description !== undefined, "Slack's description is not beside the repository");
    const problems = (body: object) =>
      description!.request({ method: 'POST', path: '/chat.postMessage', headers: {}, body });
    const asked = (path: string) => description!.request({ method: 'GET', path });
    assert.deepEqual(problems({ channel: 'C1', text: 'a' }), []);
    assert.deepEqual(asked('/conversations.replies?channel=C1&ts=1.2&limit=5'), []);
    for (const wrong of [
      { text: 'a' },
      { channel: 'C1', words: 'a' },
      { channel: 1 },
      { channel: 'C1', mrkdwn: 'no' },
    ]) {
      assert.notDeepEqual(problems(wrong), [], JSON.stringify(wrong));
    }
    assert.notDeepEqual(asked('/conversations.replies?channel=C1&ts=x'), []);
    assert.notDeepEqual(asked('/conversations.replies?channel=C1&since=1'), []);
    assert.notDeepEqual(asked('/conversations.dream'), []);
  });

  it('opens with settings that work only', () => {
    const problems = (given: object) =>
      slack.config.safeParse(settings(given)).error?.issues.map(({ path }) => path.join('.')) ?? [];
    assert.deepEqual(problems({}), []);
    assert.deepEqual(problems({ botToken: 'xoxp-of-a-person' }), ['botToken']);
    assert.deepEqual(problems({ botToken: 'xoxe.xoxb-1-rotated-token' }), ['botToken']);
    assert.deepEqual(problems({ signingSecret: undefined }), ['signingSecret']);
    assert.deepEqual(problems({ mode: 'socket' }), ['appToken']);
    assert.deepEqual(problems({ mode: 'socket', appToken: BOT_TOKEN }), ['appToken']);
    assert.deepEqual(problems({ agents: ['anna'] }), ['agents.0']);
    assert.deepEqual(problems({ apiRoot: 'ftp://example.com' }), ['apiRoot']);
  });
});
