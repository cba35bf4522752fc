import { z } from 'zod';
import type { Context, HttpRequest } from '../../core/connector.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import { toUploadForm } from '../../core/upload-form.ts';
import { Document } from './adf.ts';
import type { Config } from './config.ts';

/**
 * Jira Cloud and its service desks, as far as they are used.
 * https://developer.atlassian.com/cloud/jira/platform/rest/v3/ and
 * https://developer.atlassian.com/cloud/jira/service-desk/rest/
 */

const LIST_BYTES = 16 * 1024 * 1024;
const UPLOAD_MS = 60_000;
const MOST_PAGES = 50;
const PAGE = 100;

const Person = z
  .object({ accountId: z.string().nullish(), displayName: z.string().nullish(), accountType: z.string().nullish() })
  .nullish();

const File = z.object({
  id: z.string(),
  filename: z.string(),
  mimeType: z.string().nullish(),
  size: z.number().int().min(0).nullish(),
  created: z.string(),
  author: Person,
});
export type File = z.output<typeof File>;

const Issue = z.object({
  id: z.string(),
  key: z.string(),
  fields: z
    .object({
      updated: z.string().nullish(),
      description: Document,
      status: z.object({ name: z.string() }).nullish(),
      priority: z.object({ name: z.string() }).nullish(),
      reporter: Person,
      attachment: z.array(File).nullish(),
    })
    .default({ description: undefined }),
  properties: z.record(z.string(), z.unknown()).nullish(),
});
export type Issue = z.output<typeof Issue>;

const Comment = z.object({
  id: z.string(),
  author: Person,
  body: Document,
  created: z.string(),
  jsdPublic: z.boolean().nullish(),
});
export type Comment = z.output<typeof Comment>;

const Change = z.object({
  id: z.string(),
  author: Person,
  created: z.string(),
  items: z
    .array(z.object({ field: z.string().nullish(), toString: z.string().nullish().catch(undefined) }))
    .default([]),
});
export type Change = z.output<typeof Change>;

const Answers = {
  request: z.object({ issueId: z.string().min(1), issueKey: z.string().min(1) }),
  issue: Issue,
  issues: z.object({ issues: z.array(Issue), nextPageToken: z.string().nullish() }),
  comments: z.object({ comments: z.array(Comment), total: z.number() }),
  changes: z.object({ values: z.array(Change), isLast: z.boolean().nullish() }),
  transitions: z.object({ transitions: z.array(z.object({ id: z.string(), to: z.object({ name: z.string() }) })) }),
  users: z.array(z.object({ accountId: z.string(), emailAddress: z.string().nullish() })),
  account: z.object({ accountId: z.string(), displayName: z.string().nullish() }),
  fields: z.object({
    canRaiseOnBehalfOf: z.boolean().nullish(),
    requestTypeFields: z.array(z.object({ fieldId: z.string(), name: z.string(), required: z.boolean().nullish() })),
  }),
};

export type Api = ReturnType<typeof createApi>;

export function createApi(config: Config, { http }: Pick<Context, 'http'>) {
  const basic = () => Buffer.from(`${config.email}:${config.apiToken.reveal()}`).toString('base64');

  function ask(path: string, request: Partial<HttpRequest>) {
    const headers = { authorization: `Basic ${basic()}`, accept: 'application/json', ...request.headers };
    return http.send({ maxBytes: LIST_BYTES, waitOf, ...request, url: `${config.apiRoot}${path}`, headers });
  }
  const otherwise = (method: string) =>
    new RetryableError(`Jira answered ${method} with something else than it documents`, {
      outcomeUnknown: method !== 'GET',
      hint: 'Compare `apiRoot` with the address of your site.',
    });
  async function call<T extends z.ZodType>(schema: T, path: string, request: Partial<HttpRequest> = {}) {
    const read = schema.safeParse((await ask(path, request)).json);
    if (read.success) return read.data;
    throw otherwise(request.method ?? 'GET');
  }
  /** Where 204 is all that is said to it. */
  async function tell(method: 'POST' | 'PUT', path: string, body: object): Promise<void> {
    if ((await ask(path, { method, body })).status !== 204) throw otherwise(method);
  }
  const issue = (id: string) => `/rest/api/3/issue/${encodeURIComponent(id)}`;
  const desk = `/rest/servicedeskapi/servicedesk/${config.serviceDeskId}`;

  return {
    /** What a query finds, in its order, a page at a time. It may end before the last one: then there is too much. */
    async *search(
      jql: string,
      fields: readonly string[],
      signal?: AbortSignal,
    ): AsyncGenerator<{ readonly issues: readonly Issue[]; readonly isLast: boolean }> {
      let nextPageToken: string | undefined;
      for (let page = 0; page < MOST_PAGES; page++) {
        const body = {
          jql,
          fields,
          properties: ['tributary'],
          maxResults: PAGE,
          ...(nextPageToken && { nextPageToken }),
        };
        const found = await call(Answers.issues, '/rest/api/3/search/jql', {
          method: 'POST',
          body,
          ...(signal && { signal }),
        });
        yield { issues: found.issues, isLast: found.nextPageToken == null };
        if (found.nextPageToken == null) return;
        nextPageToken = found.nextPageToken;
      }
    },
    raise: (body: object) => call(Answers.request, '/rest/servicedeskapi/request', { method: 'POST', body }),
    issue: (id: string, fields: string) => call(Answers.issue, `${issue(id)}?fields=${fields}`),
    edit: (id: string, body: object) => tell('PUT', `${issue(id)}?notifyUsers=false`, body),
    transitions: async (id: string) => (await call(Answers.transitions, `${issue(id)}/transitions`)).transitions,
    async move(id: string, transitionId: string): Promise<void> {
      const body = { transition: { id: transitionId } };
      await tell('POST', `${issue(id)}/transitions`, body);
    },
    async comment(id: string, body: object): Promise<void> {
      await call(Comment, `${issue(id)}/comment`, { method: 'POST', body });
    },
    /** Newest first, a page at a time. */
    async *comments(id: string, signal?: AbortSignal): AsyncGenerator<readonly Comment[]> {
      for (let startAt = 0; startAt < MOST_PAGES * PAGE; startAt += PAGE) {
        const path = `${issue(id)}/comment?orderBy=-created&maxResults=${PAGE}&startAt=${startAt}`;
        const { comments, total } = await call(Answers.comments, path, { ...(signal && { signal }) });
        yield comments;
        if (startAt + PAGE >= total) return;
      }
    },
    async changes(id: string, signal: AbortSignal): Promise<readonly Change[]> {
      const all: Change[] = [];
      for (let startAt = 0; startAt < MOST_PAGES * PAGE; startAt += PAGE) {
        const path = `${issue(id)}/changelog?maxResults=${PAGE}&startAt=${startAt}`;
        const { values, isLast } = await call(Answers.changes, path, { signal });
        all.push(...values);
        if (isLast !== false) break;
      }
      return all;
    },
    async attach(id: string, name: string, mediaType: string, bytes: Buffer): Promise<void> {
      const { body, type } = toUploadForm({}, { field: 'file', name, mediaType, bytes });
      const headers = { 'content-type': type, 'x-atlassian-token': 'no-check' };
      await call(z.array(z.unknown()), `${issue(id)}/attachments`, {
        method: 'POST',
        headers,
        body,
        timeoutMs: UPLOAD_MS,
      });
    },
    async download(id: string, maxBytes: number) {
      const url = `${config.apiRoot}/rest/api/3/attachment/content/${encodeURIComponent(id)}?redirect=false`;
      return (await http.stream({ url, maxBytes, waitOf, headers: { authorization: `Basic ${basic()}` } })).body;
    },
    usersLike: (text: string) => call(Answers.users, `/rest/api/3/user/search?query=${encodeURIComponent(text)}`),
    makeCustomer: (customer: object) =>
      call(Answers.account, '/rest/servicedeskapi/customer', { method: 'POST', body: customer }),
    admit: (accountId: string) => tell('POST', `${desk}/customer`, { accountIds: [accountId] }),
    fields: () => call(Answers.fields, `${desk}/requesttype/${config.requestTypeId}/field`),
    me: () => call(Answers.account, '/rest/api/3/myself'),
  };
}

/** A time, which others say as seconds: https://developer.atlassian.com/cloud/jira/platform/rate-limiting/ */
const waitOf: HttpRequest['waitOf'] = ({ headers: { 'x-ratelimit-reset': reset = '' } }) => {
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?Z$/.test(reset);
  return isTime ? new Date(reset).toUTCString() : undefined;
};

const Refusal = z.object({ errors: z.record(z.string(), z.string()) });

/** The fields that it refuses, by name, where that is all. */
export function refusedFields(error: unknown): string[] {
  if (!(error instanceof PermanentError) || error.response?.status !== 400) return [];
  const said = Refusal.safeParse(jsonOf(Buffer.from(error.response.text)));
  return said.success ? Object.keys(said.data.errors) : [];
}
