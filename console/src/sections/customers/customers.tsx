import { useState } from 'preact/hooks';
import { useCell } from '../../cell.ts';
import { useParts } from '../../parts.ts';
import { CustomerList } from './customer-list.tsx';
import type { Listed } from './customer-list.tsx';
import { CustomerPage } from './customer-page.tsx';
import './customers.css';
import './who.css';

/** All customers, or the one that is open. */
export function Customers() {
  const { route } = useParts();
  const { id } = useCell(route.place);
  // Whoever comes back finds his row at once.
  const [kept, keep] = useState<Listed | undefined>();
  return id === undefined ? <CustomerList kept={kept} keep={keep} /> : <CustomerPage key={id} id={id} />;
}
