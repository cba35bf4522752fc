import { useEffect, useState } from 'preact/hooks';

/** A value that can be watched. */
export interface Cell<T> {
  get(): T;
  set(next: T): void;
  /** Called after every change; returns what ends it. */
  watch(listener: () => void): () => void;
}

export function createCell<T>(first: T): Cell<T> {
  const listeners = new Set<() => void>();
  let value = first;
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const listener of [...listeners]) listener();
    },
    watch(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}

/** The value of a cell; the component is drawn again when it changes. */
export function useCell<T>(cell: Cell<T>): T {
  const [value, setValue] = useState(cell.get());
  useEffect(() => {
    const take = () => {
      setValue(() => cell.get());
    };
    // It may have changed between drawing and watching.
    take();
    return cell.watch(take);
  }, [cell]);
  return value;
}
