import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { problemText } from '../../failure.ts';
import type { Reading } from '../../reading.ts';
import { Icon, iconOf } from '../../icons.tsx';
import { shortTime } from '../../time.ts';
import type { Moves } from './views.ts';
import { useWords } from './words.tsx';

/** Longest beginning of a message that helps to recognise it. */
const EXCERPT = 140;

/** Asks before something is done that moves people and their messages; `done` is what it is called. */
export function Asking(given: {
  readonly title: string;
  readonly done: string;
  readonly ready: boolean;
  readonly act: () => Promise<void>;
  readonly close: () => void;
  readonly children: ComponentChildren;
}) {
  const { title, done, ready, act, close, children } = given;
  const { t, c } = useWords();
  const dialog = useRef<HTMLDialogElement>(null);
  const [phase, setPhase] = useState<'asking' | 'acting'>('asking');
  const [problem, setProblem] = useState<string | undefined>();
  useLayoutEffect(() => {
    dialog.current?.showModal();
  }, []);
  const submit = async () => {
    setPhase('acting');
    setProblem(undefined);
    try {
      await act();
      dialog.current?.close();
    } catch (error) {
      setProblem(problemText(error, t));
      setPhase('asking');
    }
  };
  return (
    <dialog ref={dialog} class="wide" aria-labelledby="asking" onClose={close}>
      <h2 id="asking">{title}</h2>
      <form
        class="asking"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready && phase === 'asking') void submit();
        }}
      >
        {children}
        <p role="alert" class="problem">
          {problem}
        </p>
        <div class="actions">
          <button type="button" onClick={() => dialog.current?.close()}>
            {c.cancel}
          </button>
          <button class="button" disabled={!ready || phase === 'acting'}>
            {done}
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** What says so: kept with what is done. */
export function ReasonBox({ text, write }: { readonly text: string; readonly write: (text: string) => void }) {
  const { c } = useWords();
  return (
    <label>
      <span>{c.reason}</span>
      <input
        type="text"
        required
        maxLength={500}
        value={text}
        aria-describedby="reason-hint"
        onInput={(event) => write(event.currentTarget.value)}
      />
      <small id="reason-hint">{c.reasonHint}</small>
    </label>
  );
}

/** How much would move, and the newest of the messages. */
export function Preview({ reading, to }: { readonly reading: Reading<Moves>; readonly to?: string }) {
  const { t, c, language } = useWords();
  const { value, failed } = reading;
  const said = value && `${c.moves(value.identifiers, value.tickets, value.messages)}${to ? ` ${c.movesTo(to)}` : ''}.`;
  return (
    <>
      <p role="status" class="moves">
        {said ?? (failed === undefined ? c.counting : t.empty.broken)}
      </p>
      {value && value.newest.length > 0 && (
        <details class="leaving">
          <summary>{c.newest}</summary>
          <ul tabIndex={0} aria-label={c.newest}>
            {value.newest.map(({ id, occurredAt, channel, kind, text, subject }) => (
              <li key={id}>
                <time dateTime={occurredAt}>{shortTime(occurredAt, language)}</time>
                <span>
                  <Icon name={iconOf(channel?.type ?? '')} /> {channel?.id ?? t.kinds[kind]}
                </span>
                <span dir="auto">{(subject ?? text).slice(0, EXCERPT)}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
