import { z } from 'zod';
import type { Gateway } from '../core/gateway.ts';
import { toTime } from '../core/ticket.ts';
import { operation } from './operation.ts';
import type { Operation } from './operation.ts';
import { pageOf, PageQuery, TimeText, toPageRequest } from './schemas.ts';

const AuditView = z
  .object({
    id: z.string(),
    at: TimeText,
    actor: z.string().meta({ description: '`user:usr_…`, `key:key_…`, or what did it by itself' }),
    actorName: z.string().nullable().meta({ description: 'Null for one who is gone, or never had a name' }),
    action: z.string(),
    target: z.string(),
    detail: z.string().nullable(),
  })
  .meta({ id: 'AuditEntry' });

export function auditOperation({ store }: Gateway): Operation {
  return operation({
    method: 'GET',
    path: '/audit',
    scope: 'audit:read',
    tag: 'Access',
    summary: 'List who did what, the last first',
    query: PageQuery,
    answer: pageOf(AuditView),
    async handle({ query }) {
      const { read } = store;
      const [page, users, keys] = await Promise.all([read.audit(toPageRequest(query)), read.users(), read.keys()]);
      const names = new Map<string, string>([
        ...users.map(({ id, name }) => [`user:${id}`, name] as const),
        ...keys.map(({ id, name }) => [`key:${id}`, name] as const),
      ]);
      const data = page.data.map(({ seq, at, ...row }) => ({
        ...{ id: String(seq), at: toTime(at), actorName: names.get(row.actor) ?? null },
        ...row,
      }));
      return { body: { data, nextCursor: page.nextCursor } };
    },
  });
}
