import { z } from 'zod';
import type { Context, HttpRequest } from '../../core/connector.ts';
import { RateLimitedError, RetryableError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import { toUploadForm } from '../../core/upload-form.ts';
import type { Config } from './config.ts';

/**
 * HubSpot's CRM and files, as far as they are used.
 * https://developers.hubspot.com/docs/api-reference/overview
 */

const LIST_BYTES = 16 * 1024 * 1024;
const UPLOAD_MS = 60_000;
const SECOND_MS = 1000;
/** How long the windows of the limits are; the day ends at the account's midnight, which isn't told. */
const PAUSES: ReadonlyMap<string, number> = new Map([
  ['SECONDLY', SECOND_MS],
  ['TEN_SECONDLY_ROLLING', 10 * SECOND_MS],
  ['DAILY', 3600 * SECOND_MS],
]);

/** Ids come as text here and as numbers there. */
const Id = z.union([z.string().min(1), z.number()]).transform(String);

const Version = z.object({
  value: z.string(),
  timestamp: z.string(),
  sourceType: z.string().nullish(),
  sourceId: z.string().nullish(),
  updatedByUserId: z.number().nullish(),
});

export const Thing = z.object({
  id: Id,
  properties: z.record(z.string(), z.string().nullish()).default({}),
  propertiesWithHistory: z.record(z.string(), z.array(Version)).nullish(),
});
export type Thing = z.output<typeof Thing>;

const Paging = z.object({ next: z.object({ after: z.string() }).nullish() }).nullish();

const Answers = {
  thing: Thing,
  things: z.object({ results: z.array(Thing), paging: Paging }),
  associated: z.object({ results: z.array(z.object({ toObjectId: Id })), paging: Paging }),
  pairs: z.object({
    results: z.array(z.object({ from: z.object({ id: Id }), to: z.array(z.object({ toObjectId: Id })) })),
  }),
  file: z.object({
    id: Id,
    name: z.string().nullish(),
    extension: z.string().nullish(),
    size: z.number().int().min(0).nullish(),
  }),
  signedUrl: z.object({ url: z.url({ protocol: /^https?$/ }) }),
  property: z.object({ name: z.string(), hasUniqueValue: z.boolean().default(false) }),
  pipeline: z.object({ id: Id, label: z.string(), stages: z.array(z.object({ id: Id })) }),
  owner: z.object({ firstName: z.string().nullish(), lastName: z.string().nullish(), email: z.string().nullish() }),
  app: z.object({ appId: Id, hubId: Id }),
};

export type Kind = 'tickets' | 'contacts' | 'notes';
export interface Filter {
  readonly propertyName: string;
  readonly operator: 'GTE' | 'HAS_PROPERTY';
  readonly value?: string;
}
/** A new thing is made together with what it belongs to, or not at all. */
export interface Made {
  readonly properties: Readonly<Record<string, string>>;
  readonly associations: readonly object[];
}

export type Api = ReturnType<typeof createApi>;

export function createApi(config: Config, { http }: Pick<Context, 'http'>) {
  async function call<T extends z.ZodType>(schema: T, path: string, request: Partial<HttpRequest> = {}) {
    const { method = 'GET' } = request;
    const headers = {
      authorization: `Bearer ${config.accessToken.reveal()}`,
      accept: 'application/json',
      ...request.headers,
    };
    const url = `${config.apiRoot}${path}`;
    const { json } = await http.send({ maxBytes: LIST_BYTES, ...request, method, url, headers }).catch(slower);
    const read = schema.safeParse(json);
    if (read.success) return read.data;
    throw new RetryableError(`HubSpot answered ${method} with something else than it documents`, {
      outcomeUnknown: method !== 'GET',
      hint: 'Compare `apiRoot` with https://api.hubapi.com.',
    });
  }
  const post = <T extends z.ZodType>(schema: T, path: string, body: object, signal?: AbortSignal) =>
    call(schema, path, { method: 'POST', body, ...(signal && { signal }) });

  return {
    create: (kind: Kind, made: Made) => post(Answers.thing, `/crm/v3/objects/${kind}`, made),
    read: (kind: Kind, id: string, properties: readonly string[], by?: string) =>
      call(Answers.thing, `/crm/v3/objects/${kind}/${encodeURIComponent(id)}?${query({ properties, idProperty: by })}`),
    async update(id: string, properties: object): Promise<void> {
      await call(Answers.thing, `/crm/v3/objects/tickets/${encodeURIComponent(id)}`, {
        method: 'PATCH',
        body: { properties },
      });
    },
    /** A page of those that fit, in the order of `sort`, oldest first. */
    async search(kind: Kind, filters: readonly Filter[], sort: string, after: string, signal: AbortSignal) {
      const body = { filterGroups: [{ filters }], sorts: [sort], properties: [sort], limit: 200, after };
      const { results, paging } = await post(Answers.things, `/crm/v3/objects/${kind}/search`, body, signal);
      return { results, after: paging?.next?.after };
    },
    /** At most 100 of them, 50 with their history. */
    async readMany(
      kind: Kind,
      ids: readonly string[],
      properties: readonly string[],
      { history = [], signal }: { readonly history?: readonly string[]; readonly signal?: AbortSignal } = {},
    ): Promise<readonly Thing[]> {
      const body = { inputs: ids.map((id) => ({ id })), properties, propertiesWithHistory: history };
      return (await post(Answers.things, `/crm/v3/objects/${kind}/batch/read`, body, signal)).results;
    },
    /** Ids of the notes of a ticket, a page at a time. */
    async notesOf(ticketId: string, after?: string) {
      const path = `/crm/v4/objects/tickets/${encodeURIComponent(ticketId)}/associations/notes`;
      const { results, paging } = await call(Answers.associated, `${path}?${query({ limit: '500', after })}`);
      return { ids: results.map(({ toObjectId }) => toObjectId), after: paging?.next?.after };
    },
    /** Which tickets each of these notes belongs to; at most 1,000 notes. */
    async ticketsOf(notes: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, readonly string[]>> {
      const inputs = notes.map((id) => ({ id }));
      const { results } = await post(
        Answers.pairs,
        '/crm/v4/associations/notes/tickets/batch/read',
        { inputs },
        signal,
      );
      return new Map(results.map(({ from, to }) => [from.id, to.map(({ toObjectId }) => toObjectId)]));
    },
    async upload(name: string, mediaType: string, bytes: Buffer): Promise<string> {
      const fields = { folderPath: '/tributary', options: JSON.stringify({ access: 'PRIVATE' }), fileName: name };
      const { body, type } = toUploadForm(fields, { field: 'file', name, mediaType, bytes });
      const headers = { 'content-type': type };
      return (await call(Answers.file, '/files/v3/files', { method: 'POST', headers, body, timeoutMs: UPLOAD_MS })).id;
    },
    file: (id: string, signal: AbortSignal) =>
      call(Answers.file, `/files/v3/files/${encodeURIComponent(id)}`, { signal }),
    /** The bytes of a file, from an address that needs no credentials and gets none. */
    async download(id: string, maxBytes: number) {
      const { url } = await call(Answers.signedUrl, `/files/v3/files/${encodeURIComponent(id)}/signed-url`);
      return (await http.stream({ url, maxBytes, mayFollow: ({ protocol }) => protocol === 'https:' })).body;
    },
    property: (kind: Kind, name: string) => call(Answers.property, `/crm/v3/properties/${kind}/${name}`),
    pipeline: (id: string) => call(Answers.pipeline, `/crm/v3/pipelines/tickets/${encodeURIComponent(id)}`),
    /** https://developers.hubspot.com/docs/api-reference/crm-crm-owners-v3/guide */
    user: (id: string, signal: AbortSignal) =>
      call(Answers.owner, `/crm/v3/owners/${encodeURIComponent(id)}?idProperty=userId`, { signal }),
    /** Whom the token belongs to. */
    app: () =>
      post(Answers.app, '/oauth/v2/private-apps/get/access-token-info', { tokenKey: config.accessToken.reveal() }),
  };
}

/** What has no value is left out, a list repeats its name. */
function query(given: Readonly<Record<string, string | readonly string[] | undefined>>): string {
  const pairs = Object.entries(given).flatMap(([name, value = []]) => [value].flat().map((one) => [name, one]));
  return new URLSearchParams(pairs as [string, string][]).toString();
}

const Limit = z.object({ policyName: z.string() });

/** It says which of its limits was reached, not how long to wait. */
function slower(error: unknown): never {
  if (!(error instanceof RateLimitedError) || error.retryAfterMs !== undefined) throw error;
  const said = Limit.safeParse(jsonOf(Buffer.from(error.response?.text ?? '')));
  const pause = said.success ? PAUSES.get(said.data.policyName) : undefined;
  if (pause === undefined) throw error;
  throw new RateLimitedError(error.message, pause, {
    cause: error,
    ...(error.response && { response: error.response }),
  });
}
