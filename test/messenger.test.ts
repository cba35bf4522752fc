import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messenger } from '../src/connectors/meta/messenger/messenger.ts';
import { BadPayloadError } from '../src/core/errors.ts';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { fakeContext, fakeLog } from './fakes/context.ts';
import { refusal, startGraph, TOKEN } from './fakes/meta.ts';
import type { FakeGraph } from './fakes/meta.ts';
import { samplePayload } from './fakes/samples.ts';
import { until } from './fakes/until.ts';
import { APP_SECRET, signed, VERIFY_TOKEN } from './fakes/whatsapp.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

const SHARED = join(import.meta.dirname, '../../shared/fixtures');
const PAGE = '102290129340011';
const OLENA = '7000000000000001';

const channel = (apiRoot: string) =>
  `  - { id: messenger, type: messenger, pageId: "${PAGE}", pageAccessToken: "${TOKEN}", appSecret: "${APP_SECRET}", ` +
  `verifyToken: "${VERIFY_TOKEN}", comments: true, apiRoot: "${apiRoot}" }\n`;

type List<T> = { readonly data: readonly T[] };
const ticketsOf = async (whole: Whole) => (await whole.api<List<Ticket>>('/tickets')).data.toReversed();
const messagesOf = async (whole: Whole, ticketId: string) =>
  (await whole.api<List<Message>>(`/tickets/${ticketId}/messages`)).data;
const eventsOf = async (whole: Whole) => (await whole.api<List<LedgerEvent>>('/events?limit=200')).data.toReversed();

describe('Messenger, through a whole gateway', () => {
  let meta: FakeGraph;
  let whole: Whole;
  let log: ReturnType<typeof fakeLog>;
  beforeEach(async () => {
    log = fakeLog();
    meta = await startGraph();
    meta.nodes.set(`${OLENA}?fields=first_name,last_name`, { first_name: 'Olena', id: OLENA });
    whole = await startWhole({ yaml: channel(meta.root), log });
  });
  afterEach(async () => {
    await whole.close();
    await meta.close();
    assert.deepEqual(meta.violations, []);
  });

  const event = (content: object, given: object = {}) => ({
    sender: { id: OLENA },
    recipient: { id: PAGE },
    timestamp: Date.now(),
    ...content,
    ...given,
  });
  const message = (mid: string, content: object = { text: `text of ${mid}` }, given: object = {}) =>
    event({ message: { mid, ...content } }, given);
  async function deliver(entry: object): Promise<void> {
    const body = { object: 'page', entry: [{ id: PAGE, time: Date.now(), ...entry }] };
    assert.equal(await meta.deliver(`${whole.running.url}/webhooks/messenger`, body), 200);
  }
  const write = (...messaging: object[]) => deliver({ messaging });
  const onlyTicket = async () => {
    const [ticket, ...more] = await ticketsOf(whole);
    assert.deepEqual(more, []);
    return ticket!;
  };
  async function answer(ticketId: string, text: string): Promise<Message> {
    const { id } = await whole.api<Message>(`/tickets/${ticketId}/replies`, { method: 'POST', body: { text } });
    return until(async () => {
      const found = (await messagesOf(whole, ticketId)).find((one) => one.id === id);
      return found?.delivery?.state !== 'waiting' && found;
    }, 'the answer goes out');
  }

  it('takes a message with its picture, names who wrote it, answers, and shows that it was delivered', async () => {
    meta.files.set('1.jpg', Buffer.from('pixels'));
    const attachments = [{ type: 'image', payload: { url: `${meta.root}/files/1.jpg` } }];
    await write(message('m_1', { text: 'Broken', attachments }));
    const { id } = await onlyTicket();
    await until(async () => (await onlyTicket()).customer.name === 'Olena', 'Meta is asked for her name');
    const photo = await until(async () => {
      const [file] = (await messagesOf(whole, id))[0]!.attachments;
      return file?.state === 'stored' && file;
    }, 'the picture is fetched');
    assert.equal(photo.size, 6);

    const sent = await answer(id, 'A new one comes tomorrow.');
    assert.equal(sent.delivery?.state, 'sent');
    const { body } = meta.calls.findLast(({ path }) => path.endsWith('/messages'))!;
    assert.deepEqual(body['recipient'], { id: OLENA });
    const { metadata } = body['message'] as { metadata: string };
    // Meta tells of it before its answer is stored, or after: it is the same one.
    const echo = { is_echo: true, text: 'A new one comes tomorrow.' };
    const ours = { sender: { id: PAGE }, recipient: { id: OLENA } };
    await write(message('m_OUT1', { ...echo, metadata }, ours), message('m_OUT1', echo, ours));
    await write(event({ delivery: { mids: ['m_OUT1'], watermark: Date.now() } }));
    const messages = await messagesOf(whole, id);
    assert.deepEqual(
      messages.map(({ text, delivery }) => [text, delivery?.state]),
      [
        ['Broken', undefined],
        ['A new one comes tomorrow.', 'delivered'],
      ],
    );
  });

  it('shows what was answered in Meta’s inbox, and leaves alone what it knows nothing of', async () => {
    await write(message('m_1'));
    const echo = (mid: string, to: string) =>
      message(mid, { text: mid, is_echo: true }, { sender: { id: PAGE }, recipient: { id: to } });
    await write(echo('m_inbox', OLENA), echo('m_other', '7000000000000099'));
    const messages = await messagesOf(whole, (await onlyTicket()).id);
    assert.deepEqual(
      messages.map(({ direction, text }) => [direction, text]),
      [
        ['inbound', 'text of m_1'],
        ['outbound', 'm_inbox'],
      ],
    );
  });

  it('files every message of a batch once, whatever Meta sends again, and follows edits, reactions and deletions', async () => {
    const edit = (text: string, num_edit: number) => event({ message_edit: { mid: 'm_2', text, num_edit } });
    const batch = [message('m_1'), edit('edited twice', 2), message('m_2'), edit('edited', 1)];
    await write(...batch);
    await write(...batch, message('m_3'));
    await write(event({ reaction: { mid: 'm_1', action: 'react', emoji: '❤️' } }));
    await write(message('m_3', { is_deleted: true }));
    const messages = await messagesOf(whole, (await onlyTicket()).id);
    assert.deepEqual(
      messages.map(({ text, deletedAt, reactions }) => [text, deletedAt !== null, reactions.map(({ emoji }) => emoji)]),
      [
        ['text of m_1', false, ['❤️']],
        ['edited twice', false, []],
        ['text of m_3', true, []],
      ],
    );
  });

  it('keeps a comment apart from the chat of the same person, and answers it in public', async () => {
    await write(message('m_1'));
    const value = { item: 'comment', verb: 'add', post_id: `${PAGE}_5`, parent_id: `${PAGE}_5`, comment_id: '5_6' };
    const from = { id: OLENA, name: 'Olena' };
    const created_time = Math.floor(Date.now() / 1000) - 40 * 24 * 3600;
    const feed = (given: object) =>
      deliver({ changes: [{ field: 'feed', value: { ...value, created_time, ...given } }] });
    await feed({ from, message: 'In blue?' });
    const [chat, comment] = await ticketsOf(whole);
    assert.equal(chat!.customer.id, comment!.customer.id);
    const sent = await answer(comment!.id, 'Yes.');
    assert.equal(sent.delivery?.state, 'sent');
    const { path, body } = meta.calls.findLast(({ method }) => method === 'POST')!;
    assert.deepEqual([path, body], ['5_6/comments', { message: 'Yes.' }]);
    const page = { id: PAGE, name: 'Example Shop' };
    await feed({ from: page, comment_id: '500_901', parent_id: '5_6', message: 'Yes.' });
    await feed({ from: page, comment_id: '5_7', parent_id: '5_6', message: 'And in green.' });
    await feed({ from, verb: 'edited', message: 'In light blue?' });
    const texts = (await messagesOf(whole, comment!.id)).map(({ text }) => text);
    assert.deepEqual(texts, ['In light blue?', 'Yes.', 'And in green.']);
    assert.equal((await messagesOf(whole, chat!.id)).length, 1);
  });

  it('takes notifications as large as Meta sends them', async () => {
    await deliver({ messaging: [message('m_1')], padding: 'x'.repeat(3 * 1024 * 1024) });
    assert.equal((await messagesOf(whole, (await onlyTicket()).id)).length, 1);
  });

  it('goes on taking messages when its token is revoked, says so, and shows its secrets nowhere', async () => {
    await write(message('m_1'));
    const { id } = await onlyTicket();
    const error = refusal(400, 190, `Error validating access token ${TOKEN}`, 460);
    meta.end('POST', ...Array.from({ length: 20 }, () => error));
    await whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Tomorrow.' } });
    await until(async () => {
      const { state } = await whole.api<{ state: string }>('/channels/messenger/health');
      return state === 'needs_reauth';
    }, 'the channel needs a new token');
    await write(message('m_2'));
    const texts = (await messagesOf(whole, id)).map(({ text }) => text);
    assert.deepEqual(texts, ['text of m_1', 'Tomorrow.', 'text of m_2']);
    const shown = [log.entries, await whole.api('/channels'), await whole.api('/deliveries'), await eventsOf(whole)];
    const everything = JSON.stringify([...shown, await whole.api('/channels/messenger/health')]);
    for (const secret of [TOKEN, APP_SECRET, VERIFY_TOKEN]) assert.ok(!everything.includes(secret), secret);
  });

  it('lets nothing go out into a chat a day after the customer wrote', async () => {
    await write(message('m_1', undefined, { timestamp: Date.now() - 25 * 3_600_000 }));
    const { id } = await onlyTicket();
    const late = whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Late' } });
    await assert.rejects(late, /409.*24 hours/);
  });
});

describe("Messenger's notifications as others collected them", () => {
  let whole: Whole;
  before(async function () {
    skipUnless(
      this,
      existsSync(join(SHARED, 'messenger-instagram')),
      'the collected fixtures are not beside the repository',
    );
    whole = await startWhole({ yaml: channel('http://127.0.0.1:9') });
  });
  after(async () => {
    await (whole as Whole | undefined)?.close();
  });

  async function send(body: unknown): Promise<readonly LedgerEvent[]> {
    const before = (await eventsOf(whole)).map(({ id }) => id);
    const bytes = JSON.stringify(body);
    const url = `${whole.running.url}/webhooks/messenger`;
    const answer = await fetch(url, { method: 'POST', headers: signed(bytes), body: bytes });
    await answer.arrayBuffer();
    assert.equal(answer.status, 200);
    return (await eventsOf(whole)).filter(({ id }) => !before.includes(id));
  }

  interface Entry {
    readonly id: string;
    readonly messaging?: readonly object[];
    readonly standby?: readonly object[];
    readonly changes?: readonly object[];
  }
  let count = 0;
  /** For our Page, and with ids of its own: as collected they share them. */
  function renamed<T>(value: T, self: string): T {
    const own = count++;
    const text = JSON.stringify(value)
      .replaceAll(new RegExp(`"?\\b${self}\\b"?(?=[,}\\]])`, 'g'), `"${PAGE}"`)
      .replaceAll(/"(mid|comment_id|post_id)":\s*"([^"]+)"/g, `"$1":"$2-${own}"`)
      // A button that is pressed has no other id.
      .replaceAll(/"timestamp":(\d+)/g, (_, at) => `"timestamp":${Number(at) + own}`);
    return JSON.parse(text) as T;
  }
  const sizeOf = ({ messaging = [], standby = [], changes = [] }: Entry) =>
    messaging.length + standby.length + changes.length;

  it('all of restfb end in the ledger, with as many items as they say and a name where they are ignored', async function () {
    const folder = join(SHARED, 'messenger-instagram/restfb/webhooks');
    const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
    assert.equal(files.length, 140);
    const outcomes = new Map<string, string[]>();
    for (const file of files) {
      const { object, entry } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as {
        object: string;
        entry: Entry[];
      };
      const events = await send({
        object,
        entry: entry.map((one) => renamed({ ...one, id: String(one.id) }, String(one.id))),
      });
      const size = object === 'page' ? entry.reduce((sum, one) => sum + sizeOf(one), 0) : 1;
      assert.equal(events.length, size, file);
      for (const { outcome, reason } of events) {
        outcomes.set(outcome, [...(outcomes.get(outcome) ?? []), file.replace('.json', '')]);
        if (outcome === 'ignored') assert.match(reason ?? '', /\S: \S|given elsewhere|opens no ticket/, file);
      }
    }
    assert.deepEqual(outcomes.get('quarantined') ?? [], []);
    const messages = [...(outcomes.get('ticket_created') ?? []), ...(outcomes.get('appended') ?? [])];
    const ofKind = (list: readonly string[] | undefined, kind: RegExp) =>
      (list ?? []).filter((name) => kind.test(name));
    // What only a person can have said is a message; what only Meta says is not.
    const said =
      /^(messaging-message-(?!basic-echo|edits|isdeleted)|messaging-postback-(basic|referral)|messaging-[\w-]+-template)/;
    assert.deepEqual(
      ofKind(messages, /^messaging-/).filter((name) => !said.test(name) && !/-(edits|basic-echo)$/.test(name)),
      [],
    );
    assert.deepEqual(
      ofKind(
        files.map((name) => name.replace('.json', '')),
        said,
      ).filter((name) => !messages.includes(name)),
      [],
    );
    assert.deepEqual(ofKind(outcomes.get('receipt'), /./), ['messaging-delivery-basic']);
    assert.deepEqual(ofKind(outcomes.get('revised'), /^messaging-/), [
      'messaging-message-isdeleted',
      'messaging-reaction-1',
      'messaging-reaction-2',
    ]);
    const counted = [...outcomes].map(([outcome, names]) => [outcome, names.length] as const);
    assert.deepEqual(Object.fromEntries(counted), {
      ticket_created: 7,
      appended: 37,
      revised: 10,
      receipt: 1,
      // Most of the feed is what the Page itself wrote.
      ignored: 86,
    });
  });

  it('the four of chatwoot end in the ledger', async () => {
    const file = join(SHARED, 'messenger-instagram/chatwoot/payloads.json');
    const list = JSON.parse(readFileSync(file, 'utf8')) as { from: string; payload: { messaging?: object } }[];
    const ours = list.filter(({ from }) => from.includes('facebook_message'));
    assert.equal(ours.length, 4);
    const outcomes: string[] = [];
    for (const { payload } of ours) {
      const one = renamed(payload.messaging ?? payload, '117172741761305');
      const events = await send({ object: 'page', entry: [{ id: PAGE, time: 1648581633369, messaging: [one] }] });
      outcomes.push(...events.map(({ outcome }) => outcome));
    }
    assert.deepEqual(outcomes, ['ticket_created', 'ticket_created', 'ignored', 'ignored']);
  });
});

describe("Messenger's signature", () => {
  const open = (appSecret = APP_SECRET) => {
    const config = { pageId: PAGE, pageAccessToken: TOKEN, appSecret, verifyToken: VERIFY_TOKEN };
    return messenger.open(messenger.config.parse(config), fakeContext());
  };
  const verify = async (headers: Record<string, string>, body: string | Buffer, secret?: string) =>
    (await open(secret)).webhook!.verify(samplePayload(Buffer.from(body), headers));

  it('has the verdict that others state for it, and is refused with a byte changed', async function () {
    const file = join(SHARED, 'signatures/x-hub-signature-256/vectors.json');
    skipUnless(this, existsSync(file), 'the collected signatures are not beside the repository');
    const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as {
      vectors: { secret: string; body: string; signature: string; valid: boolean }[];
    };
    assert.equal(vectors.length, 2);
    for (const { secret, body, signature, valid } of vectors) {
      const headers = { 'x-hub-signature-256': signature };
      if (!valid) {
        await assert.rejects(verify(headers, body, secret), BadPayloadError);
        continue;
      }
      await verify(headers, body, secret);
      for (let at = 0; at < body.length; at++) {
        const changed = Buffer.from(body);
        changed[at]! ^= 1;
        await assert.rejects(verify(headers, changed, secret), BadPayloadError);
      }
    }
  });

  it("answers Meta's question when the address is entered, and nobody else's", async () => {
    const ask = async (query: string) => {
      const request = samplePayload('', {}, { method: 'GET', url: `/webhooks/messenger?${query}` });
      return (await open()).webhook!.challenge!(request);
    };
    const right = `hub.mode=subscribe&hub.verify_token=${VERIFY_TOKEN}&hub.challenge=42`;
    assert.equal((await ask(right))?.body, '42');
    assert.deepEqual(await ask(right.replace(VERIFY_TOKEN, 'guess')), { status: 403 });
  });

  it('says in its settings what is wrong with them', () => {
    const settings = { pageId: '1', pageAccessToken: 'a', appSecret: 'b', verifyToken: 'c' };
    assert.ok(messenger.config.safeParse(settings).success);
    const problem = (given: object) => messenger.config.safeParse({ ...settings, ...given }).error?.issues[0]?.message;
    assert.match(problem({ pageId: 102290129340011 }) ?? '', /in quotes/);
    assert.match(problem({ pageId: 'example.shop' }) ?? '', /other characters than digits/);
    assert.ok(problem({ apiVersion: '25' }));
  });
});
