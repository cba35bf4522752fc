import { Readable } from 'node:stream';
import { createSender, type SenderDeps } from '../../src/connectors/email/send.ts';
import type { Http, Reply } from '../../src/core/connector.ts';
import type { SmtpServer } from '../../src/core/mail-server.ts';
import type { Message } from '../../src/core/ticket.ts';
import { createSmtp } from '../../src/http/smtp.ts';
import { fakeClock, type FakeClock } from './clock.ts';
import { sealedHttp } from './context.ts';
import { sampleMessage, sampleTicket } from './samples.ts';

export const SENDER = {
  address: 'support@example.test',
  fromName: 'Підтримка',
  aliases: ['help@example.test'],
  plusAddressing: false,
};
export const PROOF = 'abcdefghijklmnopqrstuv0123';

/** What a customer wrote by mail. */
export const question = (given: Partial<Message> = {}): Message =>
  sampleMessage({
    id: 'msg_0',
    direction: 'inbound',
    author: { name: 'Olena', identifiers: [{ kind: 'email', value: 'olena@example.com', trust: 'verified' }] },
    subject: 'Order 4512',
    text: 'Where is it?\n<b>Now</b>',
    externalId: '<q-1@mail.example.com>',
    ...given,
  });

export interface Answer extends Reply {
  /** What was reported as sent. */
  readonly parts: readonly string[];
}

/** An agent's answer to it. */
export function answerOf(given: Partial<Reply> = {}): Answer {
  const parts: string[] = [];
  return {
    id: 'tsk_1',
    ticket: sampleTicket({ language: 'en' }),
    message: sampleMessage({ text: 'It comes tomorrow.' }),
    thread: undefined,
    answers: question(),
    references: ['<q-0@mail.example.com>', '<q-1@mail.example.com>'],
    proof: PROOF,
    sent: [],
    parts,
    partSent: async (id) => void parts.push(id),
    open: async () => Readable.from([]),
    ...given,
  };
}

export function fileOf(id: string, name = 'a', mediaType = 'text/plain'): Message['attachments'][number] {
  return { id, name, mediaType, size: 9, state: 'stored', error: null, inline: false, url: '' };
}

/** A way out where every name is this machine. */
export const loopback = (): Http => Object.assign(sealedHttp(), { resolve: async () => '127.0.0.1' });

/** `context`: the clock and the way out that mail is sent with. */
export type GivenSender = Partial<Pick<SenderDeps, 'sender' | 'tokens'>> & {
  readonly context?: { readonly clock: FakeClock; readonly http: Http };
};

export function senderTo(
  port: number,
  smtp: Partial<SmtpServer> = {},
  { context = { clock: fakeClock(), http: loopback() }, ...given }: GivenSender = {},
) {
  return createSender({
    sender: SENDER,
    server: { host: '127.0.0.1', port, secure: false, ...smtp },
    context: { smtp: createSmtp({ clock: context.clock, resolve: context.http.resolve }) },
    ...given,
  });
}
