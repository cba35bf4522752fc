import { z } from 'zod';
import { isTimeZone, weekdays } from './local-time.ts';

const clock = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, { error: 'write a time of the day, 09:30 for example' })
  .meta({ description: 'HH:MM' });

/** When a change happened, by the clocks of a zone: an IANA name (`Europe/Kyiv`) or a fixed offset (`UTC+3`). */
export const RouteTime = z
  .strictObject({
    zone: z.string().max(100).refine(isTimeZone, { error: 'write a time zone, Europe/Kyiv for example' }),
    days: z.array(z.enum(weekdays)).min(1).max(7).optional(),
    from: clock.optional(),
    to: clock.optional().meta({
      description:
        'Until then, not including it. Before `from`: over midnight, and the day is the one on which that night began',
    }),
  })
  .meta({ description: 'When it happened, by the clocks of `zone`' });
export type RouteTime = z.output<typeof RouteTime>;
