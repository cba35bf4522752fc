import { useState } from 'preact/hooks';
import { useCell } from '../cell.ts';
import { problemText } from '../failure.ts';
import { may } from '../may.ts';
import { useParts, useTexts } from '../parts.ts';
import { useReading } from '../reading.ts';
import { longTime } from '../time.ts';
import type { Attempt, DeliveryView, TaskState } from '../views.ts';

/** Those that have ended: the others go on by themselves. */
const ENDED: ReadonlySet<TaskState> = new Set(['dead', 'needs_check', 'delivered']);

/** Every try of a delivery, with what was sent and answered, and a way to send it again. */
export function Attempts({ delivery }: { readonly delivery: DeliveryView }) {
  const { api, endpoints, session } = useParts();
  const { t, language } = useTexts();
  const { readAt } = useCell(endpoints.state);
  const { id, type, state, updatedAt, nextAttemptAt, replayAt } = delivery;
  const { value, failed } = useReading(() => api.delivery(id), id, `${readAt} ${updatedAt}`);
  const facts = [
    type,
    id,
    replayAt !== null && t.delivery.replayAsked(longTime(replayAt, language)),
    nextAttemptAt !== null && t.delivery.next(longTime(nextAttemptAt, language)),
  ];
  return (
    <>
      <p>{facts.filter(Boolean).join(' · ')}</p>
      {ENDED.has(state) && may(session, 'deliveries:write') && <Again delivery={delivery} />}
      {failed !== undefined && !value && <p>{t.empty.broken}</p>}
      {value?.log.length === 0 && <p>{t.delivery.noAttempts}</p>}
      {value && (
        <ol class="attempts" aria-label={t.delivery.attempts}>
          {value.log.map((attempt) => (
            <li key={`${attempt.number} ${attempt.startedAt}`}>
              <Try attempt={attempt} />
            </li>
          ))}
        </ol>
      )}
    </>
  );
}

function Again({ delivery: { id, state } }: { readonly delivery: DeliveryView }) {
  const { api, endpoints } = useParts();
  const { t } = useTexts();
  const [phase, setPhase] = useState<'idle' | 'busy'>('idle');
  const [problem, setProblem] = useState<string | undefined>();
  const again = async () => {
    setPhase('busy');
    setProblem(undefined);
    await api.replay(id).catch((error: unknown) => setProblem(problemText(error, t)));
    await endpoints.refresh();
    setPhase('idle');
  };
  return (
    <div class="actions">
      <button disabled={phase === 'busy'} onClick={() => void again()}>
        {t.delivery.again}
      </button>
      {state !== 'dead' && <small>{state === 'needs_check' ? t.delivery.lookFirst : t.delivery.twice}</small>}
      <p role="alert" class="problem">
        {problem}
      </p>
    </div>
  );
}

function Try({ attempt }: { readonly attempt: Attempt }) {
  const { t, language } = useTexts();
  const { number, startedAt, outcome, error, hint, request, response } = attempt;
  return (
    <>
      <p>
        <b>{t.delivery.attempt(number)}</b> <time dateTime={startedAt}>{longTime(startedAt, language)}</time>{' '}
        <span class={outcome === 'delivered' ? 'good' : 'bad'}>
          {outcome === 'delivered' ? t.delivery.states.delivered : (error ?? outcome)}
        </span>
      </p>
      {hint !== null && <p>{hint}</p>}
      {request !== null && <Bytes label={t.delivery.request} text={request} />}
      {response !== null && <Bytes label={t.delivery.response} text={response} />}
    </>
  );
}

function Bytes({ label, text }: { readonly label: string; readonly text: string }) {
  return (
    <div class="bytes">
      <span>{label}</span>
      <pre tabIndex={0} aria-label={label}>
        {text}
      </pre>
    </div>
  );
}
