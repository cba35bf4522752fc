import assert from 'node:assert/strict';
import { asterisk } from '../src/connectors/asterisk/asterisk.ts';
import type { Channel } from '../src/core/connector.ts';
import { AuthExpiredError, PermanentError, RetryableError, UncertainError } from '../src/core/errors.ts';
import { AMI_SECRET, channel, startAsterisk, told, type FakeAsterisk } from './fakes/asterisk.ts';
import { createHttp, type Egress } from '../src/http/http.ts';
import { fakeContext, type FakeContext } from './fakes/context.ts';
import { selfSigned } from './fakes/self-signed.ts';
import { until } from './fakes/until.ts';

describe('A connection to an Asterisk', () => {
  let pbx: FakeAsterisk;
  let context: FakeContext;
  const resolved: string[] = [];
  const egresses: Egress[] = [];
  const ended = new AbortController();

  async function open(more: object = {}, options: { readonly tls?: boolean } = {}): Promise<Channel> {
    pbx = await startAsterisk(options);
    const egress = createHttp({
      allow: [],
      resolve: async (host) => {
        resolved.push(host);
        return [{ address: '127.0.0.1', family: 4 }];
      },
    });
    egresses.push(egress);
    const hosts = ['pbx.example.com', 'desk.example.test', '127.0.0.1'].map((host) => `${host}:${pbx.port}`);
    context = fakeContext({ http: egress.for({ hosts }) });
    const settings = { host: 'pbx.example.com', port: pbx.port, user: 'tributary', secret: AMI_SECRET, ...more };
    return asterisk.open(asterisk.config.parse(settings), context);
  }
  afterEach(async () => {
    await pbx.close();
    for (const egress of egresses.splice(0)) egress.close();
  });
  after(() => ended.abort());

  const nowhere = async () => undefined;
  const actions = () => pbx.actions.map(({ action }) => action);
  const rejects = (promise: Promise<unknown>, kind: new (...given: never[]) => Error, words: RegExp) =>
    assert.rejects(
      promise,
      (error) => error instanceof kind && words.test(error.message) && !error.message.includes(AMI_SECRET),
    );

  it('proves that it knows the secret without telling it, at an address that may be called', async () => {
    const pbxChannel = await open();
    assert.match(await pbxChannel.test!(), /^Asterisk Call Manager\/7\.0\.3 lets tributary in; channels now: 0/);
    assert.equal(resolved.at(-1), 'pbx.example.com');
    const login = pbx.actions.find(({ action }) => action === 'Login')!;
    assert.deepEqual([login['authtype'], login['secret']], ['MD5', undefined]);
    assert.ok(!JSON.stringify(pbx.actions).includes(AMI_SECRET));
    await pbx.close();
    const inner = await open({ host: 'inner.example.com' });
    await rejects(inner.test!(), PermanentError, /this address may not be called/);
    assert.deepEqual(pbx.actions, []);
  });

  it('tells the secret where there is no challenge only if nobody can hear it', async () => {
    const none = ({ action }: Readonly<Record<string, string>>) =>
      action === 'Challenge' ? { Response: 'Error', Message: 'Must specify AuthType' } : undefined;
    const plain = await open();
    pbx.whim = none;
    await rejects(plain.test!(), PermanentError, /offers no MD5 challenge/);
    assert.ok(!JSON.stringify(pbx.actions).includes(AMI_SECRET));
    await pbx.close();
    const here = await open({ host: '127.0.0.1' });
    pbx.whim = none;
    await here.test!();
    await pbx.close();
    const guarded = await open({ host: 'desk.example.test', tls: { ca: selfSigned.cert } }, { tls: true });
    pbx.whim = none;
    await guarded.test!();
    assert.equal(pbx.actions.find(({ action }) => action === 'Login')!['secret'], AMI_SECRET);
  });

  it('trusts no certificate of another name or authority', async () => {
    for (const more of [
      { host: 'desk.example.test', tls: {} },
      { host: 'pbx.example.com', tls: { ca: selfSigned.cert } },
    ]) {
      const guarded = await open(more, { tls: true });
      await rejects(guarded.test!(), RetryableError, /the connection failed/);
      assert.deepEqual(pbx.actions, []);
      await pbx.close();
    }
  });

  it('says whether the secret is wrong, or what the user may not do', async () => {
    const pbxChannel = await open();
    pbx.whim = ({ action }) =>
      action === 'Login' ? { Response: 'Error', Message: 'Authentication failed' } : undefined;
    await rejects(pbxChannel.test!(), AuthExpiredError, /does not let tributary in: Authentication failed/);
    pbx.whim = ({ action }) =>
      action === 'CoreShowChannels' ? { Response: 'Error', Message: 'Permission denied' } : undefined;
    await rejects(pbxChannel.test!(), PermanentError, /which calls are going on: Permission denied/);
  });

  it('gives up who does not answer, at the login and later', async () => {
    const pbxChannel = await open();
    pbx.whim = () => 'silent';
    const mute = rejects(pbxChannel.stream!(undefined, nowhere, ended.signal), RetryableError, /does not answer/);
    await until(() => pbx.actions.length === 1);
    await context.clock.advance(30_000);
    await mute;
    pbx.whim = ({ action }) => (action === 'Ping' ? 'silent' : undefined);
    const stored: string[] = [];
    const emit = async ({ body }: { body: Buffer }) => void stored.push(body.toString());
    const dead = rejects(pbxChannel.stream!(undefined, emit, ended.signal), RetryableError, /no longer answers/);
    await until(() => stored.length === 1);
    await context.clock.advance(30_000);
    await until(() => actions().includes('Ping'));
    await context.clock.advance(15_000);
    await dead;
  });

  it('keeps who answers', async () => {
    const pbxChannel = await open();
    const over = new AbortController();
    const stored: string[] = [];
    const emit = async ({ body }: { body: Buffer }) => void stored.push(body.toString());
    const running = pbxChannel.stream!(undefined, emit, over.signal);
    running.catch(() => undefined);
    await until(() => stored.length === 1);
    for (let nth = 1; nth <= 3; nth++) {
      await context.clock.advance(30_000);
      await until(() => actions().filter((each) => each === 'Ping').length === nth);
      // Its answer has come before this has.
      const one = channel('PJSIP/provider', nth, { number: '+380501234567', exten: '044' });
      pbx.tell(told.begins(one));
      await until(() => stored.length === nth + 1);
      await context.clock.advance(15_000);
    }
    assert.equal(pbx.logins(), 1);
    over.abort(new RetryableError('the channel is being closed'));
    await rejects(running, RetryableError, /being closed/);
  });

  it('begins again where what was told could not be stored', async () => {
    const pbxChannel = await open();
    const one = channel('PJSIP/provider', 1, { number: '+380501234567', exten: '044' });
    const cursors: (string | undefined)[] = [];
    const stored: string[] = [];
    const emit = async ({ body }: { body: Buffer }, cursor?: string) => {
      if (body.includes('"ended"')) throw new RetryableError('the disk is full');
      stored.push(body.toString());
      cursors.push(cursor);
    };
    const running = pbxChannel.stream!(undefined, emit, ended.signal);
    running.catch(() => undefined);
    await until(() => stored.length === 1);
    pbx.tell(told.begins(one), told.ends(one));
    await rejects(running, RetryableError, /disk is full/);
    const again: string[] = [];
    const over = new AbortController();
    const going = pbxChannel.stream!(cursors.at(-1), async ({ body }) => void again.push(body.toString()), over.signal);
    going.catch(() => undefined);
    await until(() => again.length === 2);
    assert.deepEqual(
      again.map((body) => /"ended":"gone"/.test(body)),
      [true, false],
    );
    over.abort(new RetryableError('closed'));
    await going.catch(() => undefined);
  });

  it('rings at the agent’s, then at the customer’s, and says when nobody knows', async () => {
    const pbxChannel = await open({ dialContext: 'from-internal' });
    const wish = { id: 'wish-1', to: '+380501234567', agent: '101' };
    await pbxChannel.callBack!(wish, ended.signal);
    const { channel: rung, context: where, exten, async, priority } = pbx.actions.at(-1)!;
    assert.deepEqual(
      [rung, where, exten, async, priority],
      ['Local/101@from-internal', 'from-internal', wish.to, 'true', '1'],
    );
    const count = pbx.actions.length;
    for (const agent of ['101@other', '101/n', '101\r\nAction: Command', '', '101,s', '101&102']) {
      await rejects(pbxChannel.callBack!({ ...wish, agent }, ended.signal), PermanentError, /no extension/);
    }
    for (const to of ['', 'anna', '+38050@x', '112;s']) {
      await rejects(pbxChannel.callBack!({ ...wish, to }, ended.signal), PermanentError, /none that can be dialled/);
    }
    assert.equal(pbx.actions.length, count);
    pbx.whim = ({ action }) =>
      action === 'Originate' ? { Response: 'Error', Message: 'Extension does not exist.' } : undefined;
    await rejects(pbxChannel.callBack!(wish, ended.signal), PermanentError, /Extension does not exist/);
    pbx.whim = ({ action }) => {
      if (action === 'Originate') pbx.cut();
      return undefined;
    };
    await rejects(pbxChannel.callBack!(wish, ended.signal), UncertainError, /nobody knows whether it rings/);
    await pbx.close();
    const closed = await open({ dialContext: 'from-internal' });
    await pbx.close();
    await rejects(closed.callBack!(wish, ended.signal), RetryableError, /the connection failed/);
  });
});
