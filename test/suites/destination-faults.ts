import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { z } from 'zod';
import type { Destination, DestinationType } from '../../src/core/destination.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../../src/core/errors.ts';
import { createHttp } from '../../src/http/http.ts';
import { fakeClock } from '../fakes/clock.ts';
import { fakeLog } from '../fakes/context.ts';
import { startReceiver } from '../fakes/receiver.ts';
import type { Answer, Behaviour, Received, Receiver } from '../fakes/receiver.ts';
import { formsOf } from '../fakes/secret-forms.ts';
import type { Case } from './destination-cases.ts';
import { exchangeOf, faultCasesOf, open, secretsIn, settingsAt, settingsOf } from './destination-cases.ts';
import { stepsOf, type Step } from './destination-steps.ts';

/** `gone`: nobody listens. `forbidden`: it would answer, at a private address that nobody allowed. */
type Far = Behaviour | 'gone' | 'forbidden';

/** A destination that is called while its far side misbehaves. */
interface Tried {
  readonly far: Receiver;
  readonly kind: DestinationType;
  /** Its first case while the far side is like that. Resolves with what was thrown, if anything. */
  attempt(far: Far): Promise<unknown>;
  /** The same where an error of a kind must come of it. */
  fails<E extends Error>(error: abstract new (...given: never[]) => E, far: Far): Promise<E>;
  /** What the test of its credentials throws. */
  test(far: Far): Promise<unknown>;
  /** Each call that it makes to create a ticket and to go on with it, while the others go as they were recorded. */
  readonly steps: readonly BrokenStep[];
}

type BrokenStep = Pick<Step, 'name' | 'writes'> & Pick<Tried, 'attempt' | 'fails'> & { times(): number };

/** A failure that each destination is put through; the table in docs/destinations/faults.md is made of these. */
export interface Fault {
  /** Of the hardening catalogue, section H. */
  readonly id: string;
  /** What the far side does, and what must come of it: also the name of the test. */
  readonly title: string;
  /** Which destinations it can happen to; all when left out. */
  readonly concerns?: (kind: DestinationType) => boolean;
  run(tried: Tried): Promise<void>;
}

/** Those with an address to call; what else a destination speaks has tests of its own. */
export function speaksHttp({ config }: DestinationType): boolean {
  const { properties = {} } = z.toJSONSchema(config, { io: 'input' });
  return 'apiRoot' in properties || 'url' in properties;
}

const keepsTickets = ({ capabilities }: DestinationType) => capabilities.carries === 'tickets';

/** One call for each of several answers, all of which must end in the same kind of error. */
function endIn<E extends Error>(
  error: abstract new (...given: never[]) => E,
  answers: readonly Answer[],
): (tried: Tried) => Promise<void> {
  return async ({ fails }) => {
    for (const answer of answers) await fails(error, answer);
  };
}

const statuses = (...list: readonly number[]) => list.map((status) => ({ status, body: '{}' }));

function unknownOutcome(...behaviours: readonly Behaviour[]): (tried: Tried) => Promise<void> {
  return async ({ fails }) => {
    for (const behaviour of behaviours) {
      const { outcomeUnknown } = await fails(RetryableError, behaviour);
      assert.ok(outcomeUnknown, inspect(behaviour));
    }
  };
}

/** Tells all that it was sent, and what it makes of a login. */
function quoting(status: number): (request: Received) => Answer {
  return ({ url, headers, body }) => {
    const [, login = ''] = (headers.authorization ?? '').split(' ');
    const said = { url, headers, body: body.toString(), login: Buffer.from(login, 'base64').toString() };
    return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(said) };
  };
}

const LOGIN_PAGES = ['', '<html>Sign in</html>', '{"ok":false}', '[]', 'null'].map((body) => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body,
}));

const MANY_HEADERS = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`x-${index}`, 'y']));
const NO_WAITS = ['0', '-1', '1e9', 'soon'];

export const FAULTS: readonly Fault[] = [
  {
    id: 'H01',
    title: 'a compressed answer is refused undecoded, and nobody knows what came of the call',
    run: unknownOutcome('brotli'),
  },
  {
    id: 'H02',
    title: 'a redirect is not followed',
    async run({ fails }) {
      const elsewhere = await startReceiver();
      try {
        await fails(RetryableError, { status: 307, headers: { location: elsewhere.origin } });
        assert.equal(elsewhere.connections(), 0);
      } finally {
        await elsewhere.close();
      }
    },
  },
  {
    id: 'H03',
    title: 'a private address that nobody allowed is not called',
    async run({ far, fails }) {
      const before = far.connections();
      await fails(TributaryError, 'forbidden');
      assert.equal(far.connections(), before);
    },
  },
  {
    id: 'H04',
    title: 'an answer of 100 MB is not read',
    async run({ far, kind, attempt }) {
      const before = far.bytesSent();
      const error = await attempt('huge');
      // A receiver of events has nothing to say; from a help desk the id of the ticket is needed.
      if (keepsTickets(kind)) assert.ok(error instanceof TributaryError);
      else assert.equal(error, undefined);
      assert.ok(far.bytesSent() - before < 30 * 1024 * 1024);
    },
  },
  {
    id: 'H04',
    title: 'an answer with 10,000 headers is not read',
    run: unknownOutcome({ status: 200, headers: MANY_HEADERS, body: '{}' }),
  },
  {
    id: 'H04',
    title:
      'after silence, an answer that breaks off, a byte at a time, or what is no HTTP, nobody knows what came of the call',
    run: unknownOutcome('hang', 'drop', 'cut', 'trickle', 'garbage'),
  },
  {
    id: 'H04',
    title: 'where nobody listens, nothing arrived',
    async run({ fails }) {
      assert.ok(!(await fails(RetryableError, 'gone')).outcomeUnknown);
    },
  },
  {
    id: 'H06',
    title: 'an answer that quotes what it was sent puts no secret into errors and logs, neither bare nor in base64',
    async run({ attempt, test, steps }) {
      for (const status of [200, 400, 401, 403, 429, 500]) {
        for (const call of [attempt, test, ...steps.map((step) => step.attempt)]) await call(quoting(status));
      }
    },
  },
  {
    id: 'H08',
    title: 'a 429 pauses for as long as it says, in seconds, and for no nonsense',
    async run({ fails }) {
      const wait = async (says: string) =>
        (await fails(RateLimitedError, { status: 429, headers: { 'retry-after': says }, body: '{}' })).retryAfterMs;
      assert.equal(await wait('7'), 7000);
      for (const says of NO_WAITS) assert.equal(await wait(says), undefined, says);
    },
  },
  {
    id: 'H09',
    title: 'after 408, 500, 502, 503 and 504 it is tried again',
    run: endIn(RetryableError, statuses(408, 500, 502, 503, 504)),
  },
  {
    id: 'H09',
    title: 'a 401 asks for new credentials',
    run: endIn(AuthExpiredError, statuses(401)),
  },
  {
    id: 'H09',
    title: 'a 401 to the test of the credentials asks for new ones',
    concerns: keepsTickets,
    async run({ test }) {
      const error = await test({ status: 401, body: '{}' });
      assert.ok(error instanceof AuthExpiredError, inspect(error));
    },
  },
  {
    id: 'H09',
    title: '400, 403, 404, 413 and 422 are final for this one delivery',
    async run({ fails }) {
      for (const answer of statuses(400, 403, 404, 413, 422)) assert.ok(!(await fails(PermanentError, answer)).gone);
    },
  },
  {
    id: 'H09',
    title: 'a 410 disables',
    async run({ fails }) {
      assert.ok((await fails(PermanentError, { status: 410 })).gone);
    },
  },
  {
    id: 'H09',
    title: 'whichever call of a create or an append fails, it ends so: 401, 408, 410, 429, 502, 503 and 504',
    concerns: keepsTickets,
    async run({ steps }) {
      for (const { fails } of steps) {
        for (const answer of statuses(408, 502, 503, 504)) await fails(RetryableError, answer);
        await fails(AuthExpiredError, { status: 401, body: '{}' });
        assert.ok((await fails(PermanentError, { status: 410 })).gone);
        const limited = { status: 429, headers: { 'retry-after': '7' }, body: '{}' };
        assert.equal((await fails(RateLimitedError, limited)).retryAfterMs, 7000);
      }
    },
  },
  {
    id: 'H09',
    title: 'what writes is final when it is refused with 400, 403, 404, 413 or 422',
    concerns: keepsTickets,
    async run({ steps }) {
      for (const { fails } of steps.filter(({ writes }) => writes)) {
        for (const answer of statuses(400, 403, 404, 413, 422)) assert.ok(!(await fails(PermanentError, answer)).gone);
      }
    },
  },
  {
    id: 'H11',
    title: 'after a 500 nobody knows what came of the call',
    run: unknownOutcome({ status: 500 }),
  },
  {
    id: 'H11',
    title: 'whichever call breaks off or ends in a 500, nobody knows what came of it, and it is not made again',
    concerns: keepsTickets,
    async run({ steps }) {
      for (const { name, fails, times } of steps) {
        for (const behaviour of ['drop', 'cut', { status: 500 }] as const) {
          assert.ok((await fails(RetryableError, behaviour)).outcomeUnknown, name);
          assert.equal(times(), 1, name);
        }
      }
    },
  },
  {
    id: 'H21',
    title: 'a page of a login, or nothing at all, is no success',
    concerns: keepsTickets,
    async run({ attempt }) {
      for (const page of LOGIN_PAGES) {
        const error = await attempt(page);
        assert.ok(error instanceof TributaryError, `${page.body}: ${inspect(error)}`);
      }
    },
  },
  {
    id: 'H21',
    title: 'a page of a login, or nothing at all, is no success of what writes, and nobody knows what came of it',
    concerns: keepsTickets,
    async run({ steps }) {
      for (const { name, fails, times } of steps.filter(({ writes }) => writes)) {
        for (const page of LOGIN_PAGES) {
          assert.ok((await fails(RetryableError, page)).outcomeUnknown, `${name}: ${page.body}`);
          assert.equal(times(), 1, name);
        }
      }
    },
  },
];

/** What nobody may see: the settings' own, and the tokens that the far side hands out. */
function secretsOf(kind: DestinationType, home: string, { name, settings }: Case): string[] {
  const own = secretsIn(kind.config.parse(settingsOf(settings))).map(({ value }) => value.reveal());
  const answers = exchangeOf(home, name).map(({ response }) => response.body as object | undefined);
  const given = answers.flatMap((body) =>
    Object.entries(body ?? {}).flatMap(([field, value]) => (/_token$/.test(field) ? [String(value)] : [])),
  );
  return [...own, ...given];
}

/** Puts a destination through each of them, with its own cases; no error and no log may show one of its secrets (H06). */
export function faultSuite(kind: DestinationType, home: string): void {
  const steps = stepsOf(kind, home);
  const [first] = faultCasesOf(home, kind);
  let far: Receiver;
  before(async () => {
    far = await startReceiver();
  });
  after(() => far.close());

  /** What a call throws; undefined when it succeeds. */
  async function thrownBy(behaviour: Far, one: Case, call: (destination: Destination) => unknown): Promise<unknown> {
    if (behaviour === 'gone') await far.close();
    else far.behave(behaviour === 'forbidden' ? 'ok' : behaviour);
    const egress = createHttp({ allow: [], clock: fakeClock(one.now), limits: { firstByteMs: 1000, totalMs: 4000 } });
    const http = egress.for({ hosts: behaviour === 'forbidden' ? [] : [far.host] });
    const log = fakeLog();
    let thrown: unknown;
    try {
      await call(await open(kind, settingsAt(kind, one.settings, far), { http, now: one.now, log }));
    } catch (error) {
      thrown = error;
    } finally {
      egress.close();
      if (behaviour === 'gone') far = await startReceiver();
    }
    const shown = inspect([thrown, log.entries], { depth: 8, showHidden: true });
    const seen = secretsOf(kind, home, one).filter((secret) => formsOf(secret).some((form) => shown.includes(form)));
    assert.deepEqual(seen, [], `an error or the log shows a secret: ${shown}`);
    return thrown;
  }

  function failing(attempt: Tried['attempt'], name: string): Tried['fails'] {
    return async (kindOfError, behaviour) => {
      const error = await attempt(behaviour);
      const wanted = `${name}: expected ${kindOfError.name} after ${inspect(behaviour)}, got ${inspect(error)}`;
      assert.ok(error instanceof kindOfError, wanted);
      return error;
    };
  }

  function broken({ name, writes, case: one, breaks }: Step): BrokenStep {
    let times = () => 0;
    const attempt = async (fault: Far) => {
      const played = breaks(fault as Behaviour, `${far.origin}/base`);
      ({ times } = played);
      const thrown = await thrownBy(played.behaviour, one, one.run);
      assert.ok(times() > 0, `${name} was not called: ${inspect(thrown)}`);
      return thrown;
    };
    return { name, writes, attempt, fails: failing(attempt, name), times: () => times() };
  }

  const tried = (): Tried => {
    const attempt = (behaviour: Far) => thrownBy(behaviour, first, first.run);
    return {
      far,
      kind,
      attempt,
      fails: failing(attempt, first.name),
      test: (behaviour) => thrownBy(behaviour, first, (destination) => destination.test?.()),
      steps: steps.map(broken),
    };
  };

  for (const { id, title, concerns, run } of FAULTS) {
    if (concerns?.(kind) ?? true) it(`${id}: ${title}`, () => run(tried()));
  }
}
