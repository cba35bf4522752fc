import assert from 'node:assert/strict';
import { z } from 'zod';
import type { Connector, Context } from '../src/core/connector.ts';
import type { Destination, DestinationType } from '../src/core/destination.ts';
import { BadPayloadError, ConflictError, NotFoundError, RetryableError } from '../src/core/errors.ts';
import type { EndpointInput } from '../src/core/gateway.ts';
import { Secret, secret } from '../src/core/secret.ts';
import type { Store } from '../src/core/store.ts';
import { createVault } from '../src/core/vault.ts';
import type { EndpointDefinition } from '../src/config.ts';
import { createEndpoints } from '../src/endpoints.ts';
import { createHttp, type Egress } from '../src/http/http.ts';
import { fakeLog } from './fakes/context.ts';
import { openFiling, type Filing } from './fakes/filing.ts';
import { startReceiver, type Receiver } from './fakes/receiver.ts';

const CANARY = 'CANARY-0123456789-abcdef';

const Settings = z.strictObject({
  url: z.url(),
  token: secret(),
  nested: z.strictObject({ key: secret().optional(), room: z.string().optional() }).optional(),
  keys: z.array(secret()).optional(),
});

describe('endpoints', () => {
  let filing: Filing;
  let egress: Egress;
  /** What was opened and not closed, and everything that was closed. */
  let open: { readonly id: string; readonly token: string; readonly key: string | undefined }[];
  let closed: string[];
  let failOpen: Error | undefined;
  let failClose: Error | undefined;
  let slow: Promise<void>;
  let contexts: Map<string, Context>;

  beforeEach(async () => {
    filing = await openFiling();
    egress = createHttp({ allow: [] });
    [open, closed, failOpen, failClose, slow] = [[], [], undefined, undefined, Promise.resolve()];
    contexts = new Map();
  });
  afterEach(async () => {
    egress.close();
    await filing.close();
  });

  const about = { title: 'Sample', summary: '', docs: '', stability: 'alpha' } as const;
  const destinationType: DestinationType<typeof Settings> = {
    ...about,
    type: 'sample',
    capabilities: { carries: 'events', idempotent: true, localhost: true, proven: [] },
    config: Settings,
    async open(config, context): Promise<Destination> {
      await slow;
      if (failOpen) throw failOpen;
      contexts.set(context.id, context);
      const opened = { id: context.id, token: config.token.reveal(), key: config.nested?.key?.reveal() };
      open.push(opened);
      return {
        test: async () => `status ${(await context.http.send({ url: config.url })).status}`,
        async close() {
          open = open.filter((each) => each !== opened);
          closed.push(opened.token);
          if (failClose) throw failClose;
        },
      };
    },
  };
  const connector: Connector<typeof Settings> = {
    ...about,
    type: 'chat',
    capabilities: {
      receive: ['webhook'],
      reply: false,
      idempotent: false,
      attachments: { in: false, out: false },
      localhost: true,
      threads: 'person',
      proven: [],
    },
    config: Settings,
    open: () => ({ normalize: () => [], webhook: { verify: () => undefined } }),
  };

  function start(given: { store?: Store; key?: string; destinations?: EndpointDefinition[]; egress?: Egress } = {}) {
    return createEndpoints(
      {
        connectors: [connector],
        destinationTypes: [destinationType],
        publicUrl: 'https://desk.example.com',
        dataDir: '/nowhere',
        clock: filing.clock,
        log: fakeLog(),
        vault: createVault(new Secret(given.key ?? 'a key of this installation, 32 letters')),
        egress: given.egress ?? egress,
        store: given.store ?? filing.store,
        offload: () => Promise.reject(new Error('no threads here')),
      },
      { channels: [], destinations: given.destinations ?? [] },
    );
  }
  const crm: EndpointInput = {
    id: 'crm',
    type: 'sample',
    settings: { url: 'https://crm.example.com', token: CANARY, nested: { key: `${CANARY}-key`, room: 'a' } },
  };
  function fromFile(id: string, settings: { url: string; token: string }, trustedHosts: string[]): EndpointDefinition {
    const config = Settings.parse(settings);
    const source = 'config/tributary.yaml:14';
    return { id, type: 'sample', name: id, enabled: true, config, settings, source, trustedHosts };
  }

  it('are made while everything runs, and are there after a restart', async () => {
    const endpoints = await start();
    const made = await endpoints.create('destination', crm);
    assert.deepEqual([made.name, made.enabled, made.source, made.problem], ['crm', true, null, null]);
    assert.ok(made.destination);
    assert.equal(endpoints.get('crm'), made);
    await endpoints.close();
    const again = await start();
    assert.deepEqual(
      again.all('destination').map(({ id, problem }) => [id, problem]),
      [['crm', null]],
    );
    assert.deepEqual(open, [{ id: 'crm', token: CANARY, key: `${CANARY}-key` }]);
    assert.deepEqual(again.all('channel'), []);
    await again.close();
    assert.deepEqual(open, []);
  });

  it('stay when others are looked for, though no file names them', async () => {
    const builtIn = { ...fromFile('built-in', { url: 'https://crm.example.com', token: CANARY }, []), source: null };
    const endpoints = await start({ destinations: [builtIn] });
    const other = await start();
    await other.create('destination', crm);
    await endpoints.look();
    assert.deepEqual(
      endpoints
        .all('destination')
        .map(({ id }) => id)
        .toSorted(),
      ['built-in', 'crm'],
    );
    await other.remove('crm');
    await endpoints.look();
    assert.deepEqual(
      endpoints.all('destination').map(({ id }) => id),
      ['built-in'],
    );
    await Promise.all([endpoints.close(), other.close()]);
  });

  it('show their secrets masked, at every depth', async () => {
    const endpoints = await start();
    const keys = [`${CANARY}-1`, `${CANARY}-2`];
    const { settings } = await endpoints.create('destination', { ...crm, settings: { ...crm.settings, keys } });
    assert.deepEqual(settings, {
      url: 'https://crm.example.com',
      token: '••••cdef',
      nested: { key: '••••-key', room: 'a' },
      keys: ['••••ef-1', '••••ef-2'],
    });
  });

  it('keep a secret whose mask comes back, and take a new one', async () => {
    const endpoints = await start();
    const { settings } = await endpoints.create('destination', crm);
    await endpoints.update('crm', { settings: { ...settings, url: 'https://other.example.com' } });
    assert.deepEqual(open, [{ id: 'crm', token: CANARY, key: `${CANARY}-key` }]);
    const nested = settings['nested'] as object;
    await endpoints.update('crm', { settings: { ...settings, token: 'a new one', nested: { ...nested, room: 'b' } } });
    assert.deepEqual(open, [{ id: 'crm', token: 'a new one', key: `${CANARY}-key` }]);
    await endpoints.close();
    await start();
    assert.equal(open[0]!.token, 'a new one');
  });

  it('do not take a mask for a secret where there was none', async () => {
    const endpoints = await start();
    const settings = { url: 'https://crm.example.com', token: '••••cdef' };
    await assert.rejects(
      endpoints.create('destination', { ...crm, settings: { ...settings, nested: { key: '••••' } } }),
      BadPayloadError,
    );
    const made = await endpoints.create('destination', { ...crm, settings: { ...settings, token: CANARY } });
    await endpoints.update('crm', { settings: { ...made.settings, nested: { key: '••••' } } });
    assert.deepEqual(open, [{ id: 'crm', token: CANARY, key: undefined }]);
  });

  it('close the old one only after the new one is open', async () => {
    const endpoints = await start();
    await endpoints.create('destination', crm);
    const settings = { ...crm.settings, token: 'second' };
    failOpen = new Error('the vendor’s package is broken');
    await assert.rejects(endpoints.update('crm', { settings }), (error) => {
      assert.ok(error instanceof BadPayloadError);
      assert.deepEqual([error.status, error.problems[0]!.pointer], [422, '/settings']);
      return true;
    });
    assert.deepEqual([open.map(({ token }) => token), closed], [[CANARY], []]);
    failOpen = undefined;
    await endpoints.update('crm', { settings });
    assert.deepEqual([open.map(({ token }) => token), closed], [['second'], [CANARY]]);
  });

  /** On a store that can't write while its disk is full. */
  async function startOnDisk() {
    const disk = { full: false };
    const store: Store = {
      ...filing.store,
      write: (locks, work) =>
        disk.full ? Promise.reject(new RetryableError('the disk is full')) : filing.store.write(locks, work),
    };
    return { endpoints: await start({ store }), disk };
  }

  it('stay as they are when the store can’t write, and leave nothing open behind', async () => {
    const { endpoints, disk } = await startOnDisk();
    await endpoints.create('destination', crm);
    disk.full = true;
    await assert.rejects(endpoints.update('crm', { settings: { ...crm.settings, token: 'second' } }), RetryableError);
    await assert.rejects(endpoints.create('destination', { ...crm, id: 'other' }), RetryableError);
    await assert.rejects(endpoints.remove('crm'), RetryableError);
    assert.deepEqual(
      open.map(({ id, token }) => [id, token]),
      [['crm', CANARY]],
    );
    assert.deepEqual(
      endpoints.all().map(({ id }) => id),
      ['crm'],
    );
  });

  it('made, changed and removed in another process are so here too at the next look, and are opened once', async () => {
    const [here, there] = [await start(), await start()];
    const told: (string | undefined)[] = [];
    here.onChange(async (id) => void told.push(here.get(id)?.id));
    await there.create('destination', crm);
    await here.look();
    assert.equal(here.get('crm')?.problem, null);
    await there.update('crm', { settings: { ...crm.settings, token: 'second' } });
    await here.look();
    await here.look();
    assert.deepEqual(
      open.map(({ token }) => token),
      ['second', 'second'],
    );
    assert.deepEqual(closed, [CANARY, CANARY]);
    await there.remove('crm');
    await here.look();
    assert.deepEqual([here.all(), open, told], [[], [], ['crm', 'crm', undefined]]);
  });

  it('of another process are known before one is made or changed, though nobody has looked', async () => {
    const [here, there] = [await start(), await start()];
    await there.create('destination', crm);
    await assert.rejects(here.create('destination', crm), ConflictError);
    await there.update('crm', { name: 'The new CRM' });
    const masked = { ...here.get('crm')!.settings, url: 'https://other.example.com' };
    assert.equal((await here.update('crm', { settings: masked })).name, 'The new CRM');
    await here.look();
    assert.equal(here.get('crm')?.settings['url'], 'https://other.example.com');
  });

  it('that the file defines stay as it says, whatever is stored', async () => {
    const file = fromFile('crm', { url: 'https://file.example.com', token: CANARY }, []);
    const [here, there] = [await start({ destinations: [file] }), await start()];
    await there.create('destination', crm);
    await here.look();
    assert.equal(here.get('crm')?.settings['url'], 'https://file.example.com');
  });

  it('tell who works with them of every change, while the old one is still open', async () => {
    const endpoints = await start();
    const told: [string, string | null | undefined, number][] = [];
    endpoints.onChange(async (id) => {
      told.push([id, endpoints.get(id)?.problem, closed.length]);
    });
    await endpoints.create('destination', crm);
    await endpoints.update('crm', { settings: { ...crm.settings, token: 'second' } });
    await endpoints.update('crm', { enabled: false });
    await endpoints.update('crm', { enabled: true });
    await endpoints.remove('crm');
    assert.deepEqual(told, [
      ['crm', null, 0],
      ['crm', null, 0],
      ['crm', 'switched off', 1],
      ['crm', null, 2],
      ['crm', undefined, 2],
    ]);
    assert.equal(closed.length, 3);
  });

  it('go on when one that was to be removed is still in the store', async () => {
    const { endpoints, disk } = await startOnDisk();
    await endpoints.create('destination', crm);
    const there: boolean[] = [];
    endpoints.onChange(async (id) => {
      there.push(endpoints.get(id)?.destination !== undefined);
    });
    disk.full = true;
    await assert.rejects(endpoints.remove('crm'), RetryableError);
    assert.deepEqual([there, closed], [[false, true], []]);
  });

  it('are switched off and on again', async () => {
    const endpoints = await start();
    await endpoints.create('destination', crm);
    const off = await endpoints.update('crm', { enabled: false });
    assert.deepEqual([off.destination, off.problem, open], [undefined, 'switched off', []]);
    assert.equal(off.settings['token'], '••••cdef', 'also then its secrets are masked');
    const on = await endpoints.update('crm', { enabled: true, name: 'Our CRM' });
    assert.deepEqual([on.name, open.length], ['Our CRM', 1]);
  });

  it('are gone once they are removed, also when closing fails', async () => {
    const endpoints = await start();
    await endpoints.create('destination', crm);
    failClose = new Error('no');
    await endpoints.remove('crm');
    assert.deepEqual([endpoints.get('crm'), closed], [undefined, [CANARY]]);
    await assert.rejects(endpoints.remove('crm'), NotFoundError);
    await assert.rejects(endpoints.update('crm', {}), NotFoundError);
    assert.deepEqual((await start()).all(), []);
  });

  it('say which settings are wrong, and are then not made', async () => {
    const endpoints = await start();
    const settings = { url: 'no address', nested: { room: 7, extra: CANARY }, other: true };
    await assert.rejects(endpoints.create('destination', { ...crm, settings }), (error) => {
      assert.ok(error instanceof BadPayloadError);
      assert.equal(error.status, 422);
      assert.deepEqual(error.problems.map(({ pointer }) => pointer).toSorted(), [
        '/settings/nested/extra',
        '/settings/nested/room',
        '/settings/other',
        '/settings/token',
        '/settings/url',
      ]);
      assert.doesNotMatch(JSON.stringify(error.problems), /CANARY/);
      return true;
    });
    await assert.rejects(endpoints.create('channel', crm), (error) => {
      assert.ok(error instanceof BadPayloadError);
      assert.deepEqual(error.problems[0]!.pointer, '/type');
      assert.match(error.message, /known are chat/);
      return true;
    });
    assert.deepEqual([endpoints.all(), open, await filing.store.read.endpoints()], [[], [], []]);
  });

  it('have one id each, also when two are made at the same moment', async () => {
    const endpoints = await start();
    let go: () => void = () => undefined;
    slow = new Promise((resolve) => (go = resolve));
    const tokens = ['first', 'second', 'third'];
    const both = Promise.allSettled(
      tokens.map((token) => endpoints.create('destination', { ...crm, settings: { ...crm.settings, token } })),
    );
    go();
    const results = await both;
    assert.deepEqual(
      results.map((each) => (each.status === 'rejected' ? each.reason instanceof ConflictError : 'made')),
      ['made', true, true],
    );
    assert.equal(open.length, 1);
    await assert.rejects(endpoints.create('channel', { ...crm, type: 'chat' }), ConflictError);
  });

  it('leave one open when two change it at the same moment, and it is the one that is stored', async () => {
    const endpoints = await start();
    await endpoints.create('destination', crm);
    const change = (token: string) => endpoints.update('crm', { settings: { ...crm.settings, token } });
    await Promise.all([change('second'), change('third'), change('fourth')]);
    assert.equal(open.length, 1);
    const { token } = open[0]!;
    await endpoints.close();
    await start();
    assert.deepEqual(
      open.map((each) => each.token),
      [token],
    );
  });

  it('from the file are changed there: the answer says where', async () => {
    const settings = { url: 'https://crm.example.com', token: CANARY };
    const endpoints = await start({ destinations: [fromFile('crm', settings, [])] });
    for (const act of [() => endpoints.update('crm', { enabled: false }), () => endpoints.remove('crm')]) {
      await assert.rejects(act(), (error) => {
        assert.ok(error instanceof ConflictError);
        assert.match(error.message, /config\/tributary\.yaml:14/);
        return true;
      });
    }
    assert.deepEqual([open.length, closed], [1, []]);
    await assert.rejects(endpoints.create('destination', crm), ConflictError);
  });

  it('from the file win over stored ones of the same id', async () => {
    const first = await start();
    await first.create('destination', crm);
    await first.close();
    const settings = { url: 'https://crm.example.com', token: 'of the file' };
    const endpoints = await start({ destinations: [fromFile('crm', settings, [])] });
    assert.deepEqual(
      open.map(({ token }) => token),
      ['of the file'],
    );
    assert.equal(endpoints.all().length, 1);
  });

  it('that can’t be opened say why and leave the others alone', async () => {
    const good = { url: 'https://crm.example.com', token: CANARY };
    const first = await start();
    await first.create('destination', crm);
    await first.close();
    const unknown = { ...fromFile('old', good, []), type: 'of_a_newer_version' };
    const endpoints = await start({
      key: 'the key of another installation!!',
      destinations: [unknown, fromFile('good', good, [])],
    });
    const problems = new Map(endpoints.all().map(({ id, problem }) => [id, problem]));
    assert.match(problems.get('crm')!, /cannot be read/);
    assert.match(problems.get('old')!, /knows no destination type of_a_newer_version/);
    assert.equal(problems.get('good'), null);
  });

  it('keep what their vendors hand out: encrypted, over restarts, each its own, until they are removed', async () => {
    const endpoints = await start();
    await endpoints.create('destination', crm);
    await endpoints.create('destination', { ...crm, id: 'other' });
    await contexts.get('crm')!.secrets.save('refresh', `${CANARY} 1`);
    await contexts.get('crm')!.secrets.save('refresh', `${CANARY} 2`);
    const sealed = await filing.store.read.secret('crm', 'refresh');
    assert.ok(sealed && !sealed.includes('CANARY'));
    await endpoints.close();
    const again = await start();
    const load = (id: string, name = 'refresh') => contexts.get(id)!.secrets.load(name);
    assert.deepEqual(
      [await load('crm'), await load('crm', 'another'), await load('other')],
      [`${CANARY} 2`, undefined, undefined],
    );

    // What was sealed for one endpoint and name opens nowhere else.
    await filing.store.write([], (tx) => tx.saveSecret('other', 'refresh', sealed));
    await assert.rejects(load('other'), /cannot be read/);
    await again.remove('crm');
    await again.create('destination', crm);
    assert.equal(await load('crm'), undefined);
  });

  it('lie in the store without a secret in clear', async () => {
    await (await start()).create('destination', crm);
    const [row] = await filing.store.read.endpoints();
    assert.equal(row!.sealed.includes('CANARY'), false);
    assert.doesNotMatch(JSON.stringify(row!.sealed.toString('latin1')), /CANARY|example\.com/);
  });

  describe('whose address is private', () => {
    let receiver: Receiver;
    let settings: { url: string; token: string };
    beforeEach(async () => {
      receiver = await startReceiver();
      settings = { url: receiver.origin, token: CANARY };
    });
    afterEach(() => receiver.close());

    it('are reached when the operator wrote them into the file', async () => {
      const endpoints = await start({ destinations: [fromFile('crm', settings, [receiver.host])] });
      assert.equal(await endpoints.get('crm')!.destination!.test!(), 'status 200');
    });

    it('are not reached when they were made over the API, also after a restart', async () => {
      const endpoints = await start({ destinations: [fromFile('file', settings, [receiver.host])] });
      await endpoints.create('destination', { ...crm, settings });
      await assert.rejects(endpoints.get('crm')!.destination!.test!());
      await endpoints.update('crm', { name: 'again' });
      await assert.rejects(endpoints.get('crm')!.destination!.test!());
      await assert.rejects((await start()).get('crm')!.destination!.test!());
      assert.equal(receiver.connections(), 0);
    });

    it('are reached when the operator allowed it for all', async () => {
      const allowing = createHttp({ allow: [receiver.host] });
      const endpoints = await start({ egress: allowing });
      await endpoints.create('destination', { ...crm, settings });
      assert.equal(await endpoints.get('crm')!.destination!.test!(), 'status 200');
      allowing.close();
    });
  });
});
