import type { Api } from './api.ts';
import { createCell } from './cell.ts';
import type { Ticket, User } from './views.ts';

export interface Known {
  /** The one who is signed in is the first. */
  readonly users: readonly User[];
  readonly teams: readonly string[];
  readonly tags: readonly string[];
}

/** To whom tickets can be given and how they are marked: what the gateway knows, and what is seen on tickets since. */
export function createColleagues(api: Pick<Api, 'users' | 'labels'>, own: User) {
  const state = createCell<Known>({ users: [own], teams: [], tags: [] });
  let asked: Promise<void> | undefined;
  /** Whoever is no user of ours is asked for once. */
  const strangers = new Set<string>();

  async function read(): Promise<void> {
    const [users, labels] = await Promise.all([api.users(), api.labels()]);
    const others = users.filter(({ id }) => id !== own.id).sort((a, b) => a.name.localeCompare(b.name));
    const now = state.get();
    state.set({
      users: [own, ...others],
      teams: withAll(labels.teams, now.teams),
      tags: withAll(labels.tags, now.tags),
    });
  }

  /** Without an answer there is less to choose from; the next time it is asked again. */
  function refresh(): void {
    asked ??= read()
      .catch(() => undefined)
      .finally(() => {
        asked = undefined;
      });
  }

  return {
    state,
    ownId: own.id,
    refresh,
    /** Notes what a ticket is marked with, and asks for somebody new who has it. */
    see({ tags, team, assignee }: Pick<Ticket, 'tags' | 'team' | 'assignee'>): void {
      const now = state.get();
      const next = { tags: withAll(now.tags, tags), teams: withAll(now.teams, team === null ? [] : [team]) };
      if (next.tags !== now.tags || next.teams !== now.teams) state.set({ ...now, ...next });
      if (assignee === null || strangers.has(assignee) || now.users.some(({ id }) => id === assignee)) return;
      strangers.add(assignee);
      refresh();
    },
    /** His name; whoever is unknown is shown by his id. */
    nameOf: (id: string): string => state.get().users.find((user) => user.id === id)?.name ?? id,
  };
}
export type Colleagues = ReturnType<typeof createColleagues>;

/** The same list if there is nothing new in the other one. */
function withAll(names: readonly string[], more: readonly string[]): readonly string[] {
  const known = new Set(names.map((name) => name.toLowerCase()));
  const fresh = more.filter((name) => !known.has(name.toLowerCase()));
  return fresh.length === 0 ? names : [...names, ...fresh].sort((a, b) => a.localeCompare(b));
}

/** The session names its user `user:usr_…`, tickets name him `usr_…`. */
export function userOf({ id, name }: User): User {
  return { id: id.replace(/^user:/, ''), name };
}
