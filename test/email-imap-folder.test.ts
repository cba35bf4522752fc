import assert from 'node:assert/strict';
import type { FetchMessageObject, ImapFlow } from 'imapflow';
import { openBookmark } from '../src/connectors/email/imap-bookmark.ts';
import { readFolder } from '../src/connectors/email/imap-folder.ts';
import { systemClock, type Clock } from '../src/core/clock.ts';
import type { Raw } from '../src/core/connector.ts';
import { RetryableError } from '../src/core/errors.ts';

const START = Date.UTC(2026, 0, 31);
const quick: Clock = { now: systemClock.now, sleep: (_ms, signal) => systemClock.sleep(1, signal) };

interface Mail {
  readonly uid: number;
  readonly received?: number;
  readonly labels?: readonly string[];
  /** What the server answers instead of handing it out. */
  readonly refused?: Error;
  /** The server names it, but leaves it out of every answer. */
  readonly omitted?: boolean;
  /** It was there when it was searched for, and is deleted before it is handed out. */
  readonly gone?: boolean;
  /** How large the server says that it is. */
  readonly size?: number;
  /** What it has in truth, whatever its size is said to be. */
  readonly bytes?: number;
  /** That is so too when only its size is asked for. */
  readonly sizeless?: boolean;
  /** Before its size the server tells of something else about it. */
  readonly flagged?: boolean;
}

const refusal = (responseText: string, serverResponseCode?: string) =>
  Object.assign(new Error('Command failed'), { responseStatus: 'NO', responseText, serverResponseCode });

/** A server with whims that no real one shows when it is asked to. */
function server(
  mails: readonly Mail[],
  answer: (uids: number[]) => number[] = (uids) => uids,
  uidNext = (mails.at(-1)?.uid ?? 0) + 1,
  uidValidity = 7n,
) {
  const fetched: number[][] = [];
  /** Of each page: how many mails were taken. */
  const taken: number[] = [];
  const deleted = new Set<number>();
  const within = (range: string) => {
    const highest = mails.findLast(({ uid }) => !deleted.has(uid))?.uid ?? 0;
    // `*` is the last mail, and a range reads in either direction.
    const parts = range.split(',').map((part) => {
      const [from = 0, to = from] = part.split(':').map((end) => (end === '*' ? highest : Number(end)));
      return [Math.min(from, to), Math.max(from, to)] as const;
    });
    return mails.filter(({ uid }) => !deleted.has(uid) && parts.some(([from, to]) => uid >= from && uid <= to));
  };
  const client = {
    mailboxOpen: async () => ({ uidValidity, uidNext }),
    search: async ({ uid, since }: { uid: string; since?: Date }) =>
      within(uid)
        .filter(({ received = START }) => !since || received >= since.getTime())
        .map((mail) => mail.uid)
        // In whichever order.
        .toReversed(),
    async *fetch(range: string, query: { source?: unknown }): AsyncGenerator<FetchMessageObject> {
      const found = within(range);
      if (query.source !== undefined) {
        fetched.push(found.map(({ uid }) => uid));
        taken.push(0);
      }
      for (const uid of query.source === undefined ? found.map((mail) => mail.uid) : answer(found.map((m) => m.uid))) {
        const mail = mails.find((each) => each.uid === uid)!;
        const { refused, omitted, sizeless, received = START, labels, size = 100, bytes } = mail;
        const isAsked = query.source !== undefined || sizeless;
        if (query.source !== undefined) taken[taken.length - 1]! += 1;
        if (isAsked && mail.gone) {
          deleted.add(uid);
          continue;
        }
        if (isAsked && refused) throw refused;
        if (isAsked && omitted) continue;
        if (query.source === undefined && mail.flagged) yield { seq: uid, uid };
        yield {
          seq: uid,
          uid,
          size,
          internalDate: new Date(received),
          ...(query.source !== undefined && {
            source: bytes === undefined ? Buffer.from(`mail ${uid}`) : Buffer.alloc(bytes),
          }),
          ...(labels && { labels: new Set(labels) }),
        };
      }
    },
  };
  return { client: client as unknown as ImapFlow, fetched, taken };
}

const MAILBOX = 'support at imap.example.test';

/** `client` may be several: the folder is read once from each, one after the other. */
async function read(client: ImapFlow | readonly ImapFlow[], cursor?: string, mailbox = MAILBOX, maxBytes = 1000) {
  const raws: Raw[] = [];
  const cursors: string[] = [];
  const emit = async (raw: Raw, next = '') => {
    raws.push(raw);
    cursors.push(next);
  };
  const saved = cursor ?? JSON.stringify({ start: START, folders: {} });
  const bookmark = await openBookmark(saved, mailbox, undefined, () => assert.fail('it is open already'), emit);
  let failure: unknown;
  for (const each of [client].flat()) {
    failure = await readFolder({ client: each, bookmark, clock: quick, maxBytes }, 'INBOX').then(
      () => undefined,
      (error: unknown) => error,
    );
  }
  const uids = cursors.map((each) => (JSON.parse(each) as { folders: { INBOX: { uid: number } } }).folders.INBOX.uid);
  return { texts: raws.map(({ body }) => body.toString()), raws, uids, cursors, failure };
}

describe('What is new in a folder', () => {
  it('is passed by name where the server refuses to hand it out, and the rest is read', async () => {
    const { client, fetched } = server([
      { uid: 1 },
      { uid: 2, refused: refusal('It can not be converted') },
      { uid: 3 },
    ]);
    const { texts, uids, failure, raws } = await read(client);
    assert.equal(failure, undefined);
    assert.deepEqual(texts, [
      'mail 1',
      'mail 3',
      'the mail server does not hand out mail 2 of INBOX: It can not be converted',
    ]);
    assert.equal(raws[2]?.headers?.['x-imap-note'], 'mail_refused');
    assert.deepEqual(uids, [1, 1, 3], 'no cursor passes a mail that is still open');
    assert.equal(fetched.filter((page) => page.includes(2)).length, 3, 'it was tried three times');
  });

  it('is passed by name where the server leaves it out of its answers', async () => {
    const { texts } = await read(server([{ uid: 1, omitted: true }, { uid: 2 }]).client);
    assert.deepEqual(texts, [
      'mail 2',
      'the mail server does not hand out mail 1 of INBOX: it is left out of the answer',
    ]);
  });

  it('is passed by name where the server doesn’t even say how large it is', async () => {
    for (const why of [{ refused: refusal('It can not be converted') }, { omitted: true }]) {
      const { client } = server([{ uid: 1 }, { uid: 2, sizeless: true, ...why }, { uid: 3 }]);
      const { texts, failure } = await read(client);
      assert.equal(failure, undefined);
      assert.deepEqual(texts.slice(0, 2), ['mail 1', 'mail 3']);
      assert.match(texts[2]!, /^the mail server does not hand out mail 2 of INBOX: /);
    }
    const patience = { refused: refusal('later', 'UNAVAILABLE') };
    const { texts, failure } = await read(server([{ uid: 1, sizeless: true, ...patience }]).client);
    assert.deepEqual(texts, []);
    assert.ok(failure instanceof Error);
  });

  it('is asked for again later where the server only asks for patience', async () => {
    const { client } = server([{ uid: 1 }, { uid: 2, refused: refusal('later', 'UNAVAILABLE') }]);
    const { texts, failure } = await read(client);
    assert.deepEqual(texts, ['mail 1']);
    assert.ok(failure instanceof Error);
  });

  it('is filed as it arrives, and the cursor waits for what comes out of turn', async () => {
    const { client } = server([{ uid: 1 }, { uid: 2 }, { uid: 3 }], (uids) => uids.toReversed());
    const { texts, uids } = await read(client);
    assert.deepEqual(texts, ['mail 3', 'mail 2', 'mail 1']);
    assert.deepEqual(uids, [0, 0, 3]);
  });

  it('is filed as far as it came, when the line breaks', async () => {
    const broken = Object.assign(new Error('Connection not available'), { code: 'NoConnection' });
    const { client } = server([{ uid: 1 }, { uid: 2 }, { uid: 3, refused: broken }, { uid: 4 }]);
    const { texts, uids, failure } = await read(client);
    assert.deepEqual(texts, ['mail 1', 'mail 2']);
    assert.deepEqual(uids, [1, 2]);
    assert.equal(failure, broken);
  });

  it('does not include old mail, but mail that was moved there later, however old', async () => {
    const before = START - 5 * 86_400_000;
    const first = await read(server([{ uid: 1, received: before }, { uid: 2 }]).client);
    assert.deepEqual(first.texts, ['mail 2']);
    const moved = [{ uid: 1, received: before }, { uid: 2 }, { uid: 3, received: before }];
    const second = await read(server(moved).client, first.cursors.at(-1));
    assert.deepEqual(second.texts, ['mail 3']);
  });

  it('is all that another mailbox got since the start, though its numbers were used by the one before', async () => {
    const { cursors } = await read(server([{ uid: 1 }, { uid: 50 }]).client);
    const { client } = server([{ uid: 3, received: START - 1 }, { uid: 4 }, { uid: 60 }]);
    const { texts } = await read(client, cursors.at(-1), 'sales at imap.example.test');
    assert.deepEqual(texts, ['mail 4', 'mail 60']);
    const again = await read(client, cursors.at(-1));
    assert.deepEqual(again.texts, ['mail 60'], 'the same mailbox goes on where it was left');
  });

  it('is read again, which is told, where a server gives out numbers that it used before', async () => {
    const { cursors } = await read(server([{ uid: 1 }, { uid: 50 }]).client);
    const { texts, raws, uids } = await read(server([{ uid: 1 }, { uid: 2 }]).client, cursors.at(-1));
    assert.equal(raws[0]?.headers?.['x-imap-note'], 'folder_renumbered');
    assert.deepEqual(texts.slice(1), ['mail 1', 'mail 2']);
    assert.equal(uids.at(-1), 2);
    const emptied = await read(server([]).client, cursors.at(-1));
    assert.equal(emptied.raws[0]?.headers?.['x-imap-note'], 'folder_renumbered');
    assert.deepEqual((await read(server([{ uid: 1 }]).client, emptied.cursors.at(-1))).texts, ['mail 1']);
  });

  it('is not read again where a server only tells late how far it is, or not at all', async () => {
    const mails = [{ uid: 1 }, { uid: 50 }];
    const { cursors } = await read(server(mails).client);
    for (const uidNext of [0, 1, 2, 50, 51]) {
      assert.deepEqual((await read(server(mails, undefined, uidNext).client, cursors.at(-1))).texts, []);
    }
    // Its last mail was deleted meanwhile.
    assert.deepEqual((await read(server([{ uid: 1 }], undefined, 0).client, cursors.at(-1))).texts, []);
    const looks = [51, 0, 1, 0].map((uidNext) => server(mails, undefined, uidNext).client);
    assert.deepEqual((await read(looks)).texts, ['mail 1', 'mail 50'], 'nor within one connection');
  });

  it('is read again, which is told, where all its mails have new numbers', async () => {
    const { cursors } = await read(server([{ uid: 1 }, { uid: 2 }]).client);
    const mails = [{ uid: 1 }, { uid: 2 }, { uid: 3 }];
    const { texts, raws } = await read(server(mails, undefined, 4, 8n).client, cursors.at(-1));
    assert.equal(raws[0]?.headers?.['x-imap-note'], 'folder_renumbered');
    assert.deepEqual(texts.slice(1), ['mail 1', 'mail 2', 'mail 3']);
    assert.equal(raws[1]?.headers?.['x-imap-uidvalidity'], '8');
  });

  it('is filed once where the server tells of it twice, and of others in between', async () => {
    const { cursors } = await read(server([{ uid: 1 }]).client);
    const { client } = server([{ uid: 1 }, { uid: 2 }, { uid: 3 }], (uids) => [...uids, 1, ...uids]);
    const { texts, uids } = await read(client, cursors.at(-1));
    assert.deepEqual(
      [texts, uids],
      [
        ['mail 2', 'mail 3'],
        [2, 3],
      ],
    );
  });

  it('is asked for a page at a time, each mail once, and what is too large alone', async () => {
    const small = Array.from({ length: 400 }, (_, at) => ({ uid: at + 1 }));
    assert.deepEqual(await pagesOf(small), [200, 200], 'however small they are');
    const size = 1_000_000;
    const large = Array.from({ length: 20 }, (_, at) => ({ uid: at + 1, size: at === 3 ? 3 * size : size }));
    assert.deepEqual(await pagesOf(large, size), [3, 1, 8, 8]);

    async function pagesOf(mails: readonly Mail[], maxBytes?: number) {
      const { client, fetched } = server(mails);
      const { texts } = await read(client, undefined, MAILBOX, maxBytes);
      assert.deepEqual(
        texts,
        mails.map(({ uid }) => `mail ${uid}`),
      );
      return fetched.map(({ length }) => length);
    }
  });

  it('is too large also where the server tells of something else before its size', async () => {
    const { raws } = await read(server([{ uid: 1, size: 5000, flagged: true }]).client);
    assert.equal(raws[0]?.headers?.['x-imap-size'], '5000');
  });

  it('is still new after the server refused to search for it', async () => {
    const { client } = server([{ uid: 1 }]);
    const refusing = { ...client, search: async () => false } as unknown as ImapFlow;
    const { failure } = await read(refusing);
    assert.ok(failure instanceof RetryableError);
    assert.deepEqual((await read([refusing, client])).texts, ['mail 1']);
  });

  it('is left out where it was deleted between two answers, and holds up nothing', async () => {
    const gone = { uid: 2, gone: true };
    const { texts, uids, failure } = await read(server([{ uid: 1 }, gone, { uid: 3 }]).client);
    assert.deepEqual([texts, uids, failure], [['mail 1', 'mail 3'], [1, 1], undefined]);
  });

  it('takes no more memory than a page where a server lies about sizes', async () => {
    const mails = Array.from({ length: 30 }, (_, at) => ({ uid: at + 1, bytes: 1_000_000 }));
    const { client, taken } = server(mails);
    const { raws, uids } = await read(client);
    assert.ok(
      taken.every((count) => count <= 10),
      taken.join(),
    );
    assert.deepEqual(
      raws.map(({ headers }) => headers?.['x-imap-uid']),
      mails.map(({ uid }) => String(uid)),
    );
    assert.equal(uids.at(-1), 30);
  });

  it('carries the names of its labels', async () => {
    const { raws } = await read(server([{ uid: 1, labels: ['\\Inbox', 'Замовлення, нові'] }]).client);
    assert.deepEqual(JSON.parse(raws[0]?.headers?.['x-gm-labels'] ?? ''), ['\\Inbox', 'Замовлення, нові']);
  });
});
