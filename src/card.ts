import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the command line finds the gateway by: a file in the data folder, for this user only. */
export interface Card {
  /** Lies there again when another process on the same folder, which has stopped, took it away. */
  renew(): void;
  remove(): void;
}

export function writeCard(dataDir: string, found: { readonly url: string; readonly token: string }): Card {
  const file = join(dataDir, 'gateway.json');
  const text = `${JSON.stringify({ ...found, pid: process.pid })}\n`;
  const write = () => {
    writeFileSync(file, text, { mode: 0o600 });
  };
  write();
  return {
    renew() {
      if (!existsSync(file)) write();
    },
    remove() {
      if (existsSync(file) && readFileSync(file, 'utf8') === text) rmSync(file, { force: true });
    },
  };
}
