// The page of examples/plain-html, of the kind that document 002 describes.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { before } from 'node:test';
import { fileURLToPath } from 'node:url';

import { openBrowser, openPage, shoot } from '../lib/browser.mjs';
import { letPagesIn } from '../lib/doctor.mjs';
import { temporaryFolder } from '../lib/folder.mjs';
import { assertEveryPartLandedOnce, isHalfWay, onlyTheFirst, openWhenLetGo } from '../lib/half.mjs';
import { servePages } from '../lib/pages.mjs';
import { MIB, writeSeeded } from '../lib/seeded.mjs';
import { STORES, Towline } from '../lib/towline.mjs';

const EXAMPLE = fileURLToPath(new URL('../../examples/plain-html/', import.meta.url));
/** The last part is a short one. */
const BYTES = 31 * MIB + 7;
const PARTS = 7;
const FIRST = 3;

before(letPagesIn);

/**
 * @param {import('node:test').TestContext} t
 * @param {'disk' | 'garage'} store
 */
async function stage(t, store) {
  const folder = await temporaryFolder(t);
  const towline = await Towline.start(t, store);
  const browser = await openBrowser(t);
  const pages = await servePages(t, EXAMPLE);
  const file = join(folder, 'Köln – ein Film #1.bin');
  const sha256 = await writeSeeded(file, BYTES, 'plain-html');
  const open = () => openPage(t, browser, `${pages}/?server=${encodeURIComponent(towline.url)}`);
  return { towline, browser, file, sha256, open };
}

/** @param {import('playwright-core').Page} page */
async function keyOf(page) {
  const done = page.locator('#message[data-key]');
  await done.waitFor();
  return String(await done.getAttribute('data-key'));
}

for (const store of STORES) {
  test(`the plain page on ${store}: closed half-way, opened again, finished`, async (t) => {
    const { towline, file, sha256, open } = await stage(t, store);
    towline.parts.follow(onlyTheFirst(FIRST));
    const first = await open();
    await first.locator('#file').setInputFiles(file);
    await first.locator('#start').click();
    await isHalfWay(towline.parts, FIRST);
    await shoot(first, `plain-html-${store}-1-half-way`);
    await first.close();
    await openWhenLetGo(towline.parts);
    const second = await open();
    await second.locator('#file').setInputFiles(file);
    await shoot(second, `plain-html-${store}-2-known-again`);
    await second.getByRole('button', { name: 'Resume' }).click();
    const key = await keyOf(second);
    await shoot(second, `plain-html-${store}-3-done`);
    assertEveryPartLandedOnce(towline, PARTS);
    assert.equal(await towline.sha256(key), sha256);
    assert.equal(await second.evaluate('localStorage.length'), 0, 'a finished upload is forgotten');
  });

  test(`the plain page on ${store}: paused, and the line lost for a part`, async (t) => {
    const { towline, file, sha256, open } = await stage(t, store);
    towline.parts.follow(onlyTheFirst(FIRST));
    const page = await open();
    await page.locator('#file').setInputFiles(file);
    await page.locator('#start').click();
    await isHalfWay(towline.parts, FIRST);
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('Paused.').waitFor();
    await openWhenLetGo(towline.parts);
    let losses = 0;
    towline.parts.follow(({ part }) => {
      if (part !== FIRST + 2 || losses === 2) return 'pass';
      losses += 1;
      return 'cut';
    });
    await page.getByRole('button', { name: 'Resume' }).click();
    const key = await keyOf(page);
    assert.equal(losses, 2);
    assertEveryPartLandedOnce(towline, PARTS);
    assert.equal(await towline.sha256(key), sha256);
  });

  test(`the plain page on ${store}: cancelled, the upload is gone and the file begins anew`, async (t) => {
    const { towline, file, sha256, open } = await stage(t, store);
    towline.parts.follow(onlyTheFirst(FIRST));
    const page = await open();
    await page.locator('#file').setInputFiles(file);
    await page.locator('#start').click();
    await isHalfWay(towline.parts, FIRST);
    const upload = await page.evaluate('Object.values(localStorage)[0]');
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('Cancelled.').waitFor();
    await towline.api.until(({ passages }) =>
      passages.some((p) => p.method === 'POST' && p.path === '/abort-multipart-upload' && p.status === 200),
    );
    const list = await fetch(`${towline.address}/list-parts`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: String(upload),
    });
    assert.ok(list.status >= 400 && list.status < 500, `the list of a cancelled upload answers ${list.status}`);
    await openWhenLetGo(towline.parts);
    await page.getByRole('button', { name: 'Upload' }).click();
    assert.equal(await towline.sha256(await keyOf(page)), sha256);
  });
}
