// The page of examples/uppy-react, document 000's with today's packages: built as its README says, and used.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import test, { before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { openBrowser, shoot } from '../lib/browser.mjs';
import { letPagesIn } from '../lib/doctor.mjs';
import { temporaryFolder } from '../lib/folder.mjs';
import { assertEveryPartLandedOnce, isHalfWay, onlyTheFirst, openWhenLetGo } from '../lib/half.mjs';
import { servePages } from '../lib/pages.mjs';
import { MIB, writeSeeded } from '../lib/seeded.mjs';
import { STORES, Towline } from '../lib/towline.mjs';
import { Dashboard } from '../lib/uppy.mjs';

const EXAMPLE = fileURLToPath(new URL('../../examples/uppy-react/', import.meta.url));
const VITE = join(EXAMPLE, 'node_modules/vite/bin/vite.js');
const FIRST = 4;

before(letPagesIn);

/**
 * @param {import('node:test').TestContext} t
 * @param {'disk' | 'garage'} store
 */
async function stage(t, store) {
  const folder = await temporaryFolder(t);
  const towline = await Towline.start(t, store);
  const pages = join(folder, 'pages');
  await promisify(execFile)(process.execPath, [VITE, 'build', '--outDir', pages, '--logLevel', 'error'], {
    cwd: EXAMPLE,
    env: { ...process.env, VITE_TOWLINE_URL: towline.url },
  });
  const browser = await openBrowser(t);
  const dashboard = await Dashboard.open(t, browser, await servePages(t, pages));
  return { folder, towline, dashboard };
}

/** @param {Dashboard} dashboard */
async function keyOf({ page }) {
  const link = page.getByRole('list', { name: 'Finished' }).getByRole('link');
  return String(await link.textContent());
}

for (const store of STORES) {
  test(`the React page on ${store}: a film, paused and resumed`, async (t) => {
    const { folder, towline, dashboard } = await stage(t, store);
    const film = join(folder, 'film.webm');
    const sha256 = await writeSeeded(film, 60 * MIB, 'uppy-react');
    towline.parts.follow(onlyTheFirst(FIRST));
    await dashboard.choose(film);
    await dashboard.upload();
    await isHalfWay(towline.parts, FIRST);
    await dashboard.pause();
    await shoot(dashboard.page, `uppy-react-${store}-1-paused`);
    await openWhenLetGo(towline.parts);
    await dashboard.resume();
    const key = await keyOf(dashboard);
    await shoot(dashboard.page, `uppy-react-${store}-2-finished`);
    assertEveryPartLandedOnce(towline, 12);
    assert.equal(await towline.sha256(key), sha256);
  });

  test(`the React page on ${store}: a small file goes by one form`, async (t) => {
    const { folder, towline, dashboard } = await stage(t, store);
    const clip = join(folder, 'a clip & more.webm');
    const sha256 = await writeSeeded(clip, 3 * MIB, 'a clip');
    await dashboard.choose(clip);
    await dashboard.upload();
    const key = await keyOf(dashboard);
    assert.deepEqual(towline.parts.landed, [], 'no part was sent');
    assert.equal(await towline.sha256(key), sha256);
  });
}
