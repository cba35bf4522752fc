import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import type { ActionInput } from '../src/core/action.ts';
import type { Http, HttpRequest } from '../src/core/connector.ts';
import type { Delivery, Destination } from '../src/core/destination.ts';
import { PermanentError, RetryableError } from '../src/core/errors.ts';
import type { Message } from '../src/core/ticket.ts';
import { requestTracker } from '../src/dispatch/request-tracker/request-tracker.ts';
import { withoutQuote } from '../src/dispatch/request-tracker/quote.ts';
import { fakeContext, sealedHttp } from './fakes/context.ts';
import { sampleMessage, sampleTicket } from './fakes/samples.ts';

const AT = '2026-11-22T09:00:00.000Z';
const settings = { apiRoot: 'https://rt.example.com/', token: '1-2-token', queue: 'Support' };
const customer = (email?: 'verified' | 'observed' | 'claimed') => ({
  id: 'cus_1',
  name: 'Olena',
  locale: null,
  identifiers: email ? [{ kind: 'email', value: 'olena@example.com', trust: email, firstSeenAt: AT }] : [],
  createdAt: AT,
  updatedAt: AT,
  mergedInto: null,
});

/** A transaction as RT lists it, and the parts that belong to it. */
interface Kept {
  readonly id: number;
  readonly type: string;
  readonly by?: string;
  readonly status?: string;
  readonly parts?: readonly { id: number; type: string; name?: string; content: string }[];
}

/** Answers as RT 5.0.3 did when it was asked (see the real one's test). */
function createTracker(given: { fields?: readonly string[]; kept?: readonly Kept[]; keeps?: string } = {}) {
  const asked: HttpRequest[] = [];
  const kept: Kept[] = [...(given.kept ?? [])];
  const refused: { user?: string; field: readonly string[]; keeps?: string } = {
    field: given.fields ?? ['TributaryId'],
    keeps: given.keeps,
  };
  const agents = new Map([
    ['ivan', 1],
    ['ann@example.com', 0],
  ]);

  function answer(request: HttpRequest): unknown {
    const { pathname, searchParams } = new URL(request.url);
    const path = pathname.replace('/REST/2.0/', '');
    const [kind = '', name = '', more] = path.split('/').map(decodeURIComponent);
    if (request.method === 'POST' && kind === 'user') {
      if (refused.user === undefined) return { id: 'x', type: 'user' };
      const response = { status: 400, text: JSON.stringify({ message: refused.user }) };
      throw new PermanentError('answered 400', { response });
    }
    if (request.method === 'POST' && path === 'ticket') return { id: '42', type: 'ticket' };
    if (request.method !== undefined && request.method !== 'GET') return ['Done'];
    if (kind === 'queue')
      return { id: 1, Name: name, TicketCustomFields: refused.field.map((each) => ({ name: each })) };
    if (kind === 'ticket') return { id: Number(name), Status: refused.keeps ?? 'resolved' };
    if (kind === 'user') return { Name: name, Privileged: agents.get(name) };
    if (kind === 'transactions') return listOf(searchParams);
    if (kind === 'transaction' && more === 'attachments') {
      const parts = kept.find(({ id }) => id === Number(name))?.parts ?? [];
      return {
        items: parts.map((part) => ({
          id: part.id,
          ContentType: part.type,
          Filename: part.name ?? '',
          ContentLength: String(part.content.length),
        })),
      };
    }
    const part = kept.flatMap(({ parts = [] }) => parts).find(({ id }) => id === Number(name));
    return { id: part?.id, Content: `${Buffer.from(part?.content ?? '').toString('base64')}\n` };
  }

  function listOf(search: URLSearchParams) {
    const after = Number(/ id > (\d+)/.exec(search.get('query') ?? '')?.[1]);
    const items = kept
      .filter(({ id }) => id > after)
      .toSorted((a, b) => a.id - b.id)
      .slice(0, Number(search.get('per_page')))
      .map(({ id, type, by = 'ivan', status = '' }) => ({
        id: String(id),
        Type: type,
        ObjectId: '42',
        NewValue: status,
        Created: '2026-11-22T09:30:00Z',
        Creator: { id: by, RealName: by === 'ivan' ? 'Ivan' : '' },
      }));
    return { items };
  }

  const send: Http['send'] = async (request) => {
    asked.push(request);
    const json = answer(request);
    return { status: 200, headers: {}, text: JSON.stringify(json), json };
  };
  return { asked, kept, refused, http: Object.assign(sealedHttp(), { send }) };
}

async function open(tracker = createTracker(), more: object = {}): Promise<Destination> {
  return requestTracker.open(
    requestTracker.config.parse({ ...settings, ...more }),
    fakeContext({ http: tracker.http }),
  );
}

const delivery = (message: Partial<Message> = {}, more: Partial<Delivery> = {}): Delivery => ({
  id: 'tsk_1',
  ticket: sampleTicket({ id: 'tkt_1', status: 'new' }),
  customer: customer(),
  message: sampleMessage({
    id: 'msg_1',
    direction: 'inbound',
    kind: 'message',
    attachments: [],
    delivery: null,
    revision: 0,
    deletedAt: null,
    ...message,
  }),
  transcript: [],
  open: () => Promise.reject(new Error('no file was to be read')),
  ...more,
});
const payloadOf = (body: Buffer) => ({ endpointId: 'rt', receivedAt: 0, method: 'POLL', url: '', headers: {}, body });
const bodiesOf = ({ asked }: ReturnType<typeof createTracker>) =>
  asked
    .filter(({ body }) => body)
    .map(
      ({ url, body }) => [new URL(url).pathname.replace('/REST/2.0/', ''), body as Record<string, unknown>] as const,
    );

describe('Request Tracker', () => {
  it('gets nothing while its queue lacks the field, and is asked again', async () => {
    const tracker = createTracker({ fields: ['Other'] });
    const rt = await open(tracker);
    for (const call of [() => rt.createTicket!(delivery()), () => rt.findTicket!(sampleTicket())]) {
      await assert.rejects(
        call(),
        (error) =>
          error instanceof RetryableError && !error.outcomeUnknown && /no custom field TributaryId/.test(error.message),
      );
    }
    assert.deepEqual(bodiesOf(tracker), []);
    tracker.refused.field = ['TributaryId'];
    assert.equal((await rt.createTicket!(delivery())).externalId, '42');
    const before = tracker.asked.length;
    await rt.createTicket!(delivery());
    assert.ok(!tracker.asked.slice(before).some(({ url }) => url.includes('/queue/')), 'once is enough');
  });

  it('takes a requestor who is there already, and no other refusal', async () => {
    const tracker = createTracker();
    const rt = await open(tracker);
    for (const words of ['Name in use', 'Email address in use']) {
      tracker.refused.user = words;
      assert.equal((await rt.createTicket!(delivery())).externalId, '42');
    }
    tracker.refused.user = 'Permission Denied';
    await assert.rejects(rt.createTicket!(delivery()), PermanentError);
  });

  it('hears an address of the customer only where it was asked for, and never one that he typed', async () => {
    const requestors = async (trust: 'verified' | 'observed' | 'claimed', more: object = {}) => {
      const tracker = createTracker();
      await (
        await open(tracker, more)
      ).createTicket!(delivery({}, { customer: customer(trust) }));
      const [[, user], [, ticket]] = bodiesOf(tracker) as [
        [string, Record<string, unknown>],
        [string, Record<string, unknown>],
      ];
      return [user['Name'], user['EmailAddress'], ticket['Requestor']];
    };
    const byId = ['tributary-cus_1', undefined, ['tributary-cus_1']];
    const byEmail = ['olena@example.com', 'olena@example.com', ['olena@example.com']];
    assert.deepEqual(await requestors('verified'), byId);
    assert.deepEqual(await requestors('verified', { requestors: 'by_email' }), byEmail);
    assert.deepEqual(await requestors('observed', { requestors: 'by_email' }), byEmail);
    assert.deepEqual(await requestors('claimed', { requestors: 'by_email' }), byId);
  });

  it('keeps our id whatever the mapping says, and shows beforehand what it would get', async () => {
    const tracker = createTracker();
    const rt = await open(tracker, { fields: { TributaryId: { value: 'x' }, Status: '/ticket/status' } });
    const shown = await rt.preview!(delivery());
    assert.deepEqual(tracker.asked, []);
    await rt.createTicket!(delivery());
    assert.deepEqual(shown, {
      method: 'POST',
      url: 'https://rt.example.com/REST/2.0/ticket',
      body: bodiesOf(tracker).at(-1)![1],
    });
    assert.deepEqual(shown.body['CustomFields'], { TributaryId: 'tkt_1', Status: 'new' });
  });

  it('gets subjects in one line that fits', async () => {
    const tracker = createTracker();
    const rt = await open(tracker);
    const ticket = sampleTicket({ subject: `a\n${'я'.repeat(300)}` });
    await rt.createTicket!(delivery({}, { ticket }));
    await rt.addMessage!({ externalId: '42' }, delivery({}, { ticket }));
    const subjects = bodiesOf(tracker).flatMap(([, { Subject }]) => (typeof Subject === 'string' ? [Subject] : []));
    assert.deepEqual(
      subjects.map((subject) => subject.length),
      [200, 150 + ' [msg_1]'.length],
    );
    assert.match(subjects[0]!, /^a я+…$/);
  });

  it('gets what customers write as correspondence, all else as comments', async () => {
    const where = async (message: Partial<Message>) => {
      const tracker = createTracker();
      await (
        await open(tracker)
      ).addMessage!({ externalId: '42' }, delivery(message));
      return bodiesOf(tracker)[0]![0];
    };
    assert.equal(await where({}), 'ticket/42/correspond');
    assert.equal(await where({ direction: 'outbound' }), 'ticket/42/comment');
    assert.equal(await where({ direction: 'outbound', kind: 'note' }), 'ticket/42/comment');
  });

  it('says so when a status did not stick', async () => {
    const rt = await open(createTracker({ keeps: 'open' }));
    const update = { id: 'tsk_1', ticket: sampleTicket(), status: 'solved' as const };
    await assert.rejects(rt.update!({ externalId: '42' }, update), /the status stayed open instead of resolved/);
    const { status: _status, ...without } = update;
    await rt.update!({ externalId: '42' }, { ...without, priority: 'low' });
  });

  it('escapes what others wrote into its settings', async () => {
    const tracker = createTracker();
    await (await open(tracker, { queue: 'A/b?c' })).test!().catch(() => undefined);
    assert.equal(tracker.asked[0]!.url, 'https://rt.example.com/REST/2.0/queue/A%2Fb%3Fc');
    assert.ok(!requestTracker.config.safeParse({ ...settings, idField: "x'} OR id > 0" }).success);
  });
});

describe('What comes back from Request Tracker', () => {
  const signal = new AbortController().signal;
  const read = async (rt: Destination, cursor?: string) => {
    const page = await rt.poll!(cursor, signal);
    const actions: ActionInput[] = [];
    for (const { body } of page.items) actions.push(...(await rt.normalize!(payloadOf(body))));
    return { ...page, actions };
  };
  const words = (id: number, content: string, type = 'text/plain') => ({ id, type, content });

  it('are answers, comments and statuses, with who and when', async () => {
    const files = [
      { id: 3, type: 'image/png', name: 'a.png', content: 'picture' },
      { id: 4, type: 'text/plain', name: 'log.txt', content: 'lines' },
    ];
    const tracker = createTracker({
      kept: [
        {
          id: 7,
          type: 'Correspond',
          parts: [words(1, '', 'multipart/mixed'), words(2, '<p>see <b>it</b></p>', 'text/html'), ...files],
        },
        { id: 8, type: 'Comment', parts: [words(5, 'inside')] },
        { id: 9, type: 'Status', status: 'resolved' },
        { id: 10, type: 'Status', status: 'rejected' },
        { id: 11, type: 'Status', status: 'parked' },
        { id: 12, type: 'Correspond', by: 'ann@example.com', parts: [words(6, 'from the customer')] },
      ],
    });
    const { actions, cursor } = await read(await open(tracker));
    const common = { ticket: '42', at: Date.parse('2026-11-22T09:30:00Z'), agent: 'Ivan' };
    assert.deepEqual(actions, [
      {
        kind: 'reply',
        id: '7',
        ...common,
        text: 'see it',
        html: '<p>see <b>it</b></p>',
        attachments: [
          { id: '3', name: 'a.png', mediaType: 'image/png', size: 7 },
          { id: '4', name: 'log.txt', mediaType: 'text/plain', size: 5 },
        ],
      },
      { kind: 'note', id: '8', ...common, text: 'inside', html: undefined, attachments: [] },
      { kind: 'status', id: '9', ...common, status: 'solved' },
      { kind: 'status', id: '10', ...common, status: 'closed' },
      { kind: 'ignored', name: 'status parked', reason: 'none of ours is called that: see `statuses`' },
      { kind: 'ignored', name: 'Correspond', reason: 'ann@example.com is no agent there, and wrote himself' },
    ]);
    assert.equal(cursor, '12');
    const bytes = await (
      await open(tracker)
    ).download!({ id: '3', name: 'a.png', mediaType: 'image/png' }, payloadOf(Buffer.alloc(0)));
    assert.equal(await text(bytes), 'picture');
  });

  it('are only of tickets that we made, and never our own acts nor those of RT’s rules', async () => {
    const tracker = createTracker();
    await read(await open(tracker));
    const query = new URL(tracker.asked[0]!.url).searchParams.get('query')!;
    for (const part of [
      "TicketCreator = '__CurrentUser__'",
      "Creator != '__CurrentUser__'",
      "Creator != 'RT_System'",
      'id > 0',
    ]) {
      assert.ok(query.includes(part), query);
    }
  });

  it('are fetched once, also what can be seen late, and to the end', async () => {
    const tracker = createTracker({
      kept: Array.from({ length: 150 }, (_, n) => ({ id: 1000 + n, type: 'Status', status: 'open' })),
    });
    const rt = await open(tracker);
    let page = await read(rt);
    const seen = [page.items.length];
    while (page.more) seen.push((page = await read(rt, page.cursor)).items.length);
    // Nine of ten are asked for again, so that none is missed that could not be seen yet.
    assert.deepEqual([seen, page.cursor], [[100, 10, 10, 10, 10, 10, 0], '1149']);
    tracker.kept.push({ id: 1200, type: 'Status', status: 'open' });
    const third = await read(rt, page.cursor);
    assert.deepEqual([third.items.length, third.cursor, third.more], [1, '1200', false]);
    tracker.kept.push({ id: 1195, type: 'Status', status: 'open' });
    assert.deepEqual(
      (await read(rt, third.cursor)).actions.map((action) => ('id' in action ? action.id : '')),
      ['1195'],
    );
    assert.deepEqual((await read(rt, third.cursor)).items, []);
    // A process that has just begun asks again; the host knows what was done.
    assert.ok((await read(await open(tracker), third.cursor)).items.length > 0);
  });

  it('end where RT gives the same full page again', async () => {
    const tracker = createTracker({
      kept: Array.from({ length: 100 }, (_, n) => ({ id: 1 + n, type: 'Status', status: 'open' })),
    });
    const rt = await open(tracker);
    const first = await read(rt);
    assert.equal(first.more, true);
    assert.equal((await read(rt, first.cursor)).more, false);
  });

  it('are words without the quote above them', () => {
    assert.equal(withoutQuote('On Mon Nov 23 2026, ann wrote:\n> it burns\n> still\n\nCall 911.'), 'Call 911.');
    assert.equal(withoutQuote('He wrote:\nthe letter'), 'He wrote:\nthe letter');
    assert.equal(withoutQuote('> only a quote'), '> only a quote');
    const began = performance.now();
    withoutQuote('x wrote:\n'.repeat(50_000));
    assert.ok(performance.now() - began < 2000);
  });
});
