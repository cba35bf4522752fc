import { contactOf } from '../../core/field-mapping.ts';
import type { Customer } from '../../core/ticket.ts';
import type { Api } from './api.ts';
import type { Config } from './config.ts';
import type { Found, Person } from './shapes.ts';
import { cut } from './text.ts';

const NAME_LENGTH = 255;

/** What a person may be known by: the kind of field to search in, and what stands there. */
interface Name {
  readonly fields: 'email' | 'phone' | 'custom_fields';
  readonly value: string;
}

/**
 * The customer as Pipedrive knows him, by the address or the number that a platform carries, else by our id. One who is
 * there stays as he is: colleagues may have named him. `young`: since when a search may not show persons yet.
 */
export async function personIn(api: Api, config: Config, customer: Customer, young: number): Promise<string> {
  const names = namesOf(customer);
  for (const name of names) {
    const found = await api.searchPersons(name.fields, name.value);
    const known = oldest(found.filter((each) => isFound(each, name)));
    if (known !== undefined) return known;
  }
  const { all } = await api.personsMade(young);
  const known = oldest(all.filter((each) => names.some((name) => isNamed(config, each, name))));
  return known ?? api.createPerson(toPerson(config, customer));
}

function namesOf(customer: Customer): Name[] {
  const [email, phone] = [contactOf(customer, 'email'), contactOf(customer, 'phone')];
  return [
    ...(email === undefined ? [] : [{ fields: 'email', value: email } as const]),
    ...(phone === undefined ? [] : [{ fields: 'phone', value: phone } as const]),
    { fields: 'custom_fields', value: customer.id },
  ];
}

/** A search may look into more than it was asked for. */
function isFound({ emails, phones, custom_fields: custom }: Found, { fields, value }: Name): boolean {
  const there = { email: emails, phone: phones, custom_fields: custom }[fields] ?? [];
  return there.some((each) => isSame(fields, each, value));
}

function isNamed(
  { personIdField }: Config,
  { emails, phones, custom_fields: custom }: Person,
  { fields, value }: Name,
) {
  if (fields === 'custom_fields') return custom?.[personIdField] === value;
  return (fields === 'email' ? emails : phones)?.some((each) => isSame(fields, each.value ?? '', value)) ?? false;
}

function isSame(fields: Name['fields'], there: string, ours: string): boolean {
  const plain = (text: string) => (fields === 'phone' ? text.replaceAll(/\D/g, '') : text.toLowerCase());
  return plain(there) === plain(ours);
}

function oldest(list: readonly { readonly id: string }[]): string | undefined {
  return list.map(({ id }) => id).sort((a, b) => Number(a) - Number(b))[0];
}

function toPerson({ personIdField }: Config, customer: Customer): object {
  const [email, phone] = [contactOf(customer, 'email'), contactOf(customer, 'phone')];
  const address = (value: string) => [{ value, primary: true, label: 'work' }];
  return {
    name: cut(customer.name ?? email ?? phone ?? 'Customer without a name', NAME_LENGTH),
    ...(email !== undefined && { emails: address(email) }),
    ...(phone !== undefined && { phones: address(phone) }),
    custom_fields: { [personIdField]: customer.id },
  };
}
