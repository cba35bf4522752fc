import type { Log } from '../core/connector.ts';
import { textOf } from '../core/errors.ts';

/** Changes indexed in one go: bounds how long the process does nothing else. */
const SLICE = 50;
const IDLE_MS = 250;

/** Share of a processor above which the process has its hands full, whichever thread's they are. */
const BUSY = 0.5;
/** What is measured over less says little: the system counts what threads use in steps of some milliseconds. */
const WINDOW_MS = 20;

/**
 * What the store does beside its work: the search index, the numbers of the reports and the watermark follow at a
 * distance, since none of them belongs into anybody's commit. While the process is busy this takes at most a
 * thirtieth of the time; what it falls behind it makes up afterwards, or when somebody searches.
 */
export function startChores(deps: {
  /** Takes up to so many changes into the index; how many there were. */
  readonly index: (limit: number) => Promise<number>;
  /** Counts one span of time more for the reports; how many it was. */
  readonly count: () => Promise<number>;
  readonly note: () => Promise<void>;
  readonly log: Log;
}): { stop(): Promise<void> } {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const others = watchOthers();

  async function slice(): Promise<void> {
    const busy = others.share() > BUSY;
    const start = performance.now();
    let done = 0;
    try {
      await deps.note();
      done = (await deps.index(SLICE)) + (await deps.count());
    } catch (error) {
      deps.log.warn({ error: textOf(error) }, 'the search index or the reports are behind');
    }
    const took = performance.now() - start;
    others.goOn();
    if (!stopped) schedule(done === 0 ? IDLE_MS : busy ? Math.max(took * 30, 200) : 1);
  }

  function schedule(ms: number): void {
    timer = setTimeout(() => {
      running = slice();
    }, ms);
    timer.unref();
  }

  schedule(IDLE_MS);
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

/** How much of a processor the process uses between `goOn` and `share`, lately. */
function watchOthers(): { share(): number; goOn(): void } {
  let start = { ms: performance.now(), cpu: process.cpuUsage() };
  let window = { ms: 0, used: 0 };
  let last = 0;
  return {
    goOn() {
      start = { ms: performance.now(), cpu: process.cpuUsage() };
    },
    share() {
      const { user, system } = process.cpuUsage(start.cpu);
      window.ms += performance.now() - start.ms;
      window.used += (user + system) / 1000;
      if (window.ms < WINDOW_MS) return last;
      last = window.used / window.ms;
      window = { ms: 0, used: 0 };
      return last;
    },
  };
}
