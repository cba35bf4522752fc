import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { useCell } from './cell.ts';
import { createChords } from './chords.ts';
import { commandsOf, sectionKeys } from './commands.ts';
import type { Acts } from './commands.ts';
import { densities } from './density.ts';
import type { Density } from './density.ts';
import { isTyping } from './focus.ts';
import { useInboxTexts } from './inbox-texts.ts';
import { keptForGood } from './kept.ts';
import { useParts, useTexts } from './parts.ts';
import type { Parts } from './parts.ts';
import { sections } from './place.ts';

/** Single keys, by where they are on the keyboard, so that they work in every layout; off while somebody types. */
export function useKeys(acts: Acts, openPalette: () => void): void {
  const parts = useParts();
  const chords = useRef(createChords(['KeyG']));
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return;
      if (document.querySelector('dialog[open]')) {
        // It is open already; the browser has other plans with these keys.
        if (asksForPalette(event)) event.preventDefault();
        return;
      }
      const act = actOf(event);
      if (!act) return;
      event.preventDefault();
      act();
    };
    const actOf = (event: KeyboardEvent): (() => void) | undefined => {
      if (asksForPalette(event)) return openPalette;
      if (event.ctrlKey || event.metaKey) return undefined;
      if (event.altKey) return viewActOf(event);
      if (event.code === 'Escape') return () => escape(parts, acts);
      if (isTyping(document.activeElement) || parts.shortcuts.get() === 'off') return undefined;
      const name = chords.current.press(event);
      if (name === undefined) return undefined;
      if (name === 'KeyJ') return () => step(parts, 1);
      if (name === 'KeyK') return () => step(parts, -1);
      const command = commandsOf(parts, acts).find(({ keys }) => keys === name);
      return command && (() => command.run());
    };
    const viewActOf = ({ code, shiftKey }: KeyboardEvent) => {
      // With Alt, Macs type letters.
      if (shiftKey || isTyping(document.activeElement) || parts.shortcuts.get() === 'off') return undefined;
      const command = commandsOf(parts, acts).find(({ keys }) => keys === `Alt+${code}`);
      return command && (() => command.run());
    };
    document.addEventListener('keydown', press);
    return () => {
      document.removeEventListener('keydown', press);
    };
  });
}

/** Also while somebody types: no letter is lost by it. */
function asksForPalette({ code, ctrlKey, metaKey, altKey, shiftKey }: KeyboardEvent): boolean {
  return code === 'KeyK' && (ctrlKey || metaKey) && !altKey && !shiftKey;
}

const printed: Readonly<Record<string, string>> = { 'Shift+Slash': '?', Slash: '/', 'Shift+Digit3': '#' };

/** What stands on the keys: `G`, `I`. */
export function keyNames(keys: string): readonly string[] {
  return keys.split(' ').map((key) => {
    const name = printed[key];
    return name ?? key.replace('Key', '').replace('Digit', '').replace('+', ' ');
  });
}

/** Out of the box that is typed in, then out of what is open, back to its row. */
function escape({ route }: Parts, { focus }: Acts): void {
  const { id } = route.place.get();
  const active = document.activeElement;
  if (isTyping(active) && active instanceof HTMLElement) {
    active.blur();
    if (id !== undefined && active.id === 'answer') document.querySelector<HTMLElement>('.head h1')?.focus();
    return;
  }
  if (id === undefined) return;
  route.go({ id: undefined });
  focus(() => rows().find((row) => row.dataset['row'] === id));
}

function rows(): readonly HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>('[data-row]')];
}

/** To the next row, or where the list is out of sight to what the next one opens. */
function step({ route }: Parts, by: 1 | -1): void {
  const all = rows();
  const { id } = route.place.get();
  const focused = all.findIndex((row) => row === document.activeElement);
  const from = focused >= 0 ? focused : all.findIndex((row) => row.dataset['row'] === id);
  const next = all[Math.max(0, Math.min(all.length - 1, from + by))];
  if (!next) return;
  if (next.offsetParent === null) route.go({ id: next.dataset['row'] });
  else next.focus();
}

/** What the keys do, a way to switch them off, and how much room lines have. */
export function Help({ dialog }: { readonly dialog: RefObject<HTMLDialogElement> }) {
  const { shortcuts, density } = useParts();
  const { t } = useTexts();
  const mode = useCell(shortcuts);
  const room = useCell(density);
  const { keys } = t;
  const w = useInboxTexts();
  const lines = [
    ['Ctrl ⌘ K', t.commands],
    ...sections.map((section) => [`G ${sectionKeys[section].replace('Key', '')}`, t.sections[section]] as const),
    ['J K', keys.move],
    ['Enter', keys.open],
    ['Esc', keys.back],
    ['R', keys.reply],
    ['N', keys.note],
    ['A', w.assign],
    ['M', w.assignToMe],
    ['#', w.tags],
    ['P', w.setPriority],
    ['E', w.resolve],
    ['Shift E', w.resolveNext],
    ['Alt 1 2 3', `${w.view.mine}, ${w.view.unassigned}, ${w.view.all}`],
    ['/', keys.search],
    ['Ctrl ⌘ Enter', keys.send],
    ['?', keys.help],
  ] as const;
  const toggle = () => {
    const next = mode === 'on' ? 'off' : 'on';
    keptForGood.write('shortcuts', next);
    shortcuts.set(next);
  };
  const choose = (next: Density) => {
    keptForGood.write('density', next);
    density.set(next);
  };
  return (
    <dialog ref={dialog} aria-labelledby="keys">
      <h2 id="keys">{keys.title}</h2>
      <dl>
        {lines.map(([key, what]) => (
          <div key={key}>
            <dt>
              {key.split(' ').map((one) => (
                <kbd key={one}>{one}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <label>
          <input type="checkbox" checked={mode === 'on'} onChange={toggle} /> {keys.on}
        </label>
        <label>
          {t.density}{' '}
          <select value={room} onChange={(event) => choose(event.currentTarget.value as Density)}>
            {densities.map((one) => (
              <option key={one} value={one}>
                {t.densities[one]}
              </option>
            ))}
          </select>
        </label>
        <button class="button">{keys.close}</button>
      </form>
    </dialog>
  );
}
