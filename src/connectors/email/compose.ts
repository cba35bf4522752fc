import type { Reply } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { escapeHtml } from '../../core/escape-html.ts';
import { isMailbox, isOwnAddress, messageIdFor, replyAddressFor } from '../../core/mail-address.ts';
import { headerLine, openLater, type OutgoingMail } from '../../core/smtp.ts';
import type { Message } from '../../core/ticket.ts';

/** What answers say about the channel. */
export interface Sender {
  readonly address: string;
  readonly fromName?: string | undefined;
  readonly aliases: readonly string[];
  /** Ask to be answered at an address that carries the ticket. */
  readonly plusAddressing: boolean;
}

/** Longest quote, characters. */
const LONGEST_QUOTE = 20_000;
const LONGEST_SUBJECT = 250;
/** What programs put before the subject of an answer: English, German, Scandinavian, Ukrainian, Russian. */
const ANSWER_MARKS = /^(?:(?:re|aw|antw|sv|vs|odp|відп|на|отв|ha)(?:\[\d{1,3}\])? ?: ?)+/i;

/** An answer as mail. Throws `PermanentError` where there is nobody to write to. */
export function composeMail(sender: Sender, reply: Reply): OutgoingMail {
  const { ticket, message, proof, answers } = reply;
  const quoted = { number: ticket.number, proof };
  const to = recipientOf(answers, sender);
  const quote = quoteOf(message, answers, ticket.language);
  const inReplyTo = toMessageId(answers?.externalId);
  return {
    messageId: messageIdFor(quoted, reply.id, sender.address),
    from: { name: sender.fromName ?? '', address: sender.address },
    to,
    replyTo: sender.plusAddressing ? replyAddressFor(quoted, sender.address) : undefined,
    subject: subjectOf(reply),
    date: new Date(message.occurredAt),
    ...(inReplyTo !== undefined && { inReplyTo, references: referencesOf(reply, inReplyTo) }),
    ...(message.automatic !== null && { headers: AUTOMATIC }),
    text: quote ? `${message.text}\n\n${quote.text}` : message.text,
    html: (message.html ?? toHtml(message.text)) + (quote?.html ?? ''),
    files: message.attachments.map(({ id, name, mediaType, size }) => ({
      name,
      mediaType,
      size: size ?? 0,
      content: openLater(() => reply.open(id)),
    })),
  };
}

/** RFC 3834, and what others look at: no machine is to answer this one. */
const AUTOMATIC = {
  'Auto-Submitted': 'auto-replied',
  'X-Auto-Response-Suppress': 'All',
  Precedence: 'bulk',
};

function recipientOf(answers: Message | undefined, sender: Sender): string {
  const address = answers?.author.identifiers.find(({ kind }) => kind === 'email')?.value;
  if (address === undefined) {
    throw new PermanentError('nobody wrote by e-mail in this conversation', {
      hint: 'Answer through the channel that the customer wrote through.',
    });
  }
  if (!isMailbox(address)) {
    throw new PermanentError(`the customer's address is none that mail can be sent to: ${headerLine(address)}`, {
      hint: 'Ask the customer for another address.',
    });
  }
  if (isOwnAddress(address, [sender.address, ...sender.aliases])) {
    throw new PermanentError(`${address} is an address of this channel: the answer would come back`);
  }
  return address;
}

function subjectOf({ ticket, message, answers }: Reply): string {
  // Who could be somebody else must not have words of his choice sent to that person.
  if (message.automatic !== null && !answers?.verified) return `Re: #${ticket.number}`;
  const subject = headerLine(answers?.subject ?? ticket.subject).replace(ANSWER_MARKS, '');
  return `Re: ${subject.slice(0, LONGEST_SUBJECT).toWellFormed()}`;
}

/** Message-IDs of the conversation, the one that is answered last (RFC 5322 3.6.4). */
function referencesOf({ references }: Reply, inReplyTo: string): readonly string[] {
  const ids = references.map(toMessageId).filter((id) => id !== undefined && id !== inReplyTo);
  return [...new Set(ids.filter((id) => id !== undefined)), inReplyTo];
}

/** In brackets; undefined where the message came without one and has an id of ours instead. */
function toMessageId(externalId: string | null | undefined): string | undefined {
  const [, id] = /^<?([!-;=?A-~]{1,400}@[!-;=?A-~]{1,400})>?$/.exec((externalId ?? '').slice(0, 900)) ?? [];
  return id === undefined ? undefined : `<${id}>`;
}

/**
 * What the customer wrote, below the answer. Nothing in an automatic one: it may go to somebody in whose name others
 * wrote.
 */
function quoteOf(
  message: Message,
  answers: Message | undefined,
  language: string | null,
): { readonly text: string; readonly html: string } | undefined {
  if (!answers || message.automatic !== null || answers.text.trim() === '') return undefined;
  const whole = answers.text.trim();
  const cut = whole.length > LONGEST_QUOTE ? `${whole.slice(0, LONGEST_QUOTE).toWellFormed()} […]` : whole;
  const head = attribution(answers, language);
  const lines = cut.split('\n').map((line) => (line.startsWith('>') || line === '' ? `>${line}` : `> ${line}`));
  return {
    text: [head, ...lines].join('\n'),
    html: `<br><div>${escapeHtml(head)}</div><blockquote type="cite" style="margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex">${toHtml(cut)}</blockquote>`,
  };
}

/** Who wrote what is quoted, and on which day, in the conversation's language. */
function attribution(answers: Message, language: string | null): string {
  const who = headerLine(answers.author.name ?? answers.author.identifiers[0]?.value ?? '');
  const locale = language === 'uk' || language === 'ru' ? language : 'en';
  const day = new Intl.DateTimeFormat(locale, { dateStyle: 'long' }).format(new Date(answers.occurredAt));
  if (locale === 'uk') return `${day} ${who} пише:`;
  if (locale === 'ru') return `${day} ${who} пишет:`;
  return `On ${day}, ${who} wrote:`;
}

function toHtml(text: string): string {
  return `<div>${escapeHtml(text).replaceAll('\n', '<br>\n')}</div>`;
}
