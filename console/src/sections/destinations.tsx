import { useCell } from '../cell.ts';
import { useParts } from '../parts.ts';
import { Deliveries } from './deliveries.tsx';
import { EndpointList } from './endpoint-list.tsx';
import { EndpointPage } from './endpoint-page.tsx';
import { Refused } from './refused.tsx';

/** All destinations, or the one that is open. */
export function Destinations() {
  const { route } = useParts();
  const { id } = useCell(route.place);
  if (id === undefined) return <EndpointList role="destination" />;
  return (
    <EndpointPage key={id} role="destination" id={id}>
      {(endpoint) => (
        <>
          <Deliveries endpoint={endpoint} />
          <Refused endpoint={endpoint} />
        </>
      )}
    </EndpointPage>
  );
}
