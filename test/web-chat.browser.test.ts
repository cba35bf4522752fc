import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { io } from 'socket.io-client';
import type { Message, Ticket } from '../src/core/ticket.ts';
import { hasBrowser, openBrowser } from './fakes/browser.ts';
import { IDENTITY_SECRET, identityOf } from './fakes/chat.ts';
import { PATIENCE_MS, until } from './fakes/until.ts';
import { startWhole, type Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

/** A shop with a strict policy, on an origin of its own; `identity` is who is signed in there. */
async function startShop(scriptOf: () => string) {
  const visitor = { identity: '' };
  const server: Server = createServer((request, response) => {
    if (request.url !== '/') return void response.writeHead(404).end();
    const script = new URL(scriptOf());
    const sockets = script.origin.replace('http', 'ws');
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none'; script-src ${script.origin}; connect-src ${script.origin} ${sockets}; require-trusted-types-for 'script'`,
    });
    const identity = visitor.identity && ` data-identity="${visitor.identity}"`;
    response.end(
      `<!doctype html><html lang="en"><title>Shop</title><body><h1>Shop</h1><script src="${script.href}"${identity}></script></body></html>`,
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, visitor, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

describe('the web chat in a browser', function () {
  let whole: Whole;
  let shop: Awaited<ReturnType<typeof startShop>>;
  let browser: Browser;
  let context: BrowserContext;
  /** What must never happen: scripts of others, errors of ours, refusals of the site's policy. */
  const trouble: string[] = [];

  before(async function () {
    skipUnless(this, hasBrowser, 'Chromium is not installed (set CHROMIUM to its path)');
    shop = await startShop(() => `${whole.running.url}/chat/site/widget.js`);
    whole = await startWhole({
      yaml: `
  - id: site
    type: web_chat
    allowedOrigins: ['${shop.origin}']
    identitySecret: ${IDENTITY_SECRET}
    greeting: How can we help?
    perMinute: { visitor: 1000, address: 10000 }
`,
    });
    browser = await openBrowser();
  });
  after(async () => {
    await browser?.close();
    await whole?.close();
    shop?.server.close();
  });
  beforeEach(async () => {
    shop.visitor.identity = '';
    context = await browser.newContext({ viewport: { width: 1024, height: 800 } });
    context.setDefaultTimeout(PATIENCE_MS);
  });
  afterEach(async () => {
    await context.close();
    assert.deepEqual(trouble.splice(0), []);
  });

  async function visit(): Promise<Page> {
    const page = await context.newPage();
    page.on('dialog', (dialog) => {
      trouble.push(`dialog ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('pageerror', (error) => void trouble.push(`error ${error.message}`));
    page.on('console', (message) => {
      const isExpected = /Failed to load resource|WebSocket connection to/.test(message.text());
      if (message.type() === 'error' && !isExpected) trouble.push(message.text());
    });
    await page.goto(shop.origin);
    return page;
  }
  async function opened(): Promise<Page> {
    const page = await visit();
    await page.click('.launch');
    return page;
  }
  async function write(page: Page, text: string): Promise<void> {
    await page.fill('textarea', text);
    await page.click('button[type=submit]');
  }
  /** What the page shows, in order, without whose it is; what isn't stored yet carries a state. */
  const shown = (page: Page) => page.locator('li').allInnerTexts();
  const shows = (page: Page, ...texts: readonly string[]) =>
    until(
      async () => {
        const all = await shown(page);
        return all.length === texts.length && texts.every((text, index) => all[index]!.includes(text));
      },
      `the page shows ${texts.join(' | ')}`,
    );

  const ticketOf = (subject: string) =>
    until(async () => {
      const { data } = await whole.api<{ data: Ticket[] }>('/tickets?channel=site&limit=200');
      return data.find((ticket) => ticket.subject === subject);
    }, `the ticket ${subject}`);
  const messagesOf = async ({ id }: Ticket) =>
    (await whole.api<{ data: Message[] }>(`/tickets/${id}/messages?limit=200`)).data;
  const answer = ({ id }: Ticket, body: object) => whole.api(`/tickets/${id}/replies`, { method: 'POST', body });

  it('makes a ticket of what a visitor writes, shows him the answer, and keeps both over a reload', async () => {
    const page = await opened();
    await shows(page, 'How can we help?');
    await write(page, 'Is the red one in stock?');
    const ticket = await ticketOf('Is the red one in stock?');
    await shows(page, 'Is the red one in stock?');
    await answer(ticket, { text: 'Yes, three of them.' });
    await shows(page, 'Is the red one', 'Yes, three');
    await until(async () => (await messagesOf(ticket))[1]!.delivery?.state === 'read', 'it is known that he saw it');
    await page.reload();
    await page.click('.launch');
    await shows(page, 'Is the red one', 'Yes, three');
    await write(page, 'Then I take it.');
    await shows(page, 'Is the red one', 'Yes, three', 'Then I take it');
    assert.equal((await messagesOf(ticket)).length, 3);
  });

  it('keeps what is written without a network, and sends it once when there is one, in order', async () => {
    const page = await opened();
    await write(page, 'with a network');
    const ticket = await ticketOf('with a network');
    await context.setOffline(true);
    await write(page, 'first without');
    await write(page, 'second without');
    await page.locator('li .state', { hasText: 'once you are online' }).nth(1).waitFor();
    assert.equal((await messagesOf(ticket)).length, 1);
    await context.setOffline(false);
    await page.locator('li .state').first().waitFor({ state: 'detached' });
    await shows(page, 'with a network', 'first without', 'second without');
    assert.deepEqual(
      (await messagesOf(ticket)).map(({ text }) => text),
      ['with a network', 'first without', 'second without'],
    );
  });

  it('makes no double when the gateway stores it and its answer is lost', async () => {
    const page = await opened();
    let lost = 0;
    await page.route('**/chat/site', async (route) => {
      if (route.request().method() !== 'POST' || lost > 1) return route.continue();
      lost++;
      await route.fetch();
      return route.abort();
    });
    await write(page, 'the answer is lost');
    const ticket = await ticketOf('the answer is lost');
    const third = await page.waitForResponse((response) => response.request().method() === 'POST');
    assert.deepEqual([lost, third.status()], [2, 200]);
    await shows(page, 'the answer is lost');
    assert.equal((await messagesOf(ticket)).length, 1);
  });

  it('sends what was written without a network after the page was closed and opened again', async () => {
    const page = await opened();
    await write(page, 'before it closes');
    const ticket = await ticketOf('before it closes');
    await context.setOffline(true);
    await write(page, 'kept in the browser');
    await page.locator('li .state').waitFor();
    await page.close();
    await context.setOffline(false);
    await visit();
    await until(async () => (await messagesOf(ticket)).length === 2, 'it is sent');
  });

  it('misses no answer that comes while he is away, and tells how many', async () => {
    const page = await opened();
    await write(page, 'answer me later');
    const ticket = await ticketOf('answer me later');
    await shows(page, 'answer me later');
    await context.setOffline(true);
    const texts = Array.from({ length: 60 }, (_, index) => `answer ${index + 1}.`);
    for (const text of texts) await answer(ticket, { text });
    await until(async () => (await messagesOf(ticket)).every(({ delivery }) => delivery?.state !== 'waiting'));
    await page.click('header button');
    await context.setOffline(false);
    await page.locator('.launch', { hasText: '(60 unread)' }).waitFor();
    await page.click('.launch');
    await shows(page, 'answer me later', ...texts);
    await until(async () => (await messagesOf(ticket)).slice(1).every(({ delivery }) => delivery?.state === 'read'));
    await page.click('header button');
    await page.locator('.launch', { hasText: /^Chat with us$/ }).waitFor();
  });

  it('asks for an address to write to when he is gone, once, and knows it with what he writes', async () => {
    const page = await opened();
    await page.fill('textarea', 'write to me there');
    await page.fill('input[type=email]', 'no address');
    await page.press('textarea', 'Enter');
    await shows(page, 'How can we help?');
    await page.fill('input[type=email]', 'olena@example.com');
    await page.press('textarea', 'Enter');
    const { customer } = await ticketOf('write to me there');
    const known = await whole.api<{ identifiers: { kind: string; value: string; trust: string }[] }>(
      `/customers/${customer.id}`,
    );
    const claim = known.identifiers.find(({ kind }) => kind === 'email');
    assert.deepEqual([claim?.value, claim?.trust], ['olena@example.com', 'claimed']);
    await page.locator('input[type=email]').waitFor({ state: 'hidden' });
    await page.reload();
    await page.click('.launch');
    await shows(page, 'write to me there');
    assert.equal(await page.locator('input[type=email]').isVisible(), false);
    // He signs in, and out again: whoever comes now is asked anew.
    const exp = Math.floor(Date.now() / 1000) + 600;
    for (const identity of [identityOf({ sub: 'olena', exp }), '']) {
      shop.visitor.identity = identity;
      await page.reload();
      await page.click('.launch');
      await shows(page, identity ? 'write to me there' : 'How can we help?');
    }
    await page.locator('input[type=email]').waitFor();
  });

  it('is one conversation in several tabs', async () => {
    const one = await opened();
    await write(one, 'written in one tab');
    const ticket = await ticketOf('written in one tab');
    const two = await opened();
    await shows(two, 'written in one tab');
    await write(two, 'written in the other');
    await shows(one, 'written in one tab', 'written in the other');
    await answer(ticket, { text: 'for both' });
    await Promise.all([one, two].map((page) => shows(page, 'written in one', 'written in the other', 'for both')));
    assert.equal((await messagesOf(ticket)).length, 3);
  });

  it('takes and gives files', async () => {
    const page = await opened();
    const chooser = page.waitForEvent('filechooser');
    await page.click('text=Add files');
    const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
    await (await chooser).setFiles([{ name: 'photo.png', mimeType: 'image/png', buffer: png }]);
    await write(page, 'with a file');
    const ticket = await ticketOf('with a file');
    await until(async () => (await messagesOf(ticket))[0]!.attachments[0]?.state === 'stored');
    const content = Buffer.from('see inside').toString('base64');
    await answer(ticket, { text: 'and one back', attachments: [{ name: 'a.txt', mediaType: 'text/plain', content }] });
    const download = page.waitForEvent('download');
    await page.click('li button:has-text("a.txt")');
    assert.equal((await download).suggestedFilename(), 'a.txt');
    const large = Buffer.alloc(5 * 1024 * 1024 + 1);
    await page.setInputFiles('input[type=file]', [{ name: 'large.bin', mimeType: 'application/zip', buffer: large }]);
    await page.locator('.note.bad', { hasText: 'At most 3 files of 5 MB' }).waitFor();
  });

  it('knows who is signed in at the shop, and shows the next person at the same browser nothing of him', async () => {
    const exp = Math.floor(Date.now() / 1000) + 600;
    shop.visitor.identity = identityOf({ sub: 'ada', name: 'Ada', email: 'ada@example.com', exp });
    const page = await opened();
    await write(page, 'Ada asks');
    const ticket = await ticketOf('Ada asks');
    assert.equal(ticket.customer.name, 'Ada');
    shop.visitor.identity = identityOf({ sub: 'bob', name: 'Bob', exp });
    await page.reload();
    await page.click('.launch');
    await shows(page, 'How can we help?');
    await write(page, 'Bob asks');
    assert.notEqual((await ticketOf('Bob asks')).customer.id, ticket.customer.id);
    shop.visitor.identity = '';
    await page.reload();
    await page.click('.launch');
    await shows(page, 'How can we help?');
  });

  it('shows what people write as text, whatever it looks like', async () => {
    const attack = '<img src=x onerror="alert(1)"><script>alert(2)</script>';
    const page = await opened();
    await write(page, attack);
    const ticket = await until(async () => {
      const { data } = await whole.api<{ data: Ticket[] }>('/tickets?channel=site');
      return data.find(({ subject }) => subject.includes('onerror'));
    });
    const content = Buffer.from('x').toString('base64');
    await answer(ticket, { text: attack, attachments: [{ name: `${attack}.txt`, mediaType: 'text/html', content }] });
    await shows(page, attack, attack);
    assert.equal(await page.locator('li img, li script').count(), 0);
  });

  it('makes links of addresses and of nothing else, and says when what was said and in which language it is', async () => {
    const page = await opened();
    await write(page, 'Which one?');
    const ticket = await ticketOf('Which one?');
    await answer(ticket, {
      text: 'This one (https://shop.example.com/a?b=1&c=2), not javascript:alert(1) or http://.',
    });
    const links = page.locator('li.team a');
    await links.first().waitFor();
    assert.equal(await links.count(), 1);
    assert.equal(await links.getAttribute('href'), 'https://shop.example.com/a?b=1&c=2');
    assert.equal(await links.getAttribute('rel'), 'noopener noreferrer');
    assert.match(await page.locator('li.team').innerText(), /c=2\), not javascript:alert\(1\) or http:\/\/\./);
    for (const [index, { occurredAt }] of (await messagesOf(ticket)).entries()) {
      assert.equal(await page.locator('li time').nth(index).getAttribute('datetime'), occurredAt);
    }
    assert.equal(await page.locator('tributary-chat').getAttribute('lang'), 'en');
  });

  it('shows that an agent is typing, and tells agents that the visitor is', async () => {
    const page = await opened();
    await write(page, 'who is typing?');
    const ticket = await ticketOf('who is typing?');
    const desk = io(`${whole.running.url}/console`, {
      transports: ['websocket'],
      auth: { token: whole.running.token },
    });
    try {
      const typed: unknown[] = [];
      desk.on('typing', (sign) => typed.push(sign));
      await until(async () => {
        desk.emit('typing', { ticketId: ticket.id });
        return (await page.innerText('.note')) === 'Somebody is writing…';
      });
      await page.locator('.note', { hasText: /^$/ }).waitFor();
      // He tells it every three seconds at most.
      await until(async () => {
        await page.locator('textarea').press('x');
        return typed.length > 0;
      });
      assert.deepEqual(typed[0], { ticketId: ticket.id });
    } finally {
      desk.disconnect();
    }
  });

  it('works with the keyboard alone, at 320 px', async () => {
    const page = await visit();
    await page.setViewportSize({ width: 320, height: 640 });
    await page.focus('.launch');
    await page.keyboard.press('Enter');
    await page.keyboard.type('typed by keyboard');
    await page.keyboard.press('Enter');
    await ticketOf('typed by keyboard');
    await shows(page, 'typed by keyboard');
    const sideways = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
    assert.equal(await page.evaluate(sideways), 0);
    await page.keyboard.press('Escape');
    await page.locator('.launch').waitFor();
  });
});
