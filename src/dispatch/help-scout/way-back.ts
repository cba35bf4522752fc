import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import type { Context, Fetching, Webhook } from '../../core/connector.ts';
import { ignored } from '../../core/envelope.ts';
import { BadPayloadError } from '../../core/errors.ts';
import { toOurs } from '../../core/field-mapping.ts';
import { htmlToText } from '../../core/html-text.ts';
import { markIn } from '../../core/mark.ts';
import { pollMoved } from '../../core/moved-tickets.ts';
import type { Secret } from '../../core/secret.ts';
import { hmac, matchesSignature } from '../../core/signature.ts';
import { Thread } from './api.ts';
import type { Api, Conversation, File } from './api.ts';
import type { Config } from './config.ts';
import { listed, threadsOf } from './conversations.ts';

/** More than one poll looks into, so that it knows that there are more. */
const ENOUGH = 100;
/** Behind what is listed again although it was looked into. */
const NEW_MS = 2 * 60_000;
/** What is said in a thread that changed no status. */
const UNCHANGED = 'nochange';

/** What a poll hands over of one conversation: what is new in it, oldest first. */
const Told = z.object({
  conversation: z.string(),
  /** Whose application it is. */
  me: z.string(),
  /** The status before the first of them; undefined: not known. */
  status: z.string().optional(),
  threads: z.array(Thread),
});
type Told = z.output<typeof Told>;

/** What changed in our conversations since it was last asked. */
export function createPoll(
  { mailbox, tag }: Config,
  { clock }: Pick<Context, 'clock'>,
  api: Api,
): NonNullable<Fetching['poll']> {
  let me: string | undefined;
  return pollMoved(clock, {
    async movedSince(since, signal) {
      const modifiedSince = `${new Date(since).toISOString().slice(0, 19)}Z`;
      const query = { mailbox: String(mailbox), tag, modifiedSince, sortField: 'modifiedAt', sortOrder: 'asc' };
      // The oldest come first, so that the next poll finds those that are left out of this one.
      const isEnough = (all: readonly Conversation[]) =>
        all.filter((each) => movedAt(each) > since + NEW_MS).length >= ENOUGH;
      const found = await listed(api, query, { isEnough, signal });
      return found.map((conversation) => ({
        id: conversation.id,
        at: movedAt(conversation),
        isOurs: true,
        conversation,
      }));
    },
    async look({ id, conversation }, { known, unread }) {
      const all = [...threadsOf(conversation)].sort((a, b) => Number(a.id) - Number(b.id));
      const isNew = (thread: Thread) =>
        known ? Number(thread.id) > Number(known) : Date.parse(thread.createdAt) >= unread;
      // A draft is read again until it is sent.
      const draft = all.findIndex((thread) => !isSent(thread));
      const last = (draft < 0 ? all : all.slice(0, draft)).at(-1)?.id ?? known ?? '0';
      const threads = all.filter((thread) => isNew(thread) && isSent(thread));
      if (threads.length === 0) return { items: [], known: last };
      me ??= (await api.me()).id;
      const status = all.findLast((thread) => !isNew(thread) && changesStatus(thread))?.status;
      const told: Told = { conversation: id, me, threads, ...(status != null && { status }) };
      return { items: [{ body: Buffer.from(JSON.stringify(told)) }], known: last };
    },
  });
}

/** It isn't said when a conversation moved, but for what was written in it, statuses included. */
function movedAt(conversation: Conversation): number {
  const times = [
    conversation.createdAt,
    conversation.userUpdatedAt,
    ...threadsOf(conversation).map((each) => each.createdAt),
  ];
  return times.reduce((last, at) => Math.max(last, at ? Date.parse(at) : 0), 0);
}

function changesStatus({ status }: Thread): boolean {
  return status != null && status !== UNCHANGED;
}

/** Drafts, and what waits to be sent later, are not. */
function isSent({ state }: Thread): boolean {
  return state == null || state === 'published';
}

export function toActions({ statuses }: Config, given: unknown): ActionInput[] {
  const { conversation, me, threads, status } = Told.parse(given);
  let before = status;
  return threads.flatMap((thread) => {
    const isOurs = thread.createdBy?.id === me && (markIn(thread.body ?? '') !== undefined || isApis(thread));
    const about = { ticket: conversation, at: Date.parse(thread.createdAt), agent: nameOf(thread) };
    const done = isOurs ? undefined : statusOf(thread, before, toOurs(statuses, thread.status ?? ''));
    if (changesStatus(thread)) before = thread.status ?? undefined;
    const actions = [
      ...saidOf(thread, { isOurs }, about),
      ...(done ? [{ kind: 'status' as const, id: `status:${thread.id}`, ...about, status: done }] : []),
    ];
    return actions.length > 0 ? actions : [ignored(`thread ${thread.id}`, unsaid(thread, { isOurs })) as ActionInput];
  });
}

/** What an agent, or a workflow, made of the status: customers change none, and the first one was made so, by us. */
function statusOf<T>(thread: Thread, before: string | undefined, ours: T | undefined): T | undefined {
  const isNew = before !== undefined && changesStatus(thread) && thread.status !== before;
  return isNew && thread.createdBy?.type !== 'customer' ? ours : undefined;
}

type About = { readonly ticket: string; readonly at: number; readonly agent: string };

/** Answers and notes of agents. `message` is how a reply comes back. */
function saidOf(thread: Thread, { isOurs }: { readonly isOurs: boolean }, about: About): ActionInput[] {
  const { id, type, body, createdBy } = thread;
  const isSaid = !isOurs && createdBy?.type !== 'customer' && ['message', 'reply', 'note'].includes(type);
  if (!isSaid) return [];
  const html = body ?? '';
  const files = thread._embedded?.attachments ?? [];
  return [
    {
      kind: type === 'note' ? 'note' : 'reply',
      id: `thread:${id}`,
      ...about,
      text: htmlToText(html),
      ...(html !== '' && { html }),
      attachments: files.map((file) => toAttachment(file, about.ticket)),
    },
  ];
}

function unsaid({ type, createdBy }: Thread, { isOurs }: { readonly isOurs: boolean }): string {
  if (isOurs) return 'ours';
  return createdBy?.type === 'customer' ? 'written by a customer, not by an agent' : `a ${type}, and no status of ours`;
}

function isApis({ source }: Thread): boolean {
  return source?.type === 'api';
}

function nameOf({ createdBy }: Thread): string {
  const name = [createdBy?.first, createdBy?.last].filter(Boolean).join(' ').trim();
  return (name || 'Help Scout').slice(0, 1000);
}

function toAttachment({ id, filename, mimeType, size }: File, conversation: string) {
  return {
    id: `${conversation}/${id}`,
    name: (filename ?? `file-${id}`).slice(0, 1000),
    mediaType: (mimeType ?? 'application/octet-stream').slice(0, 255),
    ...(size != null && { size }),
  };
}

/** https://developer.helpscout.com/webhooks/: the whole body, HMAC with SHA-1, in base64. */
export function createWebhook(secret: Secret): Webhook {
  return {
    // Whole conversations, of which nothing is read.
    maxBytes: 8 * 1024 * 1024,
    verify({ headers, body }) {
      const signature = headers['x-helpscout-signature'];
      if (!signature) throw new BadPayloadError('not signed by Help Scout');
      if (matchesSignature(hmac('sha1', secret.reveal(), body), signature, 'base64')) return;
      throw new BadPayloadError('x-helpscout-signature does not match the body', {
        hint: 'Compare `webhookSecret` with the secret key in Manage → Apps → Webhooks.',
      });
    },
  };
}
