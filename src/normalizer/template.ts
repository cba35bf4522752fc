import type { CanReply } from '../core/connector.ts';
import { BadPayloadError, type Problem } from '../core/errors.ts';
import type { TemplateUse } from '../core/ticket.ts';
import { cleanText } from './canonical.ts';

/** A channel that an answer may take, and what it takes now. */
type Offer = Pick<CanReply, 'reason' | 'templates'> & { readonly channel: string };

/** A template with its values, and what the customer reads. Throws `BadPayloadError` (422) that names what is at fault. */
export function fillTemplate(
  { channel, reason, templates = [] }: Offer,
  { id, values }: TemplateUse,
): { readonly text: string; readonly template: TemplateUse } {
  const template = templates.find((each) => each.id === id);
  if (!template) {
    throw templates.length === 0
      ? refusal(`${channel} has no templates${reason === undefined ? '' : `: ${reason}`}`, [
          { pointer: '/template', message: 'is not for this channel' },
        ])
      : refusal(`${channel} has no template ${id}`, [
          { pointer: '/template/id', message: `is none of: ${templates.map((each) => each.id).join(', ')}` },
        ]);
  }
  const given = new Map(Object.entries(values).map(([name, value]) => [name, cleanText(value).trim()]));
  const problems = [
    ...template.parameters.filter((name) => !given.get(name)).map((name) => problem(name, 'is missing')),
    ...[...given.keys()]
      .filter((name) => !template.parameters.includes(name))
      .map((name) => problem(name, 'is unknown')),
  ];
  if (problems.length > 0) throw refusal(`the values don't fit the template ${id}`, problems);
  // A value is never looked through for further places.
  const text = template.text.replace(/\{\{([^{}]+)\}\}/g, (place, name: string) => given.get(name.trim()) ?? place);
  return { text, template: { id, values: Object.fromEntries(given) } };
}

/** Where nothing but a template gets through any more. */
export function templateNeeded({ channel, reason }: Offer): BadPayloadError {
  return refusal(
    `${channel} takes nothing but templates: ${reason ?? 'not now'}`,
    [{ pointer: '/template', message: 'is needed' }],
    'Send `template` instead of `text`; `replyChannels` of the ticket has those that fit.',
  );
}

function problem(name: string, message: string): Problem {
  return { pointer: `/template/values/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, message };
}

function refusal(text: string, problems: readonly Problem[], hint?: string): BadPayloadError {
  return new BadPayloadError(text, { status: 422, problems, hint });
}
