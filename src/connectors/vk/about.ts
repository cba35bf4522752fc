import type { EnvelopeInput } from '../../core/envelope.ts';
import type { VkFile } from './content.ts';

/** What is known of an event besides its own object. */
export interface About {
  readonly type: string;
  readonly receivedAt: number;
  /** The community that the channel is for, as an author: `-1`. */
  readonly self: string;
  /** What our answers carry along, so that their echo is known. */
  readonly mark: string;
}

/** The platform vouches for its numbers; they are the same in every community. */
export function partyOf(id: string): EnvelopeInput['sender'] {
  return { identifiers: [{ kind: 'vk', value: id, trust: 'verified' }] };
}

/** What VK calls a person or community in its addresses. */
export function nameOfParty(id: string): string {
  return id.startsWith('-') ? `club${id.slice(1)}` : `id${id}`;
}

/** The same picture may be forwarded several times. */
export function toAttachments(files: readonly VkFile[]): EnvelopeInput['attachments'] {
  const byId = new Map(files.map(({ url: _url, ...attachment }) => [attachment.id, attachment]));
  return [...byId.values()].slice(0, 200);
}

/** Values that there are, as long as a field may be. */
export function toFields(all: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) =>
      name && value ? [[name.slice(0, 200), value.slice(0, 10_000)] as const] : [],
    ),
  );
}
