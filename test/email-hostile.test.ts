import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createReader } from '../src/connectors/email/read.ts';
import { createOffload } from '../src/offload.ts';
import type { Offload } from '../src/offload.ts';
import { fakeLog } from './fakes/context.ts';
import { openFiling, type Filing } from './fakes/filing.ts';
import { hostileMails } from './fakes/hostile-mail.ts';

const MAILS = 500;
const AT_ONCE = 8;
/** What other work may be held up by, milliseconds; the worst of these mails take many seconds to read. */
const MOST_LAG = 1000;

interface Sample {
  readonly kind: string;
  readonly bytes: Buffer;
}

const ordinaryMails = (count: number): Sample[] =>
  Array.from({ length: count }, (_, at) => ({
    kind: 'ordinary',
    bytes: Buffer.from(`From: a${at}@example.test\r\nSubject: Hello\r\n\r\n${'A line of text.\r\n'.repeat(20)}`),
  }));

describe('mail that attacks its reader', function () {
  let offload: Offload;
  let filing: Filing;

  before(async () => {
    offload = createOffload({ log: fakeLog(), size: 2 });
    const channel = createReader({ address: 'support@example.com', aliases: [] }, { offload: offload.run });
    filing = await openFiling({ threads: 'topic', channel });
  });
  after(async () => {
    await offload.close();
    await filing.close();
  });

  async function lagWhile(work: () => Promise<unknown>): Promise<number> {
    const delay = monitorEventLoopDelay({ resolution: 10 });
    delay.enable();
    await work();
    delay.disable();
    return delay.max / 1e6;
  }

  const receive = (body: Buffer) =>
    filing.intake.receive({
      endpointId: 'mail',
      receivedAt: filing.clock.now(),
      method: 'STREAM',
      url: '',
      headers: {},
      body,
    });

  async function readAll(mails: readonly Sample[], outcomes: Map<string, number>, slow: string[]): Promise<void> {
    const left = mails.values();
    const lane = async () => {
      for (const { kind, bytes } of left) {
        const began = performance.now();
        const [item] = (await receive(bytes)).items;
        if (performance.now() - began > 5000) slow.push(`${kind} (${bytes.length})`);
        outcomes.set(item!.outcome, (outcomes.get(item!.outcome) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  }

  it('becomes a message or is set aside, each one of them, and other work goes on meanwhile', async () => {
    const slow: string[] = [];
    const outcomes = new Map<string, number>();
    // Ordinary mail first: what this machine, its disk and its other work hold us up by anyway.
    const ordinary = await lagWhile(() => readAll(ordinaryMails(MAILS), new Map(), []));
    const lag = await lagWhile(() => readAll(hostileMails(MAILS), outcomes, slow));

    const said = `at most ${lag.toFixed(0)} ms of lag, with ordinary mail ${ordinary.toFixed(0)} ms`;
    process.stdout.write(`      ${said}; ${JSON.stringify(Object.fromEntries(outcomes))}; slow: ${slow.join(', ')}\n`);
    assert.ok(lag - ordinary <= MOST_LAG, said);
    for (const outcome of outcomes.keys()) {
      assert.ok(['ticket_created', 'appended', 'quarantined'].includes(outcome), outcome);
    }
    assert.ok((outcomes.get('quarantined') ?? 0) < MAILS / 10, 'most of it can be read all the same');
    const { received, balanced } = await filing.store.read.balance(0, Number.MAX_SAFE_INTEGER);
    assert.deepEqual({ received, balanced }, { received: 2 * MAILS, balanced: true });
  });
});
