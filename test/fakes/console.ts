import assert from 'node:assert/strict';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { signStandardWebhook } from '../../src/core/signature.ts';
import { openBrowser, startProcess } from './browser.ts';
import type { StartedGateway } from './browser.ts';
import { PATIENCE_MS } from './until.ts';

/** A gateway with somebody signed in to its console. */
export interface OpenedConsole {
  readonly gateway: StartedGateway;
  readonly browser: Browser;
  readonly page: Page;
  /** What must never happen on the page: dialogs, refusals of the policy, errors of ours. */
  readonly trouble: string[];
  /** Opens an address of the console. */
  goto(path: string): Promise<void>;
  /** A press as a keyboard with Cyrillic letters makes it: the place of the key, and what is printed on it there. */
  pressCyrillic(code: string, key: string, held?: 'ctrlKey'): Promise<void>;
  /** How far the page scrolls sideways. */
  sideways(): Promise<number>;
  close(): Promise<void>;
}

export async function openConsole(config: string, options: BrowserContextOptions = {}): Promise<OpenedConsole> {
  const gateway = await startProcess(config);
  const browser = await openBrowser();
  const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const trouble: string[] = [];
  page.on('dialog', (dialog) => {
    trouble.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('pageerror', (error) => trouble.push(`error: ${error.message}`));
  page.on('console', (line) => {
    if (/Content Security Policy|TrustedHTML|TrustedScript/i.test(line.text())) trouble.push(line.text());
  });
  await page.goto(gateway.setupLink);
  await page.fill('input[name=name]', 'Iryna');
  await page.click('button');
  await page.waitForSelector('.link[data-link=up]');
  return {
    ...{ gateway, browser, page, trouble },
    async goto(path) {
      await page.goto(`${gateway.url}${path}`);
      await page.waitForSelector('.link[data-link=up]');
    },
    async pressCyrillic(code, key, held) {
      const init = { code, key, bubbles: true, cancelable: true, ...(held && { [held]: true }) };
      await page.evaluate(
        `(document.activeElement ?? document.body).dispatchEvent(new KeyboardEvent('keydown', ${JSON.stringify(init)}))`,
      );
    },
    sideways: () => page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth'),
    async close() {
      await browser.close();
      const code = await gateway.stop();
      assert.equal(code, 0, `the gateway ended with ${code}`);
    },
  };
}

/** What the webhook channel `intake` is sent. */
export async function pushSigned(gateway: StartedGateway, secret: string, element: { readonly id: string }) {
  const { id } = element;
  const body = JSON.stringify({ thread: id, from: { id, name: `Customer ${id}` }, ...element });
  await signedPost(gateway, secret, id, body);
}

/** The same with any body. */
export async function signedPost(gateway: StartedGateway, secret: string, id: string, body: string) {
  const timestampSec = Math.floor((performance.timeOrigin + performance.now()) / 1000);
  const response = await fetch(`${gateway.url}/webhooks/intake`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...signStandardWebhook([secret], { id, timestampSec, body }),
    },
    body,
  });
  assert.ok(response.ok, `${response.status} ${await response.text()}`);
}
