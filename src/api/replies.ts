import { z } from 'zod';
import type { CanReply } from '../core/connector.ts';
import { TemplateUse, toTime } from '../core/ticket.ts';
import { Id, Text, TimeText } from './schemas.ts';

/** An answer as it is sent in: words and files, or a template. */
export const NewReply = z
  .strictObject({
    text: Text.optional().meta({ description: 'Needed, unless there is a template' }),
    html: z.string().max(1_000_000).optional(),
    channel: Id.optional().meta({ description: 'Left out: the channel that the last message came through' }),
    attachments: z
      .array(z.strictObject({ name: z.string().min(1).max(255), mediaType: z.string().max(255), content: z.base64() }))
      .max(20)
      .optional(),
    template: TemplateUse.optional().meta({
      description:
        'One of `replyChannels` of the ticket, with a value for each of its parameters; nothing else besides `channel`',
    }),
  })
  .superRefine(({ text, html, attachments, template }, context) => {
    const refuse = (name: string, message: string) => {
      context.addIssue({ code: 'custom', path: [name], message });
    };
    if (!template && text === undefined) refuse('text', 'is needed, or a template');
    if (!template) return;
    for (const [name, value] of Object.entries({ text, html, attachments })) {
      if (value !== undefined) refuse(name, 'comes from the template');
    }
  });

/** A channel that an answer may take. */
export const ReplyChannel = z.object({
  channel: Id,
  type: z.string(),
  allowed: z.boolean().meta({ description: 'Whether any text may go out now' }),
  reason: z.string().nullable(),
  until: TimeText.nullable(),
  public: z.boolean().meta({ description: 'Everybody reads the answer, not the customer alone: below a review' }),
  longest: z.number().int().nullable().meta({ description: 'Most characters that an answer may have' }),
  replaces: z.boolean().meta({ description: 'The channel keeps one answer: another one takes its place' }),
  templates: z
    .array(
      z.object({
        id: z.string(),
        name: z.string(),
        language: z.string(),
        text: z.string(),
        parameters: z.array(z.string()),
      }),
    )
    .meta({ description: 'What may go out whatever `allowed` says, `{{parameter}}` where values go' }),
});

export function toReplyChannel({
  channel,
  type,
  allowed,
  reason,
  until,
  public: isPublic = false,
  longest,
  replaces = false,
  templates = [],
}: CanReply & { readonly channel: string; readonly type: string }): z.output<typeof ReplyChannel> {
  return {
    channel,
    type,
    allowed,
    reason: reason ?? null,
    until: until === undefined ? null : toTime(until),
    public: isPublic,
    longest: longest ?? null,
    replaces,
    templates: templates.map(({ id, name, language, text, parameters }) => ({
      id,
      name,
      language,
      text,
      parameters: [...parameters],
    })),
  };
}
