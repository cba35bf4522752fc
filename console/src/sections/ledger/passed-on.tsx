import { useCell } from '../../cell.ts';
import { useParts, useTexts } from '../../parts.ts';
import { useReading } from '../../reading.ts';
import type { EventView } from '../../views.ts';
import { DeliveryLine } from '../deliveries.tsx';
import { useLedgerTexts } from './use-texts.ts';

/** Where its message went, with every try. */
export function PassedOn({ event: { messageId }, beat }: { readonly event: EventView; readonly beat: string }) {
  const words = useLedgerTexts();
  if (messageId === null) return <p class="hint">{words.noMessage}</p>;
  return <Sent messageId={messageId} beat={beat} />;
}

function Sent({ messageId, beat }: { readonly messageId: string; readonly beat: string }) {
  const { api, endpoints } = useParts();
  const { t } = useTexts();
  const words = useLedgerTexts();
  const { channel, destination } = useCell(endpoints.state);
  const { value, failed } = useReading(() => api.deliveries({ message: messageId }), messageId, beat);
  if (!value) {
    return failed === undefined ? null : <p class="hint">{failed === 403 ? words.mayNot : t.empty.broken}</p>;
  }
  if (value.data.length === 0) return <p class="hint">{words.noDeliveries}</p>;
  const nameOf = (id: string) => [...destination, ...channel].find((one) => one.id === id)?.name ?? id;
  return (
    <ul class="log">
      {value.data.map((delivery) => (
        <DeliveryLine key={delivery.id} delivery={delivery} to={nameOf(delivery.destination)} />
      ))}
    </ul>
  );
}
