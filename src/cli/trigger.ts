import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { clean, CommandError, toTable, USAGE } from './cli.ts';
import type { Cli, EndpointSettings } from './cli.ts';
import type { Answer, Client } from './client.ts';
import { allOf } from './lists.ts';
import { createSigner } from './signer.ts';

/** Really signed requests to the running gateway's own public routes: what a vendor or a visitor would send. */

export interface TriggerOptions {
  readonly channel?: string;
  readonly count?: number;
  /** Requests per second. */
  readonly rate?: number;
  /** `key=value`, dots reach into groups. */
  readonly set: readonly string[];
  readonly invalidSignature?: boolean;
}

interface Scenario {
  readonly summary: string;
  /** Types of channels that it can be sent to, the first one found is taken. */
  readonly types: readonly string[];
  readonly count: number;
  readonly forged?: boolean;
  /** The body of each request. */
  readonly bodies: (run: string, count: number) => readonly object[];
}

type Body = Record<string, unknown>;

const message = (run: string, number: number, more: Body = {}): Body => ({
  id: `${run}-${number}`,
  from: { id: `visitor-${run}`, name: 'Олена', email: 'olena@example.com' },
  subject: 'Замовлення 4512',
  text: 'Добрий день! Коли приїде моє замовлення 4512?',
  fields: { order: '4512' },
  ...more,
});

const entry = (run: string, number: number): Body => ({
  id: `${run}-${number}`,
  name: 'Олена',
  email: 'olena@example.com',
  message: 'Добрий день! Коли приїде моє замовлення 4512?',
  page: 'https://shop.example.com/orders/4512',
});

const repeat = (count: number, make: (index: number) => object) =>
  Array.from({ length: count }, (_, index) => make(index));

export const scenarios: Readonly<Record<string, Scenario>> = {
  form: {
    summary: 'a visitor fills in the contact form',
    types: ['form'],
    count: 1,
    bodies: (run, count) => repeat(count, (index) => entry(run, index)),
  },
  webhook: {
    summary: 'a signed message in the native shape',
    types: ['webhook'],
    count: 1,
    bodies: (run, count) => repeat(count, (index) => message(run, index)),
  },
  duplicate: {
    summary: 'the same message five times: one ticket',
    types: ['webhook'],
    count: 5,
    bodies: (run, count) => repeat(count, () => message(run, 0, { occurredAt: undefined })),
  },
  conversation: {
    summary: 'three messages of one thread: one ticket',
    types: ['webhook'],
    count: 3,
    bodies: (run, count) =>
      repeat(count, (index) => message(run, index, { thread: run, text: LINES[index % LINES.length] ?? '' })),
  },
  batch: {
    summary: 'three messages in one request, one of them broken: the others go on',
    types: ['webhook'],
    count: 1,
    bodies: (run, count) =>
      repeat(count, (index) => [
        message(run, index * 3),
        { id: `${run}-${index * 3 + 1}`, from: 5, text: { no: 'text' } },
        message(run, index * 3 + 2),
      ]),
  },
  forged: {
    summary: 'a message with a wrong signature: refused',
    types: ['webhook'],
    count: 1,
    forged: true,
    bodies: (run, count) => repeat(count, (index) => message(run, index)),
  },
  burst: {
    summary: 'many customers at once (--count 100 --rate 50)',
    types: ['webhook', 'form'],
    count: 100,
    bodies: (run, count) =>
      repeat(count, (index) => ({
        ...message(run, index),
        ...entry(run, index),
        from: { id: `${run}-${index}`, name: `Visitor ${index}` },
        email: `visitor-${index}@example.com`,
      })),
  },
};

const LINES = [
  'Добрий день! Замовлення 4512 ще не приїхало.',
  'Номер накладної 20450000000000.',
  'Дякую, чекаю на відповідь.',
];

const MOST_AT_ONCE = 16;

/** Sends a scenario, then shows what the gateway answered and what became of it. Returns the exit code. */
export async function trigger(
  cli: Cli,
  client: Client,
  site: { readonly channels: readonly EndpointSettings[]; readonly publicUrl: string | undefined },
  name: string,
  options: TriggerOptions,
): Promise<number> {
  const scenario = Object.hasOwn(scenarios, name) ? scenarios[name] : undefined;
  if (!scenario) {
    throw new CommandError(`there is no scenario ${clean(name)}`, {
      code: USAGE,
      remedy: `There are: ${Object.keys(scenarios).join(', ')}.`,
    });
  }
  const channel = chooseChannel(site.channels, scenario, options.channel);
  const run = `trigger-${randomUUID().slice(0, 8)}`;
  const forged = scenario.forged === true || options.invalidSignature === true;
  const sign = createSigner(channel, { forged, publicUrl: site.publicUrl ?? client.url, clock: cli.clock });
  const bodies = scenario.bodies(run, options.count ?? scenario.count).map((body) => withValues(body, options.set));
  const path = channel.type === 'form' ? `/forms/${channel.id}` : `/webhooks/${channel.id}`;
  cli.say(`${bodies.length} × POST ${client.url}${path}`);
  const startedAt = cli.clock.now();
  const answers = await sendAll(cli, bodies, options.rate, (body) => {
    const bytes = Buffer.from(JSON.stringify(body));
    const headers = { 'content-type': 'application/json', accept: 'application/json', ...sign(bytes) };
    return client.send({ method: 'POST', path, headers, body: bytes });
  });
  const tookMs = cli.clock.now() - startedAt;
  const events = await eventsOf(client, channel.id, startedAt);
  const tickets = await ticketsOf(client, events);
  const statuses = countBy(answers.map(({ status }) => String(status)));
  const result = {
    channel: channel.id,
    sent: bodies.length,
    tookMs,
    statuses,
    outcomes: countBy(events.map(({ outcome }) => outcome)),
    tickets,
  };
  cli.show(result, () => report(cli, result, answers));
  const expected = (status: number) => (forged ? status === 401 : status >= 200 && status < 300);
  return answers.every(({ status }) => expected(status)) ? 0 : 1;
}

function chooseChannel(
  channels: readonly EndpointSettings[],
  scenario: Scenario,
  id: string | undefined,
): EndpointSettings {
  const fitting = scenario.types.flatMap((type) =>
    channels.filter((channel) => channel.type === type && channel.enabled),
  );
  const channel = id === undefined ? fitting[0] : fitting.find((each) => each.id === id);
  if (channel) return channel;
  const types = scenario.types.join(' or ');
  const text =
    id === undefined
      ? `no channel of type ${types} is configured`
      : `${clean(id)} is no channel of type ${types} in the configuration file`;
  const remedy =
    fitting.length > 0
      ? `There are: ${fitting.map((each) => each.id).join(', ')}.`
      : 'Write one into config/tributary.yaml (`npx tributary init` does), then start the gateway again. Channels made over the API keep their secrets to themselves.';
  throw new CommandError(text, { remedy });
}

/** A copy of a body with `key=value` settings; in a batch, in each element. */
function withValues(body: object, settings: readonly string[]): unknown {
  if (Array.isArray(body)) return body.map((each: object) => withValues(each, settings));
  return settings.reduce<unknown>((node, setting) => {
    const [, key = '', value = ''] = /^([A-Za-z0-9_.-]{1,200})=(.*)$/s.exec(setting) ?? [];
    const parts = key.split('.');
    if (!key || parts.some((part) => !part || ['__proto__', 'constructor', 'prototype'].includes(part))) {
      throw new CommandError('--set takes key=value', {
        code: USAGE,
        remedy: 'For example: --set text=Hello --set from.name=Ivan',
      });
    }
    return withValue(node, parts, value);
  }, body);
}

function withValue(node: unknown, [part = '', ...rest]: readonly string[], value: string): unknown {
  const group = typeof node === 'object' && node !== null && !Array.isArray(node) ? (node as Body) : {};
  return { ...group, [part]: rest.length === 0 ? value : withValue(group[part], rest, value) };
}

/** Sends at the rate asked for, or as fast as the answers come, at most 16 at a time. Answers keep the order of sending. */
async function sendAll(
  { clock }: Cli,
  bodies: readonly unknown[],
  rate: number | undefined,
  send: (body: unknown) => Promise<Answer>,
): Promise<Answer[]> {
  const startedAt = clock.now();
  const sent: Promise<Answer>[] = [];
  const running = new Set<Promise<Answer>>();
  const most = rate === undefined && bodies.length <= 10 ? 1 : MOST_AT_ONCE;
  for (const [index, body] of bodies.entries()) {
    const wait = rate === undefined ? 0 : startedAt + (index * 1000) / rate - clock.now();
    if (wait > 0) await clock.sleep(wait);
    if (running.size >= most) await Promise.race(running);
    const answer = send(body);
    const settled = () => void running.delete(answer);
    running.add(answer);
    answer.then(settled, settled);
    sent.push(answer);
  }
  return await Promise.all(sent);
}

const Event = z.object({ outcome: z.string(), reason: z.string().nullable(), ticketId: z.string().nullable() });
const Ticket = z.object({ id: z.string(), number: z.number(), subject: z.string(), messageCount: z.number() });
type Event = z.output<typeof Event>;
type Ticket = z.output<typeof Ticket>;

async function eventsOf(client: Client, endpoint: string, startedAt: number): Promise<Event[]> {
  const since = new Date(startedAt).toISOString();
  return z.array(Event).parse(await allOf(client, '/events', { endpoint, since }));
}

const MOST_TICKETS = 10;

async function ticketsOf(client: Client, events: readonly Event[]): Promise<Ticket[]> {
  const ids = new Set(events.flatMap(({ ticketId }) => (ticketId ? [ticketId] : [])));
  const tickets: Ticket[] = [];
  for (const id of [...ids].slice(0, MOST_TICKETS)) {
    tickets.push(Ticket.parse(await client.call('GET', `/tickets/${encodeURIComponent(id)}`)));
  }
  return tickets;
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries(counts);
}

function report(
  cli: Cli,
  {
    tookMs,
    statuses,
    outcomes,
    tickets,
  }: { tookMs: number; statuses: Record<string, number>; outcomes: Record<string, number>; tickets: readonly Ticket[] },
  answers: readonly Answer[],
): string {
  const list = (counts: Record<string, number>) =>
    Object.entries(counts)
      .map(([name, count]) => `${count} × ${name}`)
      .join(', ') || 'none';
  const refused = answers.find(({ status }) => status >= 400);
  return [
    `answered  ${list(statuses)} in ${tookMs} ms`,
    ...(refused ? [`refused   ${clean(refused.body.toString('utf8')).slice(0, 300)}`] : []),
    `ledger    ${list(outcomes)}`,
    ...(tickets.length > 0
      ? [
          toTable(
            cli,
            ['ticket', 'messages', 'subject'],
            tickets.map(({ number, messageCount, subject }) => [`#${number}`, messageCount, subject]),
          ),
        ]
      : []),
  ].join('\n');
}
