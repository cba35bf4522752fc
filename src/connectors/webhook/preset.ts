import type { z } from 'zod';
import type { Mapping } from './mapping.ts';

/** A form builder, in data: whatever it says can be said in the settings of a channel as well, and is then overridden. */
export interface Preset {
  readonly title: string;
  /** The vendor's own page about it. */
  readonly docs: string;
  /** How the vendor proves himself; `token`: not at all, so the address is secret. */
  readonly auth: { readonly type: 'token' } | HmacAuth;
  readonly body?: 'json' | 'form';
  readonly mapping: z.input<typeof Mapping>;
  /** Who keeps the files that are uploaded into its forms. */
  readonly fileHosts?: readonly string[];
}

interface HmacAuth {
  readonly type: 'hmac';
  readonly header: string;
  readonly algorithm: 'sha1' | 'sha256' | 'sha512';
  readonly encoding: 'hex' | 'base64';
  readonly prefix: string;
  readonly template: string;
  readonly timestampHeader?: string;
}
