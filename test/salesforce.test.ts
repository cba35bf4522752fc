import assert from 'node:assert/strict';
import { generateKeyPairSync, verify } from 'node:crypto';
import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import type { Http, HttpRequest } from '../src/core/connector.ts';
import type { Delivery, Destination } from '../src/core/destination.ts';
import { AuthExpiredError, PermanentError, RateLimitedError, RetryableError } from '../src/core/errors.ts';
import { soqlText } from '../src/dispatch/salesforce/api.ts';
import { salesforce } from '../src/dispatch/salesforce/salesforce.ts';
import { fakeContext } from './fakes/context.ts';
import { openDestinationDesk, type DestinationDesk } from './fakes/destination-desk.ts';
import { message } from './fakes/filing.ts';
import type { Outgoing } from './fakes/outgoing.ts';
import { CLIENT_ID, CLIENT_SECRET, GATEWAY, IVAN, startSalesforce, USERNAME } from './fakes/salesforce.ts';
import type { FakeSalesforce } from './fakes/salesforce.ts';
import { readSoql } from './fakes/soql.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

describe('Salesforce as a destination', () => {
  let far: FakeSalesforce;
  let desk: DestinationDesk;
  let out: Outgoing;
  beforeEach(async () => {
    far = await startSalesforce();
    const fields = { Order__c: '/ticket/number' };
    const settings = { apiRoot: far.root, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, fields };
    desk = await openDestinationDesk(salesforce, 'salesforce', settings);
    ({ out } = desk);
    far.now = () => out.clock.now();
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const cases = () => far.rows('Case');
  const called = (name: string) => far.calls.filter((each) => each.name === name);
  const said = () => cases().map(({ Id }) => far.said(Id).length);
  const CREATE = 'PATCH Case';
  const COMMENT = 'POST CaseComment';
  const FILE = [{ id: 'a', name: 'a.txt', mediaType: 'text/plain' }];
  const withFiles = () => out.addChannel('chat', { download: async () => Readable.from(['bytes']) });

  async function delivery(id: string): Promise<Delivery> {
    const ticket = (await out.store.read.ticket(id))!;
    const [first] = (await out.store.read.messages(id, { limit: 1 })).data;
    const customer = (await out.store.read.customer(ticket.customer.id))!;
    return { id: 'x', ticket, customer, message: first!, transcript: [], open: async () => Readable.from([]) };
  }

  describe('whose answer was lost', () => {
    it('is asked for the case by our id, which is not made again', async () => {
      far.end(CREATE, 'lost');
      await desk.write('one');
      await desk.write('two');
      await out.until(() => cases().length > 0);
      await out.pass(6 * SECOND);
      await desk.settled(2);
      assert.deepEqual([said(), called(CREATE).length], [[1], 1]);
    });

    it('makes it when nothing had arrived', async () => {
      far.end(CREATE, 'cut', 'cut');
      await desk.write('one');
      await out.pass(60 * SECOND);
      await desk.settled(1);
      assert.equal(cases().length, 1);
    });

    it('writes the same case again, and makes no second one, where nobody asked', async () => {
      const id = await desk.write('one');
      await desk.settled(1);
      const again = await desk.destination.createTicket!(await delivery(id));
      assert.deepEqual([again.externalId, cases().length], [cases()[0]!.Id, 1]);
    });

    it('stops where several cases have our id', async () => {
      const id = await desk.write('one');
      await desk.settled(1);
      cases().push({ ...cases()[0]!, Id: '500000000000999AAA' });
      const ticket = (await out.store.read.ticket(id))!;
      await assert.rejects(desk.destination.findTicket!(ticket), (error) => {
        assert.ok(error instanceof PermanentError);
        return error.message.startsWith('several records have our id');
      });
    });

    it('is asked for a message too, however many others wrote meanwhile', async () => {
      await desk.write('one');
      await desk.settled(1);
      for (let i = 0; i < 450; i++) far.comment(cases()[0]!.Id, 'busy');
      far.end(COMMENT, 'lost');
      await desk.write('two');
      await out.pass(10 * SECOND);
      await desk.settled(2);
      assert.deepEqual([said(), called(COMMENT).length], [[451], 1]);
    });

    it('gets a message that had not arrived, also where an agent quotes it', async () => {
      await desk.write('one');
      await desk.settled(1);
      far.end(COMMENT, 'cut');
      await desk.write('two');
      await out.until(() => called(COMMENT).length > 0);
      far.comment(cases()[0]!.Id, (called(COMMENT)[0]!.body as { CommentBody: string }).CommentBody);
      await out.pass(10 * SECOND);
      await desk.settled(2);
      assert.deepEqual(said(), [2]);
    });

    it('has files and words together, and neither twice', async () => {
      withFiles();
      far.end('POST composite', 'lost');
      await out.file(message('telegram|1', { text: 'see this', attachments: FILE }));
      await out.until(() => cases().length > 0);
      await out.pass(10 * SECOND);
      far.end('POST composite', 'lost');
      await out.file(message('telegram|1', { text: 'and this', attachments: FILE }));
      await out.until(() => said()[0] === 1);
      await out.pass(10 * SECOND);
      assert.deepEqual([said(), far.rows('ContentVersion').length, called('POST composite').length], [[1], 2, 2]);
    });
  });

  describe('its session', () => {
    it('is asked for once by all that wait, and for another when it is refused', async () => {
      await Promise.all([desk.destination.test!(), desk.destination.test!(), desk.destination.test!()]);
      assert.equal(called('POST token').length, 1);
      for (const token of far.tokens.keys()) far.tokens.set(token, false);
      await Promise.all([desk.destination.test!(), desk.destination.test!()]);
      assert.equal(called('POST token').length, 2);
    });

    it('is not given to a wrong application, which a person must correct', async () => {
      const wrong = desk.open({ clientSecret: 'another-consumer-secret' }).test!();
      await assert.rejects(wrong, (error: AuthExpiredError) => {
        assert.ok(error instanceof AuthExpiredError);
        assert.match(error.message, /invalid_client/);
        return error.response === undefined;
      });
    });

    it('shows its secret nowhere, not even where an answer quotes it', async () => {
      far.end('POST token', { http: 400, body: { said: `client_secret=${CLIENT_SECRET}` } });
      await assert.rejects(desk.destination.test!(), (error: PermanentError) => {
        assert.match(error.response!.text, /client_secret=\[secret\]/);
        return !inspect(error).includes(CLIENT_SECRET);
      });
    });

    it('is none where the answer does not say whose it is', async () => {
      const body = { access_token: 'x', instance_url: far.root, id: 'https://login.salesforce.com/id/' };
      far.end('POST token', { http: 200, body });
      await assert.rejects(desk.destination.test!(), /without an access token/);
    });

    it('rests after too many logins', async () => {
      far.end('POST token', { http: 400, body: { error: 'rate_limit_exceeded' } });
      await assert.rejects(desk.destination.test!(), (error: RateLimitedError) => error.retryAfterMs === 10 * MINUTE);
    });

    /** What is asked, of whom, where the organisation is said to be at an address. */
    async function askedAt(instance: string): Promise<string[]> {
      const asked: string[] = [];
      const send: Http['send'] = async ({ url, headers }: HttpRequest) => {
        asked.push(`${url.split('?', 1)[0]} ${headers?.['authorization'] ?? ''}`.trim());
        const json = url.endsWith('/token')
          ? {
              access_token: 'secret-token',
              instance_url: instance,
              id: `https://login.salesforce.com/id/00D/${GATEWAY}`,
            }
          : { Id: '500000000000001AAA' };
        return { status: 200, headers: {}, text: '', json };
      };
      const settings = { apiRoot: 'https://acme.example.com/proxy', clientId: 'x', clientSecret: 'y' };
      const context = fakeContext({ id: 'x', clock: out.clock, http: { send } as unknown as Http });
      const destination = salesforce.open(salesforce.config.parse(settings), context) as Destination;
      const { ticket } = await delivery(await desk.write('one'));
      await destination.findTicket!({ ...ticket, id: 'tkt_1' }).catch((error: unknown) => asked.push(String(error)));
      return asked.slice(1);
    }

    it('takes its token to the address of the configuration, or to one of Salesforce, and nowhere else', async () => {
      const path = '/services/data/v62.0/sobjects/Case/Tributary_Id__c/tkt_1 Bearer secret-token';
      assert.deepEqual(await askedAt('https://acme.example.com'), [`https://acme.example.com/proxy${path}`]);
      assert.deepEqual(await askedAt('https://acme.my.salesforce.com'), [`https://acme.my.salesforce.com${path}`]);
      for (const other of [
        'https://evil.example.com',
        'http://acme.my.salesforce.com',
        'https://acme.my.salesforce.com.evil.example',
        'https://evilsalesforce.com',
      ]) {
        const [error, ...more] = await askedAt(other);
        assert.match(error!, /AuthExpiredError: the organisation is said to be at .* not Salesforce's/, other);
        assert.deepEqual(more, [], other);
      }
    });

    it('is signed for with a key instead, where there is one', async () => {
      const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      const pem = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
      const given = { clientSecret: undefined, username: USERNAME, privateKey: pem };
      await desk.open({ ...given, audience: 'https://test.salesforce.com' }).test!();
      const { headers } = called('POST token')[0]!;
      assert.equal(headers['content-type'], 'application/x-www-form-urlencoded');
      const form = new URLSearchParams(called('POST token')[0]!.body as string);
      assert.equal(form.get('grant_type'), 'urn:ietf:params:oauth:grant-type:jwt-bearer');
      const [header = '', claims = '', signature = ''] = form.get('assertion')!.split('.');
      const exp = Math.floor(out.clock.now() / 1000) + 180;
      const expected = { iss: CLIENT_ID, sub: USERNAME, aud: 'https://test.salesforce.com', exp };
      assert.deepEqual(JSON.parse(String(Buffer.from(claims, 'base64url'))), expected);
      const signed = Buffer.from(`${header}.${claims}`);
      assert.ok(verify('sha256', signed, publicKey, Buffer.from(signature, 'base64url')));
    });
  });

  describe('what it says in its own words', () => {
    const refusal = (errorCode: string, text = '') => ({ body: [{ errorCode, message: text }] });

    for (const [text, ms] of [
      ['TotalRequests Limit exceeded.', 15 * MINUTE],
      ['ConcurrentRequests (Concurrent API Requests) Limit exceeded.', 10 * SECOND],
    ] as const) {
      it(`is heeded: ${text}`, async () => {
        far.end('GET Case', { http: 403, ...refusal('REQUEST_LIMIT_EXCEEDED', text) });
        await assert.rejects(desk.destination.test!(), (error: RateLimitedError) => {
          assert.ok(error instanceof RateLimitedError);
          return error.retryAfterMs === ms;
        });
      });
    }

    it('is tried again while somebody else writes the same record, alone and among others', async () => {
      withFiles();
      await desk.write('one');
      await desk.settled(1);
      const locked = { errorCode: 'UNABLE_TO_LOCK_ROW', message: 'unable to obtain exclusive access', fields: [] };
      let times = 2;
      far.rule = () => (times-- > 0 ? locked : undefined);
      await desk.write('two');
      await out.pass(MINUTE);
      await desk.settled(2);
      times = 2;
      far.rule = (object) => (object === 'ContentDocumentLink' && times-- > 0 ? locked : undefined);
      await out.file(message('telegram|1', { text: 'three', attachments: FILE }));
      await out.until(() => called('POST composite').length > 0);
      await out.pass(MINUTE);
      await out.until(() => said()[0] === 2);
      assert.deepEqual([far.rows('ContentVersion').length, times < 0], [1, true]);
    });

    it('is final where a rule refuses, says which, and holds up nothing', async () => {
      await desk.write('one');
      await desk.settled(1);
      far.rule = (_object, { CommentBody }) =>
        String(CommentBody).includes('two') && !String(CommentBody).includes('three')
          ? {
              errorCode: 'FIELD_CUSTOM_VALIDATION_EXCEPTION',
              message: 'No comments on Mondays',
              fields: ['CommentBody'],
            }
          : undefined;
      await desk.write('two');
      await desk.write('three');
      await desk.settled(2);
      assert.match(
        (await out.error('salesforce'))!,
        /FIELD_CUSTOM_VALIDATION_EXCEPTION: No comments on Mondays \(CommentBody\)/,
      );
    });

    it('is not believed when it does not say what it made', async () => {
      far.end(CREATE, { http: 200, body: { id: '35', success: true } });
      const id = await desk.write('one');
      await out.until(() => called(CREATE).length === 1);
      await out.pass(SECOND);
      assert.deepEqual((await out.store.read.ticket(id))!.links, []);
    });
  });

  describe('its files', () => {
    const links = () => far.rows('ContentDocumentLink').map(({ Visibility }) => Visibility);

    it('hang on the case, seen by customers unless they are inside', async () => {
      withFiles();
      const [filed] = await out.file(message('telegram|1', { text: 'see', attachments: FILE }));
      await out.until(() => links().length === 1);
      const about = await delivery(filed!.ticketId!);
      const attachments = about.message.attachments;
      const note = { ...about.message, id: 'msg_9', kind: 'note' as const, direction: 'outbound' as const };
      const failed = {
        ...note,
        kind: 'message' as const,
        id: 'msg_8',
        delivery: { state: 'failed' as const, error: 'x' },
      };
      const open = async () => Readable.from(['bytes']);
      for (const each of [note, failed]) {
        await desk.destination.addMessage!({ externalId: cases()[0]!.Id }, { ...about, message: each, open });
      }
      assert.equal(attachments.length, 1);
      assert.deepEqual(links(), ['AllUsers', 'InternalUsers', 'InternalUsers']);
      assert.deepEqual(
        far.rows('CaseComment').map(({ IsPublished }) => IsPublished),
        [false, false],
      );
      assert.equal(Buffer.from(String(far.rows('ContentVersion')[0]!['VersionData']), 'base64').toString(), 'bytes');
    });

    it('are named with a link where they are too many or refused, and the words go all the same', async () => {
      withFiles();
      const many = Array.from({ length: 9 }, (_, i) => ({ ...FILE[0]!, id: `f${i}`, name: `f${i}.txt` }));
      await out.file(message('telegram|1', { text: 'see', attachments: many }));
      await out.until(() => cases().length === 1);
      assert.equal(links().length, 7);
      assert.match(String(cases()[0]!['Description']), /f8\.txt .* is not attached: more than 7 files/);
      far.rule = (object) =>
        object === 'ContentVersion' ? { errorCode: 'STORAGE_LIMIT_EXCEEDED', message: 'full' } : undefined;
      await out.file(message('telegram|1', { text: 'and this', attachments: FILE }));
      await out.until(() => said()[0] === 1);
      assert.match(far.said(cases()[0]!.Id)[0]!, /and this .*a\.txt .* is not attached: Salesforce did not take it/);
      assert.equal(links().length, 7);
    });

    it('leave the words beside them what they are, also where they look like a reference', async () => {
      withFiles();
      await out.file(message('telegram|1', { text: 'say @{file0.id} or @{x}', attachments: FILE }));
      await out.until(() => cases().length === 1);
      assert.match(String(cases()[0]!['Description']), /say @\u200b\{file0\.id\} or @\u200b\{x\}/);
    });
  });

  it('cuts long words visibly, whatever their letters take', async () => {
    await desk.write('ї'.repeat(40_000), 'telegram|1', { subject: 'x'.repeat(400) });
    await desk.settled(1);
    assert.match(String(cases()[0]!['Description']), /Cut here: \d+ more characters/);
    assert.equal(String(cases()[0]!['Subject']).length, 255);
    await desk.write('ї'.repeat(5000));
    await desk.settled(2);
    const [comment] = far.said(cases()[0]!.Id);
    assert.match(comment!, /Cut here: \d+ more characters.* https:\/\/\S+\/t\/tkt_\w+#msg_\w+\.0$/);
  });

  it('changes only what differs, without the rules that give a case to somebody', async () => {
    const id = await desk.write('one');
    await desk.settled(1);
    const ticket = (await out.store.read.ticket(id))!;
    const ref = { externalId: cases()[0]!.Id };
    const before = called(CREATE).length;
    await desk.destination.update!(ref, { id: 'u', ticket, status: 'new', priority: 'normal' });
    assert.equal(called(CREATE).length, before);
    await desk.destination.update!(ref, { id: 'u', ticket, status: 'solved', priority: 'urgent' });
    assert.deepEqual(called(CREATE).at(-1)!.body, { Status: 'Closed', Priority: 'High' });
    assert.equal(called(CREATE).at(-1)!.headers['sforce-auto-assign'], 'FALSE');
    await desk.destination.update!(ref, { id: 'u', ticket, status: 'closed', priority: 'high' });
    assert.equal(called(CREATE).length, before + 1);
    far.setStatus(ref.externalId, 'Escalated', IVAN);
    await desk.destination.update!(ref, { id: 'u', ticket, status: 'open' });
    assert.equal(called(CREATE).length, before + 1);
  });

  it('leaves a new case to its rules, unless the mapping gives it to somebody', async () => {
    await desk.write('one');
    await desk.settled(1);
    desk.use({ fields: { OwnerId: { value: IVAN }, Origin: '/ticket/channel/type' } });
    await desk.write('two', 'telegram|2');
    await desk.settled(2);
    const rules = called(CREATE).map(({ headers }) => headers['sforce-auto-assign']);
    assert.deepEqual(rules, ['TRUE', 'FALSE']);
    assert.deepEqual([cases()[0]!['Origin'], cases()[1]!['Origin'], cases()[1]!['OwnerId']], ['Web', 'test', IVAN]);
  });

  it('says who it is, and what is missing before the first case', async () => {
    assert.match(await desk.destination.test!(), /^127\.0\.0\.1:\d+ takes cases from user 005000000000001AAA$/);
    await assert.rejects(desk.open({ fields: { Missing__c: '/ticket/number' } }).test!(), /no field Missing__c/);
    await assert.rejects(desk.open({ statuses: { open: 'In Work' } }).test!(), /no Status In Work/);
    await assert.rejects(desk.open({ idField: 'Other__c' }).test!(), /Other__c of Case is missing/);
    const { describe: all } = far;
    far.describe = (object) => all(object).map((field) => ({ ...field, unique: object === 'Case' }));
    await assert.rejects(
      desk.destination.test!(),
      /Tributary_Id__c of Contact is not an external ID with unique values/,
    );
  });

  it('shows beforehand what it would send', async () => {
    const id = await desk.write('one');
    await desk.settled(1);
    const count = far.calls.length;
    const shown = await desk.destination.preview!(await delivery(id));
    assert.deepEqual(
      [shown.method, shown.url],
      ['PATCH', `${far.root}/services/data/v62.0/sobjects/Case/Tributary_Id__c/${id}`],
    );
    assert.equal((shown.body as { Subject: string }).Subject, 'one');
    assert.equal(far.calls.length, count);
  });

  it('takes only settings that can be', () => {
    for (const wrong of [
      { fields: { Subject: '/ticket/number' } },
      { fields: { "Id = '": '/ticket/number' } },
      { idField: 'Id' },
      { idField: "X__c = 'a' OR X__c" },
      { webhookToken: 'short' },
      { privateKey: 'no key', username: USERNAME, clientSecret: undefined },
      { username: USERNAME },
      { clientSecret: undefined },
      { apiRoot: 'ftp://acme.example.com' },
    ]) {
      assert.throws(() => desk.open(wrong), inspect(wrong));
    }
  });

  it('switches itself off where the version of the API is gone', async () => {
    far.end('GET Case', { http: 410, body: [{ errorCode: 'UNSUPPORTED_API_VERSION', message: 'retired' }] });
    await assert.rejects(desk.destination.test!(), (error: PermanentError) => error.gone);
  });

  it('asks for exactly the words that it is given, whatever they hold', () => {
    for (const words of ["o'neil", "\\' OR Id != '", 'a\\', 'a\nb', "'"]) {
      const { matches } = readSoql(`SELECT Id FROM Contact WHERE Email = ${soqlText(words)}`);
      assert.ok(
        matches(() => words),
        words,
      );
      assert.doesNotMatch(soqlText(words), /[\r\n]/);
    }
  });

  it('is retryable while it is busy', async () => {
    far.end('GET Case', { http: 400, body: [{ errorCode: 'QUERY_TIMEOUT', message: 'too long' }] });
    await assert.rejects(desk.destination.test!(), RetryableError);
    // Whatever it says besides: its own trouble is no refusal.
    far.end('GET Case', { http: 500, body: [{ errorCode: 'UNKNOWN_EXCEPTION', message: 'oops' }] });
    await assert.rejects(desk.destination.test!(), RetryableError);
  });

  it('keeps the priority that agents gave it, where ours is called that too', async () => {
    desk.use({ priorities: { high: ['High', 'Critical'] } });
    const id = await desk.write('one');
    await desk.settled(1);
    const ticket = (await out.store.read.ticket(id))!;
    cases()[0]!['Priority'] = 'Critical';
    const before = called(CREATE).length;
    await desk.destination.update!({ externalId: cases()[0]!.Id }, { id: 'u', ticket, priority: 'high' });
    assert.equal(called(CREATE).length, before);
  });
});
