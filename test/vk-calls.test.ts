import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import { isEnvelope, Item } from '../src/core/envelope.ts';
import { AuthExpiredError, PermanentError, RetryableError } from '../src/core/errors.ts';
import { fakeLog } from './fakes/context.ts';
import { startReceiver } from './fakes/receiver.ts';
import { until } from './fakes/until.ts';
import { failure, vkBench } from './fakes/vk-channel.ts';
import { readVkSchema, vkIsDescribed } from './fakes/vk-schema.ts';
import { AT, GROUP } from './fakes/vk.ts';
import { skipUnless } from './skip.ts';

const signal = new AbortController().signal;

describe("VK's channel, against a stand-in that is checked against VK's own description", () => {
  const bench = vkBench();
  const pushed = { mode: 'webhook', secret: 'aSecretKey', confirmation: '1a2b3c4d' };

  describe('a poll', () => {
    const message = (number: number, given: object = {}) => ({
      id: 900 + number,
      conversation_message_id: number,
      peer_id: 7001,
      from_id: 7001,
      date: AT,
      out: 0,
      version: number,
      text: `text ${number}`,
      ...given,
    });
    const event = (number: number) => ({ type: 'message_new', object: { message: message(number) } });
    const texts = (items: readonly { readonly body: Buffer }[]) =>
      items.map(
        ({ body }) => (JSON.parse(body.toString()) as { object: { message: { text: string } } }).object.message.text,
      );

    it('begins with what is new, and goes on behind it', async () => {
      const channel = await bench.open();
      bench.api.push(event(1));
      const waiting = channel.poll!(undefined, signal);
      await until(() => bench.api.positions.length === 1);
      bench.api.push(event(2), event(3));
      const first = await waiting;
      assert.deepEqual([texts(first.items), first.more], [['text 2', 'text 3'], true]);
      bench.api.push(event(4));
      const second = await channel.poll!(first.cursor, signal);
      assert.deepEqual(texts(second.items), ['text 4']);
      assert.deepEqual(bench.api.positions, ['1', '3']);
      assert.equal(bench.api.callsOf('groups.getLongPollServer').length, 1);
    });

    it('goes on where it was with a new key when the old one has run out', async () => {
      const channel = await bench.open();
      bench.api.push(event(1), event(2));
      const { cursor } = await channel.poll!('1 0', signal);
      bench.api.push(event(3));
      bench.api.failures.push({ failed: 2 });
      const next = await channel.poll!(cursor, signal);
      assert.deepEqual(texts(next.items), ['text 3']);
      assert.deepEqual(bench.api.positions, ['1', '2', '2']);
    });

    for (const failed of [1, 3]) {
      it(`takes from the chats what VK no longer has in its queue (failed: ${failed})`, async () => {
        const since = (AT - 3600) * 1000;
        bench.api.history.set(7001, [
          message(1, { date: AT - 90_000 }),
          // VK's clock is not ours: what is a little older comes along.
          message(2, { date: AT - 3630 }),
          message(3, { from_id: -GROUP, out: 1, date: AT }),
        ]);
        bench.api.history.set(7002, [message(1, { peer_id: 7002, date: AT - 90_000, text: 'long ago' })]);
        bench.api.push(event(8), event(9));
        bench.api.failures.push({ failed, ...(failed === 1 && { ts: 2 }) });
        const channel = await bench.open();
        const page = await channel.poll!(`1 ${since}`, signal);
        assert.deepEqual(texts(page.items), ['text 2', 'text 3']);
        const types = page.items.map(({ body }) => (JSON.parse(body.toString()) as { type: string }).type);
        assert.deepEqual(types, ['message_new', 'message_reply']);
        assert.equal(page.cursor.split(' ')[0], '2');
      });
    }

    it('asks for another server when the one it had is gone', async () => {
      const channel = await bench.open();
      bench.api.push(event(1), event(2));
      const { cursor } = await channel.poll!('1 0', signal);
      bench.api.failures.push('cut');
      await failure(RetryableError, channel.poll!(cursor, signal));
      bench.api.push(event(3));
      assert.deepEqual(texts((await channel.poll!(cursor, signal)).items), ['text 3']);
      assert.equal(bench.api.callsOf('groups.getLongPollServer').length, 2);
    });

    it('asks only VK for events', async () => {
      const channel = await bench.open({ apiRoot: bench.api.root.replace('127.0.0.1', 'localhost') });
      await failure(PermanentError, channel.poll!(undefined, signal));
      assert.deepEqual(bench.api.positions, []);
    });

    it('fails where VK answers with what is no page', async () => {
      bench.api.failures.push({ nothing: true } as never);
      await failure(RetryableError, (await bench.open()).poll!('0 0', signal));
    });

    it('says how to switch Long Poll on', async () => {
      const error_msg =
        'One of the parameters specified was missing or invalid: longpoll for this group is not enabled';
      bench.api.end('groups.getLongPollServer', { error_code: 100, error_msg });
      const error = await failure(RetryableError, (await bench.open()).poll!(undefined, signal));
      assert.match(error.hint ?? '', /Long Poll API/);
    });
  });

  describe('what is asked for after a downtime', () => {
    it('is every message since then, page by page, oldest first in each chat', async () => {
      for (let peer = 1; peer <= 201; peer++) {
        const said = Array.from({ length: peer === 1 ? 450 : 1 }, (_, index) => ({
          id: index,
          conversation_message_id: index + 1,
          peer_id: peer,
          from_id: peer,
          date: AT + index,
          out: 0,
          version: 1,
          text: `${peer} ${index}`,
        }));
        bench.api.history.set(peer, said);
      }
      const channel = await bench.open(pushed);
      const found: string[] = [];
      for await (const { body } of channel.reconcile!(AT * 1000, signal)) {
        found.push((JSON.parse(body.toString()) as { object: { message: { text: string } } }).object.message.text);
      }
      assert.equal(found.length, 650);
      assert.equal(new Set(found).size, 650);
      const first = found.filter((text) => text.startsWith('1 '));
      assert.deepEqual(
        first,
        Array.from({ length: 450 }, (_, index) => `1 ${index}`),
      );
      const none: unknown[] = [];
      for await (const raw of channel.reconcile!((AT + 10_000) * 1000, signal)) none.push(raw);
      assert.deepEqual(none, []);
      // Two pages of chats before; the first one says now that there is nothing new.
      assert.equal(bench.api.callsOf('messages.getConversations').length, 3);
    });
  });

  describe('a file', () => {
    const doc = (path: string) => ({
      type: 'doc',
      doc: { id: 777, owner_id: 7001, title: 'a.pdf', size: 5, ext: 'pdf', date: AT, type: 1, url: path },
    });
    const withDoc = (path: string) => ({
      peer_id: 7001,
      from_id: 7001,
      conversation_message_id: 17,
      id: 1,
      version: 1,
      out: 0,
      date: AT,
      text: '',
      attachments: [doc(path)],
    });
    const payload = (object: object) => ({
      endpointId: 'community',
      receivedAt: 0,
      method: 'POST',
      url: '',
      headers: {},
      body: Buffer.from(JSON.stringify({ type: 'message_new', object })),
    });
    const file = { id: 'doc7001_777', name: 'a.pdf', mediaType: 'application/pdf' };
    const fetched = async (object: object) => buffer(await (await bench.open()).download!(file, payload(object)));

    it('is fetched where its address leads to', async () => {
      bench.api.files.set('/doc7001_777', { to: `${bench.api.root}/there` });
      bench.api.files.set('/there', { bytes: Buffer.from('hello') });
      assert.equal((await fetched({ message: withDoc(`${bench.api.root}/doc7001_777`) })).toString(), 'hello');
      const comment = { id: 7, from_id: 7001, date: AT, text: '', attachments: [doc(`${bench.api.root}/there`)] };
      assert.equal((await fetched(comment)).toString(), 'hello');
    });

    it('is asked for anew when its address has run out', async () => {
      bench.api.files.set('/now', { bytes: Buffer.from('hello') });
      bench.api.history.set(7001, [withDoc(`${bench.api.root}/now`)]);
      assert.equal((await fetched({ message: withDoc(`${bench.api.root}/old`) })).toString(), 'hello');
      assert.equal(bench.api.callsOf('messages.getByConversationMessageId').length, 1);
      bench.api.history.set(7001, [withDoc(`${bench.api.root}/old`)]);
      assert.equal(
        (await failure(PermanentError, fetched({ message: withDoc(`${bench.api.root}/old`) }))).response?.status,
        404,
      );
    });

    it('is fetched from VK only, and followed to VK only', async () => {
      for (const url of [
        'https://files.example.com/a',
        'http://vk.com/doc1_2',
        'https://notvk.com/a',
        'https://vk.com.example.com/a',
      ]) {
        bench.api.history.set(7001, []);
        const error = await failure(PermanentError, fetched({ message: withDoc(url) }));
        assert.match(error.message, /no address of its own/);
      }
      const elsewhere = await startReceiver();
      try {
        bench.api.files.set('/doc7001_777', { to: `${elsewhere.origin}/a` });
        await failure(RetryableError, fetched({ message: withDoc(`${bench.api.root}/doc7001_777`) }));
        assert.deepEqual(elsewhere.requests, []);
      } finally {
        await elsewhere.close();
      }
    });
  });

  describe('an event', () => {
    async function read(type: string, object: object): Promise<Item> {
      const body = Buffer.from(JSON.stringify({ type, object }));
      const payload = { endpointId: 'community', receivedAt: 0, method: 'POLL', url: '', headers: {}, body };
      const [item] = z.tuple([Item]).parse(await (await bench.open()).normalize(payload));
      return item;
    }

    it('may be called as what every object has', async () => {
      for (const type of ['constructor', 'toString', '__proto__']) {
        assert.equal((await read(type, { id: 1 })).kind, 'ignored');
        const doc = { id: 1, owner_id: 2, title: 'a', ext: type, url: 'https://vk.com/doc2_1' };
        const attachments = [
          { type, [type]: {} },
          { type: 'doc', doc },
        ];
        const message = { peer_id: 7001, from_id: 7001, conversation_message_id: 1, date: AT, text: '', attachments };
        const item = await read('message_new', { message });
        assert.ok(isEnvelope(item));
        assert.deepEqual([item.text, item.attachments[0]?.mediaType], [`[${type}]`, 'application/octet-stream']);
      }
    });

    it('with more than can be kept is kept with the beginning of it, each file once', async () => {
      const sticker = (id: number) => ({
        type: 'sticker',
        sticker: { sticker_id: id, images: [{ url: `https://vk.com/sticker/${id}`, width: 1, height: 1 }] },
      });
      const forwarded = (id: number) => ({
        from_id: 7002,
        date: AT,
        text: 'x'.repeat(5000),
        attachments: [sticker(id)],
      });
      const fwd_messages = Array.from({ length: 500 }, (_, index) => forwarded(Math.floor(index / 2)));
      const message = { peer_id: 7001, from_id: 7001, conversation_message_id: 1, date: AT, text: '', fwd_messages };
      const item = await read('message_new', { message });
      assert.ok(isEnvelope(item));
      assert.deepEqual([item.text.length, item.attachments.length], [1_000_000, 200]);
      assert.equal(new Set(item.attachments.map(({ id }) => id)).size, 200);
    });
  });

  describe('a name', () => {
    it('is known of persons and communities, and of no page that was deleted', async () => {
      const channel = await bench.open();
      const named = (value: string, kind = 'vk') => channel.profile!({ kind, value, trust: 'verified' });
      assert.deepEqual(await named('7001'), { name: 'Olena Example' });
      assert.deepEqual(await named('-123456'), { name: 'Sample Shop' });
      assert.equal(await named('7404'), undefined);
      assert.equal(await named('+380671234567', 'phone'), undefined);
    });
  });

  describe('the start', () => {
    it('tells VK which events are wanted', async () => {
      await (
        await bench.open()
      ).connect!(signal);
      const { parameters } = bench.api.callsOf('groups.setLongPollSettings')[0]!;
      assert.deepEqual(
        [parameters['enabled'], parameters['message_new'], parameters['market_comment_edit'], parameters['photo_new']],
        ['1', '1', '1', undefined],
      );
    });

    it('goes on without the right to manage the community, and says where to switch them on', async () => {
      bench.api.end('groups.setLongPollSettings', { error_code: 15, error_msg: 'Access denied' });
      const log = fakeLog();
      await (
        await bench.open({}, log)
      ).connect!(signal);
      assert.match(JSON.stringify(log.entries), /Long Poll API, Event types/);
      bench.api.end('groups.setLongPollSettings', { error_code: 10, error_msg: 'Internal server error' });
      await failure(RetryableError, (await bench.open()).connect!(signal));
    });
  });

  describe('the test', () => {
    it('says which community it is, and whether it can be polled or pushes to us', async () => {
      assert.equal(await (await bench.open()).test!(), 'Sample Shop answers and can be polled');
      const channel = await bench.open(pushed);
      const url = 'https://desk.example.com/webhooks/community';
      assert.match((await failure(PermanentError, channel.test!())).message, /knows no server with our address/);
      bench.api.servers = [{ url, status: 'failed' }];
      assert.match((await failure(PermanentError, channel.test!())).message, /its server is 'failed'/);
      bench.api.servers = [{ url, status: 'ok' }];
      assert.equal(await channel.test!(), 'Sample Shop answers and pushes to us');
    });

    it('fails with a key that was revoked', async () => {
      await failure(AuthExpiredError, (await bench.open({ token: 'vk1.a.revoked' })).test!());
    });
  });
});

describe("VK's description", () => {
  before(function () {
    skipUnless(this, vkIsDescribed(), 'specs/vk');
  });

  it('finds a field that is wrong, missing or not known', () => {
    const schema = readVkSchema();
    const right = { peer_ids: '7001', random_id: '5', message: 'a' };
    assert.deepEqual(schema.request('messages.send', right), []);
    const changes: Record<string, string>[] = [
      { peer_ids: 'x' },
      { random_id: '5.5' },
      { mesage: 'a' },
      { message: 'a'.repeat(9001) },
      { forward: '{"peer_id":"x"}' },
    ];
    for (const wrong of changes) {
      assert.equal(
        schema.request('messages.send', { ...right, ...wrong }).length,
        1,
        JSON.stringify(Object.keys(wrong)),
      );
    }
    assert.equal(schema.request('docs.save', {}).length, 1);
    assert.equal(schema.request('messages.sent', {}).length, 1);
    assert.notDeepEqual(schema.event('message_new', { message: { id: 1 } }), []);
    assert.notDeepEqual(schema.response('messages.getHistory', { response: { count: 'x' } }), []);
  });
});
