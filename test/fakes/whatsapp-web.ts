import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { until } from './until.ts';

export const STAND_IN = fileURLToPath(new URL('./whatsapp-web.cjs', import.meta.url));
export const SELF = '380440000000@c.us';

/** What a stand-in for the library says of what was done with it. */
export type Said = Readonly<Record<string, unknown>> & { readonly began?: number; readonly line: number };

/** Tells the stand-ins in the browser's processes what to do, and hears what was asked of them. */
export interface FakePage {
  /** The channel's folder. */
  readonly folder: string;
  /** Everything, by which process (from 1). */
  readonly said: readonly Said[];
  /** The nth process has opened its page. */
  opened(nth: number): Promise<number>;
  tell(order: object): void;
  /** Changes what the page is, or holds; resolves once it is so. */
  set(values: object): Promise<void>;
  emit(event: string, ...args: unknown[]): void;
  close(): Promise<void>;
}

export async function startPage(folder = mkdtempSync(join(tmpdir(), 'wweb-'))): Promise<FakePage> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const sockets: Socket[] = [];
  const said: Said[] = [];
  const server = createServer((socket) => {
    const line = sockets.push(socket);
    socket.on('error', () => undefined);
    const lines = createInterface(socket);
    lines.on('error', () => undefined);
    lines.on('line', (text) => said.push({ ...(JSON.parse(text) as object), line }));
  });
  server.listen(join(folder, 'test.sock'));
  await once(server, 'listening');
  const page: FakePage = {
    folder,
    said,
    opened: (nth) =>
      until(() => said.find(({ began, line }) => line === nth && began !== undefined)?.began, `page ${nth} is opened`),
    tell(order) {
      sockets.at(-1)?.write(`${JSON.stringify(order)}\n`);
    },
    async set(values) {
      const before = said.filter(({ obeyed }) => obeyed).length;
      page.tell({ set: values });
      await until(() => said.filter(({ obeyed }) => obeyed).length > before, 'the page has changed');
    },
    emit(emit, ...args) {
      page.tell({ emit, args });
    },
    async close() {
      for (const line of sockets) line.destroy();
      server.close();
      await once(server, 'close');
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return page;
}

let nth = 0;

/** What the library tells of a message; by a customer, unless it says otherwise. */
export function saying(body: string, more: Readonly<Record<string, unknown>> = {}) {
  const { remote = '380501234567@c.us', fromMe = false, id = `3EB0${++nth}`, ...rest } = more;
  const key = { fromMe, remote, id, _serialized: `${String(fromMe)}_${String(remote)}_${String(id)}` };
  const ends = fromMe ? { from: SELF, to: remote } : { from: remote, to: SELF };
  return { id: key, type: 'chat', body, timestamp: Math.floor(Date.now() / 1000), ...ends, ...rest };
}
