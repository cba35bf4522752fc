import type { Log } from '../core/connector.ts';
import type { Queue } from '../core/queue.ts';
import type { Secret } from '../core/secret.ts';
import { createEmbeddedQueue } from './embedded.ts';

/** The queue in Redis where there is a URL of one, else in memory. The drivers of Redis are loaded only where they are used. */
export async function openQueue(options: {
  readonly url: Secret | undefined;
  readonly prefix: string;
  readonly perEndpoint: number;
  readonly log: Log;
}): Promise<Queue> {
  const { url, perEndpoint, prefix, log } = options;
  const embedded = createEmbeddedQueue({ perEndpoint });
  if (!url) return embedded;
  const { createBullmqQueue } = await import('./bullmq.ts');
  return createBullmqQueue({ url: url.reveal(), prefix, perEndpoint, fallback: embedded, log });
}
