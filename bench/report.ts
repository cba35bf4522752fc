import { median, percentile } from './load.ts';
import type { Round, Server } from './servers.ts';

/** What a section found out, as Markdown, and what became of its goals. */
export interface Section {
  readonly text: string;
  readonly goals: readonly Goal[];
}

export interface Goal {
  readonly what: string;
  readonly value: number;
  readonly unit?: string;
  readonly wanted: readonly ['at least' | 'at most', number];
}

export const rateOf = ({ requests, seconds }: Round): number => requests / seconds;
/** Microseconds of processor until a request was answered, for each. */
export const costOf = ({ cpu, requests }: Round): number => (cpu / requests) * 1e6;
/** The same with what was left to be done afterwards, such as indexing. */
export const wholeCostOf = ({ cpu, cpuAfter, requests }: Round): number => ((cpu + cpuAfter) / requests) * 1e6;

/** The database of a server, and what its commits are worth. */
export function healthOf(server: Server | undefined): string {
  const health = server?.health;
  return `${health?.database ?? '?'}, journal ${health?.journal ?? '?'}, synchronous ${health?.synchronous ?? '?'}`;
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

export const shareOfCore = (cpu: number, seconds: number): string =>
  `${((cpu / seconds) * 100).toFixed(0)} % of a core`;

/** Medians of the rounds of several servers; the first one is what the others are compared with. */
export function roundsTable(servers: readonly { readonly name: string; readonly rounds: readonly Round[] }[]): string {
  const first = median((servers[0]?.rounds ?? []).map(rateOf));
  return table(
    [
      'server',
      'requests/s',
      'ratio',
      'p50 ms',
      'p99 ms',
      'processor/request',
      'with what follows',
      'generator’s share',
    ],
    servers.map(({ name, rounds }) => {
      const each = (of: (round: Round) => number) => median(rounds.map(of));
      return [
        name,
        each(rateOf).toFixed(0),
        (each(rateOf) / first).toFixed(2),
        each((round) => percentile(round.latencies, 0.5)).toFixed(1),
        each((round) => percentile(round.latencies, 0.99)).toFixed(1),
        `${each(costOf).toFixed(0)} µs`,
        `${each(wholeCostOf).toFixed(0)} µs`,
        shareOfCore(
          each(({ generatorCpu }) => generatorCpu),
          each(({ seconds }) => seconds),
        ),
      ];
    }),
  );
}

export function goalsTable(goals: readonly Goal[]): string {
  return table(
    ['goal', 'measured', 'wanted', 'verdict'],
    goals.map(({ what, value, unit = '', wanted: [sense, limit] }) => [
      what,
      `${toText(value)}${unit}`,
      `${sense} ${toText(limit)}${unit}`,
      verdictOf(sense === 'at least' ? limit - value : value - limit, limit),
    ]),
  );
}

function verdictOf(missing: number, limit: number): string {
  if (Number.isNaN(missing)) return 'not measured';
  return missing <= 0 ? 'reached' : `missed by ${Math.ceil((missing / limit) * 100)} %`;
}

const toText = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 2 : 0));
