// The steps a person takes in Uppy's Dashboard, the same in every generation.

import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

import { openPage } from './browser.mjs';
import { servePages } from './pages.mjs';

const GENERATIONS = fileURLToPath(new URL('../generations/', import.meta.url));

/**
 * Builds the page of a generation into a folder and serves it.
 *
 * @param {import('node:test').TestContext} test
 * @param {string} generation
 * @param {string} folder
 */
export async function serveGeneration(test, generation, folder) {
  const pages = join(folder, 'pages');
  await mkdir(pages);
  await build({
    entryPoints: [join(GENERATIONS, generation, 'page.mjs')],
    bundle: true,
    format: 'esm',
    outdir: pages,
    logLevel: 'error',
  });
  await copyFile(join(GENERATIONS, 'index.html'), join(pages, 'index.html'));
  return servePages(test, pages);
}

/** One Dashboard in one tab. */
export class Dashboard {
  /** @param {import('playwright-core').Page} page */
  constructor(page) {
    this.page = page;
  }

  /**
   * @param {import('node:test').TestContext} test
   * @param {import('playwright-core').BrowserContext} browser
   * @param {string} url
   */
  static async open(test, browser, url) {
    const page = await openPage(test, browser, url);
    await page.locator('.uppy-Dashboard-inner').waitFor();
    return new Dashboard(page);
  }

  /** @param {string} file */
  async choose(file) {
    await this.page.locator('.uppy-Dashboard-input').first().setInputFiles(file);
    await this.page.locator('.uppy-Dashboard-Item').waitFor();
  }

  /**
   * Hands in again a file whose bytes Golden Retriever did not keep.
   *
   * @param {string} file
   */
  async chooseAgain(file) {
    await this.page.locator('.uppy-Dashboard-Item.is-ghost').waitFor();
    await this.page.getByText('Re-select', { exact: true }).click();
    await this.page.locator('.uppy-Dashboard-input').first().setInputFiles(file);
    await this.page.locator('.uppy-Dashboard-Item:not(.is-ghost)').waitFor();
  }

  async upload() {
    await this.page.locator('.uppy-StatusBar-actionBtn--upload').click();
  }

  async pause() {
    await this.page.locator('.uppy-StatusBar-actionCircleBtn[title="Pause"]').click();
    await this.page.getByText('Paused').first().waitFor();
  }

  async resume() {
    await this.page.locator('.uppy-StatusBar-actionCircleBtn[title="Resume"]').click();
  }

  /** Waits for the end and returns what Uppy says of it. */
  async outcome() {
    const handle = await this.page.waitForFunction('window.outcome');
    const outcome = /** @type {{ key?: string, url?: string, error?: string }} */ (await handle.jsonValue());
    if (outcome.error) throw new Error(`Uppy says: ${outcome.error}`);
    await this.page.getByText('Complete').first().waitFor();
    return outcome;
  }

  /** Waits until Golden Retriever has written down which upload this is, and the bytes if it keeps them. */
  async isKept({ withBytes = true }) {
    await this.page.evaluate(isKeptInPage, withBytes);
  }
}

/**
 * Runs in the page. Golden Retriever writes its notes into IndexedDB since Uppy 6, into localStorage before, and says
 * nothing when it has.
 *
 * @param {boolean} withBytes
 */
async function isKeptInPage(withBytes) {
  const result = (/** @type {IDBRequest} */ request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  for (;;) {
    const kept = { notes: JSON.stringify(localStorage), blobs: 0 };
    const known = await indexedDB.databases();
    if (known.some(({ name }) => name === 'uppy-blobs')) {
      const database = await result(indexedDB.open('uppy-blobs'));
      for (const name of database.objectStoreNames) {
        const store = database.transaction(name).objectStore(name);
        if (name === 'files') kept.blobs = await result(store.count());
        else kept.notes += JSON.stringify(await result(store.getAll()));
      }
      database.close();
    }
    if (kept.notes.includes('uploadId') && (kept.blobs > 0 || !withBytes)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
