import assert from 'node:assert/strict';
import type { CanReply, Channel, Reply, ReplyTemplate } from '../src/core/connector.ts';
import { BadPayloadError, ConflictError } from '../src/core/errors.ts';
import { startApi, type StartedApi } from './fakes/api.ts';
import { message } from './fakes/filing.ts';
import { openOutgoing, type Outgoing } from './fakes/outgoing.ts';

const AGENT = 'user:usr_1';
const ARRIVED: ReplyTemplate = {
  id: 'order_arrived:uk',
  name: 'order_arrived',
  language: 'uk',
  text: 'Вітаємо, {{name}}! Замовлення {{ order }} уже тут, {{name}}.',
  parameters: ['name', 'order', 'link/1'],
};
const VALUES = { name: 'Олено', order: '4512', 'link/1': 'abc' };
const CLOSED = { allowed: false, reason: 'the window of 24 hours has closed' };

describe('an answer made from a template', () => {
  let out: Outgoing;
  let may: CanReply;
  let seen: Reply[];
  beforeEach(async () => {
    may = { ...CLOSED, templates: [ARRIVED] };
    seen = [];
    const channel: Omit<Channel, 'normalize'> = {
      canReply: async () => may,
      async reply(reply) {
        seen.push(reply);
        await reply.partSent('far-1');
      },
    };
    out = await openOutgoing([], {}, channel);
    out.addChannel('chat', channel);
  });
  afterEach(() => out.close());

  const write = async (channel = 'chat') => (await out.file(message('wa|1'), channel))[0]!.ticketId!;
  const problemsOf = async (sent: Promise<unknown>) => {
    const error = await sent.then(
      () => assert.fail('it was taken'),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof BadPayloadError, String(error));
    assert.equal(error.status, 422);
    return { text: error.message, hint: error.hint, fields: error.problems.map(({ pointer }) => pointer) };
  };

  it('goes out when the window has closed, reads as the customer reads it, and is handed over with its values', async () => {
    const ticket = await write();
    assert.deepEqual((await out.desk.replyChannels(ticket))[0]!.templates, [ARRIVED]);
    const template = { id: ARRIVED.id, values: VALUES };
    const { messageId } = await out.desk.reply(ticket, { template }, AGENT);
    await out.pass(2000);
    const stored = (await out.store.read.message(messageId))!;
    assert.equal(stored.text, 'Вітаємо, Олено! Замовлення 4512 уже тут, Олено.');
    assert.deepEqual([stored.template, stored.delivery!.state], [template, 'sent']);
    assert.deepEqual([seen[0]!.message.template, seen[0]!.message.text], [template, stored.text]);
    const others = (await out.store.read.messages(ticket, { limit: 10 })).data.filter(({ id }) => id !== messageId);
    assert.ok(others.every((each) => !('template' in JSON.parse(JSON.stringify(each)))));
  });

  it('is needed where nothing else gets through, and the refusal says so', async () => {
    const { text, hint, fields } = await problemsOf(out.desk.reply(await write(), { text: 'Hello' }, AGENT));
    assert.deepEqual(fields, ['/template']);
    assert.match(text, /takes nothing but templates: the window of 24 hours has closed/);
    assert.match(hint!, /replyChannels/);
    may = CLOSED;
    await assert.rejects(out.desk.reply(await write(), { text: 'Hello' }, AGENT), ConflictError);
  });

  it('is one choice among others while the window is open', async () => {
    may = { allowed: true, templates: [ARRIVED] };
    const ticket = await write();
    await out.desk.reply(ticket, { text: 'Hello' }, AGENT);
    await out.desk.reply(ticket, { template: { id: ARRIVED.id, values: VALUES } }, AGENT);
    await out.pass(2000);
    assert.deepEqual(
      seen.map((reply) => reply.message.template?.id),
      [undefined, ARRIVED.id],
    );
  });

  it('takes the channel that has it, not the one of the last message', async () => {
    await out.close();
    const other = { ...CLOSED, templates: [{ ...ARRIVED, id: 'other' }] };
    const canReply: Channel['canReply'] = ({ lastInboundAt }) => (lastInboundAt === 1 ? other : { allowed: true });
    out = await openOutgoing([], {}, { canReply, reply: async () => undefined });
    const [first] = await out.file(message('wa|1', { occurredAt: 1 }), 'wa');
    await out.file(message('wa|1'), 'sms');
    const chosen = await out.desk.reply(first!.ticketId!, { template: { id: 'other', values: VALUES } }, AGENT);
    assert.equal((await out.store.read.message(chosen.messageId))!.channel!.id, 'wa');
  });

  describe('is refused, naming the field,', () => {
    const send = async (values: Record<string, string>, id = ARRIVED.id) =>
      problemsOf(out.desk.reply(await write(), { template: { id, values } }, AGENT));

    it('where the channel has none', async () => {
      for (const none of [{ allowed: true }, CLOSED]) {
        may = none;
        const { text, fields } = await send(VALUES);
        assert.deepEqual(fields, ['/template']);
        assert.equal(text, `chat has no templates${none === CLOSED ? ': the window of 24 hours has closed' : ''}`);
      }
    });

    it('where the channel doesn’t have it', async () => {
      assert.deepEqual((await send(VALUES, 'constructor')).fields, ['/template/id']);
    });

    it('where a value is missing or blank, or nobody asked for it', async () => {
      const { fields } = await send({ name: ' \u0000', order: '1', other: 'x' });
      assert.deepEqual(fields, ['/template/values/name', '/template/values/link~11', '/template/values/other']);
    });
  });

  it('never takes a value for a place', async () => {
    const values = { ...VALUES, name: '{{order}}', order: '{{link/1}} $& $1' };
    const { messageId } = await out.desk.reply(await write(), { template: { id: ARRIVED.id, values } }, AGENT);
    const { text } = (await out.store.read.message(messageId))!;
    assert.equal(text, 'Вітаємо, {{order}}! Замовлення {{link/1}} $& $1 уже тут, {{order}}.');
    may = { allowed: true, templates: [{ ...ARRIVED, text: '{{name}} {{who}}', parameters: ['name'] }] };
    const odd = await out.desk.reply(await write(), { template: { id: ARRIVED.id, values: { name: 'Ivan' } } }, AGENT);
    assert.equal((await out.store.read.message(odd.messageId))!.text, 'Ivan {{who}}');
  });
});

describe('an answer over the API', () => {
  let api: StartedApi;
  before(async () => {
    api = await startApi();
  });
  after(() => api.stop());

  it('is words and files, or a template, and never both', async () => {
    const { json: ticket } = await api.call('POST', '/tickets', {
      body: { text: 'x', customer: { identifiers: [{ kind: 'email', value: 'o@example.com' }] } },
    });
    const template = { id: 't', values: { name: 'Olena' } };
    const send = async (body: object) => {
      const { status, json } = await api.call('POST', `/tickets/${ticket.id}/replies`, { body });
      return [status, ...(json.errors ?? []).map(({ pointer }: { pointer: string }) => pointer)];
    };
    assert.deepEqual(await send({ template }), [201]);
    assert.deepEqual(await send({ template, channel: 'contact' }), [201]);
    assert.deepEqual(await send({}), [400, '/text']);
    const file = { name: 'a.txt', mediaType: 'text/plain', content: 'YQ==' };
    assert.deepEqual(await send({ template, text: 'x', html: 'x', attachments: [file] }), [
      400,
      '/text',
      '/html',
      '/attachments',
    ]);
    assert.deepEqual(await send({ template: { id: 't', values: { name: '' } } }), [400, '/template/values/name']);
    assert.deepEqual(await send({ template: { id: 't' } }), [400, '/template/values']);
  });
});
