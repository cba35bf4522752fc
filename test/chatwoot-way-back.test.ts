import assert from 'node:assert/strict';
import { text as textOf } from 'node:stream/consumers';
import type { ActionInput } from '../src/core/action.ts';
import { BadPayloadError, NotFoundError } from '../src/core/errors.ts';
import type { Payload, WebhookRequest } from '../src/core/payload.ts';
import { hmac } from '../src/core/signature.ts';
import { chatwoot } from '../src/dispatch/chatwoot/chatwoot.ts';
import { ACCOUNT, callOf, INBOX, readChatwoot, startChatwoot, TOKEN } from './fakes/chatwoot.ts';
import { WEBHOOK_SECRET, WEBHOOK_TOKEN } from './fakes/chatwoot.ts';
import type { FakeChatwoot } from './fakes/chatwoot.ts';
import { openDestinationDesk, type DestinationDesk } from './fakes/destination-desk.ts';
import type { Description } from './fakes/openapi.ts';
import type { Outgoing } from './fakes/outgoing.ts';

const SECOND = 1000;
const NEVER = new AbortController().signal;

describe('Chatwoot, and what its agents do there', () => {
  let description: Description | undefined;
  let far: FakeChatwoot;
  let desk: DestinationDesk;
  let out: Outgoing;
  before(() => {
    description = readChatwoot();
  });
  beforeEach(async () => {
    far = await startChatwoot(description);
    const own = { apiRoot: far.root, accountId: ACCOUNT, inboxId: INBOX, accessToken: TOKEN };
    desk = await openDestinationDesk(chatwoot, 'chatwoot', { ...own, webhookSecret: WEBHOOK_SECRET });
    ({ out } = desk);
    far.now = () => out.clock.now();
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const there = () => far.conversations[0]!;
  const calls = (what: string) => far.calls.filter(({ method, path }) => `${method} ${callOf(path)}` === what).length;

  describe('asked what changed', () => {
    const payload = (body: Buffer, method = 'POLL'): Payload => ({
      endpointId: 'chatwoot',
      receivedAt: out.clock.now(),
      method,
      url: '',
      headers: {},
      body,
    });
    async function poll(from?: string) {
      const { items, cursor: next } = await desk.destination.poll!(from, NEVER);
      const all: ActionInput[][] = [];
      for (const { body } of items) all.push(await desk.destination.normalize!(payload(body)));
      // What says nothing isn't kept.
      assert.ok(all.every((actions) => actions.length > 0));
      return { actions: all.flat(), cursor: next };
    }
    const kinds = ({ actions }: { actions: ActionInput[] }) => actions.map(({ kind }) => kind);
    const shown = ({ actions }: { actions: ActionInput[] }) =>
      actions.map((each) => (each.kind === 'ignored' ? each.reason : each.kind === 'status' ? each.status : each.kind));
    const act = (given: Parameters<FakeChatwoot['act']>[1]) => far.act(there().id, given);
    let cursor: string;
    beforeEach(async () => {
      cursor = (await poll()).cursor;
      await desk.write('one');
      await desk.settled(1);
      await out.pass(15 * SECOND);
    });

    it('tells what agents said and did, with their names and files, and nothing of ours', async () => {
      far.files.set('a b.png', Buffer.from('bytes'));
      act({ body: 'Tomorrow\\\nearly, see [here](https://example.com/a_b).', files: ['a b.png'], status: 'snoozed' });
      act({ body: 'A regular, says [@Ann](mention://user/1/Ann).', private: true, by: 'Ann' });
      const { actions } = await poll(cursor);
      assert.equal((actions[0] as { reason: string }).reason, 'ours');
      const [, reply, status, note] = actions as (ActionInput & { id: string; attachments: { id: string }[] })[];
      const { id, attachments, ...rest } = reply!;
      const common = { ticket: String(there().id), at: out.clock.now() };
      const words = 'Tomorrow\nearly, see here (https://example.com/a_b).';
      assert.deepEqual(rest, { kind: 'reply', ...common, agent: 'Ivan', text: words });
      assert.match(id, /^message:\d+$/);
      assert.match(status!.id, /^status:\d+:\d+$/);
      assert.deepEqual(
        { ...status, id: '' },
        { kind: 'status', id: '', ...common, agent: 'Chatwoot', status: 'pending' },
      );
      const { text, agent } = note as unknown as { text: string; agent: string };
      assert.deepEqual([note!.kind, agent, text], ['note', 'Ann', 'A regular, says @Ann.']);
      const [file] = attachments;
      const { id: fileId, ...about } = file as unknown as { id: string };
      assert.deepEqual(about, { name: 'a b.png', mediaType: 'image/png', size: 5 });
      const found = { id: fileId, name: 'a b.png', mediaType: 'image/png' };
      assert.equal(await textOf(await desk.destination.download!(found, payload(Buffer.alloc(0)))), 'bytes');
    });

    it('tells an answer of ours that an agent repeats, and one that the owner of the token writes by hand', async () => {
      await out.desk.note((await out.store.read.tickets({}, { limit: 1 })).data[0]!.id, { text: 'ours' }, 'user:usr_1');
      await desk.settled(2);
      act({ body: there().messages.at(-1)!.content!, private: true });
      act({ body: 'by hand', by: 'Gateway' });
      act({ body: 'by another integration', source: 'WAID:5' });
      assert.deepEqual(shown(await poll(cursor)), ['ours', 'ours', 'note', 'reply', 'reply']);
    });

    it('leaves out what customers wrote there, what Chatwoot says by itself, and what was taken back', async () => {
      act({ body: 'by the public API', type: 0 });
      act({ body: 'We are closed.', type: 3 });
      act({ body: 'This message was deleted' });
      Object.assign(there().messages.at(-1)!, { content_attributes: { deleted: true } });
      act({ body: ' ' });
      const neither = 'neither an answer nor a note';
      assert.deepEqual(shown(await poll(cursor)).slice(1), [neither, neither, 'taken back', 'without words']);
    });

    it('tells each of it once, also what came within the same second, and rests when there is nothing', async () => {
      act({ body: 'a' });
      const one = await poll(cursor);
      act({ body: 'b' });
      const two = await poll(one.cursor);
      assert.deepEqual([kinds(one), kinds(two)], [['ignored', 'reply'], ['reply']]);
      await out.pass(11 * SECOND);
      const three = await poll(two.cursor);
      const before = far.calls.length;
      const four = await poll(three.cursor);
      // The second page, which is empty.
      assert.deepEqual([kinds(three), kinds(four), far.calls.length - before], [[], [], 2]);
    });

    it('reads as far back as it must, and tells nothing from before its time', async () => {
      for (let i = 0; i < 30; i++) act({ body: `before ${i}` });
      far.conversations.push({ ...there(), id: 7000, messages: [...there().messages] });
      await out.pass(3600 * SECOND, 600 * SECOND);
      const later = (await poll()).cursor;
      for (let i = 0; i < 45; i++) act({ body: `after ${i}` });
      const { actions } = await poll(later);
      assert.deepEqual(
        actions.map((each) => (each as { text?: string }).text),
        Array.from({ length: 45 }, (_, i) => `after ${i}`),
      );
      assert.equal(calls('GET /conversations/{id}/messages'), 3);
      assert.equal(calls('GET /conversations'), 1);
    });

    it('finds every conversation that moved, and looks into none of others', async () => {
      for (let i = 0; i < 60; i++) {
        const own = {
          ...there(),
          id: 5000 + i,
          messages: [],
          custom_attributes: i === 7 ? there().custom_attributes : { tributary_ticket: 'x' },
        };
        far.conversations.push(own);
        far.act(5000 + i, { body: 'x' });
      }
      assert.deepEqual(
        (await poll(cursor)).actions.flatMap((each) => (each.kind === 'reply' ? each.ticket : [])),
        ['5007'],
      );
      assert.equal(calls('GET /conversations'), 4);
      assert.equal(calls('GET /conversations/{id}/messages'), 2);
    });

    it('passes over a deleted one, and over nothing else that is refused', async () => {
      act({ body: 'x' });
      const what = 'GET /conversations/{id}/messages';
      far.end(what, { http: 404 }, { http: 403 });
      assert.deepEqual((await desk.destination.poll!(cursor, NEVER)).items, []);
      await assert.rejects(poll(cursor), /403/);
    });

    it('tells a status with any line, as it was told to Chatwoot where both are called the same there', async () => {
      act({ line: 'Ann added sales' });
      Object.assign(there(), { answered: undefined });
      const one = await poll(cursor);
      there().answered = 0;
      assert.deepEqual(shown(one).slice(1), ['an event, and no status of ours']);
      act({ body: 'Hello.' });
      act({ line: 'Ann added vip' });
      const two = await poll(one.cursor);
      assert.deepEqual(shown(two), ['reply', 'open']);
      act({ status: 'resolved' });
      act({ status: 'pending' });
      act({ status: 'resolved' });
      const three = await poll(two.cursor);
      assert.deepEqual(shown(three), ['an event', 'an event', 'solved']);
      there().custom_attributes['tributary_status'] = 'closed';
      act({ line: 'Ann removed vip' });
      const four = await poll(three.cursor);
      assert.deepEqual(shown(four), ['closed']);
      desk.use({ statuses: { pending: 'snoozed' } });
      act({ status: 'pending' });
      assert.deepEqual(shown(await poll(four.cursor)), ['an event, and no status of ours']);
    });

    it('tells the status that the last line speaks of, also where it changed while it was asked', async () => {
      act({ status: 'snoozed' });
      far.meanwhile = (call) => {
        if (call !== 'GET /conversations/{id}/messages') return;
        far.meanwhile = () => undefined;
        act({ status: 'resolved' });
      };
      const one = await poll(cursor);
      assert.deepEqual(shown(one).slice(1), ['an event', 'solved']);
      assert.deepEqual(shown(await poll(one.cursor)), []);
    });

    it('fetches a file from where Chatwoot keeps it, or from elsewhere by TLS, and from nowhere else', async () => {
      act({ body: 'x', files: ['a.txt'] });
      const message = there().messages.at(-1)!;
      const [file] = message.attachments;
      const id = `${there().id}/${message.id}/${String(file!['id'])}`;
      file!['data_url'] = 'https://files.example.com/%E0.PDF';
      const [, reply] = (await poll(cursor)).actions;
      const [told] = (reply as { attachments: object[] }).attachments;
      assert.deepEqual(told, { id, name: '%E0.PDF', mediaType: 'application/pdf', size: 0 });
      file!['data_url'] = 'nonsense';
      const [, unnamed] = (await poll(cursor)).actions;
      assert.equal(
        (unnamed as { attachments: { name: string }[] }).attachments[0]!.name,
        `file-${String(file!['id'])}`,
      );
      const fetched = (url: string, at = id) => {
        file!['data_url'] = url;
        return desk.destination.download!({ id: at, name: 'a.txt', mediaType: 'text/plain' }, payload(Buffer.alloc(0)));
      };
      for (const url of ['http://files.example.com/a.txt', 'ftp://files.example.com/a.txt'])
        await assert.rejects(fetched(url), /without TLS/);
      await assert.rejects(fetched('https://127.0.0.1:1/a.txt'), (error: Error) => !/without TLS/.test(error.message));
      await assert.rejects(fetched('a.txt'), NotFoundError);
      far.leadsTo = 'http://files.example.com/a.txt';
      await assert.rejects(fetched(`${far.root}/rails/active_storage/blobs/redirect/1/a.txt`), /redirect/);
      await assert.rejects(fetched(`${far.root}/rails/x`, `${there().id}/${message.id}/5`), NotFoundError);
    });
  });

  describe('that calls', () => {
    const request = (body: object, headers: Record<string, string> = {}): WebhookRequest => {
      const bytes = Buffer.from(JSON.stringify(body));
      const about = { endpointId: 'chatwoot', receivedAt: out.clock.now(), method: 'POST', url: '' };
      return { ...about, headers, body: bytes };
    };
    const at = () => String(Math.floor(out.clock.now() / 1000));
    function signed(body: object, time = at(), secret = WEBHOOK_SECRET): WebhookRequest {
      const mac = hmac('sha256', secret, `${time}.`, JSON.stringify(body)).toString('hex');
      return request(body, { 'x-chatwoot-signature': `sha256=${mac}`, 'x-chatwoot-timestamp': time });
    }
    const verify = async (given: WebhookRequest) => desk.destination.webhook!.verify(given);

    it('is believed only with its signature over time and body', async () => {
      const body = { event: 'message_created' };
      await verify(signed(body));
      const { headers } = signed(body);
      const { 'x-chatwoot-signature': signature = '', 'x-chatwoot-timestamp': time = '' } = headers;
      const bodyOnly = `sha256=${hmac('sha256', WEBHOOK_SECRET, JSON.stringify(body)).toString('hex')}`;
      for (const wrong of [
        request(body),
        request(body, { 'x-chatwoot-timestamp': time }),
        request(body, { 'x-chatwoot-signature': signature }),
        request(body, { 'x-chatwoot-signature': signature.slice(7), 'x-chatwoot-timestamp': time }),
        request(body, { 'x-chatwoot-signature': bodyOnly, 'x-chatwoot-timestamp': time }),
        request({ event: 'message_updated' }, headers),
        request(body, { ...headers, 'x-chatwoot-timestamp': String(Number(time) + 1) }),
        signed(body, at(), 'another'),
        signed(body, String(Number(at()) - 301)),
        signed(body, String(Number(at()) + 301)),
        signed(body, ''),
        signed(body, 'NaN'),
        signed(body, `${at()}.0`),
      ]) {
        await assert.rejects(async () => verify(wrong), BadPayloadError);
      }
    });

    it('wakes for what is new in a conversation of ours, and tells a status that no line tells', async () => {
      await desk.write('one');
      await desk.settled(1);
      const { id } = there();
      const told = (body: object) => desk.destination.normalize!({ ...request(body) }) as ActionInput[];
      const ours = { kind: 'ignored', name: 'a message', reason: 'ours' };
      assert.deepEqual(told(far.noticeOf(id, 'message_created')), [ours]);
      assert.deepEqual(told(far.noticeOf(id, 'conversation_status_changed')), [{ kind: 'wake' }]);
      far.act(id, { body: 'Hello.' });
      assert.deepEqual(told(far.noticeOf(id, 'message_created')), [{ kind: 'wake' }]);
      far.act(id, { status: 'resolved', silent: true });
      const notice = far.noticeOf(id, 'conversation_status_changed');
      const time = there().last_activity_at * 1000;
      const status = { kind: 'status', ticket: String(id), agent: 'Chatwoot', status: 'solved' };
      assert.deepEqual(told(notice), [
        { ...status, id: `status:${id}:${time + 250}:resolved`, at: time + 250 },
        { kind: 'wake' },
      ]);
      const { updated_at: _later, ...older } = notice;
      assert.deepEqual(told({ ...older, timestamp: time / 1000 })[0], {
        ...status,
        id: `status:${id}:${time}:resolved`,
        at: time,
      });
      assert.deepEqual(told({ ...notice, status: 'strange' }), [{ kind: 'wake' }]);
      there().custom_attributes = {};
      for (const event of ['message_created', 'conversation_status_changed'])
        assert.equal((told(far.noticeOf(id, event))[0] as { reason: string }).reason, 'not a ticket of ours');
      assert.equal((told({ event: 'contact_created' })[0] as { reason: string }).reason, 'nothing that comes back');
      assert.deepEqual(told({ event: 'message_created', conversation: 5 }), [{ kind: 'wake' }]);
      assert.deepEqual(told([]), [{ kind: 'wake' }]);
    });

    it('is only woken by where nothing is signed, at an address that nobody can guess', async () => {
      await desk.write('one');
      await desk.settled(1);
      desk.use({ webhookSecret: undefined, webhookToken: WEBHOOK_TOKEN });
      const { webhook, normalize } = desk.destination;
      assert.equal(webhook!.token?.reveal(), WEBHOOK_TOKEN);
      await webhook!.verify(request({}));
      far.act(there().id, { status: 'resolved' });
      const notice = far.noticeOf(there().id, 'conversation_status_changed');
      assert.deepEqual(normalize!(request(notice)), [{ kind: 'wake' }]);
      assert.equal(desk.open({ webhookSecret: undefined }).webhook, undefined);
      const intervals = [{}, { webhookSecret: undefined }].map((given) => desk.open(given).pollEveryMs);
      assert.deepEqual(intervals, [60 * SECOND, 15 * SECOND]);
    });
  });
});
