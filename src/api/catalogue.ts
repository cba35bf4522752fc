import { z } from 'zod';
import type { Connector } from '../core/connector.ts';
import type { DestinationType } from '../core/destination.ts';
import type { Gateway } from '../core/gateway.ts';
import { operation } from './operation.ts';
import type { Operation } from './operation.ts';

const Type = z
  .object({
    role: z.enum(['channel', 'destination']),
    type: z.string(),
    title: z.string(),
    summary: z.string(),
    docs: z.string().meta({ description: 'Path of its page below `docs/`' }),
    stability: z.enum(['alpha', 'beta', 'stable']),
    capabilities: z.record(z.string(), z.unknown()),
    config: z.record(z.string(), z.unknown()).meta({ description: 'JSON Schema of `settings`' }),
  })
  .meta({ id: 'Type' });

export function catalogueOperations({ endpoints }: Gateway): Operation[] {
  return [
    operation({
      method: 'GET',
      path: '/catalogue',
      scope: 'endpoints:read',
      tag: 'Endpoints',
      summary: 'List every type of channel and destination, with the schema of its settings',
      answer: z.object({ data: z.array(Type), nextCursor: z.null() }),
      async handle() {
        const data = [
          ...endpoints.connectors.map((type) => toEntry('channel', type)),
          ...endpoints.destinationTypes.map((type) => toEntry('destination', type)),
        ];
        return { body: { data, nextCursor: null } };
      },
    }),
  ];
}

function toEntry(role: 'channel' | 'destination', type: Connector | DestinationType) {
  const { title, summary, docs, stability, capabilities } = type;
  // What operators write, not what it is read as; what JSON Schema can't say is left open.
  const config = z.toJSONSchema(type.config, { io: 'input', unrepresentable: 'any' });
  return { role, type: type.type, title, summary, docs, stability, capabilities, config };
}
