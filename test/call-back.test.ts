import assert from 'node:assert/strict';
import type { CallBack } from '../src/core/connector.ts';
import { PermanentError, UncertainError } from '../src/core/errors.ts';
import type { Customer } from '../src/core/ticket.ts';
import { startApi, type StartedApi } from './fakes/api.ts';

const OLENA = '+380671234567';

describe('calling a customer back', () => {
  let started: StartedApi;
  let wishes: CallBack[];
  let answer: () => Promise<{ externalId?: string }>;

  const customer = (id: string, ...phones: readonly (readonly [string, 'verified' | 'observed' | 'claimed'])[]) => {
    const at = '2026-11-22T10:00:00.000Z';
    const identifiers = phones.map(([value, trust]) => ({ kind: 'phone', value, trust, firstSeenAt: at }));
    const row: Customer = { id, name: null, locale: null, identifiers, createdAt: at, updatedAt: at, mergedInto: null };
    started.gateway.state.customers.set(id, row);
  };
  const call = (id: string, body: object, headers = {}) =>
    started.call('POST', `/customers/${id}/call`, { body, headers });

  beforeEach(async () => {
    started = await startApi();
    wishes = [];
    answer = () => Promise.resolve({ externalId: 'call-1' });
    const contact = started.gateway.state.endpoints.get('contact')!;
    const callBack = (wish: CallBack) => {
      wishes.push(wish);
      return answer();
    };
    started.gateway.state.endpoints.set('pbx', {
      ...contact,
      id: 'pbx',
      type: 'pbx',
      channel: { normalize: () => [], callBack },
    });
    started.gateway.state.endpoints.set('silent', { ...contact, id: 'silent', channel: { normalize: () => [] } });
    started.gateway.state.endpoints.set('closed', {
      ...contact,
      id: 'closed',
      channel: undefined,
      problem: 'no secret',
    });
    customer('olena', [OLENA, 'observed'], ['+380501112233', 'claimed']);
  });
  afterEach(() => started.stop());

  it('asks the vendor to connect the agent with the number that he is known by', async () => {
    const { status, json } = await call('olena', { channel: 'pbx', agent: '101' });
    assert.deepEqual([status, json], [200, { channel: 'pbx', phone: OLENA, externalId: 'call-1' }]);
    assert.deepEqual(
      wishes.map(({ to, agent }) => [to, agent]),
      [[OLENA, '101']],
    );
    const { action, target, detail } = started.gateway.state.audits.at(-1)!;
    assert.deepEqual([action, target, detail], ['customer.call', 'olena', `pbx ${OLENA} 101`]);
  });

  it('asks once under one Idempotency-Key, whatever the connection does', async () => {
    for (let times = 0; times < 2; times++) {
      const { json } = await call('olena', { channel: 'pbx', agent: '101' }, { 'idempotency-key': 'once' });
      assert.equal(json.externalId, 'call-1');
    }
    assert.equal(wishes.length, 1);
  });

  it('gives the vendor the same key when it is asked again after a failure', async () => {
    answer = () => Promise.reject(new PermanentError('extension 101 is unknown'));
    const headers = { 'idempotency-key': 'again' };
    const refused = await call('olena', { channel: 'pbx', agent: '101' }, headers);
    assert.deepEqual([refused.status, refused.json.detail], [422, 'extension 101 is unknown']);
    answer = () => Promise.resolve({});
    await call('olena', { channel: 'pbx', agent: '101' }, headers);
    assert.equal(new Set(wishes.map(({ id }) => id)).size, 1);
  });

  it('says that it may ring, and not to come again', async () => {
    answer = () => Promise.reject(new UncertainError('no answer in time'));
    const { status, json, headers } = await call('olena', { channel: 'pbx', agent: '101' });
    assert.deepEqual([status, json.code, headers['retry-after']], [502, 'uncertain', undefined]);
  });

  it('wants to know which number, and takes only his own', async () => {
    customer('two', [OLENA, 'verified'], ['+380671110000', 'observed']);
    customer('none', ['+380501112233', 'claimed']);
    const tries = [
      ['two', {}, 422],
      ['two', { phone: '+380671110000' }, 200],
      ['two', { phone: '+380509998877' }, 422],
      ['olena', { phone: '+380501112233' }, 422],
      ['none', {}, 422],
      ['nobody', {}, 404],
    ] as const;
    for (const [id, phone, expected] of tries) {
      const { status } = await call(id, { channel: 'pbx', agent: '101', ...phone });
      assert.equal(status, expected, `${id} ${JSON.stringify(phone)}`);
    }
    assert.deepEqual(
      wishes.map(({ to }) => to),
      ['+380671110000'],
    );
  });

  it('says why a channel can’t call', async () => {
    const tries = [
      ['silent', 422],
      ['closed', 409],
      ['crm', 404],
      ['unknown', 404],
    ] as const;
    for (const [channel, expected] of tries) {
      assert.equal((await call('olena', { channel, agent: '101' })).status, expected, channel);
    }
  });
});
