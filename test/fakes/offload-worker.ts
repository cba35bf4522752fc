import { appendFileSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { BadPayloadError } from '../../src/core/errors.ts';

/** Work of every kind that a process may meet, for the tests of the pool. */
export interface Sample {
  readonly does:
    | 'answer'
    | 'hang'
    | 'hoard'
    | 'throw'
    | 'refuse'
    | 'exit'
    | 'throw later'
    | 'throw afterwards'
    | 'wait'
    | 'environment'
    | 'terminate';
  readonly value?: unknown;
  /** A file that gets a line for each try, with the process's id. */
  readonly tries?: string;
  /** Does so in the first try only. */
  readonly once?: boolean;
}

export default async function work(sample: Sample): Promise<unknown> {
  if (sample.tries) appendFileSync(sample.tries, `${process.pid}\n`);
  if (sample.once && sample.tries && readFileSync(sample.tries, 'utf8').trim().includes('\n')) return sample.value;
  switch (sample.does) {
    case 'answer':
      return sample.value;
    case 'hang':
      for (;;);
    case 'hoard': {
      const hoard: unknown[] = [];
      for (;;) hoard.push(new Array(1000).fill(hoard.length));
    }
    case 'throw':
      throw new TypeError('nothing of the kind');
    case 'refuse':
      throw new BadPayloadError('not a mail', { hint: 'Send a mail.' });
    case 'exit':
      return process.exit(3);
    case 'throw later':
      setTimeout(() => {
        throw new Error('out of the blue');
      }, 1);
      return wait(10_000);
    case 'throw afterwards':
      setTimeout(() => {
        throw new Error('too late');
      }, 30);
      return sample.value;
    case 'wait':
      return wait(Number(sample.value), 'waited');
    case 'environment':
      return Object.keys(process.env);
    case 'terminate':
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(process.pid, signal);
      return wait(50, sample.value);
  }
}
