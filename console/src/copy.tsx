import { useState } from 'preact/hooks';
import { useTexts } from './parts.ts';

/** Copies a text, where the browser lets a page do that. `what` says to a screen reader what it is. */
export function Copy({ text, what }: { readonly text: string; readonly what?: string }) {
  const { t } = useTexts();
  const [done, setDone] = useState(false);
  if (!('clipboard' in navigator)) return null;
  const copy = () => {
    navigator.clipboard.writeText(text).then(
      () => {
        setDone(true);
      },
      () => undefined,
    );
  };
  const label = done ? t.empty.copied : t.empty.copy;
  return (
    <button onClick={copy} aria-label={what === undefined ? undefined : `${label}: ${what}`}>
      {label}
    </button>
  );
}
