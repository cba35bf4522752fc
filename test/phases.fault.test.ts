import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { signStandardWebhook } from '../src/core/signature.ts';
import { startReceiver } from './fakes/receiver.ts';
import { INTAKE_SECRET, startWhole } from './fakes/whole.ts';
import { until } from './fakes/until.ts';

/** Statements from the arrival of a message to the end of its deliveries, a few more than there are. */
const STATEMENTS = 96;
/** Every so many: all of them would take minutes. */
const STEP = 8;

const script = fileURLToPath(new URL('fakes/mortal-gateway.mjs', import.meta.url));
const body = JSON.stringify({ id: 'm-1', thread: 't-1', from: { id: 'u-1' }, text: 'survive' });

async function post(url: string): Promise<number | undefined> {
  const signed = signStandardWebhook([INTAKE_SECRET], { id: 'd1', timestampSec: Math.floor(Date.now() / 1000), body });
  return fetch(`${url}/webhooks/intake`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...signed },
    body,
  }).then(
    (answer) => answer.status,
    () => undefined,
  );
}

describe('a gateway killed between two statements', () => {
  for (let dieAfter = 1; dieAfter <= STATEMENTS; dieAfter += STEP) {
    it(`ends as if nothing had happened, after statement ${dieAfter}`, async function () {
      const receiver = await startReceiver();
      const yaml =
        `destinations:\n  - { id: crm, type: webhook, url: "${receiver.origin}/hooks", secret: "${INTAKE_SECRET}" }\n` +
        `routes:\n  - { to: [crm] }\n`;
      const whole = await startWhole({ yaml });
      try {
        await whole.running.close();
        const env = {
          ...process.env,
          PORT: '0',
          TRIBUTARY_CONFIG: join(whole.folder, 'tributary.yaml'),
          DATA_DIR: join(whole.folder, 'data'),
        };
        const child = fork(script, { env: { ...env, DIE_AFTER: String(dieAfter) }, execArgv: [] });
        const [url] = (await once(child, 'message')) as [string];
        child.send('arm');
        await once(child, 'message');
        const acknowledged = (await post(url)) === 200;
        // Deliveries go on behind the answer; if there were fewer statements than that, it ends by itself.
        const ended = once(child, 'exit');
        await Promise.race([ended, sleep(1500)]);
        child.kill('SIGKILL');
        await ended;

        await whole.restart();
        const stored = await whole.api<{ data: { id: string; messageCount: number }[] }>('/tickets');
        if (acknowledged) assert.equal(stored.data.length, 1, 'acknowledged means stored');
        assert.equal(await post(whole.running.url), 200, 'the sender comes again');
        const { data } = await whole.api<typeof stored>('/tickets');
        assert.deepEqual(
          data.map((ticket) => ticket.messageCount),
          [1],
        );
        assert.equal((await whole.api<{ balanced: boolean }>('/events/balance')).balanced, true);

        await until(async () => {
          const open = await whole.api<{ data: { state: string }[] }>('/deliveries?limit=50');
          return open.data.every((each) => each.state === 'delivered');
        }, 'everything is delivered');
        const events = receiver.requests.map((request) => ({
          id: String(request.headers['webhook-id']),
          type: (JSON.parse(request.body.toString()) as { type: string }).type,
        }));
        const heard = new Map(events.map(({ id, type }) => [id, type]));
        assert.deepEqual([...heard.values()].sort(), ['customer.created', 'message.received', 'ticket.created']);
      } finally {
        await whole.close().catch(() => undefined);
        await receiver.close();
      }
    });
  }
});
