import type { RefObject } from 'preact';
import { useEffect } from 'preact/hooks';
import { useCell } from './cell.ts';
import { keptForGood } from './kept.ts';
import { useParts, useTexts } from './parts.ts';
import type { Box, Parts } from './parts.ts';

interface Acts {
  readonly answer: (box: Box) => void;
  readonly help: () => void;
}

/** Single keys, by where they are on the keyboard, so that they work in every layout; off while somebody types. */
export function useKeys(acts: Acts): void {
  const parts = useParts();
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector('dialog[open]')) return;
      if (event.code === 'Escape') return escape(parts);
      if (isTyping(document.activeElement) || parts.shortcuts.get() === 'off') return;
      const act = actOf(event, parts, acts);
      if (!act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener('keydown', press);
    return () => {
      document.removeEventListener('keydown', press);
    };
  });
}

function actOf(event: KeyboardEvent, parts: Parts, { answer, help }: Acts): (() => void) | undefined {
  if (event.code === 'Slash') return event.shiftKey ? help : () => document.getElementById('search')?.focus();
  if (event.shiftKey) return undefined;
  const isOpen = parts.route.place.get().ticket !== undefined;
  switch (event.code) {
    case 'KeyJ':
      return () => step(parts, 1);
    case 'KeyK':
      return () => step(parts, -1);
    case 'KeyR':
      return isOpen ? () => answer('reply') : undefined;
    case 'KeyN':
      return isOpen ? () => answer('note') : undefined;
    default:
      return undefined;
  }
}

function isTyping(element: Element | null): boolean {
  return element !== null && element.matches('input:not([type=checkbox]), textarea, select');
}

/** Out of the box that is typed in, then out of the ticket, back to its row. */
function escape({ route }: Parts): void {
  const { ticket } = route.place.get();
  const active = document.activeElement;
  if (isTyping(active) && active instanceof HTMLElement) {
    active.blur();
    if (ticket !== undefined && active.id === 'answer') document.querySelector<HTMLElement>('.head h1')?.focus();
    return;
  }
  if (ticket === undefined) return;
  route.go({ ticket: undefined });
  requestAnimationFrame(() =>
    rows()
      .find((row) => row.dataset['ticket'] === ticket)
      ?.focus(),
  );
}

function rows(): readonly HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>('[data-ticket]')];
}

/** To the next row, or where the list is out of sight to the next ticket. */
function step({ route }: Parts, by: 1 | -1): void {
  const all = rows();
  const { ticket } = route.place.get();
  const focused = all.findIndex((row) => row === document.activeElement);
  const from = focused >= 0 ? focused : all.findIndex((row) => row.dataset['ticket'] === ticket);
  const next = all[Math.max(0, Math.min(all.length - 1, from + by))];
  if (!next) return;
  if (next.offsetParent === null) route.go({ ticket: next.dataset['ticket'] });
  else next.focus();
}

/** What the keys do, and a way to switch them off. */
export function Help({ dialog }: { readonly dialog: RefObject<HTMLDialogElement> }) {
  const { shortcuts } = useParts();
  const { t } = useTexts();
  const mode = useCell(shortcuts);
  const { keys } = t;
  const lines = [
    ['J K', keys.move],
    ['Enter', keys.open],
    ['Esc', keys.back],
    ['R', keys.reply],
    ['N', keys.note],
    ['/', keys.search],
    ['Ctrl ⌘ Enter', keys.send],
    ['?', keys.help],
  ] as const;
  const toggle = () => {
    const next = mode === 'on' ? 'off' : 'on';
    keptForGood.write('shortcuts', next);
    shortcuts.set(next);
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
        <button class="button">{keys.close}</button>
      </form>
    </dialog>
  );
}
