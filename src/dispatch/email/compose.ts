import type { Context } from '../../core/connector.ts';
import type { Delivery } from '../../core/destination.ts';
import { contactOf, mapFields } from '../../core/field-mapping.ts';
import { answerAddressFor, answerProof, ANSWERS_KEY, domainOf } from '../../core/mail-address.ts';
import { ANSWER_ABOVE } from '../../core/mark.ts';
import { headerLine, openLater, type OutgoingMail } from '../../core/smtp.ts';
import { toPlainText, toSafeHtml } from '../../core/words.ts';
import type { Config } from './config.ts';

/** Most bytes of a text; what is longer is cut visibly, with a link. */
const LONGEST_TEXT = 200_000;
const LONGEST_SUBJECT = 200;
const LONGEST_NAME = 80;
const LONGEST_HEADER = 500;

/** RFC 3834, and Microsoft's own: whatever answers by itself is not to answer this. */
const AUTOMATIC = { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' };

/** https://www.rfc-editor.org/rfc/rfc4021#section-2.1.54 */
const IMPORTANCE = { low: 'low', normal: 'normal', high: 'high', urgent: 'high' } as const;

/** Which files go along, and why the others don't: id of the attachment → reason. */
export interface Chosen {
  readonly sending: Delivery['message']['attachments'];
  readonly unsent: ReadonlyMap<string, string>;
}

/** One message as a mail. `root`: the Message-ID of the ticket's first one, which this one belongs to. */
export function toMail(
  config: Config,
  { publicUrl, key }: Pick<Context, 'publicUrl' | 'key'>,
  delivery: Delivery,
  { root, files }: { readonly root: string | undefined; readonly files: Chosen },
): OutgoingMail {
  const { to, from, answersTo = from } = config;
  const { id, ticket, message } = delivery;
  const { number } = ticket;
  const wording = { publicUrl, max: LONGEST_TEXT, unsent: files.unsent };
  const subject = `[#${number}] ${headerLine(ticket.subject).slice(0, LONGEST_SUBJECT).toWellFormed()}`.trim();
  return {
    // The same at every try of this delivery, so that who gets it twice can tell.
    messageId: `a${number}.${id.replace(/\W/g, '-')}@${domainOf(from)}`,
    from: { name: nameOf(delivery), address: from },
    to,
    replyTo: answerAddressFor({ number, proof: answerProof(key(ANSWERS_KEY), number) }, answersTo),
    subject: root === undefined ? subject : `Re: ${subject}`,
    date: new Date(message.occurredAt),
    ...(root !== undefined && { inReplyTo: `<${root}>`, references: [`<${root}>`] }),
    headers: { ...ownHeaders(config, delivery), Importance: IMPORTANCE[ticket.priority], ...AUTOMATIC },
    text: `${ANSWER_ABOVE}\n${ASKED}\n\n${toPlainText(delivery, wording)}`,
    html: `<p>${ANSWER_ABOVE}<br>${ASKED}</p>${toSafeHtml(delivery, wording)}`,
    files: files.sending.map(({ id: fileId, name, mediaType, size }) => ({
      name,
      mediaType,
      size: size ?? 0,
      content: openLater(() => delivery.open(fileId)),
    })),
  };
}

const ASKED = 'Your answer to this mail goes to the customer.';

/** What the settings say of the ticket, for rules of mail servers and help desks. */
function ownHeaders({ fields }: Config, delivery: Delivery): Record<string, string> {
  const mapped = Object.entries(mapFields(fields, delivery)).map(([name, value]) => {
    const line = headerLine([value].flat().join(', '));
    return [name, line.slice(0, LONGEST_HEADER).toWellFormed()] as const;
  });
  return Object.fromEntries(mapped);
}

/** Who wrote it. Many programs show nothing but the name: it may not look like somebody's address. */
function nameOf({ message: { author, direction }, customer, ticket }: Delivery): string {
  const customers = customer.name ?? contactOf(customer, 'email') ?? contactOf(customer, 'phone');
  const name = author.name ?? (direction === 'inbound' ? customers : 'An agent') ?? `Customer of #${ticket.number}`;
  return headerLine(name).replaceAll('@', ' at ').slice(0, LONGEST_NAME).toWellFormed();
}
