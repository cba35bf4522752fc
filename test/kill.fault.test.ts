import assert from 'node:assert/strict';
import { runSoak } from './suites/soak.ts';

describe('a gateway that is killed while it acknowledges', () => {
  it('loses nothing, doubles nothing and keeps the order of each ticket', async function () {
    const lines: string[] = [];
    const result = await runSoak({
      messages: 2000,
      threads: 100,
      kills: 8,
      seed: 20261122,
      report: (line) => lines.push(line),
    });
    const { lost, doubled, disordered, balance, acknowledged, kills } = result;
    assert.deepEqual(
      { lost, doubled, disordered, balanced: balance.balanced },
      { lost: [], doubled: [], disordered: [], balanced: true },
      lines.join('\n'),
    );
    assert.equal(acknowledged, 2000);
    assert.ok(kills > 0, 'it was never killed');
  });
});
