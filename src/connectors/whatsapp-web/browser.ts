import { startChild } from '../../core/child-process.ts';
import type { Clock } from '../../core/clock.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import type { z } from 'zod';
import { Report } from './protocol.ts';
import type { Ask, Asked, Start } from './protocol.ts';

/** The process in which the browser lives, seen from the gateway. */
export interface Browser {
  /**
   * Throws `PermanentError` where it says no, `RetryableError` (`outcomeUnknown`) where nobody knows: it doesn't answer
   * within `deadlineMs`, and is ended then, or it has ended.
   */
  ask<T>(ask: Ask, answer: z.ZodType<T>, deadlineMs?: number): Promise<T>;
  readonly isGone: () => boolean;
  /** Ends it and its Chromium, at the latest after some seconds. */
  end(): Promise<void>;
}

/** Objects of the process: messages, and files as text on their way. Chromium has bounds of its own. */
const MOST_MB = 512;
const ANSWER_MS = 60_000;
/** How long Chromium may take to write down what it has. */
const LEAVE_MS = 3500;

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Starts it. `onReport` hears what it tells, and of its end as a report that it is over. */
export function startBrowser(deps: {
  readonly clock: Clock;
  readonly library: string;
  readonly start: Omit<Start, 'kind'>;
  readonly onReport: (report: Report) => void;
}): Browser {
  const { clock, library, start, onReport } = deps;
  const child = startChild({
    module: new URL('./worker.ts', import.meta.url),
    args: [library],
    mostMb: MOST_MB,
    // Chromium wants a home; what it finds in PATH are the programs of its own start script.
    env: { HOME: start.folder, PATH: '/usr/local/bin:/usr/bin:/bin' },
  });
  const waiting = new Map<number, Waiting>();
  const gone = new AbortController();
  let lastId = 0;
  let chromium: number | undefined;

  function lose(why: string): void {
    if (gone.signal.aborted) return;
    gone.abort();
    killChromium();
    for (const { reject } of waiting.values()) reject(lost(why));
    waiting.clear();
    onReport({ kind: 'over', reason: 'failed', text: why });
  }

  function killChromium(): void {
    try {
      // The group of which it is the first; it ends by itself with its pipe, unless it hangs.
      if (chromium !== undefined) process.kill(-chromium, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }

  child.on('message', (message) => {
    const { data: report } = Report.safeParse(message);
    if (!report) return lose('its process says what it never should');
    if (report.kind === 'browser') chromium = report.pid;
    else if (report.kind === 'answer' || report.kind === 'refused') settle(report);
    else onReport(report);
  });
  child.on('error', (error) => lose(`it has no process (${error.message})`));
  child.on('exit', (code, signal) => lose(`its process has ended (${signal ?? `code ${code ?? 0}`})`));
  child.send({ kind: 'start', ...start } satisfies Start, () => undefined);

  function settle(report: Extract<Report, { readonly kind: 'answer' | 'refused' }>): void {
    const asked = waiting.get(report.id);
    waiting.delete(report.id);
    if (report.kind === 'answer') asked?.resolve(report.result);
    else if (report.how === 'never') asked?.reject(new PermanentError(report.text));
    else asked?.reject(new RetryableError(report.text, { outcomeUnknown: report.how === 'unknown' }));
  }

  return {
    async ask(ask, answer, deadlineMs = ANSWER_MS) {
      if (gone.signal.aborted || !child.connected) throw new RetryableError('the browser has ended');
      const id = ++lastId;
      const answered = new AbortController();
      const result = new Promise<unknown>((resolve, reject) => waiting.set(id, { resolve, reject }));
      // Whoever doesn't answer hangs, and does so for everybody.
      const late = () => {
        lose(`WhatsApp Web did not answer within ${deadlineMs / 1000} s`);
        child.kill('SIGKILL');
      };
      void clock.sleep(deadlineMs, answered.signal).then(late, () => undefined);
      try {
        child.send({ kind: 'ask', id, ask } satisfies Asked, () => undefined);
        return answer.parse(await result);
      } finally {
        answered.abort();
      }
    },
    isGone: () => gone.signal.aborted,
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return killChromium();
      const ended = new Promise((resolve) => child.once('exit', resolve));
      if (child.connected) child.disconnect();
      const over = new AbortController();
      const kill = () => {
        child.kill('SIGKILL');
      };
      void clock.sleep(LEAVE_MS, over.signal).then(kill, () => undefined);
      await ended;
      over.abort();
      lose('the channel is being closed');
    },
  };
}

function lost(why: string): RetryableError {
  return new RetryableError(`the browser was lost: ${why}`, { outcomeUnknown: true });
}
