import { join } from 'node:path';
import type { Channel, Connector, Context, Log, Webhook } from './core/connector.ts';
import type { Clock } from './core/clock.ts';
import type { Destination, DestinationType } from './core/destination.ts';
import { BadPayloadError, ConflictError, NotFoundError, PermanentError, textOf } from './core/errors.ts';
import type { Endpoint, EndpointInput, Endpoints } from './core/gateway.ts';
import type { EndpointRow } from './core/rows.ts';
import type { Store } from './core/store.ts';
import { endpointKey, type Vault } from './core/vault.ts';
import type { EndpointDefinition } from './config.ts';
import type { Egress } from './http/http.ts';
import { createSmtp } from './http/smtp.ts';
import { maskSettings, parseSettings, unmaskSettings } from './settings.ts';
import { createTurns } from './turns.ts';

export interface EndpointsDeps {
  readonly connectors: readonly Connector[];
  readonly destinationTypes: readonly DestinationType[];
  readonly publicUrl: string;
  /** The data folder, in full. */
  readonly dataDir: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly vault: Vault;
  readonly egress: Egress;
  readonly store: Store;
  /** Work in another process, in the lane of an endpoint. */
  readonly offload: <T>(work: Parameters<Context['offload']>[0], lane: string) => Promise<T>;
}

/** An endpoint with what only this file needs to know of it. */
interface Opened extends Endpoint {
  /** As written, with secrets in clear: for masks that keep the old value. */
  readonly raw: Readonly<Record<string, unknown>>;
  /** As it is stored; each time that it is stored this is something else. Undefined for one that isn't stored. */
  readonly sealed?: Buffer;
}

/** As the composition root needs it. */
export interface OpenEndpoints extends Endpoints {
  /** Calls `listener` with each one that was made, changed or removed, before the old one is closed. */
  onChange(listener: (id: string) => Promise<void>): void;
  /** Follows what other processes have made, changed and removed. */
  look(): Promise<void>;
  close(): Promise<void>;
}

type Role = 'channel' | 'destination';

/** Where an endpoint's vendor can be asked for what was missed. */
const MOST_THREADS = 500;

/**
 * Channels and destinations, from the YAML and from the store, opened. One that can't be opened says why
 * and leaves the others alone. Made, changed and removed while everything runs.
 */
export async function createEndpoints(
  deps: EndpointsDeps,
  defined: { readonly channels: readonly EndpointDefinition[]; readonly destinations: readonly EndpointDefinition[] },
): Promise<OpenEndpoints> {
  const { store, vault, log } = deps;
  const opened = new Map<string, Opened>();
  let changed: (id: string) => Promise<void> = () => Promise.resolve();

  const typeOf = (role: Role, type: string): Connector | DestinationType | undefined =>
    role === 'channel'
      ? deps.connectors.find((each) => each.type === type)
      : deps.destinationTypes.find((each) => each.type === type);

  function contextOf(id: string, hosts: readonly string[]): Context {
    const http = deps.egress.for({ hosts });
    return {
      id,
      webhookUrl: `${deps.publicUrl}/webhooks/${id}`,
      publicUrl: deps.publicUrl,
      folder: join(deps.dataDir, 'endpoints', id),
      clock: deps.clock,
      log: {
        debug: (fields, text) => {
          log.debug({ endpoint: id, ...fields }, text);
        },
        info: (fields, text) => {
          log.info({ endpoint: id, ...fields }, text);
        },
        warn: (fields, text) => {
          log.warn({ endpoint: id, ...fields }, text);
        },
        error: (fields, text) => {
          log.error({ endpoint: id, ...fields }, text);
        },
      },
      http,
      smtp: createSmtp({ clock: deps.clock, resolve: (host, port) => http.resolve(host, port) }),
      key: (purpose) => endpointKey(vault, id, purpose),
      secrets: {
        async load(name) {
          const sealed = await store.read.secret(id, name);
          return sealed && vault.open(sealed, secretPlaceOf(id, name));
        },
        save: (name, value) =>
          store.write([`endpoint ${id}`], (tx) => tx.saveSecret(id, name, vault.seal(value, secretPlaceOf(id, name)))),
      },
      threads: () => store.read.threads(id, MOST_THREADS),
      offload: (work) => deps.offload(work, id),
    };
  }

  async function open(
    role: Role,
    definition: Omit<EndpointDefinition, 'config'> & { config: unknown },
  ): Promise<Opened> {
    const { id, type, name, enabled, autoReply, source, config } = definition;
    const base = { id, role, type, name, enabled, autoReply, source, raw: definition.settings };
    const kind = typeOf(role, type);
    // Without the type's schema nobody knows which of the settings are secrets.
    if (!kind) return { ...base, settings: {}, problem: `this version knows no ${role} type ${type}` };
    const settings = maskSettings(definition.settings, config) as Record<string, unknown>;
    if (!enabled) return { ...base, settings, problem: 'switched off' };
    try {
      const instance = await kind.open(config, contextOf(id, definition.trustedHosts));
      if (autoReply !== undefined && !('reply' in instance && instance.reply)) {
        await instance.close?.();
        throw new PermanentError('autoReply needs a way to answer, and this channel has none set up');
      }
      const webhook: Webhook | undefined = instance.webhook;
      const part = role === 'channel' ? { channel: instance as Channel } : { destination: instance as Destination };
      return { ...base, settings, problem: null, webhook, ...part };
    } catch (error) {
      log.error({ endpoint: id, error: textOf(error) }, `the ${role} ${id} can't be opened`);
      return { ...base, settings, problem: textOf(error) };
    }
  }

  async function openStored(row: EndpointRow): Promise<Opened> {
    const { id, role, type, name, enabled, autoReply, sealed } = row;
    const base = { id, role, type, name, enabled, autoReply, source: null };
    try {
      const settings = JSON.parse(vault.open(sealed, placeOf(id))) as Record<string, unknown>;
      const kind = typeOf(role, type);
      const config = kind ? parseSettings(kind.config, settings) : settings;
      // Whoever has an API key is not the operator: private hosts only through `egress.allow`.
      return { ...(await open(role, { ...base, settings, config, trustedHosts: [] })), sealed };
    } catch (error) {
      return { ...base, settings: {}, raw: {}, problem: textOf(error), sealed };
    }
  }

  async function close(endpoint: Opened): Promise<void> {
    try {
      await (endpoint.channel ?? endpoint.destination)?.close?.();
    } catch (error) {
      log.warn({ endpoint: endpoint.id, error: textOf(error) }, 'an endpoint did not close cleanly');
    }
  }

  async function save(endpoint: Opened): Promise<Opened> {
    const { id, role, type, name, enabled, autoReply, raw } = endpoint;
    const sealed = vault.seal(JSON.stringify(raw), placeOf(id));
    await store.write([`endpoint ${id}`], (tx) =>
      tx.saveEndpoint({ id, role, type, name, enabled, autoReply, sealed, at: deps.clock.now() }),
    );
    return { ...endpoint, sealed };
  }

  /** Opens first, so that what can't be opened is neither stored nor in anybody's way. */
  async function replace(role: Role, input: EndpointInput): Promise<Opened> {
    const kind = typeOf(role, input.type);
    if (!kind) throw unknownType(input.type, role === 'channel' ? deps.connectors : deps.destinationTypes);
    const config = parseSettings(kind.config, input.settings);
    const { id, type, name = id, enabled = true, settings } = input;
    const autoReply = input.autoReply ?? undefined;
    const definition = { id, type, name, enabled, autoReply, settings, config, source: null, trustedHosts: [] };
    const endpoint = await open(role, definition);
    if (enabled && endpoint.problem !== null) {
      throw new BadPayloadError(endpoint.problem, {
        status: 422,
        problems: [{ pointer: '/settings', message: endpoint.problem }],
      });
    }
    const saved = await save(endpoint).catch(async (error: unknown) => {
      await close(endpoint);
      throw error;
    });
    await put(saved);
    return saved;
  }

  async function put(endpoint: Opened): Promise<void> {
    const old = opened.get(endpoint.id);
    opened.set(endpoint.id, endpoint);
    await changed(endpoint.id);
    if (old) await close(old);
  }

  /** Nothing fetches any more when it is closed. */
  async function take(endpoint: Opened): Promise<void> {
    opened.delete(endpoint.id);
    await changed(endpoint.id);
    await close(endpoint);
  }

  async function look(): Promise<void> {
    const rows = await store.read.endpoints();
    for (const row of rows) {
      const known = opened.get(row.id);
      if (known && (known.sealed?.equals(row.sealed) ?? true)) continue;
      await put(await openStored(row));
    }
    const stored = new Set(rows.map(({ id }) => id));
    for (const known of [...opened.values()]) {
      if (known.sealed !== undefined && !stored.has(known.id)) await take(known);
    }
  }

  function changeable(id: string): Opened {
    const endpoint = opened.get(id);
    if (!endpoint) throw new NotFoundError(`there is no endpoint ${id}`);
    if (endpoint.source !== null) {
      throw new ConflictError(`${id} is defined in ${endpoint.source}`, { hint: 'Change it there and restart.' });
    }
    return endpoint;
  }

  const inTurn = createTurns();

  for (const definition of defined.channels) opened.set(definition.id, await open('channel', definition));
  for (const definition of defined.destinations) opened.set(definition.id, await open('destination', definition));
  for (const row of await store.read.endpoints()) {
    if (opened.has(row.id))
      log.warn({ endpoint: row.id }, 'the file defines an endpoint of the same id: the file wins');
    else opened.set(row.id, await openStored(row));
  }

  return {
    connectors: deps.connectors,
    destinationTypes: deps.destinationTypes,
    all: (role) => [...opened.values()].filter((each) => role === undefined || each.role === role),
    get: (id) => opened.get(id),
    create: (role, input) =>
      inTurn(async () => {
        await look();
        if (opened.has(input.id)) throw new ConflictError(`there is an endpoint ${input.id} already`);
        // There is no old value that a mask could stand for: the field counts as left out.
        const settings = unmaskSettings(input.settings, {}) as Record<string, unknown>;
        return replace(role, { ...input, settings });
      }),
    update: (id, patch) =>
      inTurn(async () => {
        await look();
        const old = changeable(id);
        const settings = patch.settings
          ? (unmaskSettings(patch.settings, old.raw) as Record<string, unknown>)
          : old.raw;
        const { type, name, enabled, autoReply } = old;
        return replace(old.role, { id, type, name, enabled, autoReply, ...patch, settings });
      }),
    remove: (id) =>
      inTurn(async () => {
        await look();
        const old = changeable(id);
        // Nothing fetches any more when what is known of it goes.
        opened.delete(id);
        await changed(id);
        try {
          await store.write([`endpoint ${id}`], (tx) => tx.deleteEndpoint(id));
        } catch (error) {
          opened.set(id, old);
          await changed(id);
          throw error;
        }
        await close(old);
      }),
    onChange(listener) {
      changed = listener;
    },
    look: () => inTurn(look),
    async close() {
      await Promise.all([...opened.values()].map(close));
    },
  };
}

function placeOf(id: string): string {
  return `endpoints|${id}|sealed`;
}

function secretPlaceOf(id: string, name: string): string {
  return `endpoint_secrets|${id}|${name}`;
}

function unknownType(type: string, known: readonly { readonly type: string }[]): BadPayloadError {
  const message = `there is no type ${type}; known are ${known.map((each) => each.type).join(', ')}`;
  return new BadPayloadError(message, { status: 422, problems: [{ pointer: '/type', message }] });
}
