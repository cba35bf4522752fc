import { connect, type Socket } from 'node:net';

export interface LoadResult {
  readonly requests: number;
  readonly failed: number;
  readonly seconds: number;
  /** Sorted, milliseconds. */
  readonly latencies: Float64Array;
  /** Processor seconds that the generator itself took. */
  readonly generatorCpu: number;
}

/**
 * Sends requests that were written beforehand over keep-alive connections of its own, each the next as
 * soon as the answer is there, until the time is over or they run out. Nothing is parsed but the status
 * line and the length, so that the generator takes as little as it can of the cores it shares.
 */
export async function runLoad(options: {
  /** The connections are shared out among them. */
  readonly ports: readonly number[];
  readonly connections: number;
  readonly seconds: number;
  readonly next: () => Buffer | undefined;
  /**
   * Requests a second, whether or not the answers keep up: the time of one that had to wait for the answer before it
   * counts from when it should have gone.
   */
  readonly rate?: number;
}): Promise<LoadResult> {
  const latencies: number[] = [];
  let failed = 0;
  const cpu = process.cpuUsage();
  const start = performance.now();
  const end = start + options.seconds * 1000;
  await Promise.all(
    Array.from({ length: options.connections }, (_, index) =>
      runConnection(
        options.ports[index % options.ports.length]!,
        () => (performance.now() < end ? options.next() : undefined),
        {
          answered(status, ms) {
            latencies.push(ms);
            if (status < 200 || status > 299) failed++;
          },
          // Each connection sends its share, a step after the one before it; undefined is at once.
          due: (count) => options.rate && start + ((count * options.connections + index) * 1000) / options.rate,
          end,
        },
      ),
    ),
  );
  const used = process.cpuUsage(cpu);
  return {
    requests: latencies.length,
    failed,
    seconds: (performance.now() - start) / 1000,
    latencies: Float64Array.from(latencies).sort(),
    generatorCpu: (used.user + used.system) / 1e6,
  };
}

function runConnection(
  port: number,
  next: () => Buffer | undefined,
  on: { answered(status: number, ms: number): void; due(count: number): number | undefined; readonly end: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let sent = 0;
    let count = 0;
    let received = '';
    const send = () => {
      const due = on.due(count++);
      if (due === undefined) return write();
      if (due >= on.end) return finish();
      const early = due - performance.now();
      // A timer that is late is the generator's own fault.
      if (early > 0) setTimeout(write, early);
      else write(due);
    };
    const write = (due = performance.now()) => {
      const request = next();
      if (!request) return finish();
      sent = due;
      socket.write(request);
    };
    const finish = () => {
      socket.end();
      resolve();
    };
    socket.setEncoding('latin1');
    socket.on('connect', send);
    socket.on('error', reject);
    socket.on('close', () => {
      reject(new Error('a server closed a connection that was in use'));
    });
    socket.on('data', (chunk: string) => {
      received += chunk;
      const head = received.indexOf('\r\n\r\n');
      if (head < 0) return;
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(received)?.[1] ?? 0);
      if (received.length < head + 4 + length) return;
      const status = Number(received.slice(9, 12));
      received = '';
      on.answered(status, performance.now() - sent);
      send();
    });
  });
}

/** All that several rounds have seen, sorted. */
export function pooled(results: readonly LoadResult[]): Float64Array {
  return Float64Array.from(results.flatMap(({ latencies }) => [...latencies])).sort();
}

/** The value below which a share of the sorted values lies. */
export function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
