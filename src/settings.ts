import type { z, ZodType } from 'zod';
import { BadPayloadError, type Problem } from './core/errors.ts';
import { isMask, Secret } from './core/secret.ts';

/** Settings of an endpoint as people may see them: what the schema reads as a secret is masked. */
export function maskSettings(settings: unknown, parsed: unknown): unknown {
  if (parsed instanceof Secret) return parsed.mask();
  if (Array.isArray(settings)) {
    return settings.map((each, index) => maskSettings(each, Array.isArray(parsed) ? parsed[index] : undefined));
  }
  if (!isGroup(settings)) return settings;
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name,
      maskSettings(value, isGroup(parsed) ? parsed[name] : undefined),
    ]),
  );
}

/** New settings over old ones: a masked secret stands for the value that is there already. */
export function unmaskSettings(settings: unknown, old: unknown): unknown {
  if (isMask(settings)) return old;
  if (Array.isArray(settings)) {
    return settings.map((each, index) => unmaskSettings(each, Array.isArray(old) ? old[index] : undefined));
  }
  if (!isGroup(settings)) return settings;
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name,
      unmaskSettings(value, isGroup(old) ? old[name] : undefined),
    ]),
  );
}

/** Reads settings by a type's schema; throws `BadPayloadError` (422) that names every field at fault. */
export function parseSettings(schema: ZodType, settings: unknown): unknown {
  const parsed = schema.safeParse(settings);
  if (parsed.success) return parsed.data;
  throw new BadPayloadError('the settings are not as this type needs them', {
    status: 422,
    problems: parsed.error.issues.flatMap(problemsOf),
  });
}

function problemsOf(issue: z.core.$ZodIssue): Problem[] {
  const pointer = (path: readonly PropertyKey[]) => `/settings${path.map((part) => `/${String(part)}`).join('')}`;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      pointer: pointer([...issue.path, key]),
      message: 'is not a setting of this type',
    }));
  }
  return [{ pointer: pointer(issue.path), message: issue.message }];
}

function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
