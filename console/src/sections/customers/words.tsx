import { Icon, iconOf } from '../../icons.tsx';
import { useTexts } from '../../parts.ts';
import type { IconName } from '../../icons.tsx';
import { partsOf } from './decide.ts';
import { customerTextsOf } from './texts.ts';
import type { CustomerTexts } from './texts.ts';
import type { Trust } from './views.ts';

export function useWords() {
  const { t, language } = useTexts();
  return { t, c: customerTextsOf(language), language };
}

/** What kind of identity it is, in words: `telegram` is Telegram, `webhook:intake` belongs to one channel. */
export function kindWords(kind: string, c: CustomerTexts): string {
  const { base, channel, clear } = partsOf(kind);
  const known = base === 'email' || base === 'phone' ? c.kinds[base] : undefined;
  const name = known ?? `${base.charAt(0).toUpperCase()}${base.slice(1).replaceAll('_', ' ')}`;
  return [name, channel, !clear && `(${c.unclear})`].filter(Boolean).join(' ');
}

export function iconOfKind(kind: string): IconName {
  const { base } = partsOf(kind);
  if (base === 'email') return 'mail';
  return base === 'phone' ? 'call' : iconOf(base);
}

const looks = { verified: 'ok', observed: 'idle', claimed: 'warn' } as const satisfies Record<Trust, string>;

/** How sure it is, in a word with a shape of its own. */
export function TrustMark({ trust }: { readonly trust: Trust }) {
  const { c } = useWords();
  return (
    <span class="state" data-look={looks[trust]} title={c.trustWhy[trust]}>
      {c.trust[trust]}
    </span>
  );
}

export function Kind({ kind }: { readonly kind: string }) {
  const { c } = useWords();
  return (
    <span class="kind">
      <Icon name={iconOfKind(kind)} /> {kindWords(kind, c)}
    </span>
  );
}
