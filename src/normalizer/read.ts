import { ZodError, type ZodType } from 'zod';
import { Action } from '../core/action.ts';
import type { Log } from '../core/connector.ts';
import { Item } from '../core/envelope.ts';
import { BadPayloadError, NotFoundError, RetryableError, textOf } from '../core/errors.ts';
import type { Endpoint } from '../core/gateway.ts';
import type { Payload } from '../core/payload.ts';
import type { AgentAction } from './actions.ts';
import { canonicalAction } from './canonical.ts';

/** One thing that a payload says: of customers, where it comes from a channel; of agents, from a destination. */
export type Unit = Item | AgentAction;

/**
 * What a payload says, in canonical form, and never nothing: what can't be read is one `broken` item, what
 * says nothing one `ignored` item, so that every payload shows in the ledger. Throws `RetryableError` where
 * it can't be read now.
 */
export async function itemsOf(
  deps: { readonly toCanonical: (item: Item) => Item; readonly log: Log },
  endpoint: Endpoint,
  payload: Payload,
): Promise<Unit[]> {
  const { channel, destination } = endpoint;
  try {
    if (channel) return settled(await channel.normalize(payload), Item, deps.toCanonical);
    if (destination?.normalize) return settled(await destination.normalize(payload), Action, canonicalAction);
  } catch (error) {
    // Nobody has tried to read it yet: too much is waiting for a thread, or the gateway is stopping.
    if (error instanceof RetryableError) throw error;
    // A payload that isn't as documented is the vendor's matter; anything else is a bug of the connector.
    if (!(error instanceof BadPayloadError)) {
      deps.log.error({ endpoint: endpoint.id, error }, 'a connector failed to read a payload');
    }
    return [broken('', reasonOf(error))];
  }
  throw new NotFoundError(`${endpoint.id} is not open, or takes nothing in`);
}

/** Each input as one unit; one that isn't valid is broken alone. */
function settled<T extends Unit>(inputs: readonly unknown[], schema: ZodType<T>, clean: (unit: T) => Unit): Unit[] {
  if (inputs.length === 0) return [{ kind: 'ignored', name: 'empty', reason: 'the payload says nothing' }];
  return inputs.map((input, index) => {
    const parsed = schema.safeParse(input);
    if (parsed.success) return clean(parsed.data);
    const issue = parsed.error.issues[0];
    return broken(`/${index}`, `${issue?.path.join('/') ?? ''}: ${issue?.message ?? 'not an item'}`);
  });
}

/** What is wrong, in one line: a schema's own text is a page of JSON. */
function reasonOf(error: unknown): string {
  if (!(error instanceof ZodError)) return textOf(error);
  const [issue] = error.issues;
  return `${issue?.path.join('/') ?? ''}: ${issue?.message ?? 'not as expected'}`;
}

export function broken(at: string, error: string): Item {
  return { kind: 'broken', at: at.slice(0, 1000), error: error.slice(0, 4000) };
}
