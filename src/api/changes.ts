import { z } from 'zod';
import type { Gateway } from '../core/gateway.ts';
import { Change } from '../core/ticket.ts';
import { operation } from './operation.ts';
import type { Operation } from './operation.ts';

export function changeOperations(gateway: Gateway): Operation[] {
  const { read } = gateway.store;
  return [
    operation({
      method: 'GET',
      path: '/changes',
      scope: 'changes:read',
      tag: 'Change feed',
      summary: 'Read what has changed, in order',
      description:
        'Without `after`: nothing, and the position where the feed ends now. `after=0`: from its start. With `wait`, the answer is held until there is something, at most that many seconds. Go on with `after` set to `nextCursor`.',
      query: z.strictObject({
        after: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
        wait: z.coerce.number().min(0).max(30).default(0),
        limit: z.coerce.number().int().min(1).max(200).default(100),
      }),
      answer: z.object({ data: z.array(Change), nextCursor: z.string() }),
      async handle({ query, signal }) {
        const after = query.after ?? (await read.lastChange());
        // Listening starts before reading: a change in between ends the waiting at once.
        const next = listen(gateway, after);
        try {
          let data = query.after === undefined ? [] : await read.changes(after, query.limit);
          if (data.length === 0 && query.wait > 0) {
            await next.within(query.wait * 1000, signal);
            data = await read.changes(after, query.limit);
          }
          return { body: { data, nextCursor: String(data.at(-1)?.seq ?? after) } };
        } finally {
          next.stop();
        }
      },
    }),
  ];
}

function listen(gateway: Gateway, after: number) {
  const came = new AbortController();
  const stop = gateway.onChange((change) => change.seq > after && came.abort());
  return {
    stop,
    /** Resolves when a change has come, the time is over, or nobody listens any more. */
    async within(ms: number, signal: AbortSignal): Promise<void> {
      await gateway.clock.sleep(ms, AbortSignal.any([came.signal, signal])).catch(() => undefined);
    },
  };
}
