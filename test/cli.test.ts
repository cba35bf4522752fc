import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { brotliWarning } from '../src/cli/runtime.ts';
import { inFolder, run } from './fakes/cli.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const NOW = 1_790_000_000_000;
const env = { S: SECRET };

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

/** A gateway that answers every call of the API from a table, and remembers what was asked. */
async function withGateway(
  answers: Readonly<Record<string, unknown>>,
  work: (cwd: string, seen: Seen[]) => Promise<void>,
): Promise<void> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '' } = request;
      seen.push({ method, url, authorization: request.headers.authorization, body: Buffer.concat(chunks).toString() });
      const answer = answers[`${method} ${url}`] ?? answers[`${method} ${url.split('?')[0]}`];
      response.statusCode = answer === undefined ? 404 : 200;
      const problem = { title: 'Not Found', detail: 'There is no such \u001b[31mthing', hint: 'Look again.' };
      response.end(JSON.stringify(answer ?? problem));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    await inFolder(async (cwd) => {
      mkdirSync(join(cwd, 'data'), { mode: 0o700 });
      const running = { url: `http://127.0.0.1:${port}`, token: 'trb_canary-token', pid: process.pid };
      writeFileSync(join(cwd, 'data', 'gateway.json'), JSON.stringify(running), { mode: 0o600 });
      await work(cwd, seen);
    });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('the command line', () => {
  it('explains itself and ends with 0 when asked for help, with 2 when used wrongly', async () => {
    const help = await run(['--help']);
    assert.equal(help.code, 0);
    for (const name of [
      'start',
      'init',
      'config',
      'doctor',
      'channels',
      'trigger',
      'events',
      'deliveries',
      'tickets',
      'keys',
      'admin',
      'sign',
      'verify',
    ]) {
      assert.match(help.stdout, new RegExp(`\\n  ${name} `));
    }
    const inner = await run(['keys', 'create', '--help']);
    assert.deepEqual([inner.code, inner.stdout.includes('Examples:')], [0, true]);
    for (const args of [
      [],
      ['nope'],
      ['events'],
      ['events', 'show'],
      ['trigger'],
      ['keys', 'create', 'x'],
      ['start', '--nope'],
      ['trigger', 'form', '--count', '0'],
      ['deliveries', 'replay'],
      ['deliveries', 'replay', '--destination', 'x', '--state', 'lost'],
    ]) {
      const { code, stdout, stderr } = await run(args);
      assert.deepEqual([args, code, stdout, stderr.length > 0], [args, 2, '', true]);
    }
  });

  it('says that no gateway runs, how to start one, and ends with 3', async () => {
    await inFolder(async (cwd) => {
      for (const args of [
        ['events', 'list'],
        ['keys', 'list'],
        ['admin', 'link'],
        ['trigger', 'form'],
      ]) {
        const { code, stdout, stderr } = await run(args, { cwd });
        assert.deepEqual([code, stdout], [3, '']);
        assert.match(stderr, /no gateway runs on the data folder .*\/data\n {2}Start it .*npm start/);
      }
      mkdirSync(join(cwd, 'data'));
      const left = { url: 'http://127.0.0.1:1', token: 't', pid: 1 };
      writeFileSync(join(cwd, 'data', 'gateway.json'), JSON.stringify(left));
      assert.equal((await run(['events', 'list'], { cwd })).code, 3);
      const json = await run(['events', 'list', '--json'], { cwd });
      assert.match((JSON.parse(json.stdout) as { error: string }).error, /no gateway runs/);
    });
  });

  describe('config check', () => {
    it('passes a sound file and names every problem of another with its line', async () => {
      await inFolder(async (cwd) => {
        assert.deepEqual((await run(['config', 'check'], { cwd })).code, 0);
        mkdirSync(join(cwd, 'config'));
        writeFileSync(join(cwd, 'config/tributary.yaml'), 'server:\n  prot: 1\nchannels:\n  - { id: a, type: fomr }\n');
        const { code, stdout } = await run(['config', 'check'], { cwd });
        assert.equal(code, 1);
        assert.match(stdout, /config\/tributary\.yaml:2 {2}server\.prot unknown key "prot"\n {2}Write port\./);
        assert.match(
          stdout,
          /config\/tributary\.yaml:4 {2}channels\[0\]\.type unknown connector type "fomr"\n {2}Write form\./,
        );
        const json = JSON.parse((await run(['--json', 'config', 'check'], { cwd })).stdout) as {
          problems: { line: number }[];
        };
        assert.deepEqual(
          json.problems.map(({ line }) => line),
          [2, 4],
        );
      });
    });

    it('refuses to start with problems, naming them', async () => {
      await inFolder(async (cwd) => {
        const { code, stderr } = await run(['start'], { cwd, env: { PORT: '80x', ADMIN_API_KEY: 'canary' } });
        assert.equal(code, 1);
        assert.match(stderr, /environment {2}PORT must be a number/);
        assert.match(stderr, /environment {2}ADMIN_API_KEY is shorter than 32/);
        assert.ok(!stderr.includes('canary'));
      });
    });

    it('finds nothing wrong with the example', async () => {
      const example = readFileSync('config/tributary.example.yaml', 'utf8');
      const files = [example, example.replaceAll(/^ {2}# (- id: intake|  type|  auth)/gm, '  $1')];
      assert.notEqual(files[0], files[1]);
      for (const text of files) {
        await inFolder(async (cwd) => {
          writeFileSync(join(cwd, 'a.yaml'), text);
          const ran = await run(['config', 'check'], {
            cwd,
            env: { TRIBUTARY_CONFIG: 'a.yaml', INTAKE_SECRET: SECRET },
          });
          assert.deepEqual([ran.code, ran.stdout.includes('No problems.')], [0, true], ran.stdout);
        });
      }
    });
  });

  describe('init', () => {
    it('writes a configuration that passes the check, its secrets into .env for the owner only', async () => {
      await inFolder(async (cwd) => {
        writeFileSync(join(cwd, '.env'), 'KEEP=1', { mode: 0o600 });
        const { code } = await run(['init', '--yes', '--port', '9000', '--public-url', 'https://desk.example.com/'], {
          cwd,
        });
        assert.equal(code, 0);
        const dotenv = readFileSync(join(cwd, '.env'), 'utf8');
        assert.match(dotenv, /^KEEP=1\nINTAKE_SECRET=whsec_[A-Za-z0-9+/]{43}=\n$/);
        const file = readFileSync(join(cwd, 'config/tributary.yaml'), 'utf8');
        assert.ok(!file.includes('whsec_'));
        const check = await run(['config', 'check', '--json'], { cwd });
        assert.deepEqual(
          [check.code, (JSON.parse(check.stdout) as { channels: number }).channels],
          [0, 2],
          check.stdout,
        );
      });
    });

    it('makes .env unreadable for others and never overwrites a file', async () => {
      await inFolder(async (cwd) => {
        assert.equal((await run(['init', '-y'], { cwd })).code, 0);
        assert.equal(statSync(join(cwd, '.env')).mode & 0o777, 0o600);
        const before = readFileSync(join(cwd, '.env'), 'utf8');
        const again = await run(['init', '-y', '--port', '9'], { cwd });
        assert.deepEqual([again.code, readFileSync(join(cwd, '.env'), 'utf8')], [1, before]);
        assert.match(again.stderr, /is there already/);
      });
    });

    it('refuses what can not be right, and writes nothing then', async () => {
      await inFolder(async (cwd) => {
        for (const option of [
          ['--port', '99999'],
          ['--public-url', 'desk'],
          ['--destination', 'ftp://x'],
        ]) {
          assert.equal((await run(['init', '-y', ...option], { cwd })).code, 2);
        }
        assert.ok(!existsSync(join(cwd, 'config')) && !existsSync(join(cwd, '.env')));
      });
    });
  });

  describe('sign and verify', () => {
    const options = ['--secret-env', 'S', '--id', 'msg_1', '--timestamp', String(NOW / 1000)];
    const body = '{"text":"Привіт"}';

    async function signature(): Promise<string> {
      const { stdout } = await run(['sign', '--json', ...options], { stdin: body, env, now: NOW });
      return (JSON.parse(stdout) as { 'webhook-signature': string })['webhook-signature'];
    }

    it('signs as the Standard Webhooks library does', async () => {
      assert.equal(await signature(), new Webhook(SECRET).sign('msg_1', new Date(NOW), body));
      const plain = await run(['sign', '--secret-env', 'S'], { stdin: body, env, now: NOW });
      assert.match(plain.stdout, /^webhook-id: msg_.*\nwebhook-timestamp: 1790000000\nwebhook-signature: v1,.*\n$/);
    });

    it('makes fresh secrets', async () => {
      const [one, two] = [await run(['sign', '--new-secret']), await run(['sign', '--new-secret'])];
      assert.match(one.stdout, /^whsec_[A-Za-z0-9+/]{43}=\n$/);
      assert.notEqual(one.stdout, two.stdout);
    });

    it('verifies, and says which part differs', async () => {
      const good = await signature();
      const check = async (args: string[], stdin = body, now = NOW) => {
        const { code, stdout } = await run(['verify', '--json', ...options, '--signature', good, ...args], {
          stdin,
          env: { ...env, OTHER: `whsec_${'A'.repeat(32)}` },
          now,
        });
        const { findings } = JSON.parse(stdout) as { findings: { part: string; ok: boolean; text: string }[] };
        return [code, ...findings.filter(({ ok }) => !ok).map(({ part, text }) => `${part}: ${text}`)];
      };
      assert.deepEqual(await check([]), [0]);
      assert.deepEqual(await check([], body, NOW + 300_000), [0]);
      assert.deepEqual(await check([], body, NOW + 301_000), [1, 'timestamp: 301 s off, at most 300 s are allowed']);
      assert.deepEqual(await check([], `${body}\n`), [
        1,
        'signature: fits over the body without the line break at its end',
      ]);
      assert.deepEqual(await check([], `${body} `), [1, 'signature: differs: another secret, id, timestamp or body']);
      assert.deepEqual(await check(['--id', 'msg_2']), [
        1,
        'signature: differs: another secret, id, timestamp or body',
      ]);
      assert.deepEqual(await check(['--secret-env', 'OTHER']), [
        1,
        'signature: differs: another secret, id, timestamp or body',
      ]);
      assert.deepEqual(await check(['--signature', good.slice(3)]), [
        1,
        'scheme: no part begins with v1,',
        'signature: differs: another secret, id, timestamp or body',
      ]);
      assert.deepEqual(await check(['--signature', `v1,AAAA ${good}`]), [0]);
    });

    it('explains plain HMAC signatures', async () => {
      const hmac = ['--scheme', 'hmac', '--secret-env', 'S'];
      const sign = async (...args: string[]) =>
        (await run(['sign', ...hmac, ...args], { stdin: body, env })).stdout.trim();
      const check = (given: string, ...args: string[]) =>
        run(['verify', ...hmac, '--prefix', 'sha256=', '--signature', given, ...args], { stdin: body, env });
      const good = await sign('--prefix', 'sha256=');
      assert.match(good, /^sha256=[0-9a-f]{64}$/);
      assert.equal((await check(good)).code, 0);
      for (const [given, why] of [
        [good.slice(7), /does not begin with "sha256="/],
        [good.toUpperCase().replace('SHA256=', 'sha256='), /once trimmed and in small letters/],
        [`sha256=${await sign('--encoding', 'base64')}`, /fits as sha256 in base64/],
        [`sha256=${await sign('--algorithm', 'sha1')}`, /fits as sha1 in hex/],
        ['sha256=zz', /is not hex/],
        [`sha256=${'0'.repeat(64)}`, /another secret, or another body/],
      ] as const) {
        const { code, stdout } = await check(given);
        assert.equal(code, 1, given);
        assert.match(stdout, why);
      }
    });

    it('takes secrets from stdin, a file or a variable, but not from the command line', async () => {
      await inFolder(async (cwd) => {
        writeFileSync(join(cwd, 's'), `${SECRET}\n`);
        writeFileSync(join(cwd, 'body'), body);
        const expected = await signature();
        const rest = ['--json', '--id', 'msg_1', '--timestamp', String(NOW / 1000)];
        for (const [args, stdin] of [
          [['sign', 'body', '--secret-file', 's', ...rest], ''],
          [['sign', '--secret', '-', ...rest], `${SECRET}\n${body}`],
          [['sign', 'body', '--secret', '-', ...rest], SECRET],
          [['sign', '-', '--secret-file', 's', ...rest], body],
        ] as const) {
          const { stdout } = await run(args, { cwd, stdin, now: NOW });
          assert.equal((JSON.parse(stdout) as Record<string, string>)['webhook-signature'], expected, args.join(' '));
        }
        const refused = await run(['sign', 'body', '--secret', SECRET], { cwd, stdin: SECRET });
        assert.equal(refused.code, 2);
        assert.ok(!refused.stderr.includes(SECRET) && !refused.stdout.includes(SECRET));
        assert.equal((await run(['sign', 'body'], { cwd })).code, 2);
        assert.equal((await run(['sign', 'body', '--secret-env', 'NOT_SET'], { cwd })).code, 2);
      });
    });
  });

  describe('with a running gateway', () => {
    const event = {
      id: 'evt_1',
      receivedAt: '2026-11-22T10:00:00.123Z',
      endpoint: 'a',
      outcome: 'ignored',
      ticketId: null,
      reason: 'x\u001b]0;pwned\u0007\u202ey\nz',
    };

    it('lists rows, harmless on a terminal, and says how to get more', async () => {
      await withGateway({ 'GET /api/v1/events': { data: [event], nextCursor: 'c2' } }, async (cwd, seen) => {
        const { code, stdout, stderr } = await run(['events', 'list', '--since', '2h', '--outcome', 'ignored'], {
          cwd,
          now: NOW,
        });
        assert.equal(code, 0);
        assert.match(stdout, /^id .*\nevt_1 {2}2026-11-22 10:00:00Z {2}a +ignored +x \]0;pwned y z\n$/);
        assert.match(stderr, /--cursor c2/);
        const query = new URL(seen[0]!.url, 'http://x').searchParams;
        assert.deepEqual(Object.fromEntries(query), {
          limit: '50',
          outcome: 'ignored',
          since: new Date(NOW - 7_200_000).toISOString(),
        });
        assert.equal(seen[0]!.authorization, 'Bearer trb_canary-token');
        const json = await run(['events', 'list', '--json'], { cwd });
        assert.deepEqual([JSON.parse(json.stdout), json.stderr], [{ data: [event], nextCursor: 'c2' }, '']);
        assert.equal((await run(['events', 'list', '--since', 'soon'], { cwd })).code, 2);
      });
    });

    it('repeats what the gateway refuses, without its control characters', async () => {
      await withGateway({}, async (cwd) => {
        const { code, stderr } = await run(['events', 'show', 'evt_9'], { cwd });
        assert.equal(code, 1);
        assert.equal(stderr, '✖ the gateway refused (404): There is no such  [31mthing\n  Look again.\n');
      });
    });

    it('exports all tickets, page by page, as CSV that no spreadsheet runs', async () => {
      const ticket = {
        id: 't1',
        number: 1,
        subject: '=cmd()',
        status: 'new',
        channel: { id: 'a' },
        customer: { id: 'c', name: 'O, "K"' },
        tags: ['x', 'y'],
        messageCount: 2,
      };
      const answers = {
        'GET /api/v1/tickets?sort=createdAt&limit=200': { data: [ticket], nextCursor: 'n' },
        'GET /api/v1/tickets?sort=createdAt&limit=200&cursor=n': {
          data: [{ ...ticket, number: 2, subject: '-1' }],
          nextCursor: null,
        },
      };
      await withGateway(answers, async (cwd) => {
        const { stdout } = await run(['tickets', 'export', '--csv'], { cwd });
        const [head, one, two] = stdout.split('\n');
        assert.match(head!, /^number,subject,status,/);
        assert.equal(one, `1,'=cmd(),new,,a,"O, ""K""",,,x y,,2,,,t1`);
        assert.match(two!, /^2,'-1,/);
        const lines = (await run(['tickets', 'export'], { cwd })).stdout.trim().split('\n');
        assert.deepEqual(
          lines.map((line) => (JSON.parse(line) as { number: number }).number),
          [1, 2],
        );
      });
    });

    it('prints a new key alone on stdout', async () => {
      await withGateway({ 'POST /api/v1/keys': { id: 'key_1', key: 'trb_new' } }, async (cwd, seen) => {
        const { stdout, stderr } = await run(['keys', 'create', 'crm', '--scope', 'tickets:read', 'changes:read'], {
          cwd,
        });
        assert.equal(stdout, 'trb_new\n');
        assert.match(stderr, /keys revoke key_1/);
        assert.deepEqual(JSON.parse(seen[0]!.body), { name: 'crm', scopes: ['tickets:read', 'changes:read'] });
      });
    });

    it('counts before it replays', async () => {
      await withGateway({ 'POST /api/v1/deliveries/replay': { count: 7 } }, async (cwd, seen) => {
        const filter = ['deliveries', 'replay', '--destination', 'crm', '--state', 'dead'];
        assert.equal((await run([...filter, '--dry-run'], { cwd })).stdout, '7 would be sent again.\n');
        assert.equal((await run(filter, { cwd })).stdout, '7 are sent again.\n');
        assert.deepEqual(
          seen.map(({ body }) => JSON.parse(body) as unknown),
          [
            { destination: 'crm', state: 'dead', dryRun: true },
            { destination: 'crm', state: 'dead', dryRun: false },
          ],
        );
      });
    });

    it('takes back what was to be replayed', async () => {
      await withGateway({ 'POST /api/v1/deliveries/replay/cancel': { count: 7 } }, async (cwd, seen) => {
        const { stdout } = await run(['deliveries', 'replay', '--destination', 'crm', '--cancel'], { cwd });
        assert.equal(stdout, '7 are not sent again.\n');
        assert.deepEqual(JSON.parse(seen[0]!.body), { destination: 'crm' });
      });
    });

    it('ends with 3 when the credentials of a channel fail', async () => {
      const answer = { ok: false, text: 'token revoked', error: 'AuthExpiredError', hint: 'Enter it again.' };
      await withGateway({ 'POST /api/v1/channels/bot/test': answer }, async (cwd) => {
        const { code, stdout } = await run(['channels', 'test', 'bot'], { cwd });
        assert.deepEqual([code, stdout], [3, 'failed  token revoked\n        Enter it again.\n']);
      });
    });

    it('exports what runs with placeholders in place of secrets', async () => {
      const endpoint = {
        id: 'in-1',
        type: 'webhook',
        name: 'in-1',
        enabled: true,
        settings: { auth: { type: 'bearer', token: '••••LaSw' }, text: '${x}' },
      };
      const answers = {
        'GET /api/v1/channels': { data: [endpoint], nextCursor: null },
        'GET /api/v1/destinations': { data: [], nextCursor: null },
        'GET /api/v1/routes': { data: [{ id: 'r', source: null, when: {}, to: ['crm'] }], nextCursor: null },
      };
      await withGateway(answers, async (cwd) => {
        const { stdout, stderr } = await run(['config', 'export'], { cwd });
        assert.match(stdout, /token: \$\{IN_1_AUTH_TOKEN\}\n {4}text: \$\$\{x\}/);
        assert.match(stderr, /IN_1_AUTH_TOKEN/);
        assert.ok(!stdout.includes('LaSw'));
      });
    });
  });

  describe('doctor', () => {
    it('ends with 3 when others may read the data, and says how to repair it', async () => {
      await inFolder(async (cwd) => {
        const check = async () => {
          const { code, stdout } = await run(['doctor', '--json'], { cwd });
          const { checks } = JSON.parse(stdout) as { checks: { name: string; state: string; remedy?: string }[] };
          return { code, rights: checks.find(({ name }) => name === 'file rights') };
        };
        mkdirSync(join(cwd, 'data'), { mode: 0o700 });
        assert.equal((await check()).code, 0);
        writeFileSync(join(cwd, 'data/secret.key'), 'x');
        chmodSync(join(cwd, 'data/secret.key'), 0o644);
        const { code, rights } = await check();
        assert.deepEqual([code, rights?.state], [3, 'failed']);
        assert.match(rights?.remedy ?? '', /^chmod go= .*secret\.key$/);
      });
    });

    it('ends with 3 for problems of the configuration and a damaged database', async () => {
      await inFolder(async (cwd) => {
        assert.equal((await run(['doctor'], { cwd, env: { PORT: 'x' } })).code, 3);
        mkdirSync(join(cwd, 'data'), { mode: 0o700 });
        writeFileSync(join(cwd, 'data/tributary.db'), Buffer.alloc(8192, 'no database '), { mode: 0o600 });
        const { code, stdout } = await run(['doctor'], { cwd });
        assert.equal(code, 3);
        assert.match(stdout, /✖ database/);
      });
    });

    it('shows a channel that needs new credentials', async () => {
      const health = { state: 'needs_reauth', problem: null, lastError: 'token revoked', pauseReason: null, dead: 2 };
      const answers = {
        'GET /readyz': {},
        'GET /api/v1/channels': { data: [{ id: 'bot', type: 'telegram', health }], nextCursor: null },
        'GET /api/v1/destinations': { data: [], nextCursor: null },
      };
      await withGateway(answers, async (cwd) => {
        const { code, stdout } = await run(['doctor'], { cwd });
        assert.equal(code, 3);
        assert.match(stdout, /✖ channel +bot \(telegram\): needs_reauth, 2 dead deliveries: token revoked/);
      });
    });

    it('warns about Brotli decoders with a known hole', () => {
      for (const version of ['1.0.9', '1.1.0', '1.2.0']) assert.match(brotliWarning(version) ?? '', /vulnerable/);
      for (const version of ['1.0.10', '1.1.1', '1.2.1', '1.3.0', '']) assert.equal(brotliWarning(version), undefined);
    });
  });
});
