import type { Party } from '../core/envelope.ts';
import type { NewId } from '../core/id.ts';
import type { CallRow } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import type { AcceptDeps, Source } from './accept.ts';
import type { Announcer } from './announce.ts';
import { knownCustomer, resolveCustomer, type Recognised } from './identity.ts';

/**
 * Who called, or was called. Who withholds his number is a customer of his own, known by this call alone: its later
 * events find him again, and no other call ever does.
 */
export async function callerOf(
  tx: Transaction,
  announcer: Announcer,
  sender: Party,
  call: {
    readonly endpointId: string;
    readonly externalId: string;
    readonly receivedAt: number;
    readonly newId: NewId;
  },
): Promise<Recognised> {
  const { newId, receivedAt: now } = call;
  const identifiers = sender.identifiers.length > 0 ? sender.identifiers : [nameless(call)];
  return resolveCustomer(tx, announcer, { ...sender, identifiers }, { newId, now });
}

const nameless = ({ endpointId, externalId }: { readonly endpointId: string; readonly externalId: string }) =>
  ({ kind: `call:${endpointId}`, value: externalId, trust: 'observed' }) as const;

/** An event says who it is whom the ones before it left out: the customer of that call alone turns out to be him. */
export async function learnCaller(
  tx: Transaction,
  announcer: Announcer,
  known: CallRow,
  before: Party,
  now: Party,
  source: Source,
  { newId }: AcceptDeps,
): Promise<Pick<CallRow, 'customerId' | 'verified'>> {
  const { customerId, verified } = known;
  const same = { customerId, verified };
  if (customerId === null || before.identifiers.length > 0 || now.identifiers.length === 0) return same;
  // An agent has joined him with somebody meanwhile: he knows better.
  if ((await tx.identifiersOf(customerId)).some(({ kind }) => !kind.startsWith('call:'))) return same;
  const him = await knownCustomer(tx, now);
  if (him === undefined) await name(tx, customerId, now, source.receivedAt);
  else if (him !== customerId) {
    const evidence = `call ${known.externalId ?? ''} says who called`;
    await tx.moveCustomer(customerId, him, evidence, newId('mrg'), source.receivedAt);
    const version = (await tx.customer(him))?.version ?? 0;
    const extra = { from: customerId, evidence };
    await announcer.change({ type: 'customer.merged', version, customerId: him, extra });
  }
  return { customerId: him ?? customerId, verified: now.identifiers.some(({ trust }) => trust === 'verified') };
}

/** Writes down for a customer what nobody else is known by. */
async function name(tx: Transaction, customerId: string, sender: Party, at: number): Promise<void> {
  for (const { kind, value, trust } of sender.identifiers) {
    if (trust === 'claimed') await tx.saveClaim(customerId, kind, value, at);
    else await tx.saveIdentifier({ kind, value, trust, customerId }, at);
  }
  if (sender.name ?? sender.locale) await tx.completeCustomer(customerId, sender, at);
}
