import { useState } from 'preact/hooks';
import { useCell } from '../cell.ts';
import { may } from '../may.ts';
import { useParts, useTexts } from '../parts.ts';
import { readPages, useReading } from '../reading.ts';
import { taskStates } from '../views.ts';
import type { DeliveryView, EndpointView, TaskState } from '../views.ts';
import { Attempts } from './attempts.tsx';
import { deliveryName } from './delivery-types.ts';
import { ReplayMany, TakeBack } from './replay-many.tsx';
import { Ago, Block } from './sheet.tsx';

/**
 * What goes out to a destination (or, as answers, through a channel), newest first, and what can be sent again. Most
 * channels send nothing, and have nothing of this.
 */
export function Deliveries({ endpoint: { id, role } }: { readonly endpoint: EndpointView }) {
  const { route, session } = useParts();
  const { t } = useTexts();
  const { state, delivery } = useCell(route.place);
  const found = useDeliveries(id, state);
  const isAskedFor = state !== undefined || delivery !== undefined;
  const isThere = found.failed || (found.listed ?? []).length > 0;
  if (role === 'channel' && !isAskedFor && !isThere) return null;
  return (
    <Block id="deliveries" title={t.delivery.title} tools={<States chosen={state} />}>
      {may(session, 'deliveries:write') && <Again endpointId={id} listed={found.listed ?? []} />}
      <Found {...found} />
    </Block>
  );
}

/** What can be sent again, or called off. */
function Again({ endpointId, listed }: { readonly endpointId: string; readonly listed: readonly DeliveryView[] }) {
  return (
    <>
      <ReplayMany endpointId={endpointId} />
      {listed.some(({ replayAt }) => replayAt !== null) && <TakeBack endpointId={endpointId} />}
    </>
  );
}

function Found({ listed, failed, more }: ReturnType<typeof useDeliveries>) {
  const { t } = useTexts();
  if (!listed) return failed ? <p class="hint">{t.empty.broken}</p> : null;
  return (
    <>
      <Lines listed={listed} />
      {more && (
        <button class="more" onClick={more}>
          {t.more}
        </button>
      )}
    </>
  );
}

/** The first pages of them; `more` adds one. */
function useDeliveries(endpointId: string, state: TaskState | undefined) {
  const { api, endpoints } = useParts();
  const { readAt } = useCell(endpoints.state);
  const name = `${endpointId} ${state ?? ''}`;
  const [wanted, setWanted] = useState({ name, pages: 1 });
  const pages = wanted.name === name ? wanted.pages : 1;
  const { value, failed } = useReading(
    () => readPages((cursor) => api.deliveries({ destination: endpointId, state, cursor }), pages),
    name,
    `${readAt} ${pages}`,
  );
  const more = () => setWanted({ name, pages: pages + 1 });
  return {
    listed: value?.data,
    failed: failed !== undefined,
    more: value && value.nextCursor !== null ? more : undefined,
  };
}

function States({ chosen }: { readonly chosen: TaskState | undefined }) {
  const { route } = useParts();
  const { t } = useTexts();
  const choose = (wanted: string) => route.go({ state: taskStates.find((one) => one === wanted), delivery: undefined });
  return (
    <select aria-label={t.delivery.state} value={chosen ?? ''} onChange={(event) => choose(event.currentTarget.value)}>
      <option value="">{t.delivery.any}</option>
      {taskStates.map((one) => (
        <option key={one} value={one}>
          {t.delivery.states[one]}
        </option>
      ))}
    </select>
  );
}

function Lines({ listed }: { readonly listed: readonly DeliveryView[] }) {
  const { route } = useParts();
  const { t } = useTexts();
  const { state, delivery } = useCell(route.place);
  const alone = delivery !== undefined && !listed.some(({ id }) => id === delivery) ? delivery : undefined;
  if (listed.length === 0 && alone === undefined)
    return <p class="none">{state ? t.empty.nothingFound : t.delivery.none}</p>;
  return (
    <ul class="log">
      {alone !== undefined && <Alone id={alone} />}
      {listed.map((one) => (
        <DeliveryLine key={one.id} delivery={one} />
      ))}
    </ul>
  );
}

/** One that the address names and the list doesn't show. */
function Alone({ id }: { readonly id: string }) {
  const { api, endpoints } = useParts();
  const { t } = useTexts();
  const { readAt } = useCell(endpoints.state);
  const { value, failed } = useReading(() => api.delivery(id), id, `${readAt}`);
  if (value) return <DeliveryLine delivery={value} />;
  return failed === undefined ? null : <li class="none">{failed === 404 ? t.delivery.missing : t.empty.broken}</li>;
}

const looks: Readonly<Record<TaskState, 'ok' | 'idle' | 'act' | 'warn'>> = {
  delivered: 'ok',
  waiting: 'idle',
  delivering: 'idle',
  dead: 'act',
  needs_check: 'warn',
};

/** One of them; opened, with every try. `to`: where it goes, among others. */
export function DeliveryLine({ delivery, to }: { readonly delivery: DeliveryView; readonly to?: string }) {
  const { route } = useParts();
  const { t, language } = useTexts();
  const { id, type, state, createdAt, ticketId, error } = delivery;
  const isOpen = useCell(route.place).delivery === id;
  return (
    <li>
      <details open={isOpen}>
        <summary
          onClick={(event) => {
            // The address says which one is open.
            event.preventDefault();
            route.go({ delivery: isOpen ? undefined : id });
          }}
        >
          <Ago at={createdAt} />
          <span class="state" data-look={looks[state]}>
            {t.delivery.states[state]}
          </span>
          <span class="what" dir="auto">
            {to !== undefined && (
              <>
                <b>{to}</b> ·{' '}
              </>
            )}
            {deliveryName(type, language)}
            {error !== null && state !== 'delivered' && ` · ${error}`}
          </span>
        </summary>
        {isOpen && <Attempts delivery={delivery} />}
      </details>
      {ticketId !== null && to === undefined && (
        <a {...route.link({ section: 'inbox', id: ticketId })}>{t.endpoints.toTicket}</a>
      )}
    </li>
  );
}
