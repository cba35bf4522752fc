import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { Context } from '../../core/connector.ts';
import { each } from '../../core/each.ts';
import type { Attachment, ItemInput } from '../../core/envelope.ts';
import { Trust } from '../../core/envelope.ts';
import { PermanentError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import { Auth, authenticate } from './auth.ts';
import { ignoredBy, listOf, Mapping, toNative } from './mapping.ts';
import { isBase64, NativeAttachments, toItem } from './native.ts';
import type { NativeAttachment } from './native.ts';
import { ping, ReplyTarget, sendReply } from './reply.ts';

/** Elements of one payload: they are filed in one transaction. */
const MAX_ITEMS = 1000;
/** Bytes of a file that is fetched from an address in the payload. */
const MAX_FILE = 25 * 1024 * 1024;

const Config = z.strictObject({
  auth: Auth,
  mapping: Mapping.optional(),
  identity: z
    .strictObject({
      email: Trust.default('observed').meta({ description: 'verified: the sender has checked that it is his' }),
      phone: Trust.default('observed').meta({ description: 'verified: the sender has checked that it is his' }),
      kind: z
        .string()
        .regex(/^[a-z][a-z0-9_]{0,40}$/)
        .refine((kind) => kind !== 'email' && kind !== 'phone', { error: 'is taken' })
        .optional()
        .meta({ description: 'What from.id is unique in; channels with the same kind know each other’s customers' }),
    })
    .prefault({}),
  reply: ReplyTarget.optional(),
  maxBytes: z
    .number()
    .int()
    .min(1024)
    .max(50 * 1024 * 1024)
    .default(5 * 1024 * 1024)
    .meta({
      description: 'Largest body, bytes',
    }),
});
type Config = z.output<typeof Config>;

/** Anything that can sign a JSON POST: in our shape, or in its own with a mapping. */
export const webhook = defineConnector({
  type: 'webhook',
  title: 'Webhook',
  summary: 'Takes signed JSON from any system, in a simple shape or by a mapping.',
  docs: 'channels/webhook.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook'],
    reply: true,
    idempotent: true,
    attachments: { in: true, out: true },
    localhost: true,
    threads: 'topic',
    proven: ['signature vectors'],
  },
  config: Config,
  open(config, context) {
    const { auth, reply } = config;
    return {
      webhook: {
        maxBytes: config.maxBytes,
        verify: (request) => authenticate(auth, request, context.clock.now(), context.webhookUrl),
      },
      normalize: (payload) => toItems(config, context, payload),
      download: (attachment, payload) => download(config, context, attachment, payload),
      ...(reply && {
        reply: (answer) => sendReply(reply, context, answer),
        test: () => ping(reply, context),
      }),
    };
  },
});

function toItems(config: Config, context: Context, payload: Payload): ItemInput[] {
  const { mapping, identity, auth } = config;
  const root = parseJson(payload.body);
  const list = listOf(mapping, root);
  if (!list) {
    const ignored = mapping && ignoredBy(mapping, root, root);
    if (ignored) return [ignored];
    throw new Error(`mapping.items: there is no list at ${mapping?.items}`);
  }
  if (list.length > MAX_ITEMS) throw new Error(`more than ${MAX_ITEMS} elements in one payload`);
  if (list.length === 0) return [{ kind: 'ignored', name: 'empty', reason: 'the list has no elements' }];
  // Only here is the id part of what is signed; elsewhere whoever repeats a request could change it.
  const delivery = auth.type === 'standard_webhooks' ? payload.headers['webhook-id'] : undefined;
  const alone = list.length === 1 && list[0] === root;
  const items = each(list, (element, index) => {
    const ignored = mapping && ignoredBy(mapping, root, element);
    if (ignored) return ignored;
    return toItem(mapping ? toNative(mapping, root, element) : element, {
      identifierKind: identity.kind ?? `webhook:${context.id}`,
      trust: identity,
      receivedAt: payload.receivedAt,
      fallbackId: () => (delivery ? (alone ? delivery : `${delivery}/${index}`) : `sha256:${hashOf(element)}`),
      index,
    });
  });
  const at = (position: string) => (alone ? '' : `${mapping?.items ?? ''}${position}`);
  return items.map((item) => (item.kind === 'broken' ? { ...item, at: at(item.at) } : item));
}

/** The ids of attachments say where they stand: element and position. */
async function download(
  config: Config,
  context: Context,
  { id, name }: Attachment,
  payload: Payload,
): Promise<Readable> {
  const { content, url } = attachmentAt(config.mapping, payload, id);
  if (content !== undefined) {
    if (!isBase64(content)) throw new PermanentError(`the content of ${name} is not base64`);
    return Readable.from([Buffer.from(content, 'base64')]);
  }
  if (url === undefined) throw new PermanentError(`${name} came with neither content nor url`);
  const answer = await context.http.stream({ url, maxBytes: MAX_FILE });
  return answer.body;
}

function attachmentAt(mapping: Config['mapping'], payload: Payload, id: string): NativeAttachment {
  const [index, position] = id.split('/').map(Number);
  const root = parseJson(payload.body);
  const element = listOf(mapping, root)?.[index ?? 0];
  const native = mapping ? toNative(mapping, root, element) : element;
  const { attachments } = z.object({ attachments: NativeAttachments }).parse(native);
  const attachment = attachments?.[position ?? 0];
  if (!attachment) throw new PermanentError(`the payload has no attachment ${id}`);
  return attachment;
}

function hashOf(element: unknown): string {
  return createHash('sha256').update(JSON.stringify(element)).digest('hex');
}
