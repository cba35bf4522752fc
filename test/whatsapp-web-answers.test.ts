import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createWhatsAppWeb } from '../src/connectors/whatsapp-web/whatsapp-web.ts';
import type { Channel, Reply } from '../src/core/connector.ts';
import { PermanentError, RetryableError, UncertainError } from '../src/core/errors.ts';
import { fakeClock } from './fakes/clock.ts';
import type { FakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import { until } from './fakes/until.ts';
import { saying, SELF, STAND_IN, startPage } from './fakes/whatsapp-web.ts';
import type { FakePage } from './fakes/whatsapp-web.ts';

const OLENA = '380501234567@c.us';
const HIDDEN = '179950657237125@lid';
const GROUP = '120363000000000001@g.us';

describe('answers by WhatsApp Web', () => {
  let page: FakePage;
  let clock: FakeClock;
  let channel: Channel;
  let ending: AbortController;
  let told: { data: { id: { id: string } } }[];
  let running: Promise<unknown>[];
  let parts: string[];

  beforeEach(async () => {
    page = await startPage();
    clock = fakeClock();
    ending = new AbortController();
    [told, running, parts] = [[], [], []];
    const connector = createWhatsAppWeb(STAND_IN);
    const context = fakeContext({ id: 'wa', clock, folder: page.folder });
    channel = await connector.open(connector.config.parse({ browser: process.execPath }), context);
    stream();
    await ready(1);
    await page.set({ chats: [OLENA, HIDDEN, GROUP].map((id) => ({ id })) });
  });
  afterEach(async () => {
    ending.abort(new Error('enough'));
    await Promise.all(running);
    await page.close();
  });

  function stream(): void {
    const emit = async ({ body }: { body: Buffer }) =>
      void told.push(JSON.parse(body.toString()) as (typeof told)[number]);
    running.push(channel.stream!(undefined, emit, ending.signal).catch((error: unknown) => error));
  }
  async function ready(nth: number): Promise<void> {
    await page.opened(nth);
    await page.set({ self: SELF });
    page.emit('ready');
    await until(() => channel.test!().then(Boolean, () => false), 'it can be asked');
  }
  const sent = () => page.said.flatMap((each) => (each.sent ? [each.sent as Sent] : []));
  interface Sent {
    readonly chat: string;
    readonly content: string | Record<string, unknown>;
    readonly options: Record<string, unknown>;
  }

  function answer(text: string, more: Partial<Reply> & { files?: Record<string, [string, string]> } = {}): Reply {
    const { files = {}, ...rest } = more;
    const attachments = Object.entries(files).map(([name, [mediaType, bytes]]) => {
      return { id: name, name, mediaType, size: bytes.length };
    });
    const jid = { kind: 'whatsapp_jid', value: OLENA, trust: 'verified' };
    return {
      id: 'rep_1',
      thread: OLENA,
      message: { text, attachments },
      answers: { externalId: 'in:3EB0', author: { name: 'Olena', identifiers: [jid] } },
      references: [],
      sent: [],
      partSent: async (id: string) => void parts.push(id),
      open: async (name: string) => Readable.from([Buffer.from(files[name]![1])]),
      ...rest,
    } as unknown as Reply;
  }

  it('are sent as text, one part after the other, and known by their ids', async () => {
    await page.set({ ids: ['A', 'B', 'C'] });
    const long = `${'word '.repeat(1600)}end`;
    await channel.reply!(answer(long));
    assert.deepEqual(parts, ['out:A', 'out:B']);
    assert.deepEqual(
      sent().map(({ chat, content }) => [
        chat,
        (content as string).length <= 4096,
        /^word.*(word|end)$/.test(content as string),
      ]),
      [
        [OLENA, true, true],
        [OLENA, true, true],
      ],
    );
    assert.deepEqual(sent()[0]!.options, { parseVCards: false, sendMediaAsDocument: false, waitUntilMsgSent: true });
  });

  it('go on behind what went out', async () => {
    await page.set({ ids: ['B'] });
    await channel.reply!(answer(`${'word '.repeat(1600)}end`, { sent: [{ externalId: 'out:A' }] }));
    assert.deepEqual(parts, ['out:B']);
    assert.match(sent()[0]!.content as string, /end$/);
  });

  it('carry files, which lie on the disk no longer than that', async () => {
    await page.set({ ids: ['A', 'B', 'C'] });
    await channel.reply!(
      answer('Here', { files: { 'a.png': ['image/png', 'PNG'], 'b.zip': ['application/zip', 'ZIP'] } }),
    );
    const [, picture, archive] = sent();
    const data = Buffer.from('PNG').toString('base64');
    assert.deepEqual(picture!.content, { mimetype: 'image/png', data, filename: 'a.png', filesize: 3 });
    assert.deepEqual([picture!.options.sendMediaAsDocument, archive!.options.sendMediaAsDocument], [false, true]);
    assert.deepEqual(parts, ['out:A', 'out:B', 'out:C']);
    assert.deepEqual(readdirSync(join(page.folder, 'files')), []);
  });

  it('go where the customer wrote, by whichever name', async () => {
    const identifiers = [
      { kind: 'whatsapp_jid', value: HIDDEN, trust: 'verified' as const },
      { kind: 'whatsapp_jid', value: '380670000001@c.us', trust: 'verified' as const },
    ];
    const answers = { externalId: 'in:1', author: { name: null, identifiers } } as unknown as Reply['answers'];
    await channel.reply!(answer('Hello', { thread: '380670000001@c.us', answers }));
    assert.deepEqual(
      sent().map(({ chat, options }) => [chat, options.quotedMessageId]),
      [[HIDDEN, undefined]],
    );
  });

  it('quote in a group what they answer', async () => {
    const externalId = `${GROUP}:3EB0A1:${OLENA}`;
    const jid = { kind: 'whatsapp_jid', value: HIDDEN, trust: 'verified' };
    const answers = { externalId, author: { name: null, identifiers: [jid] } } as unknown as Reply['answers'];
    await channel.reply!(answer('Hello', { thread: GROUP, answers }));
    assert.deepEqual(
      sent().map(({ chat, options }) => [chat, options.quotedMessageId]),
      [[GROUP, `false_${GROUP}_3EB0A1_${HIDDEN}`]],
    );
  });

  it('are not told as if somebody had written them on the phone; what was written there is', async () => {
    await page.set({ ids: ['A'] });
    await channel.reply!(answer('Hello'));
    page.emit('message_create', saying('from the phone', { remote: OLENA, fromMe: true, id: 'PHONE' }));
    await until(() => told.length > 0, 'it is told');
    assert.deepEqual(
      told.map(({ data }) => data.id.id),
      ['PHONE'],
    );
  });

  it('that WhatsApp has no chat for are refused for good, without a try', async () => {
    const author = { name: null, identifiers: [] };
    const reply = answer('Hello', { thread: '380999999999@c.us', answers: { author } as unknown as Reply['answers'] });
    await assert.rejects(channel.reply!(reply), PermanentError);
    await assert.rejects(channel.reply!(answer('')), PermanentError);
    await assert.rejects(channel.reply!(answer('x', { thread: undefined, answers: undefined })), PermanentError);
    assert.deepEqual(sent(), []);
  });

  it('wait for the page to be there again where nothing was sent', async () => {
    await page.set({ sends: 'no page' });
    await assert.rejects(channel.reply!(answer('Hello')), (error: unknown) => {
      return error instanceof RetryableError && !error.outcomeUnknown;
    });
    assert.deepEqual(sent(), []);
  });

  it('wait while nothing is connected', async () => {
    ending.abort(new Error('enough'));
    await Promise.all(running);
    await assert.rejects(channel.reply!(answer('Hello')), RetryableError);
  });

  describe('whose confirmation is lost', () => {
    const since = () => Math.floor(clock.now() / 1000);
    for (const sends of ['throws', 'nothing']) {
      it(`are found in the chat (${sends})`, async () => {
        const earlier = saying('Hello', { remote: OLENA, fromMe: true, id: 'OLD', timestamp: since() - 3600 });
        const known = saying('Hello', { remote: OLENA, fromMe: true, id: 'KNOWN', timestamp: since() });
        const theirs = saying('Hello', { remote: OLENA, id: 'THEIRS', timestamp: since() });
        const it = saying('Hello', { remote: OLENA, fromMe: true, id: 'IT', timestamp: since() });
        await page.set({ sends, chats: [{ id: OLENA, messages: [earlier, known, theirs, it] }] });
        await channel.reply!(answer('Hello', { sent: [{ externalId: 'out:KNOWN' }], message: two('Hello') }));
        assert.deepEqual(parts, ['out:IT']);
        assert.equal(sent().length, 1);
      });

      it(`wait for a person where they are not (${sends})`, async () => {
        await page.set({
          sends,
          chats: [{ id: OLENA, messages: [saying('Hi', { fromMe: true, timestamp: since() })] }],
        });
        await assert.rejects(channel.reply!(answer('Hello')), UncertainError);
        assert.deepEqual([parts, sent().length], [[], 1]);
      });
    }

    it('with the browser are looked for in the next one', async () => {
      await page.set({ sends: 'crashes' });
      const sending = channel.reply!(answer('Hello'));
      await running[0];
      stream();
      await page.opened(2);
      const found = saying('Hello', { remote: OLENA, fromMe: true, id: 'IT', timestamp: since() });
      await page.set({ self: SELF, chats: [{ id: OLENA, messages: [found] }] });
      page.emit('ready');
      await sending;
      assert.deepEqual(parts, ['out:IT']);
    });

    it('with a browser that doesn’t come back wait for a person', async () => {
      await page.set({ sends: 'crashes' });
      const sending = assert.rejects(channel.reply!(answer('Hello')), UncertainError);
      await running[0];
      await until(async () => {
        await clock.advance(60_000);
        return Promise.race([sending.then(() => true), new Promise((resolve) => setImmediate(resolve, false))]);
      }, 'it is given up');
    });
  });

  /** A text of two parts, the first of which is known to have gone out. */
  function two(text: string): Reply['message'] {
    return { text: `${'x'.repeat(4096)} ${text}`, attachments: [] } as unknown as Reply['message'];
  }
});
