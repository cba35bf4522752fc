import { z } from 'zod';
import { account, apiRoot } from '../settings.ts';

const number = z.string().regex(/^\+\d{5,15}$/, 'is not a number such as +14155550123');
const spoken = z.string().trim().min(1).max(3000);

export const Config = z
  .strictObject({
    ...account,
    numbers: z
      .array(number)
      .min(1)
      .max(50)
      .meta({ description: 'Your numbers at Twilio that belong to this channel: +14155550100' }),
    language: z
      .string()
      .regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, 'is not a language such as en-US')
      .default('en-US')
      .meta({ description: 'Language of what is read to callers and agents, such as uk-UA' }),
    voice: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9.-]{0,99}$/)
      .optional()
      .meta({
        description: 'Voice that Twilio reads with, such as Google.uk-UA-Standard-A; its own choice when left out',
      }),
    greeting: spoken.optional().meta({ description: 'What every caller hears first' }),
    forward: z
      .strictObject({
        numbers: z.array(number).min(1).max(10).meta({ description: "Agents' phones: they ring all at once" }),
        ringSec: z.number().int().min(5).max(600).default(25).meta({ description: 'How long they ring, seconds' }),
      })
      .optional()
      .meta({ description: 'Rings at agents; without it, callers go straight to the voicemail' }),
    voicemail: z
      .strictObject({
        text: spoken.meta({ description: 'What is read before the tone' }),
        maxSec: z.number().int().min(5).max(3600).default(120).meta({ description: 'Longest message, seconds' }),
        transcribe: z
          .boolean()
          .default(false)
          .meta({ description: 'Twilio writes it down: English only, at a charge' }),
      })
      .optional()
      .meta({ description: 'Records a message of callers whom nobody answers' }),
    pressKey: spoken
      .default('Press any key to take the call.')
      .meta({ description: 'What agents hear: who presses a key is no answering machine, and is put through' }),
    recordCalls: z
      .boolean()
      .default(false)
      .meta({ description: 'Records what agent and caller say; tell callers so in the greeting' }),
    apiRoot,
  })
  .refine(({ forward, voicemail }) => forward !== undefined || voicemail !== undefined, {
    message: 'neither forwards calls nor takes messages: set forward, voicemail, or both',
    path: ['voicemail'],
  });
export type Settings = z.output<typeof Config>;
