import type { FunctionComponent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useTexts } from './parts.ts';
import type { Section } from './place.ts';

/** Sections that are fetched when somebody goes there. */
const pages: Readonly<Record<Exclude<Section, 'inbox'> | 'connect', () => Promise<FunctionComponent>>> = {
  connect: () => import('./sections/connect/connect.tsx').then(({ Connect }) => Connect),
  customers: () => import('./sections/customers/customers.tsx').then(({ Customers }) => Customers),
  channels: () => import('./sections/channels.tsx').then(({ Channels }) => Channels),
  destinations: () => import('./sections/destinations.tsx').then(({ Destinations }) => Destinations),
  routes: () => import('./sections/routes/routes.tsx').then(({ Routes }) => Routes),
  events: () => import('./sections/ledger/ledger.tsx').then(({ Ledger }) => Ledger),
};

type Loaded = { readonly Page: FunctionComponent } | 'failed';

export function SectionPage({ name }: { readonly name: keyof typeof pages }) {
  const { t } = useTexts();
  const [loaded, setLoaded] = useState<Loaded | undefined>();
  useEffect(() => {
    pages[name]().then(
      (Page) => {
        setLoaded({ Page });
      },
      () => {
        setLoaded('failed');
      },
    );
  }, [name]);
  if (loaded === undefined) return <section class="sheet" aria-busy="true" />;
  if (loaded === 'failed') {
    // After an update the parts have other names: the whole page has to be loaded again.
    return (
      <section class="sheet empty" role="alert">
        <p>{t.empty.broken}</p>
        <button onClick={() => location.reload()}>{t.empty.again}</button>
      </section>
    );
  }
  return <loaded.Page />;
}
