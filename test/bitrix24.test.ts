import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import {
  AuthExpiredError,
  BadPayloadError,
  PermanentError,
  RateLimitedError,
  RetryableError,
} from '../src/core/errors.ts';
import type { Payload, WebhookRequest } from '../src/core/payload.ts';
import { bitrix24 } from '../src/dispatch/bitrix24/bitrix24.ts';
import { answerIn, markIn, toText } from '../src/dispatch/bitrix24/comments.ts';
import { isBitrix24Described, readBitrix24 } from './fakes/bitrix24-description.ts';
import type { Bitrix24Description } from './fakes/bitrix24-description.ts';
import { openBitrix24Desk, type Bitrix24Desk } from './fakes/bitrix24-desk.ts';
import { ANNA, APPLICATION_TOKEN, CODE, GATEWAY, IVAN } from './fakes/bitrix24.ts';
import type { FakeBitrix24 } from './fakes/bitrix24.ts';
import { message } from './fakes/filing.ts';
import type { Outgoing } from './fakes/outgoing.ts';
import { skipUnless } from './skip.ts';

const SECOND = 1000;
const DAY = 24 * 3600 * SECOND;
const NEVER = new AbortController().signal;

describe('Bitrix24 as a destination', () => {
  let description: Bitrix24Description | undefined;
  let desk: Bitrix24Desk;
  let far: FakeBitrix24;
  let out: Outgoing;
  before(() => {
    description = readBitrix24();
  });
  beforeEach(async () => {
    desk = await openBitrix24Desk(description);
    ({ far, out } = desk);
  });
  afterEach(() => desk.close());

  const PHONE = 'phone|+380671234567';
  const deal = () => far.items.deal[0]!;
  const linkOf = async (id: string) => (await out.store.read.ticket(id))!.links[0]!.externalId;

  it('makes a contact, a deal with our id, and a comment with what was written', async () => {
    desk.use({
      categoryId: 3,
      sourceId: 'WEB',
      assignedById: ANNA,
      fields: { UF_CRM_1720019876534: '/ticket/number' },
    });
    const id = await desk.write('Where is my order?', ['telegram|1', PHONE, 'email|olena@example.com']);
    await desk.settled(1);
    const [contact] = far.items.contact;
    assert.deepEqual(contact!['fm'], [
      { typeId: 'PHONE', valueType: 'WORK', value: '+380671234567' },
      { typeId: 'EMAIL', valueType: 'WORK', value: 'olena@example.com' },
    ]);
    const { title, originatorId, originId, contactId, categoryId, sourceId, assignedById } = deal();
    assert.deepEqual([title, originatorId, originId], ['Where is my order?', 'tributary-crm', id]);
    assert.deepEqual([contactId, categoryId, sourceId, assignedById], [contact!['id'], 3, 'WEB', ANNA]);
    assert.equal(deal()['UF_CRM_1720019876534'], '1001');
    assert.match(desk.said()[0]!, /Where is my order\?\n\ntributary:msg_\w+\.0$/);
    assert.equal(await linkOf(id), `D_${desk.dealId()}`);
  });

  it('takes the contact who has the number or the address already, the first of several', async () => {
    for (const id of [40, 9]) {
      far.items.contact.push({ id, fm: [{ typeId: 'PHONE', valueType: 'WORK', value: '+380671234567' }] });
    }
    await desk.write('one', ['telegram|1', PHONE]);
    await desk.settled(1);
    assert.deepEqual([deal()['contactId'], far.items.contact.length], [9, 2]);
  });

  it('makes nobody the contact whose number was only typed, and knows its own customers again', async () => {
    far.items.contact.push({ id: 9, fm: [{ typeId: 'PHONE', valueType: 'WORK', value: '+380671234567' }] });
    const id = await desk.write('one', ['telegram|1', `${PHONE}|claimed`]);
    await desk.settled(1);
    const mine = far.items.contact[1]!;
    assert.deepEqual([deal()['contactId'], 'fm' in mine], [mine['id'], false]);
    await out.desk.updateTicket(id, { status: 'closed' }, 'user:usr_1');
    await out.pass(8 * DAY, DAY);
    await desk.write('two');
    await out.until(() => far.items.deal.length === 2);
    await out.pass(SECOND);
    assert.deepEqual([far.items.contact.length, far.items.deal[1]!['contactId']], [2, mine['id']]);
  });

  it('keeps who he is in the lead itself, without a contact that nobody has checked', async () => {
    desk.use({ entity: 'lead' });
    await desk.write('one', ['telegram|1', PHONE]);
    await desk.settled(1);
    const [lead] = far.items.lead;
    assert.deepEqual(
      [far.items.contact, lead!['fm']],
      [[], [{ typeId: 'PHONE', valueType: 'WORK', value: '+380671234567' }]],
    );
    assert.equal(lead!['stageId'], 'NEW');
  });

  describe('whose answer was lost', () => {
    for (const method of ['crm.item.add', 'crm.timeline.comment.add']) {
      it(`is asked what it has: ${method}`, async () => {
        far.end(method, 'lost');
        await desk.write('one');
        await desk.write('two');
        await out.until(() => far.items.contact.length > 0);
        await out.pass(8 * SECOND);
        await desk.settled(2);
        assert.deepEqual([far.items.deal.length, desk.said().length], [1, 2]);
      });
    }

    it('gets the comment that its deal lacks', async () => {
      far.end('crm.timeline.comment.add', 'cut', 'cut');
      await desk.write('one');
      await out.until(() => far.items.deal.length > 0);
      await out.pass(60 * SECOND);
      await desk.settled(1);
      assert.deepEqual([far.items.deal.length, desk.said().length], [1, 1]);
    });

    it('is asked for a message too, however many comments came since', async () => {
      await desk.write('one');
      await desk.settled(1);
      far.end('crm.timeline.comment.add', 'lost');
      await desk.write('two');
      await out.until(() => desk.said().length === 2);
      for (let i = 0; i < 60; i++) far.act('deal', desk.dealId(), { comment: `by hand ${i}` });
      await out.pass(10 * SECOND);
      await desk.settled(2);
      assert.equal(desk.said().filter((text) => text.includes('two')).length, 1);
    });

    it('takes its mark in the words of a colleague for no message of its own', async () => {
      await desk.write('one');
      await desk.settled(1);
      const ref = { externalId: `D_${desk.dealId()}` };
      const id = (await out.store.read.tickets({}, { limit: 1 })).data[0]!.id;
      const [message] = (await out.store.read.messages(id, { limit: 1 })).data;
      const later = { ...message!, revision: 5 };
      far.act('deal', desk.dealId(), { comment: `What is this?\n\ntributary:${later.id}.5` });
      assert.equal(await desk.destination.hasMessage!(ref, later), false);
      assert.equal(await desk.destination.hasMessage!(ref, message!), true);
    });
  });

  describe('that refuses', () => {
    const test = () => desk.destination.test!();
    const cases = [
      [503, 'QUERY_LIMIT_EXCEEDED', RateLimitedError],
      [429, 'OPERATION_TIME_LIMIT', RateLimitedError],
      [503, 'OVERLOAD_LIMIT', AuthExpiredError],
      [403, 'insufficient_scope', AuthExpiredError],
      [403, 'INVALID_CREDENTIALS', AuthExpiredError],
      [401, 'NO_AUTH_FOUND', AuthExpiredError],
      [403, 'ACCESS_DENIED', PermanentError],
      [400, '', PermanentError],
      [500, 'INTERNAL_SERVER_ERROR', RetryableError],
      [200, 'QUERY_LIMIT_EXCEEDED', RateLimitedError],
      [200, 'INTERNAL_SERVER_ERROR', RetryableError],
      [200, 'SOMETHING_NEW', PermanentError],
    ] as const;
    for (const [http, error, kind] of cases) {
      it(`is understood: ${http} ${error || 'without a code'}`, async () => {
        far.end('user.get', { http, body: { error, error_description: 'in the language of the account' } });
        await assert.rejects(
          test(),
          (thrown) => thrown instanceof kind && !inspect(thrown, { depth: 9 }).includes(CODE),
        );
      });
    }

    it('says how long it wants to be spared', async () => {
      far.end('user.get', { http: 503, body: { error: 'QUERY_LIMIT_EXCEEDED' } });
      await assert.rejects(test(), { retryAfterMs: 10_000 });
      far.end('user.get', { http: 429, body: { error: 'OPERATION_TIME_LIMIT' } });
      await assert.rejects(test(), { retryAfterMs: 60_000 });
    });

    it('is spared also where it says so of one question of many', async () => {
      far.end('batch>crm.duplicate.findbycomm', { http: 429, body: { error: 'OPERATION_TIME_LIMIT' } });
      await desk.write('one', ['telegram|1', PHONE]);
      await out.pass(50 * SECOND);
      assert.equal(far.items.deal.length, 0);
      await out.pass(20 * SECOND);
      await desk.settled(1);
    });

    it('makes no deal where it does not let the contacts be seen', async () => {
      far.end('batch>crm.duplicate.findbycomm', { http: 403, body: { error: 'ACCESS_DENIED' } });
      await desk.write('one', ['telegram|1', PHONE]);
      await out.pass(5 * SECOND);
      assert.match((await out.error('crm'))!, /findbycomm was answered with an error: ACCESS_DENIED/);
      assert.equal(far.items.deal.length, 0);
    });

    it('gives up that message, and goes on with the next', async () => {
      await desk.write('one');
      await desk.settled(1);
      far.end('crm.timeline.comment.add', { http: 400, body: { error: 'OWNER_NOT_FOUND', error_description: 'x' } });
      await desk.write('two');
      await desk.write('three');
      await desk.settled(2);
      assert.equal(desk.said().length, 2);
    });
  });

  it('takes tags that a customer wrote for what they are: text', async () => {
    await desk.write('[URL=https://evil.example]your bank[/URL] [user=1]boss[/user] [*] [12]');
    await desk.settled(1);
    assert.doesNotMatch(desk.said()[0]!, /\[(url|\/url|user|\/user|\*)/i);
    assert.match(desk.said()[0]!, /\[12\]/);
    assert.match(toText(desk.said()[0]!), /\[URL=https:\/\/evil\.example\]your bank\[\/URL\]/);
  });

  it('sends files with the comment, and names those that are too many', async () => {
    const files = ['a.txt', 'huge.bin'].map((name) => ({ id: name, name, mediaType: 'text/plain' }));
    const bytes = (name: string) => (name === 'a.txt' ? ['text'] : [Buffer.alloc(21 * 1024 * 1024)]);
    out.addChannel('chat', { download: async ({ id }) => Readable.from(bytes(id)) });
    await out.file(message('telegram|1', { text: 'see this', attachments: files }));
    await out.until(() => far.items.deal.length > 0 && desk.said().length > 0);
    assert.deepEqual(
      [...far.files.values()].map(({ name, bytes: kept }) => [name, kept.toString()]),
      [['a.txt', 'text']],
    );
    assert.match(desk.said()[0]!, /huge\.bin .* is not attached: more than 20 MB in one comment/);
  }).timeout(10_000);

  it('cuts what is too long, visibly', async () => {
    await desk.write('[a'.repeat(40_000));
    await desk.settled(1);
    assert.match(desk.said()[0]!, /more characters\. The whole text: https:\/\/desk\.example\.com\/t\/tkt_/);
    assert.ok(Buffer.byteLength(desk.said()[0]!) < 64_000);
  });

  describe('mirrors the status', () => {
    async function moved(status: 'open' | 'pending' | 'solved', given: object, stage?: string): Promise<unknown> {
      desk.use(given);
      const id = await desk.write('one');
      await desk.settled(1);
      const kind = 'entity' in given ? 'lead' : 'deal';
      const [item] = far.items[kind];
      if (stage !== undefined) far.act(kind, Number(item!['id']), { stage });
      await out.desk.updateTicket(id, { status }, 'user:usr_1');
      await desk.settled(2);
      return item!['stageId'];
    }

    it('of leads as they are everywhere', async () => {
      assert.equal(await moved('solved', { entity: 'lead' }), 'PROCESSED');
    });
    it('of deals not at all', async () => {
      assert.deepEqual([await moved('solved', {}), desk.calls('crm.item.update')], ['NEW', 0]);
    });
    it('of deals where it is told to', async () => {
      assert.equal(await moved('solved', { statuses: { solved: 'C3:WON' } }), 'C3:WON');
    });
    it('not where a deal was won or lost', async () => {
      assert.equal(await moved('open', { statuses: { open: 'EXECUTING' } }, 'LOSE'), 'LOSE');
    });
    it('not where its stage means the same already', async () => {
      await moved('pending', { statuses: { pending: ['PREPARATION', 'EXECUTING'] } }, 'EXECUTING');
      assert.deepEqual([deal()['stageId'], desk.calls('crm.item.update')], ['EXECUTING', 0]);
    });
  });

  it('goes on in the deal that a lead was converted to', async () => {
    desk.use({ entity: 'lead' });
    const cursor = (await desk.destination.poll!(undefined, NEVER)).cursor;
    const id = await desk.write('one');
    await desk.settled(1);
    const lead = Number(far.items.lead[0]!['id']);
    far.act('lead', lead, { stage: 'CONVERTED' });
    far.items.deal.push({ id: 700, leadId: lead, assignedById: IVAN, stageId: 'NEW', stageSemanticId: 'P' });
    await desk.write('two');
    await desk.settled(2);
    assert.deepEqual([await linkOf(id), far.comments('lead', lead).length, desk.said(700).length], ['D_700', 1, 1]);
    assert.deepEqual([deal()['originId'], deal()['originatorId']], [id, 'tributary-crm']);
    Object.assign(deal(), { lastActivityTime: new Date(out.clock.now()).toISOString() });
    far.act('deal', 700, { comment: '>> Here' });
    const { items } = await desk.destination.poll!(cursor, NEVER);
    const told = items.map(({ body }) => JSON.parse(body.toString()) as { ref: string; comments: object[] });
    assert.deepEqual(
      told.map(({ ref, comments }) => [ref, comments.length]),
      [
        [`L_${lead}`, 0],
        ['D_700', 1],
      ],
    );
  });

  it('finds a message in the deal that a lead was converted to, where that answer was lost', async () => {
    desk.use({ entity: 'lead' });
    await desk.write('one');
    await desk.settled(1);
    const lead = Number(far.items.lead[0]!['id']);
    far.act('lead', lead, { stage: 'CONVERTED' });
    far.items.deal.push({ id: 700, leadId: lead, assignedById: IVAN, stageId: 'NEW', stageSemanticId: 'P' });
    far.end('crm.timeline.comment.add', 'lost');
    await desk.write('two');
    await out.until(() => desk.said(700).length === 1);
    await out.pass(10 * SECOND);
    await desk.settled(2);
    assert.equal(desk.said(700).length, 1);
    await desk.write('three');
    await desk.settled(3);
    assert.deepEqual([desk.said(700).length, far.comments('lead', lead).length], [2, 1]);
  });

  it('fetches no file from a place that is not Bitrix24’s', async () => {
    far.end('disk.file.get', { http: 200, body: { result: { ID: '1', DOWNLOAD_URL: 'https://files.example.com/a' } } });
    await assert.rejects(
      desk.destination.download!({ id: '1', name: 'a', mediaType: 'text/plain' }, {} as Payload),
      /files\.example\.com .* none of its own/,
    );
  });

  it('says whose webhook it is, and which field it would drop without a word', async () => {
    assert.equal(
      await desk.destination.test!(),
      'Bitrix24 knows the webhook as Gateway, and keeps conversations as deals',
    );
    const known = { sourceDescription: '/ticket/tags', UF_CRM_1720019876534: '/ticket/number' };
    await desk.open({ fields: known }).test!();
    const refused = desk.open({ fields: { ...known, createdTime: '/ticket/number', UF_CRM_1: '/ticket/number' } })
      .test!();
    await assert.rejects(refused, /no field createdTime, UF_CRM_1 that can be written/);
    await assert.rejects(desk.open({ code: 'anotherone' }).test!(), AuthExpiredError);
  });

  it('shows beforehand what it would send, without its secret, and sends nothing', async () => {
    const id = await desk.write('one', ['telegram|1', PHONE]);
    await desk.settled(1);
    const before = far.calls.length;
    const ticket = (await out.store.read.ticket(id))!;
    const first = (await out.store.read.messages(id, { limit: 1 })).data[0]!;
    const customer = (await out.store.read.customer(ticket.customer.id))!;
    const shown = await desk.destination.preview!({
      id: 'x',
      ticket,
      customer,
      message: first,
      transcript: [],
      open: async () => Readable.from([]),
    });
    assert.equal(shown.url, `${far.root}/rest/1/…/crm.item.add`);
    const { fields, comment } = shown.body as { fields: Record<string, unknown>; comment: string };
    assert.deepEqual([fields['title'], fields['contactId']], ['one', '(+380671234567)']);
    assert.match(comment, /one\n\ntributary:/);
    assert.doesNotMatch(JSON.stringify(shown), new RegExp(CODE));
    assert.equal(far.calls.length, before);
  });

  describe('its webhook', () => {
    const verify = (body: string) => {
      const request: WebhookRequest = {
        endpointId: 'crm',
        receivedAt: 0,
        method: 'POST',
        url: '/',
        headers: {},
        body: Buffer.from(body),
      };
      return void desk.destination.webhook!.verify(request);
    };

    it('is believed with its token, and with nothing else', () => {
      verify(`event=X&auth%5Bapplication_token%5D=${APPLICATION_TOKEN}`);
      for (const body of [
        '',
        'event=X',
        'auth[application_token]=',
        'auth[application_token]=another',
        `token=${APPLICATION_TOKEN}`,
      ]) {
        assert.throws(() => verify(body), BadPayloadError);
      }
    });

    it('is not there without one', () => {
      const alone = desk.open({ applicationToken: undefined });
      assert.deepEqual([alone.webhook, alone.pollEveryMs, desk.destination.pollEveryMs], [undefined, 60_000, 300_000]);
    });
  });

  it('takes no settings that would show the secret, or write what the gateway writes', () => {
    const base = { apiRoot: 'https://acme.bitrix24.test', userId: 1, code: CODE };
    const isTaken = (given: object) => bitrix24.config.safeParse({ ...base, ...given }).success;
    assert.ok(isTaken({}));
    for (const given of [
      { apiRoot: `https://acme.bitrix24.test/rest/1/${CODE}/` },
      { code: `1/${CODE}` },
      { fields: { originId: '/ticket/id' } },
      { fields: { 'a b': '/ticket/id' } },
      { answerMark: ' ' },
    ]) {
      assert.ok(!isTaken(given), JSON.stringify(given));
    }
  });

  it('tells an answer from a note', () => {
    assert.deepEqual(
      ['>> Yes', '>>Yes', '>>\nYes', '>>'].map((text) => answerIn(text, '>>')),
      ['Yes', 'Yes', 'Yes', ''],
    );
    for (const text of ['> Yes', 'no >> Yes', '']) assert.equal(answerIn(text, '>>'), undefined);
    assert.deepEqual([answerIn('/ОТВЕТ Да', '/ответ'), answerIn('/ответить', '/ответ')], ['Да', undefined]);
    assert.deepEqual(['[b]&gt;&gt;[/b] a &amp;lt; b', '[12] [x] [*]c'].map(toText), ['>> a &lt; b', '[12] [x] - c']);
  });

  it('knows its mark by who wrote it, and at the very end only', () => {
    const of = (text: string, author?: string) => markIn({ author, text }, { userId: GATEWAY });
    const ours = String(GATEWAY);
    for (const mark of ['msg_1.0', 'msg_01kaq.1766047124000.deleted', 'msg_1.0.failed']) {
      assert.equal(of(`x\n\ntributary:${mark}\n`, ours), `tributary:${mark}`);
    }
    for (const author of [String(IVAN), '', undefined]) assert.equal(of('x\n\ntributary:msg_1.0', author), undefined);
    const others = ['msg_1.0 once', '', 'yes', 'msg_1', 'msg_1.0?', 'msg_1.0.x', 'msg_1.0[/quote]'];
    for (const rest of others) assert.equal(of(`see tributary:${rest}`, ours), undefined, rest);
    assert.equal(of('see (tributary:msg_1.0', ours), undefined);
  });

  describe('the description of its methods', () => {
    it('finds a field that is corrupted', function () {
      skipUnless(this, isBitrix24Described(), 'the description is not beside the repository');
      const fields = { ENTITY_ID: 1, ENTITY_TYPE: 'deal', COMMENT: 'x' };
      const check = (params: Record<string, unknown>) => description!.call('crm.timeline.comment.add', params);
      assert.deepEqual(check({ fields }), []);
      for (const wrong of [
        { ...fields, ENTITY_ID: 'x' },
        { ...fields, TEXT: 'x' },
        { ENTITY_ID: 1, ENTITY_TYPE: 'deal' },
      ]) {
        assert.equal(check({ fields: wrong }).length, 1, JSON.stringify(wrong));
      }
      assert.equal(check({ fields, extra: 1 }).length, 1);
      const list = { entityTypeId: 2, filter: { originatorId: 'x', orignId: 'y' } };
      assert.deepEqual(description!.call('crm.item.list', list), ['crm.item.list: orignId is no field']);
    });
  });
});
