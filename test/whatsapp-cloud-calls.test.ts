import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { whatsappCloud } from '../src/connectors/whatsapp-cloud/whatsapp-cloud.ts';
import type { Channel, Reply } from '../src/core/connector.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
  UncertainError,
} from '../src/core/errors.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { VERSION } from '../src/version.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import { sampleMessage, sampleTicket } from './fakes/gateway.ts';
import type { Description } from './fakes/openapi.ts';
import {
  ACCESS_TOKEN,
  ACCOUNT,
  APP_SECRET,
  NUMBER,
  readMeta,
  refusal,
  startMeta,
  VERIFY_TOKEN,
} from './fakes/whatsapp.ts';
import type { FakeMeta } from './fakes/whatsapp.ts';
import { skipUnless } from './skip.ts';

const HOUR = 60 * 60_000;
const ID = 'US.13491200000000000001';
const PHONE = '12025550143';
const BASE = { messaging_product: 'whatsapp', recipient_type: 'individual', to: `+${PHONE}` };
const verified = (kind: string, value: string) => ({ kind, value, trust: 'verified' as const });

describe("WhatsApp's channel, against a stand-in that is checked against Meta's own description", () => {
  let meta: FakeMeta;
  let egress: Egress;
  let description: Description | undefined;
  const clock = fakeClock();
  before(() => {
    description = readMeta();
  });
  beforeEach(async () => {
    meta = await startMeta(description);
    egress = createHttp({ allow: ['127.0.0.1'], clock, userAgent: `Tributary/${VERSION}` });
  });
  afterEach(async () => {
    egress.close();
    await meta.close();
    assert.deepEqual(meta.violations, []);
  });

  async function open(settings: object = {}): Promise<Channel> {
    const config = whatsappCloud.config.parse({
      phoneNumberId: NUMBER,
      accountId: ACCOUNT,
      accessToken: ACCESS_TOKEN,
      appSecret: APP_SECRET,
      verifyToken: VERIFY_TOKEN,
      apiRoot: meta.root,
      ...settings,
    });
    return whatsappCloud.open(config, fakeContext({ id: 'whatsapp', clock, http: egress.for({ hosts: [] }) }));
  }

  function replyTo(thread: string | undefined, given: Partial<Reply> & { readonly text?: string } = {}) {
    const sent: string[] = [];
    const reply: Reply = {
      id: 'tsk_1',
      ticket: sampleTicket(),
      message: sampleMessage({ text: given.text ?? 'It comes *tomorrow*.', direction: 'outbound' }),
      thread,
      answers: undefined,
      references: [],
      proof: '',
      sent: [],
      partSent: async (id) => void sent.push(id),
      open: async () => Readable.from([Buffer.from('by'), Buffer.from('tes')]),
      ...given,
    };
    return { reply, sent };
  }
  const answering = (...identifiers: ReturnType<typeof verified>[]) =>
    sampleMessage({ externalId: 'wamid.IN01', author: { name: 'Olena', identifiers } });
  const fileOf = (name: string, mediaType: string, size = 5) =>
    ({ id: 'att_1', name, mediaType, size, state: 'stored', error: null, inline: false, url: '' }) as const;
  const send = async (thread: string, given: Parameters<typeof replyTo>[1] = {}) => {
    const { reply, sent } = replyTo(thread, given);
    await (
      await open()
    ).reply!(reply);
    return sent;
  };
  const bodies = () => meta.calls.filter(({ path }) => path.endsWith('/messages')).map(({ body }) => body);

  async function failure(work: Promise<unknown> | undefined): Promise<TributaryError> {
    const error = await Promise.resolve(work).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof TributaryError, `threw ${String(error)}`);
    const all = JSON.stringify([error, error.message, error.hint, error.stack, error.response, String(error.cause)]);
    assert.ok(!all.includes(ACCESS_TOKEN), 'the token is in the error');
    return error;
  }

  describe('an answer', () => {
    it("goes out as text to the number of the conversation, WhatsApp's marks in it as they stand", async () => {
      const sent = await send(PHONE, { answers: answering(verified('phone', `+${PHONE}`)) });
      assert.deepEqual(bodies(), [{ ...BASE, type: 'text', text: { body: 'It comes *tomorrow*.' } }]);
      assert.deepEqual(sent, ['wamid.OUT1']);
    });

    it('goes to the id of somebody who hides his number, and to his number where he told it', async () => {
      await send(ID, { answers: answering(verified('whatsapp', ID)) });
      await send(ID);
      await send(ID, { answers: answering(verified('whatsapp', ID), verified('phone', `+${PHONE}`)) });
      await send(ID, { answers: answering({ ...verified('phone', '+12025550177'), trust: 'claimed' as never }) });
      assert.deepEqual(
        bodies().map(({ to, recipient, recipient_type }) => [recipient_type, to, recipient]),
        [
          ['individual', undefined, ID],
          ['individual', undefined, ID],
          ['individual', `+${PHONE}`, undefined],
          ['individual', undefined, ID],
        ],
      );
    });

    it('says in a group which message it answers, once', async () => {
      await send('group:Y2FwaV9ncm91cA==', { answers: answering(verified('whatsapp', ID)), text: 'a '.repeat(2500) });
      assert.deepEqual(
        bodies().map(({ to, recipient_type, context }) => [to, recipient_type, context]),
        [
          ['Y2FwaV9ncm91cA==', 'group', { message_id: 'wamid.IN01' }],
          ['Y2FwaV9ncm91cA==', 'group', undefined],
        ],
      );
    });

    it('goes out in parts where it is too long, and goes on behind those that went out', async () => {
      const text = Array.from({ length: 1500 }, (_, index) => `word${index}`).join(' ');
      assert.equal((await send(PHONE, { text })).length, 4);
      const parts = bodies().map((body) => (body['text'] as { body: string }).body);
      assert.ok(parts.every((part) => part.length <= 4096));
      assert.equal(parts.join(' '), text);
      await send(PHONE, {
        text,
        sent: [{ externalId: 'wamid.OUT1' }, { externalId: 'wamid.OUT2' }, { externalId: 'x' }],
      });
      assert.deepEqual((bodies().at(-1)!['text'] as { body: string }).body, parts[3]);
      assert.equal(bodies().length, 5);
    });

    it('sends files as what WhatsApp shows and plays them, and everything else as documents', async () => {
      const MB = 1024 * 1024;
      const files = [
        ['photo.jpg', 'image/jpeg', 5 * MB, 'image', 'image/jpeg'],
        ['large.jpg', 'image/jpeg', 5 * MB + 1, 'document', 'image/jpeg'],
        ['photo.webp', 'image/webp', 5, 'document', 'image/webp'],
        ['clip.mp4', 'Video/MP4', 16 * MB, 'video', 'video/mp4'],
        ['long.mp4', 'video/mp4', 17 * MB, 'document', 'video/mp4'],
        ['voice.ogg', 'audio/ogg; codecs=opus', 5, 'audio', 'audio/ogg'],
        ['odd.bin', 'application/odd\r\nx-injected: 1', 5, 'document', 'application/odd'],
        ['odder.bin', 'odd', 5, 'document', 'application/octet-stream'],
        ['a "quoted"\r\nname.pdf', 'application/pdf', 5, 'document', 'application/pdf'],
      ] as const;
      for (const [name, given, size, kind, type] of files) {
        const message = sampleMessage({ text: '', direction: 'outbound', attachments: [fileOf(name, given, size)] });
        await send(PHONE, { message });
        const { [kind]: media, type: sent } = bodies().at(-1)!;
        assert.equal(sent, kind, name);
        assert.match((media as { id: string }).id, /^media-\d+$/);
        assert.equal((media as { filename?: string }).filename, kind === 'document' ? name : undefined);
        const { name: uploaded, mediaType, bytes } = meta.uploads.at(-1)!;
        assert.deepEqual([mediaType, bytes.toString()], [type, 'bytes']);
        assert.equal(uploaded, name.replace(/["\r\n]/g, '_'));
      }
    });

    it('sends text before files, and uploads again what was not sent', async () => {
      const attachments = [fileOf('a.pdf', 'application/pdf'), fileOf('b.pdf', 'application/pdf')];
      const message = sampleMessage({ text: 'Both:', direction: 'outbound', attachments });
      await send(PHONE, { message });
      assert.deepEqual(
        bodies().map(({ type }) => type),
        ['text', 'document', 'document'],
      );
      await send(PHONE, { message, sent: [{ externalId: 'wamid.OUT1' }, { externalId: 'wamid.OUT2' }] });
      assert.equal(meta.uploads.length, 3);
      assert.equal(meta.uploads.at(-1)!.name, 'b.pdf');
    });

    it('says so when there is nothing to send, nobody to send to, or a file is too large', async () => {
      const channel = await open();
      const large = [fileOf('film.mp4', 'video/mp4', 100 * 1024 * 1024 + 1)];
      const message = sampleMessage({ text: '', direction: 'outbound', attachments: large });
      for (const [reply, words] of [
        [replyTo(PHONE, { text: '  ' }).reply, /is empty/],
        [replyTo(undefined).reply, /no WhatsApp chat/],
        [replyTo(PHONE, { message }).reply, /film.mp4 has more than the 100 MB/],
      ] as const) {
        const error = await failure(channel.reply!(reply));
        assert.ok(error instanceof PermanentError);
        assert.match(error.message, words);
      }
      assert.deepEqual(meta.calls, []);
    });
  });

  describe('a refusal of Meta', () => {
    const CASES = [
      [401, 190, AuthExpiredError, /system user/],
      [400, 190, AuthExpiredError, /system user/],
      [403, 200, AuthExpiredError, /system user of the token/],
      [403, 368, AuthExpiredError, /WhatsApp Manager/],
      [400, 130429, RateLimitedError, undefined],
      [429, 80007, RateLimitedError, undefined],
      [400, 131056, RateLimitedError, undefined],
      [500, 131000, RetryableError, undefined],
      [400, 131047, PermanentError, /template/],
      [400, 131026, PermanentError, /another channel/],
      [400, 131053, PermanentError, /PDF/],
      [404, 132001, PermanentError, /template in the WhatsApp Manager/],
      [400, 100, PermanentError, /ids in the settings/],
      [400, 999999, PermanentError, undefined],
    ] as const;
    for (const [status, code, kind, hint] of CASES) {
      it(`${code} (HTTP ${status}) is a ${kind.name}${hint ? ', and says what to do' : ''}`, async () => {
        meta.end('POST', refusal(status, code, 'Words of Meta', 'More words.'));
        const error = await failure(send(PHONE));
        assert.ok(error instanceof kind, error.name);
        assert.match(error.message, new RegExp(`^the message: \\(#${code}\\) Words of Meta: More words`));
        if (hint) assert.match(error.hint ?? '', hint);
        // Meta said that it did not send it.
        if (error instanceof RetryableError) assert.equal(error.outcomeUnknown, false);
        if (code === 131056) assert.equal((error as RateLimitedError).retryAfterMs, 6000);
      });
    }

    it('says nothing about a message whose answer is lost: a person has to look', async () => {
      for (const ending of ['cut', 'html'] as const) {
        meta.end('POST', ending);
        const error = await failure(send(PHONE));
        assert.ok(error instanceof UncertainError, error.name);
        assert.match(error.hint ?? '', /replay/);
      }
    });

    it('of a file is no unknown outcome: nothing was sent yet', async () => {
      const message = sampleMessage({
        text: '',
        direction: 'outbound',
        attachments: [fileOf('a.pdf', 'application/pdf')],
      });
      meta.end('POST', 'cut');
      assert.ok((await failure(send(PHONE, { message }))) instanceof RetryableError);
    });

    it('shows a revoked token as what it is', async () => {
      const channel = await open({ accessToken: 'EAAG-revoked' });
      assert.ok((await failure(channel.test!())) instanceof AuthExpiredError);
    });
  });

  describe('whether an answer may go out', () => {
    const ask = async (lastInboundAt: number | undefined, settings = {}) =>
      (await open(settings)).canReply!({ ticket: sampleTicket(), lastInboundAt });
    const TEMPLATE = {
      id: '1',
      name: 'order_shipped',
      language: 'en_US',
      status: 'APPROVED',
      category: 'UTILITY',
      components: [
        { type: 'HEADER', format: 'TEXT', text: 'Order {{1}}' },
        { type: 'BODY', text: 'Dear {{2}}, your {{1}} is on its way. {{1}}!' },
        { type: 'FOOTER', text: 'Example Shop' },
        {
          type: 'BUTTONS',
          buttons: [
            { type: 'QUICK_REPLY', text: 'Thanks' },
            { type: 'URL', text: 'Track', url: 'https://example.com/{{1}}' },
            { type: 'URL', text: 'Shop', url: 'https://example.com/shop' },
          ],
        },
      ],
    };

    it('is said until 24 hours after the customer wrote', async () => {
      const now = clock.now();
      assert.deepEqual(await ask(now - 24 * HOUR + 1), { allowed: true, until: now + 1 });
      const { allowed, reason } = await ask(now - 24 * HOUR);
      assert.equal(allowed, false);
      assert.match(reason ?? '', /24 hours/);
      assert.equal((await ask(undefined)).allowed, false);
    });

    it('comes with the templates that Meta approved and that can be filled in', async () => {
      const only = (name: string, given: object) => ({ ...TEMPLATE, name, ...given });
      meta.templates = [
        TEMPLATE,
        only('rejected', { status: 'REJECTED' }),
        only('one_time_password', { category: 'AUTHENTICATION' }),
        only('carousel', { components: [{ type: 'CAROUSEL' }] }),
        only('coupon', { components: [{ type: 'BUTTONS', buttons: [{ type: 'COPY_CODE', text: 'Copy' }] }] }),
        only('place', { components: [{ type: 'HEADER', format: 'LOCATION' }] }),
        only('hello', { language: 'uk', components: [{ type: 'BODY', text: 'Вітаємо!' }] }),
      ];
      const { templates } = await ask(0);
      assert.deepEqual(templates, [
        {
          id: 'order_shipped/en_US',
          name: 'order_shipped',
          language: 'en-US',
          text: 'Order {{header_1}}\nDear {{2}}, your {{1}} is on its way. {{1}}!\nExample Shop',
          parameters: ['header_1', '1', '2', 'button_2'],
        },
        { id: 'hello/uk', name: 'hello', language: 'uk', text: 'Вітаємо!', parameters: [] },
      ]);
    });

    it('reads all pages of templates, once in five minutes', async () => {
      meta.templates = Array.from({ length: 230 }, (_, index) => ({
        name: `t${index}`,
        language: 'en',
        status: 'APPROVED',
        components: [{ type: 'BODY', text: 'Hello' }],
      }));
      const channel = await open();
      const count = async () =>
        (await channel.canReply!({ ticket: sampleTicket(), lastInboundAt: 0 })).templates?.length;
      assert.equal(await count(), 230);
      assert.equal(await count(), 230);
      assert.equal(meta.calls.length, 3);
      clock.jump(5 * 60_000);
      meta.templates = [];
      assert.equal(await count(), 0);
    });

    it('reads a page of long templates, and no more than ten pages', async () => {
      meta.templates = Array.from({ length: 1001 }, (_, index) => ({
        name: `t${index}`,
        language: 'en',
        status: 'APPROVED',
        components: [{ type: 'BODY', text: index < 100 ? 'Hello '.repeat(2000) : 'Hello' }],
      }));
      assert.equal((await ask(0)).templates?.length, 1000);
    });

    it('is said also where there are no templates: without the account, or when Meta gives none', async () => {
      assert.match((await ask(0, { accountId: undefined })).reason ?? '', /accountId/);
      meta.end('GET', refusal(400, 200, 'Permissions error'));
      const channel = await open();
      const asked = () => channel.canReply!({ ticket: sampleTicket(), lastInboundAt: 0 });
      assert.match((await asked()).reason ?? '', /can't be had: .*Permissions error/);
      // A failure is not kept.
      assert.deepEqual((await asked()).templates, []);
    });

    async function sendTemplate(template: object, id: string, values: Record<string, string>) {
      meta.templates = [template];
      const message = sampleMessage({ text: 'shown to the agent', direction: 'outbound', template: { id, values } });
      await send(PHONE, { message });
      return (bodies().at(-1)!['template'] as { components: unknown }).components;
    }

    it('sends a template with its values where they belong', async () => {
      const values = { header_1: '4512', '1': 'lamp', '2': 'Olena', button_2: 'track/4512' };
      assert.deepEqual(await sendTemplate(TEMPLATE, 'order_shipped/en_US', values), [
        { type: 'header', parameters: [{ type: 'text', text: '4512' }] },
        {
          type: 'body',
          parameters: [
            { type: 'text', text: 'lamp' },
            { type: 'text', text: 'Olena' },
          ],
        },
        { type: 'button', sub_type: 'url', index: '1', parameters: [{ type: 'text', text: 'track/4512' }] },
      ]);
      assert.equal(bodies().length, 1);
      assert.deepEqual(bodies()[0]!['type'], 'template');
    });

    it('sends templates with named places and with a picture', async () => {
      const template = {
        name: 'welcome',
        language: 'uk',
        status: 'APPROVED',
        parameter_format: 'NAMED',
        components: [
          { type: 'HEADER', format: 'IMAGE' },
          { type: 'BODY', text: 'Hello {{ name }}, {{shop}} here' },
        ],
      };
      const values = { header_image: 'https://example.com/a.jpg', name: 'Olena', shop: 'we are' };
      assert.deepEqual(await sendTemplate(template, 'welcome/uk', values), [
        { type: 'header', parameters: [{ type: 'image', image: { link: 'https://example.com/a.jpg' } }] },
        {
          type: 'body',
          parameters: [
            { type: 'text', parameter_name: 'name', text: 'Olena' },
            { type: 'text', parameter_name: 'shop', text: 'we are' },
          ],
        },
      ]);
    });

    it('says so when a template is gone, has no value for a place, or needs the account', async () => {
      const gone = await failure(sendTemplate({ ...TEMPLATE, status: 'PAUSED' }, 'order_shipped/en_US', {}));
      assert.match(gone.message, /no approved template order_shipped\/en_US/);
      const other = await failure(sendTemplate(TEMPLATE, 'order_shipped/uk', {}));
      assert.match(other.message, /no approved template order_shipped\/uk/);
      const empty = await failure(sendTemplate(TEMPLATE, 'order_shipped/en_US', { header_1: '4512' }));
      assert.match(empty.message, /no value for 1/);
      const message = sampleMessage({ direction: 'outbound', template: { id: 'a/en', values: {} } });
      const channel = await open({ accountId: undefined });
      assert.match((await failure(channel.reply!(replyTo(PHONE, { message }).reply))).message, /accountId/);
      assert.deepEqual(bodies(), []);
    });
  });

  describe('a file', () => {
    const PAYLOAD = {
      endpointId: 'whatsapp',
      receivedAt: 0,
      method: 'POST',
      url: '',
      headers: {},
      body: Buffer.alloc(0),
    };
    const attachment = (id: string) => ({ id, name: 'image.jpg', mediaType: 'image/jpeg' });
    const fetchFile = async (id: string, settings = {}) => (await open(settings)).download!(attachment(id), PAYLOAD);

    it('is fetched by its id, with the token, also again', async () => {
      meta.files.set('2754859441498128', Buffer.from('pixels'));
      for (let again = 0; again < 2; again++) {
        const chunks = await (await fetchFile('2754859441498128')).toArray();
        assert.equal(Buffer.concat(chunks as Buffer[]).toString(), 'pixels');
      }
      assert.equal(meta.calls[0]!.path, `/2754859441498128?phone_number_id=${NUMBER}`);
    });

    it("is fetched from Meta's hosts only: the token goes along", async () => {
      meta.files.set('1', Buffer.from('pixels'));
      const elsewhere = await startMeta();
      const places = [`${elsewhere.root}/files/1`, 'https://fbsbx.com.example.test/1', 'http://lookaside.fbsbx.com/1'];
      for (meta.elsewhere of [...places, 'https://evilfbsbx.com/1']) {
        const error = await failure(fetchFile('1'));
        assert.ok(error instanceof PermanentError);
        assert.match(error.message, /no host of Meta's files/);
      }
      assert.deepEqual([...elsewhere.calls, ...elsewhere.violations], []);
      await elsewhere.close();
    });

    it('that is gone or too large says so', async () => {
      assert.match((await failure(fetchFile('gone'))).message, /the file: \(#100\) Object with ID 'gone'/);
      meta.files.set('2', { length: 100 * 1024 * 1024 + 1 } as Buffer);
      assert.match((await failure(fetchFile('2'))).message, /more than 100 MB/);
    });

    it('has an id that can name nothing else at Meta', async () => {
      await failure(fetchFile('../me?x='));
      assert.equal(meta.calls[0]!.path, `/..%2Fme%3Fx%3D?phone_number_id=${NUMBER}`);
    });
  });

  describe('its test', () => {
    it('says whose number it is', async () => {
      assert.equal(await (await open()).test!(), '+1 202-555-0100 (Example Shop) answers');
    });

    it('says so when no app is told of the messages', async () => {
      meta.subscribed = [];
      const error = await failure((await open()).test!());
      assert.match(error.message, /no app is told/);
      assert.match(await (await open({ accountId: undefined })).test!(), /answers/);
    });
  });

  it('is checked against a description that finds mistakes', function () {
    skipUnless(this, description, "Meta's description is not beside the repository");
    const headers = { authorization: `Bearer ${ACCESS_TOKEN}`, 'content-type': 'application/json' };
    const ask = (body: object) =>
      description!.request({ method: 'POST', path: `/v23.0/${NUMBER}/messages`, headers, body });
    assert.deepEqual(ask({ ...BASE, type: 'text', text: { body: 'a' } }), []);
    assert.notDeepEqual(ask({ ...BASE, type: 'text', text: { boddy: 'a' } }), []);
    assert.notDeepEqual(ask({ ...BASE, type: 'text', text: { body: 'a' }, reply_to: 'wamid.1' }), []);
    assert.notDeepEqual(
      ask({ messaging_product: 'whatsapp', recipient_type: 'individual', type: 'text', text: {} }),
      [],
    );
  });
});
