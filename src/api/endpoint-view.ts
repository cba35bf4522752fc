import { z } from 'zod';
import { AutoReply } from '../core/auto-reply.ts';
import type { Endpoint } from '../core/gateway.ts';
import { Health } from './health.ts';

export const Settings = z.record(z.string().max(200), z.unknown()).meta({
  description: 'As its type wants them (`GET /catalogue`). Secrets come masked; a mask sent back keeps the value',
});

/** A channel or destination as the API shows it. */
export const EndpointView = z
  .object({
    id: z.string(),
    role: z.enum(['channel', 'destination']),
    type: z.string(),
    name: z.string(),
    enabled: z.boolean(),
    source: z
      .string()
      .nullable()
      .meta({ description: 'File and line; such a one is read-only here. Null: made over the API' }),
    autoReply: AutoReply.nullable(),
    settings: Settings,
    webhookUrl: z.string().nullable().meta({ description: 'What the vendor must call, its secret part masked' }),
    registers: z
      .boolean()
      .meta({ description: 'Whether the vendor is told `webhookUrl` by the gateway: nobody has to enter it there' }),
    testable: z.boolean().meta({ description: 'Whether its credentials can be tried (`POST …/test`)' }),
    health: Health,
  })
  .meta({ id: 'Endpoint' });

export function toView(
  endpoint: Endpoint,
  health: (endpoint: Endpoint) => z.output<typeof Health>,
  publicUrl: string,
): z.output<typeof EndpointView> {
  const { id, role, type, name, enabled, autoReply = null, source, settings, webhook } = endpoint;
  const token = webhook?.token ? `/${webhook.token.mask()}` : '';
  const webhookUrl = webhook ? `${publicUrl}/webhooks/${id}${token}` : null;
  const testable = opened(endpoint)?.test !== undefined;
  const registers = webhook?.registered ?? false;
  const facts = { id, role, type, name, enabled, source, autoReply, settings, webhookUrl, registers, testable };
  return { ...facts, health: health(endpoint) };
}

/** What there is of it while it is open. */
export const opened = ({ channel, destination }: Endpoint) => channel ?? destination;
