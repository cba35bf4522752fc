import { lookOf } from '../health.ts';
import { useTexts } from '../parts.ts';
import type { EndpointView } from '../views.ts';

/** How it is, in a word with a shape of its own. */
export function State({ endpoint }: { readonly endpoint: EndpointView }) {
  const { t } = useTexts();
  return (
    <span class="state" data-look={lookOf(endpoint)}>
      {endpoint.enabled ? t.health.states[endpoint.health.state] : t.health.off}
    </span>
  );
}
