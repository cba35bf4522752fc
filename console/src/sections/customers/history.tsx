import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { may } from '../../may.ts';
import { useParts } from '../../parts.ts';
import { useReading } from '../../reading.ts';
import { longTime, shortTime } from '../../time.ts';
import type { Customer } from '../../views.ts';
import { Block } from '../sheet.tsx';
import { Asking, Preview } from './asking.tsx';
import { customerCalls } from './calls.ts';
import { Person } from './person.tsx';
import type { CustomerTexts } from './texts.ts';
import type { Merge } from './views.ts';
import { useWords } from './words.tsx';

/** Merges and splits that he was part of, and whom he was told apart from; each can be undone. */
export function History(given: {
  readonly customer: Customer;
  readonly merges: readonly Merge[];
  readonly refresh: () => void;
  readonly children: ComponentChildren;
}) {
  const { customer, merges, refresh, children } = given;
  const { session } = useParts();
  const { c, language } = useWords();
  const [asked, ask] = useState<Merge | undefined>();
  const mayUndo = may(session, 'customers:write');
  return (
    <Block id="history" title={c.history} tools={children}>
      {merges.length === 0 && <p class="none">{c.noHistory}</p>}
      <ul class="history">
        {merges.map((merge) => (
          <li key={merge.id}>
            <p>
              {c.did[didOf(merge, customer.id)]}{' '}
              <Person id={merge.winner === customer.id ? merge.loser : merge.winner} />{' '}
              <time dateTime={merge.at} title={longTime(merge.at, language)}>
                {shortTime(merge.at, language)}
              </time>
            </p>
            <small dir="auto">
              {merge.evidence}
              {merge.undoneAt !== null && ` · ${c.undone(shortTime(merge.undoneAt, language))}`}
            </small>
            {mayUndo && merge.undoneAt === null && <button onClick={() => ask(merge)}>{c.undo}</button>}
          </li>
        ))}
      </ul>
      {asked && (
        <Undo
          merge={asked}
          close={() => {
            ask(undefined);
            refresh();
          }}
        />
      )}
    </Block>
  );
}

function didOf({ kind, winner }: Merge, id: string): keyof CustomerTexts['did'] {
  if (kind === 'apart') return kind;
  if (kind === 'merge') return winner === id ? 'merge' : 'merged';
  return winner === id ? 'split' : 'splitOff';
}

function Undo({ merge, close }: { readonly merge: Merge; readonly close: () => void }) {
  const { c } = useWords();
  // Nothing moved when two were told apart.
  const moves = merge.kind !== 'apart';
  const reading = useReading(() => customerCalls.previewUndo(merge.id), merge.id, '');
  // Seen from the one who has gone, or was split off.
  const [seenBy, other] = merge.kind === 'merge' ? [merge.loser, merge.winner] : [merge.winner, merge.loser];
  return (
    <Asking
      title={c.undoTitle}
      done={c.takeBack}
      ready={reading.value !== undefined}
      act={async () => {
        await customerCalls.undo(merge.id);
      }}
      close={close}
    >
      <p>
        {c.did[didOf(merge, seenBy)]}: <Person id={other} />
      </p>
      <p dir="auto">{merge.evidence}</p>
      {moves && <Preview reading={reading} />}
    </Asking>
  );
}
