import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { problemText } from '../failure.ts';
import { useParts, useTexts } from '../parts.ts';
import { useReading } from '../reading.ts';
import { replayStates, sinceOf, spans } from '../replay.ts';
import type { ReplayState, Span } from '../replay.ts';

/** Sends many again: which, how many that would be, and only then. */
export function ReplayMany({ endpointId }: { readonly endpointId: string }) {
  const { t } = useTexts();
  const [phase, setPhase] = useState<'closed' | 'open'>('closed');
  const [said, setSaid] = useState('');
  return (
    <div class="actions">
      <button
        onClick={() => {
          setSaid('');
          setPhase('open');
        }}
      >
        {t.delivery.many}
      </button>
      <p role="status" class="said">
        {said}
      </p>
      {phase === 'open' && <Asking endpointId={endpointId} tell={setSaid} close={() => setPhase('closed')} />}
    </div>
  );
}

function Asking(given: {
  readonly endpointId: string;
  readonly tell: (said: string) => void;
  readonly close: () => void;
}) {
  const { endpointId, tell, close } = given;
  const { api, endpoints } = useParts();
  const { t } = useTexts();
  const dialog = useRef<HTMLDialogElement>(null);
  const [state, setState] = useState<ReplayState>('dead');
  const [span, setSpan] = useState<Span>('all');
  const [now] = useState(Date.now);
  const [phase, setPhase] = useState<'asking' | 'sending'>('asking');
  const [problem, setProblem] = useState<string | undefined>();
  const filter = { destination: endpointId, state, since: sinceOf(span, now) };
  const { value, failed } = useReading(() => api.replayMany({ ...filter, dryRun: true }), `${state} ${span}`, '');
  useLayoutEffect(() => {
    dialog.current?.showModal();
  }, []);

  const send = async () => {
    setPhase('sending');
    try {
      const { count } = await api.replayMany({ ...filter, dryRun: false });
      tell(t.delivery.asked(count));
      dialog.current?.close();
    } catch (error) {
      setProblem(problemText(error, t));
      setPhase('asking');
    }
    void endpoints.refresh();
  };

  return (
    <dialog ref={dialog} aria-labelledby="many" onClose={close}>
      <h2 id="many">{t.delivery.manyTitle}</h2>
      <form
        class="asking"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <label>
          <span>{t.delivery.state}</span>
          <select value={state} onChange={(event) => setState(event.currentTarget.value as ReplayState)}>
            {replayStates.map((one) => (
              <option key={one} value={one}>
                {t.delivery.states[one]}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span>{t.delivery.since}</span>
          <select value={span} onChange={(event) => setSpan(event.currentTarget.value as Span)}>
            {spans.map((one) => (
              <option key={one} value={one}>
                {t.delivery.spans[one]}
              </option>
            ))}
          </select>
        </label>
        <p role="status">
          {value ? t.delivery.count(value.count) : failed === undefined ? t.delivery.counting : t.empty.broken}
        </p>
        {state !== 'dead' && <p class="hint">{state === 'needs_check' ? t.delivery.lookFirst : t.delivery.twice}</p>}
        <p role="alert" class="problem">
          {problem}
        </p>
        <div class="actions">
          <button type="button" onClick={() => dialog.current?.close()}>
            {t.delivery.cancel}
          </button>
          <button class="button" disabled={phase === 'sending' || !value || value.count === 0}>
            {t.delivery.send(value?.count ?? 0)}
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** Calls off what was asked for and has not begun. */
export function TakeBack({ endpointId }: { readonly endpointId: string }) {
  const { api, endpoints } = useParts();
  const { t } = useTexts();
  const [problem, setProblem] = useState<string | undefined>();
  const takeBack = async () => {
    setProblem(undefined);
    await api.cancelReplays(endpointId).catch((error: unknown) => setProblem(problemText(error, t)));
    void endpoints.refresh();
  };
  return (
    <p class="notice" data-look="warn">
      {t.delivery.noted} <button onClick={() => void takeBack()}>{t.delivery.takeBack}</button>
      {problem !== undefined && <span role="alert">{problem}</span>}
    </p>
  );
}
