import { Readable } from 'node:stream';
import { defineConnector } from '../../core/connector.ts';
import { BadPayloadError, PermanentError } from '../../core/errors.ts';
import type { HttpAnswer, WebhookRequest } from '../../core/payload.ts';
import { createRate, networkOf } from '../../core/rate.ts';
import { WebChatConfig } from './config.ts';
import { filesOf, readPost, toItems } from './post.ts';
import type { Post } from './post.ts';
import { makeToken, openToken, readIdentity, type Identity } from './session.ts';
import { isTelegramLogin, readTelegramLogin } from './telegram-login.ts';
import { widgetScript } from './widget.ts';

/** Room for the words beside the files. */
const TEXT_BYTES = 128 * 1024;
/** Where a page brings what the shop's own server says of its visitor. */
const IDENTITY = 'tributary-identity';

/** A chat on a site: what a visitor writes comes as a post, what is answered he fetches from the store. */
export const webChat = defineConnector({
  type: 'web_chat',
  title: 'Web chat',
  summary: 'A chat for your own site: no account with anybody, files, answers that wait until the visitor is back.',
  docs: 'channels/web-chat.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook'],
    reply: true,
    idempotent: true,
    attachments: { in: true, out: true },
    localhost: true,
    threads: 'person',
    proven: ['Chromium', 'signature vectors'],
  },
  config: WebChatConfig,
  open(config, context) {
    const { clock, publicUrl } = context;
    const sessionKey = context.key('visitor session');
    const visitors = createRate(config.perMinute.visitor, clock);
    const addresses = createRate(config.perMinute.address, clock);

    const isAllowed = ({ headers: { origin, host } }: WebhookRequest) =>
      origin === undefined ||
      origin === new URL(publicUrl).origin ||
      config.allowedOrigins.includes(origin) ||
      // Reached by another name than the configured one (localhost for 127.0.0.1): still our own page.
      (URL.canParse(origin) && new URL(origin).host === host);

    function checkOrigin(request: WebhookRequest): void {
      if (isAllowed(request)) return;
      throw new BadPayloadError('asked by a page of a site that is not allowed', {
        status: 403,
        hint: 'Add the site to `allowedOrigins` of this chat, if it is yours.',
      });
    }

    function json(request: WebhookRequest, status: number, body: object): HttpAnswer {
      const { origin } = request.headers;
      return {
        status,
        headers: {
          'content-type': 'application/json',
          'cache-control': 'no-store',
          vary: 'origin',
          ...(origin !== undefined && isAllowed(request) && { 'access-control-allow-origin': origin }),
          ...(status === 429 && { 'retry-after': '60' }),
        },
        body: JSON.stringify(body),
      };
    }

    function checkRate(thread: string, address: string | undefined): void {
      // Both are counted: whoever makes himself a new session for each message keeps his address.
      const isFine = [visitors.allows(thread), addresses.allows(networkOf(address))];
      if (isFine.includes(false)) {
        throw new BadPayloadError('too many posts of one visitor or address', {
          status: 429,
          hint: 'If many people share the address, raise `perMinute.address` or set `server.trustProxy`.',
        });
      }
    }

    /** A token for whoever asks: the one that he has is renewed, and what his site says of him noted in it. */
    function openSession(request: WebhookRequest): HttpAnswer {
      checkOrigin(request);
      const { [IDENTITY]: said } = request.headers;
      const now = clock.now();
      const identity = said === undefined ? undefined : identityOf(config, said, now);
      const before = openToken(sessionKey, tokenOf(request), now);
      return json(request, 200, makeToken(sessionKey, now, before?.session, identity));
    }

    return {
      visits: {
        origins: config.allowedOrigins,
        threadOf: (token) => openToken(sessionKey, token, clock.now())?.session.thread,
      },

      webhook: {
        maxBytes: Math.ceil((config.maxFiles * config.maxFileBytes * 4) / 3) + TEXT_BYTES,

        verify(request) {
          checkOrigin(request);
          const token = openToken(sessionKey, tokenOf(request), clock.now());
          if (!token) throw new BadPayloadError('the visitor has no valid token');
          checkRate(token.session.thread, request.remoteAddress);
          const post = postOf(request);
          if (post.session !== token.text) throw new BadPayloadError('the session is not that of the token');
          checkSize(post, config);
        },

        challenge(request) {
          if (request.method === 'OPTIONS') return preflight(json(request, 204, {}));
          if (/\/session(\?|$)/.test(request.url)) return openSession(request);
          if (!/\/widget\.js(\?|$)/.test(request.url)) return undefined;
          return {
            status: 200,
            headers: {
              'content-type': 'text/javascript; charset=utf-8',
              'cache-control': 'public, max-age=300',
              'cross-origin-resource-policy': 'cross-origin',
            },
            body: widgetScript({
              channel: context.id,
              ...(config.title && { title: config.title }),
              ...(config.greeting && { greeting: config.greeting }),
              maxFiles: config.maxFiles,
              maxFileBytes: config.maxFileBytes,
            }),
          };
        },

        respond: (request) => json(request, 200, { ok: true }),
        refuse: (request, error) => json(request, error.status, { ok: false, status: error.status }),
      },

      normalize: toItems,

      // The answer is in the store, from where the visitor fetches it: to be told its name there is all it needs.
      async reply(reply) {
        if (reply.thread === undefined) throw new PermanentError('the ticket has no conversation in this chat');
        await reply.partSent(`${reply.thread}/${reply.id}`);
      },

      async download(attachment, payload) {
        const bytes = filesOf(readPost(payload.body))[Number(attachment.id)];
        if (!bytes) throw new PermanentError(`the message has no file ${attachment.id}`);
        return Readable.from([bytes]);
      },
    };
  },
});

/** Who the visitor is, as the shop's server or Telegram has signed it. */
function identityOf({ identitySecret, telegramBotToken }: WebChatConfig, said: string, now: number): Identity {
  return telegramBotToken && isTelegramLogin(said)
    ? readTelegramLogin(telegramBotToken.reveal(), said, now)
    : readIdentity(identitySecret?.reveal(), said, now);
}

function tokenOf({ headers: { authorization = '' } }: WebhookRequest): string {
  return /^Bearer (\S{1,5000})$/i.exec(authorization)?.[1] ?? '';
}

function postOf({ body }: WebhookRequest): Post {
  try {
    return readPost(body);
  } catch (cause) {
    throw new BadPayloadError('not what the script of the chat sends', { status: 400, cause });
  }
}

function checkSize(post: Post, { maxFiles, maxFileBytes }: WebChatConfig): void {
  if (post.type !== 'message') return;
  const files = filesOf(post);
  if (files.length > maxFiles || files.some(({ length }) => length > maxFileBytes)) {
    throw new BadPayloadError('too many files, or one that is too large', { status: 413 });
  }
  if (post.text.trim() === '' && files.length === 0) {
    throw new BadPayloadError('neither words nor files', { status: 422 });
  }
}

function preflight({ headers }: HttpAnswer): HttpAnswer {
  const { 'content-type': _type, ...rest } = headers ?? {};
  return {
    status: 204,
    headers: {
      ...rest,
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': `authorization, content-type, ${IDENTITY}`,
      'access-control-max-age': '600',
    },
  };
}
