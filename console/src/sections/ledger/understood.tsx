import { problemText } from '../../failure.ts';
import { useParts, useTexts } from '../../parts.ts';
import { useReading } from '../../reading.ts';
import { longTime } from '../../time.ts';
import type { EventView, ReadItem } from '../../views.ts';
import { headOf, pairsOf, textOf } from './items.ts';
import { useLedgerTexts } from './use-texts.ts';

/** More than this of a text says no more to a person. */
const SHOWN = 4000;
const WHOLE = 40_000;

/** What the channel makes of the bytes. */
export function Understood({ event }: { readonly event: EventView }) {
  const words = useLedgerTexts();
  return event.payload?.body ? <Reading id={event.id} /> : <p class="hint">{words.nothingToRead}</p>;
}

function Reading({ id }: { readonly id: string }) {
  const { api } = useParts();
  const { t } = useTexts();
  const words = useLedgerTexts();
  const { value } = useReading(
    () =>
      api.readAgain(id).catch((error: unknown) => ({
        // Whatever keeps it from being read is what somebody wants to know here.
        problem: problemText(error, t),
      })),
    id,
    '',
  );
  if (!value) return null;
  if ('problem' in value) {
    return (
      <p class="notice" data-look="warn" dir="auto">
        {value.problem}
      </p>
    );
  }
  return (
    <>
      <p class="hint">{words.asNow}</p>
      {value.items.map((item, index) => (
        <One key={index} item={item} />
      ))}
    </>
  );
}

function One({ item }: { readonly item: ReadItem }) {
  const { t, language } = useTexts();
  const words = useLedgerTexts();
  const text = textOf(item);
  return (
    <div class="read">
      <p class="heading" dir="auto">
        {headOf(item, t.kinds, words.things)}
      </p>
      {text !== '' && (
        <p class="said-there" dir="auto">
          {text.slice(0, SHOWN)}
          {text.length > SHOWN && '…'}
        </p>
      )}
      <dl class="pairs">
        {pairsOf(item, words, (iso) => longTime(iso, language)).map(([name, value]) => (
          <div key={name}>
            <dt dir="auto">{name}</dt>
            <dd dir="auto">{value}</dd>
          </div>
        ))}
      </dl>
      <details>
        <summary>{words.whole}</summary>
        <pre tabIndex={0} aria-label={words.whole}>
          {JSON.stringify(item, undefined, 2).slice(0, WHOLE)}
        </pre>
      </details>
    </div>
  );
}
