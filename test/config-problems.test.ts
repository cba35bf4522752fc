import assert from 'node:assert/strict';
import { loadConfig } from '../src/config.ts';
import { FILE, form, GOOD, problems, short } from './fakes/config.ts';
import type { Setting } from './fakes/config.ts';

describe('problems of the configuration', () => {
  const intake = (auth: string) => `channels:\n  - id: intake\n    type: webhook\n    auth: ${auth}`;

  const cases: readonly [string, string | undefined, string, Setting?][] = [
    [
      'an unknown key',
      'server:\n  prot: 1',
      `${FILE}:2 server.prot: unknown key "prot" | Write port. Known: port, host, publicUrl, trustProxy. | port`,
    ],
    [
      'an unknown key at the top',
      '\nchanels: []',
      `${FILE}:2 chanels: unknown key "chanels" | Write channels. Known: server, dataDir, store, queue, egress, log, country, tickets, retention, transcripts, statusPage, channels, destinations, routes. | channels`,
    ],
    [
      'an unknown key of a channel',
      'channels:\n  - id: a\n    type: form\n    tilte: x',
      `${FILE}:4 channels[0].tilte: unknown key "tilte" | Write title. Known: id, type, name, enabled, autoReply, title, maxFiles. | title`,
    ],
    [
      'an unknown key inside a union',
      intake(`{ type: basic, user: a, password: bcdefghi, secert: x }`),
      `${FILE}:4 channels[0].auth.secert: unknown key "secert" | Known: type, user, password.`,
    ],
    [
      'text for a number',
      'server:\n  port: "x"',
      `${FILE}:2 server.port: must be a number, is text | Write a plain number, without quotes and units.`,
    ],
    [
      'a number for text',
      'channels:\n  - { id: a, type: form, title: 5 }',
      `${FILE}:2 channels[0].title: must be text, is a number | Put the value in quotes.`,
    ],
    ['a group for text', 'dataDir: { a: 1 }', `${FILE}:1 dataDir: must be text, is a group of keys | Write text.`],
    [
      'a value for a group',
      'server: 8080',
      `${FILE}:1 server: must be a group of keys, is a number | Write keys below it, indented, one per line.`,
    ],
    ['an empty value', 'server:\n  port:', `${FILE}:2 server.port: is empty | Write a value, or remove the key.`],
    [
      'a list for the whole file',
      '- a',
      `${FILE}:1 : must be a group of keys, is a list | Write keys below it, indented, one per line.`,
    ],
    ['a port too large', 'server: { port: 65536 }', `${FILE}:1 server.port: is too big | At most 65535.`],
    ['a negative port', 'server: { port: -1 }', `${FILE}:1 server.port: is too small | At least 0.`],
    [
      'half a port',
      'server: { port: 80.5 }',
      `${FILE}:1 server.port: must be a whole number, is a number | Write a plain whole number, without quotes and units.`,
    ],
    [
      'a port that is no number',
      'server: { port: .nan }',
      `${FILE}:1 server.port: must be a number, is not a finite number | Write a plain number, without quotes and units.`,
    ],
    [
      'an endless number',
      'channels: [{ id: a, type: form, maxFiles: 1e99 }]',
      `${FILE}:1 channels[0].maxFiles: is too big | At most 9007199254740991.`,
    ],
    [
      'zero where one is least',
      'channels: [{ id: a, type: form, maxFiles: 0 }]',
      `${FILE}:1 channels[0].maxFiles: is too small | At least 1.`,
    ],
    [
      'a number with a unit',
      'channels: [{ id: a, type: form, maxFiles: 10 megs }]',
      `${FILE}:1 channels[0].maxFiles: must be a number, is text | Write a plain number, without quotes and units.`,
    ],
    [
      'a bad PORT',
      undefined,
      'environment:- PORT: must be a number, is text | Write a plain number, without quotes and units.',
      { env: { PORT: '80a' } },
    ],
    [
      'a bad PORT in .env',
      undefined,
      '.env:2 PORT: is too big | At most 65535.',
      { files: { '.env': 'A=1\nPORT=99999\n' } },
    ],
    [
      'a bad LOG_LEVEL',
      undefined,
      'environment:- LOG_LEVEL: is none of the values it may have | Write one of: debug, info, warn, error. | debug',
      { env: { LOG_LEVEL: 'debgu' } },
    ],
    [
      'a host with a scheme',
      'server: { host: http://x }',
      `${FILE}:1 server.host: is not a host or IP address | Write 127.0.0.1 (this machine only) or 0.0.0.0 (every network).`,
    ],
    [
      'a public address without scheme',
      'server: { publicUrl: desk.example.com }',
      `${FILE}:1 server.publicUrl: is not an http or https address | Write scheme, host and at most a port: https://desk.example.com`,
    ],
    [
      'a public address over ftp',
      'server: { publicUrl: "ftp://desk.example.com" }',
      `${FILE}:1 server.publicUrl: is not an http or https address | Write scheme, host and at most a port: https://desk.example.com`,
    ],
    [
      'a public address with a slash at the end',
      undefined,
      'environment:- PUBLIC_URL: has a path, a slash at the end, or a port that goes without saying | Write scheme, host and at most a port: https://desk.example.com',
      { env: { PUBLIC_URL: 'https://desk.example.com/' } },
    ],
    [
      'a public address with a path',
      undefined,
      'environment:- PUBLIC_URL: has a path, a slash at the end, or a port that goes without saying | Write scheme, host and at most a port: https://desk.example.com',
      { env: { PUBLIC_URL: 'https://desk.example.com/x' } },
    ],
    [
      'a proxy that is a name',
      'server: { trustProxy: [proxy] }',
      `${FILE}:1 server.trustProxy[0]: is not an IP address or CIDR | Write 10.0.0.2 or 10.0.0.0/8.`,
    ],
    [
      'an address for egress',
      'egress: { allow: ["http://crm"] }',
      `${FILE}:1 egress.allow[0]: is not a host, IP address or CIDR | Write crm.internal, 10.0.0.2 or 10.0.0.0/8, without http://.`,
    ],
    [
      'a time without unit',
      'tickets:\n  joinWithin: "24"',
      `${FILE}:2 tickets.joinWithin: is not a time from 1ms to 3650d | Write a whole number and a unit: 90s, 30m, 24h, 7d.`,
    ],
    [
      'no time at all',
      'retention:\n  payloads: 0d',
      `${FILE}:2 retention.payloads: is not a time from 1ms to 3650d | Write a whole number and a unit: 90s, 30m, 24h, 7d.`,
    ],
    [
      'a time beyond measure',
      'retention:\n  tasks: 99999999d',
      `${FILE}:2 retention.tasks: is not a time from 1ms to 3650d | Write a whole number and a unit: 90s, 30m, 24h, 7d.`,
    ],
    [
      'a PostgreSQL that is nowhere',
      undefined,
      'environment:- DATABASE_URL: is not a store | Write sqlite:./data/tributary.db or postgres://user:password@host/database, or leave it out.',
      { env: { DATABASE_URL: 'postgres://u:pw@h:port/d' } },
    ],
    [
      'a queue that is none',
      'queue: amqp://h',
      `${FILE}:1 queue: is not a queue | Write redis://user:password@host:6379, or leave it out: the queue is built in.`,
    ],
    [
      'a store that is none',
      'store: mysql://x',
      `${FILE}:1 store: is not a store | Write sqlite:./data/tributary.db or postgres://user:password@host/database, or leave it out.`,
    ],
    [
      'an unknown connector',
      'channels:\n  - { id: a, type: webhok }',
      `${FILE}:2 channels[0].type: unknown connector type "webhok" | Write webhook. Known: form, webhook. | webhook`,
    ],
    [
      'an unknown destination type',
      'destinations:\n  - { id: a, type: zendesk }',
      `${FILE}:2 destinations[0].type: unknown destination type "zendesk" | Known: webhook.`,
    ],
    ['a channel without a type', 'channels:\n  - { id: a }', `${FILE}:2 channels[0].type: is missing | Add it: text.`],
    [
      'a channel that is a word',
      'channels:\n  - form',
      `${FILE}:2 channels[0]: must be a group of keys, is text | Write keys below it, indented, one per line.`,
    ],
    [
      'an id with a slash',
      'channels: [{ id: "a/b", type: form }]',
      `${FILE}:1 channels[0].id: is not an id: small letters, digits, - and _, at most 63, a letter or digit first | Correct the value: docs/configuration.md says what it may be.`,
    ],
    [
      'a missing secret',
      intake('{ type: standard_webhooks }'),
      `${FILE}:4 channels[0].auth.secret: is missing | Add it: text.`,
    ],
    [
      'a missing group',
      'channels:\n  - id: a\n    type: webhook',
      `${FILE}:2 channels[0].auth: is missing | Add it: a group of keys.`,
    ],
    [
      'an empty secret',
      intake('{ type: standard_webhooks, secret: "" }'),
      `${FILE}:4 channels[0].auth.secret: is too short | At least 1 characters.`,
    ],
    [
      'a secret copied from an example',
      intake('{ type: standard_webhooks, secret: whsec_changeme }'),
      `${FILE}:4 channels[0].auth.secret: is a secret copied from an example | Put in the real one; for a signing secret \`npx tributary sign --new-secret\` makes one.`,
    ],
    [
      'a mistyped choice',
      intake('{ type: basci, user: a }'),
      `${FILE}:4 channels[0].auth.type: is none of the values it may have | Write one of: standard_webhooks, basic. | basic`,
    ],
    [
      'one id twice',
      'channels:\n  - { id: a, type: form }\n  - { id: a, type: form }',
      `${FILE}:3 channels[1].id: the id "a" is taken by channels[0] in line 2 | Give one of them another id.`,
    ],
    [
      'one id for a channel and a destination',
      `channels:\n  - { id: a, type: form }\ndestinations:\n  - { id: a, type: webhook, url: https://x.example.com, secret: ${GOOD} }`,
      `${FILE}:4 destinations[0].id: the id "a" is taken by channels[0] in line 2 | Give one of them another id.`,
    ],
    [
      'a route to nowhere',
      `destinations:\n  - { id: crm, type: webhook, url: https://x.example.com, secret: ${GOOD} }\nroutes:\n  - { to: [zendesk] }`,
      `${FILE}:4 routes[0].to: leads to the destination "zendesk", which this file does not define | Add it below \`destinations:\`; defined: crm.`,
    ],
    [
      'a route to a mistyped destination',
      `destinations:\n  - { id: helpdesk, type: webhook, url: https://x.example.com, secret: ${GOOD} }\nroutes:\n  - { to: helpdsk }`,
      `${FILE}:4 routes[0].to: leads to the destination "helpdsk", which this file does not define | Write helpdesk. | helpdesk`,
    ],
    [
      'a route for an unknown connector',
      `destinations:\n  - { id: crm, type: webhook, url: https://x.example.com, secret: ${GOOD} }\nroutes:\n  - { when: { channelType: fax }, to: crm }`,
      `${FILE}:4 routes[0].when.channelType: unknown connector type "fax" | Known: form, webhook.`,
    ],
    ['a route without an end', 'routes:\n  - { when: {} }', `${FILE}:2 routes[0].to: is missing | Add it: text.`],
    [
      'an unset variable',
      intake('{ type: standard_webhooks, secret: "${HOOK_SECRET}" }'),
      `${FILE}:4 channels[0].auth.secret: needs the variable HOOK_SECRET, which is not set | Add a line HOOK_SECRET=… to .env, or set it in the environment.`,
    ],
    [
      'an empty variable',
      intake('{ type: standard_webhooks, secret: "${HOOK_SECRET}" }'),
      `${FILE}:4 channels[0].auth.secret: needs the variable HOOK_SECRET, which is not set | Add a line HOOK_SECRET=… to .env, or set it in the environment.`,
      { env: { HOOK_SECRET: '' } },
    ],
    [
      'an unset variable with advice',
      intake('{ type: standard_webhooks, secret: "${HOOK_SECRET:?Ask Olena}" }'),
      `${FILE}:4 channels[0].auth.secret: needs the variable HOOK_SECRET, which is not set | Ask Olena`,
    ],
    [
      'a broken placeholder',
      'channels: [{ id: a, type: form, title: "${" }]',
      `${FILE}:1 channels[0].title: holds a \${ that is no placeholder | Write \${NAME}, \${NAME:-default} or \${file:/path}; for the characters themselves $\${.`,
    ],
    [
      'a missing secret file',
      'channels: [{ id: a, type: form, title: "${file:/run/x}" }]',
      `${FILE}:1 channels[0].title: needs the file /run/x, which is not there | Create the file, or let the gateway read it (one value, nothing else in it).`,
    ],
    ['a key twice', 'server: {}\nserver: {}', `${FILE}:2 : the same key stands here twice | Keep one of them.`],
    [
      'broken YAML',
      'server:\n  port: [1',
      `${FILE}:2 : Flow sequence in block collection must be sufficiently indented and end with a ] | Check indentation, quotes and brackets on this line.`,
    ],
    [
      'a tab for indentation',
      'server:\n\tport: 1',
      `${FILE}:2 : Tabs are not allowed as indentation | Check indentation, quotes and brackets on this line.`,
    ],
    [
      'a config file that is not there',
      undefined,
      'environment:- TRIBUTARY_CONFIG: names gate.yaml, which is not there | Correct the path, or remove the variable to start with the defaults.',
      { env: { TRIBUTARY_CONFIG: 'gate.yaml' } },
    ],
    [
      'a short admin key',
      undefined,
      'environment:- ADMIN_API_KEY: is shorter than 32 characters | Make a strong one: openssl rand -base64 32',
      { env: { ADMIN_API_KEY: 'x'.repeat(31) } },
    ],
    [
      'a short secret key in a file',
      undefined,
      'environment:- SECRET_KEY_FILE: is shorter than 32 characters | Make a strong one: openssl rand -base64 32',
      { env: { SECRET_KEY_FILE: '/k' }, files: { '/k': 'short' } },
    ],
    [
      'a secret key file that is not there',
      undefined,
      'environment:- SECRET_KEY_FILE: names /k, which is not there | Create the file, or correct the path.',
      { env: { SECRET_KEY_FILE: '/k' } },
    ],
    [
      'a secret twice',
      undefined,
      'environment:- SECRET_KEY: is set, and SECRET_KEY_FILE too | Keep one of them.',
      { env: { SECRET_KEY: 'x', SECRET_KEY_FILE: '/k' } },
    ],
    [
      'a changeme',
      undefined,
      '.env:1 SECRET_KEY: is a value copied from an example | Make a strong one: openssl rand -base64 32',
      { files: { '.env': `SECRET_KEY=changeme-${'0123456789'.repeat(4)}` } },
    ],
    [
      'a value of .env.example',
      undefined,
      'environment:- SECRET_KEY: is the value of .env.example, which everybody knows | Make one of your own: openssl rand -base64 32',
      {
        env: { SECRET_KEY: '0123456789abcdef0123456789abcdef' },
        files: { '.env.example': '# SECRET_KEY=0123456789abcdef0123456789abcdef\n' },
      },
    ],
  ];

  for (const [what, yaml, expected, setting] of cases) {
    it(`refuses ${what}, with its place and its remedy`, () => {
      assert.deepEqual(problems(yaml, setting).map(short), [expected]);
    });
  }

  it('names every problem at once, in the order of the file', () => {
    const yaml = [
      'server: { port: x, prot: 1 }',
      'tickets: { joinWithin: soon }',
      'channels:',
      '  - { id: A, type: form }',
      '  - { id: b, type: fomr }',
      '  - { id: c, type: webhook, auth: { type: basic, user: "${WHO}", password: "${PASS}" } }',
      'destinations: [{ id: d, type: webhook }]',
      'routes: [{ to: x }]',
    ].join('\n');
    const found = problems(yaml, { env: { ADMIN_API_KEY: 'short' } });
    assert.deepEqual(
      found.map(({ line, path }) => `${line ?? '-'} ${path}`),
      [
        '1 server.port',
        '1 server.prot',
        '2 tickets.joinWithin',
        '4 channels[0].id',
        '5 channels[1].type',
        '6 channels[2].auth.user',
        '6 channels[2].auth.password',
        '7 destinations[0].url',
        '7 destinations[0].secret',
        '8 routes[0].to',
        '- ADMIN_API_KEY',
      ],
    );
  });

  it('never repeats a value, whatever is wrong with it', () => {
    const canary = 'CANARY-4f2a';
    const texts = [
      `channels: [{ id: a, type: webhook, auth: { type: basic, user: [${canary}], password: { x: ${canary} } } }]`,
      `channels: [{ id: a, type: webhook, auth: ${canary}, apiRoot: ${canary} }]`,
      `server: { publicUrl: "https://u:${canary}@h/", port: ${canary} }\nstore: mysql://${canary}\nqueue: ${canary}`,
      `channels:\n  - { password: "${canary} }`,
      `channels:\n  - password: ${canary}: x: y\n   bad: "\\q${canary}"`,
      `a: *${canary}`,
      `a: !${canary} x`,
      `%${canary}\n---\nb: @${canary}`,
    ];
    for (const yaml of texts) {
      const found = problems(yaml);
      assert.ok(found.length > 0, yaml);
      assert.ok(!JSON.stringify(found).includes(canary), JSON.stringify(found));
    }
    for (const name of ['SECRET_KEY', 'ADMIN_API_KEY', 'PORT', 'PUBLIC_URL', 'DATABASE_URL', 'LOG_LEVEL']) {
      const found = problems(undefined, { env: { [name]: canary } });
      assert.ok(found.length > 0 && !JSON.stringify(found).includes(canary), name);
    }
  });

  it('is not polluted by hostile keys', () => {
    assert.ok(problems('__proto__: { polluted: 1 }').length + 1 > 0);
    assert.ok(problems('server: { constructor: { prototype: { polluted: 1 } } }').length > 0);
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  });

  it('says so when a file can not be read', () => {
    const denied = Object.assign(new Error('denied'), { code: 'EACCES' });
    const loaded = loadConfig({
      env: {},
      cwd: '/app',
      connectors: [form],
      destinationTypes: [],
      readFile: (path) => {
        if (path.endsWith('.yaml')) throw denied;
        return undefined;
      },
    });
    assert.ok('problems' in loaded);
    assert.deepEqual(loaded.problems.map(short), [
      `${FILE}:- : can't be read (EACCES) | Let the gateway read it: chmod u+r ${FILE}`,
    ]);
  });
});
