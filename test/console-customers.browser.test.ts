import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { hasBrowser } from './fakes/browser.ts';
import { openConsole, pushSigned } from './fakes/console.ts';
import type { OpenedConsole } from './fakes/console.ts';
import { startReceiver } from './fakes/receiver.ts';
import type { Receiver } from './fakes/receiver.ts';
import { until } from './fakes/until.ts';
import { skipUnless } from './skip.ts';

const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const PHONE = '+380671234567';
/** More than a page of the timeline. */
const MANY = 55;

interface Listed {
  readonly data: readonly {
    readonly id: string;
    readonly name: string | null;
    readonly identifiers: readonly object[];
  }[];
}

describe('the customers in the console in a browser', function () {
  let receiver: Receiver;
  let opened: OpenedConsole;

  before(async function () {
    skipUnless(this, hasBrowser, 'Chromium is not installed (set CHROMIUM to its path)');
    receiver = await startReceiver();
    opened = await openConsole(`
channels:
  - { id: contact, type: form, spam: { minSeconds: 0 } }
  - { id: intake, type: webhook, auth: { type: standard_webhooks, secret: "${secret}" } }
destinations:
  - { id: crm, type: webhook, name: Our CRM, url: "${receiver.origin}/hooks", secret: "${secret}" }
routes:
  - { to: [crm] }
`);
    await write('olena-1', 'olena', { subject: 'Where is order 4512?', text: 'Order 4512', fields: { order: '4512' } });
    await write('olena-2', 'olena', { thread: 'olena-2', subject: 'An invoice', text: 'Please send it' });
    await fill({ name: 'Olena K.', phone: '+380 (67) 123-45-67', message: 'It is me again' });
    await fill({ name: 'Ivan', email: 'ivan@example.com', message: 'A question' });
  });

  after(async () => {
    await opened?.close();
    await receiver?.close();
  });

  beforeEach(async () => {
    opened.trouble.length = 0;
    await opened.page.setViewportSize({ width: 1280, height: 800 });
  });

  afterEach(() => {
    assert.deepEqual(opened?.trouble, []);
  });

  const from = (id: string, name: string) => ({ id, name, ...(id === 'olena' && { phone: PHONE }) });
  const write = (id: string, who: string, element: object) =>
    pushSigned(opened.gateway, secret, { id, from: from(who, 'Олена Коваль'), ...element } as { id: string });
  async function fill(fields: Record<string, string>): Promise<void> {
    const response = await fetch(`${opened.gateway.url}/forms/contact`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(fields),
    });
    assert.ok(response.ok, await response.text());
  }
  const named = async (name: string) => {
    const { data } = (await opened.gateway.api('/customers?limit=200')) as Listed;
    return data.find((one) => one.name === name);
  };
  const idOf = async (name: string) => (await named(name))?.id ?? assert.fail(`nobody is called ${name}`);
  const count = async (path: string) => ((await opened.gateway.api(`${path}?limit=200`)) as Listed).data.length;
  const rows = () => opened.page.locator('.people .card');
  const row = (text: string) => opened.page.locator('.people .card', { hasText: text });

  it('lists them, and finds them by name, address and phone in any format', async () => {
    const { page } = opened;
    await opened.goto('/');
    await page.keyboard.press('KeyG');
    await page.keyboard.press('KeyC');
    await page.waitForURL('**/customers');
    await until(async () => (await rows().count()) === 3, 'all customers');
    await page.keyboard.press('Slash');
    for (const [wanted, who] of [
      ['ivan@', 'Ivan'],
      ['коваль', 'Олена Коваль'],
      ['(067) 123 45 67', 'Olena K.'],
    ] as const) {
      await page.fill('#search', wanted);
      await row(who).waitFor();
      await until(async () => (await row('Ivan').count()) === (who === 'Ivan' ? 1 : 0), `only who fits ${wanted}`);
    }
    assert.match(page.url(), /\/customers\?q=/);
    await page.reload();
    await row('Olena K.').waitFor();
    assert.equal(await page.inputValue('#search'), '(067) 123 45 67');
    await page.fill('#search', 'nobody-is-called-so');
    await page.locator('.none', { hasText: 'Nothing found.' }).waitFor();
    await page.fill('#search', 'ivan');
    await until(async () => (await rows().count()) === 1, 'only Ivan');
    await page.keyboard.press('Escape');
    await page.keyboard.press('KeyJ');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/customers\/cus_/);
    await page.locator('.sheet h1', { hasText: 'Ivan' }).waitFor();
    await until(async () => (await page.title()).endsWith('Ivan · Tributary'), 'his name is the title');
    await page.keyboard.press('Escape');
    await page.waitForURL(/\/customers\?q=ivan/);
    await until(() => page.evaluate(`document.activeElement?.matches('.people .card')`), 'back at the row');
  });

  it('shows of one by what he is recognised, his tickets, and everything that was said', async () => {
    const { page } = opened;
    const id = await idOf('Олена Коваль');
    await opened.goto(`/customers/${id}`);
    await page.locator('.identities li').first().waitFor();
    const identities = await page.innerText('[aria-labelledby=identities]');
    assert.match(
      identities,
      /Webhook intake[^]*olena[^]*vouched for[^]*The channel vouches[^]*2 messages by it through intake/,
    );
    assert.match(identities, /Phone[^]*\+380671234567/);
    assert.equal(await page.locator('.ticket-rows li').count(), 2);
    await until(async () => (await page.locator('.timeline .message').count()) === 2, 'both messages');
    assert.deepEqual(
      (await page.locator('.of-ticket').allInnerTexts()).map((text) => text.replace(/^#\d+ /, '')),
      ['Where is order 4512?', 'An invoice'],
    );
    await write('olena-3', 'olena', { thread: 'olena-2', text: 'Has it been sent?' });
    await page.locator('.timeline .message', { hasText: 'Has it been sent?' }).waitFor();
    await page.click('.of-ticket a >> nth=0');
    await page.waitForURL(/\/t\/tkt_/);
    await page.click('.head .name a');
    await page.waitForURL(`**/customers/${id}`);
  });

  it('reads earlier messages upward, and stays with what is read', async () => {
    const { page } = opened;
    for (let index = 0; index < MANY; index++) {
      await write(`long-${index}`, 'long', {
        from: { id: 'long', name: 'Long' },
        thread: 'long',
        text: `Line ${index}`,
      });
    }
    await opened.goto(`/customers/${await idOf('Long')}`);
    const messages = () => page.locator('.timeline .message');
    await until(async () => (await messages().count()) === 50, 'a page of messages');
    const inSight = async (text: string) => {
      const found = page.locator('.timeline .message', { hasText: new RegExp(`${text}(?!\\d)`) }).first();
      const [box, room] = [await found.boundingBox(), await page.locator('.said').boundingBox()];
      return box !== null && room !== null && box.y >= room.y && box.y + box.height <= room.y + room.height + 1;
    };
    await until(() => inSight('Line 54'), 'the newest one is in sight');
    await page.focus('.timeline .more');
    await page.evaluate(`document.querySelector('.said').scrollTop = 0`);
    await page.keyboard.press('Enter');
    await until(async () => (await messages().count()) === MANY, 'all messages');
    await until(() => inSight('Line 5'), 'what was read is still in sight');
    assert.equal(await page.locator('.timeline .more').count(), 0);
    assert.match(await messages().first().innerText(), /Line 0/);
  });

  it('shows beside a ticket who it is from, his other tickets, its fields, and what it became elsewhere', async () => {
    const { page } = opened;
    receiver.behave('ok');
    const { data } = (await opened.gateway.api('/tickets?q=4512')) as Listed;
    await opened.goto(`/t/${data[0]!.id}`);
    const panel = page.locator('aside.beside');
    await panel.locator('.became .state[data-look=ok]').waitFor();
    const text = await panel.innerText();
    assert.match(text, /Олена Коваль[^]*\+380671234567[^]*Our CRM[^]*Delivered[^]*An invoice/);
    await page.setViewportSize({ width: 1000, height: 800 });
    await page.locator('details.beside').waitFor();
    assert.equal(await page.locator('details.beside .identities').isVisible(), false);
    await page.locator('details.beside > summary').press('Enter');
    await page.locator('details.beside .identities').waitFor();
  });

  it('tells apart who is not the same person, by mouse and by keyboard, and takes it back', async () => {
    const { page } = opened;
    const [olena, other] = [await idOf('Олена Коваль'), await idOf('Olena K.')];
    await opened.goto(`/customers/${olena}`);
    const suggestion = page.locator('.suggestions > li', { hasText: 'Olena K.' });
    await suggestion.locator('button', { hasText: 'Not the same' }).click();
    await page.locator('.told', { hasText: 'Olena K. is not suggested any more.' }).waitFor();
    await suggestion.waitFor({ state: 'detached' });
    await page.locator('.history li', { hasText: 'Not the same person as Olena K.' }).waitFor();
    await page.click('.told button');
    await suggestion.waitFor();
    assert.equal(await page.locator('.told').count(), 0);

    await suggestion.locator('button', { hasText: 'Not the same' }).focus();
    await page.keyboard.press('Enter');
    await until(() => page.evaluate(`document.activeElement?.id === 'take-back'`), 'where it can be taken back');
    await suggestion.waitFor({ state: 'detached' });
    await page.keyboard.press('Enter');
    await until(() => page.evaluate(`document.activeElement?.id === 'sheet'`), 'the beginning of the page');
    await suggestion.locator('button', { hasText: 'Not the same' }).press('Enter');
    await suggestion.waitFor({ state: 'detached' });

    // The other one is told by nobody either, and can say so as well.
    await opened.goto(`/customers/${other}`);
    const row = page.locator('.history li', { hasText: 'Not the same person as Олена Коваль' }).first();
    await row.waitFor();
    assert.equal(await page.locator('.suggestions').count(), 0);
    await row.locator('button', { hasText: 'Undo' }).focus();
    await page.keyboard.press('Enter');
    await page.locator('dialog', { hasText: 'Not the same person as' }).waitFor();
    assert.equal(await page.locator('dialog .moves').count(), 0, 'nothing moved');
    await until(() => page.isEnabled('dialog .button'), 'it can be taken back');
    await page.focus('dialog .button');
    await page.keyboard.press('Enter');
    await page.locator('.suggestions > li', { hasText: 'Олена Коваль' }).waitFor();
  });

  it('suggests who could be the same person, merges them after showing what moves, and undoes it', async () => {
    const { page } = opened;
    const [olena, other] = [await idOf('Олена Коваль'), await idOf('Olena K.')];
    const messages = await count(`/customers/${olena}/timeline`);
    await opened.goto(`/customers/${olena}`);
    const suggestion = page.locator('.suggestions > li', { hasText: 'Olena K.' });
    await suggestion.waitFor();
    assert.match(await suggestion.innerText(), /\+380671234567[^]*there: .+ here: /);
    await suggestion.locator('button', { hasText: 'Merge' }).click();
    await page.locator('dialog .moves', { hasText: /1 ticket and 1 message move to Олена Коваль/ }).waitFor();
    assert.match(await page.inputValue('dialog input[type=text]'), /same Phone \+380671234567/);
    await page.click('dialog .pair button');
    await page.locator('dialog .moves', { hasText: /to Olena K\./ }).waitFor();
    await page.click('dialog .pair button');
    await page.locator('dialog .moves', { hasText: /to Олена Коваль/ }).waitFor();
    await page.fill('dialog input[type=text]', '');
    assert.equal(await page.isDisabled('dialog .button'), true, 'without a reason');
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog[open]', { state: 'detached' });
    assert.equal(await count(`/customers/${olena}/timeline`), messages, 'cancelled, and merged nevertheless');

    await suggestion.locator('button', { hasText: 'Merge' }).focus();
    await page.keyboard.press('Enter');
    await page.locator('dialog .moves', { hasText: /to Олена Коваль/ }).waitFor();
    await page.fill('dialog input[type=text]', 'Same voice on the phone');
    await page.keyboard.press('Enter');
    await page.locator('.history li', { hasText: 'Same voice on the phone' }).waitFor();
    assert.equal(await count(`/customers/${olena}/timeline`), messages + 1);
    await page.locator('.timeline .message', { hasText: 'It is me again' }).waitFor();
    assert.equal(await page.locator('.suggestions').count(), 0);

    await opened.goto(`/customers/${other}`);
    await page.locator('.notice', { hasText: 'merged into another one: Олена Коваль' }).waitFor();
    await page.locator('.history button', { hasText: 'Undo' }).focus();
    await page.keyboard.press('Enter');
    await page.locator('dialog .moves', { hasText: /1 ticket and 1 message move/ }).waitFor();
    await page.locator('dialog .leaving summary').click();
    await page.locator('dialog .leaving li', { hasText: 'It is me again' }).waitFor();
    await page.focus('dialog .button');
    await page.keyboard.press('Enter');
    await page.locator('.history li', { hasText: /Same voice on the phone[^]*undone/ }).waitFor();
    await page.waitForSelector('.notice', { state: 'detached' });
    assert.equal(await count(`/customers/${olena}/timeline`), messages);
    assert.equal(await page.locator('.suggestions').count(), 0, 'who was told apart is suggested again');
  });

  it('merges somebody who is looked for, into the one who has a name', async () => {
    const { page } = opened;
    await write('nameless-1', 'nameless', { from: { id: 'nameless' }, text: 'Hello' });
    const { data } = (await opened.gateway.api('/customers?identifier=webhook:intake:nameless')) as Listed;
    await opened.goto(`/customers/${data[0]!.id}`);
    await page.locator('.sheet h1', { hasText: 'nameless' }).waitFor();
    await page.keyboard.press('Control+KeyK');
    await page.keyboard.type('merge with');
    await page.keyboard.press('Enter');
    await page.fill('dialog input[type=search]', 'ivan');
    await page.locator('dialog .choices button', { hasText: 'Ivan' }).press('Enter');
    await page.locator('dialog .moves', { hasText: /1 identity, 1 ticket and 1 message move to Ivan/ }).waitFor();
    await page.fill('dialog input[type=text]', 'He said so');
    await page.click('dialog .button');
    await page.waitForURL(`**/customers/${await idOf('Ivan')}`);
    await page.locator('.identities li', { hasText: 'nameless' }).waitFor();
  });

  it('splits off what belongs to somebody else, after showing which messages leave', async () => {
    const { page } = opened;
    const id = await idOf('Ivan');
    await opened.goto(`/customers/${id}`);
    await page.locator('[aria-labelledby=identities] button', { hasText: 'Split' }).click();
    const boxes = page.locator('dialog.wide input[type=checkbox]');
    await boxes.first().waitFor();
    for (const box of await boxes.all()) await box.check();
    await page.fill('dialog input[type=text]', 'Not Ivan');
    await page.locator('dialog .hint', { hasText: 'somebody has to stay' }).waitFor();
    assert.equal(await page.isDisabled('dialog .button'), true);
    for (const box of await boxes.all()) await box.uncheck();
    assert.equal(await page.isDisabled('dialog .button'), true);
    await page.locator('dialog label', { hasText: 'nameless' }).locator('input').focus();
    await page.keyboard.press('Space');
    await page.locator('dialog .moves', { hasText: '1 identity, 1 ticket and 1 message move.' }).waitFor();
    await page.locator('dialog .leaving summary').press('Enter');
    await page.locator('dialog .leaving li', { hasText: 'Hello' }).waitFor();
    await page.focus('dialog .button');
    await page.keyboard.press('Enter');
    await page.locator('.history li', { hasText: 'Not Ivan' }).waitFor();
    await page.locator('.identities li', { hasText: 'nameless' }).waitFor({ state: 'detached' });
    assert.equal(await count(`/customers/${id}/timeline`), 1);
    await page.locator('.history li', { hasText: 'Split off' }).locator('a').first().click();
    await page.locator('.sheet h1', { hasText: 'nameless' }).waitFor();
  });

  it('offers those who may not change customers nothing of it', async () => {
    const { page } = opened;
    await page.route('**/api/v1/session', async (route) => {
      const response = await route.fetch();
      const json = { ...(await response.json()), scopes: ['tickets:read', 'customers:read', 'endpoints:read'] };
      await route.fulfill({ response, json });
    });
    await opened.goto(`/customers/${await idOf('Ivan')}`);
    await page.locator('.identities li').first().waitFor();
    assert.equal(await page.locator('.about-him button').count(), 0);
    assert.equal(await page.locator('.under a[download]').count(), 0);
    await page.unroute('**/api/v1/session');
  });

  it('hands out everything that is known of one, as a file', async () => {
    const { page } = opened;
    const id = await idOf('Ivan');
    await opened.goto(`/customers/${id}`);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('.under a', { hasText: 'Export everything' }).click(),
    ]);
    assert.equal(download.suggestedFilename(), `${id}.json`);
    const text = readFileSync(await download.path(), 'utf8');
    assert.equal((JSON.parse(text) as { readonly customer: { readonly id: string } }).customer.id, id);
    assert.match(text, /A question/);
  });

  it('says so when there is no such customer', async () => {
    await opened.goto('/customers/cus_none');
    await opened.page.locator('.empty', { hasText: 'There is no such customer.' }).waitFor();
  });

  it('fits 320 px without scrolling sideways', async () => {
    const { page } = opened;
    await page.setViewportSize({ width: 320, height: 640 });
    await opened.goto('/customers');
    await rows().first().waitFor();
    assert.equal(await opened.sideways(), 0);
    await opened.goto(`/customers/${await idOf('Ivan')}`);
    await page.locator('.timeline .message').first().waitFor();
    assert.equal(await opened.sideways(), 0);
    await page.locator('[aria-labelledby=history] header button').click();
    await page.fill('dialog input[type=search]', 'коваль');
    await page.locator('dialog .choices button').first().click();
    await page.locator('dialog .moves').waitFor();
    assert.equal(await opened.sideways(), 0);
    await page.keyboard.press('Escape');
  });

  it('speaks Ukrainian and Russian', async () => {
    const { page } = opened;
    await opened.goto(`/customers/${await idOf('Ivan')}`);
    for (const [tag, title, said] of [
      ['uk', 'Ідентичності', 'лише сказано'],
      ['ru', 'Идентичности', 'только сказано'],
      ['en', 'Identities', 'only said'],
    ] as const) {
      await page.selectOption('.top select', tag);
      await page.waitForSelector(`html[lang=${tag}]`);
      assert.equal(await page.innerText('#identities'), title);
      await page.locator('.identities .state', { hasText: said }).first().waitFor();
    }
  });
});
