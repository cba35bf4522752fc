import type { AccessTokens } from '../../core/access-tokens.ts';
import type { Context, Reply } from '../../core/connector.ts';
import { domainOf } from '../../core/mail-address.ts';
import type { SmtpServer } from '../../core/mail-server.ts';
import { composeMail, type Sender } from './compose.ts';

export interface SenderDeps {
  readonly sender: Sender;
  readonly server: SmtpServer;
  readonly context: Pick<Context, 'smtp'>;
  /** For a login with OAuth2. */
  readonly tokens?: AccessTokens | undefined;
}

/**
 * Sends answers. A mail whose outcome is unknown is sent again with the same Message-ID: see
 * docs/decisions/0011-a-mail-that-may-have-gone-out.md.
 */
export function createSender({ sender, server, context, tokens }: SenderDeps): {
  reply(reply: Reply): Promise<void>;
  test(): Promise<string>;
} {
  const route = { server, name: domainOf(sender.address), tokens };
  return {
    async reply(reply) {
      if (reply.sent.length > 0) return;
      const mail = composeMail(sender, reply);
      await context.smtp.send(route, mail);
      await reply.partSent(mail.messageId);
    },
    test: () => context.smtp.test(route),
  };
}
