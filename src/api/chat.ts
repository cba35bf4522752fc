import type { Express, Request, RequestHandler, Response } from 'express';
import { z } from 'zod';
import type { Visits } from '../core/connector.ts';
import { NotFoundError } from '../core/errors.ts';
import type { Gateway } from '../core/gateway.ts';
import type { Message } from '../core/ticket.ts';
import { isOwnOrigin } from './access.ts';
import { downloadOf } from './attachments.ts';
import { ApiError, parsed } from './problem.ts';
import { sendFile } from './send-file.ts';

/** A visitor who has proved who he is: the channel, and the thread that he may read. */
export interface Visitor {
  readonly channel: string;
  readonly thread: string;
}

/** How a channel's visitors ask; undefined unless it is open and has any. */
export function visitsOf({ endpoints }: Gateway, channel: unknown): Visits | undefined {
  const endpoint = typeof channel === 'string' ? endpoints.get(channel) : undefined;
  return endpoint?.enabled ? endpoint.channel?.visits : undefined;
}

/** Whether a page of ours, of a site that the channel allows, or no page at all asks. */
export function mayVisit(headers: Request['headers'], visits: Visits, publicUrl: string): boolean {
  const { origin } = headers;
  return origin === undefined || isOwnOrigin(headers, publicUrl) || visits.origins.includes(origin);
}

const Query = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: z.string().max(2000).optional(),
});

/**
 * What a visitor reads: `GET /chat/:channel/messages`, his conversation in this channel, newest first, and
 * `GET /chat/:channel/files/:id`. What he writes is posted to `/chat/:channel`, a webhook.
 */
export function mountChat(app: Express, gateway: Gateway, limit: RequestHandler): void {
  const { store } = gateway;
  app.use('/chat/:channel', limit, allowPages(gateway));

  app.get('/chat/:channel/messages', async (request, response) => {
    const { channel, thread } = visitorOf(gateway, request);
    const query = parsed(Query, request.query, '/query');
    const { data, nextCursor } = await store.read.said(channel, thread, query);
    const views = data.map(({ key, message }) => toView(key, message));
    response.json({ data: views, nextCursor });
  });

  app.get('/chat/:channel/files/:id', async (request, response) => {
    const { channel, thread } = visitorOf(gateway, request);
    const row = await store.read.attachment(request.params.id);
    const said = row && (await store.read.said(channel, thread, { limit: 1, message: row.messageId }));
    if (!row || said?.data.length !== 1) throw new NotFoundError('There is no such file');
    const { headers, ...file } = await downloadOf(store, row);
    await sendFile(response, { ...file, headers: { ...headers, 'cache-control': 'no-store' } });
  });
}

function allowPages(gateway: Gateway): RequestHandler<{ channel: string }> {
  return (request, response, next) => {
    const visits = visitsOf(gateway, request.params.channel);
    if (!visits) throw new NotFoundError('There is no such chat');
    response.set({ vary: 'origin', 'cache-control': 'no-store' });
    if (!mayVisit(request.headers, visits, gateway.publicUrl)) {
      throw new ApiError(403, 'origin_refused', 'This chat is not for pages of that site.');
    }
    const { origin } = request.headers;
    if (origin !== undefined) response.set('access-control-allow-origin', origin);
    if (request.method === 'OPTIONS') return answerPreflight(response);
    next();
  };
}

function answerPreflight(response: Response): void {
  response.set({
    'access-control-allow-methods': 'GET',
    'access-control-allow-headers': 'authorization',
    'access-control-max-age': '600',
  });
  response.status(204).end();
}

function visitorOf(gateway: Gateway, request: Request<{ channel: string }>): Visitor {
  const { channel } = request.params;
  const token = /^Bearer (\S{1,5000})$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
  const thread = visitsOf(gateway, channel)?.threadOf(token);
  if (thread === undefined) throw new ApiError(401, 'unauthorized', 'The token is not one of this chat, or has ended.');
  return { channel, thread };
}

/** Only what the visitor is meant to see: not who answered, by which way, or why something failed. */
function toView(key: string, message: Message): object {
  return {
    id: key,
    from: message.direction === 'inbound' ? 'visitor' : 'team',
    text: message.text,
    at: message.occurredAt,
    state: message.delivery?.state ?? 'stored',
    files: message.attachments.map(({ id, name, mediaType, size, state }) => ({ id, name, mediaType, size, state })),
  };
}
