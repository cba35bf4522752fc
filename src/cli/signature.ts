import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { textOf } from '../core/errors.ts';
import { hmac, matchesSignature, signStandardWebhook, TOLERANCE_MS } from '../core/signature.ts';
import type { HmacAlgorithm, SignatureEncoding } from '../core/signature.ts';
import { CommandError, readStdin, USAGE } from './cli.ts';
import type { Cli } from './cli.ts';

/** Where a secret comes from. Never the command line itself: every process can read that. */
export interface SecretSource {
  /** `-`: the first line of stdin. */
  readonly secret?: string;
  readonly secretEnv?: string;
  readonly secretFile?: string;
}

export interface SignOptions extends SecretSource {
  readonly scheme: 'standard' | 'hmac';
  readonly algorithm: HmacAlgorithm;
  readonly encoding: SignatureEncoding;
  readonly prefix: string;
  readonly id?: string;
  readonly timestamp?: string;
}

export interface VerifyOptions extends SignOptions {
  readonly signature: string;
}

/** A fresh secret for Standard Webhooks: 32 random bytes. */
export function newSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`;
}

/** The headers that a sender would add to a body. */
export async function sign(cli: Cli, file: string | undefined, options: SignOptions): Promise<void> {
  const { key, body } = await read(cli, file, options);
  if (options.scheme === 'hmac') {
    const signature = options.prefix + hmac(options.algorithm, key, body).toString(options.encoding);
    return cli.show({ signature }, () => signature);
  }
  const message = { id: options.id ?? `msg_${randomUUID()}`, timestampSec: toSeconds(options.timestamp, cli), body };
  const headers = signStandardWebhook([standardKey(key)], message);
  return cli.show(headers, () =>
    Object.entries(headers)
      .map(([name, value]) => `${name}: ${value}`)
      .join('\n'),
  );
}

/** One thing that was compared, and what came of it. */
interface Finding {
  readonly part: string;
  readonly ok: boolean;
  readonly text: string;
}

/** Says whether a signature fits, and if not, which part of it differs. Returns the exit code. */
export async function verify(cli: Cli, file: string | undefined, options: VerifyOptions): Promise<number> {
  const { key, body } = await read(cli, file, options);
  const findings =
    options.scheme === 'hmac' ? checkHmac(key, body, options) : checkStandard(key, body, options, cli.clock.now());
  const ok = findings.every((finding) => finding.ok);
  cli.show({ ok, findings }, () =>
    [
      ...findings.map(
        ({ part, ok: fine, text }) => `${fine ? cli.color.green('✔') : cli.color.red('✖')} ${part}: ${text}`,
      ),
      ok ? 'The signature fits.' : 'The signature does not fit.',
    ].join('\n'),
  );
  return ok ? 0 : 1;
}

function checkHmac(key: string, body: Buffer, { signature, algorithm, encoding, prefix }: VerifyOptions): Finding[] {
  const prefixed = signature.startsWith(prefix);
  const prefixText = prefixed ? `begins with "${prefix}"` : `does not begin with "${prefix}"`;
  const given = prefixed ? signature.slice(prefix.length) : signature;
  const expected = hmac(algorithm, key, body);
  if (matchesSignature(expected, given, encoding)) {
    return [
      { part: 'prefix', ok: prefixed, text: prefixText },
      { part: 'signature', ok: true, text: `${algorithm}, ${encoding}` },
    ];
  }
  return [
    { part: 'prefix', ok: prefixed, text: prefixText },
    { part: 'signature', ok: false, text: whyHmac(key, body, given, encoding) },
  ];
}

/** Tries what people get wrong: encoding, algorithm, letters, a line break at the end. */
function whyHmac(key: string, body: Buffer, given: string, encoding: SignatureEncoding): string {
  const algorithms = ['sha1', 'sha256', 'sha512'] as const;
  const encodings = ['hex', 'base64'] as const;
  for (const [what, bytes] of bodies(body)) {
    for (const [how, text] of [
      ['', given],
      [', once trimmed and in small letters', given.trim().toLowerCase()],
    ] as const) {
      for (const algorithm of algorithms) {
        const fits = encodings.find((each) => matchesSignature(hmac(algorithm, key, bytes), text, each));
        if (fits) return `fits as ${algorithm} in ${fits}${how}${what}, which is not what was asked for`;
      }
    }
  }
  const shape = encoding === 'hex' ? /^[0-9a-f]+$/ : /^[A-Za-z0-9+/]+={0,2}$/;
  if (!shape.test(given)) return `is not ${encoding}`;
  return 'differs: another secret, or another body (it must be the bytes as they were sent)';
}

const bodies = (body: Buffer): readonly (readonly [string, Buffer])[] => [
  ['', body],
  [
    ' over the body without the line break at its end',
    Buffer.from(body.toString('latin1').replace(/\r?\n$/, ''), 'latin1'),
  ],
];

function checkStandard(key: string, body: Buffer, options: VerifyOptions, now: number): Finding[] {
  const { id, timestamp = '', signature } = options;
  if (!id) throw new CommandError('--id is missing: the value of webhook-id', { code: USAGE });
  const seconds = /^\d{1,11}$/.test(timestamp) ? Number(timestamp) : NaN;
  const off = Math.abs(now - seconds * 1000);
  const time: Finding = Number.isNaN(seconds)
    ? { part: 'timestamp', ok: false, text: 'is not a whole number of seconds' }
    : {
        part: 'timestamp',
        ok: off <= TOLERANCE_MS,
        text: `${Math.round(off / 1000)} s off, at most ${TOLERANCE_MS / 1000} s are allowed`,
      };
  const scheme = signature.split(' ').some((part) => part.startsWith('v1,'));
  const fits = (id_: string, seconds_: number, bytes: Buffer) =>
    signature.split(' ').some((part) => {
      const { 'webhook-signature': own } = signStandardWebhook([key], { id: id_, timestampSec: seconds_, body: bytes });
      return part.startsWith('v1,') && matchesSignature(Buffer.from(own.slice(3), 'base64'), part.slice(3), 'base64');
    });
  const found = bodies(body).find(([, bytes]) => fits(id, Number.isNaN(seconds) ? 0 : seconds, bytes));
  return [
    { part: 'id', ok: !id.includes('.'), text: id.includes('.') ? 'contains a dot' : 'can be signed' },
    time,
    { part: 'scheme', ok: scheme, text: scheme ? 'v1' : 'no part begins with v1,' },
    {
      part: 'signature',
      ok: found?.[0] === '',
      text: !found ? 'differs: another secret, id, timestamp or body' : `fits${found[0]}`,
    },
  ];
}

const SOURCES = 'Use --secret-env NAME, --secret-file PATH, or --secret - to read the first line of stdin.';

async function read(cli: Cli, file: string | undefined, source: SignOptions): Promise<{ key: string; body: Buffer }> {
  const given = [source.secret, source.secretEnv, source.secretFile].filter((each) => each !== undefined);
  if (given.length !== 1) {
    throw new CommandError('say where the secret comes from, once', { code: USAGE, remedy: SOURCES });
  }
  const fromStdin = source.secret !== undefined;
  if (fromStdin && source.secret !== '-') {
    // Not repeated, not even here: it is a secret.
    const text = 'a secret on the command line can be seen by every process';
    throw new CommandError(text, { code: USAGE, remedy: SOURCES });
  }
  const path = file === '-' ? undefined : file;
  const stdin = fromStdin || path === undefined ? await readStdin(cli) : Buffer.alloc(0);
  const [first, rest] = fromStdin ? splitLine(stdin) : ['', stdin];
  const key = (fromStdin ? first : readSecret(cli, source)).replace(/\r?\n$/, '');
  if (!key.trim()) throw new CommandError('the secret is empty or not set', { code: USAGE });
  return { key, body: path === undefined ? rest : readBytes(cli, path) };
}

/** The first line, and the bytes behind it. */
function splitLine(bytes: Buffer): [string, Buffer] {
  const end = bytes.indexOf('\n');
  if (end < 0) return [bytes.toString('utf8'), Buffer.alloc(0)];
  return [bytes.subarray(0, end + 1).toString('utf8'), bytes.subarray(end + 1)];
}

function readSecret(cli: Cli, { secretEnv, secretFile }: SecretSource): string {
  if (secretEnv !== undefined) return cli.env[secretEnv] ?? '';
  return secretFile === undefined ? '' : readBytes(cli, secretFile).toString('utf8');
}

function readBytes(cli: Cli, file: string): Buffer {
  try {
    return readFileSync(resolve(cli.cwd, file));
  } catch (error) {
    throw new CommandError(`can't read ${file}: ${textOf(error)}`, { cause: error });
  }
}

function standardKey(key: string): string {
  if (/^(whsec_)?[A-Za-z0-9+/]{22,}={0,2}$/.test(key)) return key;
  throw new CommandError('the secret is not whsec_ and base64', {
    code: USAGE,
    remedy: '`tributary sign --new-secret` makes one; for plain HMAC add --scheme hmac.',
  });
}

function toSeconds(text: string | undefined, cli: Cli): number {
  if (text === undefined) return Math.floor(cli.clock.now() / 1000);
  if (!/^\d{1,11}$/.test(text)) throw new CommandError('--timestamp is not a whole number of seconds', { code: USAGE });
  return Number(text);
}
