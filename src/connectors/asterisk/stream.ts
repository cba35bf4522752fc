import { z } from 'zod';
import type { Channel, Raw } from '../../core/connector.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import { createAssembly, type Assembly } from './assembly.ts';
import type { Block } from './blocks.ts';
import { Call } from './call.ts';
import { toItem } from './items.ts';
import { isSuccess, openLine, wordsOf, type Line, type LineDeps } from './line.ts';

/** Classes of events: channels, who dials whom; call records where cdr_manager is on. */
const EVENTS = 'call,cdr';
/** How often Asterisk is asked whether it is there, and how long its answer may take. */
const PING_EVERY_MS = 30_000;
const PONG_MS = 15_000;
/** Events in which a list of channels must have come to its end. */
const MAX_BLOCKS = 20_000;

type Stream = NonNullable<Channel['stream']>;
type Emit = Parameters<Stream>[1];

/** Calls that were going on when the last one was stored, and when that was. */
const Cursor = z.object({ at: z.number(), calls: z.array(Call).catch([]) });

/**
 * One connection until it breaks; the host begins the next one. Asterisk tells nothing twice: what goes on is kept in
 * the cursor, with every call that is stored, and compared with what Asterisk lists at the next beginning.
 */
export function createStream(deps: LineDeps): Stream {
  const { clock } = deps.context;
  let heardAt: number | undefined;
  return async (cursor, emit, signal) => {
    const before = cursor === undefined ? undefined : Cursor.parse(parseJson(Buffer.from(cursor)));
    const over = new AbortController();
    const line = await openLine(deps, EVENTS, AbortSignal.any([signal, over.signal]));
    const life = keepAlive(deps, line, over.signal);
    try {
      const assembly = createAssembly(before?.calls ?? []);
      const teller = createTeller(deps, assembly, emit);
      await begin(deps, { line, life, assembly, teller, since: heardAt ?? before?.at });
      for (;;) {
        const event = await line.next();
        heardAt = clock.now();
        if (event.get('event')?.toLowerCase() === 'shutdown') throw new RetryableError('Asterisk is being shut down');
        await life.during(() => teller.tell(assembly.take(event, clock.now())));
      }
    } finally {
      over.abort();
      line.hangUp();
    }
  };
}

/** Stores calls when they mean something else than before. */
interface Teller {
  tell(calls: readonly Call[]): Promise<void>;
  note(name: string, text: string): Promise<void>;
}

function createTeller({ settings, context }: LineDeps, assembly: Assembly, emit: Emit): Teller {
  const meaningOf = (call: Call) => JSON.stringify({ ...toItem(call, settings), revision: 0 });
  const said = new WeakMap(assembly.open().map((call) => [call, meaningOf(call)]));

  async function store(body: object): Promise<void> {
    const cursor = { at: context.clock.now(), calls: assembly.open() };
    const raw: Raw = { body: Buffer.from(JSON.stringify(body)), headers: { 'content-type': 'application/json' } };
    await emit(raw, JSON.stringify(cursor));
  }

  return {
    async tell(calls) {
      for (const call of calls) {
        const item = toItem(call, settings);
        // Whether somebody outside takes part may be seen late; that nobody did is told at the end.
        if (item.kind !== 'call' && !call.ended) continue;
        if (item.kind === 'call' && !isTold(call)) continue;
        const meaning = meaningOf(call);
        if (said.get(call) === meaning) continue;
        call.told++;
        said.set(call, meaning);
        await store({ call });
      }
    },
    note: (name, text) => store({ note: { name, text } }),
  };
}

/** Who calls may be said a moment after the channel is made: what is told first stays. */
function isTold({ legs, ended, rows }: Call): boolean {
  // Of a call of which only its end is known nothing can be said, but by records.
  if (rows.length === 0 && legs.every(({ createdAt }) => createdAt === undefined)) return false;
  if (ended !== undefined) return true;
  return legs.some(({ number, upAt, dialed }) => number !== undefined || upAt !== undefined || dialed !== undefined);
}

interface Beginning {
  readonly line: Line;
  readonly life: Life;
  readonly assembly: Assembly;
  readonly teller: Teller;
  /** When we last were connected, as far as that is known. */
  readonly since: number | undefined;
}

/** What runs now, and what ended meanwhile. */
async function begin(deps: LineDeps, { line, life, assembly, teller, since }: Beginning): Promise<void> {
  const { clock } = deps.context;
  const early: Block[] = [];
  const list = await listChannels(deps, line, (event) => early.push(event));
  // First the list: an event that came before it may be of a channel that is younger than the list.
  const changed = [...assembly.compare(list, clock.now())];
  for (const event of early) changed.push(...assembly.take(event, clock.now()));
  const gap = deps.settings.records
    ? 'what was missed is asked for in the call records'
    : 'calls that began and ended in it are lost: there are no `records` to ask';
  const when =
    since === undefined ? 'for the first time' : `after a gap since ${new Date(since).toISOString()}; ${gap}`;
  await life.during(async () => {
    await teller.tell([...new Set(changed)]);
    await teller.note('connected', `${line.banner}, ${when}`);
  });
}

/** https://docs.asterisk.org/Latest_API/API_Documentation/AMI_Actions/CoreShowChannels/ */
export async function listChannels(deps: LineDeps, line: Line, other: (event: Block) => void): Promise<Block[]> {
  const list: Block[] = [];
  let left = MAX_BLOCKS;
  const pass = (event: Block) => {
    if (--left < 0) line.hangUp(new RetryableError('Asterisk does not come to an end with its list of channels'));
    other(event);
  };
  const answer = await line.ask('CoreShowChannels', {}, pass);
  if (!isSuccess(answer)) {
    throw new PermanentError(`Asterisk does not say which calls are going on: ${wordsOf(deps, answer)}`, {
      hint: 'manager.conf: the user needs write = reporting (and read = call,cdr); then `manager reload`.',
    });
  }
  for (;;) {
    const event = await line.next();
    const name = event.get('event')?.toLowerCase();
    if (name === 'coreshowchannelscomplete') return list;
    if (name === 'coreshowchannel') list.push(event);
    pass(event);
  }
}

interface Life {
  /** What has come is stored meanwhile: nothing is read, answers neither. */
  during(work: () => Promise<void>): Promise<void>;
}

/** Asks from time to time; a connection that no longer answers looks like one on which nobody calls. */
function keepAlive({ context: { clock } }: LineDeps, line: Line, over: AbortSignal): Life {
  let isBusy = false;
  const run = async () => {
    for (;;) {
      await clock.sleep(PING_EVERY_MS, over);
      const heard = line.heard();
      line.send('Ping');
      await clock.sleep(PONG_MS, over);
      if (!isBusy && line.heard() === heard) return line.hangUp(new RetryableError('Asterisk no longer answers'));
    }
  };
  void run().catch(() => undefined);
  return {
    async during(work) {
      isBusy = true;
      try {
        await work();
      } finally {
        isBusy = false;
      }
    },
  };
}
