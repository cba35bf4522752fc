import type { Log } from '../core/connector.ts';
import type { Queue } from '../core/queue.ts';
import type { Secret } from '../core/secret.ts';
import { createBullmqQueue } from './bullmq.ts';
import { createEmbeddedQueue } from './embedded.ts';

/** The queue in Redis where there is a URL of one, else in memory. */
export async function openQueue(options: {
  readonly url: Secret | undefined;
  readonly prefix: string;
  readonly perEndpoint: number;
  readonly log: Log;
}): Promise<Queue> {
  const { url, perEndpoint, prefix, log } = options;
  const embedded = createEmbeddedQueue({ perEndpoint });
  if (!url) return embedded;
  return createBullmqQueue({ url: url.reveal(), prefix, perEndpoint, fallback: embedded, log });
}
