import { buffer } from 'node:stream/consumers';
import type { Context } from '../../core/connector.ts';
import type { Delivery, TicketRef, TicketUpdate } from '../../core/destination.ts';
import { PermanentError, UncertainError, isRefused } from '../../core/errors.ts';
import { contactOf, mapFields, toOurs, toTheirs } from '../../core/field-mapping.ts';
import { markOf } from '../../core/mark.ts';
import { sendable } from '../../core/sendable.ts';
import { isInternal, type Customer, type Message, type Ticket } from '../../core/ticket.ts';
import { markOn } from './adf.ts';
import { refusedFields } from './api.ts';
import type { Api, Issue } from './api.ts';
import { placeOf } from './config.ts';
import type { Config } from './config.ts';
import { cut, summaryOf, toComment, toDescription, toInternal } from './words.ts';
import type { Unsent } from './words.ts';

const NAME_LENGTH = 255;
const MOST_FILE_BYTES = 50 * 1024 * 1024;
/** How far Jira's clock may be behind ours. */
const SKEW_MS = 60 * 60_000;
const MINUTE_MS = 60_000;

/** What is written into requests there. `me`: the account of the token. */
export function createTickets(config: Config, context: Context, api: Api, me: () => Promise<string>) {
  const { publicUrl } = context;
  const refOf = ({ id, key }: Pick<Issue, 'id' | 'key'>): TicketRef => ({
    externalId: id,
    url: `${config.apiRoot}/browse/${key}`,
  });

  /**
   * Those that we made since the ticket began, whatever their text became. A request is complete once its property says
   * whose it is; before that only its description does. Newest first: what a lost answer left is among them.
   */
  async function find({ id, number, createdAt }: Ticket): Promise<{ issue: Issue; isComplete: boolean } | undefined> {
    const minutes = Math.ceil((context.clock.now() - Date.parse(createdAt)) / MINUTE_MS) + 10;
    const jql = `project = "${config.projectKey}" AND creator = currentUser() AND created >= "-${minutes}m" ORDER BY created DESC`;
    let begun: Issue | undefined;
    for await (const { issues, isLast } of api.search(jql, ['description'])) {
      const complete = issues.find((issue) => ticketIn(issue) === id);
      if (complete) return { issue: complete, isComplete: true };
      begun = issues.findLast((issue) => ticketIn(issue) === undefined && namesIn(issue).has(id)) ?? begun;
      if (isLast) return begun && { issue: begun, isComplete: false };
    }
    throw new UncertainError(`more requests were raised in Jira since #${number} began than can be looked through`, {
      hint: 'Look in Jira whether it is there; nothing was raised by this try.',
    });
  }

  async function raise(delivery: Delivery): Promise<Pick<Issue, 'id' | 'key'>> {
    const account = await accountOf(api, delivery.customer);
    if (account !== undefined) await api.admit(account);
    const request = toRequest(config, publicUrl, delivery);
    const { issueId, issueKey } = await api.raise({
      ...request,
      ...(account !== undefined && { raiseOnBehalfOf: account }),
    });
    return { id: issueId, key: issueKey };
  }

  /** What isn't on the screen of the project is left out, rather than losing the ticket. */
  async function complete(id: string, edit: Edit): Promise<void> {
    try {
      await api.edit(id, edit);
    } catch (error) {
      const refused = refusedFields(error);
      if (refused.length === 0) throw error;
      context.log.warn(
        { issue: id, refused },
        'Jira does not take these fields: put them on the screen of the project',
      );
      const left = <T>(all: Readonly<Record<string, T>>) =>
        Object.fromEntries(Object.entries(all).filter(([name]) => !refused.includes(name)));
      await api.edit(id, { ...edit, fields: left(edit.fields), update: left(edit.update) });
    }
  }

  /** Files stand beside the texts there; those that an earlier try brought aren't brought again. */
  async function attach(id: string, delivery: Delivery): Promise<Map<string, string>> {
    const { message } = delivery;
    const { sending, unsent } = sendable(message, { max: MOST_FILE_BYTES, taker: 'Jira' });
    if (sending.length === 0) return unsent;
    const { attachment } = (await api.issue(id, 'attachment')).fields;
    const own = await me();
    const since = Date.parse(message.receivedAt) - SKEW_MS;
    const there = (attachment ?? []).filter(
      (file) => file.author?.accountId === own && Date.parse(file.created) >= since,
    );
    for (const { id: ours, name, mediaType, size } of sending) {
      if (there.some((file) => file.filename === name && file.size === size)) continue;
      try {
        await api.attach(id, name, mediaType, await buffer(await delivery.open(ours)));
      } catch (error) {
        if (!isRefused(error, 400, 413, 415)) throw error;
        unsent.set(ours, 'Jira did not take it');
      }
    }
    return unsent;
  }

  async function has(id: string, message: Message): Promise<boolean> {
    const [mark, own] = [markOf(message), await me()];
    const since = Date.parse(message.receivedAt) - SKEW_MS;
    for await (const comments of api.comments(id)) {
      if (comments.some(({ author, body }) => author?.accountId === own && markOn(body) === mark)) return true;
      if (comments.every(({ created }) => Date.parse(created) < since)) return false;
    }
    return false;
  }

  return {
    async findTicket(ticket: Ticket): Promise<TicketRef | undefined> {
      const found = await find(ticket);
      return found?.isComplete ? refOf(found.issue) : undefined;
    },
    async createTicket(delivery: Delivery): Promise<TicketRef> {
      const found = await find(delivery.ticket);
      if (found?.isComplete) return refOf(found.issue);
      const issue = found?.issue ?? (await raise(delivery));
      const unsent = await attach(issue.id, delivery);
      const internal = toInternal(publicUrl, delivery, unsent);
      // Before it counts as complete: a later try wouldn't bring it.
      if (internal && !(found && (await has(issue.id, delivery.message)))) await api.comment(issue.id, internal);
      await complete(issue.id, toEdit(config, publicUrl, delivery, unsent));
      return refOf(issue);
    },
    async addMessage({ externalId }: TicketRef, delivery: Delivery): Promise<void> {
      const unsent = await attach(externalId, delivery);
      await api.comment(externalId, toComment(publicUrl, delivery, unsent, { internal: isInternal(delivery.message) }));
    },
    hasMessage: ({ externalId }: TicketRef, message: Message) => has(externalId, message),
    async update({ externalId }: TicketRef, { status, priority }: TicketUpdate): Promise<void> {
      const { fields } = await api.issue(externalId, 'status,priority');
      const is = fields.status?.name ?? '';
      if (status !== undefined && toOurs(config.statuses, is) !== status)
        await move(api, externalId, is, String(toTheirs(config.statuses, status)));
      if (priority === undefined || toOurs(config.priorities, fields.priority?.name ?? '') === priority) return;
      await api.edit(externalId, { fields: { priority: { name: String(toTheirs(config.priorities, priority)) } } });
    },
  };
}

interface Edit {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly update: Readonly<Record<string, unknown>>;
  readonly properties: readonly object[];
}

/** Whose request it is, by its property. */
export function ticketIn({ properties }: Issue): string | undefined {
  const { tributary } = properties ?? {};
  const ticket = (tributary as { ticket?: unknown } | null | undefined)?.ticket;
  return typeof ticket === 'string' && ticket.startsWith('tkt_') ? ticket : undefined;
}

function namesIn({ fields }: Issue): ReadonlySet<string> {
  return new Set(JSON.stringify(fields.description ?? '').split(/[^A-Za-z0-9_]/));
}

/** A status is reached by a transition that the workflow has there, if it has one. */
async function move(api: Api, id: string, from: string, to: string): Promise<void> {
  if (from.toLowerCase() === to.toLowerCase()) return;
  const transitions = await api.transitions(id);
  const way = transitions.find((each) => each.to.name.toLowerCase() === to.toLowerCase());
  if (way) return api.move(id, way.id);
  const names = transitions.map((each) => each.to.name).join(', ');
  throw new PermanentError(`no transition leads from ${from} to ${to} in Jira`, {
    hint: `From there it goes to ${names || 'nowhere'}: correct \`statuses\`, or add a transition to the workflow.`,
  });
}

/** The request without anybody's words, which would be read as markup here: they follow as a document. */
export function toRequest({ serviceDeskId, requestTypeId, fields }: Config, publicUrl: string, delivery: Delivery) {
  const { ticket } = delivery;
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(mapFields(fields, delivery))) {
    const { field, part } = placeOf(name);
    values[field] = typeof value === 'string' ? inPart(name, part, value) : value.map((one) => inPart(name, part, one));
  }
  const description = `#${ticket.number}: ${publicUrl}/t/${ticket.id}`;
  return { serviceDeskId, requestTypeId, requestFieldValues: { ...values, summary: summaryOf(ticket), description } };
}

function inPart(name: string, part: string | undefined, value: string): unknown {
  if (part === undefined) return value;
  if (part !== 'number') return { [part]: value };
  if (value.trim() !== '' && Number.isFinite(Number(value))) return Number(value);
  throw new PermanentError(`the mapping gives ${name} the value ${JSON.stringify(value.slice(0, 100))}, not a number`, {
    hint: 'Correct `fields` in the configuration, then replay this delivery.',
  });
}

/** What completes it: the words for the customer, and what need not be on the form of the request type. */
export function toEdit(config: Config, publicUrl: string, delivery: Delivery, unsent: Unsent): Edit {
  const { ticket } = delivery;
  const labels = [
    ...new Set([...config.labels, ...ticket.tags.map((tag) => tag.replaceAll(/\s/g, '_').slice(0, 200))]),
  ];
  return {
    fields: {
      description: toDescription(publicUrl, delivery, unsent),
      priority: { name: String(toTheirs(config.priorities, ticket.priority)) },
    },
    update: labels.length > 0 ? { labels: labels.map((label) => ({ add: label })) } : {},
    properties: [{ key: 'tributary', value: { ticket: ticket.id } }],
  };
}

/**
 * The customer's account by the address that a platform carries. Without one, or where Jira hides whose address it is,
 * the request is ours, and its text says who wrote.
 */
async function accountOf(api: Api, customer: Customer): Promise<string | undefined> {
  const email = contactOf(customer, 'email');
  if (email === undefined) return undefined;
  const users = await api.usersLike(email);
  const found = users.find(({ emailAddress }) => emailAddress?.toLowerCase() === email.toLowerCase());
  if (found) return found.accountId;
  try {
    return (await api.makeCustomer({ email, displayName: cut(customer.name ?? email, NAME_LENGTH) })).accountId;
  } catch (error) {
    // There is an account with it, whose address we may not see.
    if (!isRefused(error, 400, 403, 409)) throw error;
    return undefined;
  }
}
