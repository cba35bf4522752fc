import { z } from 'zod';
import { automatics } from '../../core/envelope.ts';

/** What an operator says about who writes, and what belongs together. */

const someone = (description: string) =>
  z
    .string()
    .max(254)
    .regex(/^[^\s@<>(),;:"\\]*@[^\s@<>(),;:"\\]+$/, { error: 'is neither an address nor a @domain' })
    .transform((text) => text.toLowerCase())
    .meta({ description });

const label = (description: string) => z.string().trim().min(1).max(100).optional().meta({ description });

const Form = z.strictObject({
  from: someone('The program that sends it: its address, or its @domain'),
  subject: z.string().min(1).max(200).optional().meta({ description: 'Only mail whose subject contains it' }),
  email: label('What stands before the address of the person; left out: the address is in Reply-To'),
  name: label('What stands before the name'),
  phone: label('What stands before the phone number'),
});
export type Form = z.output<typeof Form>;

const words = z
  .string()
  .max(200)
  .transform((text) => text.normalize('NFC').replace(/\s+/g, ' ').trim())
  .refine((text) => text !== '', { error: 'is empty' });

/**
 * Where something stands in a mail, whose subject counts as its first line: behind words at the beginning of a line, or
 * behind and before words anywhere.
 */
const Place = z.union([
  words.transform((text): { after?: string | undefined; before?: string | undefined } => ({ after: `\n${text}` })),
  z
    .strictObject({ after: words.optional(), before: words.optional() })
    .refine(({ after, before }) => after !== undefined || before !== undefined, {
      error: 'give after, before or both',
    }),
]);
export type Place = z.output<typeof Place>;

const place = (description: string) => Place.optional().meta({ description });

const Portal = z
  .strictObject({
    from: someone('The portal: the address that its notifications come from, or its @domain'),
    subject: z.string().min(1).max(200).optional().meta({ description: 'Only mail whose subject contains it' }),
    rating: place('The rating: a number, or stars. Left out: it is no review, and the author must be found'),
    outOf: z.number().int().min(1).max(100).default(5).meta({ description: 'The best rating' }),
    author: place('The name of who wrote it'),
    text: place('What he wrote, on several lines; nothing else is looked for in it'),
    product: place('What it is about'),
    order: place('The number of the order'),
    id: place('The portal’s number of it: another mail with the same is an edit'),
    link: z
      .url({ protocol: /^https$/ })
      .max(500)
      .optional()
      .meta({ description: 'What the link to the answer’s place begins with: https://maps.example.com/reviews/' }),
  })
  .refine(({ rating, author }) => rating !== undefined || author !== undefined, {
    path: ['rating'],
    error: 'give rating, or author for what is no review',
  })
  .refine(({ id, text }) => id === undefined || text !== undefined, {
    path: ['text'],
    error: 'is needed for id: else what somebody writes could name another review, and change it',
  });
export type Portal = z.output<typeof Portal>;

const SubjectKey = z.strictObject({
  pattern: z
    .string()
    .min(10)
    .max(100)
    .refine((text) => text.split('{number}').length === 2, { error: 'must contain {number} once: INC{number}' })
    .meta({ description: 'A key in subjects, with {number} for its digits' }),
  from: someone('Only from that address or @domain, and then for all who write from there').optional(),
});
export type SubjectKey = z.output<typeof SubjectKey>;

export const rules = {
  agents: z.array(someone('A colleague’s address, or your @domain')).max(500).default([]).meta({
    description: 'Your colleagues: what they write from their own programs is an answer, if authServer proves it',
  }),
  authServer: z.string().min(1).max(253).optional().meta({
    description:
      'The name that your mail server writes first into Authentication-Results (none: it writes no name); its word on DMARC makes senders verified',
  }),
  ticketsFrom: z
    .array(z.enum(automatics))
    .default(['notification'])
    .meta({ description: 'Machines whose mail opens tickets; of all others it only joins those that it belongs to' }),
  forms: z
    .array(Form)
    .max(50)
    .default([])
    .meta({ description: 'Programs that write for people: contact forms, shops' }),
  portals: z
    .array(Portal)
    .max(50)
    .default([])
    .meta({ description: 'Portals that tell of reviews and questions only by mail; needs authServer' }),
  subjectKeys: z
    .array(SubjectKey)
    .max(50)
    .default([])
    .meta({ description: 'Keys of other help desks, order numbers: the same key is the same ticket' }),
  newSubject: z
    .enum(['same_ticket', 'new_ticket'])
    .default('same_ticket')
    .meta({ description: 'What an answer with another subject is' }),
  sameMailAs: z
    .array(z.string().min(1).max(100))
    .max(20)
    .default([])
    .meta({ description: 'Other e-mail channels: a mail to them and to this one is one ticket' }),
};

/** Whether an address is that one, or of that @domain. */
export function isOneOf(address: string, named: readonly string[]): boolean {
  const given = address.toLowerCase();
  return named.some((each) => (each.startsWith('@') ? given.endsWith(each) : given === each));
}
