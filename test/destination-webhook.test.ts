import assert from 'node:assert/strict';
import { Webhook } from 'standardwebhooks';
import type { z } from 'zod';
import type { Destination } from '../src/core/destination.ts';
import { PermanentError } from '../src/core/errors.ts';
import type { Change, ChangeType } from '../src/core/ticket.ts';
import { webhook } from '../src/dispatch/webhook/webhook.ts';
import type { Egress } from '../src/http/http.ts';
import { createHttp } from '../src/http/http.ts';
import { fakeClock, type FakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import type { Receiver } from './fakes/receiver.ts';
import { startReceiver } from './fakes/receiver.ts';

const SECRET = 'whsec_c2FtcGxlLXNlY3JldC1mb3ItdGhlLWV2ZW50cw==';
const PREVIOUS = 'whsec_cHJldmlvdXMtc2FtcGxlLXNlY3JldC1vZi1ldmVudHM=';

describe('the webhook destination', () => {
  let far: Receiver;
  let egress: Egress;
  let clock: FakeClock;

  before(async () => {
    // The library compares with the real time, and this may run long after it was loaded.
    clock = fakeClock(Date.now());
    far = await startReceiver();
    egress = createHttp({ allow: ['127.0.0.1'], clock });
  });
  after(async () => {
    egress.close();
    await far.close();
  });
  beforeEach(() => {
    far.requests.length = 0;
    far.behave({ status: 204 });
  });

  async function open(settings: Partial<z.input<typeof webhook.config>> = {}): Promise<Destination> {
    const config = webhook.config.parse({ url: `${far.origin}/hooks`, secret: SECRET, ...settings });
    return webhook.open(config, fakeContext({ id: 'crm', clock, http: egress.for({ hosts: [] }) }));
  }

  const change = (type: ChangeType): Change => ({
    seq: 7,
    type,
    timestamp: '2026-11-22T10:00:00.000Z',
    data: { version: 3, note: 'Привіт 🙂 <b>' },
  });

  const verify = (secret: string, index = 0): unknown => {
    const { body, headers } = far.requests[index]!;
    return new Webhook(secret).verify(body, headers as Record<string, string>);
  };

  it('posts what receivers can verify with the usual library', async () => {
    await (
      await open()
    ).notify!({ id: 'tsk_1', change: change('ticket.updated') });
    const { seq: _seq, ...rest } = change('ticket.updated');
    assert.deepEqual(verify(SECRET), rest);
    assert.equal(far.requests[0]?.headers['webhook-id'], 'tsk_1');
    assert.throws(() => verify(PREVIOUS));
  });

  it('signs with both secrets while one replaces the other', async () => {
    await (
      await open({ previousSecret: PREVIOUS })
    ).notify!({ id: 'tsk_1', change: change('ticket.updated') });
    verify(SECRET);
    verify(PREVIOUS);
  });

  it('keeps the id over all tries and signs each with its own time', async () => {
    const destination = await open();
    await destination.notify!({ id: 'tsk_1', change: change('ticket.updated') });
    clock.jump(120_000);
    await destination.notify!({ id: 'tsk_1', change: change('ticket.updated') });
    clock.jump(-120_000);
    const [first, second] = far.requests.map(({ headers }) => headers);
    assert.equal(first?.['webhook-id'], second?.['webhook-id']);
    assert.equal(Number(second?.['webhook-timestamp']) - Number(first?.['webhook-timestamp']), 120);
    verify(SECRET, 1);
    assert.deepEqual(far.requests[0]?.body, far.requests[1]?.body);
  });

  it('posts only the types that were asked for', async () => {
    const destination = await open({ events: ['ticket.created'] });
    await destination.notify!({ id: 'tsk_1', change: change('message.received') });
    await destination.notify!({ id: 'tsk_2', change: change('ticket.created') });
    assert.deepEqual(
      far.requests.map(({ headers }) => headers['webhook-id']),
      ['tsk_2'],
    );
  });

  it('sends the headers that the receiver wants', async () => {
    await (
      await open({ headers: { 'X-Api-Key': 'k-1' } })
    ).notify!({ id: 'tsk_1', change: change('ticket.updated') });
    assert.equal(far.requests[0]?.headers['x-api-key'], 'k-1');
    verify(SECRET);
  });

  it('pings', async () => {
    assert.match(await (await open({ events: ['ticket.created'] })).test!(), /took the test\.ping \(204\)/);
    assert.deepEqual((verify(SECRET) as { type: string }).type, 'test.ping');
  });

  it('says who asked never to be called again', async () => {
    far.behave({ status: 410 });
    await assert.rejects(
      (await open()).notify!({ id: 'tsk_1', change: change('ticket.updated') }),
      (error) => error instanceof PermanentError && error.gone,
    );
  });

  it('refuses settings that could not work, and says what to do', () => {
    const wrong = (settings: object) => {
      const result = webhook.config.safeParse({ url: 'https://crm.example.com/hooks', secret: SECRET, ...settings });
      return JSON.stringify(result.error?.issues ?? 'accepted');
    };
    assert.equal(wrong({}), '"accepted"');
    const key = (bytes: number) => `whsec_${Buffer.alloc(bytes, 'k').toString('base64')}`;
    assert.equal(wrong({ secret: key(24) }), '"accepted"');
    for (const secret of [
      key(23),
      'whsec_',
      'secret',
      SECRET.slice(6),
      `${SECRET}!`,
      `whsec_${'not base64!'.repeat(9)}`,
    ]) {
      assert.match(
        wrong({ secret }),
        /at least 24 bytes.*tributary sign --new-secret|tributary sign --new-secret.*24 bytes/,
        secret,
      );
    }
    assert.match(wrong({ secret: undefined }), /secret/);
    assert.match(wrong({ previousSecret: 'short' }), /new-secret/);
    assert.match(wrong({ url: 'https://user:pass@crm.example.com/' }), /user name or password/);
    assert.doesNotMatch(wrong({ url: 'https://user:p4ss@crm.example.com/' }), /p4ss/);
    for (const url of ['ftp://crm.example.com/', 'javascript:alert(1)', 'crm.example.com', '/hooks']) {
      assert.match(wrong({ url }), /not an http or https address/, url);
    }
    assert.match(wrong({ events: ['ticket.exploded'] }), /events/);
    assert.match(wrong({ events: [] }), /events/);
    for (const name of [
      'webhook-id',
      'Webhook-Signature',
      'Content-Length',
      'host',
      'transfer-encoding',
      'a b',
      'a\r\nb',
    ]) {
      assert.match(wrong({ headers: { [name]: 'x' } }), /headers/, name);
    }
    assert.match(wrong({ headers: { 'x-a': 'b\r\nx-c: d' } }), /no header may have/);
    assert.match(wrong({ surprise: 1 }), /surprise/);
  });
});
