import { z } from 'zod';
import type { Context } from '../../core/connector.ts';
import { defineDestination } from '../../core/destination.ts';
import type { Destination } from '../../core/destination.ts';
import { secret } from '../../core/secret.ts';
import { signStandardWebhook } from '../../core/signature.ts';
import type { ChangeType } from '../../core/ticket.ts';
import { changeTypes, toTime } from '../../core/ticket.ts';

const SHORTEST_KEY_BYTES = 24;

/** What every call sets itself, or what would change the call. */
const RESERVED =
  /^(webhook-.*|content-.*|accept-encoding|host|connection|transfer-encoding|expect|te|upgrade|trailer)$/;

const signingSecret = (description: string) =>
  secret(description)
    .refine((value) => isSigningSecret(value.reveal()), {
      error: `is not whsec_ and base64 of at least ${SHORTEST_KEY_BYTES} bytes`,
      params: { remedy: '`npx tributary sign --new-secret` makes one.' },
    })
    .meta({ description, format: 'password', writeOnly: true });

const Config = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: 'is not an http or https address' })
    .max(2000)
    .refine((text) => !hasUser(text), {
      error: 'holds a user name or password',
      params: { remedy: 'Take it out of the address and send it as a header: headers: { authorization: … }' },
    })
    .meta({ description: 'Where events are posted' }),
  secret: signingSecret('Signs what is posted, whsec_…'),
  previousSecret: signingSecret(
    'The secret before the last rotation: signs as well, until the receiver has the new one',
  ).optional(),
  events: z
    .array(z.enum(changeTypes))
    .min(1)
    .optional()
    .meta({ description: 'Event types to post; all when left out' }),
  headers: z
    .record(
      z
        .string()
        .regex(/^[A-Za-z0-9_-]{1,100}$/, { error: 'is not the name of a header' })
        .refine((name) => !RESERVED.test(name.toLowerCase()), { error: 'is a header that is set for you' }),
      secret('Value of the header').refine((value) => /^[\x20-\x7e]+$/.test(value.reveal()), {
        error: 'has characters that no header may have',
      }),
    )
    .optional()
    .meta({ description: 'Sent along with every event, such as authorization' }),
});

type Config = z.output<typeof Config>;

/** Posts every event to an address, signed by the Standard Webhooks specification. */
export const webhook = defineDestination({
  type: 'webhook',
  title: 'Webhook',
  summary: 'Posts every event as signed JSON to an address of yours.',
  docs: 'destinations/webhook.md',
  stability: 'stable',
  capabilities: { carries: 'events', idempotent: true, localhost: true, proven: ['signature vectors'] },
  config: Config,
  open: (config, context) => createWebhook(config, context),
});

function createWebhook(config: Config, context: Context): Destination {
  const wanted: ReadonlySet<ChangeType> = new Set(config.events ?? changeTypes);
  return {
    async notify({ id, change }) {
      if (!wanted.has(change.type)) return;
      const { type, timestamp, data } = change;
      await post(config, context, id, { type, timestamp, data });
    },
    async test() {
      const now = context.clock.now();
      const data = { version: 0, destination: context.id };
      const status = await post(config, context, `ping_${now}`, { type: 'test.ping', timestamp: toTime(now), data });
      return `${new URL(config.url).host} took the test.ping (${status})`;
    },
  };
}

/** The id is the same at every try, so that the receiver can tell; the time is that of the try, as receivers refuse old ones. */
async function post(config: Config, context: Context, id: string, event: object): Promise<number> {
  const body = JSON.stringify(event);
  const timestampSec = Math.floor(context.clock.now() / 1000);
  const secrets = [config.secret, ...(config.previousSecret ? [config.previousSecret] : [])];
  const own = Object.entries(config.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value.reveal()]);
  const headers = {
    ...(Object.fromEntries(own) as Record<string, string>),
    'content-type': 'application/json',
    ...signStandardWebhook(
      secrets.map((value) => value.reveal()),
      { id, timestampSec, body },
    ),
  };
  const { status } = await context.http.send({ method: 'POST', url: config.url, headers, body });
  return status;
}

function isSigningSecret(text: string): boolean {
  const [, key = ''] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
  return Buffer.from(key, 'base64').length >= SHORTEST_KEY_BYTES;
}

function hasUser(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username !== '' || password !== '';
}
