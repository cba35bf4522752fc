import { z } from 'zod';

/**
 * What amoCRM tells, as far as it is used.
 * https://www.amocrm.ru/developers/content/crm_platform/leads-api and /events-and-notes
 */

export const Id = z.union([z.number(), z.string().min(1)]).transform(String);
/** Seconds. */
const Time = z.number().min(0).max(100_000_000_000);
/** None, or a number below 1, is a robot: an integration among them. */
const Author = z.number().nullish();

const FieldValues = z
  .array(
    z.object({
      field_id: Id.nullish(),
      field_code: z.string().nullish(),
      values: z.array(z.object({ value: z.unknown() })).nullish(),
    }),
  )
  .nullish();

export const Lead = z.object({
  id: Id,
  status_id: z.number(),
  pipeline_id: z.number(),
  created_at: Time,
  is_deleted: z.boolean().nullish(),
  custom_fields_values: FieldValues,
});
export type Lead = z.output<typeof Lead>;

export const Contact = z.object({ id: Id, custom_fields_values: FieldValues });

const word = z.union([z.string(), z.number().transform(String)]).nullish();
type Params = { [name in 'text' | 'original_name' | 'file_name' | 'file_uuid']?: string | null | undefined };

export const Note = z.object({
  id: Id,
  entity_id: Id,
  created_by: Author,
  created_at: Time,
  note_type: z.string(),
  params: z
    .object({ text: word, original_name: word, file_name: word, file_uuid: word })
    // PHP writes a map without entries as a list.
    .or(z.array(z.never()).transform(() => ({})))
    .nullish()
    .transform((params): Params => params ?? {}),
});
export type Note = z.output<typeof Note>;

export const Event = z.object({
  id: z.string().min(1).max(200),
  type: z.string(),
  entity_id: Id,
  entity_type: z.string(),
  created_by: Author,
  created_at: Time,
  /** Whose integration it was. Not documented. */
  oauth_client_uuid: z.string().nullish(),
  value_after: z
    .array(
      z.object({
        note: z.object({ id: Id }).nullish(),
        lead_status: z.object({ id: z.number(), pipeline_id: z.number().nullish() }).nullish(),
      }),
    )
    .nullish(),
});
export type Event = z.output<typeof Event>;

export const Account = z.object({
  name: z.string().nullish(),
  current_user_id: z.number().nullish(),
  drive_url: z.url({ protocol: /^https?$/ }).nullish(),
});

/** What stands in a field: by its number, or by the code that every account has for it. */
export function valuesOf(thing: Pick<Lead, 'custom_fields_values'>, field: number | 'PHONE' | 'EMAIL'): string[] {
  const fields = (thing.custom_fields_values ?? []).filter(({ field_id: id, field_code: code }) =>
    typeof field === 'number' ? id === String(field) : code === field,
  );
  const values = fields.flatMap(({ values: all }) => (all ?? []).map(({ value }) => value));
  return values.filter((value) => typeof value === 'string' || typeof value === 'number').map(String);
}
