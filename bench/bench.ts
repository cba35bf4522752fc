import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { signStandardWebhook } from '../src/core/signature.ts';
import { median, percentile, runLoad, type LoadResult } from './load.ts';

/**
 * P1: filing a signed webhook durably against bare Express 5 that answers the same body and stores
 * nothing. Both servers in turn, each in its own process, under the same load, several rounds; the figure
 * is the ratio of the medians. `BENCH_ROUNDS`, `BENCH_SECONDS` and `BENCH_CONNECTIONS` change the load.
 */

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5);
const seconds = Number(process.env['BENCH_SECONDS'] ?? 5);
const connections = Number(process.env['BENCH_CONNECTIONS'] ?? 50);
const here = fileURLToPath(new URL('.', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tributary-bench-'));
const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;

interface Server {
  readonly name: string;
  readonly process: ChildProcess;
  readonly port: number;
  readonly health: { readonly database: string; readonly journal: string; readonly synchronous: string } | undefined;
  cpu(): Promise<number>;
}

function startServer(name: string, script: string, env: Record<string, string>): Promise<Server> {
  const child = fork(join(here, script), { env: { ...process.env, ...env }, execArgv: [] });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${name} ended with ${String(code)}`)));
    child.once('message', (message) => {
      const { port, health } = message as { port: number; health: Server['health'] };
      resolve({
        name,
        process: child,
        port,
        health,
        cpu: () =>
          new Promise((answer) => {
            child.once('message', (reply) => {
              const { cpu } = reply as { cpu: NodeJS.CpuUsage };
              answer((cpu.user + cpu.system) / 1e6);
            });
            child.send('cpu');
          }),
      });
    });
  });
}

let sequence = 0;

/** A signed request of about 1.5 KB, each its own message: every twentieth one opens a new conversation. */
function createRequest(): Buffer {
  const n = ++sequence;
  const body = JSON.stringify({
    id: `m-${n}`,
    thread: `t-${n % 20 === 0 ? n : n % 1000}`,
    from: {
      id: `u-${n % 1000}`,
      name: 'Олена Коваль',
      email: `customer${n % 1000}@example.com`,
      phone: `+38067${String(1_000_000 + (n % 1000))}`,
    },
    subject: 'Замовлення 4512',
    text: `Доброго дня! Де моє замовлення ${n}? `.repeat(18),
    occurredAt: '2026-11-22T10:00:00Z',
    fields: { order: String(n), page: 'https://shop.example.com/orders' },
  });
  const signed = signStandardWebhook([secret], { id: `msg_${n}`, timestampSec: Math.floor(Date.now() / 1000), body });
  const headers = Object.entries(signed).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(
    `POST /webhooks/intake HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n${headers.join('')}\r\n${body}`,
  );
}

/** Waits until a server does nothing any more: what it still has to do must not slow the other one down. */
async function settled(server: Server): Promise<void> {
  for (let last = await server.cpu(), i = 0; i < 60; i++) {
    await sleep(250);
    const now = await server.cpu();
    if (now - last < 0.01) return;
    last = now;
  }
}

/** One round: the requests are written before the clock starts. */
async function runRound(server: Server): Promise<LoadResult & { cpu: number }> {
  const requests = Array.from({ length: seconds * 12_000 }, createRequest);
  const before = await server.cpu();
  const result = await runLoad({ port: server.port, connections, seconds, next: () => requests.pop() });
  return { ...result, cpu: (await server.cpu()) - before };
}

async function main(): Promise<void> {
  writeFileSync(
    join(folder, 'tributary.yaml'),
    `channels:\n  - { id: intake, type: webhook, auth: { type: standard_webhooks, secret: "${secret}" } }\n`,
  );
  const env = {
    PORT: '0',
    HOST: '127.0.0.1',
    DATA_DIR: join(folder, 'data'),
    TRIBUTARY_CONFIG: join(folder, 'tributary.yaml'),
    LOG_LEVEL: 'warn',
  };
  const servers = [
    await startServer('Express 5, answers, stores nothing', 'express-server.mjs', {}),
    await startServer('Tributary, verified, filed, durable', 'gateway-server.mjs', env),
  ];
  const results = servers.map((): Awaited<ReturnType<typeof runRound>>[] => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [index, server] of servers.entries()) {
      for (const each of servers) await settled(each);
      const result = await runRound(server);
      if (result.failed > 0) throw new Error(`${server.name}: ${result.failed} requests were not answered with 2xx`);
      // The first round warms up.
      if (round > 0) results[index]!.push(result);
    }
  }
  const rates = results.map((all) => median(all.map((each) => each.requests / each.seconds)));
  const health = servers[1]!.health;
  console.log(
    `${cpus().length} cores (${cpus()[0]?.model ?? '?'}), Node ${process.versions.node}, ${health?.database ?? '?'}, journal ${health?.journal ?? '?'}, synchronous ${health?.synchronous ?? '?'}`,
  );
  console.log(
    `${connections} connections, bodies of about 1.5 KB, ${rounds} rounds of ${seconds} s each, the servers in turn\n`,
  );
  console.log('| server | requests/s | ratio | p50 ms | p99 ms | processor/request | generator share |');
  console.log('|---|---|---|---|---|---|---|');
  for (const [index, server] of servers.entries()) {
    const all = results[index]!;
    const each = (of: (result: (typeof all)[number]) => number) => median(all.map(of));
    console.log(
      `| ${server.name} | ${rates[index]!.toFixed(0)} | ${(rates[index]! / rates[0]!).toFixed(2)} ` +
        `| ${each((r) => percentile(r.latencies, 0.5)).toFixed(1)} | ${each((r) => percentile(r.latencies, 0.99)).toFixed(1)} ` +
        `| ${each((r) => (r.cpu / r.requests) * 1e6).toFixed(0)} µs | ${(each((r) => r.generatorCpu / r.seconds) * 100).toFixed(0)} % of a core |`,
    );
  }
  console.log(`\nP1 ${(rates[1]! / rates[0]!).toFixed(2)} (at least 0.8; 1.0 and more is the aim)`);
  for (const server of servers) {
    const ended = once(server.process.removeAllListeners('exit'), 'exit');
    server.process.kill();
    await ended;
  }
}

await main().finally(() => {
  rmSync(folder, { recursive: true, force: true });
});
