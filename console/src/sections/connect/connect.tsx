import { useRef, useState } from 'preact/hooks';
import { newKey } from '../../api.ts';
import { useCell } from '../../cell.ts';
import { Icon, iconOf } from '../../icons.tsx';
import { keptInTab } from '../../kept.ts';
import { useParts, useTexts } from '../../parts.ts';
import { useReading } from '../../reading.ts';
import type { FieldProblem, Role, TypeEntry } from '../../views.ts';
import { may } from '../../may.ts';
import { Missing, Sheet } from '../sheet.tsx';
import { Badges, Catalogue } from './catalogue.tsx';
import { Change } from './change.tsx';
import { useConnectTexts } from './controls.tsx';
import { draftOf } from './entered.ts';
import type { EnteredGroup } from './entered.ts';
import { SettingsForm } from './form.tsx';
import { frameOf, freeId } from './frame.ts';
import { noteConnected } from './since.ts';
import './connect.css';
import './waiting.css';

/** Where channels and destinations are connected and changed. */
export function Connect() {
  const { api, route } = useParts();
  const t = useConnectTexts();
  const { section, task, type, id } = useCell(route.place);
  const role: Role = section === 'destinations' ? 'destination' : 'channel';
  const { value, failed } = useReading(() => api.catalogue(), 'catalogue', '');
  if (!value) return failed === undefined ? <section class="sheet" aria-busy="true" /> : <Missing text={undefined} />;
  const types = value.data.filter((entry) => entry.role === role);
  if (task === 'change' && id !== undefined) return <Change key={id} role={role} id={id} types={types} />;
  if (task !== 'make') return <Catalogue role={role} types={types} />;
  const entry = types.find((one) => one.type === type);
  return entry ? <Make key={`${role} ${entry.type}`} entry={entry} /> : <Missing text={t.noSuchType} />;
}

function Make({ entry }: { readonly entry: TypeEntry }) {
  const { api, endpoints, route, session } = useParts();
  const { t: all } = useTexts();
  const t = useConnectTexts();
  const { role, type, title, summary } = entry;
  const known = useCell(endpoints.state);
  const taken = [...known.channel, ...known.destination].map(({ id }) => id);
  const fields = frameOf(entry, { ...t.frame, settings: all.endpoints.settings }, 'new');
  const draft = `connect ${role} ${type}`;
  const [value, setValue] = useState<EnteredGroup>(() => draftIn(draft) ?? { id: freeId(type, taken) });
  // The same settings sent again after a failure are the same channel.
  const attempt = useRef<{ readonly what: string; readonly key: string } | undefined>(undefined);
  const mode = may(session, 'endpoints:write') ? 'open' : 'closed';
  const change = (next: EnteredGroup) => {
    setValue(next);
    keptInTab.write(draft, JSON.stringify(draftOf(fields, next)));
  };
  const send = async (body: Record<string, unknown>) => {
    const what = JSON.stringify(body);
    if (attempt.current?.what !== what) attempt.current = { what, key: newKey() };
    const made = await api.connect(role, { type, ...body }, attempt.current.key);
    keptInTab.remove(draft);
    noteConnected(made.id);
    await endpoints.refresh();
    route.go({ id: made.id });
  };
  const check = ({ id }: Readonly<Record<string, unknown>>): readonly FieldProblem[] => {
    if (id === 'new') return [{ pointer: '/id', message: t.faults.reserved }];
    return taken.includes(String(id)) ? [{ pointer: '/id', message: t.faults.taken }] : [];
  };
  return (
    <Sheet
      title={
        <>
          <Icon name={role === 'channel' ? iconOf(type) : 'destinations'} /> {title}
        </>
      }
    >
      <p class="under">
        <a {...route.link({ task: 'choose' })}>
          <Icon name="back" /> {t.otherType}
        </a>
        <span>{summary}</span>
      </p>
      <Badges entry={entry} t={t} />
      {mode === 'closed' && <p class="notice">{t.mayNot}</p>}
      <SettingsForm {...{ fields, value, change, check, send, mode }} label={t.submit}>
        <small>{t.draft}</small>
        <button
          type="button"
          onClick={() => {
            keptInTab.remove(draft);
            setValue({ id: freeId(type, taken) });
          }}
        >
          {t.discard}
        </button>
      </SettingsForm>
    </Sheet>
  );
}

function draftIn(name: string): EnteredGroup | undefined {
  const text = keptInTab.read(name);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as EnteredGroup;
  } catch {
    return undefined;
  }
}
