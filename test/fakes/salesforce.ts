import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import { endServer, listenHere } from './listening.ts';
import { readSoql } from './soql.ts';

export const CLIENT_ID = 'not-a-real-consumer-key';
export const CLIENT_SECRET = 'not-a-real-consumer-secret';
export const USERNAME = 'gateway@example.com';
/** Whom the token belongs to, an agent, a customer in a portal, and a machine. */
export const GATEWAY = '005000000000001AAA';
export const IVAN = '005000000000002AAA';
export const CUSTOMER = '005000000000003AAA';
export const MACHINE = '005000000000004AAA';
const PEOPLE: Readonly<Record<string, object>> = {
  [GATEWAY]: { Name: 'Gateway', UserType: 'Standard' },
  [IVAN]: { Name: 'Ivan', UserType: 'Standard' },
  [CUSTOMER]: { Name: 'Olena', UserType: 'CspLitePortal' },
  [MACHINE]: { Name: 'Automated Process', UserType: 'AutomatedProcess' },
};

const BASE = '/services/data/v62.0';
const STATUSES = ['New', 'Working', 'On Hold', 'Escalated', 'Closed'];
const PRIORITIES = ['High', 'Medium', 'Low'];
const KEYS: Readonly<Record<string, string>> = {
  Case: '500',
  Contact: '003',
  CaseComment: '00a',
  CaseHistory: '017',
  ContentVersion: '068',
  ContentDocument: '069',
  ContentDocumentLink: '06A',
};

/** What the object reference names of each, as a closed world: what it doesn't name is wrong. */
const id = (prefix: string) => z.string().refine((text) => text.startsWith(prefix) && text.length === 18);
const text = (longest: number) => z.string().min(1).max(longest);
const Case = z.strictObject({
  Subject: text(255),
  Description: text(32_000),
  Status: z.enum(STATUSES),
  Priority: z.enum(PRIORITIES),
  Origin: text(40),
  ContactId: id('003').optional(),
  OwnerId: id('005').optional(),
  SuppliedName: text(80).optional(),
  SuppliedEmail: z.email().max(80).optional(),
  SuppliedPhone: text(40).optional(),
  Order__c: text(80).optional(),
});
const Written: Readonly<Record<string, z.ZodType>> = {
  Case,
  Contact: z.strictObject({
    LastName: text(80),
    Email: z.email().max(80).optional(),
    MobilePhone: text(40).optional(),
  }),
  CaseComment: z.strictObject({
    CommentBody: text(4000).refine((words) => Buffer.byteLength(words) <= 4000),
    IsPublished: z.boolean(),
    ParentId: id('500'),
  }),
  ContentVersion: z.strictObject({ Title: text(255), PathOnClient: text(500), VersionData: z.base64() }),
  ContentDocumentLink: z.strictObject({
    ContentDocumentId: id('069'),
    LinkedEntityId: id('500'),
    ShareType: z.literal('V'),
    Visibility: z.enum(['AllUsers', 'InternalUsers']),
  }),
};

export type SalesforceRow = Record<string, unknown> & { readonly Id: string };
interface Answer {
  readonly status: number;
  readonly body?: unknown;
}
export type Ending = { readonly http: number; readonly body?: unknown } | 'cut' | 'lost';

/** A stand-in for an organisation in Salesforce that takes nothing that its pages don't name. */
export interface FakeSalesforce {
  readonly root: string;
  /** `POST CaseComment`, `GET query`, `POST composite`, `POST token` … */
  readonly calls: {
    readonly name: string;
    readonly url: string;
    readonly headers: Record<string, unknown>;
    readonly body: unknown;
  }[];
  /** What didn't fit; must stay empty. */
  readonly violations: string[];
  now: () => number;
  /** Where it says that the organisation is. */
  instance: () => string;
  /** What a rule of the organisation says against what is written. */
  rule: (object: string, body: Record<string, unknown>) => object | undefined;
  /** Tokens that were given, and whether they are still good. */
  readonly tokens: Map<string, boolean>;
  rows(object: string): SalesforceRow[];
  /** What stands in a case, marked with who wrote it and for whom. */
  said(caseId: string): string[];
  end(call: string, ...endings: Ending[]): void;
  /** Somebody comments; `showsAt`: when his transaction ends. */
  comment(caseId: string, words: string, given?: { by?: string; published?: boolean; showsAt?: number }): SalesforceRow;
  publish(comment: SalesforceRow): void;
  setStatus(caseId: string, status: string, by?: string): void;
  describe: (object: string) => object[];
  close(): Promise<void>;
}

export async function startSalesforce(): Promise<FakeSalesforce> {
  const endings = new Map<string, Ending[]>();
  let tables = new Map<string, SalesforceRow[]>();
  let next = 1;
  const fake: FakeSalesforce = {
    root: '',
    calls: [],
    violations: [],
    now: Date.now,
    instance: () => fake.root,
    rule: () => undefined,
    tokens: new Map(),
    rows(object) {
      if (!tables.has(object)) tables.set(object, []);
      return tables.get(object)!;
    },
    said: (caseId) =>
      fake
        .rows('CaseComment')
        .filter(({ ParentId }) => ParentId === caseId)
        .map((row) => {
          const by = (PEOPLE[String(row['CreatedById'])] as { Name: string }).Name;
          return `${by}${row['IsPublished'] === true ? '' : ' (inside)'}: ${String(row['CommentBody']).replaceAll(/\s+/g, ' ')}`;
        }),
    end: (call, ...list) => void endings.set(call, list),
    comment: (caseId, words, { by = IVAN, published = true, showsAt } = {}) =>
      insert('CaseComment', { ParentId: caseId, CommentBody: words, IsPublished: published, CreatedById: by, showsAt }),
    publish: (comment) => void Object.assign(comment, { IsPublished: true, SystemModstamp: time() }),
    setStatus(caseId, status, by = IVAN) {
      const found = fake.rows('Case').find(({ Id }) => Id === caseId)!;
      insert('CaseHistory', {
        CaseId: caseId,
        Field: 'Status',
        OldValue: found['Status'],
        NewValue: status,
        CreatedById: by,
      });
      Object.assign(found, { Status: status });
    },
    describe: (object) => [
      { name: 'Tributary_Id__c', externalId: true, unique: true, createable: true, picklistValues: [] },
      ...(object === 'Case'
        ? [
            { name: 'Order__c', createable: true },
            { name: 'Status', createable: true, picklistValues: STATUSES.map((value) => ({ value, active: true })) },
            {
              name: 'Priority',
              createable: true,
              picklistValues: PRIORITIES.map((value) => ({ value, active: true })),
            },
          ]
        : []),
    ],
    close: () => endServer(server),
  };

  const time = () => `${new Date(fake.now()).toISOString().slice(0, 19)}.000+0000`;
  const refuse = (status: number, errorCode: string, message = '', fields: string[] = []): Answer => ({
    status,
    body: [{ errorCode, message, fields }],
  });

  function insert(object: string, fields: Record<string, unknown>): SalesforceRow {
    const common = { CreatedById: GATEWAY, CreatedDate: time(), SystemModstamp: time() };
    const row = { Id: `${KEYS[object] ?? ''}${String(next++).padStart(12, '0')}AAA`, ...common, ...fields };
    fake.rows(object).push(row);
    return row;
  }

  function write(object: string, body: Record<string, unknown>, there?: SalesforceRow, key: object = {}): Answer {
    const error = fake.rule(object, body);
    if (error) return { status: 400, body: [error] };
    const shape = Written[object]!;
    const fits = (there && shape instanceof z.ZodObject ? shape.partial() : shape).safeParse(body);
    if (!fits.success) {
      fake.violations.push(`${object}: ${fits.error.message}`);
      return refuse(400, 'INVALID_FIELD');
    }
    if (object === 'CaseComment' && !fake.rows('Case').some(({ Id }) => Id === body['ParentId']))
      return refuse(400, 'INVALID_CROSS_REFERENCE_KEY', 'invalid cross reference id');
    if (there) {
      if (object === 'Case' && 'Status' in body && body['Status'] !== there['Status'])
        fake.setStatus(there.Id, String(body['Status']), GATEWAY);
      Object.assign(there, body);
      return { status: 200, body: { id: there.Id, success: true, errors: [], created: false } };
    }
    const document = object === 'ContentVersion' ? { ContentDocumentId: insert('ContentDocument', {}).Id } : {};
    const row = insert(object, { ...body, ...key, ...document });
    return { status: 201, body: { id: row.Id, success: true, errors: [], created: true } };
  }

  function query(soql: string): Answer {
    const asked = readSoql(soql);
    const pathIn = (row: SalesforceRow, field: string): unknown => {
      const [first = '', second] = field.split('.');
      if (second === undefined) return row[first] ?? null;
      if (first === 'CreatedBy') return (PEOPLE[String(row['CreatedById'])] as Record<string, unknown>)[second];
      const parent = row[first === 'Parent' ? 'ParentId' : `${first}Id`];
      return fake.rows('Case').find(({ Id }) => Id === parent)?.[second] ?? null;
    };
    const shown = fake
      .rows(asked.object)
      .filter((row) => row['showsAt'] === undefined || Number(row['showsAt']) <= fake.now())
      .filter((row) => asked.matches((field) => pathIn(row, field)));
    const keyOf = (row: SalesforceRow) => asked.order.map((field) => String(pathIn(row, field))).join(' ');
    shown.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    const records = shown.slice(0, asked.limit).map((row) => {
      const record: Record<string, unknown> = { attributes: { type: asked.object } };
      for (const field of asked.fields) {
        const [first = '', second] = field.split('.');
        const value = pathIn(row, field);
        record[first] = second === undefined ? value : { ...(record[first] as object | undefined), [second]: value };
      }
      return record;
    });
    return { status: 200, body: { totalSize: shown.length, done: true, records } };
  }

  /** One call, or one part of a call of several. */
  function carryOut(method: string, path: string, body: unknown): Answer {
    const url = new URL(path, 'https://x.example');
    const [, , , , kind, object = '', key = '', value] = url.pathname.split('/').map(decodeURIComponent);
    if (kind === 'query') return query(url.searchParams.get('q') ?? '');
    if (kind === 'composite') return compose(body);
    if (kind !== 'sobjects' || !(object in Written)) throw new Error(`there is no ${method} ${path}`);
    if (key === 'describe') return { status: 200, body: { fields: fake.describe(object) } };
    if (method === 'POST' && key === '') return write(object, body as Record<string, unknown>);
    const matches = fake.rows(object).filter((row) => (value === undefined ? row.Id === key : row[key] === value));
    if (matches.length > 1) return { status: 300, body: matches.map(({ Id }) => `${BASE}/sobjects/${object}/${Id}`) };
    const [there] = matches;
    if (method === 'GET')
      return there
        ? { status: 200, body: there }
        : refuse(404, 'NOT_FOUND', 'Provided external ID field does not exist or is not accessible');
    if (value !== undefined) return write(object, body as Record<string, unknown>, there, { [key]: value });
    if (!there) return refuse(404, 'ENTITY_IS_DELETED', 'entity is deleted');
    const done = write(object, body as Record<string, unknown>, there);
    return done.status === 200 ? { status: 204 } : done;
  }

  /** https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_composite.htm */
  function compose(body: unknown): Answer {
    const Part = z.strictObject({
      referenceId: z.string().regex(/^\w+$/),
      method: z.enum(['GET', 'POST', 'PATCH']),
      url: z.string().startsWith(BASE),
      httpHeaders: z.record(z.string(), z.string()).optional(),
      body: z.record(z.string(), z.unknown()).optional(),
    });
    const { compositeRequest: parts } = z
      .strictObject({
        allOrNone: z.literal(true),
        collateSubrequests: z.literal(false),
        compositeRequest: z.array(Part).min(1).max(25),
      })
      .parse(body);
    const before = structuredClone(tables);
    const answers = new Map<string, Answer>();
    let failed: string | undefined;
    for (const { referenceId, method, url, body: given } of parts) {
      if (failed !== undefined) break;
      const answer = filled(JSON.stringify({ url, body: given }), answers, (whole) => {
        const { url: path, body: words } = JSON.parse(whole) as { url: string; body: unknown };
        return carryOut(method, path, words);
      });
      answers.set(referenceId, answer);
      if (answer.status >= 300) failed = referenceId;
    }
    if (failed !== undefined) tables = before;
    const halted = refuse(400, 'PROCESSING_HALTED', 'The transaction was rolled back since another operation failed');
    const compositeResponse = parts.map(({ referenceId }) => {
      const own = failed === undefined || failed === referenceId ? answers.get(referenceId) : halted;
      return {
        referenceId,
        httpHeaders: {},
        httpStatusCode: (own ?? halted).status,
        body: (own ?? halted).body ?? null,
      };
    });
    return { status: 200, body: { compositeResponse } };
  }

  /** With what was named of earlier parts put in. */
  function filled(whole: string, answers: ReadonlyMap<string, Answer>, then: (whole: string) => Answer): Answer {
    let unknown: string | undefined;
    const full = whole.replaceAll(/@\{([^}]*)\}/g, (_all, path: string) => {
      const [name = '', field = ''] = path.split('.');
      const value = (answers.get(name)?.body as Record<string, unknown> | undefined)?.[field];
      if (typeof value !== 'string') unknown ??= path;
      return String(value);
    });
    return unknown === undefined
      ? then(full)
      : refuse(400, 'PROCESSING_HALTED_REFERENCE', `Invalid reference: ${unknown}`);
  }

  function grant(form: URLSearchParams): Answer {
    const isSecret =
      form.get('grant_type') === 'client_credentials' &&
      form.get('client_id') === CLIENT_ID &&
      form.get('client_secret') === CLIENT_SECRET;
    const isJwt = form.get('grant_type') === 'urn:ietf:params:oauth:grant-type:jwt-bearer' && form.has('assertion');
    if (!isSecret && !isJwt)
      return { status: 400, body: { error: 'invalid_client', error_description: 'invalid client credentials' } };
    const token = `00D!token${next++}`;
    fake.tokens.set(token, true);
    const who = `https://login.salesforce.com/id/00D000000000001AAA/${GATEWAY}`;
    return {
      status: 200,
      body: { access_token: token, instance_url: fake.instance(), id: who, token_type: 'Bearer', issued_at: '1' },
    };
  }

  function nameOf(method: string, path: string): string {
    const [, , , , kind, object] = path.split('/');
    if (path === '/services/oauth2/token') return `${method} token`;
    return `${method} ${kind === 'sobjects' ? object! : kind!}`;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const sent = (await buffer(request)).toString();
    const { url = '', method = '' } = request;
    const name = nameOf(method, url.split('?', 1)[0]!);
    const isToken = name === 'POST token';
    const body: unknown = sent === '' || isToken ? sent : JSON.parse(sent);
    fake.calls.push({ name, url, headers: request.headers, body });
    const ending = endings.get(name)?.shift();
    if (ending === 'cut') return void request.socket.destroy();
    const token = (request.headers.authorization ?? '').replace('Bearer ', '');
    const answer: Answer =
      typeof ending === 'object'
        ? { status: ending.http, body: ending.body }
        : isToken
          ? grant(new URLSearchParams(sent))
          : fake.tokens.get(token)
            ? carryOut(method, url, body)
            : refuse(401, 'INVALID_SESSION_ID', 'Session expired or invalid');
    if (ending === 'lost') return void request.socket.destroy();
    response.writeHead(answer.status, { 'content-type': 'application/json;charset=UTF-8' });
    response.end(answer.body === undefined ? '' : JSON.stringify(answer.body));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fake.violations.push(`${request.method ?? ''} ${request.url ?? ''}: ${String(error)}`);
      response.destroy();
    });
  });
  return Object.assign(fake, { root: await listenHere(server) });
}
