import type { AccessTokens } from '../../core/access-tokens.ts';
import { defineConnector } from '../../core/connector.ts';
import type { CanReply, Channel, Context } from '../../core/connector.ts';
import type { ItemInput } from '../../core/envelope.ts';
import type { OAuth2 } from '../../core/mail-server.ts';
import { createAccessTokens } from '../../core/oauth2.ts';
import type { Payload } from '../../core/payload.ts';
import type { Message } from '../../core/ticket.ts';
import { Config, usesPlusAddressing } from './config.ts';
import { createHook } from './hooks/hook.ts';
import { noteFromSes } from './hooks/ses.ts';
import { createImap } from './imap.ts';
import { createListener } from './listen.ts';
import { createReader } from './read.ts';
import { createSender } from './send.ts';

/** A mailbox: read by IMAP, taken by SMTP or pushed by a provider, answered by SMTP. */
export const email = defineConnector({
  type: 'email',
  title: 'E-mail',
  summary:
    'Reads a mailbox by IMAP, takes mail by SMTP or from Mailgun, SendGrid, Postmark and Amazon SES, and answers by SMTP.',
  docs: 'channels/email.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook', 'stream'],
    reply: true,
    idempotent: true,
    attachments: { in: true, out: true },
    localhost: true,
    threads: 'topic',
    proven: ['real payloads', 'signature vectors'],
  },
  config: Config,
  open(config, context) {
    const tokens = tokensOf(context);
    const reader = createReader(config, context);
    const source = sourceOf(config, context, tokens);
    const sender = senderOf(config, context, tokens);
    const testable = [source, sender].filter((part) => part?.test !== undefined);
    return {
      ...(source.stream && { stream: source.stream }),
      ...(source.webhook && { webhook: source.webhook }),
      normalize: (payload) => noteIn(payload, config) ?? reader.normalize(payload),
      download: (attachment, payload) => reader.download(attachment, payload),
      ...(sender && { reply: (answer) => sender.reply(answer), canReply: ({ answers }) => canReply(answers) }),
      ...(testable.length > 0 && {
        async test() {
          const said: string[] = [];
          for (const part of testable) said.push((await part?.test?.()) ?? '');
          return said.join('; ');
        },
      }),
    };
  },
});

/** What a portal told of is answered there: its notifications come from an address that nobody reads. */
function canReply(answers: Message | undefined): CanReply {
  const { portal, link } = answers?.fields ?? {};
  if (portal === undefined) return { allowed: true };
  const where = link === undefined ? '' : `: ${link}`;
  return { allowed: false, reason: `${portal} takes no answers by mail: answer there${where}` };
}

/** Where mail comes from: one of them. */
type Source = Pick<Channel, 'stream' | 'webhook' | 'test'>;

function sourceOf({ imap, listen, webhook, address, aliases }: Config, context: Context, tokens: TokenSource): Source {
  if (webhook) return { webhook: createHook(webhook, context) };
  if (imap) return createImap({ imap, context, tokens: imap.oauth2 && tokens(imap.oauth2) });
  if (!listen) throw new Error('none of imap, listen and webhook, which the settings don’t allow');
  return createListener({ listen, own: [address, ...aliases], name: new URL(context.publicUrl).hostname, context });
}

function senderOf(config: Config, context: Context, tokens: TokenSource) {
  const { smtp, address, fromName, aliases } = config;
  if (!smtp) return undefined;
  const sender = { address, fromName, aliases, plusAddressing: usesPlusAddressing(config) };
  return createSender({ sender, server: smtp, context, tokens: smtp.oauth2 && tokens(smtp.oauth2) });
}

type TokenSource = (oauth2: OAuth2) => AccessTokens;

/** One for each grant: a renewed refresh token revokes the one before, for both directions. */
function tokensOf(context: Context): TokenSource {
  const opened = new Map<string, AccessTokens>();
  return (oauth2) => {
    const grant = `${oauth2.tokenUrl} ${oauth2.clientId} ${oauth2.refreshToken.reveal()} ${oauth2.scope ?? ''}`;
    const tokens = opened.get(grant) ?? createAccessTokens(oauth2, context);
    opened.set(grant, tokens);
    return tokens;
  };
}

/** What came instead of a mail. */
function noteIn(payload: Payload, { webhook }: Config): ItemInput[] | undefined {
  if (payload.method === 'POST') return webhook?.provider === 'ses' ? noteFromSes(payload.body) : undefined;
  // What the server didn't hand out is lost to us: a person must look, so it isn't merely passed over.
  if (payload.headers['x-imap-note'] !== 'mail_refused') return undefined;
  return [{ kind: 'broken', at: '', error: payload.body.toString().slice(0, 4000) }];
}
