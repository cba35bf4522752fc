import type { ItemInput } from './envelope.ts';
import { textOf } from './errors.ts';

/**
 * Turns each element of a batch into items; one that throws becomes a `broken` item and the rest goes
 * on. An element that yields nothing must say so with an `ignored` item: nothing vanishes.
 */
export function each<T>(
  list: readonly T[],
  toItem: (element: T, index: number) => ItemInput | ItemInput[],
): ItemInput[] {
  return list.flatMap((element, index) => {
    try {
      return toItem(element, index);
    } catch (error) {
      return { kind: 'broken' as const, at: `/${index}`, error: textOf(error).slice(0, 4000) };
    }
  });
}
