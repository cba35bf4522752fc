import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readTelegramLogin } from '../src/connectors/web-chat/telegram-login.ts';
import { BadPayloadError } from '../src/core/errors.ts';
import type { Customer, Ticket } from '../src/core/ticket.ts';
import { fakeClock } from './fakes/clock.ts';
import { askSession, newVisitor } from './fakes/chat.ts';
import { startWhole, type Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

const VECTORS = join(import.meta.dirname, '../../shared/fixtures/signatures/telegram-login/vectors.json');
const BOT = '42:a-token-of-a-bot';

interface Vectors {
  readonly initData: { readonly vectors: readonly { botToken: string; initData: string; valid: boolean }[] };
  readonly loginWidget: {
    readonly vectors: readonly { botToken: string; data: Record<string, string>; valid: boolean }[];
  };
}

/** What Telegram gives to a Mini App (`user` in it) or by its login widget. */
function login(fields: Readonly<Record<string, string>>, token = BOT): string {
  const lines = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
  const key =
    'user' in fields
      ? createHmac('sha256', 'WebAppData').update(token).digest()
      : createHash('sha256').update(token).digest();
  const hash = createHmac('sha256', key).update(lines.toSorted().join('\n')).digest('hex');
  return new URLSearchParams({ ...fields, hash }).toString();
}

describe('a login at Telegram', () => {
  it('has the verdict that others state for it, and is refused with a byte changed', function () {
    skipUnless(this, existsSync(VECTORS), 'the collected fixtures are not beside the repository');
    const { initData, loginWidget } = JSON.parse(readFileSync(VECTORS, 'utf8')) as Vectors;
    const all = [
      ...initData.vectors.map(({ botToken, initData: text, valid }) => ({ botToken, text, valid })),
      ...loginWidget.vectors.map(({ botToken, data, valid }) => ({
        botToken,
        text: new URLSearchParams(data).toString(),
        valid,
      })),
    ];
    const opens = (botToken: string, text: string) => {
      try {
        const at = Number(new URLSearchParams(text).get('auth_date')) * 1000;
        return readTelegramLogin(botToken, text, at).telegram !== undefined;
      } catch (error) {
        assert.ok(error instanceof BadPayloadError);
        return false;
      }
    };
    assert.equal(all.length, 9);
    for (const { botToken, text, valid } of all) assert.equal(opens(botToken, text), valid, text);
    for (const { botToken, text } of all.filter(({ valid }) => valid)) {
      for (const [at, letter] of [...text].entries()) {
        if (!/[0-9a-z]/.test(letter)) continue;
        const changed = `${text.slice(0, at)}${letter === 'b' ? 'c' : 'b'}${text.slice(at + 1)}`;
        assert.equal(opens(botToken, changed), false, changed);
      }
    }
  });

  describe('in a web chat', () => {
    const clock = fakeClock();
    let whole: Whole;
    before(async () => {
      const yaml = `
  - { id: site, type: web_chat, telegramBotToken: "${BOT}" }
  - { id: other, type: web_chat }
`;
      whole = await startWhole({ yaml, clock });
    });
    after(() => whole.close());
    const now = () => String(Math.floor(clock.now() / 1000));
    const user = (id: number | string) => JSON.stringify({ id, first_name: 'Олена', last_name: 'Коваль' });

    it('makes the visitor the customer who writes to the bot', async () => {
      const identity = login({ auth_date: now(), query_id: 'q', user: user(4242) });
      const visitor = await newVisitor(whole, { identity });
      assert.equal(await visitor.write('key-telegram-1', 'from the Mini App'), 200);
      const widget = login({ auth_date: now(), id: '4242', first_name: 'Олена' });
      const elsewhere = await newVisitor(whole, { identity: widget });
      assert.equal(await elsewhere.write('key-telegram-2', 'from the site'), 200);
      const { data } = await whole.api<{ data: Ticket[] }>('/tickets');
      assert.equal(data.length, 1, 'one person, one ticket');
      const customer = await whole.api<Customer>(`/customers/${data[0]?.customer.id}`);
      assert.equal(customer.name, 'Олена Коваль');
      const telegram = customer.identifiers.filter(({ kind }) => kind === 'telegram');
      assert.deepEqual(
        telegram.map(({ value, trust }) => [value, trust]),
        [['4242', 'verified']],
      );
      const back = await newVisitor(whole, { before: visitor, identity: widget });
      assert.equal(back.thread, visitor.thread);
      const stranger = login({ auth_date: now(), user: user(7) });
      assert.notEqual((await newVisitor(whole, { before: visitor, identity: stranger })).thread, visitor.thread);
    });

    it('is refused when it is old, of the future, of another bot, ambiguous or nobody’s', async () => {
      const at = (ms: number) => String(Math.floor((clock.now() + ms) / 1000));
      const good = { auth_date: now(), user: user(5) };
      const wrong: Record<string, string> = {
        old: login({ ...good, auth_date: at(-3_700_000) }),
        'of the future': login({ ...good, auth_date: at(120_000) }),
        'without a time': login({ user: user(5) }),
        'of another bot': login(good, '43:another'),
        'with a field twice': `${login(good)}&user=${encodeURIComponent(user(6))}`,
        nobody: login({ auth_date: now(), user: '{}' }),
        'no id': login({ auth_date: now(), user: user('x') }),
      };
      assert.equal((await askSession(whole, { 'tributary-identity': login(good) })).status, 200);
      for (const [name, identity] of Object.entries(wrong)) {
        assert.equal((await askSession(whole, { 'tributary-identity': identity })).status, 401, name);
      }
      const unset = await askSession(whole, { 'tributary-identity': login(good) }, 'other');
      assert.equal(unset.status, 401, 'a chat that has no bot');
    });
  });
});
