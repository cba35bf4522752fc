import { z } from 'zod';
import { Trust } from '../../core/envelope.ts';
import { secret } from '../../core/secret.ts';
import { Auth, isAddressPart, strong } from './auth.ts';
import { Mapping } from './mapping.ts';
import type { Preset } from './preset.ts';
import { presetNames, presets } from './presets/index.ts';
import { ReplyTarget } from './reply.ts';

/** With a preset only the secret is left to say. */
const PresetAuth = z.strictObject({
  type: z.literal('preset').optional(),
  secret: strong('The secret: what the vendor signs with, or the last part of the address that he calls'),
  previousSecret: strong('The secret before the last rotation, still accepted').optional(),
});

const host = z
  .string()
  .max(253)
  .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/, { error: 'is not the name of a host in small letters' });

export const Config = z
  .strictObject({
    preset: z
      .enum(presetNames)
      .optional()
      .meta({
        description: `Form builder that it comes from: ${presetNames.map((name) => presets[name].title).join(', ')}`,
      }),
    auth: z.discriminatedUnion('type', [...Auth.options, PresetAuth]),
    body: z
      .enum(['json', 'form'])
      .optional()
      .meta({ description: 'How it is written: JSON (default), or as browsers write forms' }),
    mapping: Mapping.optional(),
    identity: z
      .strictObject({
        email: Trust.optional().meta({
          description: 'observed by default, claimed in forms; verified: the sender has checked it',
        }),
        phone: Trust.optional().meta({
          description: 'observed by default, claimed in forms; verified: the sender has checked it',
        }),
        kind: z
          .string()
          .regex(/^[a-z][a-z0-9_]{0,40}$/)
          .refine((kind) => kind !== 'email' && kind !== 'phone', { error: 'is taken' })
          .optional()
          .meta({ description: 'What from.id is unique in; channels with the same kind know each other’s customers' }),
      })
      .prefault({}),
    files: z
      .strictObject({
        hosts: z.array(host).max(50).optional().meta({ description: 'Who keeps the files that forms link to' }),
        token: secret('Bearer token that those hosts want, and nobody else gets').optional(),
      })
      .prefault({}),
    reply: ReplyTarget.optional(),
    maxBytes: z
      .number()
      .int()
      .min(1024)
      .max(50 * 1024 * 1024)
      .default(5 * 1024 * 1024)
      .meta({ description: 'Largest body, bytes' }),
  })
  .superRefine(({ preset: name, auth, mapping }, context) => {
    const preset = presetOf(name);
    const issue = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    if (isOfPreset(auth)) {
      if (!preset) issue(['auth', 'type'], 'is missing: only a preset knows how its vendor signs');
      else if (preset.auth.type === 'token' && !isAddressPart(auth.secret)) {
        issue(['auth', 'secret'], 'is none of 22 to 200 letters, digits, _ and -: `openssl rand -hex 24` makes one');
      }
    }
    if (!preset && mapping && !mapping.from && !mapping.answers) {
      issue(['mapping', 'from'], 'is missing: who wrote it?');
    }
  });
type Config = z.output<typeof Config>;

/** The settings with everything that the preset says and the operator didn't. */
export interface Settings {
  readonly auth: Auth;
  readonly body: 'json' | 'form';
  readonly mapping: Mapping | undefined;
  readonly identity: { readonly email: Trust; readonly phone: Trust; readonly kind?: string | undefined };
  readonly fileHosts: readonly string[];
  readonly files: Config['files'];
}

export function completed(config: Config): Settings {
  const preset = presetOf(config.preset);
  const { auth, body, mapping, identity, files } = config;
  // Answers of a form were typed.
  const trust = preset || mapping?.answers ? 'claimed' : 'observed';
  return {
    auth: authOf(auth, preset),
    body: body ?? preset?.body ?? 'json',
    mapping: preset ? { ...Mapping.parse(preset.mapping), ...mapping } : mapping,
    identity: { email: trust, phone: trust, ...identity },
    fileHosts: files.hosts ?? preset?.fileHosts ?? [],
    files,
  };
}

function authOf(auth: Config['auth'], preset: Preset | undefined): Auth {
  if (!isOfPreset(auth)) return auth;
  const how = preset?.auth ?? { type: 'token' };
  const { secret: value, previousSecret } = auth;
  return how.type === 'token' ? { type: 'token', token: value } : { ...how, secret: value, previousSecret };
}

function isOfPreset(auth: Config['auth']): auth is z.output<typeof PresetAuth> {
  return auth.type === undefined || auth.type === 'preset';
}

function presetOf(name: Config['preset']): Preset | undefined {
  return name === undefined ? undefined : presets[name];
}
