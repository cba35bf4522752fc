import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { ReplyTemplate } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import type { TemplateUse } from '../../core/ticket.ts';
import { read } from './graph.ts';
import type { Graph } from './graph.ts';

/** Pages of a hundred that are read: WhatsApp allows 6,000 templates, nobody looks through more than these. */
const MAX_PAGES = 10;
/** How long a list is shown before it is fetched again. */
const FRESH_MS = 5 * 60_000;

const Component = z.object({
  type: z.string(),
  format: z.string().optional(),
  text: z.string().optional(),
  buttons: z.array(z.object({ type: z.string(), url: z.string().optional() })).default([]),
});
const Template = z.object({
  name: z.string(),
  language: z.string(),
  status: z.string(),
  category: z.string().default(''),
  parameter_format: z.string().optional(),
  components: z.array(Component).default([]),
});
type Template = z.output<typeof Template>;
type Component = z.output<typeof Component>;
const Page = z.object({
  data: z.array(z.unknown()),
  paging: z
    .object({ cursors: z.object({ after: z.string().optional() }).optional(), next: z.string().optional() })
    .optional(),
});

/** The texts that Meta has approved for the account. */
export interface Templates {
  list(): Promise<readonly ReplyTemplate[]>;
  /** The message that a template becomes with its values. */
  messageOf(use: TemplateUse): Promise<object>;
}

export function createTemplates(deps: {
  readonly graph: Graph;
  readonly accountId: string;
  readonly clock: Clock;
}): Templates {
  const { graph, accountId, clock } = deps;
  let last: { readonly at: number; readonly templates: Promise<readonly ReplyTemplate[]> } | undefined;

  async function fetchAll(query: string): Promise<Template[]> {
    const found: Template[] = [];
    let after = '';
    for (let page = 0; page < MAX_PAGES; page++) {
      const path = `${accountId}/message_templates?${query}${after && `&after=${encodeURIComponent(after)}`}`;
      const { data, paging } = read(Page, await graph.get(path), 'the templates');
      found.push(...data.flatMap((one) => Template.safeParse(one).data ?? []));
      after = paging?.cursors?.after ?? '';
      if (!paging?.next || after === '') break;
    }
    return found.filter(({ status }) => status === 'APPROVED');
  }

  return {
    list() {
      if (last && clock.now() - last.at < FRESH_MS) return last.templates;
      const templates = fetchAll('limit=100').then((all) => all.flatMap((one) => toReplyTemplate(one) ?? []));
      last = { at: clock.now(), templates };
      templates.catch(() => (last = undefined));
      return templates;
    },
    async messageOf({ id, values }) {
      const [name = '', language] = id.split('/');
      const named = await fetchAll(`name=${encodeURIComponent(name)}`);
      const template = named.find((one) => one.name === name && one.language === language);
      if (!template) {
        throw new PermanentError(`there is no approved template ${id}`, {
          hint: 'Meta may have paused it: look into the WhatsApp Manager.',
        });
      }
      return {
        type: 'template',
        template: { name, language: { code: template.language }, components: componentsOf(template, values) },
      };
    },
  };
}

/** A place for a value: its name for us, where it stands, and how Meta wants it. */
interface Place {
  readonly name: string;
  readonly component:
    | { readonly type: 'header' | 'body' }
    | { readonly type: 'button'; readonly sub_type: 'url'; readonly index: string };
  readonly toParameter: (value: string) => object;
}

const PLACE = /\{\{\s*(\w+)\s*\}\}/g;
const FILES: readonly string[] = ['IMAGE', 'VIDEO', 'DOCUMENT'];
/** Buttons that need no value. */
const PLAIN_BUTTONS: readonly string[] = ['QUICK_REPLY', 'PHONE_NUMBER', 'VOICE_CALL'];

/** Undefined where it has parts that can't be filled in here: catalogues, carousels, one-time passwords. */
function toReplyTemplate(template: Template): ReplyTemplate | undefined {
  const places = placesOf(template);
  if (!places || template.category === 'AUTHENTICATION') return undefined;
  const lines = template.components.map(({ type, text = '' }) =>
    type === 'HEADER' ? text.replace(PLACE, (_, name: string) => `{{header_${name}}}`) : text.replace(PLACE, '{{$1}}'),
  );
  return {
    id: `${template.name}/${template.language}`,
    name: template.name,
    language: template.language.replaceAll('_', '-'),
    text: lines.filter(Boolean).join('\n'),
    parameters: places.map(({ name }) => name),
  };
}

function placesOf({ components, parameter_format }: Template): Place[] | undefined {
  const found = components.map((component) => placesIn(component, parameter_format));
  return found.includes(undefined) ? undefined : found.flatMap((places) => places ?? []);
}

function placesIn({ type, format = 'TEXT', text = '', buttons }: Component, parameterFormat = ''): Place[] | undefined {
  if (type === 'FOOTER') return [];
  if (type === 'BUTTONS') return placesOfButtons(buttons);
  if (type === 'HEADER' && FILES.includes(format)) {
    const kind = format.toLowerCase();
    const toParameter = (link: string) => ({ type: kind, [kind]: { link } });
    return [{ name: `header_${kind}`, component: { type: 'header' }, toParameter }];
  }
  if (type !== 'BODY' && !(type === 'HEADER' && format === 'TEXT')) return undefined;
  const isNamed = parameterFormat === 'NAMED';
  const names = [...new Set(Array.from(text.matchAll(PLACE), ([, name = '']) => name))];
  // Meta takes them by position: by their numbers, not by where they first stand.
  const inOrder = isNamed ? names : names.sort((a, b) => Number(a) - Number(b));
  return inOrder.map((name) => ({
    name: type === 'BODY' ? name : `header_${name}`,
    component: { type: type === 'BODY' ? 'body' : 'header' },
    toParameter: (value) => ({ type: 'text', ...(isNamed && { parameter_name: name }), text: value }),
  }));
}

function placesOfButtons(buttons: Component['buttons']): Place[] | undefined {
  const found: Place[] = [];
  for (const [index, { type, url = '' }] of buttons.entries()) {
    if (type === 'URL') {
      // Only its end is left open, whatever it is called there.
      if (!url.includes('{{')) continue;
      const component = { type: 'button', sub_type: 'url', index: String(index) } as const;
      found.push({ name: `button_${index + 1}`, component, toParameter: (text) => ({ type: 'text', text }) });
    } else if (!PLAIN_BUTTONS.includes(type)) return undefined;
  }
  return found;
}

function componentsOf(template: Template, values: TemplateUse['values']): object[] {
  const components = new Map<string, { parameters: object[] }>();
  for (const { name, component, toParameter } of placesOf(template) ?? []) {
    const value = values[name];
    if (value === undefined) throw new PermanentError(`the template ${template.name} has no value for ${name}`);
    const key = JSON.stringify(component);
    const { parameters } = components.get(key) ?? { parameters: [] };
    components.set(key, { ...component, parameters: [...parameters, toParameter(value)] });
  }
  return [...components.values()];
}
