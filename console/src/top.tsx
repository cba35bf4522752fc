import { useCell } from './cell.ts';
import { Icon } from './icons.tsx';
import { keptForGood, keptInTab } from './kept.ts';
import { useParts, useTexts } from './parts.ts';
import { languages } from './texts.ts';
import type { Language } from './texts.ts';
import { hourOf } from './time.ts';

/** The bar above everything: whether it is live, language, who is signed in. */
export function Top({ help }: { readonly help: () => void }) {
  const { api, session, language, route } = useParts();
  const { t } = useTexts();
  const chosen = useCell(language);
  const choose = (next: Language) => {
    keptForGood.write('language', next);
    language.set(next);
  };
  const signOut = () => {
    const leave = () => {
      // Drafts are nobody else's to read.
      keptInTab.clear();
      location.assign('/');
    };
    api.signOut().then(leave, leave);
  };
  const home = (event: MouseEvent) => {
    event.preventDefault();
    route.go({ ticket: undefined });
  };
  return (
    <header class="top">
      <a class="brand" href="/" onClick={home}>
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M6 8c5 0 10 3 10 9M26 8c-5 0-10 3-10 9M16 6v20" />
        </svg>
        <span>Tributary</span>
      </a>
      <Link />
      <span class="space" />
      <a class="wide" href="/docs/api">
        {t.api}
      </a>
      <button class="wide" title={t.keys.title} aria-label={t.keys.title} onClick={help}>
        ?
      </button>
      <select
        aria-label={t.language}
        value={chosen}
        onChange={(event) => choose(event.currentTarget.value as Language)}
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
      <button onClick={signOut}>{t.signOut}</button>
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
