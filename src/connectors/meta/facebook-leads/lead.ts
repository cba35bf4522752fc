import { z } from 'zod';
import { each } from '../../../core/each.ts';
import { ignored } from '../../../core/envelope.ts';
import type { EnvelopeInput, ItemInput } from '../../../core/envelope.ts';
import { toFields } from '../items.ts';
import { Change, Entry, id, optionalId, Payload, text, time } from '../payload.ts';

/** A form as the Page lists it: https://developers.facebook.com/docs/graph-api/reference/page/leadgen_forms */
export const Form = z.object({
  id,
  name: text,
  questions: z
    .array(z.object({ key: text, label: text, type: text }))
    .nullish()
    .catch([])
    .transform((value) => value ?? []),
});
export type Form = z.output<typeof Form>;

/** A form that somebody filled in: https://developers.facebook.com/docs/marketing-api/guides/lead-ads/retrieving */
const Lead = z.object({
  id,
  created_time: time,
  field_data: z.array(z.object({ name: z.string().min(1), values: z.array(z.coerce.string()).default([]) })),
  custom_disclaimer_responses: z
    .array(z.object({ checkbox_key: z.string().min(1), is_checked: z.unknown() }))
    .nullish()
    .catch([])
    .transform((value) => value ?? []),
  platform: text,
  is_organic: z.boolean().nullish(),
  ad_id: optionalId,
  ad_name: text,
  adset_id: optionalId,
  adset_name: text,
  campaign_id: optionalId,
  campaign_name: text,
});
type Lead = z.output<typeof Lead>;

/** What is asked for of each. */
export const LEAD_FIELDS = Object.keys(Lead.shape).join(',');

/** What the poll hands over: a lead with its form, or a form whose leads Meta doesn't give. */
const Handed = z.object({ form: Form, lead: z.unknown().optional(), refused: z.string().optional() });
export type Handed = z.input<typeof Handed>;

type Role = 'name' | 'firstName' | 'lastName' | 'email' | 'phone';
/** Types of questions, and what their keys are called where the form doesn't say: one may write a key in his language. */
const ROLES: ReadonlyMap<string, Role> = new Map([
  ['FULL_NAME', 'name'],
  ['FIRST_NAME', 'firstName'],
  ['LAST_NAME', 'lastName'],
  ['EMAIL', 'email'],
  ['WORK_EMAIL', 'email'],
  ['PHONE', 'phone'],
  ['PHONE_OTP', 'phone'],
  ['PHONE_NUMBER', 'phone'],
  ['USER_PROVIDED_PHONE_NUMBER', 'phone'],
  ['WHATSAPP_NUMBER', 'phone'],
  ['WORK_PHONE_NUMBER', 'phone'],
]);

interface Answer {
  readonly name: string;
  readonly label: string;
  readonly text: string;
  readonly role: Role | undefined;
}

interface About {
  /** What leads are called that say nothing of who it is. */
  readonly idKind: string;
  readonly receivedAt: number;
}

/** What the poll handed over, as an item. */
export function fromHanded(handed: unknown, about: About): ItemInput {
  const { form, lead, refused } = Handed.parse(handed);
  if (refused === undefined) return fromLead(Lead.parse(lead), form, about);
  return { kind: 'broken', at: `/forms/${form.id}`, error: `its leads can't be read: ${refused}`.slice(0, 4000) };
}

function fromLead(lead: Lead, form: Form, { idKind, receivedAt }: About): EnvelopeInput {
  const answers = lead.field_data.flatMap((one) => answerOf(one, form));
  const contacts = answers.flatMap(({ role, text: value }) =>
    role === 'email' || role === 'phone' ? [{ kind: role, value: value.slice(0, 512), trust: 'claimed' as const }] : [],
  );
  const name = nameIn(answers);
  return {
    kind: 'form',
    externalId: `lead:${lead.id}`,
    occurredAt: lead.created_time ?? receivedAt,
    sender: {
      ...(name && { name: name.slice(0, 1000) }),
      identifiers:
        contacts.length > 0 ? contacts.slice(0, 20) : [{ kind: idKind, value: lead.id, trust: 'claimed' as const }],
    },
    ...(form.name && { subject: form.name.slice(0, 1000) }),
    text: answers
      .map(({ label, text: said }) => `${label}${/[?:!.]$/.test(label) ? '' : ':'} ${said}`)
      .join('\n')
      .slice(0, 1_000_000)
      .toWellFormed(),
    fields: fieldsOf(lead, form, answers),
  };
}

function answerOf({ name, values }: Lead['field_data'][number], { questions }: Form): Answer[] {
  const said = values.filter(Boolean).join(', ');
  const question = questions.find(({ key }) => key === name);
  const role = ROLES.get(question?.type ?? name.toUpperCase());
  return said === '' ? [] : [{ name, label: question?.label || name, text: said, role }];
}

function nameIn(answers: readonly Answer[]): string {
  const of = (role: Role) => answers.find((answer) => answer.role === role)?.text;
  return of('name') ?? [of('firstName'), of('lastName')].filter(Boolean).join(' ');
}

/** Where it came from, and what was asked besides who it is; a question can't pass for where it came from. */
function fieldsOf(lead: Lead, form: Form, answers: readonly Answer[]): Record<string, string> {
  const source = toFields({
    form: form.id,
    form_name: form.name,
    ad: lead.ad_id,
    ad_name: lead.ad_name,
    adset: lead.adset_id,
    adset_name: lead.adset_name,
    campaign: lead.campaign_id,
    campaign_name: lead.campaign_name,
    platform: lead.platform,
    organic: lead.is_organic ? 'yes' : undefined,
  });
  const consents = lead.custom_disclaimer_responses.map(({ checkbox_key: key, is_checked: checked }) => ({
    name: `consent ${key}`,
    text: checked === true || checked === 'true' || checked === '1' || checked === 1 ? 'yes' : 'no',
  }));
  const fields = new Map(Object.entries(source));
  for (const { name, text: value } of [...answers.filter(({ role }) => role === undefined), ...consents]) {
    const short = name.slice(0, 190).toWellFormed();
    let free = short;
    for (let nth = 2; fields.has(free); nth++) free = `${short} (${nth})`;
    fields.set(free, value);
  }
  return toFields(Object.fromEntries(fields));
}

/** What Meta pushes: only that there are leads, which are then fetched. */
export function fromNotification(payload: unknown, pageId: string): ItemInput[] {
  const { object, entry } = Payload.parse(payload);
  if (object !== 'page') return [ignored(object, 'not about page')];
  return each(entry, (one) => {
    const { id: page, changes } = Entry.parse(one);
    if (page !== pageId) return ignored('another_account', `for the Page with the id ${page ?? 'none'}`);
    const items = each(changes, (change) => {
      const { field } = Change.parse(change);
      return field === 'leadgen' ? { kind: 'wake' } : ignored(field, 'tells of no lead');
    });
    return items.length > 0 ? items : ignored('page', 'tells of no lead');
  });
}
