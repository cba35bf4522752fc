import { median } from './load.ts';
import { healthOf, rateOf, roundsTable, type Section } from './report.ts';
import { runRounds, startGateway, startServer, type Options } from './servers.ts';

/**
 * P1: filing a signed webhook durably against bare Express 5 that answers the same body and stores nothing. Both servers
 * in turn, each in its own process, under the same load; the figure is the ratio of the medians.
 */
export async function p1(options: Options): Promise<Section> {
  const servers = [
    await startServer(options, { name: 'Express 5, answers, stores nothing', script: 'express-server.mjs' }),
    await startGateway(options, { name: 'Tributary, verified, filed, durable', data: 'p1' }),
  ];
  const results = await runRounds(
    servers.map((server) => [server]),
    options,
  );
  const [express = NaN, gateway = NaN] = results.map((rounds) => median(rounds.map(rateOf)));
  return {
    text: `${healthOf(servers[1])}; bodies of about 1.5 KB. Answered after the commit. Search is indexed afterwards, which is counted in “with what follows”.\n\n${roundsTable(
      servers.map(({ name }, index) => ({ name, rounds: results[index] ?? [] })),
    )}`,
    goals: [
      { what: 'P1: filing, of what bare Express answers', value: gateway / express, wanted: ['at least', 1] },
      { what: 'P1: the aim', value: gateway / express, wanted: ['at least', 1.5] },
    ],
  };
}
