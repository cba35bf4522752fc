import assert from 'node:assert/strict';
import { slack } from '../src/connectors/slack/slack.ts';
import type { ItemInput } from '../src/core/envelope.ts';
import { BadPayloadError } from '../src/core/errors.ts';
import { hmac } from '../src/core/signature.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import { samplePayload } from './fakes/samples.ts';
import { AT, BOT_TOKEN, SIGNING_SECRET } from './fakes/slack.ts';

const TS = `${AT}.000100`;
const HEADERS = { 'content-type': 'application/json' };

describe('An event of Slack', () => {
  const open = () =>
    slack.open(
      slack.config.parse({ botToken: BOT_TOKEN, mode: 'webhook', signingSecret: SIGNING_SECRET }),
      fakeContext({ id: 'slack', clock: fakeClock(AT * 1000) }),
    );
  async function itemOf(event: object, delivery: object = {}): Promise<ItemInput> {
    const authorizations = [{ user_id: 'U0SELF', is_bot: true }];
    const whole = { type: 'event_callback', team_id: 'T1', api_app_id: 'A1', authorizations, event, ...delivery };
    const channel = await open();
    const [item] = await channel.normalize(samplePayload(Buffer.from(JSON.stringify(whole)), HEADERS));
    return item!;
  }
  const message = { type: 'message', user: 'U1', ts: TS, text: 'Hello', channel: 'C1', channel_type: 'channel' };
  const said = async (more: object, delivery: object = {}) => {
    const item = await itemOf({ ...message, ...more }, delivery);
    assert.ok(item.kind === 'message', item.kind);
    return item;
  };

  it('signed at no time is refused, whatever the signature', async () => {
    const { webhook } = await open();
    const body = Buffer.from('{}');
    const verify = async (timestamp: string) => {
      const signature = `v0=${hmac('sha256', SIGNING_SECRET, `v0:${timestamp}:`, body).toString('hex')}`;
      const headers = { 'x-slack-request-timestamp': timestamp, 'x-slack-signature': signature };
      await webhook!.verify(samplePayload(body, headers));
    };
    await verify(String(AT));
    for (const wrong of ['now', 'NaN', `${AT}x`]) await assert.rejects(verify(wrong), BadPayloadError, wrong);
  });

  it('is our own by the user of the app, and not by a person who installed it', async () => {
    const installed = { authorizations: [{ user_id: 'U1', is_bot: false }] };
    assert.equal((await said({}, installed)).direction, 'inbound');
    const ours = { authorizations: [{ user_id: 'U1', is_bot: true }] };
    assert.equal((await itemOf(message, ours)).kind, 'ignored');
  });

  it('keeps who is addressed, unless that is the app and something else is said', async () => {
    assert.equal((await said({ text: '<@U0SELF> please' })).text, 'please');
    assert.equal((await said({ text: '<@U2OTHER> please' })).text, '@U2OTHER please');
    assert.equal((await said({ text: '<@U0SELF>' })).text, '@U0SELF');
  });

  it('refers to the beginning of its thread, and that to nothing', async () => {
    assert.deepEqual((await said({ thread_ts: TS })).thread?.references, []);
    assert.deepEqual((await said({ thread_ts: '1.2' })).thread?.references, ['C1:1.2']);
  });

  it('is of one conversation in a direct message, by whatever name it comes, and of a thread elsewhere', async () => {
    const where = async (more: object) => (await said(more)).thread;
    const direct = { externalId: 'D1', references: [] };
    assert.deepEqual(await where({ channel: 'D1', channel_type: 'im' }), direct);
    assert.deepEqual(await where({ channel: 'D1', channel_type: 'app_home' }), direct);
    assert.deepEqual(await where({ channel: 'D1', channel_type: undefined }), direct);
    assert.deepEqual(await where({}), { externalId: `C1:${TS}`, shared: true, references: [] });
  });

  it('is an edit where words have changed, and not of what nobody said', async () => {
    const change = (now: object, before: object) => {
      const of = (more: object) => ({ ...message, ...more });
      return itemOf({
        ...{ type: 'message', subtype: 'message_changed', channel: 'C1', event_ts: '2.0' },
        ...{ message: of(now), previous_message: of(before) },
      });
    };
    assert.equal((await change({ text: 'Hello!' }, {})).kind, 'message');
    assert.equal((await change({}, {})).kind, 'ignored');
    assert.equal(
      (await change({ subtype: 'channel_topic', text: 'New' }, { subtype: 'channel_topic' })).kind,
      'ignored',
    );
  });

  it('is read also where its blocks hold nothing, or emoji that are none', async () => {
    const emoji = (unicode: unknown, name: unknown = 'wave') => ({ type: 'emoji', name, unicode });
    const elements = [emoji('1f44b'), emoji('zz', 'bad'), emoji(7, 'number'), emoji('1f44b', 7), null];
    const blocks = [null, { type: 'rich_text', elements }, { type: 'section', elements: null, fields: [null] }];
    assert.equal((await said({ text: ':wave: :bad: :number:', blocks })).text, '👋 :bad: :number:');
    assert.equal(
      (await said({ text: '', blocks: [...blocks, { type: 'section', text: { text: 'Words' } }] })).text,
      'Words',
    );
  });
});
