import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createAssembly } from '../src/connectors/asterisk/assembly.ts';
import { recordsSince } from '../src/connectors/asterisk/records.ts';
import { channel, told } from './fakes/asterisk.ts';
import { fakeContext } from './fakes/context.ts';

const block = (event: Readonly<Record<string, string>>) =>
  new Map(Object.entries(event).map(([key, value]) => [key.toLowerCase(), value]));

describe('What is kept of an Asterisk', () => {
  it('is bounded, whatever never ends', () => {
    const assembly = createAssembly([]);
    for (let nth = 0; nth < 5000; nth++) assembly.take(block(told.begins(channel('PJSIP/provider', nth))), nth);
    const first = channel('PJSIP/provider', 0);
    for (let nth = 5000; nth < 6000; nth++) {
      assembly.take(block(told.begins(channel('PJSIP/101', nth, { of: first }))), nth);
    }
    const legs = assembly.open().reduce((sum, call) => sum + call.legs.length, 0);
    assert.ok(legs <= 1000, `${legs} channels`);
  });

  it('goes on with a call that was over when somebody new comes into it', () => {
    const assembly = createAssembly([]);
    const first = channel('PJSIP/provider', 1);
    const later = channel('PJSIP/101', 2);
    for (const event of [told.begins(first), told.ends(first), told.begins(later)]) assembly.take(block(event), 1);
    assembly.take(block(told.enters(later, first.Linkedid)), 2);
    assert.deepEqual(
      assembly.open().map(({ id, ended, legs }) => [id, ended, legs.length]),
      [[first.Uniqueid, undefined, 2]],
    );
  });

  it('asks of the records only calls that were over since then, in any time zone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tributary-records-'));
    try {
      const file = join(folder, 'cdr.csv');
      const row = (second: number, local: string, duration: number) =>
        `+380501234567,044,PJSIP/p-1,,Dial,${local},${duration},0,NO ANSWER,${second}.1,${second}.1\n`;
      const head = 'src,dst,channel,dstchannel,lastapp,start,duration,billsec,disposition,uniqueid,linkedid\n';
      const [old, long, late] = [1_700_000_000, 1_700_000_010, 1_700_000_500];
      const rows = [
        row(late, '2023-11-15 04:21:40', 5),
        row(old, '2023-11-15 04:13:20', 9),
        row(long, '2023-11-15 04:13:30', 300),
      ];
      writeFileSync(file, `${head}${rows.join('')}${row(late + 1, 'cut', 5).slice(0, 30)}`);
      const found: string[] = [];
      const since = (old + 100) * 1000;
      for await (const { body } of recordsSince(
        { file: basename(file) },
        fakeContext({ folder: dirname(file) }),
        since,
        new AbortController().signal,
      )) {
        found.push((JSON.parse(body.toString()) as { call: { id: string } }).call.id);
      }
      assert.deepEqual(found, [`${long}.1`, `${late}.1`]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
