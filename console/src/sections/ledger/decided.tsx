import { useState } from 'preact/hooks';
import { problemText } from '../../failure.ts';
import { may } from '../../may.ts';
import { useParts, useTexts } from '../../parts.ts';
import { topOf } from '../../place.ts';
import { useReading } from '../../reading.ts';
import type { EventView, Outcome } from '../../views.ts';
import { ruleOf } from './reason.ts';
import { useLedgerTexts } from './use-texts.ts';

/** Those of which something else may come when they are filed again. */
const UNFILED: ReadonlySet<Outcome> = new Set(['rejected', 'quarantined', 'ignored']);

/** What became of it, why, and what can be done. */
export function Decided({ event }: { readonly event: EventView }) {
  const words = useLedgerTexts();
  const { outcome, ticketId, messageId, replayOf } = event;
  return (
    <>
      {UNFILED.has(outcome) && <Held event={event} />}
      <p>{words.meanings[outcome]}</p>
      {!UNFILED.has(outcome) && <Why event={event} />}
      {ticketId !== null && <TicketLink id={ticketId} />}
      {ticketId !== null && messageId !== null && <MovedSince from={ticketId} messageId={messageId} />}
      {replayOf !== null && <Earlier id={replayOf} />}
      {UNFILED.has(outcome) && <Again event={event} />}
    </>
  );
}

const looks: Readonly<Partial<Record<Outcome, 'warn' | 'act'>>> = { rejected: 'warn', quarantined: 'act' };

/** Why nothing was filed. */
function Held({ event: { outcome, reason } }: { readonly event: EventView }) {
  if (reason === null) return null;
  return (
    <p class="notice" data-look={looks[outcome]} dir="auto">
      {reason}
    </p>
  );
}

/** Why it is where it is. */
function Why({ event }: { readonly event: EventView }) {
  const { t } = useTexts();
  const found = ruleOf(event);
  const reason = found ? `${t.rules[found.rule]} (${found.evidence}).` : event.reason;
  if (reason === null) return null;
  return (
    <p class="hint" dir="auto">
      {reason}
    </p>
  );
}

/** The ticket by its number and what it is about, as far as one may see it. */
function TicketLink({ id }: { readonly id: string }) {
  const { api, route } = useParts();
  const { t } = useTexts();
  const { value } = useReading(() => api.ticket(id), id, '');
  return (
    <p class="to-ticket">
      <a {...route.link({ ...topOf('inbox'), id })} dir="auto">
        {value ? `#${value.number} ${value.subject || t.noSubject}` : t.endpoints.toTicket}
      </a>
      {value && <span class="hint">{t.statuses[value.status]}</span>}
    </p>
  );
}

/** Tickets are merged and split: where the message is now. */
function MovedSince({ from, messageId }: { readonly from: string; readonly messageId: string }) {
  const { api } = useParts();
  const words = useLedgerTexts();
  const { value } = useReading(() => api.message(messageId), messageId, '');
  if (!value || value.ticketId === null || value.ticketId === from) return null;
  return (
    <>
      <p class="hint">{words.movedSince}</p>
      <TicketLink id={value.ticketId} />
    </>
  );
}

/** The event that was filed again. */
function Earlier({ id }: { readonly id: string }) {
  const { route } = useParts();
  const words = useLedgerTexts();
  return (
    <p>
      <span class="chip">{words.again}</span>{' '}
      <a class="key" {...route.link({ id })}>
        {id}
      </a>
    </p>
  );
}

/** As long as its bytes are there, for those who may. */
function Again({ event: { id, payload } }: { readonly event: EventView }) {
  const { api, endpoints, session } = useParts();
  const { t } = useTexts();
  const words = useLedgerTexts();
  const [phase, setPhase] = useState<'idle' | 'busy'>('idle');
  const [said, setSaid] = useState<{ readonly text: string; readonly look: 'ok' | 'act' } | undefined>();
  const file = async () => {
    setPhase('busy');
    setSaid(undefined);
    try {
      const { items } = await api.fileAgain(id);
      const told = items.map(({ outcome, ticketNumber }) =>
        [t.endpoints.outcomes[outcome], ticketNumber === undefined ? '' : `#${ticketNumber}`].join(' ').trim(),
      );
      const isFiled = items.every(({ outcome }) => !UNFILED.has(outcome));
      setSaid({ text: words.filed(told.join(', ')), look: isFiled ? 'ok' : 'act' });
    } catch (error) {
      setSaid({ text: problemText(error, t), look: 'act' });
    }
    setPhase('idle');
    void endpoints.refresh();
  };
  if (!payload?.body || !may(session, 'events:write')) return null;
  return (
    <div class="actions">
      <button disabled={phase === 'busy'} onClick={() => void file()}>
        {words.fileAgain}
      </button>
      <p role="status" class="said" data-look={said?.look} dir="auto">
        {phase === 'busy' ? words.filing : said?.text}
      </p>
    </div>
  );
}
