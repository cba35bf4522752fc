import { addressesOf } from '../addresses.ts';
import { Copy } from '../copy.tsx';
import { useTexts } from '../parts.ts';
import type { EndpointView } from '../views.ts';

/** Where an endpoint is reached, to copy. */
export function AddressRows({ endpoint }: { readonly endpoint: EndpointView }) {
  const { t } = useTexts();
  return (
    <>
      {addressesOf(endpoint).map(({ kind, text, isCut }) => (
        <div key={kind} class="address">
          <span>{t.endpoints.address[kind]}</span>
          <code>
            {text}
            {isCut && '…'}
          </code>
          <Copy text={text} what={t.endpoints.address[kind]} />
          {isCut && <small>{t.endpoints.cut}</small>}
        </div>
      ))}
    </>
  );
}
