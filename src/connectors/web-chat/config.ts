import { z } from 'zod';
import { secret } from '../../core/secret.ts';

const Origin = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text, {
    message: 'an origin such as https://shop.example.com: scheme and host, no path and no slash at the end',
  });

/** What the operator may write besides `id` and `type`; all of it can be left out. */
export const WebChatConfig = z.strictObject({
  allowedOrigins: z.array(Origin).max(100).default([]).meta({ description: 'Sites that may show the chat' }),
  identitySecret: secret('Signs the tokens by which your own server says who a visitor is (JWT, HS256)').optional(),
  telegramBotToken: secret('Token of the bot whose Mini App or login widget says who a visitor is').optional(),
  title: z.string().min(1).max(100).optional().meta({ description: 'Heading of the chat' }),
  greeting: z.string().min(1).max(1000).optional().meta({ description: 'Text above an empty conversation' }),
  maxFiles: z.number().int().min(0).max(10).default(3).meta({ description: 'Files of one message; 0: none' }),
  maxFileBytes: z
    .number()
    .int()
    .min(1024)
    .max(25 * 1024 * 1024)
    .default(5 * 1024 * 1024)
    .meta({ description: 'Largest file, bytes' }),
  perMinute: z
    .strictObject({
      visitor: z.number().int().min(1).max(10_000).default(30),
      address: z.number().int().min(1).max(100_000).default(300),
    })
    .prefault({})
    .meta({ description: 'Posts per minute of one visitor and from one address; more are answered with 429' }),
});
export type WebChatConfig = z.output<typeof WebChatConfig>;
