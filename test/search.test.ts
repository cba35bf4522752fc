import assert from 'node:assert/strict';
import { RetryableError } from '../src/core/errors.ts';
import { everything } from '../src/store/open-sqlite.ts';
import { createSearch } from '../src/store/search.ts';
import { fold } from '../src/store/words.ts';
import { describeOnBoth } from './fakes/both-databases.ts';
import { fill, type TestDatabase } from './fakes/database.ts';

describeOnBoth('search', (openTestDatabase) => {
  let base: TestDatabase;
  let add: ReturnType<typeof fill>;
  beforeEach(async () => {
    base = await openTestDatabase();
    add = fill(base);
  });
  afterEach(() => base.close());

  const page = { limit: 50 };
  const tickets = async (q: string) => (await base.read.tickets({ q }, page)).data.map((ticket) => ticket.id);
  const customers = async (q: string) => (await base.read.customers({ q }, page)).data.map((customer) => customer.id);

  async function ticketSaying(text: string): Promise<string> {
    const id = await add.ticket(await add.customer(null));
    await add.message(id, { text, author: { identifiers: [] } });
    return id;
  }

  it('finds what was filed a moment ago, by the beginnings of its words in any order', async () => {
    const id = await ticketSaying('Добрий день! Де моє замовлення №4512?');
    await ticketSaying('Дякую');
    for (const q of ['замовл', 'де моє', 'ДЕНЬ добрий', '4512', '№4512', 'замовлення, добрий']) {
      assert.deepEqual(await tickets(q), [id], q);
    }
    for (const q of ['овлення', 'добрий вечір', '512', 'з']) assert.deepEqual(await tickets(q), [], q);
  });

  it('takes case, apostrophes, ё, ґ, stress marks, accents and widths as one, but not й and и', async () => {
    const alike = [
      ['п’ять', "п'ять", 'пʼять', 'ПЯТЬ'],
      ['ещё', 'еще'],
      ['ґанок', 'ганок'],
      ['за\u0301мок', 'замок'],
      ['Müller', 'muller', 'Mu\u0308ller'],
      ['ＡＢＣ', 'abc'],
      ['ІНТЕРНЕТ', 'інтернет'],
    ];
    for (const words of alike) assert.equal(new Set(words.map(fold)).size, 1, words.join(' '));
    assert.notEqual(fold('мой'), fold('мои'));
    assert.notEqual(fold('її'), fold('іі'));
    const id = await ticketSaying('П’ЯТЬ гривень');
    assert.deepEqual(await tickets("п'ят"), [id]);
  });

  it('finds a phone number in whatever format it was written', async () => {
    const customer = await add.customer('Олена', ['phone=+380671234567']);
    const byCustomer = await add.ticket(customer);
    const byText = await ticketSaying('Перезвоните: 8 (916) 123-45-67, спасибо\n12345 6789');
    for (const q of ['+380671234567', '067 123 45 67', '(067) 123-45-67', '38067123', '671234567']) {
      assert.deepEqual(await tickets(q), [byCustomer], q);
      assert.deepEqual(await customers(q), [customer], q);
    }
    for (const q of ['+7 916 123-45-67', '89161234567', '916 123 45 67', '9161234567']) {
      assert.deepEqual(await tickets(q), [byText], q);
    }
    const abroad = await ticketSaying('call +358 9 123 456');
    assert.deepEqual(await tickets('09 123 456'), [abroad]);
    assert.deepEqual(await tickets('+380501234567'), []);
    assert.deepEqual(await tickets('12345 6789'), [byText], 'numbers that are no phone are words');
  });

  it('finds a ticket by its number, with and without #', async () => {
    const id = await ticketSaying('x');
    const number = (await base.read.ticket(id))!.number;
    assert.deepEqual(await tickets(`#${number}`), [id]);
    assert.deepEqual(await tickets(` ${number} `), [id]);
  });

  it('finds tickets by subject, customer, tag and field, and follows their changes', async () => {
    const customer = await add.customer('Тарас Мельник', ['email=taras@example.com']);
    const id = await add.ticket(customer, {
      subject: 'Повернення коштів',
      tags: ['терміново'],
      fields: { order: 'A-77' },
    });
    for (const q of ['поверн', 'мельник тарас', 'taras@example.com', 'taras@exam', 'термін', 'a-77']) {
      assert.deepEqual(await tickets(q), [id], q);
    }
    await base.tx.updateTicket(id, { subject: 'Доставка' }, 1);
    await add.change({ ticketId: id });
    assert.deepEqual(await tickets('поверн'), []);
    assert.deepEqual(await tickets('достав'), [id]);
  });

  it('forgets what was rewritten or deleted, and follows a message into another ticket', async () => {
    const from = await ticketSaying('first version');
    const to = await add.ticket(await add.customer(null));
    const [message] = await base.tx.messageIds(from);
    const row = (await base.tx.message(message!))!;
    assert.deepEqual(await tickets('version'), [from]);
    await base.tx.reviseMessage(row, { ...row, revision: 1, text: 'second try' }, 1);
    await add.change({ type: 'message.updated', ticketId: from, messageId: row.id });
    assert.deepEqual([await tickets('version'), await tickets('second')], [[], [from]]);
    await base.tx.moveMessages([row.id], to, 1);
    assert.deepEqual(await tickets('second'), [to]);
    await base.tx.deleteMessage(row.id, 1);
    await add.change({ type: 'message.updated', ticketId: to, messageId: row.id });
    assert.deepEqual(await tickets('second'), []);
  });

  it('finds customers by name, identifier and claim, and follows a join', async () => {
    const olena = await add.customer('Олена Ткач', ['telegram=tkach_o']);
    const other = await add.customer('Olena', ['email=other@example.com']);
    await base.tx.saveClaim(other, 'email', 'claimed@example.com', 1);
    await add.change({ type: 'ticket.created', customerId: other, ticketId: await add.ticket(other) });
    assert.deepEqual(await customers('ткач ол'), [olena]);
    assert.deepEqual(await customers('TKACH_O'), [olena]);
    assert.deepEqual(await customers('claimed@'), [other]);
    assert.deepEqual(await customers('доставка'), [], 'what tickets say is no name');
    const ticket = await add.ticket(other);
    await base.tx.moveCustomer(other, olena, 'same phone', 'mrg_1', 1);
    await add.change({ type: 'customer.merged', customerId: olena });
    assert.deepEqual(await customers('claimed@'), [olena]);
    assert.ok((await tickets('ткач')).includes(ticket));
  });

  it('takes nothing that a person types for syntax', async () => {
    const id = await ticketSaying('NOT OR near said');
    const typed = [
      '"',
      '""',
      '*',
      'a* OR b*',
      'NEAR(a b)',
      'said: x',
      '{said} : x',
      '-x',
      '^x',
      '(',
      "'; DROP TABLE search;--",
    ];
    for (const q of [...typed, '\0', '\ud800', '👍', '(((1234567', '1'.repeat(10_000), 'слово '.repeat(5000)]) {
      assert.ok(Array.isArray(await tickets(q)), q);
    }
    assert.deepEqual(await tickets('not or near'), [id]);
    assert.deepEqual(await tickets(`${'not or near said '.repeat(3)} elsewhere`), [id], 'twelve words are enough');
    assert.deepEqual(await tickets('?!'), [], 'no words, no hits');
  });

  it('reads and folds large hostile texts in passing', async () => {
    const texts = [
      '1 '.repeat(500_000),
      '('.repeat(1_000_000),
      `1${'('.repeat(1_000_000)}`,
      '12345678901234567 '.repeat(60_000),
    ];
    const id = await add.ticket(await add.customer(null));
    for (const text of texts) await add.message(id, { text });
    await add.message(id, { text: `${'а'.repeat(5000)} кінець` });
    assert.deepEqual(await tickets('кінець'), [id]);
  });

  it('takes the change feed in bounded steps and continues where it stopped', async () => {
    for (let i = 0; i < 5; i++) await add.ticket(await add.customer());
    const last = await base.read.lastChange();
    const taken: number[] = [];
    for (let count = await base.search.index(4); count > 0; count = await base.search.index(4)) taken.push(count);
    assert.ok(taken.every((count) => count <= 4));
    assert.equal(
      taken.reduce((sum, count) => sum + count, 0),
      last,
    );
    const customer = await add.customer();
    for (let i = 0; i < 9; i++) await add.ticket(customer);
    const together = [base.search.index(4), base.search.index(4), base.search.index(4), base.search.index(4)];
    assert.deepEqual(await Promise.all(together), [4, 4, 2, 0]);
  });

  it('leaves to another process what that has taken meanwhile', async () => {
    await ticketSaying('one');
    const saved: string[] = [];
    const late = createSearch({
      db: base.db,
      horizon: everything,
      documents: {
        save: async (_sql, { id }) => {
          saved.push(id);
        },
        find: async () => [],
      },
      write: async (work) => {
        await base.search.index(100);
        return work(base.sql);
      },
    });
    assert.equal(await late.index(1), 1);
    assert.deepEqual(saved, []);
    assert.equal(await base.search.index(100), 0, 'and does not set the others back');
  });

  it('answers from what it has while the store can’t write', async () => {
    const id = await ticketSaying('before');
    assert.deepEqual(await tickets('before'), [id]);
    await ticketSaying('after');
    base.failWrites(new RetryableError('disk full'));
    assert.deepEqual(await tickets('before'), [id]);
    assert.deepEqual(await tickets('after'), []);
    base.failWrites(new Error('a bug'));
    await assert.rejects(tickets('before'), /a bug/);
    base.failWrites(undefined);
    assert.equal((await tickets('after')).length, 1);
  });

  it('indexes everything again when its tables are gone', async () => {
    const id = await ticketSaying('here');
    assert.deepEqual(await tickets('here'), [id]);
    await base.dropSearch();
    assert.deepEqual(await tickets('here'), [id]);
  });

  it('pages through hits by the same cursors as any list', async () => {
    const customer = await add.customer('Олена');
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.unshift(await add.ticket(customer));
    const first = await base.read.tickets({ q: 'олена', status: ['new'] }, { limit: 3 });
    const second = await base.read.tickets({ q: 'олена' }, { limit: 3, cursor: first.nextCursor! });
    assert.deepEqual(
      [...first.data, ...second.data].map((ticket) => ticket.id),
      ids,
    );
    assert.equal(second.nextCursor, null);
  });
});
