import type { Texts } from '../../texts.ts';
import type { ReadItem } from '../../views.ts';
import type { LedgerTexts, Thing } from './texts.ts';

type Envelope = Extract<ReadItem, { readonly sender: unknown; readonly text: string }>;

/** What a person said, where the item says it: a guard shows what it holds back. */
export function envelopeOf(item: ReadItem): Envelope | undefined {
  switch (item.kind) {
    case 'message':
    case 'form':
    case 'review':
    case 'call':
      return item;
    case 'rejected':
      return item.envelope;
    default:
      return undefined;
  }
}

/** What kind of thing it is, and whose. */
export function headOf(item: ReadItem, kinds: Texts['kinds'], things: LedgerTexts['things']): string {
  const envelope = envelopeOf(item);
  const thing = item.kind in things ? things[item.kind as Thing] : undefined;
  if (!envelope) return thing ?? item.kind;
  const { sender, kind } = envelope;
  return [thing, kinds[kind], sender.name ?? sender.identifiers[0]?.value].filter(Boolean).join(' · ');
}

export function textOf(item: ReadItem): string {
  const envelope = envelopeOf(item);
  if (envelope) return envelope.text;
  return 'text' in item ? item.text : '';
}

type Pair = readonly [name: string, value: string];

/** What else it says, in a few lines. */
export function pairsOf(
  item: ReadItem,
  words: Pick<LedgerTexts, 'who' | 'files' | 'subject'>,
  time: (iso: string) => string,
): readonly Pair[] {
  const envelope = envelopeOf(item);
  if (!envelope) return plainPairs(item).filter(([name]) => name !== 'kind' && name !== 'text');
  const { sender, subject, thread, fields, attachments, occurredAt, externalId } = envelope;
  return [
    ...(item.kind === 'rejected' ? [[item.kind, item.reason] as const] : []),
    ...some(words.who, sender.identifiers.map(({ kind, value, trust }) => `${kind} ${value} (${trust})`).join(', ')),
    ...some(words.subject, subject ?? ''),
    ...some(words.files, attachments.map(({ name }) => name).join(', ')),
    ['occurredAt', time(new Date(occurredAt).toISOString())],
    ['externalId', externalId],
    ...some('thread', thread.externalId ?? ''),
    ...some('references', thread.references.join(', ')),
    ...plainPairs('review' in envelope ? envelope.review : {}),
    ...plainPairs('call' in envelope ? envelope.call : {}),
    ...Object.entries(fields),
  ];
}

function some(name: string, value: string): readonly Pair[] {
  return value === '' ? [] : [[name, value]];
}

/** Of what is no list and has no parts. */
function plainPairs(value: object): readonly Pair[] {
  return Object.entries(value).flatMap(([name, one]: [string, unknown]) =>
    typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean'
      ? [[name, String(one)] as const]
      : [],
  );
}
