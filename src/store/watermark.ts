import { readFileSync, writeFileSync } from 'node:fs';

/**
 * Remembers beside the database how far the change feed had come. A database that was put back, or that
 * lost its write-ahead log, opens without complaint and is simply older: this is how it shows.
 */
export function createWatermark(file: string): {
  /** The highest position seen by earlier runs. */
  readonly seen: number;
  note(seq: number): void;
  /** Writes what was noted, if anything was. */
  flush(): void;
} {
  const seen = read(file);
  let noted = seen;
  let written = seen;
  return {
    seen,
    note(seq) {
      if (seq > noted) noted = seq;
    },
    flush() {
      if (noted === written) return;
      writeFileSync(file, `${noted}\n`, { mode: 0o600 });
      written = noted;
    },
  };
}

function read(file: string): number {
  try {
    const value = Number(readFileSync(file, 'utf8'));
    return Number.isSafeInteger(value) ? value : 0;
  } catch {
    return 0;
  }
}
