import assert from 'node:assert/strict';
import { text as textOf } from 'node:stream/consumers';
import { inspect } from 'node:util';
import type { ActionInput } from '../src/core/action.ts';
import { RateLimitedError } from '../src/core/errors.ts';
import type { Payload } from '../src/core/payload.ts';
import { answerIn } from '../src/dispatch/amocrm/notes.ts';
import { createPace } from '../src/dispatch/amocrm/pace.ts';
import { GATEWAY, ID_FIELD, IVAN, PIPELINE, TOKEN } from './fakes/amocrm.ts';
import type { FakeAmocrm } from './fakes/amocrm.ts';
import { openAmocrmDesk, type AmocrmDesk } from './fakes/amocrm-desk.ts';
import { fakeClock } from './fakes/clock.ts';
import type { Outgoing } from './fakes/outgoing.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const NEVER = new AbortController().signal;

describe('amoCRM, asked what changed', function () {
  this.timeout(30_000);
  let desk: AmocrmDesk;
  let far: FakeAmocrm;
  let out: Outgoing;
  let cursor: string;
  beforeEach(async () => {
    desk = await openAmocrmDesk();
    ({ far, out } = desk);
    cursor = (await poll()).cursor;
    await desk.write('one');
    await desk.settled(1);
    cursor = (await poll(cursor)).cursor;
    await out.pass(10 * SECOND);
  });
  afterEach(() => desk.close());

  const payload = (body: Buffer, method = 'POLL'): Payload => ({
    endpointId: 'crm',
    receivedAt: out.clock.now(),
    method,
    url: '',
    headers: {},
    body,
  });
  async function poll(at?: string) {
    const { items, cursor: after, more } = await desk.during(desk.destination.poll!(at, NEVER));
    const all: ActionInput[][] = [];
    for (const { body } of items) all.push(await desk.destination.normalize!(payload(body)));
    const bodies = items.map(({ body }) => body.toString()).join('');
    return { actions: all.flat(), cursor: after, bodies, more };
  }
  /** All that there is to be told, however many polls it takes. */
  async function pollAll(at: string) {
    const actions: ActionInput[] = [];
    for (let next = await poll(at); ; next = await poll(next.cursor)) {
      actions.push(...next.actions);
      if (!next.more) return { actions, cursor: next.cursor };
    }
  }
  const kinds = ({ actions }: { actions: ActionInput[] }) => actions.map(({ kind }) => kind);
  const texts = ({ actions }: { actions: ActionInput[] }) =>
    actions.map((each) => ('text' in each ? each.text : each.kind));
  const lead = () => far.leads[0]!;
  const act = (given: Parameters<FakeAmocrm['act']>[1]) => far.act(lead().id, given);

  it('tells what colleagues said, with their names: an answer where they say so, else a note', async () => {
    act({ text: 'A regular.' });
    act({ text: '>> It comes tomorrow.', by: 902 });
    const { actions, cursor: next } = await poll(cursor);
    const common = { ticket: String(lead().id), at: out.clock.now() - (out.clock.now() % SECOND), attachments: [] };
    const [note, reply] = actions as ({ id: string; at: number } & ActionInput)[];
    assert.match(note!.id, /^note:\d+$/);
    assert.deepEqual(
      [note, reply].map((each) => ({ ...each, id: '', at: common.at })),
      [
        { kind: 'note', ...common, agent: 'Ivan Petrov', text: 'A regular.', id: '' },
        { kind: 'reply', ...common, agent: 'amoCRM user 902', text: 'It comes tomorrow.', id: '' },
      ],
    );
    assert.ok(common.at - note!.at < 5 * SECOND);
    assert.deepEqual([actions.length, (await poll(next)).actions.length], [2, 0]);
  });

  it('takes a note for no answer that only quotes the sign, has nothing behind it, or goes on as another word', async () => {
    for (const text of ['He wrote >> hello', '>>', '']) act({ text });
    assert.deepEqual(kinds(await poll(cursor)), ['note', 'note', 'note']);
    assert.deepEqual([answerIn('/ответ да', '/ответ'), answerIn('/ответить', '/ответ')], ['да', undefined]);
  });

  it('tells what was said before it was asked the first time to nobody', async () => {
    act({ text: '>> before' });
    await out.pass(2 * SECOND);
    const first = await poll();
    await out.pass(2 * SECOND);
    act({ text: 'after' });
    assert.deepEqual([first.actions, texts(await poll(first.cursor))], [[], ['after']]);
  });

  it('tells what shows late, and nothing twice', async () => {
    act({ text: 'late' });
    const [late] = far.events.splice(0, 1);
    await out.pass(2 * MINUTE, MINUTE);
    act({ text: 'early' });
    const first = await poll(cursor);
    far.events.push(late!);
    const second = await poll(first.cursor);
    const third = await poll(second.cursor);
    assert.deepEqual([texts(first), texts(second), texts(third)], [['early'], ['late'], []]);
  });

  it('tells all of it in its order, however much was said', async () => {
    const wanted = Array.from({ length: 230 }, (_, i) => `note ${i}`);
    for (const text of wanted) act({ text });
    assert.deepEqual(texts(await poll(cursor)), wanted);
  });

  it('goes on where there is more than can be read at once', async () => {
    const now = Math.floor(out.clock.now() / 1000);
    for (let i = 0; i < 2500; i++) {
      const about = {
        entity_id: 5,
        entity_type: 'lead',
        created_by: IVAN,
        created_at: now + (i % 100),
        value_after: [],
      };
      far.events.push({ id: `many-${i}`, type: 'lead_status_changed', ...about });
    }
    await out.pass(2 * MINUTE, MINUTE);
    act({ text: 'the last' });
    const first = await poll(cursor);
    assert.deepEqual([first.actions, first.more], [[], true]);
    const rest = await pollAll(first.cursor);
    assert.deepEqual([texts(rest), texts(await pollAll(rest.cursor))], [['the last'], []]);
  }).timeout(20_000);

  describe('of other leads', () => {
    const other = () =>
      far.leads.push({ id: 77, pipeline_id: PIPELINE, status_id: 1, created_at: 1, custom_fields_values: null });
    const asked = (path: RegExp) => far.calls.filter(({ path: one }) => path.test(decodeURIComponent(one))).length;

    it('tells and reads nothing, and asks whose they are only once', async () => {
      other();
      far.act(77, { text: '>> a secret' });
      const notes = asked(/notes\?filter/);
      const first = await poll(cursor);
      assert.deepEqual([first.actions, first.bodies, asked(/notes\?filter/) - notes], [[], '', 0]);
      const before = asked(/leads\?filter/);
      far.act(77, { text: '>> another' });
      await poll(first.cursor);
      assert.equal(asked(/leads\?filter/), before);
    });

    it('tells ours also where the plan of the account has no filters', async () => {
      far.filters = false;
      for (let i = 0; i < 260; i++) far.leads.unshift({ id: 1000 + i, pipeline_id: 1, status_id: 1, created_at: 1 });
      const ours = far.leads.at(-1)!;
      desk.use({});
      far.act(ours.id, { text: '>> Yes' });
      assert.deepEqual(kinds(await poll(cursor)), ['reply']);
    });

    it('tells nothing of a contact that has the number of a lead of ours', async () => {
      act({ text: '>> Yes' });
      far.events[0]!['entity_type'] = 'contact';
      assert.deepEqual(kinds(await poll(cursor)), []);
    });

    it('goes on where a lead or a note was deleted, or may not be read', async () => {
      act({ text: 'gone' });
      far.notes.pop();
      far.act(404, { text: 'of a lead that is gone' });
      far.act(403, { text: 'of a lead of others' });
      far.end('GET /api/v4/leads/{id}', { http: 403, body: { title: 'Forbidden', status: 403 } });
      act({ text: 'there' });
      assert.deepEqual(texts(await poll(cursor)), ['there']);
    });
  });

  describe('what the gateway did itself', () => {
    it('is told by name only, whether it counts there as a robot’s or as the token’s user’s', async () => {
      for (const author of [0, -1, GATEWAY]) {
        far.says = { client: true, author };
        await desk.write(`by ${author}`);
        await out.until(() => desk.said().at(-1)!.includes(`by ${author}`));
      }
      await desk.settled(4);
      const { actions, bodies, cursor: next } = await poll(cursor);
      assert.deepEqual(kinds({ actions }), ['ignored', 'ignored', 'ignored']);
      assert.match((actions[0] as { name: string }).name, /^note \d+$/);
      assert.doesNotMatch(bodies, /by 0|by -1/);
      assert.deepEqual(kinds(await poll(next)), []);
    });

    it('is not what the token’s user writes by hand, or a colleague who quotes it at the end', async () => {
      const [own] = desk.said();
      const mark = own!.slice(own!.indexOf('tributary:'));
      act({ by: GATEWAY, text: '>> by hand' });
      act({ by: GATEWAY, text: `${mark} is what?` });
      act({ text: `What is this?\n\n${mark}` });
      act({ text: `>> quoted\n${mark}` });
      assert.deepEqual(kinds(await poll(cursor)), ['reply', 'note', 'note', 'reply']);
    });

    it('are its files too, but not those of colleagues', async () => {
      const name = 'photo.tributary-msg_01.0.jpg';
      act({ by: 0, file: name });
      act({ by: GATEWAY, file: name });
      act({ by: GATEWAY, file: 'mine.jpg' });
      act({ file: name });
      assert.deepEqual(kinds(await poll(cursor)), ['ignored', 'ignored', 'note', 'note']);
    });
  });

  describe('files', () => {
    it('stay notes, are fetched with the token, and go to a customer only with words that say so', async () => {
      act({ file: 'рахунок.pdf' });
      act({ file: 'b.pdf', words: '>> The bill' });
      const { actions } = await poll(cursor);
      const [note, reply] = actions as (ActionInput & { text: string; attachments: { id: string; name: string }[] })[];
      assert.deepEqual([note!.kind, note!.text, note!.attachments[0]!.name], ['note', '', 'рахунок.pdf']);
      assert.deepEqual([reply!.kind, reply!.text, reply!.attachments[0]!.name], ['reply', 'The bill', 'b.pdf']);
      const file = { ...reply!.attachments[0]!, mediaType: 'application/pdf' };
      const bytes = await desk.during(desk.destination.download!(file, payload(Buffer.alloc(0))));
      assert.equal(await textOf(bytes), 'bytes of b.pdf');
    });

    it('are named where they lie elsewhere', async () => {
      act({ file: 'old.pdf' });
      const params = far.notes.at(-1)!['params'] as { file_uuid?: string };
      delete params.file_uuid;
      assert.deepEqual(texts(await poll(cursor)), ['old.pdf']);
    });
  });

  describe('stages', () => {
    const [OPEN, PENDING] = [31_881_112, 31_881_115];

    it('tells the status that one is called here', async () => {
      act({ stage: PENDING });
      act({ stage: 143 });
      act({ stage: 31_881_109 });
      const { actions } = await poll(cursor);
      assert.deepEqual(
        actions.map((each) => ('status' in each ? each.status : each.kind)),
        ['pending', 'solved', 'ignored'],
      );
      assert.match((actions[0] as { id: string }).id, /^event:01kaq/);
      assert.match((actions[2] as { reason: string }).reason, /see `statuses`/);
    });

    it('tells none of another pipeline', async () => {
      lead()['pipeline_id'] = 99;
      act({ stage: 142 });
      assert.deepEqual(kinds(await poll(cursor)), ['ignored']);
    });

    const move = async (status: string) =>
      desk.during(desk.destination.update!({ externalId: String(lead().id) }, { id: 'tsk_1', status } as never));

    it('knows its own by the integration, and hears people and robots that share its user', async () => {
      far.says = { client: true, author: GATEWAY };
      await move('open');
      act({ by: GATEWAY, stage: PENDING });
      act({ by: 0, stage: OPEN });
      const { actions } = await poll(cursor);
      assert.deepEqual(kinds({ actions }), ['ignored', 'status', 'status']);
      assert.deepEqual((actions[0] as { reason: string }).reason, 'ours');
    });

    it('goes by who did it where events do not say through which integration', async () => {
      far.says = { client: false, author: 0 };
      await move('open');
      act({ by: GATEWAY, stage: PENDING });
      act({ stage: OPEN });
      assert.deepEqual(kinds(await poll(cursor)), ['ignored', 'ignored', 'status']);
    });

    it('goes by who did it where the token does not say whose it is', async () => {
      far.tokens.add('not-a-jwt');
      desk.use({ accessToken: 'not-a-jwt' });
      await move('open');
      act({ stage: PENDING });
      assert.deepEqual(kinds(await poll(cursor)), ['ignored', 'status']);
    });
  });

  it('takes its time where there is much to be asked', async () => {
    far.filters = false;
    for (let i = 0; i < 40; i++) far.act(5000 + i, { text: 'of somebody else' });
    const [calls, began] = [far.calls.length, out.clock.now()];
    await poll(cursor);
    assert.ok(far.calls.length - calls > 40);
    assert.ok(out.clock.now() - began > 5 * SECOND);
  });

  it('lets seven calls a second out at most, whatever the clock does', async () => {
    const clock = fakeClock();
    const turn = createPace(clock);
    const times: number[] = [];
    const all = Array.from({ length: 30 }, async () => {
      await turn(undefined);
      times.push(clock.now());
    });
    for (let i = 0; i < 20; i++) await clock.advance(100);
    clock.jump(-3600 * SECOND);
    for (let i = 0; i < 150; i++) await clock.advance(100);
    await Promise.all(all);
    const withinSecond = times.map((at) => times.filter((other) => other >= at && other < at + SECOND).length);
    assert.deepEqual([times.length, Math.max(...withinSecond)], [30, 7]);
  });

  it('rests where it is told to, and has lost nothing', async () => {
    act({ text: 'one' });
    far.end('GET /api/v4/events', { http: 429, headers: { 'retry-after': '3' } });
    const error: unknown = await poll(cursor).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof RateLimitedError && error.retryAfterMs === 3000, inspect(error));
    assert.deepEqual(texts(await poll(cursor)), ['one']);
  });

  it('wakes for what is said of leads, and names what is not', async () => {
    const normalize = async (form: string) => desk.destination.normalize!(payload(Buffer.from(form), 'POST'));
    const wake = [{ kind: 'wake' }];
    assert.deepEqual(await normalize('leads%5Bnote%5D%5B0%5D%5Bnote%5D%5Bid%5D=1&account%5Bid%5D=5'), wake);
    assert.deepEqual(await normalize('account[id]=5&leads[status][0][id]=1'), wake);
    const [other] = await normalize('contacts[add][0][id]=1');
    assert.deepEqual([other!.kind, (other as { name: string }).name], ['ignored', 'contacts[add][0][id]']);
    assert.deepEqual(kinds({ actions: await normalize('') }), ['ignored']);
  });

  it('has a way in for webhooks only with a secret address, and is asked less often then', () => {
    assert.equal(desk.destination.webhook, undefined);
    const pushed = desk.open({ webhookToken: 'a-secret-part-of-an-address' });
    assert.equal(pushed.webhook!.token!.reveal(), 'a-secret-part-of-an-address');
    assert.deepEqual([desk.destination.pollEveryMs, pushed.pollEveryMs], [MINUTE, 5 * MINUTE]);
    assert.ok(TOKEN.length > 20 && ID_FIELD > 0);
  });
});
