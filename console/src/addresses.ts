import type { EndpointView } from './views.ts';

/** What can be copied of an endpoint: an address or a line for a page. `isCut`: its secret end isn't shown. */
export interface Address {
  readonly kind: 'page' | 'line' | 'webhook';
  readonly text: string;
  readonly isCut: boolean;
}

const MASK = '••••';

/** Where a channel or destination is reached. */
export function addressesOf({ id, type, webhookUrl }: EndpointView): readonly Address[] {
  if (webhookUrl === null) return [];
  const root = webhookUrl.slice(0, webhookUrl.indexOf(`/webhooks/${id}`));
  if (type === 'form') {
    return [
      whole('page', `${root}/forms/${id}`),
      whole('line', `<script src="${root}/forms/${id}/embed.js"></script>`),
    ];
  }
  if (type === 'web_chat') return [whole('line', `<script async src="${root}/chat/${id}/widget.js"></script>`)];
  const masked = webhookUrl.indexOf(MASK);
  if (masked < 0) return [whole('webhook', webhookUrl)];
  return [{ kind: 'webhook', text: webhookUrl.slice(0, masked), isCut: true }];
}

function whole(kind: Address['kind'], text: string): Address {
  return { kind, text, isCut: false };
}
