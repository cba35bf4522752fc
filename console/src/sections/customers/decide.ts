import type { Customer, DeliveryView, EndpointView, Message, Page, TaskState, Ticket } from '../../views.ts';
import type { Identity, Ref, Trace, Trust } from './views.ts';

/** Small decisions of this section. */

/** What a customer is called: by what is known of him. */
export function titleOf({ name, identifiers }: Pick<Customer, 'name' | 'identifiers'>, unnamed: string): string {
  return name ?? identifiers[0]?.value ?? unnamed;
}

/** `webhook:intake` is a kind of one channel; `phone_unclear` is what was given for a phone. */
export function partsOf(kind: string): { readonly base: string; readonly channel?: string; readonly clear: boolean } {
  const [name = '', channel] = kind.split(':');
  const clear = !name.endsWith('_unclear');
  const base = clear ? name : name.slice(0, -'_unclear'.length);
  return { base, clear, ...(channel !== undefined && { channel }) };
}

const ranks: Readonly<Record<Trust, number>> = { verified: 0, observed: 1, claimed: 2 };

/** The surest first, then as they came. */
export function inOrder(identities: readonly Identity[]): readonly Identity[] {
  return [...identities].sort(
    (a, b) =>
      ranks[a.trust] - ranks[b.trust] || a.firstSeenAt.localeCompare(b.firstSeenAt) || (a.value < b.value ? -1 : 1),
  );
}

export function traceOf(traces: readonly Trace[], { kind, value }: Ref): Trace | undefined {
  return traces.find((trace) => trace.kind === kind && trace.value === value);
}

/** Which of two stays when they are merged: the one that is looked at, unless only the other one has a name. */
export function keptOf(own: Customer, other: Customer): { readonly keep: Customer; readonly from: Customer } {
  return own.name === null && other.name !== null ? { keep: other, from: own } : { keep: own, from: other };
}

/** Messages of a customer that are shown, the oldest first, and where the earlier ones begin. */
export interface Shown {
  readonly messages: readonly Message[];
  readonly cursor: string | null;
}

/** With the newest page as it is now: behind what was shown before, or alone where there is a gap between them. */
export function renewed(before: Shown | undefined, newest: Page<Message>): Shown {
  const messages = newest.data.toReversed();
  const first = messages[0];
  const alone = { messages, cursor: newest.nextCursor };
  if (!before || !first || newest.nextCursor === null) return alone;
  const known = new Set(before.messages.map(({ id }) => id));
  if (!messages.some(({ id }) => known.has(id))) return alone;
  const earlier = before.messages.filter(({ id }) => id < first.id);
  return earlier.length === 0 ? alone : { messages: [...earlier, ...messages], cursor: before.cursor };
}

/** With a page of earlier ones above. */
export function extended(before: Shown, earlier: Page<Message>): Shown {
  const known = new Set(before.messages.map(({ id }) => id));
  const more = earlier.data.filter(({ id }) => !known.has(id)).toReversed();
  return { messages: [...more, ...before.messages], cursor: earlier.nextCursor };
}

/** Whether a message belongs to another ticket than the one before it. */
export function isOtherTicket(messages: readonly Message[], index: number): boolean {
  return index === 0 || messages[index]?.ticketId !== messages[index - 1]?.ticketId;
}

/** What a ticket became in a destination. */
export interface Became {
  readonly destination: string;
  readonly name: string;
  readonly link?: Ticket['links'][number];
  /** Of what was sent there about this ticket: what somebody has to look at first. */
  readonly delivery?: DeliveryView;
}

const worst: readonly TaskState[] = ['dead', 'needs_check', 'delivering', 'waiting', 'delivered'];

/** One for each destination that has heard of the ticket, or is about to. */
export function becameOf(
  { links }: Pick<Ticket, 'links'>,
  deliveries: readonly DeliveryView[],
  destinations: readonly Pick<EndpointView, 'id' | 'name'>[],
): readonly Became[] {
  const known = new Map(destinations.map(({ id, name }) => [id, name]));
  const ids = [...links.map(({ destination }) => destination), ...deliveries.map(({ destination }) => destination)];
  // What goes out through a channel is an answer: it stands at the message.
  const wanted = [...new Set(ids)].filter((id) => known.has(id) || links.some((link) => link.destination === id));
  return wanted.map((destination) => {
    const link = links.find((each) => each.destination === destination);
    const sent = deliveries.filter((each) => each.destination === destination);
    const delivery = sent.toSorted((a, b) => worst.indexOf(a.state) - worst.indexOf(b.state))[0];
    return {
      destination,
      name: known.get(destination) ?? destination,
      ...(link && { link }),
      ...(delivery && { delivery }),
    };
  });
}
