import { setTimeout as sleep } from 'node:timers/promises';
import { createHttp } from '../src/http/http.ts';
import { median, runLoad } from './load.ts';
import { healthOf, shareOfCore, table, type Section } from './report.ts';
import { createRequests, SECRET, textOf } from './requests.ts';
import { seedSqlite } from './seed.ts';
import { startGateway, startServer, type Options, type Server } from './servers.ts';

/** Deliveries to one endpoint at a time, as the gateway makes them. */
const AT_A_TIME = 8;
/** About the size of a delivery of the seeded messages. */
const BODY = 1_600;
/** Longest that is waited for a live message, seconds. */
const PATIENCE = 30;
/** The drain is watched for so many times the seconds of a section's rounds. */
const LONGER = 3;

/** P5: how fast waiting deliveries drain, against the same HTTP client in a bare loop; and what passes meanwhile. */
export async function p5(options: Options): Promise<Section> {
  const server = await startServer(options, { name: 'help desk', script: 'desk-server.mjs' });
  const desk = createDesk(server);
  await seedSqlite(`${options.folder}/p5`, { messages: options.waiting, waitingFor: 'crm' });
  const bareBefore = await runLoop(desk, options);
  const gateway = await startGateway(options, {
    name: 'outbox',
    data: 'p5',
    yaml: `destinations:\n  - { id: crm, type: webhook, url: "${desk.url}", secret: "${SECRET}" }\nroutes:\n  - { to: [crm] }\n`,
  });
  const drain = await watch(desk, gateway, options);
  await gateway.stop();
  const bareAfter = await runLoop(desk, options);
  const bare = (bareBefore + bareAfter) / 2;
  const all = drain.delivered / drain.seconds;
  const half = Math.ceil(drain.rates.length / 2);
  return {
    text: [
      `${healthOf(gateway)}; ${options.waiting} waiting for one destination, ${AT_A_TIME} at a time; ${Math.max(0, options.waiting - drain.delivered)} left after ${drain.seconds.toFixed(0)} s. ` +
        `Each delivery has ${(drain.bytes / drain.delivered).toFixed(0)} bytes, in the bare loop ${BODY}; the help desk is a process of its own.`,
      table(
        ['what', 'deliveries/s'],
        [
          ['the same client in a bare loop, before and after', `${bareBefore.toFixed(0)}, ${bareAfter.toFixed(0)}`],
          ['outbox', all.toFixed(0)],
          [
            'outbox, first and second half of the time',
            `${median(drain.rates.slice(0, half)).toFixed(0)}, ${median(drain.rates.slice(half)).toFixed(0)}`,
          ],
        ],
      ),
      `The gateway took ${shareOfCore(drain.cpu, drain.seconds)}, ${((drain.cpu / drain.delivered) * 1e6).toFixed(0)} µs for each delivery.`,
    ].join('\n\n'),
    goals: [
      { what: 'P5: deliveries, of the bare loop', value: all / bare, wanted: ['at least', 0.7] },
      {
        what: 'P5: a live message meanwhile, slowest',
        value: Math.max(...drain.live),
        unit: ' s',
        wanted: ['at most', 5],
      },
    ],
  };
}

/** Deliveries of each second while they drain, and the seconds that live messages took until the help desk had them. */
async function watch(desk: Desk, gateway: Server, options: Options) {
  const rates: number[] = [];
  const live: number[] = [];
  const next = createRequests();
  const [started, most] = [performance.now(), options.seconds * options.rounds * LONGER * 1000];
  let passing: Promise<void> | undefined;
  const [before, { cpu }] = [await desk.count(), await gateway.usage()];
  let last = before;
  while (performance.now() - started < most && last.received - before.received < options.waiting) {
    const at = performance.now();
    // One on its way at a time.
    passing ??= passTime(desk, gateway.port, next(), live.length + 1).then((seconds) => {
      live.push(seconds);
      passing = undefined;
    });
    // Thrown below.
    passing.catch(() => undefined);
    await sleep(1000);
    const now = await desk.count();
    rates.push((now.received - last.received) / ((performance.now() - at) / 1000));
    last = now;
  }
  const drained = {
    rates,
    live,
    seconds: (performance.now() - started) / 1000,
    delivered: last.received - before.received,
    bytes: last.bytes - before.bytes,
    cpu: (await gateway.usage()).cpu - cpu,
  };
  await passing;
  return drained;
}

/** Seconds from the sending of the `n`th message to its delivery; `PATIENCE` when it didn't come. */
async function passTime(desk: Desk, port: number, request: Buffer, n: number): Promise<number> {
  const started = performance.now();
  const seen = desk.seeing(textOf(n));
  const requests = [request];
  const { failed } = await runLoad({ ports: [port], connections: 1, seconds: PATIENCE, next: () => requests.pop() });
  if (failed > 0) throw new Error('a live message was refused');
  await seen;
  return Math.min(PATIENCE, (performance.now() - started) / 1000);
}

/** What the help desk says of itself. */
function createDesk({ port }: Server) {
  const origin = `http://127.0.0.1:${port}`;
  return {
    url: `${origin}/hooks`,
    count: async () => (await (await fetch(`${origin}/count`)).json()) as { received: number; bytes: number },
    /** Resolves when a delivery has the text, or when nobody waits for it any longer. */
    seeing: (text: string): Promise<unknown> =>
      fetch(`${origin}/seen?text=${encodeURIComponent(text)}`, { signal: AbortSignal.timeout(PATIENCE * 1000) }).catch(
        () => undefined,
      ),
  };
}

type Desk = ReturnType<typeof createDesk>;

/** Requests a second of the gateway's own HTTP client, with nothing around it. */
async function runLoop(desk: Desk, { seconds }: Options): Promise<number> {
  const http = createHttp({ allow: [] });
  const client = http.for({ hosts: [new URL(desk.url).host] });
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ type: 'message.received', data: 'x'.repeat(BODY) });
  const started = performance.now();
  let sent = 0;
  await Promise.all(
    Array.from({ length: AT_A_TIME }, async () => {
      for (; performance.now() - started < seconds * 1000; sent++) {
        await client.send({ method: 'POST', url: desk.url, headers, body });
      }
    }),
  );
  http.close();
  return (sent * 1000) / (performance.now() - started);
}
