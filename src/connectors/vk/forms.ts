import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import { partyOf, toFields } from './about.ts';
import type { About } from './about.ts';
import { threadOf } from './address.ts';
import { plainText } from './content.ts';
import { Lead, Order } from './event.ts';

/** An order in the community's shop, and each change of it. It is answered in the customer's chat. */
export function fromOrder(object: unknown, { type, receivedAt, self }: About): ItemInput {
  const order = Order.parse(object);
  const { user_id: user, recipient, delivery, total_price: total } = order;
  const number = order.display_order_id || order.id;
  const items = order.preview_order_items.map(({ title, quantity, price }) => `– ${title} × ${quantity} ${price.text}`);
  return {
    kind: 'form',
    externalId: `order${self}_${user}_${order.id}`,
    revision: type === 'market_order_new' ? 0 : receivedAt,
    occurredAt: order.date * 1000,
    sender: claiming(user, recipient),
    thread: { externalId: threadOf({ peer: user }) },
    text: [`🛒 №${number}`, ...items, total.text, order.comment].filter(Boolean).map(plainText).join('\n'),
    fields: toFields({
      order: number,
      // 0 new, 1 being agreed on, 2 being packed, 3 on its way, 4 done, 5 cancelled, 6 returned
      status: String(order.status),
      total: plainText(total.text),
      comment: plainText(order.comment),
      address: delivery.address || order.address,
      delivery: delivery.type,
      recipient_name: recipient.name,
      recipient_phone: recipient.phone,
    }),
  };
}

/** A filled-in form of an advertisement or of the community. */
export function fromLead(object: unknown, { receivedAt, self }: About): ItemInput {
  const { lead_id, user_id: user, form_id, form_name, ad_id, answers } = Lead.parse(object);
  const said = answers.map(({ key, question, answer }) => ({ key, question, answer: [answer].flat().join(', ') }));
  const of = (key: string) => said.find((each) => each.key === key)?.answer || undefined;
  const name = [of('first_name'), of('last_name')].filter(Boolean).join(' ');
  return {
    kind: 'form',
    externalId: `lead${self}_${form_id}_${lead_id}`,
    occurredAt: receivedAt,
    sender: claiming(user, { name, phone: of('phone_number'), email: of('email') }),
    thread: { externalId: threadOf({ peer: user }) },
    subject: form_name.slice(0, 1000),
    text: said.map(({ key, question, answer }) => `${question || key}: ${answer}`).join('\n'),
    fields: toFields({
      ...Object.fromEntries(said.map(({ key, question, answer }) => [key || question, answer])),
      form: form_id,
      ad: ad_id,
    }),
  };
}

/** What he typed about himself is only that; who he is, VK knows. */
function claiming(
  user: string,
  { name, phone, email }: { readonly name?: string; readonly phone?: string; readonly email?: string },
): EnvelopeInput['sender'] {
  const party = partyOf(user);
  const typed = [
    { kind: 'phone', value: phone },
    { kind: 'email', value: email },
  ].flatMap(({ kind, value }) => (value ? [{ kind, value: value.slice(0, 512), trust: 'claimed' as const }] : []));
  return { ...(name && { name: name.slice(0, 1000) }), identifiers: [...party.identifiers, ...typed] };
}
