import { createCell } from './cell.ts';

/** What comes within this time is told in one sentence. */
const GATHER_MS = 1500;

/** Tells screen readers what has arrived, without a sentence for every message. */
export function createSpeaker(sentence: (count: number, last: string) => string) {
  const spoken = createCell('');
  let count = 0;
  let last = '';
  return {
    spoken,
    hear(name: string): void {
      last = name;
      if (++count > 1) return;
      setTimeout(() => {
        spoken.set(sentence(count, last));
        count = 0;
      }, GATHER_MS);
    },
  };
}
