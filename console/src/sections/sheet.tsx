import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { useParts, useTexts } from '../parts.ts';
import { ago } from '../ago.ts';
import { longTime } from '../time.ts';

/** A page of its own beside the inbox. Whoever comes to it is at its heading. */
export function Sheet({
  title,
  children,
}: {
  readonly title: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  // Before the next frame: whoever goes back to his row is there after it.
  useLayoutEffect(() => {
    heading.current?.focus({ preventScroll: true });
  }, []);
  return (
    <section class="sheet" aria-labelledby="sheet">
      <h1 id="sheet" ref={heading} tabIndex={-1} dir="auto">
        {title}
      </h1>
      {children}
    </section>
  );
}

/** A part of it, with a heading. */
export function Block(given: {
  readonly id: string;
  readonly title: string;
  readonly hint?: string;
  readonly tools?: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  const { id, title, hint, tools, children } = given;
  return (
    <section class="block" aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {tools}
      </header>
      {hint !== undefined && <p class="hint">{hint}</p>}
      {children}
    </section>
  );
}

/** How long ago, and on asking when. */
export function Ago({ at }: { readonly at: string | null }) {
  const { t, language } = useTexts();
  if (at === null) return <span class="never">{t.health.never}</span>;
  return (
    <time dateTime={at} title={longTime(at, language)}>
      {ago(at, Date.now(), language)}
    </time>
  );
}

/** Instead of a page that could not be read, or that there isn't. */
export function Missing({ text }: { readonly text: string | undefined }) {
  const { endpoints, route } = useParts();
  const { t } = useTexts();
  const { section } = route.place.get();
  return (
    <section class="sheet">
      <h1>
        <a {...route.link({ id: undefined })}>{t.sections[section]}</a>
      </h1>
      <div class="empty">
        <p>{text ?? t.empty.broken}</p>
        {text === undefined && <button onClick={() => void endpoints.refresh()}>{t.empty.again}</button>}
      </div>
    </section>
  );
}
