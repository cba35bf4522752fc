import { z } from 'zod';
import type { Secrets } from '../../core/connector.ts';
import { Snowflake } from './snowflake.ts';

const NAME = 'direct-messages';
/** The last that were new: each is asked for when something may have been missed. */
const MOST = 500;

const List = z.array(Snowflake);

/** Who has written in private: Discord lists servers, but no direct messages, so we have to remember where they are. */
export interface Directs {
  readonly list: () => Promise<readonly string[]>;
  /** Durable when it resolves. */
  readonly add: (channel: string) => Promise<void>;
}

export function createDirects(secrets: Secrets): Directs {
  let known: readonly string[] | undefined;
  async function list() {
    return List.parse(JSON.parse((await secrets.load(NAME)) ?? '[]'));
  }
  return {
    list,
    async add(channel) {
      known ??= await list();
      if (known.includes(channel)) return;
      const more = [...known, channel].slice(-MOST);
      await secrets.save(NAME, JSON.stringify(more));
      known = more;
    },
  };
}
