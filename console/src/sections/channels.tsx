import { useCell } from '../cell.ts';
import { useParts } from '../parts.ts';
import { Deliveries } from './deliveries.tsx';
import { EndpointList } from './endpoint-list.tsx';
import { EndpointPage } from './endpoint-page.tsx';
import { Events } from './events.tsx';
import { Refused } from './refused.tsx';

/** All channels, or the one that is open. */
export function Channels() {
  const { route } = useParts();
  const { id } = useCell(route.place);
  if (id === undefined) return <EndpointList role="channel" />;
  return (
    <EndpointPage key={id} role="channel" id={id}>
      {(endpoint) => (
        <>
          <Refused endpoint={endpoint} />
          <Events endpoint={endpoint} />
          <Deliveries endpoint={endpoint} />
        </>
      )}
    </EndpointPage>
  );
}
