import { z } from 'zod';
import { NotFoundError } from '../core/errors.ts';
import type { Gateway } from '../core/gateway.ts';
import type { NewId } from '../core/id.ts';
import type { KeyRow } from '../core/access-rows.ts';
import { toTime } from '../core/ticket.ts';
import { createKey } from './access.ts';
import type { Access } from './access.ts';
import { operation } from './operation.ts';
import type { Operation } from './operation.ts';
import { ApiError } from './problem.ts';
import { IdParams, pageFrom, pageOf, PageQuery, TimeText, toPageRequest } from './schemas.ts';
import { covers, scopes } from './scopes.ts';

const tag = 'Access';

const KeyView = z
  .object({
    id: z.string(),
    name: z.string(),
    prefix: z.string(),
    scopes: z.array(z.string()),
    createdAt: TimeText,
    lastUsedAt: TimeText.nullable(),
    revokedAt: TimeText.nullable(),
  })
  .meta({ id: 'Key' });

export function keyOperations({ store, clock }: Gateway, access: Access, newId: NewId): Operation[] {
  return [
    operation({
      method: 'GET',
      path: '/keys',
      scope: 'keys:write',
      tag,
      summary: 'List the API keys that allow no more than your own',
      query: PageQuery,
      answer: pageOf(KeyView),
      async handle({ query, actor }) {
        const keys = (await store.read.keys()).filter((key) => covers(actor.scopes, key.scopes));
        return { body: pageFrom(keys.map(toView), toPageRequest(query)) };
      },
    }),
    operation({
      method: 'POST',
      path: '/keys',
      scope: 'keys:write',
      tag,
      summary: 'Make an API key',
      description:
        'The answer is the only one that shows it: not even a repeat with the same Idempotency-Key does. A key can’t be allowed more than its maker.',
      body: z.strictObject({ name: z.string().trim().min(1).max(200), scopes: z.array(z.enum(scopes)).max(50) }),
      status: 201,
      answer: KeyView.extend({ key: z.string().nullable() }).meta({ id: 'NewKey' }),
      async handle({ body, actor }) {
        if (!covers(actor.scopes, body.scopes)) {
          throw new ApiError(403, 'scope_missing', 'A key can’t be allowed more than its maker.');
        }
        const { text, prefix, hash } = createKey();
        const at = clock.now();
        const row: KeyRow = {
          id: newId('key'),
          name: body.name,
          prefix,
          hash,
          scopes: [...new Set(body.scopes)],
          createdAt: at,
          lastUsedAt: null,
          revokedAt: null,
        };
        await store.write([`key:${row.id}`], async (tx) => {
          await tx.saveKey(row);
          const detail = row.scopes.join(' ');
          await tx.audit({ at, actor: actor.id, action: 'key.created', target: row.id, detail });
        });
        const view = toView(row);
        return { body: { ...view, key: text }, kept: { ...view, key: null } };
      },
    }),
    operation({
      method: 'DELETE',
      path: '/keys/{id}',
      scope: 'keys:write',
      tag,
      summary: 'Revoke an API key',
      description: 'It ends at once, and so do the sockets that it opened.',
      params: IdParams,
      status: 204,
      async handle({ params, actor }) {
        const row = (await store.read.keys()).find(({ id }) => id === params.id);
        const gone = () => new NotFoundError('There is no such key');
        if (!row || row.revokedAt !== null || !covers(actor.scopes, row.scopes)) throw gone();
        const at = clock.now();
        const revoked = await store.write([`key:${row.id}`], async (tx) => {
          await tx.audit({ at, actor: actor.id, action: 'key.revoked', target: row.id });
          return tx.revokeKey(row.id, at);
        });
        if (!revoked) throw gone();
        access.revoked();
        return {};
      },
    }),
  ];
}

function toView({
  id,
  name,
  prefix,
  scopes: held,
  createdAt,
  lastUsedAt,
  revokedAt,
}: KeyRow): z.output<typeof KeyView> {
  return {
    id,
    name,
    prefix: `trb_${prefix}`,
    scopes: [...held],
    createdAt: toTime(createdAt),
    lastUsedAt: lastUsedAt === null ? null : toTime(lastUsedAt),
    revokedAt: revokedAt === null ? null : toTime(revokedAt),
  };
}
