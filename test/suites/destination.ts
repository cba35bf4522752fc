import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import nock from 'nock';
import type { Http } from '../../src/core/connector.ts';
import type { Destination, DestinationType } from '../../src/core/destination.ts';
import { createHttp } from '../../src/http/http.ts';
import { sealedHttp } from '../fakes/context.ts';
import {
  caseOf,
  casesOf,
  examplesOf,
  exchangeOf,
  mailCasesOf,
  open,
  readOf,
  secretsIn,
  settingsOf,
} from './destination-cases.ts';
import type { Exchange, Path, Settings } from './destination-cases.ts';
import { faultSuite, speaksHttp } from './destination-faults.ts';
import { compareMails } from './destination-mails.ts';

/**
 * What every destination promises, checked from its folder alone: `example.yaml` and `fixtures/<case>/`, there
 * `event.json` (what it is told) or `delivery.json` (what it is to carry), and `exchange.json`: the requests that must
 * go out, in order, and what the far side answers to each. `config.yaml` where a case needs other settings than the
 * example. Where mail goes out instead, `mails.json` holds what a server got. `UPDATE_GOLDEN=1` writes the requests of exchange.json, or the mails, anew. Each destination is then called against a
 * server that fails in every way; its address comes from the setting `apiRoot`, or `url` where it has none.
 */

const HEADINGS = ['What you get', 'Set-up', 'Works on localhost', 'Limits', 'Common errors'];
const TICKET_METHODS = ['createTicket', 'addMessage', 'update', 'findTicket', 'hasMessage'] as const;

// Importing it already stands between every test and the network: only while an exchange is played back.
nock.restore();

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
    const destination = await open(kind, examplesOf(home)[0]!, { http });
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
    const [posted, mailed] = [casesOf(home), mailCasesOf(home)];
    const names = [...posted, ...mailed];
    it('has some', () => {
      assert.ok(names.length > 0, `put a case into src/dispatch/${folder}/fixtures/<case>/`);
    });
    it('has one for each answer that may come when it is asked what became of a call (H11)', async () => {
      const destination = await open(kind, examplesOf(home)[0]!, { http: sealedHttp() });
      const cases = names.map((name) => caseOf(home, name));
      for (const call of ['findTicket', 'hasMessage'] as const) {
        const answers = cases.filter((each) => each.call === call).map(({ returns }) => Boolean(returns));
        const wanted = destination[call] ? [true, false] : [];
        for (const answer of wanted)
          assert.ok(answers.includes(answer), `no case where ${call}() says ${answer ? 'yes' : 'no'}`);
      }
    });
    for (const name of posted) it(`sends for ${name} what is written down`, () => compareExchange(kind, home, name));
    for (const name of mailed) it(`mails for ${name} what is written down`, () => compareMails(kind, home, name));
    for (const name of names) {
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

  if (speaksHttp(kind)) describe('when the far side fails', () => faultSuite(kind, home));
}

async function compareExchange(kind: DestinationType, home: string, name: string): Promise<void> {
  const { settings, now, run, returns } = caseOf(home, name);
  const file = join(home, 'fixtures', name, 'exchange.json');
  const exchange = exchangeOf(home, name);
  const egress = createHttp({ allow: [] });
  const seen = playBack(exchange);
  const http = egress.for({ hosts: [] });
  const hidden = new Set<string>();
  const send: Http['send'] = (request) => {
    for (const secret of [request.hidden ?? []].flat()) hidden.add(secret);
    return http.send(request);
  };
  try {
    const result = await run(await open(kind, settings, { http: { ...http, send }, now }));
    if (returns !== undefined) assert.deepEqual(result ?? null, returns);
  } finally {
    nock.cleanAll();
    nock.enableNetConnect();
    nock.restore();
    egress.close();
  }
  for (const { value } of secretsIn(kind.config.parse(settingsOf(settings)))) {
    // Where the secret is an address itself, or a step of one that says so (`hidden`), its vendor leaves no choice.
    const mayStand = URL.canParse(value.reveal()) || hidden.has(value.reveal());
    const shown = mayStand ? [] : seen.filter(({ url }) => url.includes(value.reveal()));
    assert.deepEqual(shown, [], 'an address that is called shows a secret (H06)');
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
  return { method, url, headers, ...(golden.body !== undefined && { body }) };
}

function without(value: unknown, [key, ...rest]: Path): unknown {
  const copy = structuredClone(value) as Record<string, unknown>;
  if (rest.length === 0) delete copy[key!];
  else copy[key!] = without(copy[key!], rest);
  return copy;
}
