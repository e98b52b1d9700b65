// The flow of document 001: the browser is handed a signing key and speaks S3 itself.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { before } from 'node:test';
import { fileURLToPath } from 'node:url';

import { signedUrl } from '../../examples/signing-key/sign.js';
import { openBrowser, openPage, shoot } from '../lib/browser.mjs';
import { letPagesIn } from '../lib/doctor.mjs';
import { garage } from '../lib/environment.mjs';
import { temporaryFolder } from '../lib/folder.mjs';
import { assertEveryPartLandedOnce, isHalfWay, onlyTheFirst, openWhenLetGo } from '../lib/half.mjs';
import { servePages } from '../lib/pages.mjs';
import { MIB, writeSeeded } from '../lib/seeded.mjs';
import { STORES, Towline } from '../lib/towline.mjs';

const EXAMPLE = fileURLToPath(new URL('../../examples/signing-key/', import.meta.url));
/** A multiple of the 6 MiB of a part, with which the original never finished. */
const BYTES = 48 * MIB;
const PARTS = 8;
const FIRST = 3;

before(letPagesIn);

/**
 * @param {import('node:test').TestContext} t
 * @param {'disk' | 'garage'} store
 */
async function stage(t, store) {
  const folder = await temporaryFolder(t);
  const towline = await Towline.start(t, store, store === 'disk' ? {} : restrictedUser());
  const pages = await servePages(t, EXAMPLE);
  const file = join(folder, 'Köln (1).mov');
  const sha256 = await writeSeeded(file, BYTES, 'signing key');
  const openWith = async (/** @type {import('playwright-core').BrowserContext} */ browser) => {
    const query = new URLSearchParams({ server: towline.url, s3: towline.parts.url });
    const page = await openPage(t, browser, `${pages}/?${query}`);
    await page.locator('#file').setInputFiles(file);
    return page;
  };
  return { towline, sha256, openWith };
}

/** The user of the bucket whose signing key is handed out; Garage knows only one here. */
function restrictedUser() {
  const { accessKey, secretKey } = garage();
  return { TOWLINE_SIGNING_KEY_ACCESS_KEY: accessKey, TOWLINE_SIGNING_KEY_SECRET_KEY: secretKey };
}

/** @param {import('playwright-core').Page} page */
async function keyOf(page) {
  const done = page.locator('#message[data-key]');
  await done.waitFor();
  return String(await done.getAttribute('data-key'));
}

/**
 * @param {Towline} towline
 * @param {string} filename
 */
async function grantFor({ url }, filename) {
  const query = new URLSearchParams({ filename, filesize: '7', last_modified: '0', content_type: 'text/plain' });
  const answer = await fetch(`${url}/upload-backend/signing_key/?${query}`);
  assert.equal(answer.status, 200);
  return answer.json();
}

for (const store of STORES) {
  test(`document 001 on ${store}: stopped half-way, finished from another profile`, async (t) => {
    const { towline, sha256, openWith } = await stage(t, store);
    towline.parts.follow(onlyTheFirst(FIRST));
    const first = await openWith(await openBrowser(t));
    await first.getByRole('button', { name: 'Upload' }).click();
    await isHalfWay(towline.parts, FIRST);
    await first.getByText(`${FIRST} of ${PARTS} chunks are there`).waitFor();
    await shoot(first, `signing-key-${store}-1-half-way`);
    await first.context().close();
    await openWhenLetGo(towline.parts);
    const second = await openWith(await openBrowser(t));
    await second.getByRole('button', { name: 'Upload' }).click();
    const key = await keyOf(second);
    await shoot(second, `signing-key-${store}-2-done`);
    assertEveryPartLandedOnce(towline, PARTS);
    assert.equal(await towline.sha256(key), sha256);
  });

  test(`document 001 on ${store}: with force the file begins anew`, async (t) => {
    const { towline, sha256, openWith } = await stage(t, store);
    towline.parts.follow(onlyTheFirst(FIRST));
    const page = await openWith(await openBrowser(t));
    await page.getByRole('button', { name: 'Upload' }).click();
    await isHalfWay(towline.parts, FIRST);
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText('Stopped.').waitFor();
    await openWhenLetGo(towline.parts);
    await page.getByRole('button', { name: 'Begin anew' }).click();
    const key = await keyOf(page);
    assert.equal(towline.parts.landed.length, FIRST + PARTS, 'all parts were sent once more');
    assert.equal(await towline.sha256(key), sha256);
  });
}

test('document 001: the key that is handed out can do nothing else', async (t) => {
  const towline = await Towline.start(t, 'disk');
  const mine = await grantFor(towline, 'mine.txt');
  const others = await grantFor(towline, 'others.txt');
  const ask = async (
    /** @type {import('../../examples/signing-key/sign.js').Grant} */ grant,
    /** @type {string} */ method,
    /** @type {string} */ key,
    /** @type {Record<string, string>} */ query,
    body = undefined,
  ) => {
    const url = await signedUrl(towline.url, grant, { method, key, query }, new Date());
    const answer = await fetch(url, { method, body });
    return { status: answer.status, text: await answer.text() };
  };
  const begin = async (/** @type {import('../../examples/signing-key/sign.js').Grant} */ grant) => {
    const { status, text } = await ask(grant, 'POST', grant.key, { uploads: '' });
    assert.equal(status, 200, text);
    return String(text.match(/<UploadId>(.*)<\/UploadId>/)?.[1]);
  };
  const uploadId = await begin(mine);
  const othersId = await begin(others);
  const put = { partNumber: '1', uploadId };
  assert.equal((await ask(mine, 'PUT', mine.key, put, 'content')).status, 200, 'its own part is let in');

  const denied = [
    ['a part of another upload', 'PUT', others.key, { partNumber: '1', uploadId: othersId }],
    ['a part of another upload under its own key', 'PUT', mine.key, { partNumber: '1', uploadId: othersId }],
    ['the beginning of another file', 'POST', 'elsewhere.txt', { uploads: '' }],
    ['the parts of another upload', 'GET', others.key, { uploadId: othersId }],
    ['the end of another upload', 'POST', others.key, { uploadId: othersId }],
    ['another file', 'PUT', 'elsewhere.txt', {}],
    ['the deletion of another file', 'DELETE', others.key, {}],
    ['the deletion of its own file', 'DELETE', mine.key, {}],
    ['the giving up of another upload', 'DELETE', others.key, { uploadId: othersId }],
  ];
  for (const [what, method, key, query] of denied) {
    const body = method === 'GET' || method === 'DELETE' ? undefined : 'content';
    const { status, text } = await ask(mine, method, key, query, body);
    assert.equal(status, 403, `${what}: ${status} ${text}`);
    assert.match(text, /<Code>AccessDenied<\/Code>/, what);
  }
  const forged = { ...mine, access_key: others.access_key };
  const { status, text } = await ask(forged, 'PUT', others.key, { partNumber: '1', uploadId: othersId }, 'content');
  assert.equal(status, 403);
  assert.match(text, /<Code>SignatureDoesNotMatch<\/Code>/);
});
