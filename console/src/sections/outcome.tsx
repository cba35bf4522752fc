import { useTexts } from '../parts.ts';
import type { Outcome } from '../views.ts';

const looks: Readonly<Partial<Record<Outcome, 'ok' | 'act' | 'warn'>>> = {
  ticket_created: 'ok',
  appended: 'ok',
  revised: 'ok',
  rejected: 'warn',
  quarantined: 'act',
};

/** What became of something that came in, in a word with a shape of its own. */
export function OutcomeState({ outcome }: { readonly outcome: Outcome }) {
  const { t } = useTexts();
  return (
    <span class="state" data-look={looks[outcome] ?? 'idle'}>
      {t.endpoints.outcomes[outcome]}
    </span>
  );
}
