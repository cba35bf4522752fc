import { useState } from 'preact/hooks';
import { useCell } from '../../cell.ts';
import { found } from '../../found.ts';
import { Icon, iconOf } from '../../icons.tsx';
import { useParts, useTexts } from '../../parts.ts';
import { topOf } from '../../place.ts';
import type { Role, TypeEntry } from '../../views.ts';
import { Sheet } from '../sheet.tsx';
import { useConnectTexts } from './controls.tsx';
import type { ConnectTexts } from './texts.ts';

/** Every type that there is, to choose from. */
export function Catalogue({ role, types }: { readonly role: Role; readonly types: readonly TypeEntry[] }) {
  const { route } = useParts();
  const { t: all } = useTexts();
  const t = useConnectTexts();
  const { section } = useCell(route.place);
  const [wanted, setWanted] = useState('');
  const known = types.map((entry) => ({ title: `${entry.title} ${entry.type} ${entry.summary}`, entry }));
  const shown = found(known, wanted);
  return (
    <Sheet title={all.endpoints.connect[role]}>
      <p class="under">
        <a {...route.link(topOf(section))}>
          <Icon name="back" /> {all.sections[section]}
        </a>
        <span>{t.intro[role]}</span>
      </p>
      <div class="search">
        <Icon name="search" />
        <input
          id="search"
          type="search"
          aria-label={t.search}
          placeholder={t.search}
          value={wanted}
          onInput={(event) => setWanted(event.currentTarget.value)}
        />
      </div>
      <p class="spoken" role="status">
        {wanted !== '' && t.types(shown.length)}
      </p>
      {shown.length === 0 && <p class="none">{all.empty.nothingFound}</p>}
      <ul class="types">
        {shown.map(({ entry }) => (
          <li key={entry.type}>
            <a class="type" data-row={entry.type} {...route.link({ task: 'make', type: entry.type })}>
              <Icon name={role === 'channel' ? iconOf(entry.type) : 'destinations'} />
              <b>{entry.title}</b>
              <span class="summary">{entry.summary}</span>
              <Badges entry={entry} t={t} />
            </a>
          </li>
        ))}
      </ul>
    </Sheet>
  );
}

/** What to know before choosing, in words. */
export function Badges({ entry, t }: { readonly entry: TypeEntry; readonly t: ConnectTexts }) {
  return (
    <span class="badges">
      {badgesOf(entry, t).map(([word, look]) => (
        <span key={word} class="badge" data-look={look}>
          {word}
        </span>
      ))}
    </span>
  );
}

function badgesOf({ role, capabilities, stability }: TypeEntry, t: ConnectTexts) {
  const { localhost, reply, carries } = capabilities;
  const way = role === 'channel' ? (reply === true ? t.twoWay : t.inOnly) : t.carries[String(carries)];
  return [
    localhost === true ? ([t.local, 'ok'] as const) : ([t.publicly, 'warn'] as const),
    ...(way === undefined ? [] : [[way, undefined] as const]),
    ...(stability === 'stable' ? [] : [[t.stability[stability], undefined] as const]),
  ];
}
