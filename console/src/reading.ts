import { useEffect, useState } from 'preact/hooks';
import { ApiFailure } from './api.ts';
import type { Page } from './views.ts';

export interface Reading<T> {
  /** The last that could be read. */
  readonly value?: T;
  /** HTTP status of why there is nothing newer; 0 when nothing was answered. */
  readonly failed?: number;
}

/** What the gateway answers, read anew whenever `beat` changes. Another `name` is another matter: it begins empty. */
export function useReading<T>(read: () => Promise<T>, name: string, beat: string): Reading<T> {
  const [reading, setReading] = useState<Reading<T> & { readonly name: string }>({ name });
  useEffect(() => {
    let isWanted = true;
    read().then(
      (value) => {
        if (isWanted) setReading({ name, value });
      },
      (error: unknown) => {
        const failed = error instanceof ApiFailure ? error.status : 0;
        if (isWanted) setReading((before) => ({ ...(before.name === name ? before : { name }), failed }));
      },
    );
    return () => {
      isWanted = false;
    };
  }, [name, beat]);
  return reading.name === name ? reading : {};
}

/** The first pages of a list as one. */
export async function readPages<T>(
  read: (cursor: string | undefined) => Promise<Page<T>>,
  count: number,
): Promise<Page<T>> {
  const data: T[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < count; page++) {
    const { data: more, nextCursor } = await read(cursor);
    data.push(...more);
    if (nextCursor === null) return { data, nextCursor };
    cursor = nextCursor;
  }
  return { data, nextCursor: cursor ?? null };
}
