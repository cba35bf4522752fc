import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import type { ActionInput } from '../src/core/action.ts';
import type { Delivery, Destination } from '../src/core/destination.ts';
import { AuthExpiredError, BadPayloadError, RateLimitedError, UncertainError } from '../src/core/errors.ts';
import type { Payload, WebhookRequest } from '../src/core/payload.ts';
import { hmac } from '../src/core/signature.ts';
import { jiraServiceManagement } from '../src/dispatch/jira-service-management/jira-service-management.ts';
import { createHttp, type Egress } from '../src/http/http.ts';
import { fakeContext } from './fakes/context.ts';
import { message } from './fakes/filing.ts';
import { EMAIL, GATEWAY, readJira, SECRET, startJira, textIn, TOKEN } from './fakes/jira.ts';
import type { Descriptions, Ending, FakeJira } from './fakes/jira.ts';
import { openOutgoing, type Outgoing } from './fakes/outgoing.ts';
import { skipUnless } from './skip.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const NEVER = new AbortController().signal;
const VECTORS = join(import.meta.dirname, '../../shared/specs/webhook-vectors/vectors.json');

describe('Jira Service Management as a destination', () => {
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
    // The store's times are those of the messages, an hour or so before.
    destination = open();
    out.addDestination('jira', destination);
    out.addChannel('chat', { reply: async () => undefined });
  });
  afterEach(async () => {
    await out.close();
    egress.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const settings = { email: EMAIL, apiToken: TOKEN, projectKey: 'SUP', serviceDeskId: '4', requestTypeId: '25' };
  function open(given: object = {}): Destination {
    const config = jiraServiceManagement.config.parse({
      ...settings,
      apiRoot: far.root,
      webhookSecret: SECRET,
      ...given,
    });
    const context = fakeContext({ id: 'jira', clock: out.clock, http: egress.for({ hosts: [] }) });
    return jiraServiceManagement.open(config, context) as Destination;
  }
  const write = async (text: string, given: Parameters<typeof message>[1] = {}, from = 'telegram|1') =>
    (await out.file(message(from, { text, ...given })))[0]!.ticketId!;
  const delivered = async () => (await out.deliveries()).filter(({ state }) => state === 'delivered').length;
  async function settled(count: number): Promise<void> {
    for (let i = 0; i < 100 && (await delivered()) < count; i++) await out.pass(100);
    assert.equal(await delivered(), count);
  }
  const RAISE = 'POST /rest/servicedeskapi/request';
  const COMMENT = 'POST /rest/api/3/issue/{id}/comment';
  const EDIT = 'PUT /rest/api/3/issue/{id}';
  const comments = () => far.issues.map((issue) => far.comments(issue).length);

  it('raises a request whose words come as a document, never as markup, and is complete then', async () => {
    const id = await write(
      '[here|https://evil.example] {color:red}*x*',
      { subject: 'A question' },
      'email|olena@example.com',
    );
    await settled(1);
    const [issue] = far.issues;
    assert.doesNotMatch(JSON.stringify(issue!.request), /evil|color/);
    assert.match(textIn(issue!.fields.description), /^#1001 .* \[here\|https:\/\/evil\.example\] \{color:red\}\*x\*$/);
    assert.deepEqual(issue!.properties, { tributary: { ticket: id } });
    assert.deepEqual([issue!.fields.labels, issue!.fields.priority], [['tributary'], 'Medium']);
    const reporter = far.people.find(({ accountId }) => accountId === issue!.fields.reporter);
    assert.deepEqual([reporter!.emailAddress, reporter!.accountType], ['olena@example.com', 'customer']);
    assert.equal((await out.store.read.ticket(id))!.links[0]!.url, `${far.root}/browse/SUP-1`);
  });

  it('leaves out what is not on the screen of the project, and says so', async () => {
    far.offScreen.push('labels', 'priority');
    await write('one');
    await settled(1);
    assert.deepEqual([far.issues[0]!.fields.labels, Object.keys(far.issues[0]!.properties)], [[], ['tributary']]);
    assert.match(textIn(far.issues[0]!.fields.description), /one$/);
  });

  describe('and the customer', () => {
    it('is found by the address that a platform carries', async () => {
      far.people.push({
        accountId: 'acc-o',
        displayName: 'O',
        accountType: 'customer',
        emailAddress: 'olena@example.com',
      });
      far.people.push({
        accountId: 'acc-x',
        displayName: 'X',
        accountType: 'customer',
        emailAddress: 'olena@example.com.test',
      });
      far.people.reverse();
      await write('one', {}, 'email|olena@example.com');
      await settled(1);
      assert.equal(far.issues[0]!.fields.reporter, 'acc-o');
    });

    it('is nobody there by an address that was only typed, or one that Jira hides', async () => {
      await write('one', {}, 'email|olena@example.com|claimed');
      await settled(1);
      far.end('POST /rest/servicedeskapi/customer', { http: 400 });
      await write('two', {}, 'email|hidden@example.com');
      await settled(2);
      assert.deepEqual(
        far.issues.map(({ fields }) => fields.reporter),
        [GATEWAY, GATEWAY],
      );
    });
  });

  describe('whose answer was lost', () => {
    it('is asked for what it began, which is completed and not made again', async () => {
      far.end(RAISE, 'lost');
      await write('one');
      await write('two');
      await out.until(() => far.issues.length > 0);
      await out.pass(6 * SECOND);
      await settled(2);
      assert.deepEqual(comments(), [1]);
      assert.deepEqual(Object.keys(far.issues[0]!.properties), ['tributary']);
    });

    it('brings no file twice where it was completed in the second try', async () => {
      out.addChannel('chat', { download: async () => Readable.from(['bytes']) });
      far.end(EDIT, 'cut');
      await write('one', { attachments: [{ id: 'a', name: 'a.txt', mediaType: 'text/plain' }] });
      await out.until(() => far.issues.length > 0 && far.issues[0]!.files.length > 0);
      await out.pass(6 * SECOND);
      await out.until(() => far.issues[0]!.fields.labels.length > 0);
      assert.deepEqual([far.issues.length, far.issues[0]!.files.length], [1, 1]);
      assert.match(textIn(far.issues[0]!.fields.description), /Attached: a\.txt$/);
    });

    it('is taken for done where all had arrived', async () => {
      far.end(EDIT, 'lost');
      await write('one');
      await out.until(() => far.issues.length > 0);
      await out.pass(6 * SECOND);
      await settled(1);
      assert.deepEqual([far.issues.length, far.issues[0]!.fields.labels], [1, ['tributary']]);
    });

    it('is found among the newest however much was raised since, and nothing is raised where it can not be looked for', async () => {
      const id = await write('one');
      await settled(1);
      const ticket = (await out.store.read.ticket(id))!;
      const [ours] = far.issues;
      const others = Array.from({ length: 5000 }, (_, index) => ({
        ...ours!,
        id: `${50_000 + index}`,
        key: `SUP-${50_000 + index}`,
        properties: { tributary: { ticket: `tkt_${index}` } },
      }));
      far.issues.unshift(...others.map((other) => ({ ...other, created: ours!.created - SECOND })));
      assert.equal((await destination.findTicket!(ticket))!.externalId, ours!.id);
      far.issues.splice(0, 5000, ...others.map((other) => ({ ...other, created: ours!.created + SECOND })));
      await out.pass(2 * SECOND);
      await assert.rejects(destination.findTicket!(ticket), UncertainError);
      await assert.rejects(destination.createTicket!({ ticket } as Delivery), UncertainError);
      assert.equal(far.issues.length, 5001);
    }).timeout(20_000);

    it('is asked for a comment too, and gets one that had not arrived', async () => {
      await write('one');
      await settled(1);
      far.end(COMMENT, 'lost');
      await write('two');
      await out.pass(10 * SECOND);
      await settled(2);
      far.end(COMMENT, 'cut');
      await write('three');
      await out.pass(10 * SECOND);
      await settled(3);
      assert.deepEqual(comments(), [2]);
    });

    it('gives up what it refuses, and goes on with the next', async () => {
      await write('one');
      await settled(1);
      far.end(COMMENT, { http: 400, body: { errorMessages: ['no'], errors: {} } });
      await write('two');
      await write('three');
      await settled(2);
      assert.match((await out.error('jira'))!, /400/);
      assert.deepEqual(comments(), [1]);
    });
  });

  it('is spared as long as it says, in each way that it says so', async () => {
    const at = new Date(out.clock.now() + 90 * SECOND).toISOString();
    const ways: Ending[] = [
      { http: 429, headers: { 'retry-after': '90' } },
      { http: 503, headers: { 'retry-after': '90' } },
      { http: 429, headers: { 'x-ratelimit-reset': at } },
      { http: 503, headers: { 'x-ratelimit-reset': at } },
    ];
    for (const way of ways) {
      far.end('GET /rest/api/3/myself', way);
      await assert.rejects(open().test!(), (error) => {
        assert.ok(error instanceof RateLimitedError);
        assert.equal(error.retryAfterMs, 90 * SECOND);
        return true;
      });
    }
    // Seconds, or whatever others mean by it.
    far.end('GET /rest/api/3/myself', { http: 429, headers: { 'x-ratelimit-reset': '1795600000' } });
    await assert.rejects(open().test!(), (error) => (error as RateLimitedError).retryAfterMs === undefined);
  });

  it('names a file that is refused, with a link, and carries the message in public', async () => {
    await write('one');
    await settled(1);
    out.addChannel('chat', { download: async () => Readable.from(['bytes']) });
    far.end('POST /rest/api/3/issue/{id}/attachments', { http: 413 });
    await write('two', { attachments: [{ id: 'a', name: 'a.txt', mediaType: 'text/plain' }] });
    await out.until(() => far.issues[0]!.comments.length > 0);
    const [comment] = far.comments(far.issues[0]!);
    assert.match(comment!, /^Gateway: .*two .*a\.txt .* is not attached: Jira did not take it/);
  });

  it('moves a request by the transition that leads there, and says where none does', async () => {
    await write('one');
    await settled(1);
    const ref = { externalId: far.issues[0]!.id };
    const ticket = {} as never;
    await destination.update!(ref, { id: 'u', ticket, status: 'solved', priority: 'urgent' });
    assert.deepEqual([far.issues[0]!.fields.status, far.issues[0]!.fields.priority], ['Resolved', 'Highest']);
    const moves = () =>
      far.calls.filter(({ method, path }) => method === 'POST' && path.endsWith('/transitions')).length;
    const before = far.calls.length;
    await destination.update!(ref, { id: 'u', ticket, status: 'solved', priority: 'urgent' });
    assert.deepEqual([moves(), far.calls.length - before], [1, 1]);
    far.move(far.issues[0]!, 'Escalated');
    await destination.update!(ref, { id: 'u', ticket, status: 'open' });
    assert.deepEqual([moves(), far.issues[0]!.fields.status], [1, 'Escalated']);
    far.move(far.issues[0]!, 'Resolved');
    const other = open({ statuses: { pending: 'Parked' } });
    await assert.rejects(
      other.update!(ref, { id: 'u', ticket, status: 'pending' }),
      /no transition leads from Resolved to Parked/,
    );
  });

  it('writes a field where its kind wants it, and fails only the ticket whose mapping gives nonsense', async () => {
    const fields = {
      customfield_1: '/ticket/subject',
      'customfield_2.value': { value: 'A' },
      'customfield_3.number': '/ticket/number',
    };
    out.addDestination('jira', open({ fields }));
    await write('one');
    await settled(1);
    const values = far.issues[0]!.request['requestFieldValues'] as Record<string, unknown>;
    assert.deepEqual([values['customfield_2'], values['customfield_3']], [{ value: 'A' }, 1001]);
    assert.equal(typeof values['customfield_1'], 'string');
    out.addDestination('jira', open({ fields: { 'customfield_3.number': { value: 'many' } } }));
    await write('two', {}, 'telegram|2');
    await out.pass(2 * SECOND);
    assert.match((await out.error('jira'))!, /gives customfield_3\.number the value "many", not a number/);
    assert.throws(() => open({ fields: { summary: '/ticket/subject' } }));
  });

  describe('asked what changed', () => {
    async function poll(cursor?: string, on = destination) {
      const { items, cursor: next } = await on.poll!(cursor, NEVER);
      const all: ActionInput[][] = [];
      for (const { body } of items) all.push(await on.normalize!(payload(body)));
      return { actions: all.flat(), cursor: next };
    }
    const payload = (body: Buffer, method = 'POLL'): Payload => ({
      endpointId: 'jira',
      receivedAt: out.clock.now(),
      method,
      url: '',
      headers: {},
      body,
    });
    const kinds = ({ actions }: { actions: ActionInput[] }) => actions.map(({ kind }) => kind);
    let cursor: string;
    const issue = () => far.issues[0]!;
    beforeEach(async () => {
      cursor = (await poll()).cursor;
      await write('one', {}, 'email|olena@example.com');
      await settled(1);
      await out.pass(15 * SECOND);
    });

    it('tells what agents said and did, with their names and files, and of ours only that it is', async () => {
      await write('two', {}, 'email|olena@example.com');
      await settled(2);
      await out.pass(SECOND);
      far.say(issue(), 'Tomorrow,\nat noon.', { files: ['a.txt'] });
      await out.pass(SECOND);
      far.move(issue(), 'Waiting for customer');
      far.move(issue(), 'Closed', GATEWAY);
      await out.pass(SECOND);
      far.say(issue(), 'A regular.', { internal: true });
      const { actions } = await poll(cursor);
      const at = out.clock.now();
      const common = { ticket: issue().id, agent: 'Ivan' };
      const [, reply, note] = issue().comments;
      const ours = actions.filter(({ kind }) => kind === 'ignored') as { reason: string }[];
      assert.deepEqual(
        ours.map(({ reason }) => reason),
        ['ours', 'ours'],
      );
      const attachments = [{ id: issue().files[0]!.id, name: 'a.txt', mediaType: 'text/plain', size: 8 }];
      const [said, moved, noted] = actions.filter(({ kind }) => kind !== 'ignored');
      const answer = { kind: 'reply', id: `comment:${reply!.id}`, at: at - 2 * SECOND, ...common };
      assert.deepEqual(said, { ...answer, text: 'Tomorrow,\nat noon.', attachments });
      const change = { kind: 'status', id: `change:${issue().changes[0]!.id}`, at: at - SECOND, ...common };
      assert.deepEqual(moved, { ...change, status: 'pending' });
      assert.deepEqual(noted, {
        kind: 'note',
        id: `comment:${note!.id}`,
        at,
        ...common,
        text: 'A regular.',
        attachments: [],
      });
      const stream = await destination.download!(attachments[0]!, payload(Buffer.alloc(0)));
      assert.equal(await textOf(stream), 'of a.txt');
    });

    it('tells each of it once, also what came within the same second or shows late, and rests', async () => {
      far.say(issue(), 'a');
      const one = await poll(cursor);
      far.say(issue(), 'b');
      const two = await poll(one.cursor);
      far.indexedUntil = out.clock.now();
      await out.pass(20 * SECOND);
      far.say(issue(), 'c');
      const three = await poll(two.cursor);
      far.indexedUntil = Infinity;
      const four = await poll(three.cursor);
      assert.deepEqual([kinds(one), kinds(two), kinds(three), kinds(four)], [['reply'], ['reply'], [], ['reply']]);
      await out.pass(30 * SECOND);
      const five = await poll(four.cursor);
      const before = far.calls.length;
      const six = await poll(five.cursor);
      assert.deepEqual([kinds(five), kinds(six), far.calls.length - before], [[], [], 1]);
    });

    it('tells what was missed for days, however much there is', async () => {
      await out.pass(72 * HOUR, 24 * HOUR);
      for (let i = 0; i < 250; i++) far.say(issue(), `${i}`);
      for (let i = 0; i < 120; i++) far.move(issue(), i % 2 ? 'Resolved' : 'In progress');
      const all = kinds(await poll(cursor));
      assert.equal(all.filter((kind) => kind === 'reply').length, 250);
      assert.equal(all.filter((kind) => kind === 'status').length, 120);
    });

    it('leaves out customers, whoever they are, and hears an agent who shares our account', async () => {
      far.people.push({ accountId: 'acc-p', displayName: 'P', accountType: 'customer' });
      far.people.push({ accountId: 'acc-r', displayName: 'R', accountType: 'atlassian' });
      (issue().fields as { reporter: string }).reporter = 'acc-r';
      for (const by of ['acc-p', 'acc-r']) far.say(issue(), 'from the portal', { by });
      far.say(issue(), 'by hand', { by: GATEWAY });
      assert.deepEqual(kinds(await poll(cursor)), ['ignored', 'ignored', 'reply']);
    });

    it('passes over requests that are not ours, a deleted one, and a status that it was told nothing of', async () => {
      far.issues.push({ ...issue(), id: '77777', key: 'SUP-77', properties: {}, comments: [], changes: [] });
      far.say(far.issues[1]!, 'of others');
      far.move(issue(), 'Parked');
      assert.deepEqual((await poll(cursor)).actions, [
        { kind: 'ignored', name: 'status Parked', reason: 'none of ours is called that: see `statuses`' },
      ]);
      far.say(issue(), 'x');
      far.end('GET /rest/api/3/issue/{id}/comment', { http: 404 });
      far.end('GET /rest/api/3/issue/{id}/changelog', { http: 404 });
      assert.deepEqual((await poll(cursor)).actions, []);
    });

    it('reads what an agent writes with lists, links, mentions and cards', async () => {
      const link = { type: 'text', text: 'here', marks: [{ type: 'link', attrs: { href: 'https://shop.example/1' } }] };
      const item = { type: 'listItem', content: [{ type: 'paragraph', content: [{ type: 'text', text: 'one' }] }] };
      const card = { type: 'inlineCard', attrs: { url: 'https://shop.example/2' } };
      const content = [
        { type: 'paragraph', content: [{ type: 'mention', attrs: { text: '@Olena' } }, { type: 'hardBreak' }, link] },
        { type: 'bulletList', content: [item, item] },
        { type: 'paragraph', content: [card, { type: 'emoji', attrs: { shortName: ':)' } }] },
      ];
      far.say(issue(), { type: 'doc', version: 1, content });
      const [said] = (await poll(cursor)).actions as { text: string }[];
      assert.equal(said!.text, '@Olena\nhere (https://shop.example/1)\n- one\n- one\nhttps://shop.example/2:)');
    });

    it('is woken by what is signed about its project', () => {
      const wake = (body: unknown) =>
        (destination.normalize!(payload(Buffer.from(JSON.stringify(body)), 'POST')) as ActionInput[])[0]!.kind;
      assert.equal(wake({ webhookEvent: 'comment_created', issue: { key: 'SUP-1' } }), 'wake');
      assert.equal(wake({ anything: 'else' }), 'wake');
      assert.equal(wake({ webhookEvent: 'comment_created', issue: { key: 'SUPPORT-1' } }), 'ignored');
    });
  });

  it('says who the token is, and what its request type lacks', async () => {
    assert.equal(await destination.test!(), `${new URL(far.root).host} knows the token as Gateway`);
    await assert.rejects(open({ apiToken: 'wrong' }).test!(), AuthExpiredError);
    far.form.push({ fieldId: 'customfield_9', name: 'Product', required: true });
    await assert.rejects(destination.test!(), /requires Product \(customfield_9\)/);
    assert.match(await open({ fields: { 'customfield_9.value': { value: 'A' } } }).test!(), /Gateway/);
    far.form.pop();
    far.canRaise = false;
    await assert.rejects(destination.test!(), /may not raise requests for customers/);
  });

  it('shows beforehand what it would send, and sends nothing', async () => {
    const id = await write('one', {}, 'email|olena@example.com');
    await settled(1);
    const before = far.calls.length;
    const ticket = (await out.store.read.ticket(id))!;
    const said = (await out.store.read.messages(id, { limit: 1 })).data[0]!;
    const customer = (await out.store.read.customer(ticket.customer.id))!;
    const about: Delivery = {
      id: 'x',
      ticket,
      customer,
      message: said,
      transcript: [],
      open: async () => Promise.reject(new Error()),
    };
    const { method, url, body } = await destination.preview!(about);
    assert.deepEqual([method, url], ['POST', `${far.root}/rest/servicedeskapi/request`]);
    assert.match(JSON.stringify(body), /"serviceDeskId":"4".*"raiseOnBehalfOf":"\(olena@example\.com\)".*one/);
    assert.equal(far.calls.length, before);
  });

  describe('its webhook', () => {
    const request = (signature: string | undefined, body = '{}'): WebhookRequest => ({
      endpointId: 'j',
      receivedAt: 0,
      method: 'POST',
      url: '/',
      headers: signature === undefined ? {} : { 'x-hub-signature': signature },
      body: Buffer.from(body),
    });
    const signed = (secret = SECRET, body = '{}') => `sha256=${hmac('sha256', secret, body).toString('hex')}`;

    it('is believed when it is signed', () => {
      void destination.webhook!.verify(request(signed()));
    });

    it('is refused without a signature, with another secret, another body or another method', () => {
      const wrong = [
        undefined,
        '',
        'sha256=',
        signed('x'),
        signed(SECRET, '{ }'),
        signed().replace('sha256', 'sha1'),
        signed().slice(7),
      ];
      for (const signature of wrong)
        assert.throws(() => void destination.webhook!.verify(request(signature)), BadPayloadError, String(signature));
    });

    it('agrees with the sample that Atlassian publishes', function () {
      skipUnless(this, existsSync(VECTORS), 'the collected signatures are not beside the repository');
      const all = JSON.parse(readFileSync(VECTORS, 'utf8')) as {
        vendor: string;
        secret: string;
        body: string;
        signature: string;
      }[];
      const { secret, body, signature } = all.find(({ vendor }) => vendor.includes('Jira'))!;
      void open({ webhookSecret: secret }).webhook!.verify(request(signature, body));
    });

    it('is not there without the secret, and then it is asked more often', () => {
      const alone = open({ webhookSecret: undefined });
      assert.equal(alone.webhook, undefined);
      assert.ok(alone.pollEveryMs! < destination.pollEveryMs!);
    });
  });
});
