import { z } from 'zod';
import { FieldMapping } from '../../core/field-mapping.ts';
import { isOwnAddress, localPartOf, LONGEST_FOR_ANSWERS } from '../../core/mail-address.ts';
import { mailbox, SmtpServer } from '../../core/mail-server.ts';

const MB = 1024 * 1024;
/** Headers that nobody lives by: RFC 822 left those with X- to whoever agrees on them. */
const HEADER = /^(?:X-[A-Za-z0-9-]{1,70}|Keywords)$/;
const isFree = (name: string) => HEADER.test(name) && name.toLowerCase() !== 'x-auto-response-suppress';

export const Config = z
  .strictObject({
    to: mailbox('The mailbox of a team, or of a help desk that takes mail'),
    from: mailbox('From of these mails: an address that the mail server lets you send from'),
    answersTo: mailbox(
      'The mailbox that an e-mail channel of yours reads: colleagues answer to <it>+a1001.<proof>@…; `from` when left out',
    ).optional(),
    smtp: SmtpServer.meta({ description: 'The server that sends them' }),
    maxBytes: z
      .int()
      .min(0)
      .max(100 * MB)
      .default(15 * MB)
      .meta({ description: 'Most bytes of files in one mail; on its way it is a third larger' }),
    fields: FieldMapping.refine((fields) => Object.keys(fields).every(isFree), {
      error: 'name headers: X- with letters and digits behind it, or Keywords',
    }),
  })
  .refine(({ to, from, answersTo = from }) => !isOwnAddress(to, [from, answersTo]), {
    path: ['to'],
    error: 'is the address that the mails come from, or that answers go to: they would come back',
  })
  .refine(({ from, answersTo = from }) => localPartOf(answersTo).length <= LONGEST_FOR_ANSWERS, {
    path: ['answersTo'],
    error: `has more than ${LONGEST_FOR_ANSWERS} characters before the @: with the ticket behind them mail servers would cut it`,
  });
export type Config = z.output<typeof Config>;
