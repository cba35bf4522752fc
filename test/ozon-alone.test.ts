import assert from 'node:assert/strict';
import { ozon } from '../src/connectors/ozon/ozon.ts';
import type { Raw, Reply } from '../src/core/connector.ts';
import { PermanentError, RateLimitedError } from '../src/core/errors.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import { sampleMessage } from './fakes/gateway.ts';
import * as stand from './fakes/ozon.ts';
import type { FakeOzon } from './fakes/ozon.ts';

const NOW = Date.parse('2026-11-23T10:00:00Z');

describe('One thing at Ozon', () => {
  let api: FakeOzon;
  let egress: Egress;
  beforeEach(async () => {
    api = await stand.startOzon();
    egress = createHttp({ allow: ['127.0.0.1'] });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  async function open(parts: readonly string[] = ['reviews']) {
    const config = ozon.config.parse({ clientId: stand.CLIENT, apiKey: stand.KEY, apiRoot: api.root, parts });
    const context = fakeContext({ id: 'oz', http: egress.for({ hosts: [] }), clock: fakeClock(NOW) });
    return { channel: await ozon.open(config, context), clock: context.clock, log: context.log };
  }

  /** What some minutes hand over, asked as the host does. */
  async function session(part: string) {
    const { channel, clock, log } = await open([part]);
    const fails: unknown[] = [];
    let cursor: string | undefined;
    async function pass(minutes: number): Promise<string[]> {
      const raws: Raw[] = [];
      for (let i = 0; i < minutes * 12; i++) {
        try {
          const page = await channel.poll!(cursor, new AbortController().signal);
          raws.push(...page.items);
          cursor = page.cursor;
        } catch (error) {
          fails.push(error);
        }
        clock.jump(5000);
      }
      return raws.map(({ body }) => {
        const { id, comment, message } = JSON.parse(body.toString()) as {
          readonly id?: string;
          readonly comment?: { readonly id: string };
          readonly message?: { readonly message_id: string };
        };
        return comment?.id ?? message?.message_id ?? id ?? '';
      });
    }
    return { pass, fails, log };
  }
  const refusals = [stand.refused(400, 3, 'invalid argument'), stand.refused(404, 5, 'not found')];

  async function send(thread: string, given: Partial<Reply> & { text?: string } = {}) {
    const sent: string[] = [];
    const reply = {
      ...{ id: 'tsk_1', thread, message: sampleMessage({ text: given.text ?? 'Спасибо!' }) },
      ...{ answers: sampleMessage({ externalId: thread }), sent: [], references: [] },
      partSent: async (name: string) => void sent.push(name),
      ...given,
    } as unknown as Reply;
    const { channel } = await open();
    await channel.reply!(reply);
    return sent;
  }

  it('that was answered is not answered again', async () => {
    api.reviews.set('r', stand.review('r'));
    api.questions.set('q', stand.question('q'));
    const sent = [{ externalId: 'made-1' }];
    assert.deepEqual([await send('review:r', { sent }), await send('question:q', { sent })], [[], []]);
    assert.deepEqual(api.calls, []);
  });

  it('that Ozon refuses holds up no other chat, and is read when it moves', async () => {
    const at = (ms: number) => new Date(NOW + ms).toISOString();
    for (const refused of refusals) {
      for (const id of ['a', 'b']) {
        api.chats.set(id, { type: 'BUYER_SELLER', messages: [stand.said(`${id}1`, at(0), ['?'])] });
      }
      api.end('/v3/chat/history', refused);
      const { pass, fails, log } = await session('chats');
      assert.deepEqual([await pass(5), fails], [['b1'], []]);
      assert.deepEqual(
        log.entries.map(({ level, fields }) => [level, 'chat' in fields && fields.chat]),
        [['warn', 'a']],
      );
      api.chats.get('a')!.messages.push(stand.said('a2', at(300_000), ['!']));
      assert.deepEqual(await pass(5), ['a1', 'a2']);
    }
    api.end('/v3/chat/history', stand.NO_ROLE);
    const { pass, fails } = await session('chats');
    assert.deepEqual(await pass(5), []);
    assert.ok(fails[0] instanceof PermanentError, 'the right is missing: that is said');
  });

  it('that Ozon refuses holds up no other review, and is asked for again', async () => {
    for (const refused of refusals) {
      for (const id of ['a', 'b']) {
        api.reviews.set(id, stand.review(id, { comments_amount: 1 }));
        api.comments.set(id, [stand.comment(`${id}1`, 'Да')]);
      }
      api.end('/v1/review/comment/list', refused);
      const { pass, fails, log } = await session('reviews');
      assert.deepEqual([await pass(4), fails], [['a', 'b', 'b1'], []]);
      assert.equal(log.entries.length, 1);
      assert.deepEqual(await pass(10), ['a1']);
    }
  });

  it('of which Ozon does not say whether it is gone holds up nothing', async () => {
    for (const id of ['a', 'b']) api.reviews.set(id, stand.review(id));
    const { pass, fails } = await session('reviews');
    await pass(5);
    api.reviews.delete('a');
    api.end('/v2/review/info', refusals[0]!);
    api.reviews.set('c', stand.review('c'));
    assert.deepEqual([await pass(12), fails], [['c'], []]);
    api.reviews.delete('b');
    assert.deepEqual(await pass(12), ['b'], 'the next is looked for');
    assert.equal(api.callsOf('/v2/review/info').length, 2);
  });

  it('goes on behind a part that says the same as an earlier answer', async () => {
    api.chats.set('c', { type: 'BUYER_SELLER', messages: [] });
    // As the store keeps them: a name once.
    const parts = new Map<string, string>();
    const answer = (id: string, text: string) =>
      send('chat:c', {
        ...{ id, message: sampleMessage({ text }) },
        sent: [...parts].filter(([, of]) => of === id).map(([externalId]) => ({ externalId })),
        partSent: async (name) => void (parts.has(name) || parts.set(name, id)),
      });
    const text = `${'а'.repeat(990)} ${'б'.repeat(990)}`;
    await answer('tsk_1', 'а'.repeat(990));
    api.end('/v1/chat/send/message', { status: 200, body: { result: 'success' } }, stand.TOO_MANY);
    await assert.rejects(answer('tsk_2', text), RateLimitedError);
    await answer('tsk_2', text);
    const said = api.callsOf('/v1/chat/send/message').map((body) => String(body['text'])[0]);
    assert.deepEqual(said, ['а', 'а', 'б', 'б'], 'the last was refused once');
  });
});
