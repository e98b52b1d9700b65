// The browser code of document 003 as it is printed there, on a page of the server's own origin.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { before } from 'node:test';

import { openBrowser, openPage } from '../lib/browser.mjs';
import { letPagesIn } from '../lib/doctor.mjs';
import { temporaryFolder } from '../lib/folder.mjs';
import { assertEveryPartLandedOnce, isHalfWay, numbers, onlyTheFirst } from '../lib/half.mjs';
import { MIB, writeSeeded } from '../lib/seeded.mjs';
import { STORES, Towline } from '../lib/towline.mjs';

const BYTES = 31 * MIB + 7;
const PARTS = 7;
const FIRST = 3;
const KEY = 'myfiles/largefile.zip';

before(letPagesIn);

/** The document's code, filled into a page. */
async function documentPage() {
  const read = (/** @type {string} */ name) => readFile(new URL(`../pages/${name}`, import.meta.url), 'utf8');
  const body = (await read('document-003.html')).replace('/* DOCUMENT */', await read('document-003.js'));
  return { status: 200, headers: { 'Content-Type': 'text/html; charset=utf-8' }, body };
}

/**
 * A page with the document's code, stopped after its first parts by a lost line.
 *
 * @param {import('node:test').TestContext} t
 * @param {'disk' | 'garage'} store
 */
async function stopped(t, store) {
  const folder = await temporaryFolder(t);
  const towline = await Towline.start(t, store);
  const { api, parts } = towline;
  const file = join(folder, 'largefile.zip');
  const sha256 = await writeSeeded(file, BYTES, 'document 003');
  const answer = await documentPage();
  /** @type {(rule: import('../lib/gate.mjs').Rule) => import('../lib/gate.mjs').Rule} */
  const besidePage = (rule) => (passage) => (passage.path === '/document-003.html' ? answer : rule(passage));
  const browser = await openBrowser(t);
  api.follow(besidePage(() => 'pass'));
  const page = await openPage(t, browser, `${towline.url}/document-003.html`);
  parts.follow(besidePage(onlyTheFirst(FIRST)));
  await page.locator('#fileInput').setInputFiles(file);
  const begun = page.waitForResponse((response) => response.url().endsWith('/multipart/init'));
  const outcome = page.evaluate('upload().then(() => "finished", (error) => error.name)');
  const upload = await (await begun).json();
  await isHalfWay(parts, FIRST);
  await browser.setOffline(true);
  parts.follow(() => 'cut');
  assert.equal(await outcome, 'TypeError', 'the document does nothing about a lost line');
  await browser.setOffline(false);
  parts.follow(besidePage(() => 'pass'));
  return { towline, page, sha256, upload };
}

/**
 * @param {Towline} towline
 * @param {{ key: string, upload_id: string }} upload
 */
const listOf = ({ address }, { key, upload_id }) =>
  fetch(`${address}/api/uploads/multipart/parts?${new URLSearchParams({ key, upload_id })}`);

for (const store of STORES) {
  test(`document 003 on ${store}: offline half-way, and the same upload goes on`, async (t) => {
    const { towline, page, sha256, upload } = await stopped(t, store);
    assert.equal(upload.key, KEY);
    const { parts } = await (await listOf(towline, upload)).json();
    assert.deepEqual(
      parts.map(({ PartNumber, Size }) => [PartNumber, Size]),
      numbers(FIRST).map((number) => [number, 5 * MIB]),
    );
    await page.evaluate((begun) => window.goOn(begun), upload);
    assertEveryPartLandedOnce(towline, PARTS);
    assert.equal(await towline.sha256(KEY), sha256);
  });

  test(`document 003 on ${store}: offline half-way, and all is done again`, async (t) => {
    const { towline, page, sha256, upload } = await stopped(t, store);
    assert.equal(await page.evaluate('upload().then(() => "finished")'), 'finished');
    assert.equal(await towline.sha256(KEY), sha256);
    const { key, upload_id } = upload;
    const abort = await fetch(`${towline.address}/api/uploads/multipart/abort`, {
      method: 'DELETE',
      body: JSON.stringify({ key, upload_id }),
    });
    assert.equal(abort.status, 200);
    assert.equal((await abort.json()).status, 'aborted');
    const list = await listOf(towline, upload);
    assert.ok(list.status === 400 || list.status === 404, `the list of what was aborted answers ${list.status}`);
    assert.deepEqual(Object.keys(await list.json()).sort(), ['error', 'message']);
    assert.equal(await towline.sha256(KEY), sha256, 'the finished file stays');
  });
}
