import { Copy } from '../../copy.tsx';
import { useTexts } from '../../parts.ts';
import type { EventView, PayloadView } from '../../views.ts';
import { fetchedBy } from './texts.ts';
import { useLedgerTexts } from './use-texts.ts';

/** More than this of a body says no more to a person. */
const SHOWN = 20_000;

/** The request, as it came; values that let somebody in are redacted by the gateway. */
export function Received({ event: { payload } }: { readonly event: EventView }) {
  const { t } = useTexts();
  const words = useLedgerTexts();
  if (!payload) return <p class="hint">{t.endpoints.gone}</p>;
  const { method, url, remoteAddress, body, headers } = payload;
  const fetched = fetchedBy.find((one) => one === method);
  const facts = [remoteAddress, body && t.endpoints.bytes(body.size)];
  return (
    <>
      <p class="request">
        <b>{method}</b> {fetched ? words.fetched[fetched] : <code>{url}</code>}
      </p>
      <p class="hint">{facts.filter(Boolean).join(' · ')}</p>
      {Object.keys(headers).length > 0 && (
        <details>
          <summary>
            {t.endpoints.headers} <span class="number">{Object.keys(headers).length}</span>
          </summary>
          <dl class="pairs">
            {Object.entries(headers).map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </details>
      )}
      {body ? <Body body={body} /> : <p class="hint">{t.endpoints.gone}</p>}
    </>
  );
}

function Body({ body }: { readonly body: NonNullable<PayloadView['body']> }) {
  const { t } = useTexts();
  const words = useLedgerTexts();
  const { content, encoding, size, truncated } = body;
  const isCut = truncated || content.length > SHOWN;
  if (size === 0) return null;
  return (
    <details open>
      <summary>{words.body}</summary>
      {encoding === 'base64' && <p class="hint">{words.noText}</p>}
      <pre tabIndex={0} aria-label={words.body}>
        {content.slice(0, SHOWN)}
      </pre>
      {isCut && <p class="hint">{words.cut(t.endpoints.bytes(size))}</p>}
      {!truncated && <Copy text={content} what={words.body} />}
    </details>
  );
}
