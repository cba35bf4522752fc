import { UNCLEAR } from '../core/envelope.ts';
import type { Identifier, Party } from '../core/envelope.ts';
import type { NewId } from '../core/id.ts';
import type { IdentifierRow } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import type { Announcer } from './announce.ts';

export interface Recognised {
  readonly customerId: string;
  /** A verified identifier says who it is; otherwise it could be somebody else. */
  readonly verified: boolean;
}

/**
 * Who is this? Verified identifiers decide alone, and join two customers when one message proves both.
 * Without any, an observed value finds the customer that carries it; and a claim finds only customers of
 * whom nothing but claims is known. Whatever doesn't decide is kept as a claim: a suggestion for people.
 */
export async function resolveCustomer(
  tx: Transaction,
  announcer: Announcer,
  sender: Party,
  deps: { readonly newId: NewId; readonly now: number },
): Promise<Recognised> {
  const { verified, observed, claimed } = await lookUp(tx, sender.identifiers);
  const found =
    verified.length > 0
      ? await ownerOfVerified(tx, announcer, verified, deps)
      : await ownerOfSpoofable(tx, observed, claimed);
  const customerId = found ?? (await createCustomer(tx, announcer, sender, deps));
  // What is known stays, since people correct it by hand.
  if (found && (sender.name ?? sender.locale)) await tx.completeCustomer(found, sender, deps.now);

  for (const identifier of verified) await keepVerified(tx, identifier, customerId, deps.now);
  // A spoofable value may name a customer that is new or proven; an existing one found by another
  // spoofable value must not collect the sender's own addresses.
  const keep = verified.length > 0 || !found ? keepObserved : keepClaim;
  for (const identifier of observed) await keep(tx, identifier, customerId, deps.now);
  for (const { kind, value } of claimed) await tx.saveClaim(customerId, kind, value, deps.now);
  return { customerId, verified: verified.length > 0 };
}

/** Whom a sender would be taken for; writes nothing down. */
export async function knownCustomer(tx: Transaction, { identifiers }: Party): Promise<string | undefined> {
  const { verified, observed } = await lookUp(tx, identifiers);
  return [...verified, ...observed].find(({ row }) => row)?.row?.customerId;
}

/** An identifier as it came, and as it is known. */
interface Known {
  readonly identifier: Identifier;
  readonly row: IdentifierRow | undefined;
}

/** The identifiers by trust, with what is known of them. */
async function lookUp(tx: Transaction, identifiers: readonly Identifier[]) {
  const found = { verified: [] as Known[], observed: [] as Known[], claimed: [] as Identifier[] };
  for (const identifier of identifiers) {
    const { kind, value, trust } = identifier;
    if (trust === 'claimed') found.claimed.push(identifier);
    else found[trust].push({ identifier, row: await tx.identifier(kind, value) });
  }
  return found;
}

async function ownerOfVerified(
  tx: Transaction,
  announcer: Announcer,
  verified: readonly Known[],
  deps: { readonly newId: NewId; readonly now: number },
): Promise<string | undefined> {
  const owners = new Set<string>();
  for (const { row } of verified) {
    if (row && (row.trust === 'verified' || !(await isProven(tx, row.customerId)))) owners.add(row.customerId);
  }
  const [winner, ...losers] = [...owners].sort();
  if (winner === undefined) return undefined;
  if (losers.length === 0) return winner;
  const proven = verified.map(({ identifier: { kind, value } }) => `${kind} ${value}`);
  const evidence = `one message proves ${proven.join(' and ')}`;
  for (const loser of losers) {
    await tx.moveCustomer(loser, winner, evidence, deps.newId('mrg'), deps.now);
    const version = (await tx.customer(winner))?.version ?? 0;
    await announcer.change({ type: 'customer.merged', version, customerId: winner, extra: { from: loser, evidence } });
  }
  return winner;
}

/** Whether anything but spoofable values is known of a customer. */
async function isProven(tx: Transaction, customerId: string): Promise<boolean> {
  return (await tx.identifiersOf(customerId)).some((row) => row.trust === 'verified');
}

async function ownerOfSpoofable(
  tx: Transaction,
  observed: readonly Known[],
  claimed: readonly Identifier[],
): Promise<string | undefined> {
  if (observed.length === 0) return claimant(tx, claimed);
  return observed.find((each) => each.row)?.row?.customerId;
}

async function claimant(tx: Transaction, claimed: readonly Identifier[]): Promise<string | undefined> {
  for (const { kind, value } of claimed) {
    // What isn't an address or a phone is no sign of anybody: many write `none` into a form.
    const customerId = kind.endsWith(UNCLEAR) ? undefined : await tx.claimant(kind, value);
    if (customerId) return customerId;
  }
  return undefined;
}

async function createCustomer(
  tx: Transaction,
  announcer: Announcer,
  sender: Party,
  deps: { readonly newId: NewId; readonly now: number },
): Promise<string> {
  const id = deps.newId('cus');
  await tx.insertCustomer({ id, name: sender.name ?? null, locale: sender.locale ?? null, at: deps.now });
  await announcer.change({ type: 'customer.created', version: 1, customerId: id });
  return id;
}

/** Ownership after a join has changed, so what was known before it counts only for the same owner. */
async function keepVerified(
  tx: Transaction,
  { identifier: { kind, value }, row }: Known,
  customerId: string,
  now: number,
): Promise<void> {
  if (row?.customerId === customerId && row.trust === 'verified') return;
  await tx.saveIdentifier({ kind, value, trust: 'verified', customerId }, now);
}

async function keepObserved(tx: Transaction, known: Known, customerId: string, now: number): Promise<void> {
  const { identifier, row } = known;
  const { kind, value } = identifier;
  if (row) await keepClaim(tx, known, customerId, now);
  else await tx.saveIdentifier({ kind, value, trust: 'observed', customerId }, now);
}

async function keepClaim(
  tx: Transaction,
  { identifier: { kind, value }, row }: Known,
  customerId: string,
  now: number,
): Promise<void> {
  if (row?.customerId !== customerId) await tx.saveClaim(customerId, kind, value, now);
}
