import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { loadConfig } from '../src/config.ts';
import type { Secret } from '../src/core/secret.ts';
import { config, FILE, form, GOOD, problems, short } from './fakes/config.ts';

describe('configuration', () => {
  it('starts without a file, with the form `contact` and nothing else', () => {
    const { channels, destinations, routes, server, dataDir, store, tickets, retention, statusPage, file } =
      config(undefined);
    assert.deepEqual(
      channels.map(({ id, type, source, config }) => ({ id, type, source, config })),
      [{ id: 'contact', type: 'form', source: null, config: { maxFiles: 5 } }],
    );
    assert.deepEqual([destinations, routes, file], [[], [], undefined]);
    assert.deepEqual(server, { port: 8080, host: '127.0.0.1', publicUrl: undefined, trustProxy: [] });
    assert.deepEqual([dataDir, store.path], ['/app/data', '/app/data/tributary.db']);
    assert.deepEqual(tickets, { joinWithinMs: 86_400_000, reopenWithinMs: 7 * 86_400_000, calls: 'missed' });
    assert.deepEqual(retention, {
      payloadsMs: 30 * 86_400_000,
      tasksMs: 14 * 86_400_000,
      recordingsMs: 90 * 86_400_000,
    });
    assert.deepEqual(statusPage, { shows: ['assignee', 'team'], closedForMs: 90 * 86_400_000 });
  });

  it('knows where phone numbers without a country code are from, if it is told', () => {
    assert.equal(config(undefined).country, undefined);
    assert.equal(config('country: UA').country, 'UA');
  });

  it('keeps an empty list of channels empty, and reads an empty file like none', () => {
    assert.deepEqual(config('channels: []').channels, []);
    assert.equal(config('').channels[0]?.id, 'contact');
    assert.equal(config('# all commented out\nchannels:\n#  - x\n').channels[0]?.id, 'contact');
  });

  it('reads the example of the contract, each endpoint with its line, its secrets hidden', () => {
    const { channels, destinations, routes } = config(
      [
        'server: { port: 9000, host: 127.0.0.1, publicUrl: https://desk.example.com }',
        'store: sqlite:./data/other.db',
        'queue: embedded',
        'egress: { allow: [crm.internal, 10.0.0.0/8] }',
        'channels:',
        '  - { id: contact, type: form }',
        '  - id: intake',
        '    type: webhook',
        `    auth: { type: standard_webhooks, secret: ${GOOD} }`,
        'destinations:',
        `  - { id: crm, type: webhook, url: https://crm.example.com/hooks, secret: ${GOOD} }`,
        'routes:',
        '  - { to: [crm] }',
        '  - { when: { channel: intake, kind: [message, review] }, to: crm }',
      ].join('\n'),
    );
    assert.deepEqual(
      channels.map(({ id, source }) => [id, source]),
      [
        ['contact', `${FILE}:6`],
        ['intake', `${FILE}:7`],
      ],
    );
    const { auth } = channels[1]!.config as { auth: { secret: Secret } };
    assert.equal(auth.secret.reveal(), GOOD);
    assert.ok(!inspect(channels[1]!.config, { depth: 9 }).includes(GOOD));
    assert.deepEqual(destinations[0]?.trustedHosts, ['crm.example.com:443']);
    assert.deepEqual(routes, [
      { id: 'route-1', source: `${FILE}:13`, when: {}, to: ['crm'], stop: false },
      {
        id: 'route-2',
        source: `${FILE}:14`,
        when: { channel: ['intake'], kind: ['message', 'review'] },
        to: ['crm'],
        stop: false,
      },
    ]);
  });

  it('reads what routes ask about fields, customers and the time', () => {
    const when =
      '{ customer: cus_1, field: { department: [a, b] }, time: { zone: Europe/Kyiv, days: [sat], from: "09:00" } }';
    const crm = `destinations:\n  - { id: crm, type: webhook, url: https://crm.example.com/hooks, secret: ${GOOD} }`;
    const { routes } = config(`${crm}\nroutes:\n  - { when: ${when}, to: crm, stop: true }`);
    const time = { zone: 'Europe/Kyiv', days: ['sat'], from: '09:00' };
    const expected = { customer: ['cus_1'], field: { department: ['a', 'b'] }, time };
    assert.deepEqual([routes[0]!.when, routes[0]!.stop], [expected, true]);
    for (const wrong of ['zone: Kyiv', 'zone: UTC, from: "25:00"', 'zone: UTC, days: [monday]', 'from: "09:00"']) {
      assert.equal(problems(`${crm}\nroutes:\n  - { when: { time: { ${wrong} } }, to: crm }`).length, 1, wrong);
    }
  });

  it('keeps the URLs of a database and of Redis to itself', () => {
    const env = {
      DATABASE_URL: 'postgres://tributary:topsecret@db.example.com/tributary',
      REDIS_URL: 'redis://:topsecret@redis.example.com:6379',
    };
    const { store, queue } = config(undefined, { env });
    assert.equal(store.url?.reveal(), env.DATABASE_URL);
    assert.equal(queue?.reveal(), env.REDIS_URL);
    assert.equal(store.path, undefined);
    assert.ok(!inspect(config(undefined, { env }), { depth: 9 }).includes('topsecret'));
  });

  it('knows what writes calls down, what it may cost, and keeps its key to itself', () => {
    assert.equal(config(undefined).transcripts, undefined);
    const written = 'transcripts: { url: "https://ai.internal:8443/v1", apiKey: "${AI_KEY}", model: whisper-1 }';
    const { transcripts } = config(written, { env: { AI_KEY: GOOD } });
    const { apiKey, ...rest } = transcripts!;
    assert.deepEqual([apiKey?.reveal(), inspect(transcripts).includes(GOOD)], [GOOD, false]);
    assert.deepEqual(rest, {
      url: 'https://ai.internal:8443/v1',
      host: 'ai.internal:8443',
      model: 'whisper-1',
      chatModel: undefined,
      language: undefined,
      timeoutMs: 120_000,
      maxMinutes: 30,
      maxMinutesPerDay: 300,
    });
    const url = 'url: "http://localhost/v1", model: m';
    assert.equal(config(`transcripts: { ${url} }`).transcripts?.host, 'localhost:80');
    const wrong = [
      `${url}, timeout: 4m`,
      `${url}, maxMinutes: 0`,
      `${url}, maxMinutesPerDay: -1`,
      `${url}, language: ukrainian`,
      `${url}, apiKey: your-key`,
      `${url}, apikey: x`,
      'url: "ftp://localhost/v1", model: m',
      'url: "http://localhost/v1/", model: m',
      'url: "http://a:b@localhost/v1", model: m',
      'url: "http://localhost/v1?x=1", model: m',
      'url: "http://localhost/v1"',
    ];
    for (const each of wrong) assert.equal(problems(`transcripts: { ${each} }`).length, 1, each);
  });

  it('trusts the hosts that the operator named, and only those', () => {
    const auth = `auth: { type: standard_webhooks, secret: ${GOOD} }`;
    const { channels } = config(
      `channels: [{ id: a, type: webhook, ${auth}, imap: { host: Mail.Internal, port: 993 }, apiRoot: "http://127.0.0.1:81/x" },` +
        ` { id: b, type: webhook, ${auth}, imap: { host: mail.internal } }]`,
    );
    assert.deepEqual(channels[0]?.trustedHosts, ['mail.internal:993', '127.0.0.1:81']);
    assert.deepEqual(channels[1]?.trustedHosts, ['mail.internal']);
  });

  it('does not take the address that a channel listens on for one to call', () => {
    const auth = `auth: { type: standard_webhooks, secret: ${GOOD} }`;
    const { channels } = config(
      `channels: [{ id: a, type: webhook, ${auth}, listen: { host: 10.0.0.1, port: 2525 }, imap: { host: mail.internal, port: 993 } }]`,
    );
    assert.deepEqual(channels[0]?.trustedHosts, ['mail.internal:993']);
  });

  it('fills placeholders from the environment, from .env and from files, in values only', () => {
    const yaml = [
      'server: { port: "${MY_PORT:-8081}" }',
      'channels:',
      '  - id: a',
      '    type: webhook',
      '    secure: ${SECURE}',
      '    auth: { type: basic, user: "${FROM_DOTENV}", password: "${file:/run/secrets/pass}" }',
      '  - { id: b, type: form, title: "costs $${5} # ${WITH_COLON}", maxFiles: ${COUNT} }',
    ].join('\n');
    const loaded = config(yaml, {
      env: { SECURE: 'false', WITH_COLON: 'a: [b', COUNT: '7' },
      files: { '.env': 'FROM_DOTENV=olena\nCOUNT=9\n', '/run/secrets/pass': '12345678\n' },
    });
    assert.equal(loaded.server.port, 8081);
    const first = loaded.channels[0]!.config as { secure: boolean; auth: { user: string; password: Secret } };
    assert.deepEqual([first.secure, first.auth.user, first.auth.password.reveal()], [false, 'olena', '12345678']);
    assert.deepEqual(loaded.channels[1]?.config, { title: 'costs ${5} # a: [b', maxFiles: 7 });
  });

  it('takes placeholders unquoted, even inside braces', () => {
    const yaml =
      'channels: [{ id: a, type: webhook, auth: { type: basic, user: ${WHO:-Привіт, a: b}, password: ${PASS} } }, { id: b, type: form, tilte: 1 }]';
    const found = problems(yaml, { env: { PASS: 'x'.repeat(20) } });
    assert.deepEqual(found.map(short), [
      `${FILE}:1 channels[1].tilte: unknown key "tilte" | Write title. Known: id, type, name, enabled, autoReply, title, maxFiles. | title`,
    ]);
    const loaded = config(yaml.replace('tilte: 1', 'title: x'), { env: { PASS: 'x'.repeat(20) } });
    const { auth } = loaded.channels[0]!.config as { auth: { user: string; password: Secret } };
    assert.deepEqual([auth.user, auth.password.reveal()], ['Привіт, a: b', 'x'.repeat(20)]);
  });

  it('lets the environment win over .env, .env over the file, the file over the defaults', () => {
    const yaml = 'server: { port: 1001, host: 10.0.0.1 }\ndataDir: /yaml\nlog: { level: warn }';
    const files = { '.env': 'PORT=1002\nHOST=10.0.0.2\nDATA_DIR=\n' };
    const { server, dataDir, log } = config(yaml, { env: { PORT: '1003', LOG_LEVEL: '' }, files });
    assert.deepEqual(
      [server.port, server.host, dataDir, log.level, log.format],
      [1003, '10.0.0.2', '/yaml', 'warn', 'auto'],
    );
    assert.equal(config(undefined, { env: { PORT: '0' } }).server.port, 0);
  });

  it('leaves the environment of the process as it is', () => {
    const before = { ...process.env };
    config(undefined, { files: { '.env': 'TRIBUTARY_PROBE=1' } });
    assert.deepEqual({ ...process.env }, before);
  });

  it('takes secrets of the installation from the environment or from a file', () => {
    const key = 'k'.repeat(20) + '0123456789abcdef';
    const { secretKey, adminApiKey } = config(undefined, {
      env: { SECRET_KEY_FILE: '/run/secrets/key', ADMIN_API_KEY: key },
      files: { '/run/secrets/key': `${key}\n` },
    });
    assert.deepEqual([secretKey?.reveal(), adminApiKey?.reveal()], [key, key]);
  });

  it('reads the file that TRIBUTARY_CONFIG names', () => {
    const files = { '/etc/gate.yaml': 'channels: [{ id: x, type: form }]' };
    const loaded = config(undefined, { env: { TRIBUTARY_CONFIG: '/etc/gate.yaml' }, files });
    assert.deepEqual([loaded.file, loaded.channels[0]?.source], ['/etc/gate.yaml', '/etc/gate.yaml:1']);
  });

  it('reads real files below the working folder', () => {
    const cwd = mkdtempSync(join(tmpdir(), 'tributary-config-'));
    try {
      mkdirSync(join(cwd, 'config'));
      writeFileSync(join(cwd, FILE), 'server: { port: 1234 }\n');
      const loaded = loadConfig({ env: {}, cwd, connectors: [form], destinationTypes: [] });
      assert.ok('config' in loaded);
      assert.deepEqual([loaded.config.server.port, loaded.config.file], [1234, FILE]);
    } finally {
      rmSync(cwd, { recursive: true });
    }
  });
});
