import type { FunctionComponent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Customer, TicketView } from './views.ts';

export interface BesideGiven {
  readonly ticket: TicketView;
  readonly customer: Customer | undefined;
}

/** Who the customer is and what the ticket belongs to; fetched behind the ticket, whose place it doesn't move. */
export function Beside(given: BesideGiven) {
  const [loaded, setLoaded] = useState<{ readonly Panel: FunctionComponent<BesideGiven> } | undefined>();
  useEffect(() => {
    let isWanted = true;
    import('./sections/customers/panel.tsx').then(
      ({ Panel }) => {
        if (isWanted) setLoaded({ Panel });
      },
      // After an update it has another name: the ticket is there without it.
      () => undefined,
    );
    return () => {
      isWanted = false;
    };
  }, []);
  return loaded ? <loaded.Panel {...given} /> : <div class="beside" aria-hidden="true" />;
}
