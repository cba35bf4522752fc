import { useCell } from './cell.ts';
import { chooseLanguage, signOut } from './commands.ts';
import { Icon } from './icons.tsx';
import { useParts, useTexts } from './parts.ts';
import { languages } from './texts.ts';
import type { Language } from './texts.ts';
import { hourOf } from './time.ts';

interface Openers {
  readonly help: () => void;
  readonly palette: () => void;
}

/** The bar above everything: whether it is live, what can be done, language, who is signed in. */
export function Top({ help, palette }: Openers) {
  const parts = useParts();
  const { api, session, language, route } = parts;
  const { t } = useTexts();
  const chosen = useCell(language);
  return (
    <header class="top">
      <a class="brand" aria-label="Tributary" {...route.link({ section: 'inbox', id: undefined })}>
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M6 8c5 0 10 3 10 9M26 8c-5 0-10 3-10 9M16 6v20" />
        </svg>
        <span>Tributary</span>
      </a>
      <Link />
      <span class="space" />
      <button
        class="find"
        title={t.commands}
        aria-label={`${t.commands} Ctrl K`}
        aria-keyshortcuts="Control+K"
        onClick={palette}
      >
        <Icon name="command" /> <kbd aria-hidden="true">Ctrl K</kbd>
      </button>
      <a class="wide" href="/docs/api">
        {t.api}
      </a>
      <button class="wide" title={t.keys.title} aria-label={t.keys.title} onClick={help}>
        ?
      </button>
      <select
        aria-label={t.language}
        value={chosen}
        onChange={(event) => chooseLanguage(parts, event.currentTarget.value as Language)}
      >
        {Object.entries(languages).map(([tag, name]) => (
          <option key={tag} value={tag} lang={tag}>
            {name}
          </option>
        ))}
      </select>
      <span class="wide" dir="auto">
        {session.name}
      </span>
      <button onClick={() => signOut(api)}>{t.signOut}</button>
    </header>
  );
}

function Link() {
  const { live } = useParts();
  const { t, language } = useTexts();
  const { up, heardAt } = useCell(live.link);
  return (
    <span class="link" role="status" data-link={up ? 'up' : 'down'}>
      {up ? <span class="dot" aria-hidden="true" /> : <Icon name="alert" />}
      <span>{up ? t.live : t.reconnecting(hourOf(new Date(heardAt), language))}</span>
    </span>
  );
}
