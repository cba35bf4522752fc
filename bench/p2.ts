import { median } from './load.ts';
import { healthOf, rateOf, roundsTable, wholeCostOf, type Section } from './report.ts';
import { runRounds, startDatabase, startGateway, type Options } from './servers.ts';

/**
 * P2: the same on PostgreSQL against SQLite, with one process and with two, which have a database of their own. Database
 * and generator share the cores, so it is the gateway's own processor time for each message that can be compared.
 */
export async function p2(options: Options): Promise<Section> {
  const server = await startDatabase(options);
  const [alone, shared] = [await server.createDatabase(), await server.createDatabase()];
  const sqlite = await startGateway(options, { name: 'SQLite', data: 'p2-sqlite' });
  const one = await startGateway(options, { name: 'PostgreSQL, one process', data: 'p2-one', database: alone });
  const two = [
    await startGateway(options, { name: 'PostgreSQL, two processes', data: 'p2-two', database: shared }),
    await startGateway(options, { name: 'PostgreSQL, second of two', data: 'p2-two', database: shared }),
  ];
  const groups = [[sqlite], [one], two];
  const results = await runRounds(groups, options);
  const ratio = (values: readonly number[], of: number, to: number) => (values[of] ?? NaN) / (values[to] ?? NaN);
  const rate = results.map((rounds) => median(rounds.map(rateOf)));
  const cost = results.map((rounds) => median(rounds.map(wholeCostOf)));
  return {
    text: `${healthOf(sqlite)}; ${healthOf(one)}, fsync on. The processor time is the gateway’s: SQLite works inside it, PostgreSQL beside it.\n\n${roundsTable(
      groups.map(([first], index) => ({ name: first?.name ?? '', rounds: results[index] ?? [] })),
    )}`,
    goals: [
      { what: 'P2: rate, of that on SQLite', value: ratio(rate, 1, 0), wanted: ['at least', 0.5] },
      { what: 'P2: processor for each message, of that on SQLite', value: ratio(cost, 1, 0), wanted: ['at most', 1.3] },
      { what: 'P2: the same of two processes, of that of one', value: ratio(cost, 2, 1), wanted: ['at most', 1.1] },
    ],
  };
}
