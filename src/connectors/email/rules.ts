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
