import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { useCell } from '../../cell.ts';
import { endpointIn } from '../../endpoints.ts';
import { problemText } from '../../failure.ts';
import { Icon, iconOf } from '../../icons.tsx';
import { useParts, useTexts } from '../../parts.ts';
import type { EndpointView, Role, TypeEntry } from '../../views.ts';
import { may } from '../../may.ts';
import { Block, Missing, Sheet } from '../sheet.tsx';
import { useConnectTexts } from './controls.tsx';
import type { EnteredGroup } from './entered.ts';
import { SettingsForm } from './form.tsx';
import { enteredFor, frameOf, patchOf } from './frame.ts';
import { stopWaiting } from './since.ts';

/** The settings of a channel or destination that is there. */
export function Change(given: { readonly role: Role; readonly id: string; readonly types: readonly TypeEntry[] }) {
  const { role, id, types } = given;
  const { endpoints } = useParts();
  const { t: all } = useTexts();
  const t = useConnectTexts();
  const known = useCell(endpoints.state);
  const endpoint = endpointIn(known, role, id);
  if (!endpoint) {
    if (known.readAt === 0 && !known.failed) return <section class="sheet" aria-busy="true" />;
    return <Missing text={known.readAt === 0 ? undefined : all.endpoints.missing[role]} />;
  }
  const entry = types.find(({ type }) => type === endpoint.type);
  return entry ? <Changing entry={entry} endpoint={endpoint} /> : <Missing text={t.noSuchType} />;
}

function Changing({ entry, endpoint }: { readonly entry: TypeEntry; readonly endpoint: EndpointView }) {
  const { api, endpoints, route, session } = useParts();
  const { t: all } = useTexts();
  const t = useConnectTexts();
  const { id, name, role, type, source } = endpoint;
  const fields = frameOf(entry, { ...t.frame, settings: all.endpoints.settings }, 'known');
  // As it was when the form was opened: what is read meanwhile doesn't change what somebody types.
  const [value, change] = useState<EnteredGroup>(() => enteredFor(fields, endpoint));
  const mode = source === null && may(session, 'endpoints:write') ? 'open' : 'closed';
  const send = async (body: Record<string, unknown>) => {
    await api.change(role, id, patchOf(id, body, role));
    await endpoints.refresh();
    route.go({ id });
  };
  return (
    <Sheet
      title={
        <>
          <Icon name={role === 'channel' ? iconOf(type) : 'destinations'} /> {name}: {all.endpoints.settings}
        </>
      }
    >
      <p class="under">
        <a {...route.link({ id })}>
          <Icon name="back" /> {t.toPage}
        </a>
        <span>{entry.title}</span>
      </p>
      {source !== null && <p class="notice">{t.fromFile(source)}</p>}
      {source === null && mode === 'closed' && <p class="notice">{t.mayNot}</p>}
      <SettingsForm {...{ fields, value, change, send, mode }} label={t.save} />
      {mode === 'open' && <Remove endpoint={endpoint} />}
    </Sheet>
  );
}

/** It can't be brought back, so it takes more than a slip of the hand. */
function Remove({ endpoint: { role }, endpoint }: { readonly endpoint: EndpointView }) {
  const t = useConnectTexts();
  const [phase, setPhase] = useState<'closed' | 'open'>('closed');
  return (
    <Block id="remove" title={t.remove[role]} hint={t.removeHint[role]}>
      <button class="danger" onClick={() => setPhase('open')}>
        {t.remove[role]} …
      </button>
      {phase === 'open' && <Confirm endpoint={endpoint} close={() => setPhase('closed')} />}
    </Block>
  );
}

function Confirm({ endpoint, close }: { readonly endpoint: EndpointView; readonly close: () => void }) {
  const { api, endpoints, route } = useParts();
  const { t: all } = useTexts();
  const t = useConnectTexts();
  const { id, role } = endpoint;
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState('');
  const [phase, setPhase] = useState<'idle' | 'busy'>('idle');
  const [problem, setProblem] = useState<string | undefined>();
  useLayoutEffect(() => {
    dialog.current?.showModal();
  }, []);
  const remove = async () => {
    if (typed.trim() !== id || phase === 'busy') return;
    setPhase('busy');
    try {
      await api.remove(role, id);
      stopWaiting(id);
      await endpoints.refresh();
      route.go({ id: undefined });
    } catch (error) {
      setProblem(problemText(error, all));
      setPhase('idle');
    }
  };
  return (
    <dialog ref={dialog} aria-labelledby="removing" onClose={close}>
      <h2 id="removing">{t.remove[role]}</h2>
      <form
        class="asking"
        onSubmit={(event) => {
          event.preventDefault();
          void remove();
        }}
      >
        <p>{t.removeHint[role]}</p>
        <label>
          <span>{t.typeId(id)}</span>
          <input
            type="text"
            autocomplete="off"
            spellcheck={false}
            value={typed}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </label>
        <p role="alert" class="problem">
          {problem}
        </p>
        <div class="actions">
          <button type="button" onClick={() => dialog.current?.close()}>
            {all.delivery.cancel}
          </button>
          <button class="button" disabled={typed.trim() !== id || phase === 'busy'}>
            {t.remove[role]}
          </button>
        </div>
      </form>
    </dialog>
  );
}
