/** One of the writers of a file has it: they are threads of one process, each with a connection of its own. */
export interface Baton {
  /** Resolves when it is ours. Whoever asks first gets it first: SQLite's own waiting would let one starve. */
  take(): Promise<void>;
  give(): void;
}

/** The next number to be drawn, and the one whose turn it is. */
const NEXT = 0;
const TURN = 1;

/** What the threads share. */
export function newBaton(): SharedArrayBuffer {
  return new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
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
  };
}
