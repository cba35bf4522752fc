import { median, percentile } from './load.ts';
import { healthOf, rateOf, shareOfCore, table, wholeCostOf, type Goal, type Section } from './report.ts';
import { seedPostgres, seedSqlite, wordOf } from './seed.ts';
import { KEY, runRounds, startDatabase, startGateway, type Options, type Server } from './servers.ts';

/** First pages of lists that have more than a page. */
const FULL = [
  '/tickets',
  '/tickets?status=open',
  '/tickets?status=closed&channel=intake',
  '/tickets?channelType=webhook',
  '/tickets?priority=normal&sort=createdAt',
  '/tickets?updatedSince=2020-01-01T00:00:00Z',
];
/** Lists of what no ticket has. */
const NONE = ['/tickets?assignee=nobody', '/tickets?status=pending', '/tickets?tag=nothing'];
/** Words of one message in a thousand, and a word of all seeded messages. */
const SEARCHES = [
  { what: 'a rare word', times: 200, pathOf: (n: number) => `/tickets?q=${wordOf(n * 7)}` },
  { what: 'two words, one in every message', times: 100, pathOf: (n: number) => `/tickets?q=nobody+${wordOf(n * 7)}` },
  { what: 'a word of every message', times: 100, pathOf: () => '/tickets?q=nobody' },
];
/** Messages in the small store: enough for a full first page of the lists that have any. */
const SMALL = 2_000;
/** Each list is read so often, at most for so many seconds in all. */
const READS = 60;
const LONGEST = 10;

/** P6: what filing, lists and search cost in a store that has grown, against what they cost in a small one. */
export async function p6(options: Options): Promise<Section> {
  const server = await startDatabase(options);
  const sections = [
    await measure(options, 'SQLite', ({ folder, messages }) => seedSqlite(folder, { messages })),
    await measure(options, 'PostgreSQL', ({ database = '', messages }) => seedPostgres(database, { messages }), {
      small: await server.createDatabase(),
      grown: await server.createDatabase(),
    }),
  ];
  return {
    text: sections.map(({ text }) => text).join('\n\n'),
    goals: sections.flatMap(({ goals }) => goals),
  };
}

interface Size {
  readonly folder: string;
  readonly database?: string;
  readonly messages: number;
}

async function measure(
  options: Options,
  kind: string,
  seed: (size: Size) => Promise<void>,
  databases?: { readonly small: string; readonly grown: string },
): Promise<Section> {
  const started = performance.now();
  const open = async (size: 'small' | 'grown') => {
    const data = `p6-${kind}-${size}`;
    const database = databases && { database: databases[size] };
    const messages = size === 'small' ? SMALL : options.messages;
    await seed({ folder: `${options.folder}/${data}`, messages, ...database });
    return startGateway(options, { name: `${kind}, ${size}`, data, ...database });
  };
  const [small, grown] = [await open('small'), await open('grown')];
  const seeding = (performance.now() - started) / 1000;
  const rounds = await runRounds([[small], [grown]], { ...options, rounds: Math.min(options.rounds, 3) });
  const filing = ratioOf(rounds.map((each) => median(each.map(wholeCostOf))));
  const rates = rounds.map((each) => median(each.map(rateOf)));
  const before = process.cpuUsage();
  const reading = performance.now();
  const lists: ({ readonly path: string } & ReturnType<typeof ratioOf>)[] = [];
  for (const path of [...FULL, ...NONE]) {
    const times = await timesOf([small, grown], READS, () => path);
    lists.push({ path, ...ratioOf(times.map((each) => percentile(each, 0.5) * 1000)) });
  }
  const searches = [];
  for (const { what, times, pathOf } of SEARCHES) {
    const [each = new Float64Array()] = await timesOf([grown], times, pathOf);
    searches.push({ what, p50: percentile(each, 0.5), p99: percentile(each, 0.99) });
  }
  const seconds = (performance.now() - reading) / 1000;
  const { user, system } = process.cpuUsage(before);
  const health = healthOf(grown);
  await small.stop();
  await grown.stop();
  const worstOf = (what: string, paths: readonly string[]): Goal => {
    const { path, ratio } = lists
      .filter((each) => paths.includes(each.path))
      .reduce((most, each) => (each.ratio > most.ratio ? each : most));
    return { what: `P6: ${kind}, the worst ${what} (${path}), grown of small`, value: ratio, wanted: ['at most', 1.2] };
  };
  return {
    text: [
      `**${kind}** (${health}): ${options.messages} messages, ${Math.ceil(options.messages / 5)} tickets, seeded in ${seeding.toFixed(0)} s, ` +
        `against ${SMALL} messages; both have what the rounds of filing left. Reads one after the other, small and grown in turn; ` +
        `generator’s share ${shareOfCore((user + system) / 1e6, seconds)}.`,
      table(
        ['what', 'small', 'grown', 'ratio'],
        [
          ['filing, processor for each message', micros(filing.small), micros(filing.grown), filing.ratio.toFixed(2)],
          ['filing, messages/s', ...rates.map((rate) => rate.toFixed(0)), ratioOf(rates).ratio.toFixed(2)],
          ...lists.map((each) => [
            `first page of ${each.path}, p50`,
            micros(each.small),
            micros(each.grown),
            each.ratio.toFixed(2),
          ]),
          ...searches.map(({ what, p50, p99 }) => [
            `search: ${what}`,
            '',
            `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
            '',
          ]),
        ],
      ),
    ].join('\n\n'),
    goals: [
      { what: `P6: ${kind}, filing, grown of small`, value: filing.ratio, wanted: ['at most', 1.2] },
      worstOf('full list', FULL),
      worstOf('empty list', NONE),
      ...searches.map(({ what, p99 }): Goal => ({
        what: `P6: ${kind}, search for ${what}, p99`,
        value: p99,
        unit: ' ms',
        wanted: ['at most', 100],
      })),
    ],
  };
}

const micros = (value: number): string => `${value.toFixed(0)} µs`;

const ratioOf = ([small = NaN, grown = NaN]: readonly number[]) => ({ small, grown, ratio: grown / small });

/** Milliseconds of reads of several servers in turn, sorted; the first ten warm up. */
async function timesOf(
  servers: readonly Server[],
  count: number,
  pathOf: (n: number) => string,
): Promise<Float64Array[]> {
  const times = servers.map((): number[] => []);
  const end = performance.now() + LONGEST * 1000;
  for (let n = -10; n < count && (n < 5 || performance.now() < end); n++) {
    for (const [index, { port }] of servers.entries()) {
      const started = performance.now();
      const path = pathOf(n + 10);
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1${path}`, {
        headers: { authorization: `Bearer ${KEY}` },
      });
      await answer.arrayBuffer();
      if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
      if (n >= 0) times[index]?.push(performance.now() - started);
    }
  }
  return times.map((each) => Float64Array.from(each).sort());
}
