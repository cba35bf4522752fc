/** One of the writers of a file has it: they are threads of one process, each with a connection of its own. */
export interface Baton {
  /** Resolves when it is ours. Whoever asks first gets it first: SQLite's own waiting would let one starve. */
  take(): Promise<void>;
  give(): void;
  /** How many commits changed rows that a writer may remember. */
  changes(): number;
  /** Counts one more; only for whoever has the baton. */
  addChange(): number;
}

/** The next number to be drawn, the one whose turn it is, and the commits that others must hear of. */
const NEXT = 0;
const TURN = 1;
const CHANGES = 2;

/** What the threads share. */
export function newBaton(): SharedArrayBuffer {
  return new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT);
}

export function batonOf(shared: SharedArrayBuffer): Baton {
  const numbers = new Int32Array(shared);
  return {
    async take() {
      const mine = Atomics.add(numbers, NEXT, 1);
      for (let turn = Atomics.load(numbers, TURN); turn !== mine; turn = Atomics.load(numbers, TURN)) {
        // Not `Atomics.wait`: meanwhile this thread goes on with everything else.
        await Atomics.waitAsync(numbers, TURN, turn).value;
      }
    },
    give() {
      Atomics.add(numbers, TURN, 1);
      Atomics.notify(numbers, TURN);
    },
    changes: () => Atomics.load(numbers, CHANGES),
    addChange: () => Atomics.add(numbers, CHANGES, 1) + 1,
  };
}
