import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { ItemInput } from '../../core/envelope.ts';
import type { Payload, WebhookRequest } from '../../core/payload.ts';
import { secret } from '../../core/secret.ts';
import { isJson, readEvent } from './event.ts';
import { toItems } from './items.ts';
import { checkSignature, Signature } from './signature.ts';

const MAX_BYTES = 64 * 1024;

const Config = z.strictObject({
  token: secret('Secret part of the address: the telephone system calls <PUBLIC_URL>/webhooks/<id>/<token>').refine(
    (value) => /^[A-Za-z0-9_-]{22,200}$/.test(value.reveal()),
    { error: 'is none of 22 to 200 letters, digits, _ and -: `openssl rand -hex 24` makes one' },
  ),
  signature: Signature.optional().meta({
    description: 'What signs the requests; left out: only the address proves them',
  }),
});

export const cti = defineConnector({
  type: 'cti',
  title: 'Telephone system (CTI)',
  summary:
    'Takes calls from sipgate.io, Placetel, and what else tells newCall, answer and hangup as Zammad takes them.',
  docs: 'channels/cti.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook'],
    reply: false,
    idempotent: false,
    attachments: { in: false, out: false },
    localhost: true,
    threads: 'person',
    proven: ['prose', 'signature vectors'],
  },
  config: Config,
  open({ token, signature }, { webhookUrl }) {
    const address = `${webhookUrl}/${token.reveal()}`;
    return {
      webhook: {
        maxBytes: MAX_BYTES,
        token,
        // The host has compared the token; most telephone systems of this kind sign nothing.
        verify: (request) => {
          if (signature) checkSignature(signature, request);
        },
        respond: (request) => respond(request, address),
      },
      normalize: (payload: Payload): ItemInput[] => toItems(readEvent(payload), payload.receivedAt),
    };
  },
});

/** Who posts forms tells of an answer and of the end only where he is asked to, in the answer to the beginning. */
function respond(request: WebhookRequest, address: string) {
  if (isJson(request)) return { status: 200, headers: { 'content-type': 'application/json' }, body: '{}' };
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Response onAnswer="${address}" onHangup="${address}"/>\n`;
  return { status: 200, headers: { 'content-type': 'application/xml' }, body };
}
