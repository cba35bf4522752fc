import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import nock from 'nock';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import type { Http } from '../../src/core/connector.ts';
import type { Delivery, Destination, DestinationType, TicketUpdate } from '../../src/core/destination.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../../src/core/errors.ts';
import { Secret } from '../../src/core/secret.ts';
import { Change, Customer, Message, Ticket } from '../../src/core/ticket.ts';
import { createHttp } from '../../src/http/http.ts';
import { fakeClock } from '../fakes/clock.ts';
import { fakeContext, sealedHttp } from '../fakes/context.ts';
import { startReceiver } from '../fakes/receiver.ts';
import type { Behaviour, Receiver } from '../fakes/receiver.ts';

/**
 * What every destination promises, checked from its folder alone: `example.yaml` and `fixtures/<case>/`, there
 * `event.json` (what it is told) or `delivery.json` (what it is to carry), and `exchange.json`: the requests that must
 * go out, in order, and what the far side answers to each. `config.yaml` where a case needs other settings than the
 * example. `UPDATE_GOLDEN=1` writes the requests of exchange.json anew. Each destination is then called against a
 * server that fails in every way; its address comes from the setting `apiRoot`, or `url` where it has none.
 */

const HEADINGS = ['What you get', 'Set-up', 'Works on localhost', 'Limits', 'Common errors'];
const TICKET_METHODS = ['createTicket', 'addMessage', 'update', 'findTicket', 'hasMessage'] as const;

interface Settings {
  readonly id: string;
  readonly type: string;
  readonly [key: string]: unknown;
}

const Ref = z.strictObject({ externalId: z.string(), url: z.string().optional() });
const at = z.iso.datetime().transform((text) => Date.parse(text));

/** A call of a destination as a fixture writes it. `returns` is what must come back, as JSON. */
const Told = z.strictObject({ now: at, id: z.string(), change: Change });
const Carried = z.discriminatedUnion('call', [
  z.strictObject({
    call: z.enum(['createTicket', 'addMessage']),
    now: at,
    id: z.string(),
    ref: Ref.optional(),
    ticket: Ticket,
    /** One with no identifiers when left out. */
    customer: Customer.optional(),
    message: Message,
    transcript: z.array(Message).default([]),
    /** Attachment id to text. */
    files: z.record(z.string(), z.string()).default({}),
    returns: Ref.optional(),
  }),
  z.strictObject({ call: z.literal('update'), now: at, ref: Ref, update: z.custom<TicketUpdate>() }),
  z.strictObject({ call: z.literal('findTicket'), now: at, ticket: Ticket, returns: Ref.optional() }),
  z.strictObject({ call: z.literal('hasMessage'), now: at, ref: Ref, message: Message, returns: z.boolean() }),
]);
type Carried = z.output<typeof Carried>;

const Exchange = z.array(
  z.strictObject({
    /** Of the headers, those that matter. A body that isn't written down isn't compared. */
    request: z.strictObject({
      method: z.string(),
      url: z.string(),
      headers: z.record(z.string(), z.string()).default({}),
      body: z.unknown().optional(),
    }),
    response: z.strictObject({
      status: z.number().int(),
      headers: z.record(z.string(), z.string()).default({}),
      body: z.unknown().optional(),
    }),
  }),
);
// Importing it already stands between every test and the network: only while an exchange is played back.
nock.restore();

type Exchange = z.output<typeof Exchange>;

/** One fixture: the call to make, and what must come of it. */
interface Case {
  readonly name: string;
  readonly now: number;
  readonly settings: Settings;
  readonly returns: unknown;
  run(destination: Destination): Promise<unknown>;
}

export function destinationSuite(root: string, folder: string, types: readonly DestinationType[]): void {
  const home = join(root, 'src/dispatch', folder);
  const type = folder.replaceAll('-', '_');
  const found = types.find((one) => one.type === type);

  it('is registered and named after its folder', () => {
    assert.match(folder, /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, 'the folder is kebab-case');
    assert.ok(existsSync(join(home, `${folder}.ts`)), `its code begins in ${folder}.ts`);
    assert.ok(found, `src/dispatch/index.ts has no destination of type '${type}': add a line there`);
    assert.equal(types.filter((one) => one.type === type).length, 1, `type '${type}' is registered twice`);
  });
  if (!found) return;
  const kind = found;

  it('has a page for those who set it up, and a README for those who change it', () => {
    const text = readOf(join(root, 'docs'), kind.docs);
    for (const heading of HEADINGS) assert.ok(text.includes(`\n## ${heading}\n`), `the page lacks '## ${heading}'`);
    assert.match(readOf(home, 'README.md'), /^# \S/, 'README.md begins with a title');
    assert.ok(kind.title && kind.summary.endsWith('.'), 'title and summary, the summary as a sentence');
  });

  it('has the methods that its capabilities promise, and opens without touching the network', async () => {
    const http = sealedHttp();
    const destination = await open(kind, examplesOf(home)[0]!, http);
    const has = (method: keyof Destination) => destination[method] !== undefined;
    const { carries, idempotent } = kind.capabilities;
    assert.equal(has('notify'), carries === 'events', 'capabilities.carries and notify() disagree');
    for (const method of ['createTicket', 'addMessage'] as const) {
      assert.equal(has(method), carries === 'tickets', `capabilities.carries and ${method}() disagree`);
    }
    if (carries === 'events') assert.ok(!TICKET_METHODS.some(has), 'a destination for events has no tickets');
    else if (!idempotent) assert.ok(has('findTicket'), 'what is not idempotent is looked up before it is repeated');
    const fetches = (['webhook', 'poll', 'stream', 'reconcile'] as const).some(has);
    assert.equal(has('normalize'), fetches, 'the way back needs normalize(), and a way in');
    assert.deepEqual([...http.touched], []);
  });

  it('does not open without its secret, and never shows one', () => {
    for (const settings of examplesOf(home)) {
      const config = kind.config.parse(settingsOf(settings));
      const secrets = secretsIn(config);
      assert.ok(secrets.length > 0, 'it has no secret: declare it with secret()');
      for (const { value } of secrets)
        assert.ok(!JSON.stringify(config).includes(value.reveal()), 'a secret is printed');
      const rest = secrets.reduce<unknown>((all, { path }) => without(all, path), settings);
      assert.ok(!kind.config.safeParse(settingsOf(rest as Settings)).success, 'it opens without any secret');
    }
  });

  describe('with its fixtures', () => {
    const names = casesOf(home);
    it('has some', () => {
      assert.ok(names.length > 0, `put a case into src/dispatch/${folder}/fixtures/<case>/`);
    });
    for (const name of names) {
      it(`sends for ${name} what is written down`, () => compareExchange(kind, home, name));
      it(`shows invented people only in ${name}`, () => {
        const files = readdirSync(join(home, 'fixtures', name)).map((file) =>
          readOf(join(home, 'fixtures', name), file),
        );
        const domains = [...files.join('\n').matchAll(/[\w.+-]@((?:[\w-]+\.)+[a-z]{2,})/gi)].map((match) => match[1]!);
        const real = domains.filter((domain) => !/(^|\.)(example(\.\w+)?|test|invalid|localhost)$/i.test(domain));
        assert.deepEqual(real, [], 'use addresses of example.com and .test');
      });
    }
  });

  describe('when the far side fails', () => faultSuite(kind, home));
}

async function compareExchange(kind: DestinationType, home: string, name: string): Promise<void> {
  const { settings, now, run, returns } = caseOf(home, name);
  const file = join(home, 'fixtures', name, 'exchange.json');
  const exchange = Exchange.parse(JSON.parse(readOf(join(home, 'fixtures', name), 'exchange.json')));
  const egress = createHttp({ allow: [] });
  const seen = playBack(exchange);
  try {
    const result = await run(await open(kind, settings, egress.for({ hosts: [] }), now));
    if (returns !== undefined) assert.deepEqual(result, returns);
  } finally {
    nock.cleanAll();
    nock.enableNetConnect();
    nock.restore();
    egress.close();
  }
  const golden = exchange.map(({ request }) => request);
  const sent = seen.map((request, index) => comparable(request, golden[index]));
  if (process.env.UPDATE_GOLDEN === '1') {
    const rewritten = sent.map((request, index) => ({
      request,
      response: exchange[index]?.response ?? { status: 200 },
    }));
    writeFileSync(file, `${JSON.stringify(rewritten, null, 2)}\n`);
  } else {
    assert.deepEqual(sent, golden);
  }
}

type Sent = Exchange[number]['request'];

/** Answers each request with what comes next in the exchange, and collects them. */
function playBack(exchange: Exchange): readonly Sent[] {
  const seen: Sent[] = [];
  if (!nock.isActive()) nock.activate();
  nock.disableNetConnect();
  const scope = nock(/.*/).persist();
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
    scope
      .intercept(() => true, method)
      .reply(function (path, body) {
        const { proto, host } = (this.req as unknown as { options: { proto: string; host: string } }).options;
        const headers = Object.entries(this.req.headers).map(([name, value]) => [name, String(value)]);
        const url = `${proto}://${host.replace(/:(80|443)$/, '')}${path}`;
        seen.push({ method, url, headers: Object.fromEntries(headers) as Record<string, string>, body });
        const answer = exchange[seen.length - 1]?.response ?? {
          status: 418,
          headers: {},
          body: 'more than was expected',
        };
        return [answer.status, (answer.body ?? '') as string, answer.headers];
      });
  }
  return seen;
}

/** What of a request the golden one says something about. */
function comparable(request: Sent, golden: Sent | undefined): Sent {
  if (!golden) return request;
  const named = Object.keys(golden.headers).map((name) => [name, request.headers[name.toLowerCase()] ?? '(not sent)']);
  const { method, url, body } = request;
  const headers = Object.fromEntries(named) as Record<string, string>;
  return { method, url, headers, body: golden.body === undefined ? undefined : body };
}

function faultSuite(kind: DestinationType, home: string): void {
  let far: Receiver;
  before(async () => {
    far = await startReceiver();
  });
  after(async () => {
    await far.close();
  });

  /** The first case of the folder, against a receiver that behaves like that. Resolves with what was thrown, if anything. */
  async function attempt(behaviour: Behaviour): Promise<unknown> {
    far.behave(behaviour);
    const { settings, now, run } = caseOf(home, faultCaseOf(home));
    const egress = createHttp({ allow: [], clock: fakeClock(now), limits: { firstByteMs: 1000, totalMs: 4000 } });
    try {
      await run(await open(kind, settingsAt(kind, settings, far), egress.for({ hosts: [far.host] }), now));
      return undefined;
    } catch (error) {
      for (const { value } of secretsIn(kind.config.parse(settingsOf(settings)))) {
        const shown = inspect(error, { depth: 8, showHidden: true });
        assert.ok(!shown.includes(value.reveal()), 'an error shows a secret');
      }
      return error;
    } finally {
      egress.close();
    }
  }

  async function fails<E extends Error>(kindOfError: new (...given: never[]) => E, behaviour: Behaviour): Promise<E> {
    const error = await attempt(behaviour);
    assert.ok(error instanceof kindOfError, `expected ${kindOfError.name}, got ${inspect(error)}`);
    return error;
  }

  it('pauses as long as a 429 says', async () => {
    const error = await fails(RateLimitedError, { status: 429, headers: { 'retry-after': '7' }, body: '{}' });
    assert.equal(error.retryAfterMs, 7000);
  });

  it('asks for new credentials after a 401', async () => {
    await fails(AuthExpiredError, { status: 401, body: '{}' });
  });

  it('gives up on a 422 and on a 410', async () => {
    await fails(PermanentError, { status: 422, body: '{}' });
    assert.ok((await fails(PermanentError, { status: 410 })).gone);
  });

  it('does not know what came of a call that was answered with 500, late, or not at all', async () => {
    for (const behaviour of [{ status: 500 }, 'hang', 'drop', 'brotli'] as const) {
      const error = await fails(RetryableError, behaviour);
      assert.ok(error.outcomeUnknown, inspect(behaviour));
    }
  });

  for (const status of [408, 500, 502, 503, 504]) {
    it(`tries again after a ${status}`, async () => {
      await fails(RetryableError, { status, body: '{}' });
    });
  }

  for (const status of [400, 403, 404, 413]) {
    it(`gives up on a ${status}`, async () => {
      const error = await fails(PermanentError, { status, body: '{}' });
      assert.ok(!error.gone);
    });
  }

  it('does not know what came of a call whose answer broke off, never ended, or was not HTTP', async () => {
    for (const behaviour of ['cut', 'trickle', 'garbage'] as const) {
      const error = await fails(RetryableError, behaviour);
      assert.ok(error.outcomeUnknown, behaviour);
    }
  });

  // Whoever is only told has nothing to say.
  const says = kind.capabilities.carries === 'tickets' ? it : () => undefined;
  says('takes a page of a login or nothing at all for no success', async () => {
    for (const body of ['', '<html>Sign in</html>', '{"ok":false}', '[]', 'null']) {
      const error = await attempt({ status: 200, headers: { 'content-type': 'application/json' }, body });
      assert.ok(error instanceof TributaryError, `${body}: ${inspect(error)}`);
    }
  });

  it('follows no redirect', async () => {
    const elsewhere = await startReceiver();
    try {
      await fails(RetryableError, { status: 307, headers: { location: elsewhere.origin } });
      assert.equal(elsewhere.connections(), 0);
    } finally {
      await elsewhere.close();
    }
  });

  it('does not read an answer of 100 MB', async () => {
    const before = far.bytesSent();
    const error = await attempt('huge');
    // A receiver of events has nothing to say; from a help desk the id of the ticket is needed.
    if (kind.capabilities.carries === 'events') assert.equal(error, undefined);
    else assert.ok(error instanceof TributaryError);
    assert.ok(far.bytesSent() - before < 30 * 1024 * 1024);
  });

  it('knows that nothing arrived where nobody listens', async () => {
    const gone = far;
    await gone.close();
    const error = await fails(RetryableError, 'ok');
    assert.ok(!error.outcomeUnknown);
    far = await startReceiver();
  });

  it('tries its credentials, and says what is wrong with them', async () => {
    const { settings, now } = caseOf(home, faultCaseOf(home));
    const egress = createHttp({ allow: [] });
    try {
      const destination = await open(kind, settingsAt(kind, settings, far), egress.for({ hosts: [far.host] }), now);
      far.behave({ status: 401 });
      if (destination.test) await assert.rejects(destination.test(), AuthExpiredError);
    } finally {
      egress.close();
    }
  });
}

/** The same settings with the receiver as the far side. */
function settingsAt(kind: DestinationType, settings: Settings, { origin }: Receiver): Settings {
  const { properties = {} } = z.toJSONSchema(kind.config, { io: 'input' });
  return { ...settings, ['apiRoot' in properties ? 'apiRoot' : 'url']: `${origin}/base` };
}

async function open(kind: DestinationType, settings: Settings, http: Http, now?: number): Promise<Destination> {
  const context = fakeContext({ id: settings.id, clock: fakeClock(now), http });
  return kind.open(kind.config.parse(settingsOf(settings)), context);
}

function caseOf(home: string, name: string): Case {
  const folder = join(home, 'fixtures', name);
  const own = join(folder, 'config.yaml');
  const settings = existsSync(own) ? endpointsIn(readFileSync(own, 'utf8'))[0]! : examplesOf(home)[0]!;
  if (existsSync(join(folder, 'event.json'))) {
    const { now, id, change } = Told.parse(JSON.parse(readOf(folder, 'event.json')));
    const run = (destination: Destination) => destination.notify!({ id, change });
    return { name, now, settings, returns: undefined, run };
  }
  const carried = Carried.parse(JSON.parse(readOf(folder, 'delivery.json')));
  const returns = 'returns' in carried ? carried.returns : undefined;
  return { name, now: carried.now, settings, returns, run: (destination) => carry(destination, carried) };
}

async function carry(destination: Destination, carried: Carried): Promise<unknown> {
  switch (carried.call) {
    case 'createTicket':
      return destination.createTicket!(deliveryOf(carried));
    case 'addMessage':
      return destination.addMessage!(carried.ref!, deliveryOf(carried));
    case 'update':
      return destination.update!(carried.ref, carried.update);
    case 'findTicket':
      return destination.findTicket!(carried.ticket);
    case 'hasMessage':
      return destination.hasMessage!(carried.ref, carried.message);
  }
}

function deliveryOf({
  id,
  ticket,
  customer,
  message,
  transcript,
  files,
}: Carried & { call: 'createTicket' | 'addMessage' }): Delivery {
  const { createdAt, updatedAt } = ticket;
  const unknown = { ...ticket.customer, locale: null, identifiers: [], createdAt, updatedAt, mergedInto: null };
  return {
    id,
    ticket,
    customer: customer ?? unknown,
    message,
    transcript,
    open: async (file) => Readable.from([Buffer.from(files[file] ?? '')]),
  };
}

/** What is tried against failing servers: an event, or a ticket that is created. */
function faultCaseOf(home: string): string {
  const isMain = (name: string) => {
    if (Exchange.parse(JSON.parse(readOf(join(home, 'fixtures', name), 'exchange.json'))).length === 0) return false;
    const file = join(home, 'fixtures', name, 'delivery.json');
    return !existsSync(file) || Carried.parse(JSON.parse(readFileSync(file, 'utf8'))).call === 'createTicket';
  };
  const name = casesOf(home).find(isMain);
  assert.ok(name, 'no case creates a ticket or tells an event');
  return name;
}

function casesOf(home: string): string[] {
  const folder = join(home, 'fixtures');
  return existsSync(folder)
    ? readdirSync(folder).filter((name) => existsSync(join(folder, name, 'exchange.json')))
    : [];
}

function examplesOf(home: string): Settings[] {
  const examples = endpointsIn(readOf(home, 'example.yaml'));
  assert.ok(examples.length > 0, 'example.yaml lists no destination');
  return examples;
}

function endpointsIn(yaml: string): Settings[] {
  return (parseYaml(yaml) as { destinations?: Settings[] }).destinations ?? [];
}

/** What the type's own schema sees: the host takes these away. */
function settingsOf({ id: _id, type: _type, name: _name, enabled: _enabled, ...settings }: Settings): object {
  return settings;
}

type Path = readonly string[];

function secretsIn(value: unknown, path: Path = []): { readonly path: Path; readonly value: Secret }[] {
  if (value instanceof Secret) return [{ path, value }];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, entry]) => secretsIn(entry, [...path, key]));
}

function without(value: unknown, [key, ...rest]: Path): unknown {
  const copy = structuredClone(value) as Record<string, unknown>;
  if (rest.length === 0) delete copy[key!];
  else copy[key!] = without(copy[key!], rest);
  return copy;
}

function readOf(folder: string, name: string): string {
  assert.ok(existsSync(join(folder, name)), `${name} is missing in ${folder}`);
  return readFileSync(join(folder, name), 'utf8');
}
