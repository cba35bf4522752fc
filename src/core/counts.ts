/**
 * What is counted, by the hour and the endpoint: messages of customers that came in through a channel, tickets opened there,
 * first answers to those (each with the step of how long it took), tickets that wait there (at the end of the hour), and
 * what a destination took or did not take.
 */
export type Measure = 'received' | 'opened' | 'answered' | 'unsolved' | 'delivered' | 'failed';

export interface Count {
  readonly measure: Measure;
  readonly endpointId: string;
  /** Of a first answer; otherwise 0. */
  readonly step: number;
  readonly total: number;
}

/** What was counted in a span of time. Tickets that wait: at its end; undefined where nobody counted them. */
export interface Counted {
  readonly from: number;
  readonly counts: readonly Count[];
  readonly unsolved: number | undefined;
}

export interface Counts {
  readonly spans: readonly Counted[];
  /** Tickets that wait now, by channel. */
  readonly unsolved: Readonly<Record<string, number>>;
  /** Up to here everything is in it (milliseconds since the epoch). */
  readonly until: number;
}

export const HOUR_MS = 3_600_000;

/** Each step is longer than the one before by this, so that a quantile is never off by more than half of it. */
const FACTOR = 1.1;

/** How long something took, as one of some 170 steps between a second and three months. */
export function stepOf(ms: number): number {
  return ms < 1000 ? 0 : 1 + Math.floor(Math.log(ms / 1000) / Math.log(FACTOR));
}

/** The middle of a step, milliseconds. */
function middleOf(step: number): number {
  return step === 0 ? 500 : Math.round(1000 * FACTOR ** (step - 0.5));
}

/** How long it took at most in this share of the cases, to within 5 %; null without any. */
export function quantileOf(counts: readonly Pick<Count, 'step' | 'total'>[], share: number): number | null {
  const all = counts.reduce((sum, { total }) => sum + total, 0);
  let left = Math.ceil(all * share);
  for (const { step, total } of counts.toSorted((a, b) => a.step - b.step)) {
    left -= total;
    if (left <= 0) return middleOf(step);
  }
  return null;
}
