import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DestinationType } from '../../src/core/destination.ts';
import { createSmtp } from '../../src/http/smtp.ts';
import { fakeClock } from '../fakes/clock.ts';
import { sealedHttp } from '../fakes/context.ts';
import { decodeWords, headersOf, partsOf, startSink, type Delivered } from '../fakes/smtp.ts';
import { caseOf, open } from './destination-cases.ts';

/** Headers that say how it is written, not what. */
const FORM: ReadonlySet<string> = new Set(['mime-version', 'content-transfer-encoding', 'content-type']);

/** Plays a case against a mail server, and compares what that got with `mails.json`. */
export async function compareMails(kind: DestinationType, home: string, name: string): Promise<void> {
  const { settings, now, run, returns } = caseOf(home, name);
  const file = join(home, 'fixtures', name, 'mails.json');
  const sink = await startSink();
  try {
    const smtp = createSmtp({ clock: fakeClock(now), resolve: async () => '127.0.0.1' });
    const server = { host: '127.0.0.1', port: sink.port, secure: false };
    const destination = await open(kind, { ...settings, smtp: server }, { http: sealedHttp(), now, smtp });
    const result = await run(destination);
    if (returns !== undefined) assert.deepEqual(result ?? null, returns);
  } finally {
    await sink.close();
  }
  const mails = sink.mails.map(shown);
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(file, `${JSON.stringify(mails, null, 2)}\n`);
  else assert.deepEqual(mails, JSON.parse(readFileSync(file, 'utf8')));
}

function shown({ from, to, raw }: Delivered) {
  const headers = [...headersOf(raw)].filter(([name]) => !FORM.has(name));
  return {
    from,
    to: [...to],
    headers: Object.fromEntries(headers.map(([name, value]) => [name, decodeWords(value)])),
    parts: partsOf(raw).map((part) => ({
      type: part.headers.get('content-type') ?? '',
      text: part.content.toString().replaceAll('\r\n', '\n'),
    })),
  };
}
