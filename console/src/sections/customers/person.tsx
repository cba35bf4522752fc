import { useParts } from '../../parts.ts';
import { topOf } from '../../place.ts';
import { useReading } from '../../reading.ts';
import { customerCalls } from './calls.ts';
import { titleOf } from './decide.ts';
import { useWords } from './words.tsx';

/** Another customer by his name, which leads to him. */
export function Person({ id }: { readonly id: string }) {
  const { route } = useParts();
  const { t } = useWords();
  const { value } = useReading(() => customerCalls.one(id), id, '');
  return (
    <a dir="auto" {...route.link({ ...topOf('customers'), id })}>
      {value ? titleOf(value, t.unnamed) : id}
    </a>
  );
}
