import { median, percentile, pooled, runLoad, type LoadResult } from './load.ts';
import { healthOf, rateOf, shareOfCore, table, type Section } from './report.ts';
import { createRequests, SECRET } from './requests.ts';
import { runRounds, settled, startGateway, type Options, type Server } from './servers.ts';

/** How much more the channel that floods sends than the other one. */
const FLOOD = 50;

/** P3: how long acknowledgements take at half of what can be done, and while another channel floods. Open loop. */
export async function p3(options: Options): Promise<Section> {
  const gateway = await startGateway(options, {
    name: 'gateway',
    data: 'p3',
    yaml: `  - { id: flood, type: webhook, auth: { type: standard_webhooks, secret: "${SECRET}" } }\n`,
  });
  const intake = createRequests();
  const flooding = createRequests('flood');
  const [rounds = []] = await runRounds([[gateway]], { ...options, rounds: 1 }, intake);
  const half = Math.max(FLOOD, Math.floor(median(rounds.map(rateOf)) / 2));
  const few = Math.floor(half / FLOOD);
  const atHalf: LoadResult[] = [];
  const alone: LoadResult[] = [];
  const beside: LoadResult[] = [];
  const flood: LoadResult[] = [];
  for (let round = 0; round < options.rounds; round++) {
    atHalf.push(await paced(gateway, options, half, intake));
    alone.push(await paced(gateway, options, few, intake));
    const both = [paced(gateway, options, few, intake), paced(gateway, options, few * FLOOD, flooding)] as const;
    const [slow, fast] = await Promise.all(both);
    beside.push(slow);
    flood.push(fast);
  }
  for (const { failed } of [...atHalf, ...alone, ...beside]) {
    if (failed > 0) throw new Error(`${failed} requests were not answered with 2xx`);
  }
  const refused = flood.reduce((sum, { failed }) => sum + failed, 0);
  const of = (results: readonly LoadResult[], share: number) => percentile(pooled(results), share);
  const row = (name: string, wanted: number, results: readonly LoadResult[]) => [
    name,
    `${wanted}/s`,
    `${median(results.map(({ requests, seconds }) => requests / seconds)).toFixed(0)}/s`,
    of(results, 0.5).toFixed(1),
    of(results, 0.99).toFixed(1),
    shareOfCore(median(results.map(({ generatorCpu }) => generatorCpu)), options.seconds),
  ];
  return {
    text: [
      `${healthOf(gateway)}. All rounds together; the time of a request that had to wait for its turn counts from when it should have gone. ` +
        `Half load is half of what the gateway filed just before. Of the flood, ${refused} requests were refused.`,
      table(
        ['acknowledgement', 'wanted', 'answered', 'p50 ms', 'p99 ms', 'generator’s share'],
        [
          row('half load', half, atHalf),
          row('one channel alone', few, alone),
          row('the same channel beside the flood', few, beside),
          row('the flood', few * FLOOD, flood),
        ],
      ),
    ].join('\n\n'),
    goals: [
      { what: 'P3: p99 at half load, of p50', value: of(atHalf, 0.99) / of(atHalf, 0.5), wanted: ['at most', 3] },
      { what: 'P3: p99 beside a flood, of alone', value: of(beside, 0.99) / of(alone, 0.99), wanted: ['at most', 2] },
    ],
  };
}

async function paced(server: Server, options: Options, rate: number, next: () => Buffer): Promise<LoadResult> {
  await settled(server);
  const requests = Array.from({ length: rate * options.seconds }, next);
  return runLoad({
    ports: [server.port],
    // Each is used at least once a second: one that is idle for long is closed.
    connections: Math.min(options.connections, rate),
    seconds: options.seconds,
    next: () => requests.pop(),
    rate,
  });
}
