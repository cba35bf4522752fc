import assert from 'node:assert/strict';
import { startApi } from './fakes/api.ts';
import type { StartedApi } from './fakes/api.ts';

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Described>>;
  readonly components: { readonly schemas: Record<string, object> };
}
interface Described {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean }[];
  readonly requestBody?: object;
  readonly responses: Record<string, { readonly description: string }>;
}

describe('The description of the API', () => {
  let api: StartedApi;
  let document: Document;
  before(async () => {
    api = await startApi();
    document = (await api.send('GET', '/openapi.json', { key: null })).json as Document;
  });
  after(() => api.stop());

  it('has every route, and only those', () => {
    assert.equal(document.openapi, '3.1.0');
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const served = api.api.operations.map(({ method, path }) => `${method} /api/v1${path}`);
    assert.deepEqual(described.sort(), served.sort());
  });

  it('names nothing that it does not define', () => {
    const found: string[] = [];
    const visit = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      for (const [name, inner] of Object.entries(value)) {
        if (name === '$ref') found.push(String(inner));
        else visit(inner);
      }
    };
    visit(document);
    assert.ok(found.length > 50);
    for (const ref of new Set(found)) {
      const target = ref
        .replace(/^#\//, '')
        .split('/')
        .reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], document);
      assert.ok(ref.startsWith('#/') && target, ref);
    }
  });

  it('describes each operation fully: its own id, its path parameters, its answers', () => {
    const all = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, described]) => ({ path, method, described })),
    );
    assert.equal(new Set(all.map(({ described }) => described.operationId)).size, all.length);
    for (const { path, method, described } of all) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const parameters = (described.parameters ?? []).filter((parameter) => parameter.in === 'path');
      assert.deepEqual(
        parameters.map(({ name }) => name),
        inPath,
        path,
      );
      assert.ok(
        parameters.every(({ required }) => required),
        path,
      );
      // A file may be asked for in parts.
      const answers = Object.keys(described.responses).filter((status) => status !== '206');
      assert.equal(answers.length, 2, path);
      assert.ok(/^2\d\d$/.test(answers[0]!) && answers[1] === 'default', path);
      assert.ok(method !== 'get' || !described.requestBody, path);
      const idempotent = described.parameters?.some(({ name }) => name === 'Idempotency-Key') ?? false;
      assert.equal(idempotent, method === 'post' && !path.endsWith('/dry-run'), `${method} ${path}`);
    }
  });

  it('tells what a ticket is in the same words as the contract', () => {
    const ticket = document.components.schemas.Ticket as { properties: object; required: string[] };
    for (const name of ['id', 'number', 'subject', 'status', 'priority', 'channel', 'customer', 'links', 'version']) {
      assert.ok(name in ticket.properties && ticket.required.includes(name), name);
    }
  });

  it('can be read by people, offline and without scripts from elsewhere', async () => {
    const page = await api.send('GET', '/docs/api', { key: null });
    assert.match(String(page.headers['content-security-policy']), /script-src 'self'/);
    const files = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!);
    assert.equal(files.length, 4);
    for (const path of files) {
      const { status, headers } = await api.send('GET', path, { key: null });
      assert.equal(status, 200, path);
      assert.match(String(headers['content-type']), /css|javascript|png/);
    }
  });
});
