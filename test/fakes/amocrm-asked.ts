import { z } from 'zod';

/**
 * What the pages of https://www.amocrm.ru/developers/content/crm_platform/ and /files/files-api name, as a closed world:
 * what they don't name is wrong.
 */

const id = z.number().int().positive();
const byNumber = z.strictObject({
  field_id: id,
  values: z.array(z.strictObject({ value: z.string().min(1) })).min(1),
});
const byCode = z.strictObject({
  field_code: z.enum(['PHONE', 'EMAIL']),
  values: z.array(z.strictObject({ value: z.string().min(1), enum_code: z.literal('WORK') })).min(1),
});
const fields = z.array(z.union([byNumber, byCode])).max(40);
const contact = z.union([
  z.strictObject({ id }),
  z.strictObject({
    name: z.string().min(1).max(255),
    responsible_user_id: id.optional(),
    custom_fields_values: fields.optional(),
  }),
]);
const call = z.strictObject({
  uniq: z.string().min(1),
  duration: z.number().int().min(0),
  source: z.string(),
  phone: z.string(),
  link: z.url().optional(),
});

const NewNote = z.discriminatedUnion('note_type', [
  z.strictObject({ note_type: z.literal('common'), params: z.strictObject({ text: z.string().min(1) }) }),
  z.strictObject({
    note_type: z.literal('attachment'),
    params: z.strictObject({ file_uuid: z.uuid(), file_name: z.string().min(1) }),
  }),
  z.strictObject({ note_type: z.literal('call_in'), params: call }),
  z.strictObject({ note_type: z.literal('call_out'), params: call }),
]);
export type NewNote = z.output<typeof NewNote>;

export const AmocrmAsked = {
  'POST /api/v4/leads/complex': z
    .array(
      z.strictObject({
        name: z.string().min(1).max(255),
        status_id: id.optional(),
        pipeline_id: id.optional(),
        responsible_user_id: id.optional(),
        custom_fields_values: fields,
        _embedded: z.strictObject({
          contacts: z.array(contact).length(1),
          tags: z.array(z.strictObject({ name: z.string().min(1) })).optional(),
        }),
      }),
    )
    .length(1),
  'POST /api/v4/leads/{id}/notes': z.array(NewNote).min(1),
  'PATCH /api/v4/leads/{id}': z.strictObject({ status_id: id, pipeline_id: id }),
  'POST /v1.0/sessions': z.strictObject({
    file_name: z.string().min(1),
    file_size: z.number().int().positive(),
    content_type: z.string().min(1),
  }),
  'POST /oauth2/access_token': z.strictObject({
    client_id: z.uuid(),
    client_secret: z.string().min(1),
    grant_type: z.literal('refresh_token'),
    refresh_token: z.string().min(1),
    redirect_uri: z.url(),
  }),
} as const;
