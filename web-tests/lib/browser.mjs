// Chromium with a profile of its own, which is what a person keeps when a tab is closed.

import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

import { afterwards } from './afterwards.mjs';
import { chromiumProgram } from './environment.mjs';
import { temporaryFolder } from './folder.mjs';

const SHOTS = fileURLToPath(new URL('../shots/', import.meta.url));
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * A browser with a fresh profile.
 *
 * @param {import('node:test').TestContext} test
 */
export async function openBrowser(test) {
  const profile = await temporaryFolder(test);
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: chromiumProgram(),
    headless: true,
    args: FLAGS,
    viewport: { width: 900, height: 700 },
  });
  afterwards(test, () => browser.close());
  return browser;
}

/**
 * Opens a page whose own mistakes are shown with the test's.
 *
 * @param {import('node:test').TestContext} test
 * @param {import('playwright-core').BrowserContext} browser
 * @param {string} url
 */
export async function openPage(test, browser, url) {
  const page = await browser.newPage();
  page.on('pageerror', (error) => test.diagnostic(`page: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') test.diagnostic(`console: ${message.text()}`);
  });
  await page.goto(url);
  return page;
}

/**
 * A picture of the page, for people to look at.
 *
 * @param {import('playwright-core').Page} page
 * @param {string} name
 */
export async function shoot(page, name) {
  await mkdir(SHOTS, { recursive: true });
  await page.screenshot({ path: `${SHOTS}${name}.png` });
}
