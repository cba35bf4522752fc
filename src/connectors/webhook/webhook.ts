import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { Context } from '../../core/connector.ts';
import { each } from '../../core/each.ts';
import type { Attachment, ItemInput } from '../../core/envelope.ts';
import { PermanentError } from '../../core/errors.ts';
import type { Payload } from '../../core/payload.ts';
import { authenticate } from './auth.ts';
import { readBody, unwrapped } from './body.ts';
import { ignoredBy, listOf, toNative } from './mapping.ts';
import { isBase64, NativeAttachments, toItem } from './native.ts';
import type { NativeAttachment } from './native.ts';
import { ping, sendReply } from './reply.ts';
import { completed, Config } from './settings.ts';
import type { Settings } from './settings.ts';
import { isKept } from './value.ts';

/** Elements of one payload: they are filed in one transaction. */
const MAX_ITEMS = 1000;
/** Bytes of a file that is fetched from an address in the payload. */
const MAX_FILE = 25 * 1024 * 1024;

/** Anything that can sign a JSON POST: in our shape, or in its own with a mapping. */
export const webhook = defineConnector({
  type: 'webhook',
  title: 'Webhook',
  summary:
    'Takes signed JSON from any system by a mapping, and the forms of Typeform, Jotform, Tally, Tilda and others.',
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
    const { reply } = config;
    const settings = completed(config);
    const { auth } = settings;
    return {
      webhook: {
        ...(auth.type === 'token' && { token: auth.token }),
        maxBytes: config.maxBytes,
        verify: (request) => authenticate(auth, request, context.clock.now(), context.webhookUrl),
      },
      normalize: (payload) => toItems(settings, context, payload),
      download: (attachment, payload) => download(settings, context, attachment, payload),
      ...(reply && {
        reply: (answer) => sendReply(reply, context, answer),
        test: () => ping(reply, context),
      }),
    };
  },
});

async function toItems(settings: Settings, context: Context, payload: Payload): Promise<ItemInput[]> {
  const { mapping, identity } = settings;
  const root = await rootOf(settings, payload);
  const list = listOf(mapping, root);
  if (!list) {
    const ignored = mapping && ignoredBy(mapping, root, root);
    if (ignored) return [ignored];
    throw new Error(`mapping.items: there is no list at ${mapping?.items}`);
  }
  if (list.length > MAX_ITEMS) throw new Error(`more than ${MAX_ITEMS} elements in one payload`);
  if (list.length === 0) return [{ kind: 'ignored', name: 'empty', reason: 'the list has no elements' }];
  const alone = list.length === 1 && list[0] === root;
  const items = each(list, (element, index) => {
    const ignored = mapping && ignoredBy(mapping, root, element);
    if (ignored) return ignored;
    return toItem(mapping ? toNative(mapping, root, element, settings.fileHosts) : element, {
      identifierKind: identity.kind ?? `webhook:${context.id}`,
      trust: identity,
      receivedAt: payload.receivedAt,
      fallbackId: () => fallbackId(settings, payload, element, alone ? '' : `/${index}`),
      nobody: mapping?.answers ? 'somebody' : 'refused',
      index,
    });
  });
  const at = (position: string) => (alone ? '' : `${mapping?.items ?? ''}${position}`);
  return items.map((item) => (item.kind === 'broken' ? { ...item, at: at(item.at) } : item));
}

/** What an element without an id is called. */
function fallbackId(
  { auth, mapping }: Settings,
  { headers, receivedAt }: Payload,
  element: unknown,
  at: string,
): string {
  // Only here is the id part of what is signed; elsewhere whoever repeats a request could change it.
  const delivery = auth.type === 'standard_webhooks' ? headers['webhook-id'] : undefined;
  if (delivery) return `${delivery}${at}`;
  // "Call me back" a month later is another wish.
  const day = mapping?.sameWithin === 'day' ? `:${new Date(receivedAt).toISOString().slice(0, 10)}` : '';
  return `sha256:${createHash('sha256').update(JSON.stringify(element)).digest('hex')}${day}`;
}

async function rootOf({ body, mapping }: Settings, payload: Payload): Promise<unknown> {
  return unwrapped(await readBody(payload, body), mapping?.json ?? []);
}

/** The ids of attachments say where they stand: element and position. */
async function download(
  settings: Settings,
  context: Context,
  { id, name }: Attachment,
  payload: Payload,
): Promise<Readable> {
  const { content, url } = await attachmentAt(settings, payload, id);
  if (content !== undefined) {
    if (!isBase64(content)) throw new PermanentError(`the content of ${name} is not base64`);
    return Readable.from([Buffer.from(content, 'base64')]);
  }
  if (url === undefined) throw new PermanentError(`${name} came with neither content nor url`);
  const { files, fileHosts } = settings;
  // Its token is for whoever keeps this form's files, nobody else.
  const token = url.startsWith('https:') && isKept(url, fileHosts) ? files.token : undefined;
  const headers = token && { authorization: `Bearer ${token.reveal()}` };
  const answer = await context.http.stream({ url, maxBytes: MAX_FILE, ...(headers && { headers }) });
  return answer.body;
}

async function attachmentAt(settings: Settings, payload: Payload, id: string): Promise<NativeAttachment> {
  const { mapping } = settings;
  const [index, position] = id.split('/').map(Number);
  const root = await rootOf(settings, payload);
  const element = listOf(mapping, root)?.[index ?? 0];
  const native = mapping ? toNative(mapping, root, element, settings.fileHosts) : element;
  const { attachments } = z.object({ attachments: NativeAttachments }).parse(native);
  const attachment = attachments?.[position ?? 0];
  if (!attachment) throw new PermanentError(`the payload has no attachment ${id}`);
  return attachment;
}
