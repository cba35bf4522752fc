import { useCell } from './cell.ts';
import { lookOf } from './health.ts';
import { Icon } from './icons.tsx';
import type { IconName } from './icons.tsx';
import { useParts, useTexts } from './parts.ts';
import { sections, topOf } from './place.ts';
import type { Section } from './place.ts';
import type { EndpointView } from './views.ts';

/** Routes belong to where they lead. */
type Entry = Exclude<Section, 'routes'>;
const entries = sections.filter((section): section is Entry => section !== 'routes');
const entryOf = (section: Section): Entry => (section === 'routes' ? 'destinations' : section);

const icons: Readonly<Record<Entry, IconName>> = {
  inbox: 'inbox',
  customers: 'customers',
  channels: 'channels',
  destinations: 'destinations',
  events: 'events',
};

/** The way to each section: beside the page, or below it where that is narrow. */
export function Nav() {
  const { route, endpoints } = useParts();
  const { t } = useTexts();
  const place = useCell(route.place);
  const { channel, destination } = useCell(endpoints.state);
  const alarms: Partial<Record<Section, number>> = { channels: alarming(channel), destinations: alarming(destination) };
  return (
    <nav class="nav" aria-label={t.navigation}>
      {entries.map((section) => {
        const count = alarms[section] ?? 0;
        return (
          <a
            key={section}
            aria-current={entryOf(place.section) === section ? 'page' : undefined}
            {...route.link(topOf(section))}
          >
            <Icon name={icons[section]} />
            <span>{t.sections[section]}</span>
            {count > 0 && (
              <span class="alarm" role="img" aria-label={t.health.alarming(count)}>
                {count}
              </span>
            )}
          </a>
        );
      })}
    </nav>
  );
}

/** How many of them a person has to look at. */
function alarming(all: readonly EndpointView[]): number {
  return all.filter((endpoint) => ['act', 'warn'].includes(lookOf(endpoint))).length;
}
