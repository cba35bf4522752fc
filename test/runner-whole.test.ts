import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { startReceiver, type Receiver } from './fakes/receiver.ts';
import { startWhole, type Whole } from './fakes/whole.ts';
import { until } from './fakes/until.ts';

/** A polled channel in a whole gateway, set up, repaired and removed over the API. */
describe('a polled channel made over the API', () => {
  let whole: Whole;
  let vendor: Receiver;
  beforeEach(async () => {
    vendor = await startReceiver();
    vendor.behave(({ url }) => {
      const known = url.includes('/bot2:');
      const body = known ? { ok: true, result: [] } : { ok: false, error_code: 401, description: 'Unauthorized' };
      return { status: known ? 200 : 401, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    });
    whole = await startWhole({ yaml: 'egress: { allow: [127.0.0.1] }\n' });
  });
  afterEach(async () => {
    await whole.close();
    await vendor.close();
  });

  interface Health {
    readonly state: string;
    readonly failures: number;
    readonly lastError: string | null;
  }
  const healthOf = (id: string) => whole.api<Health>(`/channels/${id}/health`);
  it('is polled at once, says what is wrong in the vendor’s words, and goes on when it is repaired', async () => {
    const settings = { token: '1:first', apiRoot: vendor.origin };
    await whole.api('/channels', { method: 'POST', body: { id: 'bot', type: 'telegram', settings } });
    await until(async () => (await healthOf('bot')).state === 'needs_reauth', 'the alarm');
    assert.match((await healthOf('bot')).lastError!, /401|Unauthorized/);
    assert.doesNotMatch((await healthOf('bot')).lastError!, /1:first/);

    // An operator who says that it is repaired is believed at once, also when he is wrong.
    const before = vendor.requests.length;
    await whole.api('/channels/bot/resume', { method: 'POST', body: {} });
    await until(async () => vendor.requests.length > before, 'another try');

    await whole.api('/channels/bot', { method: 'PATCH', body: { settings: { ...settings, token: '2:second' } } });
    await until(async () => (await healthOf('bot')).state === 'waiting_first', 'the end of the alarm');
    const { data } = await whole.api<{ data: { type: string; data: { endpoint: string; health: string } }[] }>(
      '/changes?after=0',
    );
    const told = data.filter(({ type }) => type === 'channel.health_changed').map(({ data: { health } }) => health);
    assert.deepEqual([told[0], told.at(-1)], ['needs_reauth', 'healthy']);
  });

  it('is not polled any more once it is switched off or removed', async () => {
    const settings = { token: '2:second', apiRoot: vendor.origin };
    for (const end of [{ method: 'PATCH', body: { enabled: false } }, { method: 'DELETE' }]) {
      if (end.method === 'PATCH')
        await whole.api('/channels', { method: 'POST', body: { id: 'bot', type: 'telegram', settings } });
      else await whole.api('/channels/bot', { method: 'PATCH', body: { enabled: true } });
      const before = vendor.requests.length;
      await until(async () => vendor.requests.length > before, 'a poll');
      vendor.behave('hang');
      await whole.api('/channels/bot', end);
      const after = vendor.requests.length;
      await wait(100);
      assert.equal(vendor.requests.length, after);
      vendor.behave({ status: 200, headers: { 'content-type': 'application/json' }, body: '{"ok":true,"result":[]}' });
    }
    assert.equal(await whole.running.gateway.store.read.cursor('bot'), undefined);
  });
});
