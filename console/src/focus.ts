import { useLayoutEffect, useState } from 'preact/hooks';

export type Find = () => HTMLElement | null | undefined;

/** Gives the focus to what is found once everything that was asked for is drawn: before the next key, which belongs there. */
export function useFocus(): (find: Find) => void {
  const [wish, setWish] = useState<{ readonly find: Find } | undefined>();
  useLayoutEffect(() => {
    wish?.find()?.focus();
  }, [wish]);
  return (find) => setWish({ find });
}

/** Whoever is in the middle of a word keeps the focus. */
export function isTyping(element: Element | null): boolean {
  return element !== null && element.matches('input:not([type=checkbox]), textarea, select');
}
