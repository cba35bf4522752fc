import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { signStandardWebhook } from '../../src/core/signature.ts';
import { freePort } from '../fakes/free-port.ts';

/**
 * Kills gateways at random while messages are acknowledged, and lets an independent checker compare
 * the sender's own record with the API and with the receiver's log. Knows the gateway from outside only:
 * its command, its routes, its webhooks.
 */
export interface SoakOptions {
  readonly messages: number;
  readonly threads: number;
  readonly kills: number;
  /** Same seed, same plan of messages, repeats and kills. */
  readonly seed: number;
  readonly report: (line: string) => void;
  /** Several processes on one PostgreSQL database and one Redis, instead of one on a file. */
  readonly cluster?: {
    readonly processes: number;
    readonly databaseUrl: string;
    readonly redisUrl: string;
    /** What befalls the servers while messages are sent, spread over that time. */
    readonly mishaps: readonly (() => Promise<void>)[];
  };
}

export interface SoakResult {
  readonly acknowledged: number;
  readonly sends: number;
  readonly kills: number;
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly disordered: readonly string[];
  readonly balance: { readonly received: number; readonly balanced: boolean };
}

const secret = `whsec_${Buffer.alloc(24, 3).toString('base64')}`;
const adminKey = 'soak-key-with-more-than-32-characters';
const root = fileURLToPath(new URL('../..', import.meta.url));

export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  const random = createRandom(options.seed);
  const folder = mkdtempSync(join(tmpdir(), 'tributary-soak-'));
  const receiver = await startReceiver();
  const { cluster } = options;
  const ports = await Promise.all(Array.from({ length: cluster?.processes ?? 1 }, freePort));
  writeFileSync(
    join(folder, 'tributary.yaml'),
    `channels:\n  - { id: intake, type: webhook, auth: { type: standard_webhooks, secret: "${secret}" } }\n` +
      `destinations:\n  - { id: crm, type: webhook, url: "http://127.0.0.1:${receiver.port}/hooks", secret: "${secret}" }\n` +
      `routes:\n  - { to: [crm] }\n`,
  );
  const env = {
    ...process.env,
    DATA_DIR: join(folder, 'data'),
    TRIBUTARY_CONFIG: join(folder, 'tributary.yaml'),
    ADMIN_API_KEY: adminKey,
    LOG_LEVEL: 'error',
    LOG_FORMAT: 'json',
    ...(cluster && { DATABASE_URL: cluster.databaseUrl, REDIS_URL: cluster.redisUrl }),
  };
  const gateways = ports.map((port) => createKillable({ ...env, PORT: String(port) }, port));
  const port = ports[0]!;
  try {
    // One after the other: they share the machine, and the first one makes the tables.
    for (const gateway of gateways) await gateway.start();
    const sender = createSender(ports, options, random);
    const sending = sender.run();
    const killing = killAtRandom(gateways, options.kills, random, () => sender.progress() >= 1);
    const befalling = befall(cluster?.mishaps ?? [], sender.progress);
    await sending;
    const kills = await killing;
    await befalling;
    options.report(
      `seed ${options.seed}: ${sender.acknowledged.size} acknowledged, ${sender.sends()} sends, ${kills} kills`,
    );
    await drained(port);
    const result = await check(port, sender.acknowledged, receiver.log);
    return { ...result, acknowledged: sender.acknowledged.size, sends: sender.sends(), kills };
  } catch (error) {
    for (const gateway of gateways) {
      options.report(`seed ${options.seed} failed; a gateway said:\n${gateway.output()}`);
    }
    throw error;
  } finally {
    for (const gateway of gateways) await gateway.kill();
    receiver.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The gateway as its user starts it, in a process that can be killed. */
function createKillable(env: NodeJS.ProcessEnv, port: number) {
  let child: ChildProcess | undefined;
  let output = '';

  function spawnOne(): ChildProcess {
    const spawned = spawn(process.execPath, [join(root, 'bin/tributary.cjs'), 'start'], {
      env,
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const collect = (chunk: Buffer) => {
      output += chunk.toString();
    };
    spawned.stdout.on('data', collect);
    spawned.stderr.on('data', collect);
    return spawned;
  }

  /** False when it ended. */
  async function isReady({ exitCode, signalCode }: ChildProcess): Promise<boolean> {
    if (exitCode !== null || signalCode !== null) return false;
    return fetch(`http://127.0.0.1:${port}/readyz`).then(
      (answer) => answer.status === 200,
      () => false,
    );
  }

  return {
    output: () => output.slice(-4000),
    async start() {
      child = spawnOne();
      for (let i = 0; i < 600; i++) {
        if (await isReady(child)) return;
        await sleep(100);
        // As a supervisor does: what it needs may be away just now.
        if (child.exitCode !== null && i % 10 === 9) child = spawnOne();
      }
      throw new Error(`the gateway does not become ready: ${output}`);
    },
    async kill() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

async function killAtRandom(
  gateways: readonly { start(): Promise<void>; kill(): Promise<void> }[],
  kills: number,
  random: () => number,
  done: () => boolean,
): Promise<number> {
  let count = 0;
  while (count < kills && !done()) {
    await sleep(100 + random() * 400);
    const gateway = gateways[Math.floor(random() * gateways.length)]!;
    await gateway.kill();
    count++;
    await gateway.start();
  }
  return count;
}

/** One after the other, when so much of the messages was sent that they are spread evenly. */
async function befall(mishaps: readonly (() => Promise<void>)[], progress: () => number): Promise<void> {
  for (const [index, mishap] of mishaps.entries()) {
    while (progress() < (index + 1) / (mishaps.length + 1)) await sleep(50);
    await mishap();
  }
}

/** Sends every message one to five times until it was acknowledged, to any of the ports; keeps the order within a thread. */
function createSender(ports: readonly number[], options: SoakOptions, random: () => number) {
  const acknowledged = new Set<string>();
  const perThread = Math.ceil(options.messages / options.threads);
  const total = perThread * options.threads;
  let sends = 0;

  async function send(body: string, id: string): Promise<boolean> {
    const port = ports[sends++ % ports.length]!;
    const signed = signStandardWebhook([secret], { id, timestampSec: Math.floor(Date.now() / 1000), body });
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/webhooks/intake`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...signed },
        body,
      });
      await answer.arrayBuffer();
      return answer.status >= 200 && answer.status < 300;
    } catch {
      return false;
    }
  }

  async function runThread(thread: number): Promise<void> {
    for (let n = 1; n <= perThread; n++) {
      const id = `m-${thread}-${n}`;
      const body = JSON.stringify({
        id,
        thread: `t-${thread}`,
        from: { id: `u-${thread}`, name: `Customer ${thread}` },
        text: `message ${n} of thread ${thread}`,
        fields: { n: String(n) },
      });
      const copies = 1 + Math.floor(random() * 5);
      let done = false;
      while (!done) {
        const answers = await Promise.all(
          Array.from({ length: copies }, (_, copy) => send(body, `d-${thread}-${n}-${copy}`)),
        );
        done = answers.some(Boolean);
        if (!done) await sleep(50);
      }
      acknowledged.add(id);
    }
  }

  return {
    acknowledged,
    sends: () => sends,
    progress: () => acknowledged.size / total,
    async run() {
      const threads = Array.from({ length: options.threads }, (_, index) => index);
      await Promise.all(
        Array.from({ length: 32 }, async () => {
          for (let thread = threads.pop(); thread !== undefined; thread = threads.pop()) await runThread(thread);
        }),
      );
    },
  };
}

interface Heard {
  readonly webhookId: string;
  readonly ticket: string;
  readonly externalId: string;
}

/** What the business's own system hears; answers one in fifty with 500 after it has taken the event. */
async function startReceiver() {
  const log: Heard[] = [];
  let count = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const event = JSON.parse(Buffer.concat(chunks).toString()) as {
        type: string;
        data: { ticket?: { id: string }; message?: { externalId: string } };
      };
      if (event.type === 'message.received') {
        log.push({
          webhookId: String(request.headers['webhook-id']),
          ticket: event.data.ticket!.id,
          externalId: event.data.message!.externalId,
        });
      }
      response.writeHead(++count % 50 === 0 ? 500 : 200).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    log,
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function api<T>(port: number, path: string): Promise<T> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1${path}`, {
    headers: { authorization: `Bearer ${adminKey}` },
  });
  assert.equal(answer.status, 200, path);
  return (await answer.json()) as T;
}

async function pages<T>(port: number, path: string): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | null = null;
  do {
    const page: { data: T[]; nextCursor: string | null } = await api(
      port,
      `${path}${path.includes('?') ? '&' : '?'}limit=200${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`,
    );
    all.push(...page.data);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return all;
}

/** Waits until nothing is on its way any more; a destination that rests after failures is woken. */
async function drained(port: number): Promise<void> {
  for (let i = 0; i < 1200; i++) {
    const open = await Promise.all(
      ['waiting', 'delivering'].map((state) => api<{ data: unknown[] }>(port, `/deliveries?state=${state}&limit=1`)),
    );
    if (open.every((page) => page.data.length === 0)) return;
    await sleep(250);
  }
  throw new Error('deliveries are still waiting after five minutes');
}

/** The independent checker: it trusts nothing but what it sees through the API and in the receiver's log. */
async function check(port: number, acknowledged: ReadonlySet<string>, log: readonly Heard[]) {
  const lost: string[] = [];
  const doubled: string[] = [];
  const disordered: string[] = [];
  const stored = new Map<string, number>();
  const ticketsOfThread = new Map<string, Set<string>>();
  for (const ticket of await pages<{ id: string }>(port, '/tickets')) {
    for (const message of await pages<{ externalId: string }>(port, `/tickets/${ticket.id}/messages`)) {
      stored.set(message.externalId, (stored.get(message.externalId) ?? 0) + 1);
      const thread = message.externalId.split('-')[1]!;
      const tickets = ticketsOfThread.get(thread) ?? new Set();
      ticketsOfThread.set(thread, tickets.add(ticket.id));
    }
  }
  for (const id of acknowledged) if (!stored.has(id)) lost.push(`${id} was acknowledged and is not in the API`);
  for (const [id, count] of stored) if (count > 1) doubled.push(`${id} is in the API ${count} times`);
  for (const [thread, tickets] of ticketsOfThread)
    if (tickets.size > 1) doubled.push(`thread ${thread} has ${tickets.size} tickets`);

  // A receiver recognises a repeated delivery by its webhook-id: only the first of each counts.
  const seen = new Set<string>();
  const heard = new Map<string, number>();
  const last = new Map<string, number>();
  for (const { webhookId, externalId, ticket } of log) {
    if (seen.has(webhookId)) continue;
    seen.add(webhookId);
    heard.set(externalId, (heard.get(externalId) ?? 0) + 1);
    const n = Number(externalId.split('-')[2]);
    if (n < (last.get(ticket) ?? 0))
      disordered.push(`${externalId} came after number ${last.get(ticket)} of its ticket`);
    last.set(ticket, n);
  }
  for (const id of stored.keys()) if (!heard.has(id)) lost.push(`${id} never reached the receiver`);
  for (const [id, count] of heard) if (count > 1) doubled.push(`${id} reached the receiver as ${count} events`);
  const balance = await api<{ received: number; balanced: boolean }>(port, '/events/balance');
  return { lost, doubled, disordered, balance };
}

/** Mulberry32: small, and the same everywhere for a seed. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
