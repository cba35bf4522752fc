import { z } from 'zod';
import type { ZodType } from 'zod';
import { RouteTime } from './core/route-time.ts';
import { messageKinds, priorities } from './core/ticket.ts';

const several = <T extends ZodType<string, string>>(one: T, description: string) =>
  z
    .union([one, z.array(one).min(1).max(100)])
    .transform((value): readonly z.output<T>[] => (Array.isArray(value) ? value : [value]))
    .meta({ description });

const word = z.string().min(1).max(200);

/** A route as the YAML file may say it. */
export const RouteInFile = z.strictObject({
  when: z
    .strictObject({
      channel: several(word, 'Ids of channels.').optional(),
      channelType: several(word, 'Types of channels.').optional(),
      kind: several(z.enum(messageKinds), 'Kinds of messages.').optional(),
      language: several(word, 'Languages: uk, ru, en …').optional(),
      priority: several(z.enum(priorities), 'Priorities.').optional(),
      tag: several(word, 'Tags of tickets.').optional(),
      customer: several(word, 'Ids of customers.').optional(),
      field: z
        .record(word, several(z.string().max(1000), 'Values.'))
        .optional()
        .meta({ description: 'Fields of the message, a form’s for example, or of its ticket.' }),
      time: RouteTime.optional(),
    })
    .default({})
    .meta({ description: 'All of these must hold; left out: always.' }),
  to: several(word, 'Ids of destinations. All routes that match count, in their order.'),
  stop: z.boolean().default(false).meta({ description: 'Where this one matches, those below it don’t count.' }),
});
