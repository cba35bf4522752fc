import { useCell } from '../cell.ts';
import { useParts, useTexts } from '../parts.ts';
import { useReading } from '../reading.ts';
import { longTime } from '../time.ts';
import type { EndpointView, Refusal } from '../views.ts';
import { Ago, Block } from './sheet.tsx';

/** Requests that were turned away, and why: where somebody asks why nothing comes in. */
export function Refused({ endpoint: { id, role, webhookUrl } }: { readonly endpoint: EndpointView }) {
  const { api, endpoints } = useParts();
  const { t } = useTexts();
  const { readAt } = useCell(endpoints.state);
  const { value, failed } = useReading(() => api.refused(role, id), `${role} ${id}`, `${readAt}`);
  if (webhookUrl === null) return null;
  return (
    <Block id="refused" title={t.endpoints.refused} hint={t.endpoints.refusedHint}>
      {failed !== undefined && !value && <p class="hint">{t.empty.broken}</p>}
      {value?.data.length === 0 && <p class="none">{t.endpoints.noRefused}</p>}
      {value && value.data.length > 0 && (
        <ul class="log">
          {value.data.map((refusal, index) => (
            <li key={`${refusal.at} ${index}`}>
              <Line refusal={refusal} />
            </li>
          ))}
        </ul>
      )}
    </Block>
  );
}

function Line({ refusal }: { readonly refusal: Refusal }) {
  const { t, language } = useTexts();
  const { at, status, reason, method, remoteAddress, headers, size } = refusal;
  return (
    <details>
      <summary>
        <Ago at={at} />
        <b class="bad">{status}</b>
        <span class="what" dir="auto">
          {reason}
        </span>
      </summary>
      <p>{[longTime(at, language), method, remoteAddress, t.endpoints.bytes(size)].filter(Boolean).join(' · ')}</p>
      <p>
        {t.endpoints.headers}: {headers.join(', ')}
      </p>
    </details>
  );
}
