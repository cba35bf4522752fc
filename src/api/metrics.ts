import type { RequestHandler } from 'express';
import { Counter, Gauge, Registry } from 'prom-client';
import type { Gateway } from '../core/gateway.ts';
import { readHealth } from './health.ts';

const HOUR_MS = 3_600_000;

export interface Metrics {
  /** Counts the answers of every request. */
  readonly count: RequestHandler;
  /** In the text format of Prometheus. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** What operators watch, read from the store when asked, so that it survives restarts and holds for all processes. */
export function createMetrics(gateway: Gateway): Metrics {
  const { store, clock } = gateway;
  const registry = new Registry();
  const registers = [registry];

  const requests = new Counter({
    name: 'tributary_http_requests_total',
    help: 'Requests answered by the API and the console since the process started',
    labelNames: ['method', 'status'],
    registers,
  });

  const tasks = new Gauge({
    name: 'tributary_tasks',
    help: 'Tasks of the outbox',
    labelNames: ['endpoint', 'state'],
    registers,
  });
  const oldest = new Gauge({
    name: 'tributary_task_age_seconds',
    help: 'Age of the oldest task that waits',
    labelNames: ['endpoint'],
    registers,
  });
  const events = new Gauge({
    name: 'tributary_events_last_hour',
    help: 'Events written for what was received within the last hour',
    labelNames: ['outcome'],
    registers,
  });
  const balanced = new Gauge({
    name: 'tributary_ledger_balanced',
    help: '1 when every unit received within the last hour has its event',
    registers,
  });
  const health = new Gauge({
    name: 'tributary_endpoint_state',
    help: '1 for the state that an endpoint is in',
    labelNames: ['endpoint', 'role', 'state'],
    registers,
  });
  const changes = new Gauge({ name: 'tributary_changes', help: 'Position of the change feed', registers });
  const memory = new Gauge({ name: 'process_resident_memory_bytes', help: 'Memory of the process', registers });

  async function collect(): Promise<void> {
    const now = clock.now();
    const [backlog, balance, last, healthOf] = await Promise.all([
      store.read.backlog(),
      store.read.balance(now - HOUR_MS, now),
      store.read.lastChange(),
      readHealth(gateway),
    ]);
    for (const gauge of [tasks, oldest, events, health]) gauge.reset();
    for (const { endpointId: endpoint, waiting, dead, oldestAt } of backlog) {
      tasks.set({ endpoint, state: 'waiting' }, waiting);
      tasks.set({ endpoint, state: 'dead' }, dead);
      if (oldestAt !== null) oldest.set({ endpoint }, Math.max(0, now - oldestAt) / 1000);
    }
    for (const [outcome, count] of Object.entries(balance.outcomes)) events.set({ outcome }, count);
    balanced.set(balance.balanced ? 1 : 0);
    for (const endpoint of gateway.endpoints.all()) {
      health.set({ endpoint: endpoint.id, role: endpoint.role, state: healthOf(endpoint).state }, 1);
    }
    changes.set(last);
    memory.set(process.memoryUsage.rss());
  }

  return {
    contentType: registry.contentType,
    count(request, response, next) {
      response.on('finish', () => requests.inc({ method: methodOf(request.method), status: response.statusCode }));
      next();
    },
    async text() {
      await collect();
      return registry.metrics();
    },
  };
}

/** A label must not grow with what strangers send. */
function methodOf(method: string): string {
  return ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS'].includes(method) ? method : 'other';
}
