import assert from 'node:assert/strict';
import { text as textOf } from 'node:stream/consumers';
import type { ActionInput } from '../src/core/action.ts';
import { RateLimitedError } from '../src/core/errors.ts';
import type { Payload } from '../src/core/payload.ts';
import { readBitrix24 } from './fakes/bitrix24-description.ts';
import type { Bitrix24Description } from './fakes/bitrix24-description.ts';
import { openBitrix24Desk, type Bitrix24Desk } from './fakes/bitrix24-desk.ts';
import { ANNA, GATEWAY, IVAN } from './fakes/bitrix24.ts';
import type { FakeBitrix24 } from './fakes/bitrix24.ts';
import type { Outgoing } from './fakes/outgoing.ts';

const SECOND = 1000;
const DAY = 24 * 3600 * SECOND;
const NEVER = new AbortController().signal;

describe('Bitrix24, asked what changed', () => {
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
  const deal = () => far.items.deal[0]!;

  const payload = (body: Buffer, method = 'POLL'): Payload => ({
    endpointId: 'crm',
    receivedAt: out.clock.now(),
    method,
    url: '',
    headers: {},
    body,
  });
  async function poll(cursor?: string): Promise<{ actions: ActionInput[]; cursor: string; bodies: string }> {
    const { items, cursor: after } = await desk.destination.poll!(cursor, NEVER);
    const all: ActionInput[][] = [];
    for (const { body } of items) all.push(await desk.destination.normalize!(payload(body)));
    return { actions: all.flat(), cursor: after, bodies: items.map(({ body }) => body.toString()).join('') };
  }
  const kinds = ({ actions }: { actions: ActionInput[] }) => actions.map(({ kind }) => kind);
  let cursor: string;
  beforeEach(async () => {
    cursor = (await poll()).cursor;
    await desk.write('one');
    await desk.settled(1);
    cursor = (await poll(cursor)).cursor;
    await out.pass(60 * SECOND, 20 * SECOND);
  });

  it('tells what colleagues said, with names and files: an answer where they say so, else a note', async () => {
    far.act('deal', desk.dealId(), { comment: 'A [b]regular[/b].' });
    far.act('deal', desk.dealId(), {
      author: ANNA,
      comment: '[p]>> It comes [url=https://a.example/1]here[/url].[/p]',
      files: ['a.txt'],
    });
    const { actions, cursor: next, bodies } = await poll(cursor);
    const common = { ticket: `D_${desk.dealId()}`, at: out.clock.now() };
    const [note, reply] = actions as (ActionInput & {
      id: string;
      attachments: { id: string; name: string; size: number }[];
    })[];
    assert.deepEqual(
      { ...note, id: '' },
      { kind: 'note', ...common, agent: 'Ivan Petrov', text: 'A regular.', attachments: [], id: '' },
    );
    assert.deepEqual(
      [reply!.kind, (reply as { text?: string }).text],
      ['reply', 'It comes here (https://a.example/1).'],
    );
    assert.deepEqual([reply!.attachments[0]!.name, reply!.attachments[0]!.size], ['a.txt', 14]);
    assert.deepEqual([actions.length, (await poll(next)).actions.length], [2, 0]);
    assert.doesNotMatch(bodies, /http:|downloadFile/);
    const file = await desk.destination.download!(
      { ...reply!.attachments[0]!, mediaType: 'text/plain' },
      payload(Buffer.alloc(0)),
    );
    assert.equal(await textOf(file), 'bytes of a.txt');
  });

  it('tells what was said before it was asked the first time to nobody', async () => {
    far.act('deal', desk.dealId(), { comment: 'before' });
    const first = await poll();
    assert.deepEqual(first.actions, []);
    far.act('deal', desk.dealId(), { comment: 'after' });
    assert.deepEqual(kinds(await poll(first.cursor)), ['note']);
  });

  it('hears of who is responsible too, whose comments move nothing that could be asked for', async () => {
    deal()['assignedById'] = IVAN;
    await out.pass(5 * DAY, DAY);
    const before = deal()['lastActivityTime'];
    far.act('deal', desk.dealId(), { comment: '>> Yes' });
    assert.equal(deal()['lastActivityTime'], before);
    assert.deepEqual(kinds(await poll(cursor)), ['reply']);
  });

  it('tells all of it, however much was said', async () => {
    for (let i = 0; i < 120; i++) far.act('deal', desk.dealId(), { comment: `note ${i}` });
    const { actions } = await poll(cursor);
    assert.deepEqual(
      actions.map((each) => ('text' in each ? each.text : '')),
      Array.from({ length: 120 }, (_, i) => `note ${i}`),
    );
  });

  it('looks into all that live, fifty to a request, and lets the others rest', async () => {
    const idle = {
      ...deal(),
      updatedTime: '2026-01-01T00:00:00+03:00',
      lastActivityTime: '2026-01-01T00:00:00+03:00',
    };
    for (let i = 0; i < 120; i++) far.items.deal.push({ ...deal(), id: 9000 + i });
    far.items.deal.push({ ...idle, id: 8000 }, { ...deal(), id: 7000, originatorId: 'somebody else' });
    const before = far.calls.length;
    const { cursor: after } = await poll(cursor);
    const asked = far.calls.slice(before).filter(({ method }) => method === 'batch').length;
    assert.equal(asked, 3);
    const seen = (JSON.parse(after) as { seen: object }).seen;
    assert.deepEqual([Object.keys(seen).length, 'D_8000' in seen, 'D_7000' in seen], [121, false, false]);
    far.act('deal', 9119, { comment: 'the last one' });
    assert.deepEqual(kinds(await poll(after)), ['note']);
  });

  it('knows its own words by their mark, so that the webhook’s user may also write by hand', async () => {
    await desk.write('two');
    await desk.settled(2);
    far.act('deal', desk.dealId(), { author: GATEWAY, comment: '>> by hand' });
    const { actions, cursor: next } = await poll(cursor);
    assert.deepEqual(kinds({ actions }), ['ignored', 'reply']);
    const [own] = actions as { name: string; reason: string }[];
    assert.match(`${own!.name}: ${own!.reason}`, /^comment \d+: ours$/);
    assert.deepEqual(kinds(await poll(next)), []);
  });

  it('hears an answer that ends with a comment of ours, quoted', async () => {
    const quoted = desk.said()[0]!.replace(/^\d+: /, '');
    assert.match(quoted, /tributary:msg_\w+\.0$/);
    far.act('deal', desk.dealId(), { comment: `>> Tomorrow.\n\n${quoted}` });
    far.act('deal', desk.dealId(), { comment: '>> It is at\ntributary:shelf', author: GATEWAY });
    assert.deepEqual(kinds(await poll(cursor)), ['reply', 'reply']);
  });

  it('passes over a deal that was deleted meanwhile, and one whose comment was', async () => {
    far.act('deal', desk.dealId(), { comment: 'x' });
    far.end('batch>crm.timeline.comment.get', { http: 400, body: { error: 'NOT_FOUND' } });
    assert.deepEqual(kinds(await poll(cursor)), []);
    far.act('deal', desk.dealId(), { comment: 'y' });
    far.end('batch>crm.timeline.comment.list', { http: 400, body: { error: 'ACCESS_DENIED' } });
    assert.deepEqual(kinds(await poll(cursor)), []);
  });

  it('takes a request for a pause for no deletion', async () => {
    far.act('deal', desk.dealId(), { comment: 'x' });
    for (const method of ['list', 'get']) {
      far.end(`batch>crm.timeline.comment.${method}`, { http: 429, body: { error: 'OPERATION_TIME_LIMIT' } });
      await assert.rejects(poll(cursor), RateLimitedError);
    }
    assert.deepEqual(kinds(await poll(cursor)), ['note']);
  });

  it('leaves the stages of deals alone until it is told what they mean', async () => {
    far.act('deal', desk.dealId(), { stage: 'EXECUTING' });
    const { actions } = await poll(cursor);
    assert.deepEqual(actions, [
      { kind: 'ignored', name: 'stage EXECUTING', reason: 'no status of ours: see `statuses`' },
    ]);
    desk.use({ statuses: { pending: ['PREPARATION', 'EXECUTING'] } });
    const [action] = (await poll(cursor)).actions;
    assert.deepEqual([action!.kind, 'status' in action! && action.status], ['status', 'pending']);
  });

  it('tells a stage once, and none that we set', async () => {
    desk.use({ statuses: { open: 'EXECUTING', solved: 'WON' } });
    far.act('deal', desk.dealId(), { stage: 'EXECUTING', author: GATEWAY });
    assert.deepEqual(kinds(await poll(cursor)), []);
    await out.pass(5 * SECOND);
    far.act('deal', desk.dealId(), { stage: 'WON' });
    const { actions, cursor: next } = await poll(cursor);
    assert.deepEqual(
      actions.map((each) => 'status' in each && [each.status, each.agent]),
      [['solved', 'Ivan Petrov']],
    );
    assert.deepEqual(kinds(await poll(next)), []);
  });

  it('names people as it can', async () => {
    far.act('deal', desk.dealId(), { author: 77, comment: 'who am I' });
    const [note] = (await poll(cursor)).actions;
    assert.equal('agent' in note! && note.agent, 'Bitrix24 user 77');
  });

  it('is woken by events of the CRM, and by no others', () => {
    const told = (event: string) =>
      desk.destination.normalize!(payload(Buffer.from(`event=${event}`), 'POST')) as ActionInput[];
    for (const event of ['ONCRMTIMELINECOMMENTADD', 'onCrmDealUpdate', 'ONCRMLEADUPDATE']) {
      assert.deepEqual(told(event), [{ kind: 'wake' }]);
    }
    assert.deepEqual(
      told('ONTASKADD').map(({ kind }) => kind),
      ['ignored'],
    );
  });
});
