import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Webhook as Oracle } from 'standardwebhooks';
import type { Channel, Http, HttpRequest, Reply } from '../src/core/connector.ts';
import type { Attachment } from '../src/core/envelope.ts';
import { PermanentError } from '../src/core/errors.ts';
import { webhook } from '../src/connectors/webhook/webhook.ts';
import { fakeContext, sealedHttp } from './fakes/context.ts';
import { sampleMessage, samplePayload, sampleTicket } from './fakes/samples.ts';

const SECRET = 'whsec_c2FtcGxlLXNlY3JldC1mb3ItdGhlLWludGFrZQ==';
const OTHER = 'whsec_YW5vdGhlci1zYW1wbGUtc2VjcmV0LWZvci1yZXBseQ==';
const NOW = Date.parse('2026-11-22T10:00:00Z');
const HELLO = { id: 'm-1', from: { id: 'u-7' }, text: 'Hello' };

async function open(settings: object, http: Http = sealedHttp()): Promise<Channel> {
  const auth = { type: 'standard_webhooks', secret: SECRET };
  return webhook.open(webhook.config.parse({ auth, ...settings }), fakeContext({ http }));
}

describe('A file of a webhook', () => {
  const PDF = Buffer.from('%PDF-1.7 sample');
  const attachments = [
    { name: 'a.pdf', mediaType: 'application/pdf', content: PDF.toString('base64') },
    { name: 'b.pdf', url: 'https://files.example.com/b.pdf' },
    { name: 'c.pdf', content: 'not base64!' },
    { name: 'd.pdf' },
  ];
  const payload = samplePayload([HELLO, { ...HELLO, id: 'm-2', attachments }]);
  const open1 = async (http?: Http) => {
    const channel = await open({}, http);
    const items = await channel.normalize(payload);
    const files = (items[1] as { attachments: Attachment[] }).attachments;
    return { channel, files };
  };

  it('is read again from the payload', async () => {
    const { channel, files } = await open1();
    assert.equal(files[0]!.size, PDF.length);
    assert.deepEqual(await buffer(await channel.download!(files[0]!, payload)), PDF);
  });

  it('is fetched from its address through the guarded way out, and no more than 25 MB of it', async () => {
    const asked: object[] = [];
    const stream: Http['stream'] = async (request) => {
      asked.push(request);
      return { headers: {}, body: Readable.from([PDF]) };
    };
    const { channel, files } = await open1({ ...sealedStub(), stream });
    assert.deepEqual(await buffer(await channel.download!(files[1]!, payload)), PDF);
    assert.deepEqual(asked, [{ url: 'https://files.example.com/b.pdf', maxBytes: 25 * 1024 * 1024 }]);
  });

  it('that can’t be had fails alone, for good', async () => {
    const { channel, files } = await open1();
    await assert.rejects(channel.download!(files[2]!, payload), PermanentError);
    await assert.rejects(channel.download!(files[3]!, payload), PermanentError);
    await assert.rejects(channel.download!({ ...files[0]!, id: '7/0' }, payload), Error);
    await assert.rejects(channel.download!({ ...files[0]!, id: '1/9' }, payload), PermanentError);
  });
});

describe('An answer through a webhook channel', () => {
  const target = { url: 'https://shop.example.com/hooks/answers', secret: OTHER };

  function replyOf(given: Partial<Reply> = {}): Reply & { readonly parts: string[] } {
    const parts: string[] = [];
    return {
      id: 'tsk_1',
      ticket: sampleTicket(),
      message: sampleMessage(),
      thread: 't-1',
      answers: sampleMessage({ direction: 'inbound', externalId: 'm-1' }),
      references: ['m-1'],
      proof: 'p',
      sent: [],
      parts,
      partSent: async (id) => void parts.push(id),
      open: async () => Readable.from([Buffer.from('file')]),
      ...given,
    };
  }

  async function answering() {
    const requests: HttpRequest[] = [];
    const send: Http['send'] = async (request) => {
      requests.push(request);
      return { status: 204, headers: {}, text: '', json: undefined };
    };
    const channel = await open({ reply: target }, { ...sealedStub(), send });
    return { channel, requests };
  }

  /** Checked by the library that receivers use. */
  function checked(request: HttpRequest): { type: string; data: Record<string, unknown> } {
    const { headers, body } = request;
    const expected = new Oracle(OTHER).sign(headers!['webhook-id']!, new Date(NOW), body as string);
    assert.equal(headers!['webhook-signature'], expected);
    return JSON.parse(body as string);
  }

  it('is posted as a signed message.sent with our id and the sender’s own thread', async () => {
    const { channel, requests } = await answering();
    const reply = replyOf();
    await channel.reply!(reply);
    assert.equal(requests.length, 1);
    const { method, url, headers } = requests[0]!;
    assert.deepEqual([method, url, headers!['webhook-id']], ['POST', target.url, 'tsk_1']);
    const { type, data } = checked(requests[0]!);
    assert.equal(type, 'message.sent');
    assert.deepEqual([data.thread, data.inReplyTo, data.version], ['t-1', 'm-1', 3]);
    assert.equal((data.message as { text: string }).text, 'It comes tomorrow.');
    assert.deepEqual(reply.parts, ['tsk_1']);
  });

  it('has the same body and id at every try', async () => {
    const { channel, requests } = await answering();
    await channel.reply!(replyOf());
    await channel.reply!(replyOf());
    assert.deepEqual(requests[0], requests[1]);
  });

  it('isn’t posted again once it went out', async () => {
    const { channel, requests } = await answering();
    await channel.reply!(replyOf({ sent: [{ externalId: 'tsk_1' }] }));
    assert.equal(requests.length, 0);
  });

  it('carries its files, and none that are too large', async () => {
    const file = {
      id: 'att_1',
      name: 'a.txt',
      mediaType: 'text/plain',
      size: 4,
      state: 'stored' as const,
      error: null,
      inline: false,
      url: '',
    };
    const message = sampleMessage({ attachments: [file] });
    const { channel, requests } = await answering();
    await channel.reply!(replyOf({ message }));
    const content = Buffer.from('file').toString('base64');
    assert.deepEqual(checked(requests[0]!).data.attachments, [
      { id: 'att_1', name: 'a.txt', mediaType: 'text/plain', content },
    ]);
    const huge = async () => Readable.from(Array.from({ length: 11 }, () => Buffer.alloc(1024 * 1024)));
    await assert.rejects(channel.reply!(replyOf({ message, open: huge })), PermanentError);
    assert.equal(requests.length, 1);
  });

  it('isn’t marked as sent when it failed', async () => {
    const send: Http['send'] = async () => {
      throw new PermanentError('422');
    };
    const channel = await open({ reply: target }, { ...sealedStub(), send });
    const reply = replyOf();
    await assert.rejects(channel.reply!(reply), PermanentError);
    assert.deepEqual(reply.parts, []);
  });

  it('needs an address: without one the channel can’t answer', async () => {
    const channel = await open({});
    assert.deepEqual([channel.reply, channel.test], [undefined, undefined]);
  });

  it('can be tried out with a test.ping', async () => {
    const { channel, requests } = await answering();
    assert.match(await channel.test!(), /shop\.example\.com/);
    assert.equal(checked(requests[0]!).type, 'test.ping');
  });
});

/** Spread without touching the getter of the agents. */
function sealedStub(): Http {
  const { send, stream, fetch, socket, resolve, seat } = sealedHttp();
  return { send, stream, fetch, socket, resolve, seat, agents: undefined as unknown as Http['agents'] };
}
