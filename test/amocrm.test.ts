import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import { PermanentError, RetryableError } from '../src/core/errors.ts';
import type { Delivery } from '../src/core/destination.ts';
import { amocrm } from '../src/dispatch/amocrm/amocrm.ts';
import { nameOf, wordsOf } from '../src/dispatch/amocrm/notes.ts';
import { CONTACT_FIELD, GATEWAY, ID_FIELD, PIPELINE } from './fakes/amocrm.ts';
import type { FakeAmocrm } from './fakes/amocrm.ts';
import { openAmocrmDesk, STATUSES, type AmocrmDesk } from './fakes/amocrm-desk.ts';
import type { Outgoing } from './fakes/outgoing.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
const PHONE = 'phone|+79991234567';

describe('amoCRM as a destination', function () {
  this.timeout(30_000);
  let desk: AmocrmDesk;
  let far: FakeAmocrm;
  let out: Outgoing;
  beforeEach(async () => {
    desk = await openAmocrmDesk();
    ({ far, out } = desk);
  });
  afterEach(() => desk.close());

  const lead = () => far.leads[0]!;
  const known = (id: number, code: string, ...values: string[]) => {
    const all = values.map((value) => ({ value, enum_code: 'WORK' }));
    far.contacts.push({ id, name: 'Known', custom_fields_values: [{ field_id: 3, field_code: code, values: all }] });
  };
  const last = async (id: string) => {
    const { data } = await out.store.read.messages(id, { limit: 200 });
    return data.at(-1)!;
  };

  it('makes a lead with our id and its contact in one call, and a note with what was written', async () => {
    desk.use({ responsibleUserId: 901, fields: { 900101: '/ticket/channel/type', 900102: '/ticket/number' } });
    const id = await desk.write('Where is my order?', ['telegram|1', PHONE, 'email|olena@example.com']);
    await desk.settled(1);
    const { name, pipeline_id: pipeline, responsible_user_id: who, custom_fields_values: fields } = lead();
    assert.deepEqual([name, pipeline, who], ['Where is my order?', PIPELINE, 901]);
    const [contact] = far.contacts;
    assert.deepEqual(fields, [
      { field_id: ID_FIELD, values: [{ value: id }] },
      { field_id: 900_101, values: [{ value: (await out.store.read.ticket(id))!.channel.type }] },
      { field_id: 900_102, values: [{ value: '1001' }] },
    ]);
    assert.deepEqual(contact!['custom_fields_values'], [
      { field_code: 'PHONE', values: [{ value: '+79991234567', enum_code: 'WORK' }] },
      { field_code: 'EMAIL', values: [{ value: 'olena@example.com', enum_code: 'WORK' }] },
      { field_id: CONTACT_FIELD, values: [{ value: (await out.store.read.ticket(id))!.customer.id }] },
    ]);
    assert.deepEqual([contact!['responsible_user_id'], lead()['contact']], [901, contact!.id]);
    assert.match(desk.said()[0]!, /^common: [^]*Where is my order\?\n\ntributary:msg_\w+\.0$/);
    const [link] = (await out.store.read.ticket(id))!.links;
    assert.deepEqual([link!.externalId, link!.url], [String(lead().id), `${far.root}/leads/detail/${lead().id}`]);
    assert.equal(desk.calls('POST', /leads\/complex/), 1);
  });

  it('shows what it would make and sends nothing', async () => {
    const id = await desk.write('one');
    await desk.settled(1);
    const before = far.calls.length;
    const ticket = (await out.store.read.ticket(id))!;
    const customer = (await out.store.read.customer(ticket.customer.id))!;
    const delivery = { id: 'tsk_1', ticket, customer, message: await last(id), transcript: [] } as unknown as Delivery;
    const { url, body } = await desk.destination.preview!(delivery);
    assert.deepEqual([url, far.calls.length], [`${far.root}/api/v4/leads/complex`, before]);
    assert.match(JSON.stringify(body), /"name":"one".*tributary:msg_/);
  });

  describe('with a contact who is there', () => {
    const contactOf = async (...from: string[]) => {
      await desk.write('one', ['telegram|1', ...from] as never);
      await desk.settled(1);
      return lead()['contact'];
    };

    it('takes the one who has the address, the first of several, and no other that a search finds', async () => {
      known(5, 'EMAIL', 'xolena@example.com');
      known(40, 'EMAIL', 'olena@example.com');
      known(9, 'EMAIL', 'other@example.com', ' Olena@Example.com');
      assert.equal(await contactOf('email|olena@example.com'), 9);
      assert.equal(far.contacts.length, 3);
    });

    for (const number of ['+7 (999) 123-45-67', '79991234567', '8 999 123-45-67']) {
      it(`takes the one who has the number, however it is written: ${number}`, async () => {
        const search = number.replaceAll(/\D/g, '').slice(-10);
        far.contacts.push({
          id: 7,
          search,
          custom_fields_values: [{ field_code: 'PHONE', values: [{ value: number }] }],
        });
        assert.equal(await contactOf(PHONE), 7);
      });
    }

    for (const number of ['+89991234567', '+379991234567', '9991234567']) {
      it(`takes nobody with another number: ${number}`, async () => {
        known(7, 'PHONE', number);
        assert.notEqual(await contactOf(PHONE), 7);
      });
    }

    it('takes 8 for +7 only where a number is as long as Russian ones are', async () => {
      const fields = [{ field_code: 'PHONE', values: [{ value: '8999123' }] }];
      far.contacts.push({ id: 7, search: '7999123', custom_fields_values: fields });
      assert.notEqual(await contactOf('phone|+7999123'), 7);
    });

    it('takes nobody whose number was only typed, and knows its own customers again', async () => {
      known(7, 'PHONE', '+79991234567');
      const id = await desk.write('one', ['telegram|1', `${PHONE}|claimed`]);
      await desk.settled(1);
      const mine = far.contacts[1]!;
      assert.equal(lead()['contact'], mine.id);
      assert.doesNotMatch(JSON.stringify(mine), /PHONE/);
      await out.desk.updateTicket(id, { status: 'closed' }, 'user:usr_1');
      await out.pass(8 * DAY, DAY);
      await desk.write('two');
      await out.until(() => far.leads.length === 2);
      await out.pass(SECOND);
      assert.deepEqual([far.contacts.length, far.leads[1]!['contact']], [2, mine.id]);
    });
  });

  describe('whose answer was lost', () => {
    for (const call of ['POST /api/v4/leads/complex', 'POST /api/v4/leads/{id}/notes']) {
      it(`is asked what it has: ${call}`, async () => {
        far.end(call, 'lost');
        await desk.write('one');
        await desk.write('two');
        await out.until(() => far.leads.length > 0);
        await out.pass(8 * SECOND);
        await desk.settled(2);
        assert.deepEqual([far.leads.length, far.contacts.length, desk.said().length], [1, 1, 2]);
      });
    }

    it('is asked for the lead among the newest where a search does not find it yet', async () => {
      far.indexed = () => false;
      far.end('POST /api/v4/leads/complex', 'lost');
      await desk.write('one');
      await out.until(() => far.leads.length > 0);
      for (let i = 0; i < 300; i++)
        far.leads.push({ id: 20_000_000 + i, pipeline_id: 1, status_id: 1, created_at: out.clock.now() / 1000 });
      await out.pass(8 * SECOND);
      await desk.settled(1);
      assert.deepEqual([far.leads.length, desk.said().length], [301, 1]);
    });

    it('is asked for no lead that is older than the conversation', async () => {
      const old = Math.floor((out.clock.now() - 3 * HOUR) / 1000);
      for (let i = 0; i < 600; i++) far.leads.push({ id: i + 1, pipeline_id: 1, status_id: 1, created_at: old });
      await desk.write('one');
      await desk.settled(1);
      assert.equal(desk.calls('GET', /leads\?order/), 1);
    });

    it('gets the note that its lead lacks', async () => {
      far.end('POST /api/v4/leads/{id}/notes', 'cut', 'cut');
      await desk.write('one');
      await out.until(() => far.leads.length > 0);
      await out.pass(60 * SECOND);
      await desk.settled(1);
      assert.deepEqual([far.leads.length, desk.said().length], [1, 1]);
    });

    it('is asked for a message too, however many notes came since', async () => {
      await desk.write('one');
      await desk.settled(1);
      far.end('POST /api/v4/leads/{id}/notes', 'lost');
      await desk.write('two');
      await out.until(() => desk.said().length === 2);
      for (let i = 0; i < 300; i++) far.act(desk.leadId(), { text: `by hand ${i}` });
      await out.pass(10 * SECOND);
      await desk.settled(2);
      assert.equal(desk.said().filter((text) => text.includes('two')).length, 1);
    });

    it('is asked again who it is where it could not say so the first time', async () => {
      const id = await desk.write('one');
      await desk.settled(1);
      const ref = { externalId: String(desk.leadId()) };
      const message = await last(id);
      far.end('GET /api/v4/account', { http: 500 });
      const destination = desk.open();
      await assert.rejects(desk.during(destination.hasMessage!(ref, message)), RetryableError);
      assert.equal(await desk.during(destination.hasMessage!(ref, message)), true);
    });

    it('takes its mark in the words of a colleague for no message of its own', async () => {
      const id = await desk.write('one');
      await desk.settled(1);
      const ref = { externalId: String(desk.leadId()) };
      const message = await last(id);
      const later = { ...message, revision: 5 };
      far.act(desk.leadId(), { text: `What is this?\n\ntributary:${later.id}.5` });
      assert.equal(await desk.during(desk.destination.hasMessage!(ref, later)), false);
      assert.equal(await desk.during(desk.destination.hasMessage!(ref, message)), true);
    });
  });

  describe('with files', () => {
    const bytes = Buffer.from('0123456789');
    const file = { id: 'att_1', name: 'рахунок.pdf', mediaType: 'application/pdf', size: 10, state: 'stored' } as const;
    const whole = { ...file, error: null, inline: false, url: '/api/v1/attachments/att_1' };
    let id: string;
    beforeEach(async () => {
      id = await desk.write('one');
      await desk.settled(1);
    });
    /** A message with files, straight to the destination. Resolves with what it made in the feed. */
    async function add(attachments: readonly object[] = [whole], given: object = {}) {
      const ticket = (await out.store.read.ticket(id))!;
      const customer = (await out.store.read.customer(ticket.customer.id))!;
      const message = { ...(await last(id)), id: 'msg_files', text: 'See the bill', attachments, ...given };
      const open = async () => Readable.from([bytes]);
      const delivery = { id: 'tsk_1', ticket, customer, message, transcript: [], open } as unknown as Delivery;
      await desk.during(desk.destination.addMessage!({ externalId: String(desk.leadId()) }, delivery));
      return desk.said().slice(1);
    }

    it('sends them in parts as large as it takes, and their notes together with the words', async () => {
      far.partSize = 4;
      const [note, words, ...rest] = await add();
      assert.equal(note, 'attachment: рахунок.tributary-msg_files.0.pdf');
      assert.match(words!, /^common: [^]*See the bill\n\ntributary:msg_files\.0$/);
      assert.deepEqual([rest, desk.calls('POST', /\/upload\//)], [[], 3]);
      const [kept] = [...far.files.values()];
      assert.deepEqual([kept!.name, kept!.bytes], ['рахунок.tributary-msg_files.0.pdf', bytes]);
    });

    it('names with a link what is too large, and what it does not take', async () => {
      far.end('POST /v1.0/sessions', { http: 403, body: { title: 'Forbidden', status: 403 } });
      const large = { ...whole, id: 'att_2', name: 'film.mov', size: 30_000_000 };
      const [words, ...rest] = await add([whole, large]);
      assert.match(words!, /File рахунок\.pdf \(10 bytes\) is not attached: amoCRM did not take it: https:/);
      assert.match(words!, /File film\.mov \(28\.6 MB\) is not attached: more than 20971520 bytes together/);
      assert.deepEqual(rest, []);
    });

    it('sends the words alone where the note of a file is refused', async () => {
      far.end('POST /api/v4/leads/{id}/notes', { http: 400, body: { title: 'Bad Request', status: 400 } });
      const [words, ...rest] = await add();
      assert.match(words!, /See the bill[^]*is not attached: amoCRM did not take it/);
      assert.deepEqual(rest, []);
    });

    it('gives its token to no other host, whatever an answer says', async () => {
      const others = ['http://localhost:1', 'http://127.0.0.1:1', 'https://drive.example.com'];
      for (const drive of [...others, far.root.replace('http:', 'https:')]) {
        far.drive = drive;
        desk.use({});
        const error: unknown = await desk
          .during(desk.destination.download!({ id: 'x', name: 'x', mediaType: 'x' }, undefined as never))
          .catch((thrown: unknown) => thrown);
        assert.ok(error instanceof PermanentError && /none of its own/.test(error.message), inspect(error));
      }
    });

    it('shortens the names of files visibly to people, and keeps what they end with', () => {
      const message = { id: 'msg_1', revision: 0, deletedAt: null, delivery: null } as never;
      assert.equal(nameOf(`${'x'.repeat(300)}.jpeg`, message), `${'x'.repeat(100)}.tributary-msg_1.0.jpeg`);
      assert.equal(nameOf('.profile', message), '.profile.tributary-msg_1.0');
      assert.equal(wordsOf({ note_type: 'attachment', params: { text: 'a.txt', file_name: 'a.txt' } } as never), '');
    });

    const call = {
      outcome: 'answered',
      direction: 'inbound',
      from: '+79991234567',
      to: '+74950000000',
      talkedSec: 61.4,
    };
    const calls = () =>
      far.notes
        .filter(({ note_type: type }) => String(type).startsWith('call'))
        .map(({ note_type: type, params }) => [type, params]);

    it('shows a call as amoCRM shows its own, with the recording, and only once', async () => {
      const audio = { ...whole, name: 'call.mp3', mediaType: 'audio/mpeg' };
      await add([audio], { kind: 'call', text: '', call: { ...call, recording: 'rec' } });
      const link = 'https://desk.example.com/api/v1/attachments/att_1';
      const [[type, params]] = calls() as [[string, { link: string }]];
      assert.equal(type, 'call_in');
      assert.deepEqual(
        { ...params, link: params.link.replace(/^https?:\/\/[^/]+/, 'https://desk.example.com') },
        {
          uniq: 'msg_files',
          duration: 61,
          source: 'Tributary',
          phone: '+79991234567',
          link,
        },
      );
      assert.deepEqual(
        desk
          .said()
          .slice(1)
          .map((text) => text.split(':')[0]),
        ['attachment', 'call_in', 'common'],
      );
    });

    it('says nothing of the call again when something of it is told later', async () => {
      await add([], { id: 'msg_files-17', kind: 'call', text: '', call });
      assert.deepEqual(calls(), []);
    });

    it('shows a call that the business made with whom it was made to', async () => {
      await add([], {
        kind: 'call',
        text: '',
        call: { ...call, direction: 'outbound', from: '+74950000000', to: '+79991234567' },
      });
      const [[type, params]] = calls() as [[string, { phone: string }]];
      assert.deepEqual([type, params.phone], ['call_out', '+79991234567']);
    });
  });

  describe('mirrors a status', () => {
    const stage = () => lead()['status_id'];
    beforeEach(async () => {
      await desk.write('one');
      await desk.settled(1);
    });
    const update = async (status: string) =>
      desk.during(desk.destination.update!({ externalId: String(lead().id) }, { id: 'tsk_1', status } as never));

    it('as the stage that is named for it', async () => {
      await update('pending');
      assert.equal(stage(), 31_881_115);
      await update('solved');
      assert.equal(stage(), 142);
    });

    it('and lets a lead rest that is won or lost, is in another pipeline, or is called the same', async () => {
      for (const [there, pipeline, status] of [
        [142, PIPELINE, 'open'],
        [143, PIPELINE, 'open'],
        [777, 99, 'open'],
        [31_881_112, PIPELINE, 'open'],
        [777, PIPELINE, 'new'],
      ] as const) {
        Object.assign(lead(), { status_id: there, pipeline_id: pipeline });
        await update(status);
        assert.equal(stage(), there);
      }
      assert.equal(desk.calls('PATCH', /./), 0);
    });

    it('and lets a stage rest that is one of several for it, or that it shares with another status', async () => {
      desk.use({ statuses: { open: [31_881_112, 31_881_115], pending: 31_881_112, solved: 142 } });
      for (const [there, status] of [
        [31_881_115, 'open'],
        [31_881_112, 'pending'],
      ] as const) {
        lead()['status_id'] = there;
        await update(status);
      }
      assert.equal(desk.calls('PATCH', /./), 0);
    });

    it('and says that the lead is gone', async () => {
      const { id } = far.leads.pop()!;
      const ref = { externalId: String(id) };
      await assert.rejects(
        desk.during(desk.destination.update!(ref, { id: 'tsk_1', status: 'open' } as never)),
        PermanentError,
      );
    });
  });

  describe('that is tried', () => {
    const test = (given: object = {}) => desk.during(desk.open(given).test!());

    it('says whose token it is, and where conversations are kept', async () => {
      assert.match(await test(), /one of Acme, and keeps conversations in the pipeline Support/);
      const settings = { statuses: {}, pipelineId: undefined };
      assert.match(await test(settings), /in the main pipeline/);
    });

    for (const [given, error] of [
      [{ idField: 5 }, /leads have no field 5 in amoCRM/],
      [{ idField: 900_102 }, /the field 900102 of leads is no text, but numeric/],
      [{ contactIdField: ID_FIELD }, /contacts have no field 900100/],
      [{ fields: { 77: '/ticket/number' } }, /leads have no field 77/],
      [{ pipelineId: 6 }, /no pipeline 6/],
      [{ statuses: { ...STATUSES, open: 6 } }, /the pipeline Support has no stage 6/],
    ] as const) {
      it(`says what is wrong with ${JSON.stringify(given)}`, async () => {
        await assert.rejects(test(given), (thrown) => thrown instanceof PermanentError && error.test(thrown.message));
      });
    }
  });

  it('opens only with one way to sign in, and with a pipeline for its stages', () => {
    const base = { apiRoot: 'https://acme.amocrm.test', idField: 1 };
    const oauth2 = { clientId: 'x', clientSecret: 'x', redirectUri: 'https://a.example', refreshToken: 'x' };
    const isGood = (given: object) => amocrm.config.safeParse({ ...base, ...given }).success;
    assert.deepEqual([isGood({ accessToken: 'x' }), isGood({ oauth2 })], [true, true]);
    assert.deepEqual([isGood({}), isGood({ accessToken: 'x', oauth2 })], [false, false]);
    assert.equal(isGood({ accessToken: 'x', statuses: { open: 1 } }), false);
    assert.equal(isGood({ accessToken: 'x', apiRoot: 'https://acme.amocrm.test/api/v4' }), false);
    assert.equal(isGood({ accessToken: 'x', fields: { name: '/ticket/number' } }), false);
  });

  it('gives up where there are more new leads than can be looked through', async () => {
    far.indexed = () => false;
    const now = Math.floor(out.clock.now() / 1000);
    for (let i = 0; i < 10_001; i++)
      far.leads.push({ id: 20_000_000 + i, pipeline_id: 1, status_id: 1, created_at: now });
    const ticket = { id: 'tkt_1', createdAt: new Date(out.clock.now()).toISOString() } as never;
    await assert.rejects(
      desk.during(desk.destination.findTicket!(ticket)),
      (error) => error instanceof RetryableError && error.outcomeUnknown,
    );
  }).timeout(20_000);

  it('counts what its own user wrote without a mark as somebody’s', async () => {
    const id = await desk.write('one');
    await desk.settled(1);
    far.act(desk.leadId(), { by: GATEWAY, text: `tributary:${(await last(id)).id}.7 is what?` });
    const ref = { externalId: String(desk.leadId()) };
    const later = { ...(await last(id)), revision: 7 };
    assert.equal(await desk.during(desk.destination.hasMessage!(ref, later)), false);
  });
});
