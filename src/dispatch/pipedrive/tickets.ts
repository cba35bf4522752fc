import { buffer } from 'node:stream/consumers';
import type { Context } from '../../core/connector.ts';
import type { Delivery, TicketRef } from '../../core/destination.ts';
import { PermanentError, UncertainError } from '../../core/errors.ts';
import { markOf, withMark } from '../../core/mark.ts';
import { sendable } from '../../core/sendable.ts';
import type { Message, Ticket } from '../../core/ticket.ts';
import { toSafeHtml } from '../../core/words.ts';
import type { Api } from './api.ts';
import { changeTo, targetOf } from './config.ts';
import type { Config } from './config.ts';
import { hasCustom, toValues } from './fields.ts';
import { lastOfOurs, marksIn } from './notes.ts';
import { personIn } from './persons.ts';
import type { Field, File } from './shapes.ts';
import { cut } from './text.ts';

/** A note holds some 100,000 characters; a part of it is left for the mark's link. */
const NOTE_BYTES = 95_000;
const TITLE_LENGTH = 255;
const MOST_FILE_BYTES = 50 * 1024 * 1024;
/** How far its clock may be behind ours. */
const SKEW_MS = 60 * 60_000;
/** The same for files, which are known by less than a mark. */
const FILE_SKEW_MS = 2 * 60_000;
/** What is younger a search may not show yet: it is looked for in the list. */
const INDEXED_MS = 15 * 60_000;

/** Why files don't go along: id of the attachment → reason. */
type Unsent = ReadonlyMap<string, string>;

/** What is written into deals there. */
export function createTickets(config: Config, { clock, publicUrl }: Pick<Context, 'clock' | 'publicUrl'>, api: Api) {
  const refOf = (id: string): TicketRef => ({
    externalId: id,
    url: `https://${config.companyDomain}.pipedrive.com/deal/${id}`,
  });

  /** The deal with our id. One that was copied has it too: the first one is meant. */
  async function find({ id, createdAt }: Ticket): Promise<string | undefined> {
    const isIndexed = Date.parse(createdAt) < clock.now() - INDEXED_MS;
    const since = Math.max(Date.parse(createdAt), clock.now() - INDEXED_MS) - SKEW_MS;
    const { all, isCut } = await api.dealsMade(since);
    const found = isIndexed ? await api.searchDeals(id) : [];
    const ids = found.map((each) => each.id);
    const shown = ids.length > 0 ? await api.deals(ids.slice(0, 100)) : [];
    const ours = [...all, ...shown].filter(({ custom_fields: custom }) => custom?.[config.dealIdField] === id);
    const [first] = ours.map((deal) => deal.id).sort((a, b) => Number(a) - Number(b));
    if (first === undefined && isCut)
      throw new UncertainError('Pipedrive has more new deals than can be looked through');
    return first;
  }

  /** Files go first, since the note names those that don't. */
  async function say(dealId: string, delivery: Delivery, there: ReadonlySet<string>): Promise<void> {
    const unsent = await upload(api, dealId, delivery, there);
    await api.createNote(dealId, toNote(publicUrl, delivery, unsent));
  }

  /** Files that a try before this one brought there: nothing of ours marks one, so they are known by name and size. */
  async function filesIn(dealId: string, { attachments, receivedAt }: Message): Promise<ReadonlySet<string>> {
    if (!attachments.some(({ state }) => state === 'stored')) return new Set();
    const since = Date.parse(receivedAt) - FILE_SKEW_MS;
    const isAlike = (file: File) => attachments.some(({ name, size }) => file.name === name && file.file_size === size);
    const alike = (await api.filesOf(dealId)).filter((file) => file.add_time >= since && isAlike(file));
    // What was there before our last note came with the message of that.
    const said = alike.length > 0 ? await lastOfOurs(api, dealId) : 0;
    const files = alike.filter(({ add_time: at }) => at > said);
    const there = new Set<string>();
    for (const { id, name, size } of attachments) {
      const index = files.findIndex((file) => file.name === name && file.file_size === size);
      if (index < 0) continue;
      // Of two that are alike each needs one of its own.
      files.splice(index, 1);
      there.add(id);
    }
    return there;
  }

  async function complete(dealId: string, delivery: Delivery): Promise<void> {
    const { ticket, message, transcript } = delivery;
    const marks = await marksIn(api, dealId, Date.parse(ticket.createdAt) - SKEW_MS);
    if (marks.has(markOf(message))) return;
    const rest = transcript.filter((each) => !marks.has(markOf(each)));
    await say(dealId, { ...delivery, transcript: rest }, await filesIn(dealId, message));
  }

  async function create(delivery: Delivery): Promise<string> {
    const known = hasCustom(config) ? await api.fields('deal') : [];
    const young = clock.now() - INDEXED_MS - SKEW_MS;
    const person = await personIn(api, config, delivery.customer, young);
    return api.createDeal({ ...toDeal(config, delivery, known), person_id: Number(person) });
  }

  return {
    async hasMessage({ externalId }: TicketRef, message: Message): Promise<boolean> {
      return (await marksIn(api, externalId, Date.parse(message.receivedAt) - SKEW_MS)).has(markOf(message));
    },
    /** Only one that has its first note: `createTicket` adds that to one that hasn't. */
    async findTicket(ticket: Ticket): Promise<TicketRef | undefined> {
      const id = await find(ticket);
      if (id === undefined) return undefined;
      return (await marksIn(api, id, Date.parse(ticket.createdAt) - SKEW_MS)).size > 0 ? refOf(id) : undefined;
    },
    async createTicket(delivery: Delivery): Promise<TicketRef> {
      const there = await find(delivery.ticket);
      if (there !== undefined) {
        await complete(there, delivery);
        return refOf(there);
      }
      const id = await create(delivery);
      await say(id, delivery, new Set());
      return refOf(id);
    },
    async addMessage({ externalId }: TicketRef, delivery: Delivery): Promise<void> {
      await say(externalId, delivery, await filesIn(externalId, delivery.message));
    },
  };
}

/** What a deal is made of, without whom it is about. `known`: the fields of deals there. */
export function toDeal(config: Config, delivery: Delivery, known: readonly Field[]) {
  const { ticket } = delivery;
  const { pipelineId, stageId, ownerId } = config;
  const { standard, custom } = toValues(config, delivery, known);
  const target = targetOf(config, ticket.status);
  return {
    title: titleOf(ticket),
    ...(pipelineId !== undefined && { pipeline_id: pipelineId }),
    ...(stageId !== undefined && { stage_id: stageId }),
    ...(target !== undefined && target !== 'open' && changeTo(config, target)),
    ...(ownerId !== undefined && { owner_id: ownerId }),
    ...standard,
    custom_fields: { ...custom, [config.dealIdField]: ticket.id },
  };
}

export function toNote(publicUrl: string, delivery: Delivery, unsent: Unsent): string {
  const { ticket, message } = delivery;
  // A subject that is cut in the title stands whole in the note.
  const said = { ...delivery, ticket: { ...ticket, subject: titleOf(ticket) } };
  return withMark(toSafeHtml(said, { publicUrl, max: NOTE_BYTES, unsent }), { publicUrl, ticket, message });
}

function titleOf({ subject, number }: Ticket): string {
  return cut(subject.trim() || `#${number}`, TITLE_LENGTH);
}

/** Uploads what is stored; what Pipedrive doesn't take is named in the note, with a link, rather than losing it. */
async function upload(api: Api, dealId: string, delivery: Delivery, there: ReadonlySet<string>): Promise<Unsent> {
  const { sending, unsent } = sendable(delivery.message, { max: MOST_FILE_BYTES, taker: 'Pipedrive' });
  for (const { id, name, mediaType } of sending.filter((each) => !there.has(each.id))) {
    try {
      await api.upload(dealId, { name, mediaType, bytes: await buffer(await delivery.open(id)) });
    } catch (error) {
      if (!(error instanceof PermanentError) || error.gone) throw error;
      unsent.set(id, 'Pipedrive did not take it');
    }
  }
  return unsent;
}
