import { useTexts } from '../../parts.ts';
import { routeTextsOf } from './texts.ts';

export function useRouteTexts() {
  const { t, language } = useTexts();
  return { t, r: routeTextsOf(language), language };
}
