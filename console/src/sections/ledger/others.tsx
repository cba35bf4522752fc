import { useParts, useTexts } from '../../parts.ts';
import { topOf } from '../../place.ts';
import { useReading } from '../../reading.ts';
import type { EventView, LedgerEvent } from '../../views.ts';
import { OutcomeState } from '../outcome.tsx';
import { shortReason } from './reason.ts';
import { useLedgerTexts } from './use-texts.ts';

/** What else came in the same request, and what it became when it was filed again. */
export function Others({ event, beat }: { readonly event: EventView; readonly beat: string }) {
  const { api, route } = useParts();
  const { t } = useTexts();
  const words = useLedgerTexts();
  const { id, payloadId, messageId } = event;
  const { value, failed } = useReading(() => api.events({ payload: payloadId }), payloadId, beat);
  return (
    <>
      {failed !== undefined && !value && <p class="hint">{t.empty.broken}</p>}
      {value && value.data.length === 1 && <p class="hint">{words.alone}</p>}
      {value && value.data.length > 1 && (
        <ul class="entries">
          {value.data.toReversed().map((one) => (
            <li key={one.id}>
              <Other event={one} isThis={one.id === id} />
            </li>
          ))}
        </ul>
      )}
      {messageId !== null && (
        <p>
          <a {...route.link({ ...topOf('events'), find: messageId })}>{words.allAbout}</a>
        </p>
      )}
    </>
  );
}

function Other({ event, isThis }: { readonly event: LedgerEvent; readonly isThis: boolean }) {
  const { route } = useParts();
  const words = useLedgerTexts();
  const { id, item, outcome, replayOf } = event;
  return (
    <a class="entry" aria-current={isThis ? 'page' : undefined} {...route.link({ id, delivery: undefined })}>
      <span class="number">{words.item(item + 1)}</span>
      <OutcomeState outcome={outcome} />
      <span class="what" dir="auto">
        {shortReason(event, words)}
      </span>
      <span>
        {isThis && <span class="chip">{words.thisOne}</span>}
        {replayOf !== null && <span class="chip">{words.again}</span>}
      </span>
    </a>
  );
}
