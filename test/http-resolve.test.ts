import assert from 'node:assert/strict';
import { PermanentError, RetryableError } from '../src/core/errors.ts';
import type { Http, Seat } from '../src/core/connector.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';

describe('addresses for other protocols than HTTP', () => {
  const egresses: Egress[] = [];
  afterEach(() => {
    for (const egress of egresses.splice(0)) egress.close();
  });

  function open(options: {
    addresses?: readonly string[];
    hosts?: readonly string[];
    allow?: readonly string[];
  }): Http {
    const found = (options.addresses ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    const egress = createHttp({ allow: options.allow ?? [], resolve: async () => found });
    egresses.push(egress);
    return egress.for({ hosts: options.hosts ?? [] });
  }

  const refused = (error: unknown) => error instanceof PermanentError && /may not be called/.test(error.message);

  it('are those of public hosts, at the ports of mail', async () => {
    const out = open({ addresses: ['93.184.215.14'] });
    for (const port of [25, 143, 465, 587, 993]) {
      assert.equal(await out.resolve('mail.example.com', port), '93.184.215.14');
    }
    for (const port of [22, 80, 3306, 6379]) await assert.rejects(out.resolve('mail.example.com', port), refused);
    assert.equal(await open({}).resolve('93.184.215.14', 993), '93.184.215.14');
  });

  it('are not those of private hosts, unless the operator names them', async () => {
    for (const address of ['10.0.0.7', '127.0.0.1', '192.168.1.1', 'fd00::7', '::1', '::ffff:10.0.0.7']) {
      await assert.rejects(open({ addresses: [address] }).resolve('mail.example.com', 993), refused, address);
      await assert.rejects(open({}).resolve(address, 993), refused, address);
      const named = open({ addresses: [address], hosts: ['mail.internal:1143'] });
      assert.equal(await named.resolve('Mail.Internal.', 1143), address);
      await assert.rejects(named.resolve('mail.internal', 993), refused, 'another port than the one he named');
      await assert.rejects(named.resolve('other.internal', 1143), refused, 'another host than the one he named');
      const portless = open({ addresses: [address], hosts: ['mail.internal'] });
      assert.equal(await portless.resolve('mail.internal', 993), address);
      await assert.rejects(portless.resolve('mail.internal', 5432), refused, 'no port of mail');
      assert.equal(await open({ addresses: [address], allow: ['mail.internal'] }).resolve('mail.internal', 7), address);
    }
  });

  it('are never those where clouds keep their credentials', async () => {
    for (const address of ['169.254.169.254', 'fd00:ec2::254']) {
      const out = open({ addresses: [address], hosts: ['mail.internal:993', `${address}:993`], allow: [address] });
      await assert.rejects(out.resolve('mail.internal', 993), refused);
      await assert.rejects(out.resolve(address, 993), refused);
    }
  });

  it('are none when only one of several is good, and for names that resolvers read differently', async () => {
    await assert.rejects(open({ addresses: ['93.184.215.14', '10.0.0.7'] }).resolve('a.example.com', 993), refused);
    const out = open({ addresses: ['93.184.215.14'] });
    for (const host of ['a b.example.com', 'a.example.com/x', '', '127.1%00']) {
      await assert.rejects(out.resolve(host, 993), refused, host);
    }
  });

  it('say why a name can’t be resolved, and are asked for again', async () => {
    const egress = createHttp({
      allow: [],
      resolve: () => Promise.reject(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' })),
    });
    egresses.push(egress);
    await assert.rejects(egress.for({ hosts: [] }).resolve('mail.example.com', 993), (error) => {
      assert.ok(error instanceof RetryableError);
      assert.match(error.message, /^mail\.example\.com:993: its host name can't be resolved \(ENOTFOUND\)/);
      return true;
    });
  });

  it('are not waited for longer than for a connection', async () => {
    const egress = createHttp({ allow: [], resolve: () => new Promise(() => {}), limits: { connectMs: 20 } });
    egresses.push(egress);
    await assert.rejects(egress.for({ hosts: [] }).resolve('mail.example.com', 993), /was not resolved within 20 ms/);
  });
});

describe('seats at a host', () => {
  const quiet = () => new AbortController().signal;

  function outlets(): readonly [Http, Http, Egress] {
    const egress = createHttp({ allow: [] });
    return [egress.for({ hosts: [] }), egress.for({ hosts: [] }), egress];
  }

  /** Whether it settles while everything that is due runs. */
  async function isPending(promise: Promise<Seat>): Promise<boolean> {
    let settled = false;
    promise.then(
      () => (settled = true),
      () => (settled = true),
    );
    await new Promise(setImmediate);
    return !settled;
  }

  it('are shared by all endpoints, and given in the order of asking', async () => {
    const [one, other] = outlets();
    const first = await one.seat('Mail.example.com', 2, quiet());
    await other.seat('mail.example.com.', 2, quiet());
    assert.equal(first.isWanted(), false);
    const third = other.seat('mail.example.com', 2, quiet());
    const fourth = one.seat('mail.example.com', 9, quiet());
    assert.ok(await isPending(third));
    assert.ok(await isPending(fourth), 'it came later, and would keep the one before it from ever sitting');
    assert.equal(first.isWanted(), true);
    first.release();
    first.release();
    await third;
    await fourth;
    assert.ok(await isPending(one.seat('mail.example.com', 3, quiet())));
  });

  it('of one host are no concern of another, nor of another gateway', async () => {
    const [one] = outlets();
    await one.seat('a.example.com', 1, quiet());
    await one.seat('b.example.com', 1, quiet());
    await outlets()[0].seat('a.example.com', 1, quiet());
  });

  it('are no longer wanted by who was called off', async () => {
    const [one] = outlets();
    const held = await one.seat('a.example.com', 1, quiet());
    const controller = new AbortController();
    const waiting = one.seat('a.example.com', 1, controller.signal);
    const behind = one.seat('a.example.com', 2, quiet());
    assert.ok(await isPending(behind));
    controller.abort(new Error('called off'));
    await assert.rejects(waiting, /called off/);
    await behind;
    assert.equal(held.isWanted(), false);
    await assert.rejects(one.seat('a.example.com', 9, controller.signal), /called off/);
  });
});
