import type { Context } from '../../core/connector.ts';
import { defineDestination } from '../../core/destination.ts';
import type { Delivery, Destination } from '../../core/destination.ts';
import { PermanentError, type FarAnswer } from '../../core/errors.ts';
import { domainOf } from '../../core/mail-address.ts';
import { createAccessTokens } from '../../core/oauth2.ts';
import { sendable } from '../../core/sendable.ts';
import { toMail, type Chosen } from './compose.ts';
import { Config } from './config.ts';

/** What servers answer to a mail that is too large for them. */
const TOO_LARGE = 552;

/** A mail that the server refused for good. */
type Refused = PermanentError & { readonly response: FarAnswer };

/** Each message of a ticket as a mail to one mailbox; what a colleague answers comes in by an e-mail channel. */
export const email = defineDestination({
  type: 'email',
  title: 'E-mail',
  summary: 'Sends every conversation to a mailbox, a team’s or a help desk’s; answers by mail go to the customers.',
  docs: 'destinations/email.md',
  stability: 'beta',
  // A mail that may have gone out goes again with the same Message-ID: docs/decisions/0011.
  capabilities: { carries: 'tickets', idempotent: true, localhost: true, proven: ['prose'] },
  config: Config,
  open: (config, context) => create(config, context),
});

function create(config: Config, context: Context): Destination {
  const { smtp, from, to, maxBytes } = config;
  const tokens = smtp.oauth2 && createAccessTokens(smtp.oauth2, context);
  const route = { server: smtp, name: domainOf(from), tokens };
  const filesOf = ({ message }: Delivery): Chosen => sendable(message, { max: maxBytes, taker: 'the mail' });

  /** Resolves with its Message-ID. */
  async function send(delivery: Delivery, root?: string): Promise<string> {
    const files = filesOf(delivery);
    const mail = toMail(config, context, delivery, { root, files });
    try {
      await context.smtp.send(route, mail);
    } catch (error) {
      // Whatever it says, its files may be the reason: too large, or of a kind that it doesn't take.
      if (!isRefused(error) || files.sending.length === 0) throw error;
      const left = { root, files: without(files, reasonOf(error, smtp.host)) };
      await context.smtp.send(route, toMail(config, context, delivery, left));
    }
    return mail.messageId;
  }

  return {
    createTicket: async (delivery) => ({ externalId: await send(delivery) }),
    async addMessage({ externalId }, delivery) {
      await send(delivery, externalId);
    },
    preview(delivery) {
      const mail = toMail(config, context, delivery, { root: undefined, files: filesOf(delivery) });
      const { subject, headers, text, files } = mail;
      const body = {
        from: mail.from,
        to,
        subject,
        headers,
        text,
        files: files.map(({ name, mediaType }) => ({ name, mediaType })),
      };
      return { method: 'MAIL', url: `mailto:${to}`, body };
    },
    test: () => context.smtp.test(route),
  };
}

/** The message goes all the same, and names its files with links. */
function without({ sending, unsent }: Chosen, reason: string): Chosen {
  const refused = sending.map(({ id }) => [id, reason] as const);
  return { sending: [], unsent: new Map([...unsent, ...refused]) };
}

function isRefused(error: unknown): error is Refused {
  return error instanceof PermanentError && error.response !== undefined;
}

function reasonOf({ response }: Refused, server: string): string {
  return response.status === TOO_LARGE ? `too large for ${server}` : `${server} did not take the mail with it`;
}
