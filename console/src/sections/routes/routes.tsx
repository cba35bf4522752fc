import { useEffect, useMemo, useState } from 'preact/hooks';
import { newKey } from '../../api.ts';
import { useCell } from '../../cell.ts';
import { problemText } from '../../failure.ts';
import { useFocus } from '../../focus.ts';
import { Icon } from '../../icons.tsx';
import { keptInTab } from '../../kept.ts';
import { may } from '../../may.ts';
import { useParts } from '../../parts.ts';
import { topOf } from '../../place.ts';
import { useReading } from '../../reading.ts';
import { Block, Missing, Sheet } from '../sheet.tsx';
import { routeCalls } from './calls.ts';
import { draftsOf, isOther, keptDraft, moved, placed } from './decide.ts';
import type { Draft } from './decide.ts';
import { EditDialog } from './edit.tsx';
import { RouteCard } from './route-card.tsx';
import { useRouteTexts } from './use-texts.ts';
import { Trial } from './trial.tsx';
import type { Known } from './views.ts';
import './routes.css';

/** Under which name this tab keeps what is not saved yet. */
const KEPT = 'routes';

/** Which messages go to which destinations: those of the file to read, the others to change, together and after a trial. */
export function Routes() {
  const { endpoints } = useParts();
  const { readAt } = useCell(endpoints.state);
  const [round, setRound] = useState(0);
  const { value, failed } = useReading(() => routeCalls.known(), 'routes', `${readAt} ${round}`);
  /** What was saved is known before it is read again. */
  const [saved, setSaved] = useState<{ readonly known: Known; readonly instead: Known } | undefined>();
  if (!value) return failed === undefined ? <section class="sheet" aria-busy="true" /> : <Missing text={undefined} />;
  return (
    <Shown
      known={saved?.instead === value ? saved.known : value}
      isOld={failed !== undefined}
      saved={(known) => setSaved({ known, instead: value })}
      refresh={() => setRound((before) => before + 1)}
    />
  );
}

/** What is not saved yet, and the version that it was made from; kept in the tab. */
function useDraft({ routes, version }: Known) {
  const [draft, setDraft] = useState(() => keptDraft(keptInTab.read(KEPT)));
  const saved = useMemo(() => draftsOf(routes), [routes]);
  const drafts = draft?.drafts ?? saved;
  const discard = () => {
    keptInTab.remove(KEPT);
    setDraft(undefined);
  };
  const set = (next: readonly Draft[]) => {
    if (!isOther(next, routes)) return discard();
    const made = { version: draft?.version ?? version, drafts: next };
    keptInTab.write(KEPT, JSON.stringify(made));
    setDraft(made);
  };
  return {
    drafts,
    set,
    discard,
    isUnsaved: draft !== undefined && (draft.version !== version || isOther(drafts, routes)),
    isStale: draft !== undefined && draft.version !== version,
    version: draft?.version ?? version,
  };
}

function Shown(given: {
  readonly known: Known;
  readonly isOld: boolean;
  readonly saved: (known: Known) => void;
  readonly refresh: () => void;
}) {
  const { known, isOld, saved, refresh } = given;
  const { session, offered, spoken } = useParts();
  const { t, r } = useRouteTexts();
  const { drafts, set, discard, isUnsaved, isStale, version } = useDraft(known);
  const [edited, edit] = useState<Draft | undefined>();
  const [trial, setTrial] = useState(0);
  const [phase, setPhase] = useState<'idle' | 'saving'>('idle');
  const [said, setSaid] = useState<{ readonly text: string; readonly look: 'ok' | 'act' } | undefined>();
  const focus = useFocus();
  const mayChange = may(session, 'endpoints:write');
  const fromFile = known.routes.filter(({ source }) => source !== null);
  /** Those of the file come first. */
  const numberOf = (key: string, among = drafts) => fromFile.length + among.findIndex((draft) => draft.key === key) + 1;

  const add = () => edit({ key: `new-${newKey()}`, when: {}, to: [], stop: false });
  const move = (key: string, by: 1 | -1) => {
    const next = moved(drafts, key, by);
    set(next);
    const index = next.findIndex((draft) => draft.key === key);
    spoken.set(r.nowNumber(numberOf(key, next)));
    const isAtEnd = index === (by < 0 ? 0 : next.length - 1);
    const [pressed, other] = by < 0 ? (['up', 'down'] as const) : (['down', 'up'] as const);
    // At the end of its way the button does nothing any more.
    focus(() => document.getElementById(`${isAtEnd ? other : pressed}-${key}`));
  };
  const remove = (key: string) => {
    const index = drafts.findIndex((draft) => draft.key === key);
    const next = drafts.filter((draft) => draft.key !== key);
    set(next);
    spoken.set(r.removed);
    const neighbour = next[Math.min(index, next.length - 1)];
    focus(() => document.getElementById(neighbour ? `change-${neighbour.key}` : 'add-route'));
  };
  const save = async () => {
    setPhase('saving');
    setSaid(undefined);
    try {
      saved(await routeCalls.replace(drafts, version));
      discard();
      setTrial(0);
      setSaid({ text: r.saved, look: 'ok' });
      focus(() => document.getElementById('sheet'));
    } catch (error) {
      setSaid({ text: problemText(error, t), look: 'act' });
    }
    setPhase('idle');
    refresh();
  };
  const dropAll = () => {
    discard();
    setTrial(0);
    setSaid(undefined);
    refresh();
    focus(() => document.getElementById('sheet'));
  };
  const tryIt = () => {
    setTrial((before) => before + 1);
    focus(() => document.getElementById('trial'));
  };
  useEffect(() => {
    const own = [
      { id: 'add route', title: r.add, run: add },
      ...(isUnsaved
        ? [
            { id: 'save routes', title: r.save, run: () => void save() },
            { id: 'discard routes', title: r.discard, run: dropAll },
          ]
        : []),
    ];
    offered.set([{ id: 'try routes', title: r.tryIt, run: tryIt }, ...(mayChange ? own : [])]);
    return () => {
      offered.set([]);
    };
  }, [mayChange, isUnsaved, r, drafts, version]);

  return (
    <Sheet title={t.sections.routes}>
      <Under />
      {isOld && <p class="notice">{t.empty.broken}</p>}
      {known.routes.length + drafts.length === 0 && <p class="notice">{r.none}</p>}
      {fromFile.length > 0 && (
        <Block id="from-file" title={r.fromFile} hint={r.fromFileHint}>
          <ol class="rules">
            {fromFile.map((route, index) => (
              <RouteCard key={route.id} number={index + 1} rule={route} source={route.source} />
            ))}
          </ol>
        </Block>
      )}
      <Block
        id="own"
        title={r.own}
        {...(fromFile.length > 0 && { hint: r.ownHint })}
        tools={
          mayChange && (
            <button id="add-route" onClick={add}>
              {r.add}
            </button>
          )
        }
      >
        {drafts.length === 0 && <p class="none">{r.noneOwn}</p>}
        <ol class="rules">
          {drafts.map((draft, index) => (
            <RouteCard
              key={draft.key}
              number={numberOf(draft.key)}
              rule={draft}
              {...(mayChange && {
                own: {
                  key: draft.key,
                  isFirst: index === 0,
                  isLast: index === drafts.length - 1,
                  move: (by: 1 | -1) => move(draft.key, by),
                  edit: () => edit(draft),
                  remove: () => remove(draft.key),
                },
              })}
            />
          ))}
        </ol>
      </Block>
      <Bar
        isUnsaved={isUnsaved}
        isStale={isStale}
        phase={phase}
        tryIt={tryIt}
        save={() => void save()}
        discard={dropAll}
        said={said}
      />
      {trial > 0 && <Trial round={trial} rules={isUnsaved ? [...fromFile, ...drafts] : undefined} />}
      {edited && (
        <EditDialog
          title={drafts.some(({ key }) => key === edited.key) ? r.changeTitle(numberOf(edited.key)) : r.addTitle}
          rule={edited}
          done={(rule) => {
            set(placed(drafts, { ...edited, ...rule }));
            setSaid(undefined);
            focus(() => document.getElementById(`change-${edited.key}`));
          }}
          close={() => edit(undefined)}
        />
      )}
    </Sheet>
  );
}

function Under() {
  const { route } = useParts();
  const { t, r } = useRouteTexts();
  return (
    <p class="under">
      <a {...route.link(topOf('destinations'))}>
        <Icon name="back" /> {t.sections.destinations}
      </a>
      <span>{r.hint}</span>
    </p>
  );
}

/** What becomes of what is not saved yet. */
function Bar(given: {
  readonly isUnsaved: boolean;
  readonly isStale: boolean;
  readonly phase: 'idle' | 'saving';
  readonly tryIt: () => void;
  readonly save: () => void;
  readonly discard: () => void;
  readonly said: { readonly text: string; readonly look: 'ok' | 'act' } | undefined;
}) {
  const { isUnsaved, isStale, phase, tryIt, save, discard, said } = given;
  const { r } = useRouteTexts();
  return (
    <div class="actions unsaved" data-unsaved={isUnsaved ? '' : undefined}>
      {isUnsaved && <p role="status">{isStale ? r.stale : r.unsaved}</p>}
      <button onClick={tryIt}>{r.tryIt}</button>
      {isUnsaved && (
        <>
          <button class="button" disabled={isStale || phase === 'saving'} onClick={save}>
            {r.save}
          </button>
          <button onClick={discard}>{r.discard}</button>
        </>
      )}
      <p role="status" class="said" data-look={said?.look} dir="auto">
        {said?.text}
      </p>
    </div>
  );
}
