import { z } from 'zod';
import { HOUR_MS, quantileOf } from '../core/counts.ts';
import type { Count, Counted, Measure } from '../core/counts.ts';
import type { Gateway } from '../core/gateway.ts';
import { isTimeZone, momentOf, wordsOf } from '../core/local-time.ts';
import { toTime } from '../core/ticket.ts';
import { operation } from './operation.ts';
import type { Operation } from './operation.ts';
import { TimeText } from './schemas.ts';

const DAY_MS = 24 * HOUR_MS;

const Answered = z
  .object({
    total: z.number().int(),
    medianMs: z.number().int().nullable(),
    p90Ms: z.number().int().nullable(),
  })
  .meta({ description: 'First answers to customers, and how long they had waited for them: to within 5 %' });

const ByEndpoint = z.record(z.string(), z.number().int());

const Overview = z
  .object({
    interval: z.enum(['hour', 'day']),
    to: TimeText,
    countedUntil: TimeText.meta({
      description: 'What came before is in it; later than `to` minus two hours unless much is still to be counted',
    }),
    spans: z.array(
      z.object({
        from: TimeText,
        received: ByEndpoint.meta({ description: 'Messages of customers, by channel' }),
        opened: z.number().int().meta({ description: 'Tickets' }),
        answered: Answered,
        unsolved: z.number().int().nullable().meta({
          description: 'Tickets that waited at the end; null where nobody counted them',
        }),
      }),
    ),
    received: ByEndpoint,
    opened: z.number().int(),
    answered: Answered,
    unsolved: ByEndpoint.meta({ description: 'Tickets that wait now, by channel' }),
    deliveries: z
      .array(z.object({ destination: z.string(), delivered: z.number().int(), failed: z.number().int() }))
      .meta({ description: '`failed`: set aside, for a person to decide' }),
  })
  .meta({ id: 'Overview' });

export function reportOperation({ store, clock, endpoints }: Gateway): Operation {
  return operation({
    method: 'GET',
    path: '/reports/overview',
    scope: 'reports:read',
    tag: 'Reports',
    summary: 'Count what came in, was answered, waits and went out',
    description: 'A day by the hour; a week or a month by the days of a time zone, today being the last.',
    query: z.strictObject({
      span: z.enum(['day', 'week', 'month']).default('day'),
      zone: z
        .string()
        .max(64)
        .refine(isTimeZone, 'is no time zone')
        .default('UTC')
        .meta({ description: 'IANA name: `Europe/Kyiv`' }),
    }),
    answer: Overview,
    async handle({ query: { span, zone } }) {
      const now = clock.now();
      const edges = span === 'day' ? hoursBefore(now) : daysBefore(now, span === 'week' ? 7 : 30, zone);
      const { spans, unsolved, until } = await store.read.counts(edges);
      const all = spans.flatMap(({ counts }) => counts);
      const body: z.input<typeof Overview> = {
        interval: span === 'day' ? 'hour' : 'day',
        to: toTime(now),
        countedUntil: toTime(Math.min(now, until)),
        spans: spans.map(toSpan),
        received: byEndpoint(all, 'received'),
        opened: sumOf(of(all, 'opened')),
        answered: toAnswered(all),
        unsolved,
        deliveries: endpoints.all('destination').map(({ id }) => ({
          destination: id,
          delivered: byEndpoint(all, 'delivered')[id] ?? 0,
          failed: byEndpoint(all, 'failed')[id] ?? 0,
        })),
      };
      return { body };
    },
  });
}

/** The beginnings of the last 24 hours that have begun, and now. */
function hoursBefore(now: number): readonly number[] {
  const last = hourOf(now);
  return [...Array.from({ length: 24 }, (_hour, index) => last - (23 - index) * HOUR_MS), now];
}

/** The beginnings of today and the days before it by the clocks of a zone, to the hour; and now. */
function daysBefore(now: number, count: number, zone: string): readonly number[] {
  const today = Date.parse(wordsOf(now, zone).slice(0, 10));
  const days = Array.from({ length: count }, (_day, index) => {
    const day = new Date(today - (count - 1 - index) * DAY_MS).toISOString().slice(0, 10);
    return hourOf(momentOf(`${day} 00:00`, zone) ?? now);
  });
  return [...days, now];
}

function hourOf(ms: number): number {
  return Math.floor(ms / HOUR_MS) * HOUR_MS;
}

function toSpan({ from, counts, unsolved }: Counted): z.input<typeof Overview>['spans'][number] {
  return {
    from: toTime(from),
    received: byEndpoint(counts, 'received'),
    opened: sumOf(of(counts, 'opened')),
    answered: toAnswered(counts),
    unsolved: unsolved ?? null,
  };
}

function toAnswered(counts: readonly Count[]): z.input<typeof Answered> {
  const first = of(counts, 'answered');
  return { total: sumOf(first), medianMs: quantileOf(first, 0.5), p90Ms: quantileOf(first, 0.9) };
}

function of(counts: readonly Count[], measure: Measure): readonly Count[] {
  return counts.filter((count) => count.measure === measure);
}

function byEndpoint(counts: readonly Count[], measure: Measure): Record<string, number> {
  const found = of(counts, measure);
  const ids = [...new Set(found.map(({ endpointId }) => endpointId))];
  return Object.fromEntries(ids.map((id) => [id, sumOf(found.filter(({ endpointId }) => endpointId === id))]));
}

function sumOf(counts: readonly Count[]): number {
  return counts.reduce((sum, { total }) => sum + total, 0);
}
