import type { EndpointView, Role, TypeEntry } from '../../views.ts';
import { enteredOf } from './entered.ts';
import type { EnteredGroup } from './entered.ts';
import { fieldsOf } from './fields.ts';
import type { Field } from './fields.ts';
import type { ConnectTexts } from './texts.ts';

const plain = { isRequired: false, isAdvanced: false, fallback: undefined } as const;
const text = { kind: 'text', lines: 'one' } as const;

/** All that an endpoint is entered with: its settings, and what every one has. `id`: only before it is made. */
export function frameOf(
  entry: TypeEntry,
  words: ConnectTexts['frame'] & { readonly settings: string },
  when: 'new' | 'known',
): readonly Field[] {
  const fields = fieldsOf(entry.config);
  const settingsField: Field = {
    ...{ ...plain, name: 'settings', label: words.settings, hint: '', isRequired: true },
    shape: { kind: 'group', fields, presence: 'always' },
  };
  const id: Field = { ...plain, name: 'id', label: words.id, hint: words.idHint, isRequired: true, shape: text };
  const enabled: Field = {
    ...{ ...plain, name: 'enabled', label: words.enabled, hint: words.enabledHint },
    shape: { kind: 'switch' },
  };
  const autoReply: Field = {
    ...{ ...plain, name: 'autoReply', label: words.autoReply, hint: words.autoReplyHint },
    ...{ isAdvanced: true, shape: { kind: 'json', words: 'taken', isSecret: false } },
  };
  return [
    ...(fields.length > 0 ? [settingsField] : []),
    { ...plain, name: 'name', label: words.name, hint: words.nameHint, shape: text },
    when === 'new' ? id : enabled,
    ...(entry.capabilities['reply'] === true ? [autoReply] : []),
  ];
}

/** What the form holds for one that is there. */
export function enteredFor(fields: readonly Field[], endpoint: EndpointView): EnteredGroup {
  const { id, name, enabled, autoReply, settings } = endpoint;
  return enteredOf(fields, {
    ...{ enabled, settings },
    ...(name !== id && { name }),
    ...(autoReply !== null && { autoReply }),
  });
}

/** What changes it: what was emptied goes back to what holds without it. */
export function patchOf(id: string, body: Readonly<Record<string, unknown>>, role: Role): Record<string, unknown> {
  return {
    ...{ settings: {}, name: id },
    ...body,
    ...(role === 'channel' && { autoReply: body['autoReply'] ?? null }),
  };
}

/** A name of a type that no endpoint has yet. */
export function freeId(type: string, taken: readonly string[]): string {
  const base = type.replaceAll('_', '-').slice(0, 56);
  for (let number = 1; ; number++) {
    const id = number === 1 ? base : `${base}-${number}`;
    if (!taken.includes(id)) return id;
  }
}
