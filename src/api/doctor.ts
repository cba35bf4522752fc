import { z } from 'zod';
import { checkEndpoint } from '../core/check.ts';
import type { Check } from '../core/check.ts';
import type { Gateway } from '../core/gateway.ts';
import { readHealth } from './health.ts';
import { operation } from './operation.ts';
import type { Operation } from './operation.ts';

const CheckView = z
  .object({
    name: z.string(),
    state: z.enum(['ok', 'warning', 'failed']),
    text: z.string(),
    remedy: z.string().nullable(),
  })
  .meta({ id: 'Check' });

export function doctorOperation(
  gateway: Gateway,
  {
    ready,
    examine,
  }: {
    readonly ready: () => Promise<{ readonly ok: boolean }>;
    readonly examine: () => readonly Check[];
  },
): Operation {
  const { endpoints, publicUrl } = gateway;
  return operation({
    method: 'GET',
    path: '/doctor',
    scope: 'doctor:read',
    tag: 'Operation',
    summary: 'Look at everything that commonly goes wrong',
    description: 'The checks of `tributary doctor`, made now.',
    answer: z.object({
      version: z.string(),
      publicUrl: z.string().meta({ description: 'The address that is announced to vendors and customers' }),
      healthy: z.boolean(),
      checks: z.array(CheckView),
    }),
    async handle() {
      const healthOf = await readHealth(gateway);
      const checks = [
        ...examine(),
        await checkGateway(ready, publicUrl),
        ...endpoints.all().map((endpoint) => {
          const { id, role, type } = endpoint;
          return checkEndpoint(role, { id, type, health: healthOf(endpoint) });
        }),
      ];
      return {
        body: {
          ...{ version: gateway.version, publicUrl },
          healthy: checks.every(({ state }) => state !== 'failed'),
          checks: checks.map(({ state, remedy, ...check }) => ({
            ...check,
            state,
            remedy: state === 'ok' ? null : (remedy ?? null),
          })),
        },
      };
    },
  });
}

async function checkGateway(ready: () => Promise<{ readonly ok: boolean }>, publicUrl: string): Promise<Check> {
  const { ok } = await ready().catch(() => ({ ok: false }));
  if (ok) return { name: 'gateway', state: 'ok', text: `ready at ${publicUrl}, process ${process.pid}` };
  return { name: 'gateway', state: 'failed', text: 'not ready: the store can’t be used', remedy: 'Look into its log.' };
}
