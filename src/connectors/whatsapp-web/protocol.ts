import { createHash } from 'node:crypto';
import { z } from 'zod';

/** What the gateway and the browser's process say to each other: everything, and nothing else. */

/** The first thing that the process hears. */
export interface Start {
  readonly kind: 'start';
  /** The channel's folder: the browser's profile, files on their way. */
  readonly folder: string;
  /** Chromium. */
  readonly program: string;
  /** Whether it may keep pages in its sandbox; false only where the machine can't. */
  readonly sandbox: boolean;
}

export interface Asked {
  readonly kind: 'ask';
  readonly id: number;
  readonly ask: Ask;
}

/** `chat`, `message`: as the library writes their ids. Times in milliseconds since the epoch. */
export type Ask =
  | { readonly what: 'state' }
  /** Chats in which something happened since. */
  | { readonly what: 'chats'; readonly since: number }
  /** What was said in one since, the oldest first, each as it is told. */
  | { readonly what: 'messages'; readonly chat: string; readonly since: number }
  /** The file of a message; its name in `FILES`. */
  | { readonly what: 'media'; readonly message: string }
  | { readonly what: 'send'; readonly chat: string; readonly part: Part; readonly quoted: string | undefined }
  /** Ids of what we have said there since that holds the same. */
  | { readonly what: 'find'; readonly chat: string; readonly part: Part; readonly since: number };

/** A text, or a file that waits in `FILES`. */
export type Part =
  | { readonly text: string }
  | { readonly file: string; readonly name: string; readonly mediaType: string; readonly size: number };

/** Where in the channel's folder files lie that come in or go out. */
export const FILES = 'files';

/** The name below which the file of a message lies there. */
export function fileNameOf(message: string): string {
  return createHash('sha256').update(message).digest('hex');
}

/** `code_expired`: nobody has scanned it; `missing`: the library isn't installed. */
export const reasons = ['logged_out', 'code_expired', 'missing', 'failed'] as const;

export const Report = z.discriminatedUnion('kind', [
  /** Chromium's process, to be ended with ours. */
  z.object({ kind: z.literal('browser'), pid: z.number().int().min(2) }),
  /** To be scanned with the phone. */
  z.object({ kind: z.literal('qr'), code: z.string().min(1).max(1000) }),
  /** Something moves: it is not stuck. */
  z.object({ kind: z.literal('loading') }),
  /** From now on it can be asked. */
  z.object({ kind: z.literal('ready') }),
  z.object({ kind: z.literal('told'), told: z.looseObject({ event: z.string() }) }),
  z.object({ kind: z.literal('answer'), id: z.number(), result: z.unknown() }),
  /** `again`: nothing was done, and it may work later; `never`: nor will it; `unknown`: it may have been done. */
  z.object({
    kind: z.literal('refused'),
    id: z.number(),
    text: z.string(),
    how: z.enum(['again', 'never', 'unknown']),
  }),
  /** It ends. */
  z.object({ kind: z.literal('over'), reason: z.enum(reasons), text: z.string() }),
]);
export type Report = z.output<typeof Report>;

/** What came of sending: the message's id, as WhatsApp's own. */
export const Sent = z.object({ id: z.string().min(1).max(200) });
export const Found = z.array(z.string().min(1).max(200));
export const Media = z.object({ file: z.string().regex(/^[0-9a-f]{64}$/) }).nullable();
