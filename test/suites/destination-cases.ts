import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import type { Context } from '../../src/core/connector.ts';
import type { Delivery, Destination, DestinationType, TicketUpdate } from '../../src/core/destination.ts';
import { Secret } from '../../src/core/secret.ts';
import { Change, Customer, Message, Ticket } from '../../src/core/ticket.ts';
import { fakeClock } from '../fakes/clock.ts';
import { fakeContext, type FakeContext } from '../fakes/context.ts';
import type { Receiver } from '../fakes/receiver.ts';

/** What a destination's folder says: its settings as an example, and its fixtures. */

export interface Settings {
  readonly id: string;
  readonly type: string;
  readonly [key: string]: unknown;
}

const Ref = z.strictObject({ externalId: z.string(), url: z.string().optional() });

const at = z.iso.datetime().transform((text) => Date.parse(text));

/** A call of a destination as a fixture writes it. `returns` is what must come back, as JSON. */
const Told = z.strictObject({ now: at, id: z.string(), change: Change });

const Carried = z.discriminatedUnion('call', [
  z.strictObject({
    call: z.enum(['createTicket', 'addMessage']),
    now: at,
    id: z.string(),
    ref: Ref.optional(),
    ticket: Ticket,
    /** One with no identifiers when left out. */
    customer: Customer.optional(),
    message: Message,
    transcript: z.array(Message).default([]),
    /** Attachment id to text. */
    files: z.record(z.string(), z.string()).default({}),
    returns: Ref.optional(),
  }),
  z.strictObject({ call: z.literal('update'), now: at, ref: Ref, update: z.custom<TicketUpdate>() }),
  /** `returns` is null for what isn't there. */
  z.strictObject({ call: z.literal('findTicket'), now: at, ticket: Ticket, returns: Ref.nullable() }),
  z.strictObject({ call: z.literal('hasMessage'), now: at, ref: Ref, message: Message, returns: z.boolean() }),
]);
type Carried = z.output<typeof Carried>;

export const Exchange = z.array(
  z.strictObject({
    /** Of the headers, those that matter. A body that isn't written down isn't compared. */
    request: z.strictObject({
      method: z.string(),
      url: z.string(),
      headers: z.record(z.string(), z.string()).default({}),
      body: z.unknown().optional(),
    }),
    response: z.strictObject({
      status: z.number().int(),
      headers: z.record(z.string(), z.string()).default({}),
      body: z.unknown().optional(),
    }),
  }),
);
export type Exchange = z.output<typeof Exchange>;

/** One fixture: the call to make, and what must come of it. */
export interface Case {
  readonly name: string;
  readonly now: number;
  readonly settings: Settings;
  readonly returns: unknown;
  /** Which method it calls. */
  readonly call: keyof Destination;
  run(destination: Destination): Promise<unknown>;
}

/** The same settings with the receiver as the far side. */
export function settingsAt(kind: DestinationType, settings: Settings, { origin }: Receiver): Settings {
  const { properties = {} } = z.toJSONSchema(kind.config, { io: 'input' });
  return { ...settings, ['apiRoot' in properties ? 'apiRoot' : 'url']: `${origin}/base` };
}

export async function open(
  kind: DestinationType,
  settings: Settings,
  { now, ...lent }: Pick<Context, 'http'> & { readonly now?: number } & Partial<Pick<FakeContext, 'smtp' | 'log'>>,
): Promise<Destination> {
  const context = fakeContext({ id: settings.id, clock: fakeClock(now), ...lent });
  return kind.open(kind.config.parse(settingsOf(settings)), context);
}

export function caseOf(home: string, name: string): Case {
  const folder = join(home, 'fixtures', name);
  const own = join(folder, 'config.yaml');
  const settings = existsSync(own) ? endpointsIn(readFileSync(own, 'utf8'))[0]! : examplesOf(home)[0]!;
  if (existsSync(join(folder, 'event.json'))) {
    const { now, id, change } = Told.parse(JSON.parse(readOf(folder, 'event.json')));
    const run = (destination: Destination) => destination.notify!({ id, change });
    return { name, now, settings, call: 'notify', returns: undefined, run };
  }
  const carried = Carried.parse(JSON.parse(readOf(folder, 'delivery.json')));
  const returns = 'returns' in carried ? carried.returns : undefined;
  const { now, call } = carried;
  return { name, now, settings, call, returns, run: (destination) => carry(destination, carried) };
}

async function carry(destination: Destination, carried: Carried): Promise<unknown> {
  switch (carried.call) {
    case 'createTicket':
      return destination.createTicket!(deliveryOf(carried));
    case 'addMessage':
      return destination.addMessage!(carried.ref!, deliveryOf(carried));
    case 'update':
      return destination.update!(carried.ref, carried.update);
    case 'findTicket':
      return destination.findTicket!(carried.ticket);
    case 'hasMessage':
      return destination.hasMessage!(carried.ref, carried.message);
  }
}

function deliveryOf({
  id,
  ticket,
  customer,
  message,
  transcript,
  files,
}: Carried & { call: 'createTicket' | 'addMessage' }): Delivery {
  const { createdAt, updatedAt } = ticket;
  const unknown = { ...ticket.customer, locale: null, identifiers: [], createdAt, updatedAt, mergedInto: null };
  return {
    id,
    ticket,
    customer: customer ?? unknown,
    message,
    transcript,
    open: async (file) => Readable.from([Buffer.from(files[file] ?? '')]),
  };
}

/** What is tried against failing servers: a ticket that is created and goes on, or else the first event that is told. */
export function faultCasesOf(home: string, { capabilities }: DestinationType): readonly [Case, ...Case[]] {
  const names =
    capabilities.carries === 'tickets'
      ? ['created', 'added']
      : casesOf(home).filter((name) => exchangeOf(home, name).length > 0);
  const [first, second] = names.map((name) => caseOf(home, name));
  assert.ok(first, 'no case tells an event');
  return capabilities.carries === 'tickets' && second ? [first, second] : [first];
}

export function exchangeOf(home: string, name: string): Exchange {
  return Exchange.parse(JSON.parse(readOf(join(home, 'fixtures', name), 'exchange.json')));
}

export function casesOf(home: string): string[] {
  return foldersOf(home).filter((name) => existsSync(join(home, 'fixtures', name, 'exchange.json')));
}

/** Those in which mail goes out instead. */
export function mailCasesOf(home: string): string[] {
  return foldersOf(home).filter((name) => existsSync(join(home, 'fixtures', name, 'mails.json')));
}

function foldersOf(home: string): string[] {
  const folder = join(home, 'fixtures');
  return existsSync(folder) ? readdirSync(folder) : [];
}

export function examplesOf(home: string): Settings[] {
  const examples = endpointsIn(readOf(home, 'example.yaml'));
  assert.ok(examples.length > 0, 'example.yaml lists no destination');
  return examples;
}

function endpointsIn(yaml: string): Settings[] {
  return (parseYaml(yaml) as { destinations?: Settings[] }).destinations ?? [];
}

/** What the type's own schema sees: the host takes these away. */
export function settingsOf({ id: _id, type: _type, name: _name, enabled: _enabled, ...settings }: Settings): object {
  return settings;
}

export type Path = readonly string[];

export function secretsIn(value: unknown, path: Path = []): { readonly path: Path; readonly value: Secret }[] {
  if (value instanceof Secret) return [{ path, value }];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, entry]) => secretsIn(entry, [...path, key]));
}

export function readOf(folder: string, name: string): string {
  assert.ok(existsSync(join(folder, name)), `${name} is missing in ${folder}`);
  return readFileSync(join(folder, name), 'utf8');
}
