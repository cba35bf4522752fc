import { z } from 'zod';
import { languages } from '../../core/wished-language.ts';

/** Where a person would never look and a bot fills in everything. Also reserved, so that no form asks for it. */
export const HONEYPOT = 'website_url';
/** Most characters of any one value: what an envelope's field can hold. */
export const LONGEST_VALUE = 10_000;
const LONGEST_LINE = 1000;

const RESERVED: ReadonlySet<string> = new Set([
  ...['attachments', 'id', 'ip', 'page', 'referrer', 'userAgent', HONEYPOT],
  ...['constructor', 'prototype', 'toString', 'valueOf'],
]);

/** One question of the form. */
export const Field = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, 'letters, digits, - and _, a letter first, at most 64')
      .refine((name) => !RESERVED.has(name) && !name.startsWith('utm_'), 'this name is used by the form itself')
      .meta({ description: 'Name of the value in the ticket' }),
    label: z.string().min(1).max(200).optional().meta({ description: 'What the visitor reads; known names have one' }),
    type: z.enum(['text', 'textarea', 'email', 'phone', 'select', 'checkbox', 'file']).default('text'),
    required: z
      .union([z.boolean(), z.literal('either')])
      .default(false)
      .meta({ description: '`either`: of all fields marked so, one must be filled in' }),
    options: z.array(z.string().min(1).max(200)).min(1).max(200).optional().meta({ description: 'For `select`' }),
    maxLength: z.number().int().min(1).max(LONGEST_VALUE).optional().meta({ description: 'Characters' }),
  })
  .refine((field) => (field.type === 'select') === (field.options !== undefined), {
    message: 'a select needs options, and only a select has them',
    path: ['options'],
  })
  .refine((field) => field.type === 'textarea' || (field.maxLength ?? 1) <= LONGEST_LINE, {
    message: `only a textarea may be longer than ${LONGEST_LINE} characters`,
    path: ['maxLength'],
  });
export type Field = z.output<typeof Field>;

const contactFields: readonly z.input<typeof Field>[] = [
  { name: 'name', type: 'text' },
  // Somebody who leaves neither can't be answered.
  { name: 'email', type: 'email', required: 'either' },
  { name: 'phone', type: 'phone', required: 'either' },
  { name: 'message', type: 'textarea', required: true },
  { name: 'files', type: 'file' },
];

const Origin = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text, {
    message: 'an origin such as https://shop.example.com: scheme and host, no path and no slash at the end',
  });

/** What the operator may write besides `id` and `type`; all of it can be left out. */
export const FormConfig = z.strictObject({
  title: z.string().min(1).max(200).optional().meta({ description: 'Heading of the page' }),
  intro: z.string().max(2000).optional().meta({ description: 'Text below the heading' }),
  button: z.string().min(1).max(60).optional().meta({ description: 'Text of the button' }),
  thanks: z.string().min(1).max(2000).optional().meta({ description: 'Text shown once it is sent' }),
  language: z.enum(languages).optional().meta({ description: "Language of the page; the visitor's when left out" }),
  fields: z
    .array(Field)
    .min(1)
    .max(50)
    .refine((list) => new Set(list.map((field) => field.name)).size === list.length, 'a name is used twice')
    .prefault([...contactFields]),
  allowedOrigins: z
    .array(Origin)
    .max(100)
    .default([])
    .meta({ description: 'Sites that may show the form in a frame or post to it from a script' }),
  maxFiles: z.number().int().min(0).max(20).default(5),
  maxFileBytes: z
    .number()
    .int()
    .min(1024)
    .max(25 * 1024 * 1024)
    .default(5 * 1024 * 1024)
    .meta({ description: 'Largest file, bytes' }),
  redirectTo: z
    .url({ protocol: /^https$/ })
    .optional()
    .meta({ description: 'Page to go to once it is sent, instead of the thank-you page; https only' }),
  spam: z
    .strictObject({
      minSeconds: z.number().min(0).max(60).default(2).meta({ description: 'Faster than this is no person' }),
      maxLinks: z.number().int().min(0).max(1000).default(10),
      blockedWords: z.array(z.string().trim().min(2).max(100)).max(1000).default([]),
      perMinute: z
        .number()
        .int()
        .min(1)
        .max(10_000)
        .default(60)
        .meta({ description: 'Posts per minute from one address; more are answered with 429' }),
    })
    .prefault({}),
});
export type FormConfig = z.output<typeof FormConfig>;

/** How many files the form takes: none unless it asks for some. */
export function filesAllowed(config: FormConfig): number {
  return config.fields.some((field) => field.type === 'file') ? config.maxFiles : 0;
}

/** Most characters that a value of this name may have. */
export function longestOf(config: FormConfig, name: string): number {
  const field = config.fields.find((one) => one.name === name);
  if (!field) return name === 'name' || name === 'subject' ? 200 : LONGEST_VALUE;
  if (field.maxLength !== undefined) return field.maxLength;
  if (field.type === 'email') return 254;
  if (field.type === 'phone') return 50;
  return field.type === 'textarea' ? LONGEST_VALUE : 200;
}
