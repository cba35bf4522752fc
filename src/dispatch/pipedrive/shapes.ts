import { z } from 'zod';

/** What Pipedrive answers, as far as it is read: https://developers.pipedrive.com/docs/api/v1 */

/** Ids are numbers there; as strings here. */
const Id = z.union([z.number(), z.string().min(1)]).transform(String);
const Time = z.iso.datetime({ offset: true });
/** Of version 1: `2026-11-22 10:00:05`, in UTC. As milliseconds here. */
const ClockTime = z
  .string()
  .transform((text) => Date.parse(`${text.slice(0, 19).replace(' ', 'T')}Z`))
  .pipe(z.number());
const custom = z.record(z.string(), z.unknown()).nullish();
const addresses = z.array(z.object({ value: z.string().nullish() })).nullish();

/** One that was never changed may not say when. */
export const Deal = z
  .object({
    id: Id,
    status: z.string(),
    stage_id: z.number().nullish(),
    stage_change_time: z.string().nullish(),
    add_time: Time,
    update_time: Time.nullish(),
    custom_fields: custom,
  })
  .transform((deal) => ({ ...deal, update_time: deal.update_time ?? deal.add_time }));
export type Deal = z.output<typeof Deal>;

export const Person = z.object({ id: Id, add_time: Time, emails: addresses, phones: addresses, custom_fields: custom });
export type Person = z.output<typeof Person>;

const Found = z.object({
  id: Id,
  emails: z.array(z.string()).nullish(),
  phones: z.array(z.string()).nullish(),
  custom_fields: z.array(z.string()).nullish(),
});
/** A deal or a person as a search shows it. */
export type Found = z.output<typeof Found>;

export const Note = z
  .object({
    id: Id,
    deal_id: Id.nullish(),
    content: z.string().nullish(),
    add_time: ClockTime,
    update_time: ClockTime.nullish(),
    active_flag: z.boolean().nullish(),
    user: z.object({ name: z.string().nullish(), is_you: z.boolean().nullish() }).nullish(),
  })
  .transform((note) => ({ ...note, content: note.content ?? '', update_time: note.update_time ?? note.add_time }));
export type Note = z.output<typeof Note>;

export const File = z.object({ name: z.string().nullish(), file_size: z.number().nullish(), add_time: ClockTime });
export type File = z.output<typeof File>;

/** A change of one field of a deal. */
export const Change = z.object({
  field_key: z.string(),
  new_value: z.coerce.string().nullish().catch(undefined),
  actor_user_id: Id.nullish(),
  time: ClockTime,
  change_source: z.string().nullish(),
});
export type Change = z.output<typeof Change>;

export const Field = z.object({
  field_code: z.string(),
  field_type: z.string(),
  options: z.array(z.object({ id: z.union([z.number(), z.string()]), label: z.string() })).nullish(),
});
export type Field = z.output<typeof Field>;

export const One = z.object({ id: Id });
export const User = z.object({ id: Id, name: z.string().nullish() });
export const Stage = z.object({ id: z.number(), pipeline_id: z.number().nullish() });

export const answer = <T extends z.ZodType>(data: T) => z.object({ success: z.literal(true), data });
/** A page of version 2. */
export const page = <T extends z.ZodType>(one: T) =>
  z.object({
    success: z.literal(true),
    data: z.array(one),
    additional_data: z.object({ next_cursor: z.string().nullish() }).nullish(),
  });
/** A page of version 1, which has no list where there is nothing. */
export const Notes = z.object({
  success: z.literal(true),
  data: z.array(Note).nullish(),
  additional_data: z
    .object({ pagination: z.object({ more_items_in_collection: z.boolean().nullish() }).nullish() })
    .nullish(),
});
export const Files = z.object({ success: z.literal(true), data: z.array(File).nullish() });
export const Items = z.object({ items: z.array(z.object({ item: Found })) });
