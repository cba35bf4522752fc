import type { Reader } from '../../core/reader.ts';
import type { Db } from './kysely.ts';

export function processesIn(db: Db): Pick<Reader, 'processes' | 'channelHolders'> {
  return {
    async processes() {
      return (await db.selectFrom('processes').selectAll().execute()).map((row) => ({ ...row }));
    },
    async channelHolders() {
      const rows = await db
        .selectFrom('endpoint_states')
        .innerJoin('processes', 'processes.id', 'endpoint_states.holder')
        .select(['endpoint_states.endpoint_id', 'processes.id'])
        .execute();
      return new Map(rows.map((row) => [row.endpoint_id, row.id]));
    },
  };
}
