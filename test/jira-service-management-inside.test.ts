import assert from 'node:assert/strict';
import type { ActionInput } from '../src/core/action.ts';
import type { Delivery, Destination } from '../src/core/destination.ts';
import type { Message } from '../src/core/ticket.ts';
import { jiraServiceManagement } from '../src/dispatch/jira-service-management/jira-service-management.ts';
import { createHttp, type Egress } from '../src/http/http.ts';
import { fakeContext } from './fakes/context.ts';
import { message } from './fakes/filing.ts';
import { EMAIL, IVAN, readJira, startJira, textIn, TOKEN } from './fakes/jira.ts';
import type { Descriptions, FakeJira } from './fakes/jira.ts';
import { openOutgoing, type Outgoing } from './fakes/outgoing.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

describe('Jira Service Management keeps from the customer what is internal', () => {
  let descriptions: Descriptions;
  let far: FakeJira;
  let out: Outgoing;
  let egress: Egress;
  let destination: Destination;
  before(() => {
    descriptions = readJira();
  });
  beforeEach(async () => {
    far = await startJira(descriptions);
    out = await openOutgoing([{ id: 'jira', carries: 'tickets' }]);
    egress = createHttp({ allow: ['127.0.0.1'], clock: out.clock });
    far.now = () => out.clock.now();
    const settings = { email: EMAIL, apiToken: TOKEN, projectKey: 'SUP', serviceDeskId: '4', requestTypeId: '25' };
    const context = fakeContext({ id: 'jira', clock: out.clock, http: egress.for({ hosts: [] }) });
    const config = jiraServiceManagement.config.parse({ ...settings, apiRoot: far.root });
    destination = jiraServiceManagement.open(config, context) as Destination;
    out.addDestination('jira', destination);
  });
  afterEach(async () => {
    await out.close();
    egress.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const there = () => far.issues[0]!;

  describe('the words of a request that it opens', () => {
    /** What was said in a ticket that was never told to Jira. */
    async function opening(given: Partial<Message>, ...before: Partial<Message>[]): Promise<Delivery> {
      const id = (await out.file(message('email|olena@example.com', { text: 'said' })))[0]!.ticketId!;
      const ticket = (await out.store.read.ticket(id))!;
      const said = (await out.store.read.messages(id, { limit: 1 })).data[0]!;
      const customer = (await out.store.read.customer(ticket.customer.id))!;
      const transcript = before.map((each, index) => ({ ...said, id: `msg_before_${index}`, ...each }));
      const open = async () => Promise.reject(new Error());
      return { id: 'x', ticket, customer, message: { ...said, ...given }, transcript, open };
    }
    const NOTE = { kind: 'note', direction: 'outbound', text: 'He is a regular.' } as const;
    const FAILED = {
      direction: 'outbound',
      text: 'Tomorrow.',
      delivery: { state: 'failed', error: 'blocked' },
    } as const;

    for (const [what, given] of Object.entries({ note: NOTE, 'failed answer': FAILED })) {
      it(`are a link alone where it is a ${what}, and colleagues read all of it`, async () => {
        const delivery = await opening(given, { text: 'Where is it?' });
        const { externalId } = await destination.createTicket!(delivery);
        assert.equal(externalId, there().id);
        assert.equal(textIn(there().fields.description), '#1001');
        assert.match(
          far.comments(there()).join('|'),
          /^Gateway \(internal\): [^|]*Where is it\?[^|]*(regular|Tomorrow)\.$/,
        );
        assert.ok(await destination.hasMessage!({ externalId }, delivery.message));
      });
    }

    it('need no comment where none of it is internal', async () => {
      await destination.createTicket!(await opening({ text: 'Hello?' }, { text: 'Where is it?' }));
      assert.match(textIn(there().fields.description), /Where is it\?.*Hello\?$/);
      assert.deepEqual(far.comments(there()), []);
    });

    it('come once, whatever was lost on the way', async () => {
      const delivery = await opening(NOTE);
      far.end('POST /rest/api/3/issue/{id}/comment', 'cut', 'lost');
      far.end('PUT /rest/api/3/issue/{id}', 'cut', 'lost');
      for (let i = 0; i < 3; i++) await assert.rejects(destination.createTicket!(delivery));
      assert.equal(await destination.findTicket!(delivery.ticket), undefined);
      await assert.rejects(destination.createTicket!(delivery));
      assert.equal((await destination.findTicket!(delivery.ticket))!.externalId, there().id);
      await destination.createTicket!(delivery);
      assert.deepEqual([far.issues.length, far.comments(there()).length], [1, 1]);
      assert.match(far.comments(there())[0]!, /^Gateway \(internal\): .*regular/);
    });

    it('are shown beforehand as they would be', async () => {
      const { body } = (await destination.preview!(await opening(NOTE))) as { body: Record<string, unknown> };
      assert.match(JSON.stringify(body['(internally)']), /regular.*"internal":true/);
      assert.doesNotMatch(JSON.stringify({ ...body, '(internally)': undefined }), /regular/);
    });
  });

  describe('the files of a comment', () => {
    let cursor: string | undefined;
    beforeEach(async () => {
      cursor = undefined;
      cursor = (await poll()).cursor;
      await out.file(message('email|olena@example.com', { text: 'one' }));
      await out.until(() => far.issues[0]?.properties['tributary'] !== undefined);
      await out.pass(15 * MINUTE, MINUTE);
    });

    async function poll() {
      const { items, cursor: next } = await destination.poll!(cursor, new AbortController().signal);
      const all: ActionInput[][] = [];
      for (const { body } of items)
        all.push(
          await destination.normalize!({
            endpointId: 'jira',
            receivedAt: out.clock.now(),
            method: 'POLL',
            url: '',
            headers: {},
            body,
          }),
        );
      return { actions: all.flat(), cursor: next };
    }
    /** What each word of an agent brought: ids of files. */
    async function brought() {
      const { actions, cursor: next } = await poll();
      cursor = next;
      return actions.flatMap((each) =>
        each.kind === 'reply' || each.kind === 'note'
          ? [`${each.kind}: ${each.attachments!.map(({ id }) => id).join()}`]
          : [],
      );
    }
    const file = (id: string, at: number, author = IVAN) =>
      void there().files.push({ id, author, at: out.clock.now() + at, name: 'a.txt', bytes: Buffer.from(id) });
    /** A comment that names files which are there, or were. */
    const say = (given: { by?: string; internal?: boolean } = {}, names = ['a.txt']) => {
      const media = names.map((alt) => ({ type: 'mediaSingle', content: [{ type: 'media', attrs: { alt } }] }));
      far.say(there(), { type: 'doc', version: 1, content: media }, given);
    };

    it('are those that its author brought, not of others by the same name', async () => {
      file('77701', 0, there().fields.reporter);
      file('77702', -5 * MINUTE);
      say();
      await out.pass(SECOND);
      file('77703', 0, there().fields.reporter);
      say({}, ['a.txt', 'b.txt']);
      assert.deepEqual(await brought(), ['reply: 77702', 'reply: ']);
    });

    it('are the nearest of each name, and none from longer ago than ten minutes', async () => {
      file('77709', -11 * MINUTE);
      say();
      assert.deepEqual(await brought(), ['reply: ']);
      await out.pass(15 * MINUTE, MINUTE);
      for (const [index, at] of [-5, -1, 3].entries()) file(`7770${index}`, at * MINUTE);
      say();
      assert.deepEqual(await brought(), ['reply: 77701']);
    });

    it('are none that a note is nearer to, or as near', async () => {
      say();
      await out.pass(2 * MINUTE);
      file('77701', -MINUTE + SECOND);
      say({ internal: true });
      assert.deepEqual(await brought(), ['reply: ', 'note: 77701']);
      there().files.length = 0;
      await out.pass(15 * MINUTE, MINUTE);
      file('77702', 0);
      say();
      say({ internal: true });
      assert.deepEqual(await brought(), ['reply: ', 'note: ']);
    });

    it('are not taken by a colleague who names the same, nor by a comment that names none', async () => {
      far.people.push({ accountId: 'acc-maria', displayName: 'Maria', accountType: 'atlassian' });
      file('77701', 0);
      say({ by: 'acc-maria' });
      say({}, []);
      await out.pass(SECOND);
      say();
      assert.deepEqual(await brought(), ['reply: ', 'reply: ', 'reply: 77701']);
    });

    it('are none of a note that was told before, however much was said since', async () => {
      file('77701', 0);
      say({ internal: true });
      await out.pass(SECOND);
      far.say(there(), 'and so on');
      assert.deepEqual(await brought(), ['note: 77701', 'reply: ']);
      await out.pass(MINUTE);
      say();
      for (let i = 0; i < 98; i++) far.say(there(), `${i}`);
      assert.deepEqual(new Set(await brought()), new Set(['reply: ']));
    });
  });
});
