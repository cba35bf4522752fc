import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import type { Channel, Connector, HttpRequest, HttpResponse } from '../../src/core/connector.ts';
import { Item } from '../../src/core/envelope.ts';
import { BadPayloadError } from '../../src/core/errors.ts';
import type { Payload } from '../../src/core/payload.ts';
import { Secret } from '../../src/core/secret.ts';
import { fakeClock } from '../fakes/clock.ts';
import { fakeContext, sealedHttp } from '../fakes/context.ts';
import type { SealedHttp } from '../fakes/context.ts';

/**
 * What every connector promises, checked from its folder alone: `example.yaml` and
 * `fixtures/<case>/{payload.json, items.json}`, and `config.yaml` where a case needs other settings than the
 * example; `fixtures/keys.json` holds what a vendor answers who publishes the keys that he signs with, by address.
 * `UPDATE_GOLDEN=1` writes items.json anew. How to write them: docs/adding-a-connector.md
 */

const HEADINGS = ['What you get', 'Set-up', 'Works on localhost', 'Limits', 'Common errors'];
/** Says what the payload is rather than who sent it. */
const PLAIN_HEADERS = ['content-type', 'content-length', 'host', 'user-agent', 'accept'];

interface Settings {
  readonly id: string;
  readonly type: string;
  readonly [key: string]: unknown;
}

/** A payload as a fixture writes it. */
const Recorded = z.strictObject({
  method: z.string().default('POST'),
  url: z.string(),
  headers: z.record(z.string(), z.string()).default({}),
  body: z.string().optional(),
  bodyBase64: z.base64().optional(),
  bodyFile: z.string().optional(),
  receivedAt: z.union([z.number(), z.iso.datetime().transform((text) => Date.parse(text))]),
  remoteAddress: z.string().optional(),
  /** False where the vendor proves who he is, but not what he says. */
  bodySigned: z.boolean().default(true),
});

export function connectorSuite(root: string, folder: string, connectors: readonly Connector[]): void {
  const home = join(root, 'src/connectors', folder);
  const name = basename(folder);
  const type = name.replaceAll('-', '_');
  const found = connectors.find((one) => one.type === type);

  it('is registered and named after its folder', () => {
    assert.match(name, /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, 'the folder is kebab-case');
    assert.ok(existsSync(join(home, `${name}.ts`)), `its code begins in ${name}.ts`);
    assert.ok(found, `src/connectors/index.ts has no connector of type '${type}': add a line there`);
    assert.equal(connectors.filter((one) => one.type === type).length, 1, `type '${type}' is registered twice`);
  });
  if (!found) return;
  const connector = found;

  it('has a page for those who set it up, and a README for those who change it', () => {
    const page = join(root, 'docs', connector.docs);
    assert.ok(existsSync(page), `docs/${connector.docs} is missing`);
    const text = readFileSync(page, 'utf8');
    for (const heading of HEADINGS) assert.ok(text.includes(`\n## ${heading}\n`), `the page lacks '## ${heading}'`);
    assert.match(readOf(home, 'README.md'), /^# \S/, 'README.md begins with a title');
    assert.ok(connector.title && connector.summary.endsWith('.'), 'title and summary, the summary as a sentence');
  });

  it('describes its settings for the catalogue', () => {
    const schema = z.toJSONSchema(connector.config, { io: 'input' });
    assert.equal(schema.additionalProperties, false, 'config is a strict object');
  });

  it('opens with its example, without touching the network', async () => {
    for (const settings of examplesOf(home)) {
      assert.equal(settings.type, connector.type);
      const { channel, http } = await open(connector, settings);
      await channel.close?.();
      assert.deepEqual(http.touched, []);
    }
  });

  it('has the methods that its capabilities promise, and no others', async () => {
    const channels = await Promise.all(examplesOf(home).map((settings) => open(connector, settings)));
    const has = (method: keyof Channel) => channels.some(({ channel }) => channel[method] !== undefined);
    const { receive, reply, attachments } = connector.capabilities;
    for (const way of ['webhook', 'poll', 'stream'] as const) {
      assert.equal(has(way), receive.includes(way), `capabilities.receive and ${way} disagree`);
    }
    assert.equal(has('reply'), reply, 'capabilities.reply and reply() disagree (example.yaml configures all it can)');
    assert.equal(has('download'), attachments.in, 'capabilities.attachments.in and download() disagree');
    assert.equal(
      has('callBack'),
      connector.capabilities.callBack ?? false,
      'capabilities.callBack and callBack() disagree',
    );
    for (const { channel } of channels) {
      assert.ok(!channel.poll || !channel.stream, 'a channel that streams is not polled: leave one of them out');
      assert.ok(!channel.webhook?.registered || channel.connect, 'only connect() can register a webhook');
    }
    if (!reply) assert.ok(!attachments.out && !has('canReply'), 'attachments.out and canReply() need reply()');
  });

  it('never shows a secret of its settings', () => {
    for (const settings of examplesOf(home)) {
      const config = connector.config.parse(settingsOf(settings));
      for (const { value } of secretsIn(config)) {
        assert.ok(!JSON.stringify(config).includes(value.reveal()), 'a secret is printed: declare it with secret()');
      }
    }
  });

  it('refuses everything, or does not open, without any one of its secrets', async () => {
    for (const settings of examplesOf(home)) {
      for (const { path } of secretsIn(connector.config.parse(settingsOf(settings)))) {
        const channel = await openOrNothing(connector, without(settings, path) as Settings);
        if (!channel?.webhook || channel.webhook.token) continue;
        for (const name of casesOf(home)) {
          const { payload } = recorded(home, name);
          await assert.rejects(
            verify(channel, stripped(payload)),
            BadPayloadError,
            `open to all without ${path.join('.')}`,
          );
        }
      }
    }
  });

  describe('with its fixtures', () => {
    const cases = casesOf(home);
    it('has some', () => {
      assert.ok(cases.length > 0, `put a payload into src/connectors/${folder}/fixtures/<case>/payload.json`);
    });

    it('has one for each way to receive, and for what it is asked after a downtime', async () => {
      const methods = cases.map((name) => recorded(home, name).payload.method);
      const channels = await Promise.all(examplesOf(home).map((settings) => open(connector, settings)));
      const reconciles = channels.some(({ channel }) => channel.reconcile !== undefined);
      assert.equal(methods.includes('RECONCILE'), reconciles, 'reconcile() and a fixture of the method RECONCILE');
      const ways = new Set(methods.filter((method) => method !== 'RECONCILE').map(wayOf));
      assert.deepEqual([...ways].toSorted(), connector.capabilities.receive.toSorted());
    });

    for (const name of cases) {
      it(`turns ${name} into the items that are written down, the same every time`, async () => {
        const { payload, settings } = recorded(home, name);
        const before = Buffer.from(payload.body);
        const first = await open(connector, settings, payload.receivedAt);
        const items = await first.channel.normalize(payload);
        const parsed = z.array(Item).parse(items);
        // Again, years later.
        const second = await open(connector, settings, payload.receivedAt + 1e11);
        assert.deepEqual(await second.channel.normalize(payload), items, 'normalize depends on more than the payload');
        assert.deepEqual(payload.body, before, 'normalize changes the payload');
        assert.deepEqual([...first.http.touched, ...second.http.touched], [], 'normalize touches the network');

        const file = join(home, 'fixtures', name, 'items.json');
        if (process.env.UPDATE_GOLDEN === '1') writeFileSync(file, `${JSON.stringify(items, null, 2)}\n`);
        assert.ok(existsSync(file), 'items.json is missing: UPDATE_GOLDEN=1 writes it, then read it');
        const golden = z.array(Item).parse(JSON.parse(readFileSync(file, 'utf8')));
        assert.deepEqual(JSON.parse(JSON.stringify(parsed)), JSON.parse(JSON.stringify(golden)));
      });

      it(`knows that ${name} comes from the vendor, and refuses a forged copy`, async function () {
        const { payload, settings, bodySigned } = recorded(home, name);
        const { channel } = await open(connector, settings, payload.receivedAt, publishedIn(home));
        const fetched = ['POLL', 'STREAM', 'RECONCILE'].includes(payload.method);
        if (fetched || !channel.webhook) return;
        await verify(channel, payload);

        const secrets = secretsIn(connector.config.parse(settingsOf(settings)));
        // Without a secret there is nothing to forge (a public form); a token in the address is checked by the host.
        if (secrets.length === 0 || channel.webhook.token) return;
        if (Object.keys(payload.headers).some((header) => !PLAIN_HEADERS.includes(header))) {
          await assert.rejects(verify(channel, stripped(payload)), BadPayloadError, 'accepts it unsigned');
        } else {
          // The proof stands in the body or the query: it has to fit our secret.
          const other = await open(connector, withOtherSecrets(settings, secrets), payload.receivedAt);
          await assert.rejects(verify(other.channel, payload), BadPayloadError, 'accepts it with any secret');
        }
        if (!bodySigned) return;
        for (const body of altered(payload.body)) {
          await assert.rejects(verify(channel, { ...payload, body }), BadPayloadError, 'accepts an altered body');
        }
      });

      it(`shows invented people only in ${name}`, () => {
        const text = textsOf(join(home, 'fixtures', name));
        const domains = [...text.matchAll(/[\w.+-]@((?:[\w-]+\.)+[a-z]{2,})\b/gi)].map((match) => match[1]!);
        // WhatsApp's ids of people and groups only look like addresses.
        const real = domains.filter(
          (domain) => !/(^|\.)(example(\.\w+)?|test|invalid|localhost)$|^[cg]\.us$/i.test(domain),
        );
        assert.deepEqual(real, [], 'use addresses of example.com and .test');
      });
    }
  });
}

async function open(connector: Connector, settings: Settings, now?: number, http: SealedHttp = sealedHttp()) {
  const context = fakeContext({ id: settings.id, clock: fakeClock(now), http });
  const channel = await connector.open(connector.config.parse(settingsOf(settings)), context);
  return { channel, http };
}

async function openOrNothing(connector: Connector, settings: Settings): Promise<Channel | undefined> {
  if (!connector.config.safeParse(settingsOf(settings)).success) return undefined;
  try {
    return (await open(connector, settings)).channel;
  } catch {
    return undefined;
  }
}

/** No way out but to what the vendor publishes. */
function publishedIn(home: string): SealedHttp {
  const file = join(home, 'fixtures/keys.json');
  const published = (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}) as Record<string, unknown>;
  const sealed = sealedHttp();
  const { send: refuse } = sealed;
  const send = async (request: HttpRequest): Promise<HttpResponse> => {
    const answer = published[request.url];
    if (answer === undefined) return refuse(request);
    const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
    return { status: 200, headers: {}, text, json: answer };
  };
  return Object.assign(sealed, { send });
}

function wayOf(method: string): 'webhook' | 'poll' | 'stream' {
  if (method === 'POLL') return 'poll';
  return method === 'STREAM' ? 'stream' : 'webhook';
}

/** A promise also where `verify` throws at once. */
async function verify(channel: Channel, payload: Payload): Promise<void> {
  await channel.webhook?.verify(payload);
}

function stripped(payload: Payload): Payload {
  const plain = Object.entries(payload.headers).filter(([name]) => PLAIN_HEADERS.includes(name));
  return { ...payload, headers: headersOf(Object.fromEntries(plain)) };
}

/** The body with one byte changed, added, left out. */
function altered(body: Buffer): Buffer[] {
  const flipped = Buffer.from(body);
  const middle = Math.floor(body.length / 2);
  flipped.writeUInt8(flipped.readUInt8(middle) ^ 1, middle);
  return [flipped, Buffer.concat([body, Buffer.from(' ')]), body.subarray(0, -1)];
}

function recorded(home: string, name: string) {
  const folder = join(home, 'fixtures', name);
  const { body, bodyBase64, bodyFile, bodySigned, headers, ...rest } = Recorded.parse(
    JSON.parse(readOf(folder, 'payload.json')),
  );
  const own = join(folder, 'config.yaml');
  const settings = existsSync(own) ? endpointsIn(readFileSync(own, 'utf8'))[0]! : examplesOf(home)[0]!;
  const bytes = bodyFile
    ? readFileSync(join(folder, bodyFile))
    : Buffer.from(bodyBase64 ?? body ?? '', bodyBase64 ? 'base64' : 'utf8');
  const payload: Payload = { ...rest, endpointId: settings.id, headers: headersOf(headers), body: bytes };
  return { payload, settings, bodySigned };
}

function headersOf(headers: Record<string, string>): Record<string, string> {
  const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  return Object.assign(Object.create(null) as Record<string, string>, Object.fromEntries(lower));
}

function casesOf(home: string): string[] {
  const folder = join(home, 'fixtures');
  return existsSync(folder) ? readdirSync(folder).filter((name) => existsSync(join(folder, name, 'payload.json'))) : [];
}

function examplesOf(home: string): Settings[] {
  const examples = endpointsIn(readOf(home, 'example.yaml'));
  assert.ok(examples.length > 0, 'example.yaml lists no channel');
  return examples;
}

/** The channels of a piece of configuration: with `channels:` above them, a list, or a single one. */
function endpointsIn(yaml: string): Settings[] {
  const read = parseYaml(yaml) as { channels?: Settings[] } | Settings[] | Settings;
  return Array.isArray(read) ? read : ((read as { channels?: Settings[] }).channels ?? [read as Settings]);
}

/** What the connector's own schema sees: the host takes these away. */
function settingsOf({ id: _id, type: _type, name: _name, enabled: _enabled, ...settings }: Settings): object {
  return settings;
}

type Path = readonly string[];

function secretsIn(value: unknown, path: Path = []): { readonly path: Path; readonly value: Secret }[] {
  if (value instanceof Secret) return [{ path, value }];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, entry]) => secretsIn(entry, [...path, key]));
}

/** Each secret with its middle character changed. */
function withOtherSecrets(settings: Settings, secrets: readonly { readonly path: Path }[]): Settings {
  const copy = structuredClone(settings);
  for (const { path } of secrets) {
    const parent = path.slice(0, -1).reduce<Record<string, unknown>>((at, key) => at[key] as typeof at, copy);
    const value = String(parent[path.at(-1)!]);
    const middle = Math.floor(value.length / 2);
    parent[path.at(-1)!] = `${value.slice(0, middle)}${value[middle] === 'A' ? 'B' : 'A'}${value.slice(middle + 1)}`;
  }
  return copy;
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

function textsOf(folder: string): string {
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'latin1'))
    .join('\n');
}
