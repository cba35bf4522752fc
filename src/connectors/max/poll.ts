import { z } from 'zod';
import type { Raw } from '../../core/connector.ts';
import type { MaxApi } from './api.ts';
import { UPDATES } from './items.ts';

/** How long MAX holds a poll open when there is nothing, seconds. */
const HOLD_SEC = 25;
const LIMIT = 100;

const Page = z.object({
  updates: z.array(z.unknown()),
  marker: z.union([z.number().int(), z.string()]).transform(String).nullish(),
});

/**
 * Long polling: https://dev.max.ru/docs-api/methods/GET/updates. The cursor is MAX's marker: what stands before one that it
 * is given counts as taken, and without one it gives everything since the last.
 */
export async function pollUpdates(
  api: MaxApi,
  cursor: string | undefined,
  signal: AbortSignal,
): Promise<{ items: readonly Raw[]; cursor: string; more: boolean }> {
  const query = { limit: String(LIMIT), timeout: String(HOLD_SEC), types: UPDATES.join(',') };
  const { updates, marker } = await api(
    {
      path: '/updates',
      query: { ...query, ...(cursor && { marker: cursor }) },
      signal,
      timeoutMs: (HOLD_SEC + 20) * 1000,
      maxBytes: 8 * 1024 * 1024,
    },
    Page,
  );
  return {
    items: updates.map((update) => ({ body: Buffer.from(JSON.stringify(update)) })),
    cursor: marker ?? cursor ?? '',
    more: updates.length > 0,
  };
}
