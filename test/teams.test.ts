import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { teams } from '../src/connectors/teams/teams.ts';
import type { Channel, Http, HttpRequest, Reply } from '../src/core/connector.ts';
import type { Attachment } from '../src/core/envelope.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
  UncertainError,
} from '../src/core/errors.ts';
import type { Payload } from '../src/core/payload.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext, sealedHttp } from './fakes/context.ts';
import { sampleMessage, sampleTicket } from './fakes/gateway.ts';
import { APP_ID, PASSWORD, sentProblems, SERVICE, startTeams, TENANT } from './fakes/teams.ts';
import type { FakeTeams } from './fakes/teams.ts';

const FIXTURES = join(import.meta.dirname, '../src/connectors/teams/fixtures');
const CHAT = 'a:1personalChatOfOlenaExample';
const POST = '19:exampleChannel0001@thread.tacv2;messageid=1795341590020';
const file = { id: 'att_1', name: 'a.png', mediaType: 'image/png', size: 5, state: 'stored' } as const;
const rest = { error: null, inline: false, url: '' };

function replyWith(given: Partial<Reply> & { readonly text?: string; readonly files?: readonly object[] } = {}) {
  const sent: string[] = [];
  const { text = 'It comes tomorrow.', files = [], ...more } = given;
  const attachments = files.map((one) => ({ ...file, ...rest, ...one }));
  const reply: Reply = {
    id: 'tsk_1',
    ticket: sampleTicket(),
    message: sampleMessage({ text, direction: 'outbound', attachments }),
    thread: CHAT,
    answers: sampleMessage({ fields: { service_url: SERVICE } }),
    references: [],
    proof: '',
    sent: [],
    partSent: async (id) => void sent.push(id),
    open: async () => Readable.from([Buffer.from('by'), Buffer.from('tes')]),
    ...more,
  };
  return { reply, sent };
}

async function failure(work: Promise<unknown> | undefined): Promise<TributaryError> {
  const error = await Promise.resolve(work).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof TributaryError, `threw ${String(error)}`);
  const all = JSON.stringify([error, error.message, error.hint, error.stack, error.response, String(error.cause)]);
  assert.ok(!all.includes(PASSWORD) && !/granted-\d/.test(all), 'a secret is in the error');
  return error;
}

const payloadOf = (name: string): Payload => ({
  endpointId: 'teams',
  receivedAt: 0,
  method: 'POST',
  url: '',
  headers: {},
  body: readFileSync(join(FIXTURES, name, 'body.json')),
});

describe("Teams' channel, against a stand-in for Microsoft", () => {
  let api: FakeTeams;
  let egress: Egress;
  const clock = fakeClock();
  beforeEach(async () => {
    api = await startTeams();
    egress = createHttp({ allow: ['127.0.0.1'] });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  async function open(settings: object = {}): Promise<Channel> {
    const own = { appId: APP_ID, appPassword: PASSWORD, tenantId: TENANT, apiRoot: api.root, ...settings };
    const context = fakeContext({ id: 'teams', clock, http: egress.for({ hosts: [] }) });
    return teams.open(teams.config.parse(own), context);
  }
  const send = async (given: Parameters<typeof replyWith>[0] = {}) => {
    const { reply, sent } = replyWith(given);
    await (
      await open()
    ).reply!(reply);
    return sent;
  };
  const askedFor = (pathEnd: string) => api.calls.filter(({ path }) => path.endsWith(pathEnd));

  describe('an answer', () => {
    it('goes out as text into the chat that it answers', async () => {
      const sent = await send();
      assert.deepEqual(api.delivered, [{ id: '1795341700001', chat: CHAT, text: 'It comes tomorrow.' }]);
      assert.deepEqual(sent, [`${CHAT}:1795341700001`]);
    });

    it('goes out below the post of a channel, and is known there as one of its channel', async () => {
      const sent = await send({ thread: POST });
      assert.deepEqual(api.delivered, [{ id: '1795341700001', chat: POST, text: 'It comes tomorrow.' }]);
      assert.deepEqual(sent, ['19:exampleChannel0001@thread.tacv2:1795341700001']);
    });

    it('goes out in parts where it is too long, and goes on behind those that went out', async () => {
      const text = Array.from({ length: 4000 }, (_, index) => `word${index}`).join(' ');
      await send({ text });
      const parts = api.delivered.map((message) => message.text);
      assert.equal(parts.length, 4);
      assert.equal(parts.join(' '), text);
      const again = await send({ text, sent: [{ externalId: '1' }, { externalId: '2' }, { externalId: '3' }] });
      assert.equal(again.length, 1);
      assert.equal(api.delivered.at(-1)!.text, parts[3]);
    });

    it('shows pictures, each behind the text', async () => {
      const sent = await send({ files: [{}, { id: 'att_2', name: 'b.jpg', mediaType: 'image/jpeg', size: null }] });
      assert.equal(sent.length, 3);
      assert.deepEqual(
        api.delivered.flatMap(({ attachments = [] }) => attachments),
        [
          { contentType: 'image/png', contentUrl: 'data:image/png;base64,Ynl0ZXM=', name: 'a.png' },
          { contentType: 'image/jpeg', contentUrl: 'data:image/jpeg;base64,Ynl0ZXM=', name: 'b.jpg' },
        ],
      );
    });

    it('is refused before anything goes out when it can not be shown whole, or leads nowhere', async () => {
      for (const [given, words] of [
        [{ files: [{ name: 'a.pdf', mediaType: 'application/pdf' }] }, /^a\.pdf can't be sent: bots show PNG/],
        [{ files: [{ size: 1024 * 1024 + 1 }] }, /^a\.png can't be sent/],
        [{ text: '  ' }, /is empty/],
        [{ thread: undefined }, /no chat in Teams/],
      ] as const) {
        const error = await failure(send(given));
        assert.ok(error instanceof PermanentError);
        assert.match(error.message, words);
        assert.ok(error.hint !== undefined || /empty/.test(error.message));
      }
      assert.deepEqual(api.calls, []);
    });

    it('is not sent again where Teams took it and does not say under which name', async () => {
      api.end('/activities', { http: 201 });
      assert.deepEqual(await send(), ['tsk_1:0']);
    });

    const said = (code: string) => ({ error: { code, message: 'In words.' } });
    const passed = { errorCode: 209, message: '{"subCode": "MessageWritesBlocked", "details": "Thread is blocked."}' };
    for (const [http, body, kind, words, hint] of [
      [400, said('BadArgument'), PermanentError, /400: BadArgument: In words\.$/, /Read its answer/],
      [403, said('BotNotInConversationRoster'), PermanentError, /NotInConversationRoster/, /add it again/],
      [403, said('ConversationBlockedByUser'), PermanentError, /BlockedByUser/, /blocked the bot/],
      [403, passed, PermanentError, /MessageWritesBlocked: Thread is blocked\.$/, /removed the app/],
      [403, { message: 'No.' }, PermanentError, /403: No\.$/, /Read its answer/],
      [404, said('ConversationNotFound'), PermanentError, /ConversationNotFound/, /The chat is gone/],
      [410, said('Gone'), PermanentError, /Gone/, undefined],
      [412, said('PreconditionFailed'), RetryableError, /PreconditionFailed/, undefined],
      [413, said('MessageSizeTooBig'), PermanentError, /MessageSizeTooBig/, /shorter/],
      [429, said('Throttled'), RateLimitedError, /Throttled/, undefined],
      [500, said('ServiceError'), UncertainError, /ServiceError.*may show it all the same$/, /Ask the customer/],
      [503, {}, RetryableError, /answered 503$/, undefined],
    ] as const) {
      it(`says what ${http} ${JSON.stringify(body)} means`, async () => {
        api.end('/activities', { http, body });
        const error = await failure(send());
        assert.equal(error.constructor, kind);
        assert.match(error.message, words);
        if (hint) assert.match(error.hint ?? '', hint);
        assert.ok(!(error instanceof RetryableError && error.outcomeUnknown));
        assert.ok(!(error instanceof PermanentError && error.gone), 'it says nothing about the channel');
      });
    }

    it('waits for a person where nobody knows whether it went out', async () => {
      api.end('/activities', 'lost');
      assert.ok((await failure(send())) instanceof UncertainError);
      assert.equal(api.delivered.length, 1);
    });
  });

  describe('an access token', () => {
    it('is asked for once by all that wait, and kept until it ends', async () => {
      const channel = await open();
      const answer = () => channel.reply!(replyWith().reply);
      await Promise.all([answer(), answer(), answer()]);
      await answer();
      assert.equal(askedFor('/token').length, 1);
      clock.jump(3_300_000);
      await answer();
      assert.equal(askedFor('/token').length, 2);
      assert.equal(api.delivered.length, 5);
    });

    it('is replaced once where it is refused before its time', async () => {
      const channel = await open();
      await channel.reply!(replyWith().reply);
      api.granted.clear();
      await channel.reply!(replyWith().reply);
      assert.equal(api.delivered.length, 2);
      const refused = { http: 401, body: { error: { code: 'BotNotRegistered', message: 'No registration.' } } };
      api.end('/activities', refused, refused);
      const error = await failure(channel.reply!(replyWith().reply));
      assert.ok(error instanceof AuthExpiredError);
      assert.match(error.hint ?? '', /channel Microsoft Teams of the Azure Bot/);
      assert.equal(askedFor('/activities').length, 5);
    });

    it('is not to be had with what a person must put right, in Microsoft’s words', async () => {
      const error = await failure((await open({ appPassword: 'wrong' })).reply!(replyWith().reply));
      assert.ok(error instanceof AuthExpiredError);
      assert.match(error.message, /\(invalid_client: AADSTS7000215: Invalid client secret provided\)$/);
      assert.match(error.hint ?? '', /not its id/);
      for (const [description, hint] of [
        ['AADSTS7000222: The provided client secret keys are expired.', /has expired/],
        ['AADSTS700016: Application was not found.', /`tenantId`/],
        ['AADSTS1: Something new.', /^Check `appId`/],
        [undefined, /^Check `appId`/],
      ] as const) {
        api.end('/token', { http: 400, body: { error: 'unauthorized_client', error_description: description } });
        const refused = await failure(send());
        assert.ok(refused instanceof AuthExpiredError);
        assert.match(refused.hint ?? '', hint);
      }
    });

    it('that can’t be had now is asked for again: no answer went out meanwhile', async () => {
      for (const [ending, kind] of [
        [{ http: 500, body: { quoted: PASSWORD } }, RetryableError],
        ['lost', RetryableError],
        [{ http: 200, body: {} }, RetryableError],
        [{ http: 429 }, RateLimitedError],
        [{ http: 404, body: { quoted: PASSWORD } }, PermanentError],
      ] as const) {
        api.end('/token', ending);
        const error = await failure(send());
        assert.equal(error.constructor, kind);
        assert.ok(!(error instanceof RetryableError && error.outcomeUnknown));
      }
      assert.deepEqual(api.delivered, []);
    });
  });

  it('shows the token to nobody but the stand-in that was put in Microsoft’s place', async () => {
    const channel = await open();
    const [item] = await channel.normalize(payloadOf('pictures'));
    const [picture] = item?.kind === 'message' ? (item.attachments ?? []) : [];
    const error = await failure(channel.download!(picture!, payloadOf('pictures')));
    assert.match(error.message, /at https:\/\/smba\.trafficmanager\.net, which is no host/);
    assert.deepEqual(api.calls, []);
  });

  it('tries the test: access tokens, and the keys that Microsoft signs with', async () => {
    assert.match(await (await open()).test!(), new RegExp(`^the bot ${APP_ID} gets tokens`));
    api.end('/keys', { http: 500 });
    assert.ok((await failure((await open()).test!())) instanceof RetryableError);
    assert.ok((await failure((await open({ appPassword: 'wrong' })).test!())) instanceof AuthExpiredError);
  });

  it('is checked against a description that finds mistakes', () => {
    const frame = { type: 'message', from: { id: `28:${APP_ID}` }, conversation: { id: CHAT } };
    const whole = { ...frame, textFormat: 'plain', text: 'a' };
    assert.deepEqual(sentProblems(whole), []);
    for (const wrong of [
      { ...whole, text: '' },
      { ...whole, textFormat: 'html' },
      { ...whole, from: { id: APP_ID } },
      { ...whole, conversation: CHAT },
      { ...whole, reply_to_id: '1' },
      { ...frame, attachments: [{ contentType: 'image/png', contentUrl: 'https://example.com/a.png', name: 'a' }] },
    ]) {
      assert.notDeepEqual(sentProblems(wrong), [], JSON.stringify(wrong));
    }
  });

  it('opens with settings that Microsoft gives only', () => {
    const problems = (settings: object) =>
      teams.config
        .safeParse({ appId: APP_ID, appPassword: PASSWORD, ...settings })
        .error?.issues.map(({ path }) => path.join('.')) ?? [];
    assert.deepEqual(problems({}), []);
    assert.deepEqual(problems({ appId: 'bot' }), ['appId']);
    assert.deepEqual(problems({ appPassword: '' }), ['appPassword']);
    assert.deepEqual(problems({ tenantId: '../common' }), ['tenantId']);
    assert.deepEqual(problems({ apiRoot: 'ftp://example.com' }), ['apiRoot']);
  });
});

describe("Teams' channel, towards Microsoft's own hosts", () => {
  let asked: HttpRequest[];
  let refuse: Error | undefined;
  beforeEach(() => {
    asked = [];
    refuse = undefined;
  });

  async function open(): Promise<Channel> {
    const http: Http = Object.assign(sealedHttp(), {
      async send(request: HttpRequest) {
        asked.push(request);
        const json = request.url.endsWith('/token') ? { access_token: 'granted', expires_in: 3599 } : { id: '1' };
        return { status: 200, headers: {}, text: '', json };
      },
      async stream(request: HttpRequest) {
        asked.push(request);
        if (refuse) throw refuse;
        return { headers: {}, body: Readable.from([Buffer.from('bytes')]) };
      },
    });
    const config = teams.config.parse({ appId: APP_ID, appPassword: PASSWORD });
    return teams.open(config, fakeContext({ id: 'teams', http }));
  }
  const bearersOf = () => asked.map(({ url, headers }) => [url, headers?.authorization]);
  const TOKEN_URL = 'https://login.microsoftonline.com/botframework.com/oauth2/v2.0/token';
  const sendTo = async (fields: Record<string, string> | undefined) =>
    (await open()).reply!(replyWith({ answers: fields && sampleMessage({ fields }) }).reply);

  for (const [what, fields, url] of [
    ['the region that the customer wrote from', { service_url: SERVICE }, 'https://smba.trafficmanager.net/emea'],
    ['any region where nobody has written', undefined, 'https://smba.trafficmanager.net/teams'],
    [
      'a government cloud that is run like the others',
      { service_url: 'https://smba.infra.gcc.teams.microsoft.com/teams' },
      'https://smba.infra.gcc.teams.microsoft.com/teams',
    ],
  ] as const) {
    it(`answers by ${what}`, async () => {
      await sendTo(fields);
      const chat = encodeURIComponent(CHAT);
      assert.deepEqual(bearersOf(), [
        [TOKEN_URL, undefined],
        [`${url}/v3/conversations/${chat}/activities`, 'Bearer granted'],
      ]);
    });
  }

  it('shows its token to nobody else, whatever a message names', async () => {
    for (const service_url of [
      'https://attacker.trafficmanager.net/emea/',
      'https://smba.trafficmanager.net.example.com/',
      'https://smba.trafficmanager.net:8443/emea/',
      'http://smba.trafficmanager.net/emea/',
      'https://login.botframework.com/',
      'emea',
    ]) {
      const error = await failure(sendTo({ service_url }));
      assert.ok(error instanceof PermanentError, service_url);
      assert.match(error.message, /no service of Teams$/);
    }
    assert.deepEqual(asked, []);
  });

  async function filesOf(name: string): Promise<readonly Attachment[]> {
    const [item] = await (await open()).normalize(payloadOf(name));
    return item?.kind === 'message' ? (item.attachments ?? []) : [];
  }

  it('gets a file without its token, by the address that holds leave to', async () => {
    const [pdf] = await filesOf('file');
    const body = await (await open()).download!(pdf!, payloadOf('file'));
    assert.equal(await textOf(body), 'bytes');
    assert.deepEqual(
      bearersOf().map(([url, bearer]) => [new URL(url!).host, bearer]),
      [['example-my.sharepoint.com', undefined]],
    );
  });

  it('gets pasted pictures with its token, each by its own address', async () => {
    const pictures = await filesOf('pictures');
    for (const picture of pictures) await (await open()).download!(picture, payloadOf('pictures'));
    const paths = asked
      .filter(({ url }) => url.startsWith(SERVICE))
      .map(({ url, headers }) => [url.slice(-14), headers]);
    const headers = { authorization: 'Bearer granted' };
    assert.equal(pictures.length, 2);
    assert.deepEqual(paths, [
      ['views/original', headers],
      ['views/original', headers],
    ]);
    assert.equal(new Set(asked.map(({ url }) => url)).size, 3);
  });

  it('says that a file is gone when its leave has ended, which is not about the bot', async () => {
    const [pdf] = await filesOf('file');
    for (const [status, kind] of [
      [401, AuthExpiredError],
      [403, PermanentError],
      [404, PermanentError],
    ] as const) {
      refuse = new kind('refused', { response: { status, text: '' } });
      const error = await failure((await open()).download!(pdf!, payloadOf('file')));
      assert.ok(error instanceof PermanentError);
      assert.match(error.hint ?? '', /some minutes/);
    }
    refuse = new RetryableError('later', { response: { status: 503, text: '' } });
    assert.equal(await failure((await open()).download!(pdf!, payloadOf('file'))), refuse);
  });

  it('gets no file from elsewhere, nor one that the message has not', async () => {
    const [pdf] = await filesOf('file');
    const { body, ...payload } = payloadOf('file');
    for (const host of ['evil.example.com', 'sharepoint.com.example.com', 'notsharepoint.com', 'graph.microsoft.com']) {
      const changed = Buffer.from(body.toString().replaceAll('example-my.sharepoint.com', host));
      const error = await failure((await open()).download!(pdf!, { ...payload, body: changed }));
      assert.match(error.message, /no host that bots get files from$/, host);
    }
    const insecure = Buffer.from(body.toString().replaceAll('https://example-my.', 'http://example-my.'));
    const plain = await failure((await open()).download!(pdf!, { ...payload, body: insecure }));
    assert.match(plain.message, /no host that bots get files from$/);
    const none = await failure((await open()).download!({ ...pdf!, id: 'other' }, payloadOf('file')));
    assert.match(none.message, /tells no address of invoice 4512\.pdf/);
    assert.deepEqual(asked, []);
  });

  it('reads the plain text beside HTML that is too much', async () => {
    for (const html of ['<ul><li>'.repeat(25_000), `<p>${'a'.repeat(300_000)}</p>`]) {
      assert.equal(await textWith(html), 'Where is my order?');
    }
  });

  async function itemWith(more: object) {
    const activity = JSON.parse(payloadOf('text').body.toString()) as object;
    const body = Buffer.from(JSON.stringify({ ...activity, ...more }));
    const [item] = await (await open()).normalize({ ...payloadOf('text'), body });
    assert.ok(item?.kind === 'message');
    return item;
  }
  const textWith = async (html: string) =>
    (await itemWith({ attachments: [{ contentType: 'text/html', content: html }] })).text;

  it('leaves out the name of the bot where it is addressed, and no other words', async () => {
    const [bot, shown] = [{ id: '28:bot' }, '<at>Desk</at>'];
    const words = async (entity: object, recipient?: object) =>
      (await itemWith({ text: `${shown} hello`, attachments: [], recipient, entities: [entity] })).text;
    assert.equal(await words({ type: 'mention', mentioned: bot, text: shown }, bot), 'hello');
    assert.equal(await words({ type: 'mention', mentioned: { id: '29:anna' }, text: shown }, bot), '@Desk hello');
    assert.equal(await words({ type: 'mention', text: shown }), '@Desk hello');
    assert.equal(await words({ type: 'other', mentioned: bot, text: shown }, bot), '@Desk hello');
    assert.equal(await words({ type: 'mention', mentioned: bot }, bot), '@Desk hello');
  });

  it('takes no picture for a file that has no address', async () => {
    assert.deepEqual((await itemWith({ attachments: [{ contentType: 'image/png' }] })).attachments, []);
  });

  it('reads what people write, whatever they make of it', async () => {
    assert.equal(await textWith('<p>a\ue000b\ue002 c</p>'), 'ab c');
    assert.equal(await textWith(`${'<div>'.repeat(4000)}deep`), '...');
    assert.equal(await textWith('<p>one</p><script>two()</script><p>three</p>'), 'one\nthree');
    assert.equal(
      await textWith('<p>Hi <emoji id="smile" alt="🙂"></emoji><emoji></emoji></p><at>Bob</at>'),
      'Hi 🙂\n@Bob',
    );
  });
});
