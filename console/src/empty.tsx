import { useCell } from './cell.ts';
import { Copy } from './copy.tsx';
import { useParts, useTexts } from './parts.ts';
import { anything } from './place.ts';

/** Why there is nothing in the list, and what to do about it. */
export function EmptyList() {
  const { inbox, route } = useParts();
  const { t } = useTexts();
  const { q, status, assignee, channel, team, tag, priority } = useCell(route.place);
  const { failed, untouched } = useCell(inbox.state);
  if (failed) {
    return (
      <div class="empty">
        <p>{t.empty.broken}</p>
        <button onClick={() => inbox.refresh()}>{t.empty.again}</button>
      </div>
    );
  }
  const narrowed = [assignee, channel, team, tag, priority].some((each) => each !== undefined);
  if (untouched || (q === '' && status === 'all' && !narrowed)) return null;
  return (
    <div class="empty">
      <p>{q ? t.empty.nothingFound : t.empty.nothingHere}</p>
      {(status !== 'all' || narrowed) && (
        <button onClick={() => route.go({ ...anything, status: 'all' })}>{t.empty.everywhere}</button>
      )}
    </div>
  );
}

/** Beside the list while no ticket is open. */
export function NoTicket() {
  const { inbox } = useParts();
  const { t } = useTexts();
  const { tickets, untouched } = useCell(inbox.state);
  if (untouched) return <FirstMessage />;
  return tickets.length > 0 ? <p class="choose">{t.empty.choose}</p> : null;
}

/** How the first message gets here. */
function FirstMessage() {
  const { endpoints } = useParts();
  const { t } = useTexts();
  const { channel, readAt, failed } = useCell(endpoints.state);
  if (readAt === 0 && !failed) return null;
  const form = channel.find(({ type, enabled }) => type === 'form' && enabled);
  return (
    <div class="first">
      <span class="waiting" aria-hidden="true" />
      <h2>{t.empty.title}</h2>
      {form ? <FormLines address={`${location.origin}/forms/${form.id}`} /> : <p>{t.empty.noForm}</p>}
    </div>
  );
}

function FormLines({ address }: { readonly address: string }) {
  const { t } = useTexts();
  const line = `curl ${address} -H 'content-type: application/json' -d '{"name":"Olena","email":"olena@example.com","message":"Where is my order 4512?"}'`;
  return (
    <>
      <p>{t.empty.text}</p>
      <p>
        <a class="button" href={address} target="_blank" rel="noopener">
          {t.empty.open}
        </a>
      </p>
      <p class="address">{address}</p>
      <p>{t.empty.or}</p>
      <div class="code">
        <pre tabIndex={0}>{line}</pre>
        <Copy text={line} />
      </div>
    </>
  );
}
