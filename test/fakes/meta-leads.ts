import { createServer } from 'node:http';
import { z } from 'zod';
import { endServer, listenHere } from './listening.ts';
import { refusal, TOKEN } from './meta.ts';
import { signed } from './whatsapp.ts';

export interface FakeLead {
  readonly id: string;
  /** As Meta writes it. */
  readonly created_time: string;
  readonly field_data: readonly { readonly name: string; readonly values: readonly string[] }[];
}

export interface FakeForm {
  readonly name: string;
  readonly questions?: readonly object[];
  readonly leads: unknown[];
  /** Instead of its leads. */
  refused?: ReturnType<typeof refusal>;
}

/** A stand-in for the part of Meta's Graph API that has lead forms, which takes only what Meta's documentation names. */
export interface FakeLeads {
  readonly root: string;
  readonly forms: Map<string, FakeForm>;
  /** Paths that were asked for, below the version and without their query. */
  readonly asked: string[];
  /** What was asked that the documentation doesn't name; must stay empty. */
  readonly violations: string[];
  /** So many times more, no place that was handed out before is known when one is asked for. */
  forgetful: number;
  /** Behind a page of this list is the same page again. */
  stuck?: 'leads' | 'leadgen_forms';
  deliver(address: string, body: unknown): Promise<number>;
  close(): Promise<void>;
}

const Filtering = z.tuple([
  z.strictObject({
    field: z.literal('time_created'),
    operator: z.literal('GREATER_THAN'),
    value: z.number().int().min(0),
  }),
]);

export async function startLeads(pageId: string): Promise<FakeLeads> {
  let generation = 1;
  let subscribed: string[] = [];

  /** A page of a list, with the place behind it. */
  function pageOf(list: FakeLeads['stuck'], all: readonly unknown[], query: URLSearchParams): object {
    const isStuck = fake.stuck === list;
    const limit = Number(query.get('limit') ?? 25);
    const given = query.get('after');
    if (given !== null && fake.forgetful-- > 0) generation++;
    const [known, from] = (given ?? `${generation}-0`).split('-').map(Number) as [number, number];
    if (known !== generation) return refusal(400, 100, 'Invalid cursor');
    const data = all.slice(from, from + limit);
    const after = isStuck ? `${generation}-0` : `${generation}-${from + limit}`;
    const next = from + limit < all.length || isStuck ? { next: `https://graph.facebook.com/next?after=${after}` } : {};
    return { data, ...(data.length > 0 && { paging: { cursors: { before: 'b', after }, ...next } }) };
  }

  function leadsOf(form: FakeForm, query: URLSearchParams): object {
    if (form.refused) return form.refused;
    const given = query.get('filtering');
    const since = given === null ? 0 : Filtering.parse(JSON.parse(given))[0].value;
    const timeOf = (lead: unknown) => Date.parse((lead as FakeLead).created_time) / 1000;
    // The newest first.
    const all = form.leads.filter((lead) => !(timeOf(lead) <= since)).toSorted((a, b) => timeOf(b) - timeOf(a));
    return pageOf('leads', all, query);
  }

  function answerTo(path: string, query: URLSearchParams): object | undefined {
    const form = fake.forms.get(path.replace('/leads', ''));
    if (path.endsWith('/leads') && form) return leadsOf(form, query);
    if (path === pageId) return { name: 'Kettle & Co', id: pageId };
    if (path === `${pageId}/subscribed_apps`) return { data: [{ id: '1', subscribed_fields: subscribed }] };
    if (path !== `${pageId}/leadgen_forms`) return undefined;
    const forms = [...fake.forms].map(([id, { name, questions }]) => ({ id, name, ...(questions && { questions }) }));
    return pageOf('leadgen_forms', forms, query);
  }

  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://meta.test');
    const path = pathname.replace('/v25.0/', '');
    fake.asked.push(path);
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      let answer: object;
      try {
        if (!pathname.startsWith('/v25.0/')) throw new Error('no version');
        if (request.headers.authorization !== `Bearer ${TOKEN}`) answer = refusal(401, 190, 'Invalid token');
        else if (request.method === 'POST') {
          const wanted = z.strictObject({ subscribed_fields: z.literal('leadgen') }).parse(JSON.parse(text));
          subscribed = [wanted.subscribed_fields];
          answer = { success: true };
        } else answer = answerTo(path, searchParams) ?? refusal(400, 100, 'Unsupported get request', 33);
      } catch (error) {
        fake.violations.push(`${request.method} ${request.url}: ${String(error)}`);
        answer = refusal(400, 100, 'Invalid parameter');
      }
      const { status = 200, ...rest } = answer as { status?: number };
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(rest));
    });
  });

  const fake: FakeLeads = {
    root: '',
    forms: new Map(),
    asked: [],
    violations: [],
    forgetful: 0,
    async deliver(address, body) {
      const bytes = JSON.stringify(body);
      const answer = await fetch(address, { method: 'POST', headers: signed(bytes), body: bytes });
      await answer.arrayBuffer();
      return answer.status;
    },
    close: () => endServer(server),
  };
  return Object.assign(fake, { root: await listenHere(server) });
}
