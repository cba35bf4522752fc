import assert from 'node:assert/strict';
import { ozon } from '../src/connectors/ozon/ozon.ts';
import type { Reply } from '../src/core/connector.ts';
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
});
