import { randomBytes } from 'node:crypto';
import type { Clock } from './core/clock.ts';
import type { Log } from './core/connector.ts';
import { textOf } from './core/errors.ts';
import type { Store } from './core/store.ts';

/** How often a process looks what the others do, milliseconds. */
export const LOOK_MS = 3000;
/**
 * Looks in a row at which another process had not moved on before it is given up. They are counted instead of the time:
 * clocks jump and differ, and whoever was asleep himself, or could not reach the store, has not looked either.
 */
const GIVE_UP_AFTER = 6;

/** This process among those that work on the same store. */
export interface Processes {
  /** Channels and tasks are held under it; it is another one after the others have given this process up. */
  readonly id: () => string;
  /** Leaves: what it still holds is free. */
  stop(): Promise<void>;
}

export interface ProcessesDeps {
  readonly store: Pick<Store, 'read' | 'write'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Looks at everything else that others may have changed. */
  readonly onLook: () => Promise<void>;
  readonly lookMs?: number;
}

/** Enters, shows that this process is alive as long as there are others, and gives up those that aren't. */
export async function enterProcesses(deps: ProcessesDeps): Promise<Processes> {
  const { store, clock, log } = deps;
  const stopping = new AbortController();
  const others = new Map<string, { readonly beat: number; readonly looks: number }>();
  let id = '';
  let following: Promise<void> | undefined;

  async function enter(): Promise<void> {
    const next = randomBytes(16).toString('hex');
    await store.write([], (tx) => tx.enterProcess(next));
    id = next;
  }

  async function look(): Promise<void> {
    const known = await store.read.processes();
    if (!known.some((each) => each.id === id)) {
      log.warn({}, 'the other processes gave this one up: it was asleep, or could not reach the store');
      await enter();
    } else if (known.length > 1) await store.write([], (tx) => tx.beatProcess(id));
    for (const gone of [...others.keys()].filter((other) => !known.some((each) => each.id === other))) {
      others.delete(gone);
    }
    for (const each of known) if (each.id !== id) await judge(each);
  }

  async function judge({ id: other, beat }: { readonly id: string; readonly beat: number }): Promise<void> {
    const seen = others.get(other);
    const looks = seen?.beat === beat ? seen.looks + 1 : 0;
    others.set(other, { beat, looks });
    if (looks < GIVE_UP_AFTER) return;
    const ended = await store.write([], (tx) => tx.endProcess(other, beat));
    if (ended) log.warn({ process: other.slice(0, 8) }, 'another process is gone: what it held is free');
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await look();
        // Not waited for: a channel that is slow to close must not make this process look dead.
        following ??= follow();
      } catch (error) {
        log.warn({ error: textOf(error) }, 'could not look at the other processes; it is tried again');
      }
      await clock.sleep(deps.lookMs ?? LOOK_MS, stopping.signal).catch(() => undefined);
    }
  }

  async function follow(): Promise<void> {
    await deps.onLook().catch((error: unknown) => {
      log.warn({ error: textOf(error) }, 'could not look at what other processes have changed; it is tried again');
    });
    following = undefined;
  }

  await enter();
  const running = run();
  return {
    id: () => id,
    async stop() {
      stopping.abort();
      await running;
      await following;
      await store.write([], (tx) => tx.endProcess(id));
    },
  };
}
