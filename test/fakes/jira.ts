import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { hmac } from '../../src/core/signature.ts';
import { endServer, listenHere } from './listening.ts';
import { isDescribed, readDescription } from './openapi.ts';
import type { Description } from './openapi.ts';

export const EMAIL = 'gateway@example.com';
export const TOKEN = 'not-a-real-api-token-of-jira';
export const SECRET = 'not-a-real-secret-of-the-webhook';
/** Accounts: ours, an agent, a customer. */
export const GATEWAY = 'acc-gateway';
export const IVAN = 'acc-ivan';

const text = { type: 'string' };
const PLATFORM = 'jira/platform-v3.json';
const DESK = 'jira-service-management/servicedesk.json';

export type Descriptions = ReadonlyMap<string, Description>;

/** Jira's descriptions, where they are beside the repository. */
export function readJira(): Descriptions {
  const amended: readonly (readonly [string, Record<string, unknown>])[] = [
    [
      PLATFORM,
      {
        // It describes the list of parts as a bare array; on the wire the part is named `file`, as its prose says.
        '/paths/~1rest~1api~13~1issue~1{issueIdOrKey}~1attachments/post/requestBody': {
          content: { 'multipart/form-data': { schema: { type: 'object', properties: { file: text } } } },
        },
      },
    ],
    [DESK, {}],
  ];
  return new Map(
    amended.filter(([file]) => isDescribed(file)).map(([file, amend]) => [file, readDescription(file, amend)]),
  );
}

type Json = Record<string, unknown>;
interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}
/** How a call ends: refused; not reached; or carried out with the answer lost on the way. */
export type Ending =
  { readonly http: number; readonly headers?: Record<string, string>; readonly body?: object } | 'cut' | 'lost';
interface Answer {
  readonly status: number;
  readonly body?: object | Buffer;
}
interface Person {
  readonly accountId: string;
  readonly displayName: string;
  readonly accountType: string;
  readonly emailAddress?: string;
}
export interface JiraIssue {
  readonly id: string;
  readonly key: string;
  readonly created: number;
  readonly creator: string;
  updated: number;
  readonly request: Json;
  readonly fields: { status: string; reporter: string; description: unknown; labels: string[]; priority: string };
  readonly properties: Record<string, unknown>;
  readonly comments: { id: string; author: string; at: number; body: unknown; isPublic: boolean }[];
  readonly changes: { id: string; author: string; at: number; from: string; to: string }[];
  readonly files: { id: string; author: string; at: number; name: string; bytes: Buffer }[];
}

/** A stand-in for Jira Service Management that checks itself and what it is asked against Jira's descriptions. */
export interface FakeJira {
  readonly root: string;
  readonly calls: Asked[];
  readonly issues: JiraIssue[];
  readonly people: Person[];
  /** What didn't fit the descriptions, on either side; must stay empty. */
  readonly violations: string[];
  now: () => number;
  /** What happened since isn't shown in a search yet. */
  indexedUntil: number;
  /** Fields that aren't on the screen of the project. */
  readonly offScreen: string[];
  /** Other fields of the form of the request type. */
  readonly form: { fieldId: string; name: string; required: boolean }[];
  canRaise: boolean;
  end(call: string, ...endings: Ending[]): void;
  /** Somebody writes: text with `\n` as paragraphs, or a document. */
  say(
    issue: JiraIssue,
    body: string | object,
    given?: { by?: string; internal?: boolean; files?: readonly string[] },
  ): void;
  move(issue: JiraIssue, status: string, by?: string): void;
  /** Texts of the comments of an issue, with who wrote them for whom. */
  comments(issue: JiraIssue): string[];
  notify(url: string, issue: JiraIssue | undefined, secret?: string): Promise<number>;
  close(): Promise<void>;
}

const STATUSES = ['Waiting for support', 'In progress', 'Waiting for customer', 'Resolved', 'Closed'];

export async function startJira(descriptions: Descriptions = readJira()): Promise<FakeJira> {
  const endings = new Map<string, Ending[]>();
  let next = 10_000;

  const fake: FakeJira = {
    root: '',
    calls: [],
    issues: [],
    people: [
      { accountId: GATEWAY, displayName: 'Gateway', accountType: 'atlassian', emailAddress: EMAIL },
      { accountId: IVAN, displayName: 'Ivan', accountType: 'atlassian' },
    ],
    violations: [],
    now: Date.now,
    indexedUntil: Infinity,
    offScreen: [],
    form: [],
    canRaise: true,
    end: (call, ...list) => void endings.set(call, list),
    say(issue, body, { by = IVAN, internal = false, files = [] } = {}) {
      for (const name of files)
        issue.files.push({ id: String(next++), author: by, at: fake.now(), name, bytes: Buffer.from(`of ${name}`) });
      const media = files.map((name) => ({ type: 'mediaSingle', content: [{ type: 'media', attrs: { alt: name } }] }));
      const lines = typeof body === 'string' ? body.split('\n') : [];
      const paragraphs = lines.map((line) => ({ type: 'paragraph', content: [{ type: 'text', text: line }] }));
      const written = typeof body === 'string' ? { type: 'doc', version: 1, content: [...paragraphs, ...media] } : body;
      addComment(issue, by, written, !internal);
    },
    move(issue, status, by = IVAN) {
      issue.changes.push({ id: String(next++), author: by, at: fake.now(), from: issue.fields.status, to: status });
      issue.fields.status = status;
      issue.updated = fake.now();
    },
    comments: ({ comments }) =>
      comments.map(
        ({ author, body, isPublic }) => `${nameOf(author)}${isPublic ? '' : ' (internal)'}: ${textIn(body)}`,
      ),
    async notify(url, issue, secret = SECRET) {
      const body = JSON.stringify({
        timestamp: fake.now(),
        webhookEvent: 'comment_created',
        issue: { id: issue?.id ?? '1', key: issue?.key ?? 'OTHER-1' },
      });
      const headers = {
        'content-type': 'application/json',
        'x-atlassian-webhook-identifier': `w-${next++}`,
        'x-hub-signature': `sha256=${hmac('sha256', secret, body).toString('hex')}`,
      };
      const answer = await fetch(url, { method: 'POST', headers, body });
      await answer.arrayBuffer();
      return answer.status;
    },
    close: () => endServer(server),
  };

  /** As Jira writes times: without the colon of the zone. */
  const time = (at: number) => new Date(at).toISOString().replace('Z', '+0000');
  const nameOf = (id: string) => fake.people.find(({ accountId }) => accountId === id)?.displayName ?? id;
  const personOf = (id: string) => {
    const { accountId, displayName, accountType } = fake.people.find((each) => each.accountId === id)!;
    return { accountId, displayName, accountType };
  };

  function addComment(issue: JiraIssue, author: string, body: unknown, isPublic: boolean) {
    const comment = { id: String(next++), author, at: fake.now(), body, isPublic };
    issue.comments.push(comment);
    issue.updated = fake.now();
    return comment;
  }

  const refusal = (status: number, errors: Record<string, string> = {}): Answer => ({
    status,
    body: { errorMessages: [], errors },
  });
  const shownFile = ({ id, author, at, name, bytes }: JiraIssue['files'][number]): Json => ({
    id,
    filename: name,
    size: bytes.length,
    mimeType: 'text/plain',
    created: time(at),
    author: personOf(author),
  });
  const shown = (issue: JiraIssue, names: readonly string[], withProperties: boolean): Json => {
    const { status, reporter, description, priority } = issue.fields;
    const all: Json = {
      updated: time(issue.updated),
      description,
      status: { name: status },
      priority: { name: priority },
      reporter: personOf(reporter),
      attachment: issue.files.map(shownFile),
    };
    const fields = Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
    return { id: issue.id, key: issue.key, fields, ...(withProperties && { properties: issue.properties }) };
  };
  const shownComment = ({ id, author, at, body, isPublic }: JiraIssue['comments'][number]): Json => ({
    id,
    author: personOf(author),
    body,
    created: time(at),
    jsdPublic: isPublic,
  });

  function raise(body: unknown): Answer {
    const { raiseOnBehalfOf: reporter = GATEWAY, requestFieldValues } = body as Json & { requestFieldValues: Json };
    const id = String(next++);
    const said = { type: 'text', text: requestFieldValues['description'] };
    const issue: JiraIssue = {
      id,
      key: `SUP-${fake.issues.length + 1}`,
      created: fake.now(),
      updated: fake.now(),
      creator: GATEWAY,
      request: body as Json,
      fields: {
        status: 'Waiting for support',
        reporter: String(reporter),
        description: { type: 'doc', version: 1, content: [{ type: 'paragraph', content: [said] }] },
        labels: [],
        priority: 'Medium',
      },
      properties: {},
      comments: [],
      changes: [],
      files: [],
    };
    fake.issues.push(issue);
    return { status: 201, body: { issueId: id, issueKey: issue.key } };
  }

  function search(body: unknown): Answer {
    const { jql, fields, maxResults, nextPageToken = '0' } = body as Json & { jql: string; fields: string[] };
    const [, by, minutes, order] =
      /^project = "SUP" AND creator = currentUser\(\) AND (created|updated) >= "-(\d+)m" ORDER BY \1 (ASC|DESC)$/.exec(
        jql,
      ) ?? [];
    if (minutes === undefined) return refusal(400);
    const at = (issue: JiraIssue) => issue[by as 'created' | 'updated'];
    const found = fake.issues
      .filter((issue) => issue.creator === GATEWAY && issue.updated <= fake.indexedUntil)
      .filter((issue) => at(issue) >= fake.now() - Number(minutes) * 60_000)
      .sort((a, b) => (order === 'ASC' ? at(a) - at(b) : at(b) - at(a)));
    const from = Number(nextPageToken);
    const to = from + Number(maxResults);
    const more = to < found.length ? { nextPageToken: String(to) } : {};
    return { status: 200, body: { issues: found.slice(from, to).map((each) => shown(each, fields, true)), ...more } };
  }

  function edit(issue: JiraIssue, body: unknown): Answer {
    const { fields = {}, update = {}, properties = [] } = body as { fields?: Json; update?: Json; properties?: Json[] };
    const refused = [...Object.keys(fields), ...Object.keys(update)].filter((name) => fake.offScreen.includes(name));
    if (refused.length > 0)
      return refusal(400, Object.fromEntries(refused.map((name) => [name, 'It is not on the appropriate screen.'])));
    const { description, priority } = fields as { description?: unknown; priority?: { name: string } };
    if (description !== undefined) issue.fields.description = description;
    if (priority !== undefined) issue.fields.priority = priority.name;
    for (const { add } of (update['labels'] ?? []) as { add: string }[]) issue.fields.labels.push(add);
    for (const { key, value } of properties) issue.properties[String(key)] = value;
    issue.updated = fake.now();
    return { status: 204 };
  }

  function issueCall({ method, body }: Asked, id: string, rest: string, query: URLSearchParams, bytes: Buffer): Answer {
    const issue = fake.issues.find((each) => each.id === id || each.key === id);
    if (!issue) return refusal(404);
    const startAt = Number(query.get('startAt') ?? 0);
    const maxResults = Number(query.get('maxResults') ?? 50);
    const slice = <T>(all: readonly T[]) => all.slice(startAt, startAt + maxResults);
    if (rest === '') {
      if (method === 'PUT') return edit(issue, body);
      return { status: 200, body: shown(issue, (query.get('fields') ?? '').split(','), false) };
    }
    if (rest === '/comment' && method === 'POST') {
      const { body: said, properties } = body as { body: unknown; properties: { value: { internal: boolean } }[] };
      return { status: 201, body: shownComment(addComment(issue, GATEWAY, said, !properties[0]!.value.internal)) };
    }
    if (rest === '/comment') {
      const comments = slice(issue.comments.toReversed()).map(shownComment);
      return { status: 200, body: { comments, startAt, maxResults, total: issue.comments.length } };
    }
    if (rest === '/changelog') {
      const values = slice(issue.changes).map(({ id: change, author, at, from, to }) => ({
        id: change,
        author: personOf(author),
        created: time(at),
        items: [
          { field: 'resolution', toString: 'Done' },
          { field: 'status', fieldId: 'status', fromString: from, toString: to },
        ],
      }));
      const isLast = startAt + maxResults >= issue.changes.length;
      return { status: 200, body: { values, startAt, maxResults, total: issue.changes.length, isLast } };
    }
    if (rest === '/transitions' && method === 'GET') {
      const transitions = STATUSES.map((name, index) => ({ id: String(index), name, to: { name } }));
      return { status: 200, body: { transitions: transitions.filter(({ name }) => name !== issue.fields.status) } };
    }
    if (rest === '/transitions') {
      fake.move(issue, STATUSES[Number((body as { transition: { id: string } }).transition.id)]!, GATEWAY);
      return { status: 204 };
    }
    if (rest === '/attachments') {
      const form = bytes.toString();
      const [, name = '', content = ''] = /filename="([^"]*)"\r\n[^\r]*\r\n\r\n([^]*)\r\n--/.exec(form) ?? [];
      const file = { id: String(next++), author: GATEWAY, at: fake.now(), name, bytes: Buffer.from(content) };
      issue.files.push(file);
      issue.updated = fake.now();
      return { status: 200, body: [shownFile(file)] };
    }
    return refusal(404);
  }

  function makeCustomer(body: unknown): Answer {
    const { email, displayName } = body as { email: string; displayName: string };
    if (fake.people.some(({ emailAddress }) => emailAddress === email)) return refusal(400);
    const person = { accountId: `acc-${next++}`, displayName, accountType: 'customer', emailAddress: email };
    fake.people.push(person);
    return { status: 201, body: { accountId: person.accountId, displayName, emailAddress: email } };
  }

  function carryOut(asked: Asked, bytes: Buffer): Answer {
    const { pathname, searchParams } = new URL(asked.path, fake.root);
    const [, id, rest = ''] = /^\/rest\/api\/3\/issue\/([^/]+)(.*)$/.exec(pathname) ?? [];
    if (id !== undefined) return issueCall(asked, id, rest, searchParams, bytes);
    const [, file] = /^\/rest\/api\/3\/attachment\/content\/(\d+)$/.exec(pathname) ?? [];
    if (file !== undefined)
      return { status: 200, body: fake.issues.flatMap(({ files }) => files).find((each) => each.id === file)!.bytes };
    switch (pathname) {
      case '/rest/api/3/search/jql':
        return search(asked.body);
      case '/rest/api/3/myself':
        return { status: 200, body: { accountId: GATEWAY, displayName: 'Gateway', accountType: 'atlassian' } };
      case '/rest/api/3/user/search': {
        const query = searchParams.get('query')!;
        return { status: 200, body: fake.people.filter(({ emailAddress }) => emailAddress?.startsWith(query)) };
      }
      case '/rest/servicedeskapi/request':
        return raise(asked.body);
      case '/rest/servicedeskapi/customer':
        return makeCustomer(asked.body);
      case '/rest/servicedeskapi/servicedesk/4/customer':
        return { status: 204 };
      case '/rest/servicedeskapi/servicedesk/4/requesttype/25/field': {
        const summary = { fieldId: 'summary', name: 'Summary', required: true };
        return { status: 200, body: { requestTypeFields: [summary, ...fake.form], canRaiseOnBehalfOf: fake.canRaise } };
      }
      default:
        return refusal(404);
    }
  }

  function answerTo(asked: Asked, bytes: Buffer): Answer {
    const basic = `Basic ${Buffer.from(`${EMAIL}:${TOKEN}`).toString('base64')}`;
    if (asked.headers['authorization'] !== basic) return refusal(401);
    const description = descriptions.get(asked.path.startsWith('/rest/api/') ? PLATFORM : DESK);
    fake.violations.push(...(description?.request(asked) ?? []));
    const answer = carryOut(asked, bytes);
    if (answer.status < 300 && !Buffer.isBuffer(answer.body))
      fake.violations.push(...(description?.response(asked, answer.status, answer.body) ?? []));
    return answer;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = await read(request);
    const path = request.url ?? '';
    const headers = request.headers as Record<string, string>;
    const isJson = headers['content-type'] === 'application/json';
    const body = isJson
      ? (JSON.parse(bytes.toString()) as unknown)
      : bytes.length > 0
        ? { file: '(bytes)' }
        : undefined;
    const asked: Asked = { method: request.method ?? '', path, headers, body };
    fake.calls.push(asked);
    const ending = endings.get(`${asked.method} ${path.split('?')[0]!.replaceAll(/\/\d{2,}/g, '/{id}')}`)?.shift();
    if (ending === 'cut') return void request.socket.destroy();
    const answer: Answer =
      typeof ending === 'object' ? { status: ending.http, body: ending.body ?? {} } : answerTo(asked, bytes);
    if (ending === 'lost') return void request.socket.destroy();
    const type = Buffer.isBuffer(answer.body) ? 'application/octet-stream' : 'application/json;charset=UTF-8';
    response.writeHead(answer.status, { 'content-type': type, ...(typeof ending === 'object' && ending.headers) });
    response.end(Buffer.isBuffer(answer.body) ? answer.body : answer.body && JSON.stringify(answer.body));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fake.violations.push(String(error));
      response.destroy();
    });
  });
  return Object.assign(fake, { root: await listenHere(server) });
}

/** All that a document says, whatever its nodes. */
export function textIn(node: unknown): string {
  const { text: said = '', content = [] } = node as { text?: string; content?: unknown[] };
  return [said, ...content.map(textIn)].filter((part) => part !== '').join(' ');
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
