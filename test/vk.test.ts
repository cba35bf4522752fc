import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { vk } from '../src/connectors/vk/vk.ts';
import type { Log } from '../src/core/connector.ts';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { fakeLog } from './fakes/context.ts';
import { until } from './fakes/until.ts';
import { readVkSchema } from './fakes/vk-schema.ts';
import type { VkSchema } from './fakes/vk-schema.ts';
import { AT, GROUP, KEY, startVk } from './fakes/vk.ts';
import type { FakeVk } from './fakes/vk.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

const SHARED = join(import.meta.dirname, '../../shared/fixtures/vk');
const SECRET = 'aSecretKey';

const polled = (apiRoot: string) =>
  `  - { id: community, type: vk, group: ${GROUP}, token: "${KEY}", apiRoot: "${apiRoot}" }\n`;
const pushed = (apiRoot: string, given = { id: 'community', group: GROUP, secret: SECRET, confirmation: '1a2b3c4d' }) =>
  `  - { ${Object.entries(given)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
    .join(', ')}, type: vk, mode: webhook, token: "${KEY}", apiRoot: "${apiRoot}" }\n`;

type List<T> = { readonly data: readonly T[] };
const ticketsOf = async (whole: Whole) => (await whole.api<List<Ticket>>('/tickets')).data.toReversed();
const messagesOf = async (whole: Whole, ticketId: string) =>
  (await whole.api<List<Message>>(`/tickets/${ticketId}/messages`)).data;
const eventsOf = async (whole: Whole) => (await whole.api<List<LedgerEvent>>('/events?limit=200')).data.toReversed();
const allMessages = async (whole: Whole) =>
  (await Promise.all((await ticketsOf(whole)).map(({ id }) => messagesOf(whole, id)))).flat();

async function answer(whole: Whole, ticketId: string, body: object): Promise<Message> {
  const { id } = await whole.api<Message>(`/tickets/${ticketId}/replies`, { method: 'POST', body });
  return until(async () => {
    const found = (await messagesOf(whole, ticketId)).find((message) => message.id === id);
    return found?.delivery?.state !== 'waiting' && found;
  }, 'the answer goes out');
}

describe('VK, through a whole gateway', () => {
  let api: FakeVk;
  let whole: Whole | undefined;
  let schema: VkSchema;
  before(() => {
    schema = readVkSchema();
  });
  beforeEach(async () => {
    api = await startVk(schema);
  });
  afterEach(async () => {
    await whole?.close();
    whole = undefined;
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  const message = (number: number, text: string, given: object = {}) => ({
    id: 900 + number,
    conversation_message_id: number,
    peer_id: 7001,
    from_id: 7001,
    date: AT,
    out: 0,
    version: number,
    text,
    attachments: [],
    fwd_messages: [],
    ...given,
  });
  const said = (number: number, text: string, given: object = {}) => ({
    type: 'message_new',
    object: { message: message(number, text, given), client_info: { lang_id: 0 } },
  });
  const start = async (yaml: string, log?: Log) => (whole = await startWhole({ yaml, ...(log && { log }) }));
  async function deliver(running: Whole, event: { readonly type: string; readonly object?: unknown }): Promise<void> {
    assert.deepEqual(await api.deliver(running.running.url, event), { status: 200, body: 'ok' });
  }

  it('answers the question of VK, takes what VK sends, and nothing else', async () => {
    const running = await start(pushed(api.root));
    const { url } = running.running;
    const ask = (secret: string) => api.deliver(url, { type: 'confirmation' }, secret);
    assert.deepEqual(await ask(SECRET), { status: 200, body: '1a2b3c4d' });
    assert.equal((await ask('aSecretKez')).status, 401);
    await deliver(running, said(1, 'Where is it?'));
    assert.equal((await api.deliver(url, said(2, 'forged'), 'aSecretKez')).status, 401);
    assert.equal((await api.deliver(url, said(2, 'forged'), '')).status, 401);
    const post = async (body: string) => (await fetch(`${url}/webhooks/community`, { method: 'POST', body })).status;
    const signed = (more: string) => `{"type":"message_new","secret":"${SECRET}"${more},"object":{}}`;
    assert.equal(await post(signed(',"group_id":654321')), 401);
    assert.equal(await post(signed(`,"secret":"${SECRET}"`)), 401);
    assert.equal(await post('{"type":"message_new","object":{}}'), 401);
    assert.equal(await post('no JSON'), 401);
    assert.deepEqual(
      (await allMessages(running)).map(({ text }) => text),
      ['Where is it?'],
    );
    assert.deepEqual(
      (await eventsOf(running)).map(({ outcome }) => outcome),
      ['ignored', 'ticket_created'],
    );
  });

  it('calls the customer by his name, and answers him once, though VK tells of the answer as well', async () => {
    const running = await start(pushed(api.root));
    await deliver(running, said(1, 'Where is it?'));
    const [ticket] = await ticketsOf(running);
    assert.equal((await answer(running, ticket!.id, { text: 'Tomorrow.' })).delivery?.state, 'sent');
    const [call] = api.callsOf('messages.send');
    // The echo may overtake the answer to the call: then only what it carries says that it is ours.
    const { payload, random_id } = call!.parameters;
    const own = message(950, 'Tomorrow.', { from_id: -GROUP, out: 1, random_id: Number(random_id), payload });
    await deliver(running, { type: 'message_reply', object: own });
    await deliver(running, {
      type: 'message_reply',
      object: { ...own, payload: undefined, conversation_message_id: 900 },
    });
    const elsewhere = message(951, 'It left today.', {
      from_id: -GROUP,
      out: 1,
      admin_author_id: 42,
      payload: '{"a":1}',
    });
    await deliver(running, { type: 'message_reply', object: elsewhere });
    await deliver(running, {
      type: 'message_read',
      object: { from_id: 7001, peer_id: 7001, read_message_id: 1, conversation_message_id: 900 },
    });
    assert.deepEqual(
      (await messagesOf(running, ticket!.id)).map(({ direction, text, delivery }) => [
        direction,
        text,
        delivery?.state,
      ]),
      [
        ['inbound', 'Where is it?', undefined],
        ['outbound', 'Tomorrow.', 'read'],
        ['outbound', 'It left today.', 'sent'],
      ],
    );
    const named = await until(async () => {
      const [found] = await ticketsOf(running);
      return found?.customer.name !== null && found;
    }, 'the name');
    assert.equal(named.customer.name, 'Olena Example');
  });

  it('keeps edits in order, and a message that comes again is the same', async () => {
    const running = await start(pushed(api.root));
    await deliver(running, { type: 'message_edit', object: message(1, 'green', { update_time: AT + 9 }) });
    await deliver(running, said(1, 'blue'));
    await deliver(running, { type: 'message_edit', object: message(1, 'red', { update_time: AT + 5 }) });
    await deliver(running, said(1, 'blue'));
    assert.deepEqual(
      (await allMessages(running)).map(({ text }) => text),
      ['green'],
    );
  });

  it('keeps a public comment apart from the chat of the same person, and answers it below the post', async () => {
    const running = await start(pushed(api.root));
    await deliver(running, said(1, 'in private'));
    const comment = {
      id: 7,
      from_id: 7001,
      date: AT,
      text: 'in public',
      post_id: 45,
      post_owner_id: -GROUP,
      owner_id: -GROUP,
    };
    await deliver(running, { type: 'wall_reply_new', object: comment });
    await deliver(running, { type: 'wall_reply_new', object: { ...comment, id: 8, text: 'once more' } });
    const [chat, post] = await ticketsOf(running);
    assert.deepEqual([chat!.messageCount, post!.messageCount], [1, 2]);
    assert.equal(chat!.customer.id, post!.customer.id);
    await answer(running, post!.id, { text: 'Yes.' });
    const { owner_id, post_id, reply_to_comment } = api.callsOf('wall.createComment')[0]!.parameters;
    assert.deepEqual([owner_id, post_id, reply_to_comment], [String(-GROUP), '45', '8']);
    assert.deepEqual(api.callsOf('messages.send'), []);
    await deliver(running, {
      type: 'wall_reply_delete',
      object: { owner_id: -GROUP, id: 7, deleter_id: 7001, post_id: 45 },
    });
    const [deleted] = await messagesOf(running, post!.id);
    assert.notEqual(deleted!.deletedAt, null);
  });

  it('keeps the files that came along, and shows the access key nowhere', async () => {
    const log = fakeLog();
    const running = await start(pushed(api.root), log);
    api.files.set('/photo.jpg', { bytes: Buffer.from('picture') });
    const sizes = [{ type: 'x', width: 604, height: 453, url: `${api.root}/photo.jpg` }];
    const photo = { id: 456, owner_id: 7001, album_id: -15, date: AT, has_tags: false, sizes };
    await deliver(running, said(1, 'broken', { attachments: [{ type: 'photo', photo }] }));
    const doc = {
      id: 7,
      owner_id: 7001,
      title: 'a.pdf',
      size: 5,
      ext: 'pdf',
      date: AT,
      type: 1,
      url: `${api.root}/gone`,
    };
    await deliver(running, said(2, 'and', { attachments: [{ type: 'doc', doc }] }));
    const files = await until(async () => {
      const found = (await allMessages(running)).flatMap(({ attachments }) => attachments);
      return found.length === 2 && found.every(({ state }) => state !== 'waiting') && found;
    }, 'the files are settled');
    assert.deepEqual(
      files.map(({ name, state }) => [name, state]),
      [
        ['photo.jpg', 'stored'],
        ['a.pdf', 'failed'],
      ],
    );
    const shown = await Promise.all(
      ['/tickets', '/events', '/deliveries', '/channels', '/channels/community/health'].map((path) =>
        running.api(path),
      ),
    );
    assert.ok(
      !JSON.stringify([shown, await allMessages(running), log.entries]).includes(KEY),
      'the access key is shown',
    );
  });

  it('fetches after a downtime what VK could not deliver, once', async () => {
    const date = Math.floor(Date.now() / 1000);
    const running = await start(pushed(api.root));
    await deliver(running, said(1, 'Where is it?', { date }));
    api.history.set(7001, [
      message(1, 'Where is it?', { date }),
      message(2, 'Hello?', { date, update_time: date + 1 }),
      message(3, 'It comes tomorrow.', { date, from_id: -GROUP, out: 1 }),
    ]);
    await running.restart();
    const texts = async () => (await allMessages(running)).map(({ direction, text }) => [direction, text]);
    await until(async () => (await texts()).length === 3, 'what was missed');
    assert.deepEqual(await texts(), [
      ['inbound', 'Where is it?'],
      ['inbound', 'Hello?'],
      ['outbound', 'It comes tomorrow.'],
    ]);
    // VK catches up with what it had failed to deliver.
    await deliver(running, said(2, 'Hello', { date }));
    await deliver(running, { type: 'message_edit', object: message(2, 'Hello?', { date, update_time: date + 1 }) });
    assert.deepEqual((await texts())[1], ['inbound', 'Hello?']);
    assert.equal((await texts()).length, 3);
  });

  it('fetches each event once, in order, also over a restart', async () => {
    api.push(said(0, 'before the channel was there'));
    const running = await start(polled(api.root));
    const texts = (count: number) =>
      until(async () => {
        const found = (await allMessages(running)).map(({ text }) => text);
        return found.length >= count && found;
      }, `${count} messages`);
    await until(() => api.positions.length > 0);
    api.push(said(1, 'one'), said(2, 'two'));
    await texts(2);
    await running.restart();
    api.push(said(3, 'three'));
    assert.deepEqual(await texts(3), ['one', 'two', 'three']);
    assert.deepEqual(
      (await eventsOf(running)).map(({ outcome }) => outcome),
      ['ticket_created', 'appended', 'appended'],
    );
  });
});

describe('VK, with what others collected', () => {
  const Case = z.object({
    name: z.string(),
    body: z.string(),
    expected: z.string(),
    confirmationKey: z.string().optional(),
    confirmationKeys: z.record(z.string(), z.string()).default({}),
    secretKey: z.string().optional(),
    secretKeys: z.record(z.string(), z.string()).default({}),
  });
  const read = (path: string): unknown => JSON.parse(readFileSync(join(SHARED, path), 'utf8'));
  let api: FakeVk;
  let whole: Whole | undefined;

  before(async function () {
    skipUnless(this, existsSync(SHARED), 'fixtures/vk are not beside the repository');
    api = await startVk();
  });
  afterEach(async () => {
    await whole?.close();
    whole = undefined;
  });
  after(() => api?.close());

  const post = async (running: Whole, id: string, body: string) => {
    const answer = await fetch(`${running.running.url}/webhooks/${id}`, { method: 'POST', body });
    return { status: answer.status, body: await answer.text() };
  };

  it('gives each of the 15 requests the verdict that is written down, and refuses each with one byte changed', async () => {
    const cases = z.array(Case).length(15).parse(read('vksdk-callback/cases.json'));
    const settings = cases.map(({ body, confirmationKey, confirmationKeys, secretKey, secretKeys }, index) => {
      const isOurs = confirmationKey !== undefined || Object.keys(confirmationKeys).length === 0;
      const group = isOurs || '123456' in confirmationKeys ? 123456 : 654321;
      // Some cases expect no secret, though one is sent.
      const secret = secretKeys[group] ?? secretKey ?? /"secret": "(\w+)"/.exec(body)?.[1];
      const confirmation = confirmationKeys[group] ?? confirmationKey ?? 'unused';
      return { id: `case-${index}`, group, confirmation, secret: secret ?? SECRET, isSigned: secret !== undefined };
    });
    const channels = settings.map(({ isSigned: _isSigned, ...given }) => pushed(api.root, given));
    const running = (whole = await startWhole({ yaml: channels.join('') }));
    let accepted = 0;
    for (const [index, { id, secret, isSigned }] of settings.entries()) {
      const { name, body, expected } = cases[index]!;
      // No channel opens without a secret, and with one VK says it: where the case has none, it is added.
      const signed = isSigned ? body : body.replace(/\}\s*$/, `,"secret":"${secret}"}`);
      const got = await post(running, id, signed);
      const isGood = expected === 'ok' || expected.startsWith('confirmation_');
      assert.equal(got.status, isGood ? 200 : 401, name);
      if (!isGood) continue;
      accepted++;
      assert.equal(got.body, expected, name);
      const changed = signed.replace(secret, `${secret.slice(0, -1)}${secret.endsWith('x') ? 'y' : 'x'}`);
      assert.equal((await post(running, id, changed)).status, 401, `${name}, changed`);
    }
    assert.equal(accepted, 10);
  });

  it('takes the 7 events of 6 payloads: one message, one post of its own, five without a message', async () => {
    const payloads = z
      .array(z.object({ payload: z.looseObject({}) }))
      .length(6)
      .parse(read('vkbottle/payloads.json'));
    const events = payloads.flatMap(({ payload }) => (payload.updates ?? [payload]) as object[]);
    assert.equal(events.length, 7);
    const running = (whole = await startWhole({ yaml: pushed(api.root) }));
    for (const event of events) {
      const body = JSON.stringify({ group_id: GROUP, ...event, secret: SECRET });
      assert.deepEqual(await post(running, 'community', body), { status: 200, body: 'ok' });
    }
    const outcomes = (await eventsOf(running)).map(({ outcome }) => outcome);
    assert.deepEqual(outcomes, ['ignored', 'ticket_created', ...Array<string>(5).fill('quarantined')]);
    assert.deepEqual(
      (await allMessages(running)).map(({ text }) => text),
      ['test'],
    );
  });
});

describe("VK's settings", () => {
  const problems = (settings: object) =>
    vk.config.safeParse({ group: GROUP, token: KEY, ...settings }).error?.issues.map(({ path }) => path.join('.')) ??
    [];

  it('need the secret key and the confirmation to be pushed to', () => {
    const webhook = { mode: 'webhook', secret: SECRET, confirmation: '1a2b3c4d' };
    assert.deepEqual(problems({}), []);
    assert.deepEqual(problems(webhook), []);
    assert.deepEqual(problems({ ...webhook, secret: undefined }), ['secret']);
    assert.deepEqual(problems({ ...webhook, confirmation: undefined }), ['confirmation']);
  });

  it('take the number of the community as VK writes it, without a sign', () => {
    assert.deepEqual(problems({ group: '123456' }), []);
    for (const group of ['club123456', -123456, 0, '']) assert.deepEqual(problems({ group }), ['group']);
    assert.deepEqual(problems({ apiRoot: 'ftp://example.com' }), ['apiRoot']);
  });

  it('are shown as passwords where they are secrets', () => {
    const { properties } = z.toJSONSchema(vk.config, { io: 'input' });
    const secrets = Object.entries(properties ?? {}).filter(
      ([, each]) => (each as { format?: string }).format === 'password',
    );
    assert.deepEqual(
      secrets.map(([name]) => name),
      ['token', 'secret', 'userToken'],
    );
  });
});
