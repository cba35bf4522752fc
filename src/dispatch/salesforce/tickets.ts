import { z } from 'zod';
import type { Context } from '../../core/connector.ts';
import type { Delivery, TicketRef, TicketUpdate } from '../../core/destination.ts';
import { isRefused, textOf } from '../../core/errors.ts';
import { contactOf, mapFields, toOurs, toTheirs } from '../../core/field-mapping.ts';
import { markOf } from '../../core/mark.ts';
import { sendWithFiles } from '../../core/sendable.ts';
import type { Files } from '../../core/sendable.ts';
import { isInternal, type Customer, type Message, type Ticket } from '../../core/ticket.ts';
import { Id, isSame, soqlText, soqlTime } from './api.ts';
import type { Api, Step } from './api.ts';
import type { Config } from './config.ts';
import { cut, markIn, subjectOf, toComment, toDescription } from './words.ts';

const NAME_LENGTH = 80;
const PHONE_LENGTH = 40;
/** All files of a message together; they go in base64 within JSON. */
const LIMIT = { max: 25 * 1024 * 1024, taker: 'Salesforce' };
/** A call takes 25 records: the case, a comment, and three for each file. */
const MOST_FILES = 7;
const PAGE = 200;
/** The one that the same call makes. */
const NEW_CASE = '@{case.id}';
/** How far Salesforce's clock may be behind ours. */
const SKEW_MS = 60 * 60_000;
/** https://developer.salesforce.com/docs/platform/api-rest/guide/headers-duplicaterules.html */
const ALLOW_DUPLICATES = { 'Sforce-Duplicate-Rule-Header': 'allowSave=true' };

const Comment = z.object({ Id, CommentBody: z.string().nullish(), CreatedById: Id });
const State = z.object({ Status: z.string().nullish(), Priority: z.string().nullish() });

/** What is written into cases there. */
export function createTickets(config: Config, context: Context, api: Api) {
  const { publicUrl } = context;
  const refOf = (id: string): TicketRef => ({ externalId: id, url: `${config.apiRoot}/${id}` });

  async function has(caseId: string, message: Message): Promise<boolean> {
    const [mark, me] = [markOf(message), await api.user()];
    const since = soqlTime(Date.parse(message.receivedAt) - SKEW_MS);
    const where = `ParentId = ${soqlText(caseId)} AND CreatedDate >= ${since}`;
    for (let behind = ''; ;) {
      const soql = `SELECT Id, CommentBody, CreatedById FROM CaseComment WHERE ${where}${behind} ORDER BY Id LIMIT ${PAGE}`;
      const comments = await api.query(Comment, soql);
      if (comments.some((each) => isSame(each.CreatedById, me) && markIn(each.CommentBody ?? '') === mark)) return true;
      const last = comments.at(-1);
      if (!last || comments.length < PAGE) return false;
      behind = ` AND Id > ${soqlText(last.Id)}`;
    }
  }

  return {
    async findTicket({ id }: Ticket): Promise<TicketRef | undefined> {
      const found = await api.idOf('Case', config.idField, id);
      return found === undefined ? undefined : refOf(found);
    },
    async createTicket(delivery: Delivery): Promise<TicketRef> {
      const contact = await contactIn(api, config, context, delivery.customer);
      return sendWithFiles(delivery, LIMIT, async (given) => {
        const files = bounded(delivery, given);
        return refOf(await api.write(toSteps(config, publicUrl, delivery, files, contact)));
      });
    },
    async addMessage({ externalId }: TicketRef, delivery: Delivery): Promise<void> {
      await sendWithFiles(delivery, LIMIT, async (given) => {
        const files = bounded(delivery, given);
        await api.write([
          toCaseComment(publicUrl, externalId, delivery, files),
          ...fileSteps(delivery, files, externalId),
        ]);
      });
    },
    hasMessage: ({ externalId }: TicketRef, message: Message) => has(externalId, message),
    async update({ externalId }: TicketRef, update: TicketUpdate): Promise<void> {
      const there = await api.row(State, 'Case', externalId, ['Status', 'Priority']);
      const change = changeOf(config, there, update);
      if (Object.keys(change).length > 0) await api.change(externalId, change);
    },
  };
}

/** What a case is made of; found by our id, it is written again rather than made twice. */
function toCase(
  config: Config,
  publicUrl: string,
  delivery: Delivery,
  files: Files,
  contact: string | undefined,
): Step {
  const { ticket, customer } = delivery;
  const [email, phone] = [contactOf(customer, 'email'), contactOf(customer, 'phone')];
  const fields = Object.entries(mapFields(config.fields, delivery)).map(([name, value]) => [
    name,
    // Several choices are one text there.
    typeof value === 'string' ? value : value.join(';'),
  ]);
  return {
    name: 'case',
    method: 'PATCH',
    path: `/sobjects/Case/${config.idField}/${encodeURIComponent(ticket.id)}`,
    // The rules would take it from an owner that the mapping gives.
    headers: { 'Sforce-Auto-Assign': 'OwnerId' in config.fields ? 'FALSE' : 'TRUE' },
    body: {
      Origin: 'Web',
      ...(Object.fromEntries(fields) as Record<string, string>),
      Subject: subjectOf(ticket),
      Description: toDescription(publicUrl, delivery, files),
      Status: String(toTheirs(config.statuses, ticket.status)),
      Priority: String(toTheirs(config.priorities, ticket.priority)),
      ...(contact !== undefined && { ContactId: contact }),
      ...(customer.name !== null && { SuppliedName: cut(customer.name, NAME_LENGTH) }),
      ...(email !== undefined && isAddress(email) && { SuppliedEmail: email }),
      ...(phone !== undefined && { SuppliedPhone: cut(phone, PHONE_LENGTH) }),
    },
  };
}

/** A new case with all that belongs to it: the words for colleagues, and the files. */
export function toSteps(
  config: Config,
  publicUrl: string,
  delivery: Delivery,
  files: Files,
  contact: string | undefined,
): Step[] {
  // What was said before it stands in the description.
  const note = { ...delivery, transcript: [] };
  return [
    toCase(config, publicUrl, delivery, files, contact),
    ...(isInternal(delivery.message) ? [toCaseComment(publicUrl, NEW_CASE, note, files)] : []),
    ...fileSteps(delivery, files, NEW_CASE),
  ];
}

/** https://developer.salesforce.com/docs/platform/object-reference/references/standard-objects/object-casecomment.html */
function toCaseComment(publicUrl: string, caseId: string, delivery: Delivery, files: Files): Step {
  const isOpen = !isInternal(delivery.message);
  const body = { CommentBody: toComment(publicUrl, delivery, files), IsPublished: isOpen };
  const name = isOpen ? 'comment' : 'note';
  return { name, method: 'POST', path: '/sobjects/CaseComment', body, refs: { ParentId: caseId } };
}

/** A file, what it is called as a document, and that it belongs to the case: for whose eyes is said outright. */
function fileSteps({ message }: Delivery, { sent }: Files, caseId: string): Step[] {
  const visibility = isInternal(message) ? 'InternalUsers' : 'AllUsers';
  return sent.flatMap(({ name, bytes }, index): Step[] => [
    {
      name: `file${index}`,
      method: 'POST',
      path: '/sobjects/ContentVersion',
      body: { Title: cut(name, 255), PathOnClient: cut(name, 500), VersionData: bytes.toString('base64') },
    },
    { name: `version${index}`, method: 'GET', path: `/sobjects/ContentVersion/@{file${index}.id}` },
    {
      name: `link${index}`,
      method: 'POST',
      path: '/sobjects/ContentDocumentLink',
      body: { ShareType: 'V', Visibility: visibility },
      refs: { ContentDocumentId: `@{version${index}.ContentDocumentId}`, LinkedEntityId: caseId },
    },
  ]);
}

/** As many files as a call takes; the others are named with a link. */
function bounded({ message }: Delivery, { sent, unsent }: Files): Files {
  const sending = message.attachments.filter(({ id, state }) => state === 'stored' && !unsent.has(id));
  const rest = sending.slice(MOST_FILES).map(({ id }) => [id, `more than ${MOST_FILES} files`] as const);
  return { sent: sent.slice(0, MOST_FILES), unsent: new Map([...unsent, ...rest]) };
}

/** What differs there. Several of ours may be one there: that isn't written again. */
function changeOf(config: Config, there: z.output<typeof State>, update: TicketUpdate): Record<string, string> {
  const { status, priority } = update;
  const moves = status !== undefined && toOurs(config.statuses, there.Status ?? '') !== status;
  const isOther = priority !== undefined && toOurs(config.priorities, there.Priority ?? '') !== priority;
  const wanted = {
    Status: moves ? String(toTheirs(config.statuses, status)) : there.Status,
    Priority: isOther ? String(toTheirs(config.priorities, priority)) : there.Priority,
  };
  return {
    ...(wanted.Status != null && wanted.Status !== there.Status && { Status: wanted.Status }),
    ...(wanted.Priority != null && wanted.Priority !== there.Priority && { Priority: wanted.Priority }),
  };
}

/**
 * The customer as Salesforce knows him: by our id, else by the address or number that a platform carries. One who is there
 * stays as he is. A case is worth more than its contact: where none may be made, it has the name alone.
 */
async function contactIn(
  api: Api,
  { idField }: Config,
  { log }: Pick<Context, 'log'>,
  customer: Customer,
): Promise<string | undefined> {
  const [email, phone] = [contactOf(customer, 'email'), contactOf(customer, 'phone')];
  const either = [
    `${idField} = ${soqlText(customer.id)}`,
    ...(email === undefined ? [] : [`Email = ${soqlText(email)}`]),
    ...(phone === undefined ? [] : [`MobilePhone = ${soqlText(phone)}`, `Phone = ${soqlText(phone)}`]),
  ];
  const Person = z.object({ Id, Email: z.string().nullish(), [idField]: z.string().nullish() });
  const soql = `SELECT Id, Email, ${idField} FROM Contact WHERE ${either.join(' OR ')} ORDER BY CreatedDate LIMIT 10`;
  try {
    const found = await api.query(Person, soql);
    const known =
      found.find((each) => (each as Record<string, unknown>)[idField] === customer.id) ??
      found.find(({ Email }) => email !== undefined && Email?.toLowerCase() === email.toLowerCase()) ??
      found[0];
    return known?.Id ?? (await api.write([toContact(idField, customer)]));
  } catch (error) {
    if (!isRefused(error, 400, 403, 404)) throw error;
    log.warn({ customer: customer.id, reason: textOf(error) }, 'Salesforce makes no contact: the case has none');
    return undefined;
  }
}

function toContact(idField: string, customer: Customer): Step {
  const [email, phone] = [contactOf(customer, 'email'), contactOf(customer, 'phone')];
  const name = customer.name?.trim();
  return {
    name: 'contact',
    method: 'PATCH',
    path: `/sobjects/Contact/${idField}/${encodeURIComponent(customer.id)}`,
    headers: ALLOW_DUPLICATES,
    body: {
      LastName: cut(name || email || phone || 'Customer without a name', NAME_LENGTH),
      ...(email !== undefined && isAddress(email) && { Email: email }),
      ...(phone !== undefined && { MobilePhone: cut(phone, PHONE_LENGTH) }),
    },
  };
}

/** One that Salesforce's fields of addresses take. */
function isAddress(email: string): boolean {
  return email.length <= 80 && /^[\w.+'-]{1,64}@[A-Za-z0-9.-]{3,80}$/.test(email);
}
