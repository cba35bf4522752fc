import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Command } from './commands.ts';
import { found } from './found.ts';
import { keyNames } from './keys.tsx';
import { useTexts } from './parts.ts';

/**
 * Something out of many, found by a few letters. Drawn while it is open. `typed`: what can be made of words that are
 * none of them.
 */
export function Palette({
  label,
  commands,
  typed,
  close,
}: {
  readonly label: string;
  readonly commands: readonly Command[];
  readonly typed?: ((words: string) => Command | undefined) | undefined;
  readonly close: () => void;
}) {
  const { t } = useTexts();
  const dialog = useRef<HTMLDialogElement>(null);
  const [words, setWords] = useState('');
  const [active, setActive] = useState(0);
  const made = typed?.(words.trim());
  const hits = [...found(commands, words), ...(made ? [made] : [])];

  useLayoutEffect(() => {
    dialog.current?.showModal();
  }, []);
  useLayoutEffect(() => {
    document.getElementById(`command-${active}`)?.scrollIntoView({ block: 'nearest' });
  }, [active]);

  // Closed first: where the focus goes then is the command's matter.
  const run = (command: Command | undefined) => {
    if (!command) return;
    dialog.current?.close();
    command.run();
  };
  const press = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    const to = moved(event.code, active, hits.length);
    if (to !== undefined) setActive(to);
    else if (event.code === 'Enter' || event.code === 'NumpadEnter') run(hits[active]);
    else return;
    event.preventDefault();
  };

  return (
    <dialog
      class="palette"
      ref={dialog}
      aria-label={label}
      onClose={close}
      onClick={(event) => {
        // On the dialog itself, not on anything in it: beside it.
        if (event.target === dialog.current) dialog.current?.close();
      }}
    >
      <input
        type="search"
        role="combobox"
        aria-expanded="true"
        aria-controls="commands"
        aria-activedescendant={hits.length > 0 ? `command-${active}` : undefined}
        aria-label={label}
        placeholder={label}
        autocomplete="off"
        spellcheck={false}
        value={words}
        onInput={(event) => {
          setWords(event.currentTarget.value);
          setActive(0);
        }}
        onKeyDown={press}
      />
      <ul role="listbox" id="commands" aria-label={label}>
        {hits.map((command, index) => (
          <li
            key={command.id}
            id={`command-${index}`}
            role="option"
            aria-selected={index === active}
            onPointerMove={() => setActive(index)}
            onClick={() => run(command)}
          >
            <span dir="auto">{command.title}</span>
            {command.keys !== undefined && (
              <span class="keys">
                {keyNames(command.keys).map((name) => (
                  <kbd key={name}>{name}</kbd>
                ))}
              </span>
            )}
          </li>
        ))}
      </ul>
      <p class="none" role="status">
        {hits.length === 0 && t.empty.nothingFound}
      </p>
    </dialog>
  );
}

/** Where an arrow leads; past the end it begins again. */
function moved(code: string, from: number, count: number): number | undefined {
  if (count === 0) return undefined;
  switch (code) {
    case 'ArrowDown':
      return (from + 1) % count;
    case 'ArrowUp':
      return (from - 1 + count) % count;
    default:
      return undefined;
  }
}
