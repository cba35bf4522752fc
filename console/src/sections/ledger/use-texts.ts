import { useTexts } from '../../parts.ts';
import { ledgerTextsOf } from './texts.ts';
import type { LedgerTexts } from './texts.ts';

export function useLedgerTexts(): LedgerTexts {
  return ledgerTextsOf(useTexts().language);
}
